"""Generative models of materials: densities, samples, files, and the search that asks them."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch
from torch.distributions import Categorical, MixtureSameFamily, MultivariateNormal

from nestmat.errors import InputError
from nestmat.models.flow import ConditionalFlow, FlowSettings
from nestmat.models.invertible import BACKWARD_KERNELS, Invertible, InvertibleSettings, discrepancy
from nestmat.models.mixture_density import MixtureDensity, MixtureSettings
from nestmat.search.generators.files import read_generators, write_generators
from nestmat.search.generators.flow import FlowOptions
from nestmat.search.generators.invertible import InvertibleOptions
from nestmat.search.generators.mixture_density import MixtureDensityOptions
from nestmat.search.generators.network import Condition
from nestmat.search.generators.pseudo_labels import PseudoLabelling
from nestmat.search.generators.retrieval import RetrievalOptions
from nestmat.search.generators.uniform import UniformOptions
from nestmat.search.generators.variational import VariationalOptions
from nestmat.search.methods.base import SearchContext
from nestmat.search.methods.generative import Generative, localise
from nestmat.search.problem import Constraint, Problem, Target
from nestmat.search.spaces.alloys import Alloy
from nestmat.search.spaces.box import Box
from nestmat.search.spaces.factors import Interval
from nestmat.search.spaces.simplex import Simplex

CPU = torch.device("cpu")
SPACE = Box([Interval("a", 0.0, 1.0), Interval("b", 2.0, 4.0), Interval("idle", -1.0, 1.0)], [])
SMALL = {"width": 32, "steps": 400, "batch": 128}
NETWORKS = {
    "flow": FlowOptions(**SMALL),
    "invertible": InvertibleOptions(**SMALL, blocks=4),
    "mixture_density": MixtureDensityOptions(**SMALL),
    "conditional_vae": VariationalOptions(steps=600, latents=3),
}


def quantity(x):
    """What is asked for: 0 in a corner of the box, else up to 2."""
    return (2 * x[:, 0] + (x[:, 1] - 2) - 1).clip(0)


def rows(n=1500):
    x = SPACE.sample(n, 0)
    return x, quantity(x)


def problem(value=1.0, **told):
    def predict(x):
        mean = quantity(x)
        return {"q": (mean, 0.01 + 0.1 * (x[:, 2] + 1))}

    return Problem(SPACE, predict, [Target("q", "value", value, tolerance=0.1)], **told)


@pytest.mark.parametrize("transform", ["affine", "spline"])
def test_a_flow_is_inverted_and_its_density_is_that_of_the_change_of_variables(transform):
    flow = ConditionalFlow(3, 2, FlowSettings(transform, blocks=2, width=16), seed=1)
    x, c = torch.randn(50, 3), torch.randn(50, 2)
    assert flow.inverse_error(x, c) < 1e-5
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


def test_the_first_weights_follow_from_the_seed_and_leave_the_global_generator_alone():
    torch.manual_seed(3)
    before = torch.random.get_rng_state()
    one, same, other = (ConditionalFlow(3, 1, FlowSettings(width=8), seed) for seed in (0, 0, 1))
    assert torch.equal(torch.random.get_rng_state(), before)
    flat = [torch.cat([p.flatten() for p in flow.parameters()]) for flow in (one, same, other)]
    assert torch.equal(flat[0], flat[1])
    assert not torch.equal(flat[0], flat[2])


def test_the_discrepancy_is_the_mean_of_kernels():
    a, b = torch.randn(5, 2, dtype=torch.float64), torch.randn(7, 2, dtype=torch.float64) + 1

    def kernel(x, y):
        square = float((x - y).square().sum())
        return sum((c * e / (c + square)) ** e for c, e in BACKWARD_KERNELS)

    def mean(left, right):
        return np.mean([kernel(x, y) for x, y in itertools.product(left, right)])

    expected = mean(a, a) + mean(b, b) - 2 * mean(a, b)
    assert float(discrepancy(a, b, BACKWARD_KERNELS)) == pytest.approx(expected)
    assert float(discrepancy(a, a, BACKWARD_KERNELS)) == pytest.approx(0, abs=1e-12)


def test_an_invertible_network_gives_back_the_numbers_that_it_read():
    network = Invertible(3, 1, InvertibleSettings(width=16), seed=0)
    x = torch.randn(20, 3)
    made = network.flow().transform(x)
    assert torch.allclose(network.flow().transform.inv(made), x, atol=1e-5)


def test_a_mixture_has_the_density_of_its_components():
    network = MixtureDensity(2, 1, MixtureSettings(components=3, width=8), seed=0)
    x, c = torch.randn(4, 2), torch.randn(4, 1)
    log_weight, mean, factor = network._parts(c)
    # The factor L is of the inverse covariance: white noise is L (x - mean).
    precision = factor.transpose(2, 3) @ factor
    parts = MultivariateNormal(mean, precision_matrix=precision)
    peer = MixtureSameFamily(Categorical(logits=log_weight), parts)
    loss = network.loss(x, c, torch.Generator())
    assert loss.item() == pytest.approx(-peer.log_prob(x).mean().item(), rel=1e-4)


def test_samples_of_a_mixture_have_its_mean_and_covariance():
    network = MixtureDensity(2, 1, MixtureSettings(components=1, width=8), seed=0)
    c = torch.zeros(20_000, 1)
    _, mean, factor = network._parts(c[:1])
    with torch.no_grad():
        x = network.sample(c, torch.Generator().manual_seed(0))
    covariance = torch.linalg.inv(factor[0, 0].T @ factor[0, 0])
    assert torch.allclose(x.mean(dim=0), mean[0, 0], atol=0.05)
    assert torch.allclose(torch.cov(x.T), covariance, atol=0.06 * float(covariance.max()))


def test_a_value_that_many_rows_share_is_told_apart():
    condition = Condition(indicators=True)
    condition.fit(np.array([0.0] * 50 + list(np.linspace(1, 2, 50))))
    told = condition(torch.tensor([0.0, 1e-6, 1.5], dtype=torch.float64))
    assert told[:, 1].tolist() == [1, 0, 0]
    condition.fit(np.linspace(0, 1, 100))
    assert condition(torch.zeros(1, dtype=torch.float64))[0, 1] == 0


@pytest.mark.parametrize("kind", NETWORKS)
def test_a_trained_model_gives_what_is_asked_for_within_the_space(kind):
    torch.set_num_threads(1)
    x, y = rows()
    model = NETWORKS[kind].build(SPACE, 0)
    curve = model.fit(x, y, CPU)
    train = curve.loc[curve["split"] == "train", "loss"]
    assert train.iloc[-5:].mean() < train.iloc[:5].mean()
    for value in (0.5, 1.5):
        made = model.sample(value, 400, seed=1)
        assert np.array_equal(SPACE.canonical(made), made)
        # Uniform materials are 0.6 away on average.
        assert np.abs(quantity(made) - value).mean() < 0.3
        assert not np.array_equal(made, model.sample(value, 400, seed=2))
        assert np.array_equal(made, model.sample(value, 400, seed=1))


def test_raw_coordinates_may_leave_the_space_and_bounded_ones_never_do():
    x, y = rows(300)
    told = {"steps": 30, "batch": 64, "width": 16}
    raw = FlowOptions(**told, coordinates="raw").build(SPACE, 0)
    raw.fit(x, y, CPU)
    made = raw.sample(1.0, 500, 0)
    assert (np.abs(SPACE.canonical(made) - made) > 1e-6).any()
    bounded = FlowOptions(**told).build(SPACE, 0)
    bounded.fit(x, y, CPU)
    made = bounded.sample(1.0, 500, 0)
    assert np.array_equal(SPACE.canonical(made), made)


def test_a_flow_refuses_a_space_of_shares():
    with pytest.raises(InputError, match="needs a space of numbers in intervals"):
        FlowOptions().build(Alloy(Simplex(["Fe", "Ni"], 4)), 0)


def test_a_training_that_diverges_is_told():
    x, y = rows(200)
    model = FlowOptions("affine", steps=60, rate=1e18, width=8, batch=32).build(SPACE, 0)
    with pytest.raises(InputError, match="diverged"):
        model.fit(x, y, CPU)


def test_retrieval_gives_rows_near_the_value_each_once():
    x, y = rows(200)
    model = RetrievalOptions(width=0.2).build(SPACE, 0)
    model.fit(x, y, CPU)
    made = model.sample(1.0, 1000, 0)
    assert len(made) == (np.abs(y - 1.0) <= 0.2).sum()
    assert len(np.unique(made, axis=0)) == len(made)
    assert np.all(np.abs(quantity(made) - 1.0) <= 0.2)
    assert len(model.sample(1.0, 3, 0)) == 3


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        ("flow", FlowOptions(width=8, steps=2, batch=16)),
        ("conditional_vae", VariationalOptions(steps=2, latents=2)),
        ("retrieval", RetrievalOptions()),
        ("uniform", UniformOptions()),
    ],
)
def test_models_are_read_back_as_they_were_written(tmp_path, kind, options):
    x, y = rows(100)
    models = [options.build(SPACE, seed) for seed in range(2)]
    for model in models:
        model.fit(x, y, CPU)
    file = tmp_path / "models.safetensors"
    write_generators(models, file, {"kind": kind})
    again = read_generators(file, SPACE, options)
    assert len(again) == 2
    for model, copy in zip(models, again, strict=True):
        assert np.array_equal(model.sample(0.5, 20, 4), copy.sample(0.5, 20, 4))


def test_a_file_of_other_models_is_refused(tmp_path):
    file = tmp_path / "models.safetensors"
    write_generators([UniformOptions().build(SPACE, 0)], file, {})
    with pytest.raises(InputError, match="does not hold the generators of FlowOptions"):
        read_generators(file, SPACE, FlowOptions())
    with pytest.raises(InputError, match="does not hold the generators of FlowOptions"):
        read_generators(tmp_path / "none.safetensors", SPACE, FlowOptions())


def test_a_teacher_gives_rows_of_the_space_that_the_model_is_sure_of():
    x, y = rows(400)

    def predict(given):
        return quantity(given), given[:, 0]

    teacher = PseudoLabelling(rows=2000, uniform=0.5, jitter=0.2, spread=0.3)
    taught, said = teacher(SPACE, x, y, predict, seed=0)
    assert 0 < len(taught) < 2000
    assert np.array_equal(SPACE.canonical(taught), taught)
    assert taught[:, 0].max() <= 0.3
    assert np.allclose(said, quantity(taught))
    alone, _ = PseudoLabelling(rows=100, uniform=0.0, jitter=1e-9, spread=9.0)(SPACE, x, y, predict, seed=0)
    # Rows of 0, which a quarter share, are not moved: they would only add more of the same.
    assert quantity(alone).min() > 0


class Samples:
    """Materials that do not follow what is asked for, and some of them outside."""

    def __init__(self, outside=0):
        self.outside = outside

    def sample(self, value, n, seed):
        x = SPACE.sample(n, seed)
        x[: self.outside, 0] = 1.5
        return x


def test_samples_outside_of_the_space_are_counted_and_left_out():
    found = Generative(samples=50).bind(SearchContext([Samples(outside=8)])).propose(problem(), 1000, 0)
    assert found.details == {"sampled": 50, "inside": 42, "kept": 42}
    assert len(found.x) == 42
    assert found.evaluations == 42


def test_the_filter_keeps_what_the_model_puts_near_the_value_and_what_keeps_the_constraints():
    bound = Constraint("q", high=0.05, of="std")
    wanted = problem(constraints=[bound])
    found = Generative(samples=400, accept=0.05).bind(SearchContext([Samples()])).propose(wanted, 1000, 0)
    x = SPACE.sample(400, 0)
    expected = (np.abs(quantity(x) - 1.0) <= 0.05) & (0.01 + 0.1 * (x[:, 2] + 1) <= 0.05)
    assert 0 < len(found.x) == expected.sum() < 400
    distance = found.table["distance"].to_numpy()
    assert np.all(np.diff(distance) >= 0)


def test_localisation_moves_samples_to_the_value_and_leaves_other_numbers_alone():
    x = SPACE.sample(200, 0)
    # Where the prediction is flat, at 0, there is nowhere to go.
    x = x[quantity(x) > 0.2]
    free = localise(problem(), x, Generative(steps=500, rate=0.05, prior=0.0))
    held = localise(problem(), x, Generative(steps=500, rate=0.05, prior=1.0))
    assert np.abs(quantity(free) - 1.0).max() < 0.02
    assert np.abs(held - x).mean() < np.abs(free - x).mean()
    assert np.array_equal(SPACE.canonical(free), free)
    # Ends of an interval are a thousandth inside it.
    assert np.allclose(free[:, 2], x[:, 2], atol=2e-3)


def test_localisation_along_raw_numbers_is_plain_descent_on_the_mean():
    x = SPACE.sample(10, 0)
    x = x[quantity(x) > 0.2]
    moved = localise(problem(), x, Generative(steps=1, rate=0.5, scaled=False))
    slope = 2 * (quantity(x) - 1.0)[:, None] * np.array([2.0, 1.0, 0.0]) / len(x)
    assert np.allclose(moved, x - 0.5 * slope)


def test_what_localisation_takes_out_of_the_space_is_left_out():
    settings = Generative(samples=100, near=1.0, steps=5, rate=200.0, scaled=False)
    found = settings.bind(SearchContext([Samples()])).propose(problem(), 5000, 0)
    assert found.details["localised_inside"] < found.details["near"]
    assert np.array_equal(SPACE.canonical(found.x), found.x)


def test_searches_take_the_models_of_their_seed():
    bound = Generative(samples=10).bind(SearchContext([Samples(), Samples(outside=10)]))
    assert [bound.propose(problem(), 100, seed).details["inside"] for seed in range(4)] == [10, 0, 10, 0]


@pytest.mark.parametrize(
    ("settings", "wanted", "budget", "told"),
    [
        (Generative(samples=100), problem(), 10, "too small for the samples"),
        (
            Generative(),
            Problem(SPACE, problem().predict, [Target("q", "maximise")]),
            10_000,
            "needs one target with a value",
        ),
    ],
)
def test_faults_of_a_generative_search_are_told(settings, wanted, budget, told):
    with pytest.raises(InputError, match=told):
        settings.bind(SearchContext([Samples()])).propose(wanted, budget, 0)
