"""How the rows that members predict stand to the rows that trained these members."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from nestmat import tables
from nestmat.domains.describe import describe_domain, domain_inputs
from nestmat.domains.domain import Domain
from nestmat.domains.standing import Standing
from nestmat.features.table import BlockConfig
from nestmat.training.inner_folds import read_row_splits
from nestmat.training.members import ENSEMBLE_KEYS


@dataclass(frozen=True)
class StackedScale:
    """A scale with a stack, as its spread is learned.

    Attributes:
        name: Name of the scale.
        features: Features of the scale.
        folds: Its folds.
        blocks: Feature blocks that members of the stack read.
    """

    name: str
    features: str | Path
    folds: str | Path
    blocks: Mapping[str, BlockConfig]

    def standings(self, rows: pd.DataFrame, protocol: str) -> Standing:
        """How rows stand to those that trained the members by which they were predicted, (n,).

        Args:
            rows: ``repeat``, ``fold``, ``inner``, ``split`` and ``row_id``, (n,). Rows that train are inside.
            protocol: Protocol of the members.
        """
        features = tables.read(self.features)
        inputs = domain_inputs(self.blocks, self.features)
        splits = {s.repeat: s for s in read_row_splits(self.folds, protocol, features["row_id"].to_numpy())}
        standing = Standing.inside(len(rows))
        place = pd.Series(np.arange(len(features)), index=features["row_id"])
        left_out = rows["split"].to_numpy() != "train"
        # A pair of folds predicts rows for both of its stacks.
        domains: dict[bytes, Domain] = {}
        for key, of_member in rows[left_out].groupby([*ENSEMBLE_KEYS]):
            repeat, fold, inner = map(int, key)
            trained = splits[repeat].train(fold, inner)
            domain = domains.get(trained.tobytes()) or Domain.of_rows(self.name, features[trained], inputs)
            domains[trained.tobytes()] = domain
            ids, number = np.unique(of_member["row_id"], return_inverse=True)
            of_rows = Standing.of(domain, features.iloc[place.loc[ids]])[number]
            standing.put(rows.index.get_indexer(of_member.index), of_rows)
        return standing

    def materials(self, row_id: np.ndarray) -> np.ndarray:
        """Material of rows, (n,)."""
        features = tables.read(self.features, columns=["row_id", "material"])
        return features.set_index("row_id")["material"].loc[row_id].to_numpy()

    def write_domain(self, path: str | Path, protocol: str, fold: int) -> None:
        """Write the domain of the rows that train the members without a fold of the first repeat.

        Args:
            path: File to write.
            protocol: Protocol of the members.
            fold: The fold; -1 for members that train on every row.
        """
        describe_domain(self.name, self.features, self.folds, self.blocks, path, protocol=protocol, fold=fold)
