"""Scalers fitted on the training rows of each member."""

from __future__ import annotations

import numpy as np

from nestmat.models.specification import Head, Training
from nestmat.training.scaling import Scaler, fit_scalers
from support.member_rows import members, model, scale


def test_scalers_see_training_rows_alone():
    data = scale()
    found = members(data)
    scalers = fit_scalers(model(), data, found)
    for member in range(len(found)):
        seen = data.x["descriptors"][found.train[member]]
        np.testing.assert_allclose(scalers["descriptors"].mean[member], seen.mean(axis=0))
        np.testing.assert_allclose(scalers["descriptors"].std[member], seen.std(axis=0))
    assert (scalers["A"].mean == 0).all()
    assert (scalers["A"].std == 1).all()
    everything = fit_scalers(model(Training(scale_on="all")), data, found)
    np.testing.assert_allclose(everything["gap"].mean, data.y["gap"].mean())
    plain = fit_scalers(model(heads={"gap": Head(standardise=False)}), data, found)
    assert (plain["gap"].std == 1).all()


def test_scaler_of_constant_and_of_member_columns():
    rng = np.random.default_rng(0)
    values = rng.normal(size=(2, 30, 3)) * [1.0, 5.0, 0.0] + 0.1
    rows = rng.random((2, 30)) < 0.7
    scaler = Scaler.fit(values, rows)
    assert (scaler.std[:, 2] == 1).all()
    np.testing.assert_allclose(scaler.mean[1], values[1][rows[1]].mean(axis=0))
    np.testing.assert_allclose(scaler.restore(scaler.transform(values)), values)


def test_quartiles_are_not_moved_by_outliers():
    rng = np.random.default_rng(0)
    values = np.stack([rng.normal(3, 2, 4001), np.zeros(4001), np.zeros(4001), np.full(4001, 0.1)], axis=1)
    values[:40, 0], values[:7, 2] = 1e9, 4.0
    rows = np.ones((2, 4001), bool)
    rows[1, :100] = False
    scaler = Scaler.of_quartiles(values, rows)
    np.testing.assert_allclose(scaler.mean[:, 0], 3, atol=0.15)
    np.testing.assert_allclose(scaler.std[:, 0], 2, atol=0.15)
    np.testing.assert_array_equal(scaler.std[:, 1:], [[1, 2, 1], [1, 1, 1]])
    np.testing.assert_array_equal(scaler.mean[:, 1:], np.tile([0, 0, 0.1], (2, 1)))


def test_a_robust_scale_of_inputs():
    data = scale()
    chosen = members(data)
    scalers = fit_scalers(model(input_scale="robust", heads={"gap": Head()}), data, chosen)
    expected = Scaler.of_quartiles(data.x["descriptors"], chosen.train)
    np.testing.assert_array_equal(scalers["descriptors"].std, expected.std)
    np.testing.assert_array_equal(scalers["A"].std, Scaler.fit(data.x["A"], chosen.train).std)
    np.testing.assert_array_equal(scalers["gap"].mean, Scaler.fit(data.labels("gap"), chosen.train).mean)
    decoded = fit_scalers(model(input_scale="robust"), data, chosen)
    assert (decoded["A"].std == 1).all()


def test_a_saturated_latent_does_not_make_outliers():
    rng = np.random.default_rng(0)
    values = rng.normal(size=(2, 30, 3)) * [1.0, 1e-6, 1e-6]
    values[:, -1, 1] = 0.5
    rows = np.tile(np.arange(30) < 29, (2, 1))
    latents = np.array([True, True, False])
    scaler = Scaler.fit(values, rows, latents)
    spread = values[:, :-1].std(axis=1)
    np.testing.assert_allclose(
        scaler.std, np.stack([spread[:, 0], 0.01 * spread[:, 0], spread[:, 2]], axis=1)
    )
    assert np.abs(scaler.transform(values)[:, -1, 1]).max() < 100
