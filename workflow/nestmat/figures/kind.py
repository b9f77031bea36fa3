"""What the registry of figures knows about a kind of figure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from nestmat.config.study import Study
from nestmat.data.targets import class_targets, number_targets
from nestmat.models.keys import RECOMMENDED, ModelKey

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

TablePaths = dict[str, list[str]]


def always(study: Study, scale: str) -> bool:
    """Every scale that predicts something has this figure."""
    return bool(study.scales[scale].targets)


def numbers(study: Study, scale: str) -> bool:
    """Every scale that predicts a number, not a class, has this figure."""
    return bool(number_targets(study, scale))


def classes(study: Study, scale: str) -> bool:
    """Every scale that predicts a class has this figure."""
    return bool(class_targets(study, scale))


@dataclass(frozen=True)
class FigureKind:
    """A kind of figure.

    Attributes:
        title: Heading.
        caption: What the reader sees, in plain sentences, for the report.
        section: Section of the report that shows it, a key of `nestmat.report.registry.SECTIONS`.
        draw: Frames by name and labels to a figure; reads no file. Labels are `DesignLabels` for a problem.
        required_tables: Study and subject to the files it is drawn from, by name, relative to the study's
            results.
        available: Whether a subject of a study has it, from the configuration alone.
        filters: Rows to read of a table: column = value pairs by name of the table.
        subject: What it is a figure of: a scale, or a problem of inverse design.
    """

    title: str
    caption: str
    section: str
    draw: Callable[[Mapping[str, pd.DataFrame], Any], Figure]
    required_tables: Callable[[Study, str], TablePaths]
    available: Callable[[Study, str], bool] = always
    filters: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    subject: Literal["scale", "problem"] = "scale"


ENSEMBLE = {"split": "validation", "inner": -1, "seed": -1, "repeat": 0}
"""Predictions of the ensemble, in the first repeat, for the rows that its members did not see."""


REPEATED = {"split": "validation", "inner": -1, "seed": -1}
"""The same in every repeat."""
BOTH = {"inner": -1, "seed": -1}
"""Predictions of the ensemble, in every repeat, for the rows that its members saw as well."""


def headline(study: Study, scale: str) -> str:
    """The predictor whose errors are shown first: the recommended one, or else the first model."""
    config = study.scales[scale]
    return RECOMMENDED if config.recommended else next(iter(config.models))


def autoencoder(study: Study, scale: str) -> str:
    """The autoencoder that is shown with it: the one that is interpreted, or else the first."""
    config = study.scales[scale]
    return config.interpret.model if config.interpret else next(iter(config.models))


def conditional_model(study: Study, scale: str) -> ModelKey | None:
    """The interpreted model, where its targets are part of the latents."""
    interpret = study.scales[scale].interpret
    if interpret is None or not study.scales[scale].models[interpret.model].specification.conditional:
        return None
    return ModelKey(scale, interpret.protocol, interpret.model)


def features(scale: str) -> str:
    """Features and targets of a scale, with units."""
    return f"features/{scale}.parquet"


def predictions(study: Study, scale: str, model: str) -> list[str]:
    """Predictions of a model in each protocol that it runs in."""
    return [f"predictions/{scale}/{protocol}/{model}.parquet" for protocol in study.scales[scale].runs(model)]
