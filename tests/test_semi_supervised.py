"""The semi-supervised autoencoder against distributions of torch, and what may not pass between its rows."""

from __future__ import annotations

import itertools
import re
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch
from alloy_tables import ELEMENTS, EVIDENCE, compositions, scale, write_alloys, write_folds
from torch import distributions
from torch.nn import functional

from nestmat import tables
from nestmat.errors import InputError
from nestmat.models.autoencoder.specification import AutoencoderSpecification
from nestmat.models.base import Batch, is_labelled
from nestmat.models.keys import ModelKey
from nestmat.models.losses import dependence
from nestmat.models.noise import Noise
from nestmat.models.semi_supervised.network import COMPARED, SemiSupervisedAutoencoder
from nestmat.models.semi_supervised.specification import SemiSupervisedSpecification
from nestmat.models.specification import Encoder, Head, Shapes, Specification, Training
from nestmat.scales.train import TrainingJob, train_scale
from nestmat.training.chunks import train_members
from nestmat.training.members import Members
from nestmat.training.scale_data import PseudoLabels, ScaleData
from nestmat.training.trainer import penalty_share

MEMBERS, ROWS, LATENTS = 2, 12, 2
SHAPES = Shapes(
    {"shares": ELEMENTS, "evidence": EVIDENCE},
    {"shares": "simplex", "evidence": "continuous"},
    ["phase", "hardness", "magnetic"],
    ("phase", "magnetic"),
)
CLASS = Head(hidden=(6,), loss="binary_cross_entropy", weight=4.0)
NUMBER = Head(hidden=(6,), loss="gaussian_nll")


@pytest.fixture(autouse=True)
def _one_thread():
    torch.set_num_threads(1)


def model(loss: str = "presence", targets: dict | None = None, **changes) -> Specification:
    options = changes.pop("options", {})
    heads = {"phase": CLASS} if targets is None else targets
    given = {
        "inputs": ("shares", "evidence"),
        "initialisation": "lecun",
        "encoder": Encoder(latents=LATENTS, hidden=(7,)),
        "heads": {**heads, "shares": Head(hidden=(8,), loss=loss)},
        "composition": "shares",
        "classifier": ("evidence",),
        **{"prior": {"phase": 0.3}, "presence": 3.0, **options},
    }
    return SemiSupervisedSpecification(**{**given, **changes})


SEVERAL = {"phase": CLASS, "hardness": NUMBER, "magnetic": CLASS}


def network_of(specification: Specification, members: int = MEMBERS) -> SemiSupervisedAutoencoder:
    found = specification.network(SHAPES, list(range(members)))
    generator = torch.Generator().manual_seed(5)
    # Biases start at 0: moved, so that each parameter matters.
    found.flat = found.flat + 0.2 * torch.randn(found.flat.shape, generator=generator)
    return found


def batch(
    specification: Specification, known: torch.Tensor, noise: Noise | None = None, seed: int = 0
) -> Batch:
    """A batch whose rows have labels where ``known``, (rows,), is 1."""
    rng = np.random.default_rng(seed)
    rows = len(known)
    parts = [np.stack([compositions(rows, seed + m).T for m in range(MEMBERS)])]
    parts.append(rng.normal(size=(MEMBERS, EVIDENCE, rows)))
    inputs = torch.from_numpy(np.concatenate(parts, axis=1)).float()
    targets = {"shares": inputs[:, :ELEMENTS]}
    for name in SHAPES.targets:
        if name in specification.heads:
            values = rng.integers(0, 2, rows) if name in SHAPES.classes else rng.normal(size=rows)
            tensor = torch.from_numpy(np.asarray(values, np.float32)).expand(MEMBERS, 1, rows)
            targets |= {name: tensor * known, is_labelled(name): known.expand(MEMBERS, 1, rows)}
    weight = torch.from_numpy(rng.uniform(0.5, 1.5, (MEMBERS, rows))).float()
    return Batch(inputs, targets, weight / weight.sum(dim=1, keepdim=True), noise)


HALF = (torch.arange(ROWS) < ROWS // 2).float()


# the evidence lower bound


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


# latents


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


# dependence


def weighted(rows: int, seed: int = 0) -> np.ndarray:
    weight = np.random.default_rng(seed).uniform(0.5, 1.5, rows)
    return weight / weight.sum()


def hsic(first: np.ndarray, second: np.ndarray, weight: np.ndarray) -> float:
    centring = np.eye(len(weight)) - np.outer(np.ones(len(weight)), weight)
    one, other = (centring @ kernel @ centring.T for kernel in (first, second))
    return float(weight @ (one * other) @ weight)


@pytest.mark.parametrize("scale", [1.0, 1e-3, 40.0])
def test_dependence_is_the_criterion_of_plain_kernels_whatever_the_scale(scale):
    rng = np.random.default_rng(1)
    n, weight = 30, weighted(30)
    y = rng.integers(0, 2, (n, 1)) * 1.0
    z = rng.normal(size=(n, 3)) + 0.8 * y
    covariance = np.cov(z.T, aweights=weight, bias=True)
    covariance += 1e-3 * np.trace(covariance) / 3 * np.eye(3)
    white = np.linalg.solve(np.linalg.cholesky(covariance), z.T).T
    square = ((white[:, None] - white[None]) ** 2).sum(axis=2)
    square = square / (weight @ square @ weight)
    kernel = np.mean([width / (width + square) for width in (0.02, 0.1, 0.5)], axis=0)
    of_labels = np.exp(-0.5 * ((y[:, None] - y[None]) ** 2).sum(axis=2))
    expected = hsic(kernel, of_labels, weight) / hsic(of_labels, of_labels, weight)
    arrays = (scale * z.T[None], y.T[None], weight[None])
    found = dependence(*(torch.from_numpy(np.ascontiguousarray(part)) for part in arrays))
    assert found.item() == pytest.approx(expected, rel=1e-9)


def test_dependence_does_not_hide_beside_a_large_direction():
    generator = torch.Generator().manual_seed(0)
    y = torch.randint(0, 2, (1, 1, 200), generator=generator).float()
    noise = torch.randn(1, 2, 200, generator=generator)
    telling = torch.cat([noise[:, :1], noise[:, 1:] + 4 * y], dim=1)
    beside = torch.cat([20 * noise[:, :1], telling[:, 1:] + 20 * noise[:, :1]], dim=1)
    weight = torch.full((1, 200), 1 / 200)
    seen, hidden = dependence(telling, y, weight), dependence(beside, y, weight)
    assert hidden > 0.5 * seen > 5 * dependence(noise, y, weight)


def test_dependence_vanishes_for_independent_columns_and_not_for_dependent_ones():
    generator = torch.Generator().manual_seed(0)
    found = []
    for rows in (50, 200, 800):
        y = torch.randint(0, 2, (20, 1, rows), generator=generator).float()
        z = torch.randn(20, 3, rows, generator=generator)
        weight = torch.full((20, rows), 1 / rows)
        found.append(dependence(z, y, weight).mean().item())
    assert found[1] < found[0] / 3
    assert found[2] < found[1] / 3
    # Same mean and spread of both classes: another shape alone.
    shaped = torch.where(y > 0, z.sign(), z)
    assert dependence(shaped, y, weight).min() > 10 * found[2]


def test_penalties_grow_between_two_shares_of_the_epochs():
    training = Training(penalty_warmup=(0.25, 0.75))
    shares = [penalty_share(training, share) for share in (0.0, 0.25, 0.5, 0.75, 1.0)]
    assert shares == [0.0, 0.0, 0.5, 1.0, 1.0]
    assert penalty_share(Training(), 0.0) == 1.0
    assert penalty_share(Training(penalty_warmup=(0.5, 0.5)), 0.49) == 0.0


# training


def holdout(data: ScaleData, seeds: int = 2) -> Members:
    """Members of one fold: a fifth tests, a half of the others is seen without label."""
    n, rng = len(data), np.random.default_rng(7)
    dealt = rng.permutation(n)
    test, hidden = dealt[: n // 5], dealt[n // 5 : 3 * n // 5]
    seen = {
        "train": np.ones(n, bool),
        "validation": np.zeros(n, bool),
        "unlabelled": np.zeros(n, bool),
    }
    seen["validation"][test], seen["unlabelled"][hidden] = True, True
    seen["train"] = ~seen["validation"] & ~seen["unlabelled"]
    zeros = np.zeros(seeds, dtype=np.int64)
    rows = {name: np.tile(value, (seeds, 1)) for name, value in seen.items()}
    return Members(zeros, zeros, zeros - 1, np.arange(seeds), **rows)


BOTH = {"phase": CLASS, "hardness": NUMBER}
TRAINING = Training(epochs=8, batch_size=16, learning_rate=0.01, penalty_warmup=(0.0, 0.5))


def learned(data: ScaleData, members: Members, specification: Specification) -> torch.Tensor:
    return train_members(specification, data, members)[0]


@pytest.mark.parametrize("stop", ["last", "early"])
def test_a_member_trained_alone_is_that_trained_beside_others(stop):
    data, members = scale(), holdout(scale(), seeds=3)
    training = replace(TRAINING, stop=stop, patience=3, epochs=4)
    specification = model(targets=BOTH, training=training, penalties={"independence": 5.0})
    together = learned(data, members, specification)
    assert not torch.equal(together[0], together[1])
    for k in range(3):
        alone = learned(data, members[np.array([k])], specification)[0]
        torch.testing.assert_close(alone, together[k], rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize("stop", ["last", "early"])
def test_hidden_and_test_labels_change_no_bit(stop):
    data, members = scale(), holdout(scale())
    specification = model(
        targets=BOTH, training=replace(TRAINING, stop=stop), penalties={"independence": 5.0}
    )
    hidden = ~members.train[0]
    changed = {"phase": data.y["phase"].copy(), "hardness": data.y["hardness"].copy()}
    changed["phase"][hidden] = 1 - changed["phase"][hidden]
    changed["hardness"][hidden] += 100
    one, other = (learned(given, members, specification) for given in (data, replace(data, y=changed)))
    assert torch.equal(one, other)
    # Labels that train do matter.
    changed["phase"] = np.where(members.train[0], 1 - data.y["phase"], data.y["phase"])
    assert not torch.equal(learned(replace(data, y=changed), members, specification), one)


def test_unlabelled_rows_of_no_weight_are_not_there():
    data, members = scale(), holdout(scale())
    none = replace(members, unlabelled=np.zeros_like(members.unlabelled))
    deaf = model(training=TRAINING, options={"unlabelled": 0.0})
    listening = model(training=TRAINING, options={"unlabelled": 1.0})
    assert torch.equal(learned(data, members, deaf), learned(data, none, listening))
    assert not torch.equal(learned(data, members, listening), learned(data, none, listening))


def test_independence_shapes_z_and_leaves_the_classifier_alone():
    classes = {"phase": CLASS, "magnetic": CLASS}
    specification = model(targets=classes, penalties={"independence": 1.0})
    net = network_of(specification)
    net.flat.requires_grad_()
    term = net.loss(batch(specification, HALF))["independence"].sum()
    slopes = net.layout.views(torch.autograd.grad(term, net.flat)[0])
    assert (slopes["encoder.0.weight"] != 0).any()
    assert not any(slope.any() for name, slope in slopes.items() if name.startswith("heads"))


def test_independence_makes_z_depend_less_on_the_target_at_no_cost_of_accuracy():
    data, members = scale(), holdout(scale(), seeds=1)
    label = torch.from_numpy(data.y["phase"]).float()[None, None]
    weight = torch.full((1, len(data)), 1 / len(data))
    found, right = [], []
    for weight_of_penalty in (0.0, 300.0):
        specification = model(
            training=Training(epochs=150, learning_rate=0.01), penalties={"independence": weight_of_penalty}
        )
        flat, scalers, _ = train_members(specification, data, members)
        net = specification.network(data.shapes, [0])
        net.flat = flat
        inputs = np.concatenate([scalers[name].transform(data.x[name]) for name in data.x], axis=2)
        z = net.encode(torch.from_numpy(inputs).float())[0].transpose(1, 2)
        found.append(dependence(z[:, :LATENTS], label, weight).item())
        right.append(((z[:, LATENTS:] >= 0.5) == (label > 0)).float().mean().item())
    assert found[1] < 0.2 * found[0]
    assert min(right) > 0.9


# from tables to tables


def test_a_scale_is_trained_on_rows_with_and_without_labels(tmp_path):
    data = scale()
    outputs = {
        name: tmp_path / f"{name}.{'safetensors' if name == 'weights' else 'parquet'}"
        for name in ("weights", "history", "predictions", "latents")
    }
    specification = model(
        targets={"phase": replace(CLASS, dropout=0.1)},
        training=replace(TRAINING, epochs=80, schedule="cosine"),
        penalties={"independence": 0.1},
    )
    trained = train_scale(
        TrainingJob(
            key=ModelKey("alloys", "half", "m2"),
            specification=specification,
            features=write_alloys(tmp_path, data),
            folds=write_folds(tmp_path, data),
            card=tmp_path / "weights.json",
            **outputs,
        )
    )
    predictions, latents = tables.read(outputs["predictions"]), tables.read(outputs["latents"])
    assert latents.groupby("repeat")["split"].value_counts().loc[1].to_dict() == {
        "train": 40,
        "unlabelled": 25,
        "validation": 15,
        "unused": 10,
    }
    assert [name for name in latents if name[0] == "z"] == ["z0", "z1", "z2"]
    held = predictions[(predictions["split"] == "validation") & (predictions["fold"] == 0)]
    held = held[held["seed"] == -1]
    assert len(held) == 2 * 15
    assert held["mean"].between(0, 1).all()
    assert ((held["mean"] >= 0.5) == (held["true"] == 1)).mean() > 0.8
    # The last latent is the prediction.
    last = latents.set_index(["repeat", "fold", "row_id"])["z2"]
    both = held.set_index(["repeat", "fold", "row_id"])["mean"]
    np.testing.assert_allclose(last.loc[both.index], both, atol=1e-6)
    history = tables.read(outputs["history"])
    assert set(history["term"]) == {
        *("phase", "shares", "latent_divergence", "label_divergence", "independence", "total")
    }
    again = type(trained).load(outputs["weights"])
    assert again.specification == trained.specification
    assert torch.equal(again.flat, trained.flat)
    assert [value for value in again.facts["reconstruction"]["shares"] if value is not None]


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


# a teacher


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


def test_what_a_teacher_says_reaches_the_rows_it_was_asked_of(tmp_path):
    data = scale(90)
    members = holdout(data)
    asked = np.flatnonzero(members.unlabelled.any(axis=0))
    rows = pd.DataFrame({"row_id": data.row_id[asked], "mean": np.linspace(0.1, 0.9, len(asked))})
    about = {"protocol": "half", "model": "forest", "target": "phase", "fold": 0, "inner": -1, "seed": -1}
    parts = [rows.assign(repeat=repeat, split="unlabelled", **about) for repeat in (0, 1)]
    other = rows.assign(repeat=0, split="validation", **{**about, "model": "another"})
    table = pd.concat([*parts, other]).assign(true=1.0, std=np.nan)[list(tables.PREDICTIONS)]
    tables.write(tmp_path / "baselines.parquet", table, tables.PREDICTIONS)
    taught = PseudoLabels.read(tmp_path / "baselines.parquet", "forest", data.row_id)
    found = taught.of("phase", members.repeat, members.fold)
    for member in range(len(members)):
        if members.fold[member] < 0:
            assert np.isnan(found[member]).all()
        else:
            np.testing.assert_array_equal(np.flatnonzero(np.isfinite(found[member])), asked)
            np.testing.assert_array_equal(found[member][asked], rows["mean"])
    free = model(training=Training(epochs=3, batch_size=16))
    specification = replace(free, teacher="forest")
    first = learned(replace(data, pseudo_labels=taught), members, specification)
    opposite = replace(taught, values={"phase": 1 - taught.values["phase"]})
    second = learned(replace(data, pseudo_labels=opposite), members, specification)
    changed = [not torch.equal(one, other) for one, other in zip(first, second, strict=True)]
    assert changed == [bool(rows.any()) for rows in members.unlabelled]


def test_a_teacher_of_numbers_is_refused():
    with pytest.raises(InputError, match="predicts classes alone"):
        model(targets=SEVERAL, options={"teacher": "forest"}).check(SHAPES)


# what does not fit


def fault(specification: Specification, shapes: Shapes = SHAPES) -> str:
    with pytest.raises(InputError) as caught:
        specification.network(shapes, [0])
    return str(caught.value)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"composition": "evidence"}, "'evidence'.*is not a block of fractions"),
        ({"composition": "unknown"}, "'unknown'.*is not a block of fractions"),
        ({"classifier": ()}, "classifier.*The classifier reads no block"),
        ({"inputs": ("shares",)}, "inputs.*give \\['evidence', 'shares'\\]"),
        (
            {"heads": {"shares": Head(loss="presence")}},
            "heads.*and of one target or more",
        ),
        ({"heads": {"phase": CLASS}}, "heads.*and of one target or more"),
        (
            {"heads": {"phase": CLASS, "evidence": Head(), "shares": Head(loss="presence")}},
            "heads.*and of one target or more",
        ),
        (
            {"heads": {"phase": CLASS, "shares": Head(loss="cross_entropy")}},
            "heads.shares.loss.*multinomial or presence",
        ),
        (
            {"heads": {"phase": Head(loss="mse"), "shares": Head(loss="presence")}},
            "heads.phase.loss.*choose binary_cross_entropy",
        ),
        (
            {"heads": {"hardness": Head(loss="mse"), "shares": Head(loss="presence")}},
            "heads.hardness.loss.*choose gaussian_nll",
        ),
        (
            {"heads": {"hardness": replace(NUMBER, floor=0.0), "shares": Head(loss="presence")}},
            "heads.hardness.*has a floor",
        ),
        (
            {"heads": {"phase": CLASS, "shares": Head(loss="presence", output_activation="tanh")}},
            "heads.shares.*tanh",
        ),
        (
            {"heads": {"phase": CLASS, "shares": Head(loss="presence", dropout=0.1)}},
            "dropout.*Only heads of targets have dropout",
        ),
        ({"encoder": Encoder(latents=2, dropout=0.1)}, "dropout.*Only heads of targets have dropout"),
        ({"penalties": {"l1": 1.0}}, "penalties.*choose independence or l2"),
        ({"prior": {"phase": 1.0}}, "prior.phase.*between 0 and 1"),
        ({"prior": {"hardness": 0.5}}, "prior.hardness"),
    ],
)
def test_what_does_not_fit_is_named(changes, message):
    assert re.search(message, fault(replace(model(), **changes)), re.DOTALL)


def test_a_number_has_no_prior_of_a_class():
    specification = model(targets=BOTH, options={"prior": {"hardness": 0.5}})
    assert "prior.hardness" in fault(specification)


def test_likelihoods_of_compositions_need_a_semi_supervised_model():
    for loss in ("multinomial", "presence"):
        specification = AutoencoderSpecification(
            inputs=("shares",), encoder=Encoder(latents=2), heads={"shares": Head(loss=loss)}
        )
        assert "set kind: semi_supervised" in fault(specification)


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
