"""Folds that several scales share."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nestmat.errors import InputError
from nestmat.evaluation.splits.base import ScaleRows
from nestmat.evaluation.splits.shared import Shared, shared_folds

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


def test_materials_of_one_group_are_in_one_fold_of_every_scale():
    fine = pd.DataFrame(
        {"material": [f"m{k}" for k in range(60)], "paper": [f"p{k // 4}" for k in range(60)]}
    )
    # A material of two papers joins them, here at the coarser scale alone.
    coarse = pd.DataFrame({"material": ["m0", "m0", "m30"], "paper": ["p0", "p9", "p7"]})
    scales = [ScaleRows(fine), ScaleRows(coarse)]
    with pytest.raises(InputError, match="2 groups of materials that share no paper cannot make 5 folds"):
        Shared(folds=5, group="paper").divide_scales(scales, 0)
    folds = [division.fold for division in Shared(folds=2, group="paper").divide_scales(scales, 0)]
    rows = pd.concat([fine, coarse]).assign(fold=np.concatenate(folds))
    assert rows.groupby("paper")["fold"].nunique().eq(1).all()
    assert rows.groupby("material")["fold"].nunique().eq(1).all()
    assert rows[rows["paper"].isin(["p0", "p9"])]["fold"].nunique() == 1
