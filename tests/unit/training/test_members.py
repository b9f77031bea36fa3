"""Members, their rows and their seeds."""

from __future__ import annotations

import numpy as np
import pytest

from nestmat import tables
from nestmat.errors import InputError
from nestmat.training.inner_folds import RowSplit, read_row_splits
from nestmat.training.members import Members, hold_out
from nestmat.training.scale_data import ParentLatents
from support.holdouts import assign_holdout
from support.member_rows import FOLDS, ROWS, folds, members, scale


def test_members_hold_every_fold_once_and_all_rows():
    data = scale()
    found = members(data, seeds=2, stacked=True, repeats=2)
    table = found.frame()
    assert not table.duplicated(["repeat", "fold", "inner", "seed"]).any()
    assert set(table.query("repeat == 0")["fold"]) == {-1, 0, 1, 2, 3}
    assert set(table.query("repeat == 1")["fold"]) == {0, 1, 2, 3}
    assert not (found.train & found.validation).any()
    whole = (found.fold == -1) & (found.inner == -1)
    assert found.train[whole].all()
    outer = found.validation[(found.inner == -1) & (found.repeat == 0) & (found.seed == 0)]
    assert (outer.sum(axis=0) == 1).all()
    inside = (found.inner >= 0) & (found.repeat == 0) & (found.seed == 0)
    assert inside.sum() == FOLDS * (FOLDS - 1) / 2
    assert (found.validation[inside].sum(axis=0) == FOLDS - 1).all()
    assert (found.train[inside] == ~found.validation[inside]).all()


@pytest.mark.parametrize("lacking", ["parent", "child"])
def test_no_parent_trains_on_what_its_child_holds_out(lacking):
    fold = np.tile(np.arange(FOLDS + 1), 6)
    labels = {name: fold[fold != 2] if name == lacking else fold for name in ("parent", "child")}
    found = {}
    for name, label in labels.items():
        role, inner = np.full(len(label), "labelled"), np.full(len(label), -1)
        found[name] = Members.build([RowSplit(0, label, role, inner, FOLDS + 1)], seeds=1, stacked=True)
    parent, child = found["parent"], found["child"]
    keys = np.stack([parent.repeat, parent.fold, parent.inner, parent.seed])
    read = ParentLatents(*keys, np.empty((len(parent), 1, 1))).of(
        child.repeat, child.fold, child.inner, child.seed
    )
    for member, theirs in enumerate(read):
        held_out = set(labels["child"][child.validation[member]])
        assert not held_out & set(labels["parent"][parent.train[theirs]])
    assert (child.inner[child.validation.any(axis=1)] >= 0).any()


def test_keys_belong_to_the_member_alone():
    data = scale()
    few, many = members(data, seeds=1), members(data, seeds=3, stacked=True)
    assert len(set(many.keys())) == len(many)
    shared = many.keys()[(many.seed == 0) & (many.inner == -1)]
    np.testing.assert_array_equal(few.keys(), shared)


def test_folds_that_lack_a_row_are_an_error():
    data = scale()
    with pytest.raises(InputError, match="lack row_id 100"):
        RowSplit.of(folds(data).iloc[1:], 0, data.row_id)
    with pytest.raises(InputError, match="no folds"):
        Members.build([], 1)


def test_a_pair_that_leaves_no_row_is_refused():
    fold = np.repeat([0, 1], 4)
    split = RowSplit(0, fold, np.full(8, "labelled"), np.full(8, -1), folds=4)
    with pytest.raises(InputError, match="No row is left to train on without those of fold 0 and of fold 1"):
        Members.build([split], seeds=1, stacked=True)


def test_holdout_keeps_groups_whole():
    data = scale()
    found = members(data)
    held = hold_out(found.train, data.group, 0.2, found.keys())
    for member in range(len(found)):
        assert not held[member][~found.train[member]].any()
        assert not set(data.group[held[member]]) & set(data.group[found.train[member] & ~held[member]])
        assert held[member].sum() / found.train[member].sum() == pytest.approx(0.2, abs=0.05)
    with pytest.raises(InputError, match="needs two or more of them"):
        hold_out(found.train, np.full(ROWS, "one"), 0.2, found.keys())


def test_members_see_each_row_as_its_role_says(tmp_path):
    features, folds = assign_holdout(tmp_path, inner_folds=3)
    table, row_id = tables.read(folds, protocol="half"), tables.read(features)["row_id"].to_numpy()
    found = Members.build(read_row_splits(folds, "half", row_id), seeds=2, stacked=True)
    assert sorted(zip(found.repeat[::2], found.fold[::2], found.inner[::2], strict=True)) == sorted(
        [(0, -1, -1), *((r, 0, k) for r in (0, 1) for k in range(-1, 5))]
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
    inner = (
        (found.inner >= 0) & (found.inner < 3) & (found.fold == 0) & (found.seed == 0) & (found.repeat == 1)
    )
    labelled = found.train[(found.inner == -1) & (found.fold == 0) & (found.repeat == 1)][0]
    assert (found.validation[inner].sum(axis=0) == labelled).all()
