"""Features of new rows for the scales of a chain."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import pandas as pd

from nestmat import tables
from nestmat.config.features import FeatureBlock
from nestmat.features.table import Featurized, TrainingFeatures, featurize

ROWS = 20_000
"""Rows that are featurized at once: the scales of a chain then find the formulas of these rows parsed."""


def featurize_chain(
    frame: pd.DataFrame,
    blocks: Mapping[str, Mapping[str, FeatureBlock]],
    features: Mapping[str, str | Path],
    *,
    schema: tables.Schema | None = None,
    source: str | Path | None = None,
) -> dict[str, Featurized]:
    """Features of new rows for each scale of a chain, as its models know them.

    Args:
        frame: Rows with ``row_id``, ``row``, ``formula``, ``material`` and columns of the scales.
        blocks: Feature blocks by scale.
        features: Features that the scale was trained on, by scale.
        schema: Units and descriptions of the frame's columns.
        source: File of the rows, for messages.

    Raises:
        InputError: As `nestmat.features.table.featurize`.
    """
    training = {name: TrainingFeatures.read(path) for name, path in features.items()}
    parts: dict[str, list[Featurized]] = {name: [] for name in features}
    for start in range(0, max(len(frame), 1), ROWS):
        rows = frame.iloc[start : start + ROWS]
        for name, of_scale in parts.items():
            of_scale.append(
                featurize(rows, blocks[name], training=training[name], schema=schema, source=source)
            )
    return {name: _join(of_scale) for name, of_scale in parts.items()}


def _join(parts: Sequence[Featurized]) -> Featurized:
    """Features of the rows of all parts, whose columns are the same."""
    first, *others = parts
    if not others:
        return first
    frame = pd.concat([part.frame for part in parts], ignore_index=True)
    rejects = pd.concat([part.rejects for part in parts], ignore_index=True)
    constant = [name for name in first.constant if frame[name].nunique() == 1]
    return replace(first, frame=frame, rejects=rejects, constant=constant)
