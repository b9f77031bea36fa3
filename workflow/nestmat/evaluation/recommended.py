"""The recommended predictors along a chain, for rows that no scale was trained on."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from nestmat import tables
from nestmat.config.scales import Scale
from nestmat.config.study import Study
from nestmat.domains.domain import Domain
from nestmat.domains.standing import Standing
from nestmat.errors import InputError
from nestmat.evaluation.baseline_inputs import BaselineInputs
from nestmat.evaluation.baselines import predict_baseline
from nestmat.evaluation.fitted_baselines import Fits, read_fits
from nestmat.evaluation.parent_predictions import ParentPredictions
from nestmat.evaluation.stack import Combination, combinations_of
from nestmat.models.keys import predicted_quantities
from nestmat.scales.chain import predict_chain

MeansAndStds = dict[str, tuple[np.ndarray, np.ndarray]]
"""Mean and standard deviation, (n,) each, by quantity."""


@dataclass(frozen=True)
class RecommendedPredictor:
    """The recommended stack of a scale and of its ancestors, or the first model of one that recommends none.

    Attributes:
        study: The study, which has been run.
        results: Folder of its results.
        scale: The coarsest scale that is predicted.
        protocol: Protocol of the members; by default that of the predictor in use of each scale, whose
            members were trained on every row. In another the members left out the first fold.
        threads: Parts of the rows that a baseline predicts at once; by default one for each core.
    """

    study: Study
    results: Path
    scale: str
    protocol: str | None = None
    threads: int | None = None

    @property
    def scales(self) -> list[str]:
        """The scale and its ancestors, finer ones first."""
        return self.study.lineage(self.scale)

    def predict(self, features: Mapping[str, pd.DataFrame]) -> dict[str, MeansAndStds]:
        """Predictions of each quantity of the scales that have targets.

        Args:
            features: Features of each scale, one row a material, the same materials in ascending order of
                row_id for all.

        Returns:
            Means and standard deviations by scale and quantity. A scale without a stack lacks the targets
            that its first model has no head for.

        Raises:
            InputError: A result is missing, unreadable or of other options than those of the study.
        """
        predictions: dict[str, MeansAndStds] = {}
        for name in self._predicting:
            predictions[name] = self._predict_scale(name, features, self._parents(predictions))
        return predictions

    def blocks_read(self) -> dict[str, list[str]]:
        """Feature blocks of each scale that `predict` reads, in the order of the scale."""
        names: dict[str, set[str]] = {name: set() for name in self.scales}
        for name in self._predicting:
            scale = self._config(name)
            for member in scale.predictor:
                if member in scale.baselines:
                    names[name].update(scale.baselines[member].inputs)
                    continue
                for part, key in self.study.chain(name, member, self._protocol(name)).items():
                    specification = self._config(part).models[key.model].specification
                    names[part].update(specification.inputs)
        return {name: [key for key in self._config(name).features if key in names[name]] for name in names}

    @property
    def _predicting(self) -> list[str]:
        return [name for name in self.scales if self.study.scales[name].targets]

    def _features(self, name: str) -> Path:
        return self.results / "features" / f"{name}.parquet"

    def _fits(self, name: str) -> Path:
        return self.results / "models" / name / self._protocol(name) / "baselines.zip"

    def _stack(self, name: str) -> Path:
        return self.results / "predictions" / name / self._protocol(name) / "recommended.json"

    def _domain(self, name: str) -> Path:
        return self.results / "predictions" / name / self._protocol(name) / "recommended.domain.parquet"

    def _weights(self, name: str, model: str) -> dict[str, Path]:
        """Weights of a model and of those whose latents it reads, by scale, parents first."""
        keys = self.study.chain(name, model, self._protocol(name))
        return {scale: self.results / "models" / f"{key}.safetensors" for scale, key in keys.items()}

    def _config(self, name: str) -> Scale:
        return self.study.scales[name]

    def _protocol(self, name: str) -> str:
        return self.protocol or self._config(name).predictor_protocol

    def _fold(self, name: str) -> int:
        return self._config(name).kept_fold(self._protocol(name))

    @cached_property
    def _fits_by_scale(self) -> dict[str, Fits]:
        fits = {}
        for name in self._predicting:
            scale = self._config(name)
            kept = scale.kept_baselines(self._protocol(name))
            baselines = {key: scale.baselines[key] for key in kept}
            fits[name] = read_fits(self._fits(name), baselines) if baselines else {}
        return fits

    def _combinations(self, name: str) -> dict[str, Combination]:
        """Combination of the stack by quantity; none where no stack is recommended."""
        if not self._config(name).recommended:
            return {}
        file = self._stack(name)
        try:
            combinations = combinations_of(json.loads(file.read_text(encoding="utf-8")), self._fold(name))
        except OSError as error:
            raise InputError(
                f"The recommended stack cannot be read: {error.strerror}.",
                file=file,
                remedy="run the study to its report first.",
            ) from error
        if not combinations:
            raise InputError(
                f"The recommended stack has no weights of fold {self._fold(name)}, where {name} has no row.",
                file=file,
                remedy="give the split another seed or the scale more materials.",
            )
        return combinations

    @staticmethod
    def _parents(predictions: Mapping[str, MeansAndStds]) -> dict[str, ParentPredictions]:
        """Predicted means of finer scales, as baselines of coarser ones read them."""
        return {
            name: ParentPredictions.of_new_rows({key: mean for key, (mean, _) in quantities.items()})
            for name, quantities in predictions.items()
        }

    def _predict_scale(
        self, name: str, features: Mapping[str, pd.DataFrame], parents: Mapping[str, ParentPredictions]
    ) -> MeansAndStds:
        scale, by_member = self._config(name), self._predict_baselines(name, features[name], parents)
        for model in (member for member in scale.predictor if member in scale.models):
            predicted = predict_chain(self._weights(name, model), features, fold=self._fold(name))
            by_member[model] = predicted[name].targets
        combinations, members = self._combinations(name), scale.predictor
        standing = Standing.of(Domain.read(self._domain(name)), features[name]) if combinations else None
        schema, combined = tables.schema(self._features(name)), {}
        for target in scale.targets:
            quantities = predicted_quantities(target, schema[target].classes)
            # Without a stack, the first model need not have a head for every target.
            if not all(quantities[0] in predicted for predicted in by_member.values()):
                continue
            for quantity in quantities:
                means, stds = (np.column_stack([by_member[m][quantity][i] for m in members]) for i in (0, 1))
                combined[quantity] = (means[:, 0], stds[:, 0])
                if standing is not None:
                    combined[quantity] = combinations[quantity].apply(means, stds, standing)
        return combined

    def _predict_baselines(
        self, name: str, features: pd.DataFrame, parents: Mapping[str, ParentPredictions]
    ) -> dict[str, MeansAndStds]:
        fits = self._fits_by_scale[name]
        if not fits:
            return {}
        table = self._features(name)
        # Rows come in the order of their row_id, as they were read.
        inputs = replace(BaselineInputs.of(features, table), parents=parents)
        schema: dict[str, Any] = tables.schema(table)
        classes = {target: column.classes for target, column in schema.items() if column.classes}
        return {
            member: predict_baseline(
                self._config(name).baselines[member],
                fit,
                inputs,
                classes,
                threads=self.threads or len(os.sched_getaffinity(0)),
            )
            for member, fit in fits.items()
        }
