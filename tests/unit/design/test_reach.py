"""What no candidate meets, and the nearest that can be had."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from nestmat.design.candidates import candidate_table
from nestmat.design.reach import ADVICE, describe_unmet, find_unmet
from nestmat.search.problem import Constraint, Target
from support.toy_search import problem

NAMES = {"gap": ("the gap", "eV"), "cost": ("the cost", "")}


def judged(**changes):
    """A problem and three candidates, with gaps of 0.2, 1 and 3 and costs of 0.09, 0.09 and 1.09."""
    asked = problem(**changes)
    x = np.array([[1.0, 0, 0, 0, 0.3], [0, 1.0, 0, 0, 0.3], [0, 0, 0, 1.0, 0.3]])
    return asked, candidate_table(asked, x, asked.evaluate(x)).assign(formula=["A", "B", "D"])


def sentences(**changes):
    asked, frame = judged(**changes)
    return describe_unmet(find_unmet(asked, frame), NAMES)


def test_nothing_is_said_where_a_candidate_is_a_hit():
    assert sentences(targets=[Target("gap", "maximise", enough=0.9)]) == []


def test_a_target_out_of_reach_is_told_with_the_nearest_that_keeps_the_constraints():
    told = sentences(
        targets=[Target("gap", "maximise", enough=3.5)], constraints=[Constraint("cost", high=0.2)]
    )
    first = "No candidate that keeps the constraints reaches the target for the gap of at least 3.5 eV: "
    assert told == [first + "the nearest, B, has 1 ± 0.05 eV.", ADVICE]
    assert (
        "1.95 to 2.05 eV: the nearest, D"
        in sentences(
            targets=[Target("gap", "value", 2.0, tolerance=0.05)], constraints=[Constraint("gap", low=1.5)]
        )[0]
    )


def test_without_constraints_none_are_told():
    told = sentences(targets=[Target("gap", "minimise", enough=0.1)], constraints=())
    assert told[0].startswith("No candidate reaches the target for the gap of at most 0.1 eV: the nearest, A")


def test_a_constraint_that_none_keeps_is_told_before_the_target():
    told = sentences(constraints=[Constraint("gap", low=4.0, sigmas=1.0), Constraint("cost", high=1.2)])
    bound = "at least 4 eV with 1 standard deviation to spare"
    assert (
        told[0]
        == f"No candidate keeps the constraint on the gap of {bound}: the nearest, D, has 3 ± 0.05 eV."
    )
    [of_std, _] = sentences(constraints=[Constraint("gap", high=0.01, of="std")])
    assert "the standard deviation of the gap of at most 0.01 eV: the nearest, A, has 0.05 eV." in of_std


def test_what_is_met_by_some_is_told_together():
    [told, _] = sentences(constraints=[Constraint("gap", low=2.0), Constraint("cost", high=0.7)])
    assert told == (
        "No candidate keeps all constraints at once: the nearest, D, has 1.09 of the cost, where at most 0.7 "
        "is asked for."
    )
    targets = [Target("gap", "range", 0.9, 1.1), Target("cost", "maximise", enough=1.0)]
    [told, _] = sentences(targets=targets, constraints=())
    assert told.startswith("No candidate reaches all targets at once: the nearest, ")


def test_a_quantity_without_a_value_is_said_to_have_none():
    asked, frame = judged(targets=[Target("gap", "maximise", enough=5.0)], constraints=())
    frame = frame.assign(**{"gap.mean": np.nan, "distance": np.nan, "hit": False})
    assert describe_unmet(find_unmet(asked, frame), NAMES)[0].endswith("it is not defined for any.")


@pytest.mark.parametrize("row", [0, 2])
def test_the_order_of_candidates_does_not_matter(row):
    asked, frame = judged(targets=[Target("gap", "maximise", enough=3.5)])
    rolled = pd.concat([frame.iloc[row:], frame.iloc[:row]])
    assert find_unmet(asked, rolled) == find_unmet(asked, frame)
