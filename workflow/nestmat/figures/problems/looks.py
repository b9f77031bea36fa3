"""Colour and marker of each method of a design problem."""

from __future__ import annotations

from typing import Any

from nestmat.figures import style
from nestmat.labels.problems import DesignLabels

MARKERS = "os^Dv"


def method_looks(labels: DesignLabels) -> dict[str, dict[str, Any]]:
    """Colour and marker of each method and reference list, the same in every figure of the problem."""
    colours = len(style.CYCLE)
    looks: dict[str, dict[str, Any]] = {
        name: {
            "color": style.CYCLE[place % colours],
            "marker": MARKERS[place // colours % len(MARKERS)],
        }
        for place, name in enumerate(labels.problem_config.methods)
    }
    return looks | {
        "uniform": {"color": style.GREY, "marker": "."},
        "training": {"color": style.INK, "marker": "x"},
    }
