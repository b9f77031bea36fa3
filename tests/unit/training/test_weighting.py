"""Weights of rows in the losses of members."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from nestmat.errors import InputError
from nestmat.models.base import certainty_of
from nestmat.training.batches import pack
from nestmat.training.chunks import train_members
from nestmat.training.scaling import fit_scalers
from nestmat.training.weighting import Weighting, certainty, require_weights
from support.member_rows import members, model, scale


def packed(data):
    part = members(data, seeds=1)
    return part, pack(model(), data, part, fit_scalers(model(), data, part), part.train, torch.device("cpu"))


@pytest.mark.parametrize("size", [None, 7])
def test_shares_of_a_batch_follow_the_weights(size):
    data = scale()
    data = replace(data, weights=np.random.default_rng(0).uniform(0, 2, len(data)))
    part, rows = packed(data)
    for batch in rows.batches(size, torch.arange(len(part), dtype=torch.int32), 1):
        filled = batch.weight.sum(dim=1) > 0
        torch.testing.assert_close(batch.weight.sum(dim=1)[filled], torch.ones(int(filled.sum())))
    full = rows.full_batch().weight
    for member, trained in enumerate(part.train):
        expected = data.weights[trained] / data.weights[trained].sum()
        np.testing.assert_allclose(full[member, : trained.sum()], expected, rtol=1e-5)


def test_a_weight_counts_as_repeated_rows():
    data = scale()
    rows = np.arange(len(data))
    twice = np.concatenate([rows, rows[::3]])
    weights = np.where(rows % 3 == 0, 2.0, 1.0)
    network = model().network(data.shapes, [1])

    def loss(some, weights=None):
        index = {name: values[some] for name, values in data.x.items()}
        part = replace(
            data,
            row_id=some,
            material=data.material[some],
            group=data.group[some],
            x=index,
            y={"gap": data.y["gap"][some]},
            weights=weights,
        )
        one = members(data, seeds=1)[np.array([0])]
        scalers = fit_scalers(model(), data, one)
        all_rows = np.ones((1, len(some)), dtype=bool)
        batch = pack(model(), part, one, scalers, all_rows, torch.device("cpu")).full_batch()
        return {name: value.item() for name, value in network.loss(batch).items()}

    assert loss(rows, weights) == pytest.approx(loss(twice), rel=1e-5)


def test_uncertain_labels_count_less_for_their_head_alone():
    data = scale()
    uncertainty = np.where(np.arange(len(data)) % 2, 0.1, 10.0)
    data = replace(data, uncertainties={"gap": uncertainty})
    part, rows = packed(data)
    certainties = rows.full_batch().targets[certainty_of("gap")]
    trained = part.train[0]
    typical = np.median(uncertainty[trained])
    expected = 1 / (1 + (uncertainty[trained] / typical) ** 2)
    np.testing.assert_allclose(certainties[0, 0, : trained.sum()], expected, rtol=1e-5)
    assert rows.weights is None


def test_rows_without_weight_change_no_member():
    data = scale()
    rng = np.random.default_rng(1)
    weights = rng.integers(0, 2, len(data)).astype(float)
    spoiled = {"gap": np.where(weights > 0, data.y["gap"], 1e3)}
    trained = [
        train_members(model(), replace(data, weights=weights, y=y), members(data, 1), device="cpu")[0]
        for y in (data.y, spoiled)
    ]
    torch.testing.assert_close(*trained)


def test_a_member_whose_rows_weigh_nothing_is_an_error():
    train = np.array([[True, False], [False, True]])
    require_weights(None, train, np.array([0, 1]))
    with pytest.raises(
        InputError, match="Without the rows of fold 1 all rows that are left have the weight 0"
    ):
        require_weights(np.array([1.0, 0.0]), train, np.array([0, 1]))


def test_shares_have_a_mean_of_one_and_certainty_is_bounded():
    weighting = Weighting(np.array([1.0, 2.0, 3.0]), np.array([1e-9, 1.0, 1e9]))
    assert weighting.shares.mean() == pytest.approx(1)
    assert weighting.of(np.array([True, False, False])).weights.tolist() == [1.0]
    assert Weighting().shares is None
    np.testing.assert_allclose(certainty(np.array([1e-9, 1.0]), 1.0), [1.0, 0.5])
