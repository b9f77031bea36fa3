"""Targets that are classes or have weights: which they are, and whether models and baselines fit them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from nestmat.config.study import Study
from nestmat.data.registry import resolve
from nestmat.errors import InputError
from nestmat.models.specification import LOSS_FITS

CLASS_LOSSES = [loss for loss, fit in LOSS_FITS.items() if fit.classes]
"""Losses of heads that predict classes."""


def class_targets(study: Study, scale: str) -> dict[str, list[str]]:
    """Names of the classes of each target of a scale that has some.

    Args:
        study: The study.
        scale: Name of the scale.
    """
    config = study.scales[scale]
    if not config.targets:
        return {}
    columns = resolve(study.datasets[config.dataset]).columns
    classes = {target: columns[target].classes for target in config.targets if target in columns}
    return {target: names for target, names in classes.items() if names}


def number_targets(study: Study, scale: str) -> list[str]:
    """Targets of a scale that are numbers, not classes."""
    classes = class_targets(study, scale)
    return [target for target in study.scales[scale].targets if target not in classes]


def check_classes(study: Study, file: str | Path | None = None) -> None:
    """Check that heads and baselines fit the targets that are classes, and those that are numbers.

    Args:
        study: Validated configuration.
        file: The study's file, for messages.

    Raises:
        InputError: Naming the key of the study and what fits.
    """
    for name in study.scales:
        for key, value, message, remedy in _faults(study, name):
            raise InputError(message, file=file, key=f"scales.{name}.{key}", value=value, remedy=remedy)


def _faults(study: Study, scale: str) -> Iterator[tuple[str, str, str, str]]:
    config, classes = study.scales[scale], class_targets(study, scale)
    for key, model in config.models.items():
        for head, head_config in model.specification.heads.items():
            if head_config.fit.classes == (head in classes):
                continue
            yield (
                f"models.{key}.specification.heads.{head}.loss",
                head_config.loss,
                f"The target {head!r} {'has' if head in classes else 'has no'} classes, which this loss "
                "does not fit.",
                f"use {' or '.join(CLASS_LOSSES)}."
                if head in classes
                else "use another, or declare the column's classes.",
            )
    for key, baseline in config.baselines.items():
        for target in config.targets:
            is_class = target in classes
            if not baseline.registered.predicts(is_class):
                kinds = baseline.kinds().items()
                fitting = sorted(name for name, kind in kinds if kind.predicts(is_class))
                noun = "classes" if is_class else "numbers"
                yield (
                    f"baselines.{key}.kind",
                    baseline.kind,
                    f"The baseline {baseline.kind!r} does not predict {noun}, as target {target!r} holds.",
                    f"choose one of {', '.join(fitting)}.",
                )


def check_weighted_fits(study: Study, file: str | Path | None = None) -> None:
    """Check that weights are no inputs or targets, and that all models can let rows count more or less.

    Args:
        study: Validated configuration.
        file: The study's file, for messages.

    Raises:
        InputError: Naming the key of the study.
    """
    for name in study.scales:
        for key, value, message, remedy in _weight_faults(study, name):
            raise InputError(message, file=file, key=f"scales.{name}.{key}", value=value, remedy=remedy)


def _weight_faults(study: Study, scale: str) -> Iterator[tuple[str, str, str, str]]:
    config = study.scales[scale]
    spec = resolve(study.datasets[config.dataset])
    columns = set(spec.weight_columns.values())
    uses = {f"features.{name}": block.build().copied_columns for name, block in config.features.items()}
    for key, used in {**uses, "targets": config.targets}.items():
        for column in sorted(columns & set(used)):
            yield (
                key,
                column,
                f"The column {column!r} states how much rows count in training, and is used besides.",
                "take it out, or out of the keys weights and uncertainty of the data set.",
            )
    uncertain = [target for target in config.targets if target in spec.uncertainty_columns]
    for name, model in config.models.items():
        specification = model.specification
        if (target := next(iter(set(uncertain) & set(specification.heads)), None)) and not (
            specification.weighs_labels
        ):
            yield (
                f"models.{name}.specification.kind",
                specification.kind,
                f"A model of this kind does not weigh the labels of {target!r} by their uncertainties.",
                "use the kind autoencoder, or give the column one number as uncertainty, or none.",
            )
    for target in config.targets if spec.weights else uncertain:
        is_class = bool(spec.columns[target].classes)
        for name, baseline in config.baselines.items():
            if not baseline.build().weighs(is_class):
                yield (
                    f"baselines.{name}.kind",
                    baseline.kind,
                    f"A baseline of this kind does not weigh the rows of {target!r}.",
                    "take it out, or leave out the weights.",
                )
