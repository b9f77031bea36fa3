"""Conditional variational autoencoders of materials."""

from __future__ import annotations

import numpy as np

from nestmat.search.generators.conditional_vae import ConditionalVAE, ConditionalVAESettings
from support.perovskite_search import conditions, mixed_space


def fitted(**settings):
    space = mixed_space()
    x = space.sample(800, seed=1)
    y = conditions(x)
    network = ConditionalVAE(space, y.shape[1], ConditionalVAESettings(**settings), seed=0)
    network.standardise(y)
    network.fit(x, y, np.ones(len(x)), network.settings.steps)
    return space, network, x, y


def test_a_network_without_a_penalty_gives_materials_back():
    _, network, x, y = fitted(beta=0.01, free_bits=0.0, steps=1500)
    told = network.diagnose(x[:200], y[:200])
    assert told["reconstruction"] < 0.08
    assert told["exact"] > 0.3
    assert told["active"] >= 5
    assert sum(told["divergence"]) > 5
    assert told["divergence"] == sorted(told["divergence"], reverse=True)


def test_a_large_penalty_puts_the_latents_out_of_use():
    _, network, x, y = fitted(beta=1000.0, free_bits=0.0, steps=200)
    told = network.diagnose(x[:200], y[:200])
    assert told["active"] == 0
    assert sum(told["divergence"]) < 0.01
    assert told["exact"] < 0.1


def test_what_a_network_makes_follows_its_conditions():
    space, network, x, _ = fitted(steps=500)
    for wanted in ([0.5, 0.0], [2.0, 1.0]):
        made = network.sample(np.tile(wanted, (300, 1)), 300)
        np.testing.assert_array_equal(space.canonical(made), made)
        error = np.abs(conditions(made) - wanted).mean(axis=0)
        assert (error < 0.6 * np.abs(conditions(x) - wanted).mean(axis=0)).all()
    free = network.sample(None, 300)
    # Without conditions the spread is that of the space.
    assert (conditions(free).std(axis=0) > 0.5 * conditions(x).std(axis=0)).all()


def test_rows_without_conditions_are_learned_without_them():
    space = mixed_space()
    x = space.sample(300, seed=2)
    y = conditions(x)
    y[::2, 0] = np.nan
    network = ConditionalVAE(space, y.shape[1], ConditionalVAESettings(steps=50), seed=0)
    network.standardise(y)
    network.fit(x, y, np.ones(len(x)), 50)
    made = network.sample(y, 300)
    assert np.isfinite(made).all()
    np.testing.assert_array_equal(space.canonical(made), made)
    # What is known of a row in part is not used either: its encoding is that without conditions.
    assert network.diagnose(x[::2], y[::2]) == network.diagnose(x[::2], np.full_like(y[::2], np.nan))
