from __future__ import annotations

import re

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.model_selection import KFold, StratifiedKFold, train_test_split

from nestmat import tables
from nestmat.config.splits import Split
from nestmat.errors import InputError
from nestmat.evaluation.baselines import compare_baselines
from nestmat.evaluation.protocols import assign_folds, hold_out_rows, shared_folds, split_folds
from nestmat.training.inner_folds import count_folds, merged_inner_folds
from support.feature_tables import write_features
from support.holdouts import PUBLISHED_HOLDOUT, random_alloys, rows_of

chains = st.lists(
    st.lists(st.integers(0, 40).map("m{}".format), min_size=1, max_size=120), min_size=1, max_size=3
)


@given(chains, st.integers(2, 6), st.integers(0, 5))
@settings(max_examples=60, deadline=None)
def test_shared_folds_keep_a_material_in_one_fold_of_the_whole_chain(chain, folds, seed):
    found = shared_folds([np.array(scale) for scale in chain], folds, seed)
    rows = pd.DataFrame(
        {"material": np.concatenate([np.array(scale) for scale in chain]), "fold": np.concatenate(found)}
    )
    assert rows.groupby("material")["fold"].nunique().eq(1).all()
    assert rows["fold"].between(0, folds - 1).all()
    if rows["material"].nunique() >= folds:
        assert rows["fold"].nunique() == folds


@given(chains, st.integers(0, 5))
@settings(max_examples=30, deadline=None)
def test_shared_folds_do_not_depend_on_the_order_of_rows(chain, seed):
    rng = np.random.default_rng(seed)
    orders = [rng.permutation(len(scale)) for scale in chain]
    plain = shared_folds([np.array(scale) for scale in chain], 4, seed)
    shuffled = shared_folds(
        [np.array(scale)[order] for scale, order in zip(chain, orders, strict=True)], 4, seed
    )
    for folds, order, other in zip(plain, orders, shuffled, strict=True):
        np.testing.assert_array_equal(folds[order], other)


def test_shared_folds_are_even_in_every_scale():
    fine = np.array([f"m{i}" for i in range(358)])
    coarse = np.repeat([f"m{i}" for i in range(340, 370)], 8)
    folds = shared_folds([fine, coarse], 10, 0)
    assert np.ptp(np.bincount(folds[0], minlength=10)) <= 2
    np.testing.assert_array_equal(np.bincount(folds[1], minlength=10), np.full(10, 24))
    assert not np.array_equal(folds[0], shared_folds([fine, coarse], 10, 1)[0])


def test_shared_folds_fill_every_fold_beside_a_dominating_material():
    rows = np.array(["common"] * 500 + [f"rare {i}" for i in range(500)])
    counts = np.bincount(shared_folds([rows], 5, 0)[0], minlength=5)
    assert counts.max() == 500
    assert np.sort(counts)[:4].tolist() == [125] * 4


def frame_of(n: int = 60, seed: int = 0) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    return pd.DataFrame(
        {
            "row_id": np.arange(n),
            "material": [f"m{i % 17}" for i in range(n)],
            "group": [f"m{i % 17} {i % 3}" for i in range(n)],
            "solvent": [("DMSO", "DMF", "NMP")[i % 3] for i in range(n)],
            "y": rng.gamma(2.0, 1.0, n),
        }
    )


def test_stratified_folds_are_those_of_scikit_learn():
    frame = frame_of(200)
    split = Split(kind="stratified", folds=10, seed=42, quantiles=5)
    bins = np.digitize(frame["y"], np.quantile(frame["y"], [0.2, 0.4, 0.6, 0.8]))
    expected = np.empty(200)
    for k, (_, held) in enumerate(StratifiedKFold(10, shuffle=True, random_state=42).split(bins, bins)):
        expected[held] = k
    np.testing.assert_array_equal(split_folds(frame, split, "y", 42), expected)


def test_plain_folds_are_those_of_scikit_learn():
    found = split_folds(frame_of(), Split(kind="kfold", folds=5), None, 3)
    for k, (_, held) in enumerate(KFold(5, shuffle=True, random_state=3).split(np.zeros(60))):
        assert set(np.flatnonzero(found == k)) == set(held)


def test_grouped_folds_keep_groups_whole():
    frame = frame_of()
    folds = split_folds(frame, Split(kind="grouped", folds=4), None, 0)
    assert pd.Series(folds).groupby(frame["group"].to_numpy()).nunique().eq(1).all()
    assert np.ptp(np.bincount(folds)) <= 2


def test_leave_one_out_validates_one_level_a_fold():
    frame = frame_of()
    folds = split_folds(frame, Split(kind="leave_one_out", column="solvent"), None, 0)
    assert frame["solvent"].groupby(folds).unique().map(list).tolist() == [["DMF"], ["DMSO"], ["NMP"]]


@pytest.mark.parametrize(
    ("split", "message"),
    [
        (Split(kind="leave_one_out", column="phase"), "no column 'phase'"),
        (Split(kind="grouped", folds=99), "51 groups cannot make 99 folds"),
        (Split(kind="kfold", folds=99), "60 rows cannot make 99 folds"),
        (Split(kind="stratified", folds=9, quantiles=10), "too few for 9 folds"),
    ],
)
def test_impossible_splits_are_named(split, message):
    with pytest.raises(InputError, match=message):
        split_folds(frame_of(), split, "y", 0)


@pytest.mark.parametrize("present", [[4, 2, 3, 1, 0], [4, 3, 1, 0], [4, 2, 1, 0], [0, 1, 2, 3]])
def test_scales_that_share_the_outer_folds_share_the_inner_ones(present):
    of_parent, of_child = np.repeat([0, 1, 2, 3, 4], [9, 2, 4, 4, 7]), np.repeat(present, 3)
    for fold in range(-1, 5):
        theirs, ours = (
            merged_inner_folds(o, repeat=1, fold=fold, folds=3, outer_folds=5) for o in (of_parent, of_child)
        )
        for outer in present:
            assert set(theirs[of_parent == outer]) == set(ours[of_child == outer])
        assert set(theirs) - {-1} == {0, 1, 2}


def test_folds_are_those_of_the_protocol_where_a_scale_lacks_one(tmp_path):
    frame = pd.DataFrame({"material": [f"m{i}" for i in range(12)], "x": 1.0, "y": np.arange(12.0)})
    frame["kind"] = ["a", "b", "c"] * 4
    features = {"s": write_features(tmp_path / "s.parquet", frame, {"inputs": ["x"]}, ["y"])}
    folds = {"s": tmp_path / "f.parquet"}
    splits = {
        "s": {"plain": {"kind": "kfold", "folds": 6}, "kind": {"kind": "leave_one_out", "column": "kind"}}
    }
    assign_folds(features, folds, {"folds": 5}, splits, {"s": ["y"]})
    assert {name: count_folds(folds["s"], name) for name in ("strict", "plain", "kind")} == {
        "strict": 5,
        "plain": 6,
        "kind": 3,
    }
    with pytest.raises(InputError, match="how many folds protocol 'other' has"):
        count_folds(folds["s"], "other")


def test_inner_folds_divide_the_training_rows_by_whole_outer_folds():
    outer = np.repeat([-1, 0, 1, 2, 3, 4, 5], 10)
    found = merged_inner_folds(outer, repeat=0, fold=2, folds=4, outer_folds=6)
    assert (found[(outer == 2) | (outer == -1)] == -1).all()
    inside = (outer >= 0) & (outer != 2)
    assert set(found[inside]) == {0, 1, 2, 3}
    assert pd.Series(found[inside]).groupby(outer[inside]).nunique().eq(1).all()
    assert (merged_inner_folds(outer, repeat=0, fold=-1, folds=3, outer_folds=6)[outer >= 0] >= 0).all()


def test_two_outer_folds_have_no_inner_ones():
    with pytest.raises(InputError, match="too few to divide"):
        merged_inner_folds(np.array([0, 1, 0, 1]), repeat=0, fold=0, folds=3, outer_folds=2)


def test_assigned_folds_cover_every_row_once_and_match_along_the_chain(tmp_path):
    fine = pd.DataFrame(
        {"material": [f"m{i}" for i in range(40)], "x": np.arange(40.0), "y": np.arange(40.0)}
    )
    coarse = pd.DataFrame(
        {
            "material": np.repeat([f"m{i}" for i in range(30, 50)], 3),
            "x": np.arange(60.0),
            "y": np.arange(60.0) % 7,
            "solvent": ["DMSO", "DMF", "NMP"] * 20,
        }
    )
    features = {
        "fine": write_features(tmp_path / "fine.parquet", fine, {"inputs": ["x"]}, ["y"]),
        "coarse": write_features(tmp_path / "coarse.parquet", coarse, {"inputs": ["x"]}, ["y"]),
    }
    outputs = {scale: tmp_path / f"{scale}.folds.parquet" for scale in features}
    splits = {
        "fine": {
            "published": {"kind": "stratified", "folds": 5, "quantiles": 4, "seed": 42, "repeats": [1, 2]}
        },
        "coarse": {"solvent": {"kind": "leave_one_out", "column": "solvent"}},
    }
    targets = {"fine": ["y"], "coarse": ["y"]}
    found = assign_folds(features, outputs, {"folds": 5, "seed": 1, "repeats": [2]}, splits, targets)
    for scale, frame in found.items():
        pd.testing.assert_frame_equal(tables.read(outputs[scale]), frame)
        for _, part in frame.groupby(["protocol", "repeat"]):
            assert sorted(part["row_id"]) == list(range(len(tables.read(features[scale]))))
    assert found["fine"].groupby("protocol")["repeat"].nunique().to_dict() == {"strict": 2, "published": 3}
    assert found["coarse"].groupby("protocol")["repeat"].nunique().to_dict() == {"strict": 2, "solvent": 1}
    strict = pd.concat(found.values()).query("protocol == 'strict'")
    assert strict.groupby(["repeat", "material"])["fold"].nunique().eq(1).all()


def test_a_shared_split_keeps_a_material_in_one_fold_of_the_scales_that_have_it(tmp_path):
    frames = {
        name: pd.DataFrame({"material": [f"m{i % n}" for i in range(40)], "x": 1.0, "y": np.arange(40.0)})
        for name, n in (("fine", 20), ("coarse", 8), ("other", 8))
    }
    features = {
        k: write_features(tmp_path / f"{k}.parquet", f, {"b": ["x"]}, ["y"]) for k, f in frames.items()
    }
    halves = {"halves": {"kind": "shared", "folds": 2, "seed": 3}}
    found = assign_folds(
        features,
        {name: tmp_path / f"{name}.folds.parquet" for name in frames},
        {"folds": 4},
        {"fine": halves, "coarse": halves},
        {key: ["y"] for key in frames},
    )
    assert set(found["other"]["protocol"]) == {"strict"}
    both = pd.concat([found["fine"], found["coarse"]]).query("protocol == 'halves'")
    assert len(both) == 80
    assert set(both["fold"]) == {0, 1}
    assert both.groupby("material")["fold"].nunique().eq(1).all()


def test_too_few_materials_for_the_shared_folds_are_named(tmp_path):
    frame = pd.DataFrame({"material": ["a", "b", "a"], "x": 1.0, "y": 2.0})
    path = write_features(tmp_path / "s.parquet", frame, {"inputs": ["x"]}, ["y"])
    with pytest.raises(InputError, match="2 materials cannot make 5 folds of protocol"):
        assign_folds({"s": path}, {"s": tmp_path / "f.parquet"}, {"folds": 5}, {}, {"s": ["y"]})
    assert not (tmp_path / "f.parquet").exists()


def test_published_folds_give_the_published_errors(mirror, tmp_path):
    """Reference models of the NestedAE follow-up on its own folds: Ridge and Lasso 0.235 +- 0.028 eV."""
    data = pd.read_csv(mirror / "nestedae" / "perov_bandgaps_PBE.csv", encoding="utf-8-sig")
    columns = [name for name in data if name[:2] in ("A_", "B_", "X_")]
    frame = data[columns].astype(float).assign(material=data["Formula"], Gap=data["Gap"].astype(float))
    features = write_features(tmp_path / "gap.parquet", frame, {"descriptors": columns}, ["Gap"])
    folds = tmp_path / "gap.folds.parquet"
    split = {"kind": "stratified", "folds": 10, "quantiles": 10, "seed": 42, "published": True}
    assign_folds({"gap": features}, {"gap": folds}, {}, {"gap": {"published": split}}, {"gap": ["Gap"]})
    chosen = {
        kind: {"kind": kind, "inputs": ["descriptors"]} for kind in ("ridge", "lasso", "gaussian_process")
    }
    found = compare_baselines(features, folds, "published", chosen, tmp_path / "baselines.parquet")
    held = found[found["split"] == "validation"]
    errors = (held["true"] - held["mean"]).abs().groupby([held["model"], held["fold"]]).mean()
    mean, spread = errors.groupby("model").mean(), errors.groupby("model").std(ddof=0)
    assert mean[["ridge", "lasso"]].to_numpy() == pytest.approx(0.235, abs=0.002)
    assert spread[["ridge", "lasso"]].to_numpy() == pytest.approx(0.028, abs=0.002)
    assert mean["gaussian_process"] < 0.125


def drawn(split: Split, frame: pd.DataFrame, seed: int) -> dict[str, set[int]]:
    fold, role, _ = hold_out_rows(frame, split, seed)
    test = fold == 0
    assert (role[test] == "labelled").all()
    assert (fold[~test] == -1).all()
    roles = ("labelled", "unlabelled", "unused")
    found = {name: set(np.flatnonzero((role == name) & ~test)) for name in roles}
    return {"test": set(np.flatnonzero(test)), **found}


def test_the_published_split_comes_out_with_its_counts(mirror):
    path = mirror / "dvae_hea" / "HEA_top30_comps.csv"
    if not path.is_file():
        pytest.skip(f"needs {path.name} among the copies")
    data = pd.read_csv(path, comment="#").drop_duplicates("Alloys", ignore_index=True)
    found = drawn(PUBLISHED_HOLDOUT, rows_of(len(data)), 42)
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
    assert drawn(PUBLISHED_HOLDOUT, rows_of(n), seed) == {name: set(rows) for name, rows in parts.items()}
    pool = np.concatenate([labelled, unlabelled])
    few = drawn(PUBLISHED_HOLDOUT.model_copy(update={"labelled": 0.25}), rows_of(n), seed)
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
        found = drawn(PUBLISHED_HOLDOUT.model_copy(update={"labelled": share}), frame, 3)
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
def test_test_rows_share_no_group_with_other_rows(seed, n, disjoint):
    formulas = random_alloys(np.random.default_rng(seed), n)
    frame = rows_of(n, formulas)
    split = PUBLISHED_HOLDOUT.model_copy(update={"disjoint": disjoint, "test": 0.2})
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
        hold_out_rows(rows_of(20, ""), PUBLISHED_HOLDOUT.model_copy(update={"disjoint": "elements"}), 0)


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
        hold_out_rows(rows_of(20), PUBLISHED_HOLDOUT.model_copy(update=changes), 0)
