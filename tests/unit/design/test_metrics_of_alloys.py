"""Metrics of candidates that are alloys."""

from __future__ import annotations

import json

import pandas as pd
import pytest

from nestmat.design.metrics import assess
from nestmat.search.problem import Target
from nestmat.search.spaces.alloys import Alloy
from nestmat.search.spaces.simplex import Simplex
from support.alloy_search import ELEMENTS


def judged_alloys() -> pd.DataFrame:
    """A nearly pure alloy, one of five elements with a trace of a sixth, one of three."""
    rows = pd.DataFrame(0.0, index=range(3), columns=ELEMENTS)
    rows.loc[0, ["Al", "Co"]] = [0.95, 0.05]
    rows.loc[1, ELEMENTS[:6]] = [0.2, 0.2, 0.2, 0.2, 0.17, 0.03]
    rows.loc[2, ELEMENTS[:3]] = [0.3, 0.3, 0.4]
    rows = rows.assign(method="inversion", seed=[0, 0, 1], novelty=1.0, in_domain=True, hit=True)
    rows[["q.mean", "trees.q.mean"]] = 1.0
    return rows.assign(**{"trees.hit": [True, True, False], "trees.distance": 0.0})


def measured(details) -> dict:
    runs = pd.DataFrame({"method": "inversion", "seed": [0, 1], "seconds": 1.0, "details": details})
    alloy_space = Alloy(Simplex(ELEMENTS, 100))
    target = Target("q", "maximise", enough=0.5)
    found = assess(judged_alloys(), runs, alloy_space, judges=["trees"], targets={target: ""}, windows={})
    keys = zip(found["seed"], found["judge"], found["metric"], strict=True)
    return dict(zip(keys, found[["value", "low", "high"]].to_records(index=False), strict=True))


def test_alloys_are_measured_by_their_elements():
    found = measured(["{}", "{}"])
    assert found[-1, "model", "pure"].value == pytest.approx(1 / 3)
    assert found[0, "model", "five_elements"].value == 0.5
    assert found[1, "model", "five_elements"].value == 0
    assert found[-1, "model", "elements"].value == pytest.approx((2 + 6 + 3) / 3)
    assert 0 < found[-1, "model", "pure"].low < 1 / 3 < found[-1, "model", "pure"].high < 1
    assert (-1, "model", "reached") not in found
    assert (-1, "model", "kept") not in found


def test_inversions_are_measured_by_what_they_reached():
    told = [
        {"started": 10, "reached": 4, "steps": 1.5, "moved": 0.2},
        {"started": 10, "reached": 1, "steps": 4.0, "moved": 0.7},
    ]
    found = measured([json.dumps(each) for each in told])
    assert found[-1, "model", "reached"].value == pytest.approx(5 / 20)
    assert found[-1, "model", "moved"].value == pytest.approx((4 * 0.2 + 0.7) / 5)
    assert found[-1, "model", "steps"].value == pytest.approx(2.0)
    assert found[1, "model", "reached"].value == pytest.approx(0.1)
    nothing = measured([json.dumps({"started": 10, "reached": 0})] * 2)
    assert nothing[-1, "model", "reached"].value == 0
    assert (-1, "model", "moved") not in nothing
