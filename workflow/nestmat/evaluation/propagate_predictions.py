"""What the recommended predictor of a finer scale says of the rows of a coarser one, whose baselines read it.

The predictions of every member of the protocol are passed on: a baseline that leaves out a fold, or a pair of
folds, reads those that left out the same materials. Of the materials that both train on they are fitted
values, which come near to the labels of the finer scale. So the coarser scale learns how its target depends
on the quantity. From predictions that were held out for these materials as well it would learn instead how
badly they are predicted from fewer rows.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd

from nestmat import seals, tables
from nestmat.evaluation.parent_predictions import BASELINES_OF_CHILDREN, ROW_KEYS
from nestmat.evaluation.stack import Combination
from nestmat.scales.predictions import mean_column
from nestmat.scales.propagate import blocks_for
from nestmat.training.checkpoints import Trained
from nestmat.training.inner_folds import FEWEST_FOLDS_OF_PAIRS
from nestmat.training.members import ENSEMBLE_KEYS
from nestmat.training.scale_data import ScaleData


@dataclass(frozen=True)
class NetworkFiles:
    """Files of a network of the parent, and of what it reads.

    Attributes:
        weights: Weights of its members.
        card: Their card.
        parents: Latents of the parent's own parents for the rows of the child, by scale.
    """

    weights: str | Path
    card: str | Path
    parents: Mapping[str, str | Path] = field(default_factory=dict)

    def means(self, data: ScaleData) -> pd.DataFrame:
        """Mean over seeds of each target, a column each, in rows of `ROW_KEYS`.

        Args:
            data: Rows of the child with the features of the parent.
        """
        trained = Trained.load(self.weights, self.card)
        for name, path in self.parents.items():
            data = data.with_propagated(name, path, trained.protocol)
        members = trained.members
        predicted = trained.apply(blocks_for(trained, data, members), members.index.to_numpy())[1]
        parts = []
        for key, seeds in members.groupby([*ENSEMBLE_KEYS]):
            means = {target: values[seeds.index].mean(axis=0) for target, (values, _) in predicted.items()}
            keys = dict(zip(ENSEMBLE_KEYS, key, strict=True))
            parts.append(pd.DataFrame({**keys, "row_id": data.row_id, **means}))
        return pd.concat(parts).set_index(ROW_KEYS)


def _in_either_order(means: pd.DataFrame, folds: int) -> pd.DataFrame:
    """Means in rows of `ROW_KEYS`, those of members of a pair of folds under either of its folds."""
    inner = means.index.get_level_values("inner")
    pairs = means[(inner >= 0) & (inner < folds)].reset_index()
    swapped = pairs.rename(columns={"fold": "inner", "inner": "fold"}).set_index(ROW_KEYS)
    return pd.concat([means, swapped])


def propagate_predictions(
    stack: str | Path,
    features: str | Path,
    output: str | Path,
    *,
    child: str,
    networks: Mapping[str, NetworkFiles],
    baselines: str | Path,
) -> None:
    """Write what the recommended predictor of a parent says of the rows of its child.

    The weights are those that were learned for the fold. Members of a pair of folds stand twice, with the
    weights of either fold, as these have seen labels of the other one: what the stack of a fold of the child
    learns on must not hold labels of the fold.

    Args:
        stack: Weights of the stack, as `recommend_predictor` wrote them.
        features: Rows of the child with the features of the parent.
        output: Parquet file to write: repeat, fold, inner, row_id, and ``<target>.mean`` of each target in
            its unit, of a class its probability.
        child: Name of the child.
        networks: Members of the stack that are networks.
        baselines: Predictions of the parent's baselines for its children, `BASELINES_OF_CHILDREN`.
    """
    content = seals.read_json(stack)
    combinations = [Combination.of_document(entry) for entry in content["combinations"]]
    data = ScaleData.read(features, targets=False)
    folds = max(combination.fold for combination in combinations) + 1
    means = {name: files.means(data) for name, files in networks.items()}
    for name, part in tables.read(baselines, child=child).groupby("model"):
        means[str(name)] = part.set_index([*ROW_KEYS, "target"])["mean"].unstack("target")
    by_target = {}
    for target in sorted({combination.target for combination in combinations}):
        of_members = pd.concat({name: means[name][target] for name in content["stack"]}, axis=1).dropna()
        if folds >= FEWEST_FOLDS_OF_PAIRS:
            of_members = _in_either_order(of_members, folds)
        weights = {(c.repeat, c.fold): list(c.weights.values()) for c in combinations if c.target == target}
        by_target[mean_column(target)] = pd.concat(
            part @ np.array(weights[repeat, fold])
            for (repeat, fold, _), part in of_members.groupby([*ENSEMBLE_KEYS])
        )
    frame = pd.DataFrame(by_target).reset_index()
    schema = {name: BASELINES_OF_CHILDREN[name] for name in ROW_KEYS}
    schema |= {column: tables.Column("float64") for column in by_target}
    tables.write(output, frame, schema, {"protocol": content["protocol"], "stack": content["stack"]})
