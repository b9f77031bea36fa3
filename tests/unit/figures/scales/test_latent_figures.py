"""Figures of the latents of a semi-supervised model."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from nestmat import tables
from nestmat.figures import style
from nestmat.figures.registry import FIGURES
from nestmat.labels.scales import Labels
from nestmat.labels.text import latent_symbol
from nestmat.paths import ROOT
from support.trained_alloys import SEEDS, labels


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


def test_the_beeswarm_says_which_side_is_which_class(trained, interpreted, shown):
    given = {"attributions": interpreted, "features": tables.read(trained / "alloys.parquet")}
    with style.sheet():
        figure = FIGURES["beeswarm"].draw(given, shown)
    ax = figure.axes[0]
    assert ax.get_title(loc="center") == "several ← → single"
    names = [label.get_text() for label in ax.get_yticklabels()]
    strength = interpreted.groupby("input")["value"].apply(lambda v: v.abs().mean()).sort_values()
    assert names == [name.capitalize() for name in strength.index if name != "shares"]
    assert "single" in ax.get_xlabel()


def test_latents_behind_z_are_called_y(shown):
    assert shown.latent("z2") == latent_symbol("z2")
    assert shown.latent("z3") == "y"


def test_the_shipped_study_has_the_figures_of_its_kind():
    from nestmat.config.loading import load_study
    from nestmat.figures.drawing import available

    study = load_study(ROOT / "resources/studies/dvae_hea.yaml")
    kinds = {kind for subject, kind in available(study) if subject == "phase"}
    assert {"latent_space", "families", "latent_errors", "beeswarm", "shapley"} <= kinds
    assert "maps" not in kinds
    other = load_study(ROOT / "resources/studies/nestedae_binding.yaml")
    assert not {kind for _, kind in available(other)} & {
        "latent_space",
        "families",
        "latent_errors",
        "beeswarm",
    }
