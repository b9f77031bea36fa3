"""Training in chunks."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch

from nestmat.models.specification import Head, Training
from nestmat.training.chunks import chunk_members, train_members
from support.member_rows import members, model, scale


@pytest.mark.parametrize(
    "training",
    [
        Training(epochs=20, learning_rate=0.01, seeds=2),
        Training(epochs=4, batch_size=8, learning_rate=0.01, weight_decay=0.1, schedule="cosine"),
        Training(epochs=60, learning_rate=0.02, stop="early", patience=5, holdout=0.2),
    ],
)
def test_chunks_change_nothing_but_rounding_and_runs_repeat_to_the_bit(training):
    data = scale()
    heads = {"gap": Head(hidden=(8,), dropout=0.2), "descriptors": Head()}
    specification, found = model(training, heads=heads), members(data, seeds=2)
    together, _, history = train_members(specification, data, found)
    again, _, history_again = train_members(specification, data, found)
    assert torch.equal(together, again)
    pd.testing.assert_frame_equal(history, history_again)
    assert len(chunk_members(specification, data, found, 1)) == len(found)
    alone, _, _ = train_members(specification, data, found, budget=1)
    torch.testing.assert_close(together, alone, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("stop", ["last", "early"])
@pytest.mark.parametrize("batch_size", [None, 8])
def test_validation_rows_never_reach_the_weights(stop, batch_size):
    data = scale()
    found = members(data, seeds=1)
    one = found[np.flatnonzero(found.fold == 1)]
    out = one.validation[0]
    x = {name: np.where(out[:, None], 7.0 * value + 1, value) for name, value in data.x.items()}
    changed = replace(data, x=x, y={"gap": np.where(out, -99.0, data.y["gap"])})
    specification = model(Training(epochs=12, stop=stop, batch_size=batch_size, patience=3))
    first, _, curves = train_members(specification, data, one)
    second, _, others = train_members(specification, changed, one)
    assert torch.equal(first, second)
    train = curves["split"] == "train"
    np.testing.assert_array_equal(curves[train]["loss"], others[train]["loss"])
    assert not np.array_equal(curves[~train]["loss"], others[~train]["loss"])
