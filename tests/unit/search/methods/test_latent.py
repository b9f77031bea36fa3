"""Search in the latents of a scale."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from scipy import stats

from nestmat.errors import InputError
from nestmat.search.methods.latent import Latent, LatentSpace, chi_square_quantile
from nestmat.search.methods.random_search import RandomSearch
from nestmat.search.problem import Target, order
from support.perovskite_search import SPECIES, asked


def test_latents_are_white_and_decode_within_the_rules(perovskite_space, perovskite_problem):
    latents = LatentSpace(perovskite_problem)
    assert latents.scale == "ions"
    w = latents.whiten(torch.from_numpy(latents.reference)).detach()
    torch.testing.assert_close(w.mean(dim=0), torch.zeros_like(w[0]), atol=1e-6, rtol=0)
    torch.testing.assert_close(torch.cov(w.T), torch.eye(len(w.T), dtype=w.dtype), atol=1e-6, rtol=0)
    made = latents.from_free(torch.from_numpy(latents.draw(300, [0, 1]))).detach().numpy()
    for site, part in zip(SPECIES, perovskite_space.split(made), strict=False):
        np.testing.assert_allclose(part.sum(axis=1), 1, atol=1e-9)
        assert ((part > 0).sum(axis=1) <= 2).all(), site
    x = perovskite_space.sample(300, seed=8)
    again = latents.from_free(torch.from_numpy(latents.to_free(x))).detach().numpy()
    assert latents.site_distance(x, again).mean() < 0.15 < latents.site_distance(x, x[::-1]).mean()
    # What the scale does not decode has free numbers of its own.
    np.testing.assert_array_equal(perovskite_space.canonical(again)[:, 8:], x[:, 8:])
    assert LatentSpace(perovskite_problem, "ions", seed=0).dimensions == latents.dimensions


def test_the_distance_from_the_ball_is_a_violation(perovskite_problem):
    latents = LatentSpace(perovskite_problem, shell=0.5)
    u = torch.from_numpy(latents.draw(200, [3]))
    far = u[:, : latents.dimensions].norm(dim=1)
    beyond = latents.violations(u.requires_grad_(True))
    torch.testing.assert_close(beyond[:, 0], (far - latents.radius).clamp_min(0.0))
    assert 0.3 < (beyond == 0).double().mean() < 0.7
    [slope] = torch.autograd.grad(beyond.sum(), u)
    torch.testing.assert_close(slope.norm(dim=1), (far > latents.radius).double())


@pytest.mark.parametrize(("share", "degrees"), [(0.95, 1), (0.95, 20), (0.5, 3), (0.01, 8)])
def test_quantiles_are_those_of_scipy(share, degrees):
    assert chi_square_quantile(share, degrees) == pytest.approx(stats.chi2.ppf(share, degrees), rel=1e-9)


def test_latent_search_proposes_materials_and_reports_latents(perovskite_space, perovskite_problem):
    method = Latent(keep=50, starts=40)
    found, again = (method.propose(perovskite_problem, budget=3000, seed=1) for _ in range(2))
    np.testing.assert_array_equal(found.x, again.x)
    assert found.evaluations <= 3000
    np.testing.assert_array_equal(perovskite_space.canonical(found.x), found.x)
    assert len(np.unique(found.x, axis=0)) == len(found.x)
    np.testing.assert_array_equal(order(found.table), np.arange(len(found.x)))
    assert json.loads(json.dumps(found.details)) == found.details == again.details
    drawn = RandomSearch(keep=50).propose(perovskite_problem, budget=3000, seed=1)
    assert found.table["hit"].sum() >= drawn.table["hit"].sum()
    near = found.details["consistency"]
    assert set(near) == {"rest", "proposed", "normal", "random"}
    assert 0 < near["random"]["mean"] < near["random"]["p95"] < near["normal"]["p95"]
    assert near["rest"]["inside"] > 0.9
    assert near["normal"]["inside"] == pytest.approx(0.95, abs=0.03)
    assert found.details["site_error"] < 0.15


def test_descent_in_latents_is_better_than_a_sample(perovskite_space, perovskite_surrogate):
    perovskite_problem = asked(
        perovskite_space, perovskite_surrogate, targets=[Target("cell.gap", "maximise")]
    )
    drawn = RandomSearch(keep=5).propose(perovskite_problem, budget=300, seed=2)
    found = Latent(keep=5, climbs=1, polished=0.0).propose(perovskite_problem, budget=6000, seed=2)
    assert found.table["distance"].iloc[0] < drawn.table["distance"].iloc[0]


def test_what_has_no_latents_of_sites_is_refused(perovskite_space, perovskite_surrogate, perovskite_problem):
    def free(x):
        return {"cell.gap": (x[:, 0], x[:, 0])}

    cases = [
        (asked(perovskite_space, free), None, "needs a trained chain"),
        (perovskite_problem, "device", "Unknown scale 'device'"),
        (perovskite_problem, "cell", "No head of cell decodes"),
    ]
    for given, scale, message in cases:
        with pytest.raises(InputError, match=message):
            Latent(scale=scale).propose(given, budget=3000, seed=0)
    with pytest.raises(InputError, match="too small"):
        Latent().propose(perovskite_problem, budget=20, seed=0)
