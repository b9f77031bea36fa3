"""Holdouts, against scikit-learn and the counts of a publication."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.model_selection import train_test_split

from nestmat.errors import InputError
from nestmat.evaluation.splits.base import ScaleRows
from nestmat.evaluation.splits.holdout import Holdout
from support.holdouts import PUBLISHED_HOLDOUT, random_alloys, rows_of

PUBLISHED = PUBLISHED_HOLDOUT.build()


def drawn(split: Holdout, frame: pd.DataFrame, seed: int) -> dict[str, set[int]]:
    division = split.divide(ScaleRows(frame), seed)
    test, role = division.fold == 0, np.asarray(division.role)
    assert (role[test] == "labelled").all()
    assert (division.fold[~test] == -1).all()
    roles = ("labelled", "unlabelled", "unused")
    found = {name: set(np.flatnonzero((role == name) & ~test)) for name in roles}
    return {"test": set(np.flatnonzero(test)), **found}


def test_the_published_split_comes_out_with_its_counts(mirror):
    path = mirror / "dvae_hea" / "HEA_top30_comps.csv"
    if not path.is_file():
        pytest.skip(f"needs {path.name} among the copies")
    data = pd.read_csv(path, comment="#").drop_duplicates("Alloys", ignore_index=True)
    found = drawn(PUBLISHED, rows_of(len(data)), 42)
    counts = {name: data["Class"].iloc[sorted(rows)].value_counts().to_dict() for name, rows in found.items()}
    assert counts == {
        "test": {0: 69, 1: 69},
        "labelled": {0: 406, 1: 458},
        "unlabelled": {0: 153, 1: 143},
        "unused": {0: 35, 1: 40},
    }


@pytest.mark.parametrize("seed", range(25))
def test_a_holdout_is_the_chain_of_scikit_learn(seed):
    n = 200 + 17 * seed
    rest, test = train_test_split(np.arange(n), test_size=0.1, random_state=seed)
    labelled, hidden = train_test_split(rest, test_size=0.3, random_state=seed)
    unlabelled, unused = train_test_split(hidden, test_size=0.2, random_state=seed)
    parts = {"test": test, "labelled": labelled, "unlabelled": unlabelled, "unused": unused}
    assert drawn(PUBLISHED, rows_of(n), seed) == {name: set(rows) for name, rows in parts.items()}
    pool = np.concatenate([labelled, unlabelled])
    few = drawn(replace(PUBLISHED, labelled=0.25), rows_of(n), seed)
    cut = round(0.25 * len(pool))
    assert few == {
        "test": set(test),
        "labelled": set(pool[:cut]),
        "unlabelled": set(pool[cut:]),
        "unused": set(unused),
    }


def test_more_labels_keep_those_that_were_there_and_the_test_rows():
    frame, before = rows_of(300), None
    for share in (0.1, 0.25, 0.5, 0.745, 1.0):
        found = drawn(replace(PUBLISHED, labelled=share), frame, 3)
        if before:
            assert before["labelled"] < found["labelled"]
            assert before["test"] == found["test"]
            assert before["unused"] == found["unused"]
        before = found
    assert before["unlabelled"] == set()


def test_nothing_need_be_hidden():
    found = drawn(Holdout(0.25), rows_of(40), 0)
    assert {name: len(rows) for name, rows in found.items()} == {
        "test": 10,
        "labelled": 30,
        "unlabelled": 0,
        "unused": 0,
    }


@given(st.integers(0, 10_000), st.integers(30, 120), st.sampled_from(["material", "elements"]))
@settings(max_examples=60, deadline=None)
def test_test_rows_share_no_group_with_other_rows(seed, n, disjoint):
    formulas = random_alloys(np.random.default_rng(seed), n)
    frame = rows_of(n, formulas)
    split = replace(PUBLISHED, disjoint=disjoint, test=0.2)
    found = drawn(split, frame, seed)
    keys = formulas
    if disjoint == "elements":
        keys = [frozenset(re.findall("[A-Z][a-z]?", formula)) for formula in formulas]
    test = {keys[i] for i in found["test"]}
    assert not test & {keys[i] for i in range(n) if i not in found["test"]}
    assert sum(map(len, found.values())) == n
    assert len(found["test"]) >= 0.2 * n
    assert found == drawn(split, frame, seed)


def test_elements_need_a_formula():
    with pytest.raises(InputError, match="formula"):
        drawn(replace(PUBLISHED, disjoint="elements"), rows_of(20, ""), 0)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"labelled": 0.001}, "labelled rows are left"),
        ({"test": 0.999}, "cannot be divided by test"),
        ({"disjoint": "material"}, "1 groups of rows cannot be divided"),
    ],
)
def test_impossible_holdouts_are_named(changes, message):
    with pytest.raises(InputError, match=message):
        drawn(replace(PUBLISHED, **changes), rows_of(20), 0)
