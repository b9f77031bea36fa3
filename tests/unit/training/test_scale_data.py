"""Rows of a scale, and latents of its parents."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from nestmat.errors import InputError
from nestmat.training.scale_data import ParentLatents, ScaleData
from support.class_scale import CLASSES
from support.feature_tables import write_features


def test_a_block_made_of_columns_of_another_is_read(tmp_path):
    frame = pd.DataFrame({"material": list("abc"), "d0": [1.0, 2.0, 3.0], "d1": [0.0, 1.0, 0.0], "y": 1.0})
    path = write_features(tmp_path / "f.parquet", frame, {"all": ["d0", "d1"], "some": ["d1"]}, ["y"])
    data = ScaleData.read(path)
    assert data.columns == {"all": ["d0", "d1"], "some": ["d1"]}
    np.testing.assert_array_equal(data.x["some"][:, 0], frame["d1"])


def test_parent_members_are_matched_by_repeat_fold_inner_fold_and_seed():
    keys = [(0, -1, -1, 1), (0, -1, -1, 0), (0, 0, -1, 1), (0, 0, -1, 0), (0, 1, -1, 0), (0, 1, -1, 1)]
    keys += [(0, 0, 2, 0), (0, -1, 2, 0)]
    parent = ParentLatents(*np.array(keys).T, np.empty((8, 1, 1)))
    child = [(0, 0, -1, 0), (0, 1, -1, 1), (0, 0, -1, 3), (0, -1, -1, 0), (0, 7, -1, 0), (1, 0, -1, 1)]
    assert parent.of(*np.array(child).T).tolist() == [3, 5, 2, 1, 1, 0]
    # Of an inner fold; a fold that the parent does not know it cannot have seen in part either.
    child = [(0, 0, 2, 1), (0, -1, 2, 0), (0, 7, 2, 1)]
    assert parent.of(*np.array(child).T).tolist() == [6, 7, 0]
    for repeat, fold, inner, seed in [(0, 1, 2, 1), (0, 0, 1, 0), (0, -1, 0, 0)]:
        with pytest.raises(InputError, match=f"fold {fold}, none without {inner} too"):
            parent.of(*np.array([[repeat], [fold], [inner], [seed]]))
    with pytest.raises(InputError, match="no member for repeat 0, fold 5"):
        ParentLatents(*(np.array([2]),) * 4, np.empty((1, 1, 1))).of(*np.array([[0], [5], [-1], [0]]))


def test_a_parent_of_another_protocol_is_read_by_its_members_of_all_rows():
    keys = np.array([[0, -1, -1, 0], [0, -1, -1, 1]])
    parent = ParentLatents(*keys.T, np.empty((2, 1, 1)))
    children = np.array([[0, -1, -1, 0], [0, -1, 0, 1], [0, 3, -1, 1], [1, 2, 1, 0]])
    assert parent.of(*children.T).tolist() == [0, 1, 1, 0]


def test_the_classes_of_a_target_are_read_from_its_features(class_scale):
    data = ScaleData.read(class_scale[0])
    assert data.classes == {"phase": CLASSES}
    assert data.shapes.classes == {"phase": CLASSES}
    assert ScaleData.read(class_scale[0], targets=False).classes == {}
