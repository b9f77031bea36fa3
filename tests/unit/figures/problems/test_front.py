"""The front of candidates that are best in two quantities."""

from __future__ import annotations

import pandas as pd

from nestmat.figures import style
from nestmat.figures.problems import front
from support.absorber_problem import labels_of


def test_what_stands_across_the_first_target():
    def across(**changes):
        labels = labels_of(**changes)
        return front.across(labels.study, "absorbers")

    pce, price = {"quantity": "efficiency.PCE", "goal": "maximise"}, {"quantity": "price", "goal": "minimise"}
    assert across() == "gap.Gap"
    assert across(constraints=[], targets=[pce, price]) == "price"
    assert across(constraints=[{"quantity": "price", "high": 3.0}]) == "price"
    assert across(constraints=[]) is None


def test_the_front_holds_the_hits_that_are_not_dominated():
    labels = labels_of(
        targets=[
            {"quantity": "efficiency.PCE", "goal": "maximise"},
            {"quantity": "price", "goal": "minimise"},
        ],
        constraints=[],
    )
    rows = pd.DataFrame({"efficiency.PCE.mean": [20.0, 18.0, 19.0, 15.0], "price.mean": [3.0, 1.0, 3.0, 2.0]})
    figure, axes = style.panels(1, 1, height=2)
    front._draw_front(axes[0, 0], rows, labels, "price", "efficiency.PCE")
    assert figure.axes
    [line] = axes[0, 0].lines
    assert line.get_xydata().tolist() == [[1.0, 18.0], [3.0, 20.0]]
