"""Kinds of splits of one scale, against scikit-learn."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from sklearn.model_selection import KFold, StratifiedKFold

from nestmat.errors import InputError
from nestmat.evaluation.splits.base import ScaleRows, SplitKind
from nestmat.evaluation.splits.grouped import Grouped
from nestmat.evaluation.splits.kfold import RandomFolds
from nestmat.evaluation.splits.leave_one_out import LeaveOneOut
from nestmat.evaluation.splits.registry import SPLITS
from nestmat.evaluation.splits.stratified import Stratified


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


def folds_of(split: SplitKind, frame: pd.DataFrame, seed: int = 0) -> np.ndarray:
    return split.divide(ScaleRows(frame, "y"), seed).fold


def test_stratified_folds_are_those_of_scikit_learn():
    frame = frame_of(200)
    split = Stratified(folds=10, quantiles=5)
    bins = np.digitize(frame["y"], np.quantile(frame["y"], [0.2, 0.4, 0.6, 0.8]))
    expected = np.empty(200)
    for k, (_, held) in enumerate(StratifiedKFold(10, shuffle=True, random_state=42).split(bins, bins)):
        expected[held] = k
    np.testing.assert_array_equal(folds_of(split, frame, 42), expected)


def test_plain_folds_are_those_of_scikit_learn():
    found = folds_of(RandomFolds(5), frame_of(), 3)
    for k, (_, held) in enumerate(KFold(5, shuffle=True, random_state=3).split(np.zeros(60))):
        assert set(np.flatnonzero(found == k)) == set(held)


def test_grouped_folds_keep_groups_whole():
    frame = frame_of()
    folds = folds_of(Grouped(4), frame)
    assert pd.Series(folds).groupby(frame["group"].to_numpy()).nunique().eq(1).all()
    assert np.ptp(np.bincount(folds)) <= 2


def test_leave_one_out_validates_one_level_a_fold():
    frame = frame_of()
    folds = folds_of(LeaveOneOut("solvent"), frame)
    assert frame["solvent"].groupby(folds).unique().map(list).tolist() == [["DMF"], ["DMSO"], ["NMP"]]


@pytest.mark.parametrize(
    ("split", "message"),
    [
        (LeaveOneOut("phase"), "no column 'phase'"),
        (Grouped(99), "51 groups cannot make 99 folds"),
        (RandomFolds(99), "60 rows cannot make 99 folds"),
        (Stratified(9), "too few for 9 folds"),
    ],
)
def test_impossible_splits_are_named(split, message):
    with pytest.raises(InputError, match=message):
        folds_of(split, frame_of())


def test_every_kind_has_its_sentence():
    assert all(SPLITS[kind].sentence for kind in SPLITS)
