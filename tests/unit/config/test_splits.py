"""Splits of a scale: keys that do not go together."""

from __future__ import annotations

import pytest

from nestmat.config.splits import Split
from support.holdouts import PUBLISHED_HOLDOUT


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"folds": 3}, "A split needs folds, except"),
        ({"test": None}, "A split of kind holdout needs test"),
        ({"hidden": 0}, "The share unused is one of the hidden rows"),
        ({"kind": "kfold", "folds": 3, "test": None}, "hidden, unused, labelled and disjoint"),
    ],
)
def test_keys_that_make_no_holdout_are_named(changes, message):
    with pytest.raises(ValueError, match=message):
        Split.model_validate({**PUBLISHED_HOLDOUT.model_dump(), **changes})
