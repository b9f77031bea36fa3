"""The figure of a patch of the latents."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd

from nestmat.design.candidates import RUNS
from nestmat.figures.problems import scans
from support.phase_problem import (
    PHASE_LABELS,
    phase_runs,
)


def test_a_patch_shows_each_alloy_where_it_is_decoded(phase_results):
    svg = (phase_results / "figures" / "alloys" / "scan.svg").read_text(encoding="utf-8")
    figure = scans.draw({"runs": phase_runs()[lambda rows: rows["method"] == "scan"]}, PHASE_LABELS)
    ax, bar = figure.axes
    assert bar.get_ylabel() == "Predicted probability of single phase"
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("z$_{0}$", "z$_{2}$")
    told = {text.get_position(): text.get_text() for text in ax.texts}
    assert told == {
        (0, 0): "Mo30 Nb35\nV35\n0.98",
        (1, 0): "Cr20 Fe25\nMn20 Ni35\n0.55",
        (0, 1): "Hf35 Nb30\nTa35\n0.90",
        (1, 1): "Al35 Co30\nNi35\n0.04",
    }
    assert ax.images[0].get_array().tolist() == [[0.98, 0.55], [0.9, 0.04]]
    assert ax.images[0].get_clim() == (0, 1)
    assert "<svg" in svg


def test_a_fine_patch_is_colours_alone():
    size = scans.MOST_WRITTEN + 1
    grid = np.linspace(-1, 1, size)
    patch = {
        "first": np.repeat(grid, size).tolist(),
        "second": np.tile(grid, size).tolist(),
        "formula": ["Al30Co35Ni35"] * size**2,
        "predicted": np.linspace(0, 1, size**2).tolist(),
    }
    row = ("scan", 0, 1, json.dumps({"axes": [0, 1], "patch": patch}))
    figure = scans.draw({"runs": pd.DataFrame([row], columns=list(RUNS))}, PHASE_LABELS)
    assert not figure.axes[0].texts
