"""Batches of an epoch."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from nestmat.errors import InputError
from nestmat.models.specification import Head
from nestmat.training.batches import Rows, pack
from nestmat.training.chunks import train_members
from nestmat.training.scaling import fit_scalers
from support.member_rows import members, model, scale


def test_an_epoch_of_batches_holds_every_row_once():
    data = scale()
    found = members(data, seeds=1)
    rows = pack(model(), data, found, fit_scalers(model(), data, found), found.train, torch.device("cpu"))
    keys = torch.arange(len(found), dtype=torch.int32)
    seen = []
    for batch in rows.batches(7, keys, 1):
        valid = batch.weight > 0
        torch.testing.assert_close(
            batch.weight.sum(dim=1)[valid.any(dim=1)], torch.ones(valid.any(dim=1).sum())
        )
        seen.append(torch.where(valid, batch.targets["gap"][:, 0], torch.nan))
    together = torch.cat(seen, dim=1).numpy()
    for member in range(len(found)):
        expected = rows.targets["gap"][member, 0, : int(rows.count[member])].numpy()
        got = together[member][~np.isnan(together[member])]
        np.testing.assert_array_equal(np.sort(got), np.sort(expected))
        assert not np.array_equal(got, expected)
    again = [batch.inputs for batch in rows.batches(7, keys, 1)]
    other = [batch.inputs for batch in rows.batches(7, keys, 2)]
    assert not torch.equal(again[0], other[0])
    short = Rows(rows.inputs[:1], {}, rows.count[:1])
    first = next(iter(short.batches(7, keys[:1], 1))).inputs
    torch.testing.assert_close(first, again[0][:1])


def test_targets_below_a_floor_are_an_error():
    data = scale()
    specification = model(heads={"gap": Head(floor=float(np.median(data.y["gap"])))})
    with pytest.raises(InputError, match=r"The floor of .* is above its smallest value"):
        train_members(specification, data, members(data), device="cpu")
