"""Conditional normalising flows."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from nestmat.models.density_settings import FlowSettings
from nestmat.models.flow import ConditionalFlow


@pytest.mark.parametrize("transform", ["affine", "spline"])
def test_a_flow_inverts_and_has_the_density_of_its_transform(transform):
    flow = ConditionalFlow(3, 2, FlowSettings(transform, blocks=2, width=16), seed=1)
    x, c = torch.randn(50, 3), torch.randn(50, 2)
    transform = flow.flow(c).transform
    assert (transform.inv(transform(x)) - x).abs().max() < 1e-5
    one = torch.autograd.functional.jacobian(lambda v: flow.flow(c[0]).transform(v), x[0])
    z = flow.flow(c[0]).transform(x[0])
    expected = -0.5 * z.square().sum() - 1.5 * np.log(2 * np.pi) + torch.linalg.slogdet(one)[1]
    loss = flow.loss(x[:1], c[:1], torch.Generator())
    assert -loss.item() == pytest.approx(expected.item(), abs=1e-4)


def test_an_affine_coupling_scales_no_further_than_its_clamp():
    flow = ConditionalFlow(2, 1, FlowSettings("affine", blocks=1, width=8, clamp=0.5), seed=0)
    with torch.no_grad():
        for weight in flow.parameters():
            weight.mul_(1000)
    transform, x = flow.flow(torch.ones(1)).transform, torch.ones(2)
    # Two couplings scale one number each.
    assert abs(transform.log_abs_det_jacobian(x, transform(x)).item()) <= 1.0 + 1e-6


def test_first_weights_follow_from_the_seed_alone():
    torch.manual_seed(3)
    before = torch.random.get_rng_state()
    one, same, other = (ConditionalFlow(3, 1, FlowSettings(width=8), seed) for seed in (0, 0, 1))
    assert torch.equal(torch.random.get_rng_state(), before)
    flat = [torch.cat([p.flatten() for p in flow.parameters()]) for flow in (one, same, other)]
    assert torch.equal(flat[0], flat[1])
    assert not torch.equal(flat[0], flat[2])
