"""Inner folds of the training rows."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd
import pytest

from nestmat import tables
from nestmat.errors import InputError
from nestmat.training.inner_folds import (
    LABELLED,
    NEIGHBOURS,
    RowSplit,
    deal_inner_folds,
    inner_members,
    read_row_splits,
)
from support.holdouts import assign_holdout


@pytest.mark.parametrize("disjoint", ["material", "elements"])
def test_inner_folds_keep_together_what_the_test_rows_have_apart(tmp_path, disjoint):
    features, folds = assign_holdout(tmp_path, disjoint=disjoint)
    frame = tables.read(features)
    split = read_row_splits(folds, "half", frame["row_id"].to_numpy())[0]
    inner = np.where(split.train(0), split.inner, -1)
    keys = frame["formula"]
    if disjoint == "elements":
        keys = keys.map(lambda f: " ".join(sorted(re.findall("[A-Z][a-z]?", f))))
    labelled = inner >= 0
    assert split.inner_folds == 4
    assert (labelled == split.train(0)).all()
    assert set(inner[labelled]) == {0, 1, 2, 3}
    assert pd.Series(inner[labelled]).groupby(keys[labelled].to_numpy()).nunique().eq(1).all()


def test_more_inner_folds_than_groups_are_refused(tmp_path):
    _, folds = assign_holdout(tmp_path, labelled=0.03, inner_folds=5)
    [split, _] = read_row_splits(folds, "half", np.arange(120))
    assert split.inner_folds == 0
    assert (split.inner == -1).all()
    with pytest.raises(InputError, match="1 folds makes no pairs, and its rows are too few"):
        split.inner_members()


def row_split(fold: np.ndarray, folds: int, **more) -> RowSplit:
    labels = np.full(len(fold), LABELLED)
    return RowSplit(0, fold, labels, more.pop("inner", np.full(len(fold), -1)), folds, **more)


def test_a_pair_predicts_each_of_its_folds_for_the_stack_of_the_other():
    split = row_split(np.repeat(np.arange(5), 3), 5)
    read = {fold: [] for fold in range(5)}
    for member in split.inner_members():
        trained = split.train(*member)
        for (fold, inner), rows in split.held_out(*member).items():
            assert set(split.fold[rows]) == {inner}
            assert not (trained & (rows | split.validation(fold))).any()
            read[fold] += np.flatnonzero(rows).tolist()
    for fold, rows in read.items():
        assert sorted(rows) == np.flatnonzero(split.fold != fold).tolist()


def test_many_folds_make_pairs_of_neighbours_in_a_ring():
    members = inner_members(20, 0)
    assert len(members) == len(set(members)) == 20 * NEIGHBOURS
    partners = {fold: [pair for pair in members if fold in pair] for fold in range(20)}
    assert {len(pairs) for pairs in partners.values()} == {2 * NEIGHBOURS}
    assert len(inner_members(10, 0)) == 45


def test_inner_folds_deal_the_rows_of_two_halves():
    half, material = np.repeat([0, 1], 20), np.repeat(np.arange(20), 2)
    [inner] = deal_inner_folds([material], [half], 4, seed=0)
    assert pd.Series(inner).groupby(material).nunique().eq(1).all()
    split = row_split(half, 2, inner=inner, inner_folds=4)
    for fold in (0, 1):
        rows = [split.held_out(fold, k)[(fold, k)] for k in range(4)]
        assert (np.sum(rows, axis=0) == (half != fold)).all()
        for k, held_out in enumerate(rows):
            assert held_out.any()
            assert (split.train(fold, k) == (half != fold) & ~held_out).all()


def test_scales_that_share_halves_share_their_inner_folds():
    half = np.repeat([0, 1], [7, 9])
    coarse = np.array([15, 2, 3, 3, 11, 0])
    fine_inner, coarse_inner = deal_inner_folds([np.arange(16), coarse], [half, half[coarse]], 3, seed=1)
    np.testing.assert_array_equal(fine_inner[coarse], coarse_inner)
    assert deal_inner_folds([np.arange(4)], [np.array([0, 1, 1, 1])], 3, seed=1) is None
