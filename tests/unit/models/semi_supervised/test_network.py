"""The semi-supervised autoencoder against distributions of torch."""

from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import distributions
from torch.nn import functional

from nestmat.models.base import Batch, is_labelled
from nestmat.models.noise import Noise
from nestmat.models.semi_supervised.network import COMPARED, SemiSupervisedAutoencoder
from nestmat.models.specification import Specification
from support.alloy_tables import ELEMENTS, EVIDENCE
from support.semi_supervised_networks import (
    HALF,
    LATENTS,
    MEMBERS,
    ROWS,
    SEVERAL,
    SHAPES,
    batch,
    model,
    network_of,
)


def perceptron(weights: dict[str, torch.Tensor], name: str, key: str, x: torch.Tensor) -> torch.Tensor:
    """One hidden layer of the first member, for one row."""
    hidden = functional.silu(weights[f"{name}.0.weight"][0] @ x + weights[f"{name}.0.bias"][0, :, 0])
    return weights[f"{name}.1.{key}.weight"][0] @ hidden + weights[f"{name}.1.{key}.bias"][0, :, 0]


def log_likelihood(specification: Specification, output: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
    counts = (100 * x).round()
    if specification.heads["shares"].loss == "multinomial":
        logits, there = output, slice(None)
    else:
        logits, there = output[:ELEMENTS], x > 0
    drawn = distributions.Multinomial(100, logits=logits[there]).log_prob(counts[there])
    # Its coefficient holds no parameter.
    drawn = drawn - torch.lgamma(torch.tensor(101.0)) + torch.lgamma(counts + 1).sum()
    if specification.heads["shares"].loss == "multinomial":
        return drawn
    presence = distributions.Bernoulli(logits=output[ELEMENTS:]).log_prob((x > 0).float()).sum()
    return drawn + specification.presence * presence


def lower_bound(net: SemiSupervisedAutoencoder, given: Batch, row: int, draws: dict) -> torch.Tensor:
    """The bound of one row of the first member, its labels enumerated one by one."""
    specification = options = net.specification
    weights = {name: value.double() for name, value in net.weights.items()}
    x, e = given.inputs[0, :, row].double().split([ELEMENTS, EVIDENCE])
    fixed, cost, choices = {}, torch.zeros((), dtype=torch.float64), [{}]
    for name in net.targets:
        label, known = given.targets[name][0, 0, row].double(), given.targets[is_labelled(name)][0, 0, row]
        output = perceptron(weights, f"heads.{name}", name, e)
        if name in SHAPES.classes:
            prior = distributions.Bernoulli(torch.tensor(options.prior.get(name, 0.5), dtype=torch.float64))
            if known:
                fixed[name], cost = label, cost - prior.log_prob(label)
                continue
            guide = distributions.Bernoulli(logits=output[0])
            cost = cost + distributions.kl_divergence(guide, prior)
            choices = [
                {**choice, name: (value, guide.log_prob(torch.tensor(value)).exp())}
                for choice in choices
                for value in (0.0, 1.0)
            ]
        else:
            prior = distributions.Normal(torch.zeros((), dtype=torch.float64), 1.0)
            if known:
                constant = 0.5 * np.log(2 * np.pi)
                fixed[name], cost = label, cost - prior.log_prob(label) - constant
                continue
            guide = distributions.Normal(output[0], torch.exp(5 * torch.tanh(output[1] / 10)))
            fixed[name] = guide.loc + guide.scale * draws[name][0, 0, row]
            cost = cost + distributions.kl_divergence(guide, prior)
    bound = -cost
    seen = x.sqrt() if options.roots else options.atoms * x
    for choice in choices:
        share = torch.ones((), dtype=torch.float64)
        values = dict(fixed)
        for name, (value, probability) in choice.items():
            values[name], share = torch.tensor(value, dtype=torch.float64), share * probability
        y = torch.stack([values[name] for name in net.targets])
        mean, raw = perceptron(weights, "encoder", "latents", torch.cat([seen, y])).chunk(2)
        guide = distributions.Normal(mean, torch.exp(5 * torch.tanh(raw / 5)))
        prior = distributions.Normal(torch.zeros_like(mean), options.latent_std)
        z = mean + guide.scale * draws["z"][0, :, row] if "z" in draws else mean
        output = perceptron(weights, "heads.shares", "shares", torch.cat([z, y]))
        told = log_likelihood(specification, output, x)
        divergence = distributions.kl_divergence(guide, prior).sum()
        bound = bound + share * (told - options.divergence * divergence)
    return bound


@pytest.mark.parametrize("loss", ["multinomial", "presence"])
@pytest.mark.parametrize("targets", [None, SEVERAL])
@pytest.mark.parametrize(
    "options", [{}, {"unlabelled": 0.4, "latent_std": 2.0, "divergence": 0.7, "roots": False, "atoms": 100}]
)
@pytest.mark.parametrize("noisy", [True, False])
def test_terms_are_the_evidence_lower_bound_of_torch(loss, targets, options, noisy):
    specification = model(loss, targets, options=options)
    net = network_of(specification)
    keys, draws = torch.tensor([3, 4], dtype=torch.int32), {}
    if noisy:
        same = Noise(keys, 1, ROWS)
        draws = {name: same.normal(1) for name in net.targets if name not in SHAPES.classes}
        draws["z"] = same.normal(LATENTS)
    elif targets is not None:
        draws = {"hardness": torch.zeros(MEMBERS, 1, ROWS)}
    given = batch(specification, HALF, Noise(keys, 1, ROWS) if noisy else None)
    terms = net.loss(given)
    weights = {**net.term_weights, "phase": 0.0, "hardness": 0.0, "magnetic": 0.0}
    found = sum(weights[name] * value[0] for name, value in terms.items())
    each = torch.where(HALF > 0, 1.0, net.specification.unlabelled) * given.weight[0]
    expected = -sum(each[row] * lower_bound(net, given, row, draws) for row in range(ROWS))
    assert found.item() == pytest.approx(expected.item(), rel=2e-5)


def test_the_auxiliary_loss_is_a_mean_over_labelled_rows():
    specification = model(targets=SEVERAL)
    net = network_of(specification)
    given = batch(specification, HALF)
    terms, half = net.loss(given), ROWS // 2
    share = given.weight[0, :half] / given.weight[0, :half].sum()
    for name in ("phase", "magnetic", "hardness"):
        rows = [
            perceptron(net.weights, f"heads.{name}", name, e) for e in given.inputs[0, ELEMENTS:, :half].T
        ]
        outputs, labels = torch.stack(rows), given.targets[name][0, 0, :half]
        if name == "hardness":
            variance = torch.exp(10 * torch.tanh(outputs[:, 1] / 10))
            lost = functional.gaussian_nll_loss(outputs[:, 0], labels, variance, reduction="none", eps=0)
        else:
            lost = functional.binary_cross_entropy_with_logits(outputs[:, 0], labels, reduction="none")
        assert terms[name][0].item() == pytest.approx((share * lost).sum().item(), rel=1e-5)


def test_a_batch_without_a_label_has_no_auxiliary_loss():
    specification = model(penalties={"independence": 2.0, "l2": 0.1})
    net = network_of(specification)
    net.flat.requires_grad_()
    terms = net.loss(batch(specification, torch.zeros(ROWS)))
    assert (terms["phase"] == 0).all()
    (gradient,) = torch.autograd.grad(sum(term.sum() for term in terms.values()), net.flat)
    assert torch.isfinite(gradient).all()


@pytest.mark.parametrize("loss", ["multinomial", "presence"])
def test_gradients_are_finite_with_absent_elements_and_pure_ones(loss):
    specification = model(loss, SEVERAL, penalties={"independence": 1.0})
    net = network_of(specification)
    given = batch(specification, HALF)
    given.inputs[:, :ELEMENTS, :3] = torch.eye(ELEMENTS)[:, :3]
    for factor in (1.0, 30.0):
        # Large weights: logits of a hundred and more.
        net.flat = (factor * net.flat.detach()).requires_grad_()
        total = sum(term.sum() for term in net.loss(given).values())
        (gradient,) = torch.autograd.grad(total, net.flat)
        assert torch.isfinite(total)
        assert torch.isfinite(gradient).all()
        assert (gradient != 0).any(dim=1).all()


def test_padding_weighs_nothing():
    specification = model(targets=SEVERAL, penalties={"independence": 1.0})
    net = network_of(specification)
    given = batch(specification, HALF)
    longer = {name: torch.cat([value, value[..., :3]], dim=2) for name, value in given.targets.items()}
    padded = Batch(
        torch.cat([given.inputs, given.inputs[..., :3]], dim=2), longer, functional.pad(given.weight, (0, 3))
    )
    for name, term in net.loss(padded).items():
        torch.testing.assert_close(term, net.loss(given)[name], rtol=1e-5, atol=1e-7)


def test_everything_is_computed_on_the_device_of_the_inputs():
    # Tensors of the device `meta` hold no numbers, and do not mix with those of the CPU.
    specification = model(targets=SEVERAL, penalties={"independence": 1.0, "l2": 1.0})
    net = network_of(specification)
    given = batch(specification, HALF)
    net.flat = net.flat.to("meta")
    keys = torch.zeros(MEMBERS, dtype=torch.int32, device="meta")
    moved = {name: value.to("meta") for name, value in given.targets.items()}
    terms = net.loss(Batch(given.inputs.to("meta"), moved, given.weight.to("meta"), Noise(keys, 1, ROWS)))
    assert all(term.device.type == "meta" and term.shape == (MEMBERS,) for term in terms.values())
    z, _ = net.encode(given.inputs.transpose(1, 2).to("meta"))
    decoded = net.decode(z)["shares"]
    assert decoded.device.type == "meta"
    assert net.place(decoded, z[..., LATENTS:]).device.type == "meta"


@pytest.mark.parametrize("loss", ["multinomial", "presence"])
def test_latents_hold_what_is_predicted_and_decode_to_fractions(loss):
    specification = model(loss, SEVERAL)
    net = network_of(specification)
    x = batch(specification, HALF).inputs.transpose(1, 2)
    z, spread = net.encode(x)
    assert z.shape == (MEMBERS, ROWS, LATENTS + 3)
    assert spread is None
    predicted = net.predict(z)
    assert list(predicted) == ["phase", "hardness", "magnetic"]
    for k, (mean, std) in enumerate(predicted.values()):
        assert torch.equal(mean, z[..., LATENTS + k])
        assert std.isnan().all()
    for k in (0, 2):
        assert ((z[..., LATENTS + k] > 0) & (z[..., LATENTS + k] < 1)).all()
    decoded = net.decode(z)["shares"]
    assert decoded.shape == (MEMBERS, ROWS, ELEMENTS)
    assert (decoded >= 0).all()
    torch.testing.assert_close(decoded.sum(dim=2), torch.ones(MEMBERS, ROWS))
    torch.testing.assert_close(net.place(x[..., :ELEMENTS], z[..., LATENTS:]), z)
    # Elements that are named absent have no share at all, and one is always there.
    assert (loss == "presence") == bool((decoded == 0).any())


def test_a_probability_is_decoded_as_the_nearer_class():
    specification = model(targets=SEVERAL)
    net = network_of(specification)
    z = torch.randn(MEMBERS, ROWS, LATENTS + 3, generator=torch.Generator().manual_seed(0))

    def decoded(phase: float, hardness: float, magnetic: float) -> torch.Tensor:
        z[..., LATENTS:] = torch.tensor([phase, hardness, magnetic])
        return net.decode(z)["shares"]

    for near, far in ((0.2, 0.8), (0.49, 0.5)):
        assert torch.equal(decoded(near, 0.3, near), decoded(0.0, 0.3, 0.0))
        assert torch.equal(decoded(far, 0.3, near), decoded(1.0, 0.3, 0.0))
    assert not torch.equal(decoded(0.0, 0.3, 0.0), decoded(1.0, 0.3, 0.0))
    # A number is not rounded.
    assert not torch.equal(decoded(0.0, 0.3, 0.0), decoded(0.0, 0.4, 0.0))


def test_z_is_encoded_for_the_likely_class_whatever_its_probability():
    specification = model()
    net = network_of(specification)
    x = batch(specification, HALF).inputs.transpose(1, 2)
    z, _ = net.encode(x)
    likely = (z[..., LATENTS:] >= 0.5).float()
    torch.testing.assert_close(z[..., :LATENTS], net.place(x[..., :ELEMENTS], likely)[..., :LATENTS])
    assert 0 < likely.mean() < 1


def test_slopes_pass_through_classes_and_absent_elements():
    specification = model()
    net = network_of(specification)
    z = torch.randn(MEMBERS, ROWS, LATENTS + 1).requires_grad_()
    value = net.decode(z)["shares"]
    (slope,) = torch.autograd.grad((value * torch.arange(ELEMENTS)).sum(), z)
    assert torch.isfinite(slope).all()
    assert (slope.abs().sum(dim=(0, 1)) > 0).all()


def test_rows_that_are_not_shuffled_are_compared_from_all_over_the_table():
    specification = replace(model(), penalties={"independence": 1.0})
    net, rows = network_of(specification), 3 * COMPARED
    given = batch(specification, torch.ones(rows))
    # Sorted by class, as a table may be: the first rows alone would not vary.
    label = (torch.arange(rows) >= rows // 2).float().expand(MEMBERS, 1, rows)
    given = replace(given, targets={**given.targets, "phase": label})
    keys = torch.zeros(MEMBERS, dtype=torch.int32)
    for noise in (None, Noise(keys, 1, rows)):
        assert (net.loss(replace(given, noise=noise))["independence"].abs() > 1e-4).all()
    window = slice(0, 2 * COMPARED)
    part = Noise(keys, 1, rows).at(window)
    first = {name: value[..., window] for name, value in given.targets.items()}
    shuffled = Batch(given.inputs[..., window], first, given.weight[:, window], part)
    labels = {**first, "phase": torch.zeros_like(first["phase"])}
    labels["phase"][..., COMPARED:] = 1
    # Of a batch the first rows: here all of one class.
    assert (net.loss(replace(shuffled, targets=labels))["independence"] == 0).all()


def test_a_taught_row_counts_as_labelled_with_its_probability():
    plain = model()
    taught = replace(plain, teacher="forest")
    given = batch(plain, HALF)
    says = torch.where(HALF > 0, given.targets["phase"], torch.full_like(given.targets["phase"], 0.25))
    with_teacher = replace(given, targets={**given.targets, "phase": says})
    every = torch.ones(ROWS)
    parts = []
    for value in (0.0, 1.0):
        label = torch.where(HALF > 0, given.targets["phase"], torch.full_like(says, value))
        known = {"phase": label, is_labelled("phase"): every.expand(MEMBERS, 1, ROWS)}
        parts.append(network_of(plain).loss(replace(given, targets={**given.targets, **known})))
    found = network_of(taught).loss(with_teacher)
    # Linear in the probability: a quarter of what class 1 would cost, three quarters of what class 0 would.
    for term in ("phase", "shares", "latent_divergence", "label_divergence"):
        torch.testing.assert_close(found[term], 0.75 * parts[0][term] + 0.25 * parts[1][term])


def test_every_pair_of_choices_is_summed_once():
    net = network_of(model(targets=SEVERAL))
    y = torch.rand(MEMBERS, 3, ROWS)
    shares = torch.stack(net._shares(y))
    torch.testing.assert_close(shares.sum(dim=0), torch.ones(MEMBERS, ROWS))
    for choice, share in zip(itertools.product((0, 1), repeat=2), shares, strict=True):
        expected = torch.ones(MEMBERS, ROWS)
        for value, k in zip(choice, (0, 2), strict=True):
            expected = expected * (y[:, k] if value else 1 - y[:, k])
        torch.testing.assert_close(share, expected)
