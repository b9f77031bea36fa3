"""Least numbers of rows and materials that protocols can divide."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from nestmat.errors import InputError
from nestmat.evaluation.training_rows import (
    TrainingUse,
    fewest_materials,
    require_training_rows,
    suitable_folds,
    without_bare_regions,
)
from nestmat.training.inner_folds import LABELLED, RowSplit

STACK = TrainingUse(True, {})
CLASSES = TrainingUse(True, {"y": ["metal", "insulator"]})


def _split(folds: list[int], **changes: object) -> RowSplit:
    fold = np.array(folds)
    plain = RowSplit(0, fold, np.full(len(fold), LABELLED), np.full(len(fold), -1), int(fold.max()) + 1)
    return replace(plain, **changes)


def _rows(y: list[float]) -> pd.DataFrame:
    return pd.DataFrame({"y": y, "material": [f"m{k}" for k in range(len(y))], "formula": "Fe"})


@pytest.mark.parametrize(
    ("folds", "use", "message"),
    [
        (
            [0, 1, 2, 3],
            STACK,
            "4 materials are too few: at least 5 are needed; without two of 4 folds 2 rows",
        ),
        ([0, 1, 2], STACK, "3 materials are too few: at least 5 are needed; too few are left beside a fold"),
        ([0, 1, 2], TrainingUse(False, {}), "at least 4 are needed; without a fold 2 rows are left"),
    ],
)
def test_too_few_materials_are_refused_with_the_number_that_is_enough(folds, use, message):
    with pytest.raises(InputError, match=message):
        require_training_rows(_split(folds), _rows([*map(float, folds)]), ["y"], use, "strict")


def test_rows_enough_are_accepted():
    require_training_rows(_split([0, 1, 2, 3, 4]), _rows([1.0, 2, 3, 4, 5]), ["y"], STACK, "strict")
    classes = [0.0, 1.0] * 10
    require_training_rows(_split([0, 1, 2, 3, 4] * 4), _rows(classes), ["y"], CLASSES, "strict")


def test_a_class_that_two_folds_hold_is_named():
    split = _split([0, 0, 1, 1, 2, 2, 3, 3, 4, 4])
    with pytest.raises(InputError, match=r"'insulator': .* of 3 materials: without a fold 1 of"):
        require_training_rows(split, _rows([1, 1, 1, 0, 0, 0, 0, 0, 0, 0]), ["y"], CLASSES, "strict")


def test_more_rows_a_material_need_fewer_materials():
    assert [fewest_materials(rows) for rows in (1, 3, 20)] == [5, 4, 4]
    assert suitable_folds(np.array([1, 1, 1, 1])) is None
    assert suitable_folds(np.full(3, 20)) is None


def test_regions_that_leave_too_few_rows_are_no_regions():
    regions = np.array([0b11, 0b01, 0b01, 0b01, 0, 0, 0])
    split = _split([0, 1, 2, 3, 4, 0, 1], region_count=5, regions=regions)
    [cleared] = without_bare_regions([split], [_rows([0.0] * 7)], [["y"]], [STACK])
    assert cleared.regions.tolist() == [0b10, 0, 0, 0, 0, 0, 0]
    assert cleared.region_count == 5
