from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy import stats
from torch import nn
from torch.nn import functional

from nestmat.errors import InputError
from nestmat.models import losses
from nestmat.models.autoencoder.network import Autoencoder
from nestmat.models.autoencoder.specification import AutoencoderSpecification
from nestmat.models.base import Batch
from nestmat.models.joint import JointBatch, JointModel
from nestmat.models.layers import ACTIVATIONS, Layout, Output, Perceptrons
from nestmat.models.noise import Noise, random_bits
from nestmat.models.specification import Encoder, Head, Shapes, Specification

MEMBERS, ROWS = 3, 40


@pytest.fixture(autouse=True)
def _one_thread():
    torch.set_num_threads(1)
    torch.manual_seed(0)


def uniform_weight(rows: int = ROWS) -> torch.Tensor:
    return torch.full((MEMBERS, rows), 1 / rows)


SHAPES = Shapes(
    {"descriptors": 4, "A": 3, "solvent": 5},
    {"descriptors": "continuous", "A": "simplex", "solvent": "categorical"},
    ["gap", "energy"],
)


def model(**changes) -> Specification:
    options = {
        "inputs": ("descriptors", "A"),
        "encoder": Encoder(latents=2, hidden=(6,), activation="relu"),
        "heads": {
            "gap": Head(hidden=(5,)),
            "descriptors": Head(hidden=(5,), loss="huber"),
            "A": Head(hidden=(5,), loss="cross_entropy"),
            "solvent": Head(loss="cross_entropy"),
        },
    }
    return AutoencoderSpecification(**{**options, **changes})


def batch(specification: Specification, rows: int = ROWS) -> Batch:
    def values(name: str) -> torch.Tensor:
        raw = torch.randn(MEMBERS, SHAPES.width(name), rows)
        continuous = name in SHAPES.targets or SHAPES.kinds[name] == "continuous"
        return raw if continuous else torch.softmax(raw, dim=1)

    inputs = torch.cat([values(name) for name in specification.inputs], dim=1)
    return Batch(inputs, {name: values(name) for name in specification.heads}, uniform_weight(rows))


# layers


@pytest.mark.parametrize(
    ("hidden", "activation"), [((), "relu"), ((7,), "relu"), ((7, 5), "tanh"), ((7, 5), "identity")]
)
@pytest.mark.parametrize("names", [("a",), ("a", "b", "c")])
def test_perceptrons_equal_torch_modules(hidden, activation, names):
    layout = Layout()
    outputs = {name: Output(width, "tanh") for name, width in zip(names, (1, 2, 3), strict=False)}
    tested = Perceptrons(layout, "p", 4, hidden, outputs, activation)
    flat = layout.initial(range(MEMBERS))
    flat += 0.1 * torch.randn_like(flat)  # so that no bias is zero
    weights = layout.views(flat)
    x = torch.randn(MEMBERS, 4, ROWS)
    found = tested(x, weights, None)
    for member in range(MEMBERS):
        start = 0
        for name, output in outputs.items():
            width = hidden[0] if hidden else output.width
            linear = [(weights["p.0.weight"][member][start : start + width], weights["p.0.bias"][member])]
            linear[0] = (linear[0][0], linear[0][1][start : start + width, 0])
            start += width
            for depth in range(1, len(hidden) + 1):
                key = f"p.{depth}.{name}"
                linear.append((weights[f"{key}.weight"][member], weights[f"{key}.bias"][member][:, 0]))
            y = x[member].T
            for depth, (weight, bias) in enumerate(linear):
                y = functional.linear(y, weight, bias)
                y = ACTIVATIONS[activation](y) if depth < len(hidden) else torch.tanh(y)
            torch.testing.assert_close(found[name][member].T, y, rtol=1e-5, atol=1e-6)


def test_initial_weights_are_xavier_of_each_head_and_belong_to_the_member():
    layout = Layout()
    Perceptrons(layout, "p", 200, (), {"a": Output(300, gain=2.0), "b": Output(100)})
    flat = layout.initial([5, 6])
    weight = layout.views(flat)["p.0.weight"]
    assert weight[:, :300].std().item() == pytest.approx(2.0 * np.sqrt(2 / 500), rel=0.02)
    assert weight[:, 300:].std().item() == pytest.approx(np.sqrt(2 / 300), rel=0.02)
    assert (layout.views(flat)["p.0.bias"] == 0).all()
    assert torch.equal(layout.initial([6])[0], flat[1])
    assert not torch.equal(flat[0], flat[1])


def test_views_share_the_buffer_and_gather_undoes_them():
    network = Autoencoder(model(), SHAPES, [1, 2])
    views = network.weights
    assert torch.equal(network.layout.gather(views), network.flat)
    network.flat[:] = 0
    assert all((view == 0).all() for view in views.values())


def test_atanh_stays_finite_outside_its_interval():
    assert torch.isfinite(ACTIVATIONS["atanh"](torch.tensor([-3.0, -1.0, 0.5, 1.0, 3.0]))).all()


# losses


@pytest.mark.parametrize(
    ("name", "peer"),
    [("mae", functional.l1_loss), ("mse", functional.mse_loss), ("huber", functional.huber_loss)],
)
def test_losses_equal_torch_and_ignore_padding(name, peer):
    output, target = torch.randn(MEMBERS, 4, ROWS), torch.randn(MEMBERS, 4, ROWS)
    weight = uniform_weight(ROWS - 5)
    padded = functional.pad(weight, (0, 5))
    found = losses.LOSSES[name](output, target, padded)
    for member in range(MEMBERS):
        expected = peer(output[member, :, :-5], target[member, :, :-5])
        assert found[member].item() == pytest.approx(expected.item(), rel=1e-5)


def test_cross_entropy_takes_fractions():
    output = torch.randn(MEMBERS, 4, ROWS)
    target = torch.softmax(torch.randn(MEMBERS, 4, ROWS), dim=1)
    found = losses.cross_entropy(output, target, uniform_weight())
    expected = [nn.CrossEntropyLoss()(output[m].T, target[m].T) for m in range(MEMBERS)]
    torch.testing.assert_close(found, torch.stack(expected))


def test_gaussian_nll_is_the_log_density_without_its_constant():
    mean, log_variance, target = (torch.randn(MEMBERS, 1, ROWS) for _ in range(3))
    found = losses.gaussian_nll(torch.cat([mean, log_variance], dim=1), target, uniform_weight())
    bounded = 10 * torch.tanh(log_variance / 10)
    density = torch.distributions.Normal(mean, torch.exp(0.5 * bounded)).log_prob(target)
    expected = -density.mean(dim=(1, 2)) - 0.5 * np.log(2 * np.pi)
    torch.testing.assert_close(found, expected)


@pytest.mark.parametrize("name", ["mae", "mse", "huber"])
def test_below_a_floor_nothing_is_lost(name):
    output = torch.tensor([[[-2.0, -2.0, 1.0, 1.0]]]).requires_grad_(True)
    target = torch.tensor([[[-1.0, -1.0, -1.0, -1.0]]])
    at_floor = torch.tensor([[[1.0, 0.0, 1.0, 0.0]]])
    each = [
        losses.censored(name, output, target, functional.one_hot(torch.tensor([k]), 4).float(), at_floor)
        for k in range(4)
    ]
    plain = [
        losses.LOSSES[name](output, target, functional.one_hot(torch.tensor([k]), 4).float())
        for k in range(4)
    ]
    assert each[0].item() == 0
    for k in (1, 2, 3):
        assert each[k].item() == plain[k].item() > 0
    [slope] = torch.autograd.grad(sum(each), output)
    assert (slope[0, 0].sign() == torch.tensor([0.0, -1.0, 1.0, 1.0])).all()


def test_gaussian_nll_at_a_floor_is_that_of_a_censored_normal():
    mean, log_variance, target = (torch.randn(MEMBERS, 1, ROWS) for _ in range(3))
    at_floor = (torch.rand(MEMBERS, 1, ROWS) < 0.5).float()
    output = torch.cat([mean, log_variance], dim=1)
    found = losses.censored("gaussian_nll", output, target, uniform_weight(), at_floor)
    normal = stats.norm(mean.numpy(), np.exp(5 * np.tanh(log_variance.numpy() / 10)))
    density = normal.logpdf(target.numpy()) + 0.5 * np.log(2 * np.pi)
    expected = -np.where(at_floor.numpy() > 0, normal.logcdf(target.numpy()), density).mean(axis=(1, 2))
    np.testing.assert_allclose(found.numpy(), expected, rtol=1e-5)


def test_gaussian_nll_far_above_a_floor_stays_finite():
    output = torch.tensor([[[50.0], [-20.0]]]).requires_grad_(True)
    loss = losses.censored(
        "gaussian_nll", output, torch.zeros(1, 1, 1), torch.ones(1, 1), torch.ones(1, 1, 1)
    ).sum()
    loss.backward()
    assert torch.isfinite(loss)
    assert torch.isfinite(output.grad).all()
    assert output.grad[0, 0] > 0


def test_adjusted_correlation_equals_scipy():
    values = torch.randn(MEMBERS, 3, ROWS, dtype=torch.float64)
    values[:, 1] += 0.7 * values[:, 0]
    weight = functional.pad(uniform_weight(ROWS - 4).double(), (0, 4))
    found = losses.adjusted_correlation(values, weight)
    n = ROWS - 4
    error = 1 / np.sqrt(n - 3)
    for member in range(MEMBERS):
        for i, j in ((0, 1), (0, 2), (1, 2)):
            rho = stats.pearsonr(values[member, i, :n], values[member, j, :n]).statistic
            expected = max(0.0, (abs(rho) - error) / (1 - error))
            assert found[member, i, j].item() == pytest.approx(expected, abs=1e-9)


def test_latent_correlation_terms_follow_their_formulas():
    z, y = torch.randn(MEMBERS, 4, ROWS).double(), torch.randn(MEMBERS, 1, ROWS).double()
    y = y + z[:, :1]
    weight = uniform_weight().double()
    target, decorrelation = losses.latent_correlations(z, y, weight)
    rho = losses.adjusted_correlation(torch.cat([z, y], dim=1), weight).numpy()
    pairs = [(i, j) for i in range(4) for j in range(i + 1, 4)]
    for member in range(MEMBERS):
        assert target[member].item() == pytest.approx(1 - rho[member, 0, 4])
        expected = np.mean([np.sin(np.pi / 2 * rho[member, i, j]) ** 2 for i, j in pairs])
        assert decorrelation[member].item() == pytest.approx(expected)


def test_constant_latents_have_finite_gradients():
    z = torch.zeros(MEMBERS, 2, ROWS, requires_grad=True)
    target, decorrelation = losses.latent_correlations(z, torch.randn(MEMBERS, 1, ROWS), uniform_weight())
    (target + decorrelation).sum().backward()
    assert torch.isfinite(z.grad).all()


# the autoencoder


def test_shapes_of_every_interface():
    heads = {**model().heads, "energy": Head(loss="gaussian_nll")}
    specification = model(heads=heads)
    network = Autoencoder(specification, SHAPES, range(MEMBERS))
    z, log_std = network.encode(torch.randn(MEMBERS, ROWS, 7))
    assert z.shape == (MEMBERS, ROWS, 2)
    assert log_std is None
    blocks = network.decode(z)
    assert {name: value.shape[-1] for name, value in blocks.items()} == SHAPES.blocks
    for name in ("A", "solvent"):
        torch.testing.assert_close(blocks[name].sum(dim=-1), torch.ones(MEMBERS, ROWS))
    predicted = network.predict(z)
    assert all(part.shape == (MEMBERS, ROWS) for pair in predicted.values() for part in pair)
    assert predicted["gap"][1].isnan().all()
    assert (predicted["energy"][1] > 0).all()
    terms = network.loss(batch(specification))
    assert list(terms) == list(network.term_weights) == list(heads)
    assert all(value.shape == (MEMBERS,) for value in terms.values())


def test_penalties():
    penalties = {"l1": 0.1, "l2": 0.2, "l1_encoder": 0.3, "latent_decorrelation": 1.0}
    network = Autoencoder(model(penalties=penalties), SHAPES, range(MEMBERS))
    network.flat += 0.01
    terms = network.loss(batch(model()))
    assert network.term_weights["l2"] == 0.2
    torch.testing.assert_close(terms["l1"], network.flat.abs().sum(dim=1))
    torch.testing.assert_close(terms["l2"], network.flat.square().sum(dim=1))
    encoder = [value for name, value in network.weights.items() if name.startswith("encoder")]
    matrices = [value for value in encoder if value.shape[2] > 1]
    torch.testing.assert_close(terms["l1_encoder"], sum(value.abs().sum(dim=(1, 2)) for value in matrices))


def test_members_do_not_touch_each_other():
    specification = model(penalties={"l1": 0.1, "latent_target_correlation": 1.0})
    network = Autoencoder(specification, SHAPES, range(MEMBERS))
    network.flat.requires_grad_()
    network.loss(batch(specification))["gap"][1].backward()
    touched = network.flat.grad.abs().sum(dim=1) > 0
    assert touched.tolist() == [False, True, False]


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"inputs": ("nothing",)}, "inputs.nothing"),
        ({"heads": {"nothing": Head()}}, "heads.nothing"),
        ({"heads": {"gap": Head(loss="cross_entropy")}}, "cross_entropy.*does not fit the target"),
        ({"heads": {"descriptors": Head(loss="cross_entropy")}}, "cross_entropy.*does not fit the block"),
        (
            {"heads": {"descriptors": Head(floor=0.0)}},
            "Only a target has a floor",
        ),
    ],
)
def test_specification_that_does_not_fit_the_data_is_named(changes, text):
    with pytest.raises(InputError, match=text):
        Autoencoder(model(**changes), SHAPES, [0])


# random numbers


def test_random_bits_depend_on_member_epoch_stream_and_place_alone():
    keys = torch.tensor([11, -7, 12345], dtype=torch.int32)
    bits = random_bits(keys, 3, 1, 5, 20)
    assert torch.equal(random_bits(keys[1:2], 3, 1, 5, 20)[0], bits[1])
    assert torch.equal(random_bits(keys, 3, 1, 5, 33)[..., :20], bits)
    for other in (random_bits(keys, 4, 1, 5, 20), random_bits(keys, 3, 2, 5, 20), bits.roll(1, 0)):
        assert (other == bits).float().mean() < 0.01


def test_random_bits_are_uniform():
    bits = random_bits(torch.arange(4, dtype=torch.int32), 1, 1, 50, 500).double()
    unit = (bits.flatten().numpy() + 2**31) / 2**32
    assert stats.kstest(unit, "uniform").pvalue > 1e-3
    neighbours = np.corrcoef(unit[:-1], unit[1:])[0, 1]
    assert abs(neighbours) < 0.02


def test_dropout_drops_its_share_and_keeps_the_mean():
    keys = torch.arange(MEMBERS, dtype=torch.int32)
    noise = Noise(keys, 1, 2000)
    dropped = noise.dropout(torch.ones(MEMBERS, 20, 2000), 0.1)
    assert (dropped == 0).float().mean().item() == pytest.approx(0.1, abs=0.005)
    assert dropped.mean().item() == pytest.approx(1.0, abs=0.01)
    step = noise.at(slice(100, 110)).dropout(torch.ones(MEMBERS, 20, 10), 0.1)
    assert torch.equal(step, dropped[..., 100:110])


# joint


def test_gradient_of_the_child_reaches_the_encoder_of_its_parent():
    encoder = Encoder(latents=2)
    parent = AutoencoderSpecification(inputs=("descriptors",), encoder=encoder, heads={"gap": Head()})
    child = AutoencoderSpecification(
        inputs=("A", "fine"), encoder=Encoder(latents=2), heads={"energy": Head(), "fine": Head()}
    )
    shapes = Shapes({"A": 3, "fine": 2}, {"A": "simplex", "fine": "continuous"}, ["energy"])
    joint = JointModel(
        Autoencoder(child, shapes, range(MEMBERS)), {"fine": Autoencoder(parent, SHAPES, range(MEMBERS))}
    )
    joint.flat.requires_grad_()
    rows = Batch(torch.randn(MEMBERS, 3, ROWS), {"energy": torch.randn(MEMBERS, 1, ROWS)}, uniform_weight())
    own = Batch(torch.randn(MEMBERS, 4, 30), {"gap": torch.randn(MEMBERS, 1, 30)}, uniform_weight(30))
    features = torch.randn(MEMBERS, 4, ROWS)
    terms = joint.loss(JointBatch(rows, {"fine": own}, {"fine": features}))
    assert list(terms) == list(joint.term_weights) == ["energy", "fine", "fine.gap"]
    (gradient,) = torch.autograd.grad(terms["energy"].sum(), joint.flat)
    theirs = joint.parents["fine"].layout.views(gradient[:, joint.sizes[0] :])
    assert theirs["encoder.0.weight"].abs().sum() > 0
    assert theirs["heads0.0.weight"].abs().sum() == 0
    x = {"child": rows.inputs.transpose(1, 2), "fine": features.transpose(1, 2)}
    z, _ = joint.encode(x)
    assert z.shape == (MEMBERS, ROWS, 2)
    assert joint.predict(z)["energy"][0].shape == (MEMBERS, ROWS)
    assert joint.decode(z)["fine"].shape == (MEMBERS, ROWS, 2)
