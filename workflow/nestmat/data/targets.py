"""Targets that are classes or have weights: which they are, and whether models and baselines fit them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from nestmat.config.study import Study
from nestmat.data.registry import resolve
from nestmat.errors import InputError
from nestmat.models.keys import several_classes
from nestmat.models.specification import fitting_losses


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
        for key, value, message, remedy in (*_faults(study, name), *_unfit_uses(study, name)):
            raise InputError(message, file=file, key=f"scales.{name}.{key}", value=value, remedy=remedy)
    for key, value, message, remedy in _unfit_parts(study):
        raise InputError(message, file=file, key=key, value=value, remedy=remedy)


_TWO_AT_MOST = "use a target of two classes, such as one class against all others, or leave the key out."


def _unfit_uses(study: Study, scale: str) -> Iterator[tuple[str, str, str, str]]:
    """Parts of a scale that do not fit three classes and more."""
    config, targets = study.scales[scale], [*several_classes(class_targets(study, scale))]
    if not targets:
        return
    message = f"The target {targets[0]!r} has more than two classes, and this is for two at most."
    quantities = {q for names in several_classes(class_targets(study, scale)).values() for q in names}
    if clash := sorted(quantities & set(config.targets)):
        yield "targets", clash[0], "The target has the name of a class of another one.", "rename it."
    stated = {key: bool(getattr(config, key)) for key in ("compare", "strata", "sweep", "interpret")}
    stated["pool.target"] = config.pool is not None and config.pool.target in targets
    for key in (key for key, is_stated in stated.items() if is_stated):
        yield key, targets[0], message, _TWO_AT_MOST
    for name, model in config.models.items():
        specification = model.specification
        if set(targets) & set(specification.heads) and not specification.predicts_more_classes:
            key = f"models.{name}.specification.kind"
            yield key, specification.kind, message, "use the kind autoencoder, or a target of two classes."


def _unfit_parts(study: Study) -> Iterator[tuple[str, str, str, str]]:
    """Generative models and design problems that do not fit three classes and more."""
    several = {scale: several_classes(class_targets(study, scale)) for scale in study.scales}
    message = "A target of more than two classes is not designed for."
    for name, generator in study.generative.items():
        if generator.condition in several[generator.scale]:
            yield f"generative.{name}.condition", generator.condition, message, _TWO_AT_MOST
    for name, problem in study.search.items():
        for scale in study.lineage(problem.scale):
            if several[scale]:
                yield f"search.{name}.scale", scale, message, "let a scale without such a target predict."


def _faults(study: Study, scale: str) -> Iterator[tuple[str, str, str, str]]:
    config, classes = study.scales[scale], class_targets(study, scale)
    for key, model in config.models.items():
        for head, head_config in model.specification.heads.items():
            if head not in config.targets and head_config.loss not in fitting_losses(2):
                continue
            if head in config.targets and head_config.fit.fits_target(len(classes.get(head, ()))):
                continue
            yield (
                f"models.{key}.specification.heads.{head}.loss",
                head_config.loss,
                f"The target {head!r} has {len(classes.get(head, ())) or 'no'} classes, which this loss does "
                "not fit.",
                f"use {' or '.join(fitting_losses(len(classes[head])))}."
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
