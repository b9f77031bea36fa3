"""Metrics of designed materials."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
from scipy.stats import binomtest

from nestmat.design.metrics import assess, diversity, pair_distance, wilson_interval
from nestmat.search.problem import Target
from nestmat.search.spaces.alloys import Alloy
from nestmat.search.spaces.box import Box
from nestmat.search.spaces.factors import Interval
from nestmat.search.spaces.product import Product
from nestmat.search.spaces.simplex import Simplex
from support.alloy_search import ELEMENTS


def test_intervals_of_rates_are_wilsons():
    # Newcombe, Stat. Med. 17, 857 (1998), table I: method 3 for 81/263, 15/148, 0/20 and 1/29.
    for hits, n, low, high in (
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0, 0.1611),
        (1, 29, 0.0061, 0.1718),
    ):
        assert wilson_interval(hits, n) == pytest.approx((low, high), abs=5e-5)


@pytest.mark.parametrize("n", range(1, 300, 7))
def test_a_rate_lies_inside_its_interval(n):
    for hits in (0, 1, n):
        low, high = wilson_interval(hits, n)
        assert 0 <= low <= hits / n <= high <= 1


def test_diversity_is_the_mean_distance():
    space = Product([Simplex(["a", "b"], 4)])
    x = np.array([[1.0, 0.0], [0.0, 1.0]])
    assert diversity(x, space) == 1.0
    assert np.isnan(diversity(x[:1], space))


def test_the_distance_of_pairs_is_euclidean_between_unit_intervals():
    space = Box([Interval("a", 0, 10), Interval("b", -2, 2)], [])
    # Two materials are every pair: 1 of 10 and 2 of 4 apart.
    x = np.array([[3.0, 0.0], [4.0, 2.0]])
    assert pair_distance(x, space) == pytest.approx(np.hypot(0.2, 1.0))
    assert np.isnan(pair_distance(x[:1], space))


def test_samples_are_counted_from_the_first_to_the_hits():
    space = Box([Interval("a", 0, 1)], [])
    judged = pd.DataFrame({"method": "flow", "seed": [0, 0, 1], "a": [0.1, 0.2, 0.3], "novelty": 1.0})
    judged = judged.assign(domain="inside", hit=True, promised=[0.5, 0.7, 0.9])
    judged[["q.mean", "gp.q.mean"]] = [[1.0, 1.3], [1.0, 0.9], [1.0, 1.0]]
    judged["gp.hit"] = (judged["gp.q.mean"] - 1.0).abs() < 0.2
    judged["gp.distance"] = 0.0
    details = [json.dumps({"sampled": n, "inside": n - 2, "kept": kept}) for n, kept in ((10, 2), (20, 1))]
    runs = pd.DataFrame({"method": "flow", "seed": [0, 1], "details": details})
    target = Target("q", "value", 1.0, tolerance=0.2)
    found = assess(judged, runs, space, judges=["gp"], targets={target: "eV"}, windows={})
    told = dict(
        zip(zip(found["seed"], found["judge"], found["metric"], strict=True), found["value"], strict=True)
    )
    assert told[-1, "model", "inside"] == pytest.approx(26 / 30)
    assert told[0, "model", "kept"] == pytest.approx(2 / 10)
    assert told[-1, "all", "yield"] == pytest.approx(2 / 30)
    assert told[1, "all", "yield"] == pytest.approx(1 / 20)
    assert told[0, "gp", "error:q"] == pytest.approx(0.2)
    assert told[-1, "model", "promised"] == pytest.approx(0.7)


def test_the_yield_counts_what_was_kept_and_not_proposed():
    space = Box([Interval("a", 0, 1)], [])
    judged = pd.DataFrame({"method": "flow", "seed": 0, "a": [0.1, 0.2], "novelty": 1.0, "domain": "inside"})
    judged = judged.assign(hit=True, promised=1.0, **{"gp.hit": [True, False], "gp.distance": 0.0})
    judged[["q.mean", "gp.q.mean"]] = 1.0
    details = json.dumps({"sampled": 1000, "inside": 1000, "kept": 100})
    runs = pd.DataFrame({"method": "flow", "seed": [0], "details": details})
    target = Target("q", "value", 1.0)
    found = assess(judged, runs, space, judges=["gp"], targets={target: "eV"}, windows={})
    assert found.loc[(found["metric"] == "yield") & (found["seed"] == 0), "value"].item() == 0.05


@pytest.mark.parametrize("n", [1, 7, 100, 5000])
def test_intervals_are_those_of_scipy_to_the_digits_of_their_quantile(n):
    for hits in {0, 1, n // 3, n}:
        expected = binomtest(hits, n).proportion_ci(confidence_level=0.95, method="wilson")
        assert wilson_interval(hits, n) == pytest.approx((expected.low, expected.high), abs=5e-8)


def judged_alloys() -> pd.DataFrame:
    """A nearly pure alloy, one of five elements with a trace of a sixth, one of three."""
    rows = pd.DataFrame(0.0, index=range(3), columns=ELEMENTS)
    rows.loc[0, ["Al", "Co"]] = [0.95, 0.05]
    rows.loc[1, ELEMENTS[:6]] = [0.2, 0.2, 0.2, 0.2, 0.17, 0.03]
    rows.loc[2, ELEMENTS[:3]] = [0.3, 0.3, 0.4]
    rows = rows.assign(method="inversion", seed=[0, 0, 1], novelty=1.0, promised=1.0)
    rows = rows.assign(domain=["inside", "edge", "outside"], hit=True)
    rows[["q.mean", "trees.q.mean"]] = 1.0
    return rows.assign(**{"trees.hit": [True, True, False], "trees.distance": 0.0})


def measured(details) -> dict:
    runs = pd.DataFrame({"method": "inversion", "seed": [0, 1], "details": details})
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
    assert found[-1, "model", "in_domain"].value == pytest.approx(1 / 3)
    assert found[-1, "trees", "hit_new_in_domain"].value == pytest.approx(1 / 3)
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
