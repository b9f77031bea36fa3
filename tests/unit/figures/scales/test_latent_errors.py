"""The figure of the errors of latents."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from nestmat import tables
from nestmat.figures import style
from nestmat.figures.registry import FIGURES
from nestmat.labels.scales import Labels
from support.trained_alloys import SEEDS, labels


def frames(folder: Path, **names: str) -> dict[str, pd.DataFrame]:
    return {key: tables.read(folder / f"{name}.parquet") for key, name in names.items()}


@pytest.fixture
def shown(trained) -> Labels:
    return labels(trained)


def test_errors_are_counted_by_the_number_of_elements(trained, shown):
    given = frames(trained, errors="errors", predictions="predictions", features="alloys")
    given["errors"] = given["errors"][given["errors"]["split"] == "validation"]
    chosen = given["predictions"]
    given["predictions"] = chosen[(chosen["split"] == "validation") & (chosen["seed"] == -1)]
    with style.sheet():
        figure = FIGURES["latent_errors"].draw(given, shown)
    heights = [
        sum(part.get_height() for container in ax.containers for part in container) for ax in figure.axes
    ]
    # Stacked: the boxes of a bin add up.
    assert heights == [2 * 15 * SEEDS, 2 * 15, 2 * 15 * SEEDS]
    assert figure.legends[0].get_title().get_text() == "Elements of the material"
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["2", "3", "4"]
