"""Judges that learn: a model for every target, on features of its own and rows that the search never saw."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from nestmat import tables
from nestmat.config.features import FeatureBlock
from nestmat.design.judges.base import Judge, JudgedQuantities
from nestmat.errors import InputError
from nestmat.features.matminer_cache import CACHE
from nestmat.features.table import TrainingFeatures, featurize

if TYPE_CHECKING:
    from nestmat.design.problem import Design

Numbers = NDArray[np.float64]
Predict = Callable[[Numbers], tuple[Numbers, Numbers]]
"""Mean and standard deviation (n,) of a target at features (n, columns)."""


@dataclass(frozen=True)
class LearnedJudge(Judge):
    """A judge with a model for every target of the chain, each on its own rows and features.

    A subclass has `fit_target`.

    Attributes:
        features: Feature blocks, as those of a scale; a scale uses those whose columns its data set has.
    """

    can_be_searched: ClassVar[bool] = True

    features: dict[str, FeatureBlock] = field(metadata={"min_length": 1})

    @abstractmethod
    def fit_target(self, x: Numbers, y: Numbers, floor: float | None) -> Predict:
        """The model of one target.

        Args:
            x: Features, (n, columns).
            y: Values of the target, (n,).
            floor: Smallest value that the target can have, if it has one.
        """

    def fit(self, design: Design) -> TargetModels:
        """Models of every scale that predicts, trained on the rows that the fold of the members holds out.

        Raises:
            InputError: The fold holds no row out, or a block cannot be computed.
        """
        study, config, members = design.study, design.config, design.members
        model_keys = study.chain(config.scale, config.model, members.protocol)
        scales = {}
        for name in design.scales:
            heads = study.scales[name].models[model_keys[name].model].specification.heads
            floors = {
                target: heads[target].floor if target in heads else None
                for target in study.scales[name].targets
            }
            scales[name] = self._fit_scale(design, name, floors)
        return TargetModels(scales)

    def _fit_scale(self, design: Design, scale: str, floors: Mapping[str, float | None]) -> _ScaleModels:
        members, data = design.members, design.data[scale]
        rows = tables.read(
            members.folds[scale], columns=["row_id"], protocol=members.protocol, repeat=0, fold=members.fold
        )
        targets = tables.read(members.features[scale], columns=["row_id", *floors])
        targets = targets[targets["row_id"].isin(rows["row_id"])]
        if targets.empty:
            raise InputError(
                f"Fold {members.fold} of {members.protocol!r} holds no row out, on which judges could learn.",
                file=members.folds[scale],
            )
        materials = tables.read(data)
        materials = materials[materials["row_id"].isin(targets["row_id"])]
        blocks = {name: block for name, block in self.features.items() if _has_columns(materials, block)}
        featurized = featurize(materials, blocks, schema=tables.schema(data), source=data, cache=CACHE)
        merged = featurized.frame.merge(targets, on="row_id", validate="one_to_one")
        columns = [column for block in featurized.blocks.values() for column in block["columns"]]
        x = merged[columns].to_numpy(np.float64)
        models = {
            target: self.fit_target(x, merged[target].to_numpy(np.float64), floor)
            for target, floor in floors.items()
        }
        return _ScaleModels(blocks, featurized.for_training, columns, models)


@dataclass(frozen=True)
class TargetModels:
    """Models of every target of a chain.

    Attributes:
        scales: Models and features by scale.
    """

    scales: Mapping[str, _ScaleModels]

    def predict(self, table: pd.DataFrame, judged: Mapping[str, JudgedQuantities]) -> JudgedQuantities:
        """As `nestmat.design.judges.base.FittedJudge`; no other judge is needed.

        Raises:
            InputError: A feature of a material is not defined.
        """
        predicted: JudgedQuantities = {}
        for scale, fitted in self.scales.items():
            featurized = featurize(table, fitted.blocks, training=fitted.training, cache=CACHE)
            if not featurized.rejects.empty:
                first = featurized.rejects.iloc[0]
                raise InputError(
                    f"The judge of scale {scale!r} has no features of a material: {first['reason']}",
                    row=int(first["row"]),
                    column=first["column"],
                    value=first["value"],
                )
            x = featurized.frame[fitted.columns].to_numpy(np.float64)
            predicted |= {f"{scale}.{target}": model(x) for target, model in fitted.models.items()}
        return predicted


@dataclass(frozen=True)
class _ScaleModels:
    blocks: Mapping[str, FeatureBlock]
    training: TrainingFeatures
    columns: list[str]
    models: Mapping[str, Predict]


def _has_columns(materials: pd.DataFrame, block: FeatureBlock) -> bool:
    """Whether a data set has the columns that a block names; what follows from the formula always counts."""
    features = block.build()
    return {*features.number_columns, *features.category_columns} <= set(materials.columns)
