"""The figures of latents in one plane."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from nestmat import tables
from nestmat.figures import style
from nestmat.figures.registry import FIGURES
from nestmat.labels.scales import Labels
from support.trained_alloys import labels


def frames(folder: Path, **names: str) -> dict[str, pd.DataFrame]:
    return {key: tables.read(folder / f"{name}.parquet") for key, name in names.items()}


@pytest.fixture
def shown(trained) -> Labels:
    return labels(trained)


def test_latents_and_families_are_drawn_in_one_plane(trained, shown):
    latents = tables.read(trained / "latents.parquet", repeat=0, fold=0, seed=0)
    features = tables.read(trained / "alloys.parquet")
    with style.sheet():
        figure = FIGURES["latent_space"].draw({"latents": latents, "features": features}, shown)
        points = [len(part.get_offsets()) for ax in figure.axes for part in ax.collections]
        assert sum(points[:2]) == 40
        assert sum(points[2:]) == 15
        assert [ax.get_title(loc="left") for ax in figure.axes] == [
            "Labelled (40 rows)",
            "Left out (15 rows)",
        ]
        families = latents.iloc[:6].assign(family=["a", "a", "b", "b", "b", "c"])
        drawn = FIGURES["families"].draw({"latents": latents, "families": families}, shown)
    [ax] = drawn.axes
    assert [len(part.get_offsets()) for part in ax.collections] == [40, 2, 3, 1]
    # An alloy that is a labelled row lies on it.
    labelled = latents[latents["split"] == "train"].reset_index(drop=True)
    again = FIGURES["families"].draw({"latents": latents, "families": labelled.assign(family="all")}, shown)
    grey, dots = again.axes[0].collections
    np.testing.assert_allclose(grey.get_offsets(), dots.get_offsets())
