from __future__ import annotations

import numpy as np

from nestmat.interpretation.alignment import align_latents, standardised


def test_alignment_recovers_permutation_and_sign():
    rng = np.random.default_rng(0)
    truth = rng.normal(size=(80, 5))
    orders = [rng.permutation(5) for _ in range(6)]
    signs = rng.choice([-1.0, 1.0], size=(6, 5))
    members = np.stack([truth[:, o] * s for o, s in zip(orders, signs, strict=True)])
    members = members * rng.uniform(0.5, 2.0, size=(6, 1, 5)) + 0.05 * rng.normal(size=members.shape)
    found = align_latents(members)
    aligned = found.apply(members)
    for k in range(5):
        r = np.corrcoef(aligned[:, :, k])
        assert r.min() > 0.98
    np.testing.assert_array_equal(found.order[found.reference], np.arange(5))
    np.testing.assert_array_equal(found.sign[found.reference], 1.0)
    assert found.stability.min() > 0.98


def test_alignment_to_a_given_member_and_of_one_alone():
    rng = np.random.default_rng(1)
    members = rng.normal(size=(3, 30, 2))
    assert align_latents(members, reference=2).reference == 2
    alone = align_latents(members[:1])
    np.testing.assert_array_equal(alone.apply(members[:1]), members[:1])
    assert np.isnan(alone.stability).all()


def test_alignment_takes_a_dead_latent():
    rng = np.random.default_rng(2)
    members = np.repeat(rng.normal(size=(1, 40, 3)), 3, axis=0)
    members[:, :, 1] = 0.25
    found = align_latents(members)
    np.testing.assert_allclose(found.stability, [1.0, 0.0, 1.0], atol=1e-12)


def test_alignment_moves_attributions_as_latents():
    rng = np.random.default_rng(3)
    base = rng.normal(size=(50, 4))
    members = np.stack([base, -base[:, [2, 0, 3, 1]]])
    found = align_latents(members, reference=0)
    attributions = members[:, :, None, :] * np.arange(1.0, 4.0)[:, None]
    aligned = found.apply(attributions)
    np.testing.assert_allclose(aligned[0], aligned[1])


def test_standardised_columns_are_unit_vectors():
    x = np.random.default_rng(8).normal(loc=5.0, size=(30, 2))
    unit = standardised(x)
    np.testing.assert_allclose(unit.T @ unit, np.corrcoef(x.T), atol=1e-12)
