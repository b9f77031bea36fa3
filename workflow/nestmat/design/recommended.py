"""The recommended predictors of a study's scales for the materials of a design space."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import Tensor

from nestmat import tables
from nestmat.design.model_inputs import check_model_inputs
from nestmat.design.spaces import material_rows
from nestmat.errors import InputError
from nestmat.evaluation.recommended import MeansAndStds, RecommendedPredictor
from nestmat.features.chain import featurize_chain
from nestmat.features.feature_map import FeatureMap
from nestmat.features.table import Featurized
from nestmat.search.distilled import DistilledPredictor, distil
from nestmat.search.problem import Quantities
from nestmat.search.spaces.product import Product
from nestmat.search.surrogate import PredictedSurrogate

DRAWS = 10_000
"""Random materials of the space that a network learns from."""


@dataclass(frozen=True)
class SpacePredictor:
    """What the recommended predictors say of the materials of a space; without gradients.

    Attributes:
        predictor: The predictors.
        space: The space.
    """

    predictor: RecommendedPredictor
    space: Product

    def predict(self, x: NDArray[np.float64]) -> MeansAndStds:
        """Mean and standard deviation (n,) of ``<scale>.<target>`` of materials (n, columns).

        Both are NaN of a material with a feature that is not defined.

        Raises:
            InputError: No material has all features, or a result is missing.
        """
        rows, featurized = self._featurize(x)
        rejects = pd.concat([features.rejects for features in featurized.values()], ignore_index=True)
        defined = ~rows["row"].isin(rejects["row"]).to_numpy()
        if not defined.any():
            first = rejects.iloc[0]
            raise InputError(
                f"No material of the space has the features that the recommended predictors read: the first "
                f"{first['reason']}",
                column=first["column"],
                value=first["value"],
                remedy="take the species or level out of the space, or search with `predictor: model`.",
            )
        frames = {
            name: part.frame[part.frame["row_id"].isin(rows["row_id"][defined])]
            for name, part in featurized.items()
        }
        return {
            f"{scale}.{quantity}": (_of_all(mean, defined), _of_all(std, defined))
            for scale, quantities in self.predictor.predict(frames).items()
            for quantity, (mean, std) in quantities.items()
        }

    def _featurize(self, x: NDArray[np.float64]) -> tuple[pd.DataFrame, dict[str, Featurized]]:
        """Materials (n, columns) as rows of a data set, and their features at each scale."""
        study, names = self.predictor.study, self.predictor.scales
        numbers = pd.DataFrame(x, columns=list(self.space.columns))
        rows = material_rows(numbers.assign(formula=self.space.formulas(x)), self.space)
        blocks_read = self.predictor.blocks_read()
        return rows, featurize_chain(
            rows,
            {name: {key: study.scales[name].features[key] for key in blocks_read[name]} for name in names},
            {name: self.predictor.results / "features" / f"{name}.parquet" for name in names},
        )

    def inputs(self, x: Tensor) -> Tensor:
        """What the stacks read of materials (n, columns), (n, inputs); NaN where that is not defined."""
        rows, featurized = self._featurize(x.double().cpu().numpy())
        parts = [
            part.frame.set_index("row_id")[block["columns"]].reindex(rows["row_id"]).to_numpy(np.float64)
            for part in featurized.values()
            for block in part.blocks.values()
        ]
        return torch.from_numpy(np.concatenate(parts, axis=1))

    def __call__(self, x: Tensor) -> Quantities:
        """As `predict`, of tensors."""
        if x.requires_grad:
            raise InputError("The recommended predictor has no gradient.", key="search.predictor")
        predicted = self.predict(x.double().cpu().numpy())
        return {
            name: (torch.from_numpy(mean).to(x), torch.from_numpy(std).to(x))
            for name, (mean, std) in predicted.items()
        }


def _of_all(values: NDArray[np.float64], defined: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Values of the defined ones of some rows as those of all, NaN elsewhere."""
    of_all = np.full(len(defined), np.nan)
    of_all[defined] = values
    return of_all


def read_features(x: Tensor, maps: Mapping[str, FeatureMap]) -> Tensor:
    """What a distilled network reads: the numbers of a material, and the features of a chain's scales."""
    return torch.cat([x, *(feature_map(x) for feature_map in maps.values())], dim=1)


FIDELITY: tables.Schema = {
    "quantity": tables.Column("string", role="key"),
    "unit": tables.Column("string"),
    "r2": tables.Column(
        "float64", description="of the means, on materials that the network did not learn from"
    ),
    "error": tables.Column(
        "float64", description="mean absolute difference of the means, in the unit of the row"
    ),
    "std": tables.Column(
        "float64", description="mean standard deviation that the predictor states, in that unit"
    ),
    "std_error": tables.Column("float64", description="mean relative difference of the standard deviations"),
}
"""How well a network stands for the predictors that it was distilled from."""


def distil_predictor(
    surrogate: PredictedSurrogate,
    space: Product,
    units: Mapping[str, str],
    path: str | Path,
    fidelity: str | Path,
    seed: int = 0,
) -> DistilledPredictor:
    """Train a network that stands for the recommended predictors in a space, and write it.

    Args:
        surrogate: The surrogate of a design problem with the predictors.
        space: The space.
        units: Unit of each quantity.
        path: Safetensors file to write.
        fidelity: Table to write, `FIDELITY`.
        seed: Seed of the random materials and of the training.

    Raises:
        InputError: As `SpacePredictor.predict` and `check_model_inputs`, or a material has no prediction.
    """
    check_model_inputs(space, surrogate.inputs)
    x = np.unique(space.canonical(space.sample(DRAWS, seed)), axis=0)
    # In a random order the first ones, which are held out, are a random draw.
    x = np.random.default_rng(seed).permutation(x)
    with torch.no_grad():
        stated = surrogate.predictor(torch.from_numpy(x))
    defined = np.isfinite(np.column_stack([mean.numpy() for mean, _ in stated.values()])).all(axis=1)
    predicted = {name: (mean.numpy()[defined], std.numpy()[defined]) for name, (mean, std) in stated.items()}
    x = x[defined]
    student = distil(x, predicted, partial(read_features, maps=surrogate.maps), seed)
    student.save(path)
    rows = [(name, units.get(name, ""), *vars(value).values()) for name, value in student.fidelity.items()]
    tables.write(
        fidelity, pd.DataFrame(rows, columns=list(FIDELITY)), FIDELITY, {"draws": DRAWS, "seed": seed}
    )
    return student
