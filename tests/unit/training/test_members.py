"""Members, their rows and their seeds."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from nestmat import tables
from nestmat.errors import InputError
from nestmat.training.members import Members, hold_out
from nestmat.training.scale_data import ParentLatents
from support.holdouts import assign_holdout
from support.member_rows import FOLDS, ROWS, folds, members, scale


def test_members_hold_every_fold_once_and_all_rows():
    data = scale()
    found = members(data, seeds=2, inner=3, repeats=2)
    table = found.frame()
    assert not table.duplicated(["repeat", "fold", "inner", "seed"]).any()
    assert set(table.query("repeat == 0")["fold"]) == {-1, 0, 1, 2, 3}
    assert set(table.query("repeat == 1")["fold"]) == {0, 1, 2, 3}
    assert not (found.train & found.validation).any()
    whole = (found.fold == -1) & (found.inner == -1)
    assert found.train[whole].all()
    outer = found.validation[(found.inner == -1) & (found.repeat == 0) & (found.seed == 0)]
    assert (outer.sum(axis=0) == 1).all()
    inside = (found.inner >= 0) & (found.repeat == 0) & (found.seed == 0) & (found.fold == 1)
    left_out = found.validation[(found.inner == -1) & (found.fold == 1) & (found.repeat == 0)][0]
    assert (found.validation[inside].sum(axis=0) == ~left_out).all()
    assert not found.train[inside][:, left_out].any()


@pytest.mark.parametrize("lacking", ["parent", "child"])
def test_no_parent_trains_on_what_its_child_holds_out(lacking):
    fold = np.tile(np.arange(FOLDS + 1), 6)
    labels = {name: fold[fold != 2] if name == lacking else fold for name in ("parent", "child")}
    found = {
        name: Members.build(
            pd.DataFrame({"repeat": 0, "row_id": np.arange(len(label)), "fold": label}).assign(
                role="labelled", together=-1
            ),
            np.arange(len(label)),
            seeds=1,
            inner_folds=3,
            outer_folds=FOLDS + 1,
        )
        for name, label in labels.items()
    }
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
    few, many = members(data, seeds=1), members(data, seeds=3, inner=2)
    assert len(set(many.keys())) == len(many)
    shared = many.keys()[(many.seed == 0) & (many.inner == -1)]
    np.testing.assert_array_equal(few.keys(), shared)


def test_folds_that_lack_a_row_are_an_error():
    data = scale()
    with pytest.raises(InputError, match="lack row_id 100"):
        Members.build(folds(data).iloc[1:], data.row_id, 1)
    with pytest.raises(InputError, match="no folds"):
        Members.build(folds(data).iloc[:0], data.row_id, 1)


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
    features, folds = assign_holdout(tmp_path)
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
