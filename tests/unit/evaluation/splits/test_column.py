"""Folds that a column states, of one scale and of a chain."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from nestmat import tables
from nestmat.config.splits import FOLDS_COLUMNS, Split, Strict
from nestmat.errors import InputError
from nestmat.evaluation.splits.base import ScaleRows
from nestmat.evaluation.splits.column import Column, order_folds
from nestmat.evaluation.splits.shared_column import SharedColumn


def rows_of(parts: list[str], materials: list[str] | None = None) -> ScaleRows:
    names = materials or [f"m{k}" for k in range(len(parts))]
    return ScaleRows(pd.DataFrame({"row_id": np.arange(len(parts)), "material": names, "part": parts}))


def test_a_fold_is_a_value_of_the_column():
    assert Column("part").divide(rows_of(["b", "a", "c", "a"]), 0).fold.tolist() == [1, 0, 2, 0]


def test_folds_with_numbers_are_ordered_by_them():
    assert order_folds([str(k) for k in (10, 9, 2, 10)]) == ["2", "9", "10"]


def test_one_material_may_be_in_two_folds_of_one_scale_but_not_of_a_chain():
    rows = rows_of(["a", "b", "c"], ["m", "m", "n"])
    assert Column("part").divide(rows, 0).fold.tolist() == [0, 1, 2]
    with pytest.raises(InputError, match="material m is in two folds, a and b"):
        SharedColumn("part").divide(rows, 0)


def test_scales_share_the_folds_of_their_materials():
    fine, coarse = rows_of(["0", "1", "2"]), rows_of(["2", "0", "1", "0"], ["m2", "m0", "m1", "x"])
    divisions = SharedColumn("part").divide_scales([fine, coarse], 0)
    assert [division.fold.tolist() for division in divisions] == [[0, 1, 2], [2, 0, 1, 0]]
    with pytest.raises(InputError, match="material m2 is in two folds"):
        SharedColumn("part").divide_scales([fine, rows_of(["0", "1", "2"], ["m2", "m1", "x"])], 0)


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        (["a", "a", "a"], "states one fold only"),
        (["a", "not stated", "b"], "does not state the fold of 1 rows"),
    ],
)
def test_a_column_that_states_no_folds_is_named(parts, message):
    with pytest.raises(InputError, match=f"column 'part'.*{message}"):
        Column("part").divide(rows_of(parts), 0)


def test_folds_that_one_scale_lacks_are_named():
    with pytest.raises(InputError, match=r"value 'c'.*no row of another"):
        SharedColumn("part").divide_scales([rows_of(["a", "b", "c"]), rows_of(["a", "b", "a"])], 0)


def test_strict_takes_its_folds_from_a_column_or_draws_them():
    strict = Strict(column="part")
    assert strict.split == Split(kind="shared_column", column="part")
    assert Strict.model_validate(strict.model_dump()) == strict
    assert Strict().build().fold_count == 5
    with pytest.raises(ValueError, match="have no use beside it"):
        Strict(column="part", folds=4)


@pytest.mark.parametrize("split", [Strict, Column, SharedColumn])
def test_a_column_does_not_have_a_name_of_the_table_of_folds(split):
    with pytest.raises(ValueError, match="nestmat uses itself"):
        split(column="fold")
    assert set(FOLDS_COLUMNS) == set(tables.FOLDS)
