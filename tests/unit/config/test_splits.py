"""Splits of a scale: keys that do not go together, and the shared one."""

from __future__ import annotations

import pytest

from nestmat.config.splits import Split, Strict
from nestmat.evaluation.splits.shared import Shared
from support.holdouts import PUBLISHED_HOLDOUT


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"folds": 3}, "folds: "),
        ({"test": None}, "test: "),
        ({"hidden": 0}, "The share unused is one of the hidden rows"),
        ({"kind": "kfold", "folds": 3, "test": None}, "test: .*hidden: .*unused: "),
        ({"kind": "random"}, "There is no split 'random'"),
    ],
)
def test_keys_that_make_no_holdout_are_named(changes, message):
    with pytest.raises(ValueError, match=message):
        Split.model_validate({**PUBLISHED_HOLDOUT.model_dump(), **changes})


def test_strict_is_a_shared_split():
    assert Strict(folds=4, seed=1, repeats=[2]).build() == Shared(4, 1, (2,))
