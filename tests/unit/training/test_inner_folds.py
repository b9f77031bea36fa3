"""Inner folds of the training rows."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd
import pytest

from nestmat import tables
from nestmat.errors import InputError
from nestmat.training.inner_folds import RowSplit
from support.holdouts import assign_holdout


@pytest.mark.parametrize("disjoint", ["material", "elements"])
def test_inner_folds_keep_together_what_the_test_rows_have_apart(tmp_path, disjoint):
    features, folds = assign_holdout(tmp_path, disjoint=disjoint)
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


def test_more_inner_folds_than_groups_are_refused(tmp_path):
    _, folds = assign_holdout(tmp_path, labelled=0.03)
    division = RowSplit.of(tables.read(folds, protocol="half"), 0, np.arange(120))
    with pytest.raises(InputError, match="groups of training rows are too few for 5 inner folds"):
        division.inner(0, 5, 1)
