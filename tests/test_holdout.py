"""A holdout: test rows apart from the others, of which some hide their labels."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.model_selection import train_test_split

from nestmat import tables
from nestmat.commands.validate import members
from nestmat.config.scales import Scale
from nestmat.config.splits import Split
from nestmat.errors import InputError
from nestmat.evaluation.baselines import compare_baselines
from nestmat.evaluation.protocols import assign_folds, hold_out_rows
from nestmat.scales.joint import _parent_members
from nestmat.training.inner_folds import RowSplit
from nestmat.training.members import Members
from support.feature_tables import write_features

PUBLISHED = Split(kind="holdout", test=0.1, hidden=0.3, unused=0.2, seed=42)


def rows_of(n: int, formula: object = "Fe1Ni1") -> pd.DataFrame:
    return pd.DataFrame({"row_id": np.arange(n), "formula": formula, "material": formula, "y": 0.0})


def drawn(split: Split, frame: pd.DataFrame, seed: int) -> dict[str, set[int]]:
    fold, role, _ = hold_out_rows(frame, split, seed)
    test = fold == 0
    assert (role[test] == "labelled").all()
    assert (fold[~test] == -1).all()
    roles = ("labelled", "unlabelled", "unused")
    found = {name: set(np.flatnonzero((role == name) & ~test)) for name in roles}
    return {"test": set(np.flatnonzero(test)), **found}


def alloys(rng: np.random.Generator, n: int) -> list[str]:
    symbols = ["Fe", "Ni", "Cr", "Co", "Al", "Ti"]
    return [
        "".join(f"{e}{rng.integers(1, 4)}" for e in rng.choice(symbols, rng.integers(1, 5), replace=False))
        for _ in range(n)
    ]


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
    few = drawn(PUBLISHED.model_copy(update={"labelled": 0.25}), rows_of(n), seed)
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
        found = drawn(PUBLISHED.model_copy(update={"labelled": share}), frame, 3)
        if before:
            assert before["labelled"] < found["labelled"]
            assert before["test"] == found["test"]
            assert before["unused"] == found["unused"]
        before = found
    assert before["unlabelled"] == set()


def test_nothing_need_be_hidden():
    found = drawn(Split(kind="holdout", test=0.25), rows_of(40), 0)
    assert {name: len(rows) for name, rows in found.items()} == {
        "test": 10,
        "labelled": 30,
        "unlabelled": 0,
        "unused": 0,
    }


@given(st.integers(0, 10_000), st.integers(30, 120), st.sampled_from(["material", "elements"]))
@settings(max_examples=60, deadline=None)
def test_test_rows_share_nothing_that_is_kept_apart_with_any_other_row(seed, n, disjoint):
    formulas = alloys(np.random.default_rng(seed), n)
    frame = rows_of(n, formulas)
    split = PUBLISHED.model_copy(update={"disjoint": disjoint, "test": 0.2})
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
        hold_out_rows(rows_of(20, ""), PUBLISHED.model_copy(update={"disjoint": "elements"}), 0)


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
        hold_out_rows(rows_of(20), PUBLISHED.model_copy(update=changes), 0)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"folds": 3}, "A split needs folds, except"),
        ({"test": None}, "A split of kind holdout needs test"),
        ({"hidden": 0}, "The share unused is one of the hidden rows"),
        ({"kind": "kfold", "folds": 3, "test": None}, "hidden, unused, labelled and disjoint"),
    ],
)
def test_keys_that_make_no_holdout_are_named(changes, message):
    with pytest.raises(ValueError, match=message):
        Split.model_validate({**PUBLISHED.model_dump(), **changes})


@pytest.fixture
def assigned(tmp_path):
    """Features and folds of a scale with a holdout of two repeats."""
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"formula": alloys(rng, 120), "x": rng.normal(size=120)})
    frame["material"] = frame["formula"]
    frame["y"] = 2 * frame["x"] + rng.normal(0, 0.1, 120)

    def make(**changes):
        split = {**PUBLISHED.model_dump(), "repeats": [1], **changes}
        features = write_features(tmp_path / "s.parquet", frame, {"inputs": ["x"]}, ["y"])
        assign_folds({"s": features}, {"s": tmp_path / "f.parquet"}, {}, {"s": {"half": split}}, {"s": ["y"]})
        return features, tmp_path / "f.parquet"

    return make


def test_members_see_each_row_as_its_role_says(assigned):
    features, folds = assigned()
    table, row_id = tables.read(folds, protocol="half"), tables.read(features)["row_id"].to_numpy()
    found = Members.build(table, row_id, seeds=2, inner_folds=3, outer_folds=1)
    assert sorted(zip(found.repeat[::2], found.fold[::2], found.inner[::2], strict=True)) == sorted(
        [(r, f, k) for r, f in ((0, -1), (0, 0), (1, 0)) for k in range(-1, 3)]
    )
    for i in range(len(found)):
        part = table[table["repeat"] == found.repeat[i]].set_index("row_id").loc[row_id]
        train, held, hidden = found.train[i], found.validation[i], found.unlabelled[i]
        assert not (train & held).any()
        assert not ((train | held) & hidden).any()
        if found.fold[i] == -1:
            assert not hidden.any()
            assert (train | held).all()
            continue
        assert (hidden == (part["role"] == "unlabelled")).all()
        inside = (part["fold"] == -1) & (part["role"] == "labelled")
        if found.inner[i] == -1:
            assert (train == inside).all()
            assert (held == (part["fold"] == 0)).all()
        else:
            assert ((train | held) == inside).all()
    inner = (found.inner >= 0) & (found.fold == 0) & (found.seed == 0) & (found.repeat == 1)
    labelled = found.train[(found.inner == -1) & (found.fold == 0) & (found.repeat == 1)][0]
    assert (found.validation[inner].sum(axis=0) == labelled).all()


@pytest.mark.parametrize("disjoint", ["material", "elements"])
def test_inner_folds_keep_together_what_the_test_rows_have_apart(assigned, disjoint):
    features, folds = assigned(disjoint=disjoint)
    frame = tables.read(features)
    division = RowSplit.of(tables.read(folds, protocol="half"), 0, frame["row_id"].to_numpy())
    inner, count = division.inner(0, 4, 1)
    keys = frame["formula"]
    if disjoint == "elements":
        keys = keys.map(lambda f: " ".join(sorted(re.findall("[A-Z][a-z]?", f))))
    labelled = inner >= 0
    assert count == 4
    assert (labelled == division.train(0)).all()
    assert set(inner[labelled]) == {0, 1, 2, 3}
    assert pd.Series(inner[labelled]).groupby(keys[labelled].to_numpy()).nunique().eq(1).all()


def test_more_inner_folds_than_groups_are_refused(assigned):
    _, folds = assigned(labelled=0.03)
    division = RowSplit.of(tables.read(folds, protocol="half"), 0, np.arange(120))
    with pytest.raises(InputError, match="groups of training rows are too few for 5 inner folds"):
        division.inner(0, 5, 1)


def test_the_parent_of_a_joint_training_hides_its_labels_too(assigned):
    features, folds = assigned()
    row_id = tables.read(features)["row_id"].to_numpy()
    table = tables.read(folds, protocol="half")
    child = Members.build(table, row_id, seeds=1)
    theirs = _parent_members(table, row_id, child)
    for name in ("train", "validation", "unlabelled"):
        np.testing.assert_array_equal(getattr(theirs, name), getattr(child, name))
    unknown = _parent_members(table.iloc[:0], row_id, child)
    assert unknown.train.all()
    assert not (unknown.validation | unknown.unlabelled).any()


def test_baselines_neither_train_nor_are_measured_on_hidden_rows(assigned, tmp_path):
    features, folds = assigned()
    found = compare_baselines(
        features,
        folds,
        "half",
        {"ridge": {"kind": "ridge", "inputs": ["inputs"]}},
        tmp_path / "p.parquet",
        stacked=["ridge"],
        inner_folds=3,
    )
    roles = tables.read(folds, protocol="half", repeat=1).set_index("row_id")
    mine = found[(found["repeat"] == 1) & (found["fold"] == 0)]
    seen = {split: set(rows["row_id"]) for split, rows in mine.groupby("split")}
    assert seen["validation"] == set(roles.index[roles["fold"] == 0])
    labelled = set(roles.index[(roles["fold"] == -1) & (roles["role"] == "labelled")])
    assert seen["train"] == seen["inner"] == labelled
    assert (mine["std"] > 0).all()


def test_the_members_that_a_study_announces_are_those_it_trains(assigned):
    features, folds = assigned()
    table, row_id = tables.read(folds, protocol="half"), tables.read(features)["row_id"].to_numpy()
    for inner in (0, 3):
        split = PUBLISHED.model_copy(update={"repeats": [1]})
        built = Members.build(table, row_id, seeds=2, inner_folds=inner, outer_folds=1)
        assert members(Scale.model_construct(), split, 2, inner, None) == len(built)
