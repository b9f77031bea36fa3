"""Features of new rows for the scales of a chain."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pandas as pd

from nestmat import tables
from nestmat.config.features import FeatureBlock
from nestmat.features.table import Featurized, TrainingFeatures, featurize


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
    return {
        name: featurize(
            frame,
            blocks[name],
            training=TrainingFeatures.read(path),
            schema=schema,
            source=source,
        )
        for name, path in features.items()
    }
