"""Search in the latents of a trained scale, and with a conditional variational autoencoder."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
import torch
from scipy import stats

from nestmat import tables
from nestmat.config.features import FeatureBlock
from nestmat.errors import InputError
from nestmat.features.differentiable import feature_map
from nestmat.features.table import featurize
from nestmat.materials import ions
from nestmat.materials.formulas import parse_many
from nestmat.models.autoencoder.specification import AutoencoderSpecification
from nestmat.models.keys import ModelKey
from nestmat.models.specification import Encoder, Head, Training
from nestmat.scales.chain import Chain
from nestmat.scales.propagate import propagate_latents
from nestmat.scales.train import TrainingJob, train_scale
from nestmat.search.generators.conditional_vae import ConditionalVAE, ConditionalVAESettings
from nestmat.search.interpolation import interpolate
from nestmat.search.methods.latent import Latent, LatentSpace, chi_square_quantile
from nestmat.search.methods.random_search import RandomSearch
from nestmat.search.methods.vae import VAE
from nestmat.search.problem import Constraint, Problem, Target, order
from nestmat.search.spaces.alloys import ABX3Alloy, Alloy
from nestmat.search.spaces.box import Box
from nestmat.search.spaces.factors import Choice, Fixed, Interval
from nestmat.search.spaces.pool import Pool
from nestmat.search.spaces.product import Product
from nestmat.search.spaces.simplex import Simplex
from nestmat.search.surrogate import Surrogate

SPECIES = {"A": ["K", "Cs"], "B": ["Sn", "Pb", "Ca"], "X": ["Cl", "Br", "I"]}
SITES = {site: FeatureBlock(site=site) for site in SPECIES}
OTHERS = {"strain": FeatureBlock(columns=["strain"]), "solvent": FeatureBlock(one_hot="solvent")}
BLOCKS = {
    "ions": {**SITES, "descriptors": FeatureBlock(site_descriptors=["A", "B", "X"])},
    "cell": OTHERS,
}
TRAINING = Training(epochs=150, batch_size=64, learning_rate=0.01, schedule="cosine", seeds=2)
MODELS = {
    "ions": AutoencoderSpecification(
        inputs=(*SITES, "descriptors"),
        encoder=Encoder(latents=6, hidden=(32,)),
        heads={site: Head(hidden=(32,), loss="cross_entropy") for site in SPECIES}
        | {"descriptors": Head(hidden=(32,), loss="mse")},
        training=TRAINING,
    ),
    "cell": AutoencoderSpecification(
        inputs=("ions", *OTHERS),
        encoder=Encoder(latents=3, hidden=(16,)),
        heads={"gap": Head(hidden=(16,))},
        training=TRAINING,
    ),
}
WEIGHTS = {"A:Cs": 0.1, "B:Sn": 0.3, "B:Pb": 0.8, "B:Ca": 3.0, "X:Cl": 1.5, "X:Br": 0.8}


@pytest.fixture(scope="module")
def space():
    return ABX3Alloy(
        {site: Simplex(names, 4, site=site, most=2) for site, names in SPECIES.items()},
        {name: ions.ion(name).charge for names in SPECIES.values() for name in names},
        [Interval("strain", -0.02, 0.02, 9), Choice("solvent", ["DMF", "DMSO"])],
    )


@pytest.fixture(scope="module")
def surrogate(space, tmp_path_factory):
    """A chain of two scales: ions, which decodes the sites, and cell, which predicts a gap."""
    torch.set_num_threads(1)
    folder = tmp_path_factory.mktemp("trained")
    x = pd.DataFrame(space.sample(300, seed=3), columns=list(space.columns))
    formulas = space.formulas(x.to_numpy())
    table = pd.DataFrame(
        {
            "row_id": range(len(x)),
            "row": range(1, len(x) + 1),
            "formula": formulas,
            "material": [formula.key for formula in parse_many(formulas).formulas],
            "strain": x["strain"],
            "solvent": np.where(x["solvent=DMF"] == 1, "DMF", "DMSO"),
        }
    )
    gap = sum(weight * x[name] for name, weight in WEIGHTS.items()) + 10 * x["strain"]
    weights, maps = {}, {}
    for scale, blocks in BLOCKS.items():
        made = featurize(table, BLOCKS["ions"] | blocks)
        frame, schema = made.frame, dict(made.schema)
        if scale == "cell":
            frame, schema["gap"] = frame.assign(gap=gap), tables.Column("float64", "eV", "target")
        tables.write(folder / f"{scale}.parquet", frame, schema, {"blocks": made.blocks})
        folds = frame[["row_id", "material"]].assign(protocol="strict", repeat=0, fold=frame["row_id"] % 2)
        folds = folds.assign(role="labelled", together=-1)
        tables.write(folder / f"{scale}.folds.parquet", folds, tables.FOLDS, {"folds": {"strict": 2}})
        if scale == "cell":
            propagate_latents(
                weights["ions"], folder / "cell.parquet", folder / "ions__cell.parquet", pass_prediction=False
            )
        weights[scale] = folder / f"{scale}.safetensors"
        train_scale(
            TrainingJob(
                key=ModelKey(scale, "strict", "nested"),
                specification=MODELS[scale],
                features=folder / f"{scale}.parquet",
                folds=folder / f"{scale}.folds.parquet",
                parents={"ions": folder / "ions__cell.parquet"} if scale == "cell" else {},
                weights=weights[scale],
                card=folder / f"{scale}.json",
                **{key: folder / f"{scale}.{key}.parquet" for key in ("history", "predictions", "latents")},
            )
        )
        columns = {name: made.blocks[name]["columns"] for name in blocks}
        maps[scale] = feature_map(blocks, columns, space.columns)
    return Surrogate(Chain(weights), maps)


def asked(space, predict, **changes):
    given = {
        "targets": [Target("cell.gap", "range", 1.5, 1.7, tolerance=0.05)],
        "constraints": [Constraint("cell.gap", low=1.0)],
    }
    return Problem(space, predict, **(given | changes))


@pytest.fixture(scope="module")
def problem(space, surrogate):
    return asked(space, surrogate)


def test_a_chain_encodes_and_decodes_a_scale_as_its_model_does(space, surrogate):
    x = torch.from_numpy(space.sample(200, seed=9))
    features = {scale: surrogate.maps[scale](x) for scale in BLOCKS}
    chain = surrogate.chain
    z = surrogate.encode("ions", x)
    assert chain.scales == ["ions", "cell"]
    assert torch.equal(z, chain(features)["ions"].latents)
    assert torch.equal(surrogate.encode("cell", x), chain(features)["cell"].latents)
    assert chain.fractions("cell") == {}
    assert set(chain.fractions("ions")) == set(SPECIES)
    blocks = chain.decode("ions", z)
    assert blocks["A"].shape == (2, 200, 2)
    torch.testing.assert_close(blocks["X"].sum(dim=2), torch.ones(2, 200, dtype=torch.float64))
    # Descriptors come back in their own units.
    given = dict(zip(surrogate.maps["ions"].columns, features["ions"].T, strict=True))["X_mass"]
    columns = [name for name in surrogate.maps["ions"].columns if name.partition("_")[0] in SPECIES]
    found = blocks["descriptors"][0][:, columns.index("X_mass")]
    assert (found - given).abs().mean() < 0.1 * given.std()
    # The first members alone decode as they do among the others.
    torch.testing.assert_close(chain.decode("ions", z[:1])["B"][0], blocks["B"][0])


def test_latents_are_white_and_decode_to_materials_that_keep_the_rules(space, problem):
    latents = LatentSpace(problem)
    assert latents.scale == "ions"
    w = latents.whiten(torch.from_numpy(latents.reference)).detach()
    torch.testing.assert_close(w.mean(dim=0), torch.zeros_like(w[0]), atol=1e-6, rtol=0)
    torch.testing.assert_close(torch.cov(w.T), torch.eye(len(w.T), dtype=w.dtype), atol=1e-6, rtol=0)
    made = latents.from_free(torch.from_numpy(latents.draw(300, [0, 1]))).detach().numpy()
    for site, part in zip(SPECIES, space.split(made), strict=False):
        np.testing.assert_allclose(part.sum(axis=1), 1, atol=1e-9)
        assert ((part > 0).sum(axis=1) <= 2).all(), site
    x = space.sample(300, seed=8)
    again = latents.from_free(torch.from_numpy(latents.to_free(x))).detach().numpy()
    assert latents.site_distance(x, again).mean() < 0.15 < latents.site_distance(x, x[::-1]).mean()
    # What the scale does not decode has free numbers of its own.
    np.testing.assert_array_equal(space.canonical(again)[:, 8:], x[:, 8:])
    assert LatentSpace(problem, "ions", seed=0).dimensions == latents.dimensions


def test_the_way_out_of_the_ball_is_a_violation_with_a_slope(problem):
    latents = LatentSpace(problem, shell=0.5)
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


def test_latent_search_proposes_materials_of_the_space_and_tells_of_its_latents(space, problem):
    method = Latent(keep=50, starts=40)
    found, again = (method.propose(problem, budget=3000, seed=1) for _ in range(2))
    np.testing.assert_array_equal(found.x, again.x)
    assert found.evaluations <= 3000
    np.testing.assert_array_equal(space.canonical(found.x), found.x)
    assert len(np.unique(found.x, axis=0)) == len(found.x)
    np.testing.assert_array_equal(order(found.table), np.arange(len(found.x)))
    assert json.loads(json.dumps(found.details)) == found.details == again.details
    drawn = RandomSearch(keep=50).propose(problem, budget=3000, seed=1)
    assert found.table["hit"].sum() >= drawn.table["hit"].sum()
    near = found.details["consistency"]
    assert set(near) == {"rest", "proposed", "normal", "random"}
    assert 0 < near["random"]["mean"] < near["random"]["p95"] < near["normal"]["p95"]
    assert near["rest"]["inside"] > 0.9
    assert near["normal"]["inside"] == pytest.approx(0.95, abs=0.03)
    assert found.details["site_error"] < 0.15


def test_descent_in_the_latents_reaches_what_a_sample_does_not_hold(space, surrogate):
    problem = asked(space, surrogate, targets=[Target("cell.gap", "maximise")])
    drawn = RandomSearch(keep=5).propose(problem, budget=300, seed=2)
    found = Latent(keep=5, climbs=1, polished=0.0).propose(problem, budget=6000, seed=2)
    assert found.table["distance"].iloc[0] < drawn.table["distance"].iloc[0]


def test_what_has_no_latents_of_sites_is_refused(space, surrogate, problem):
    def free(x):
        return {"cell.gap": (x[:, 0], x[:, 0])}

    cases = [
        (asked(space, free), None, "needs a trained chain"),
        (problem, "device", "Unknown scale 'device'"),
        (problem, "cell", "No head of cell decodes"),
    ]
    for given, scale, message in cases:
        with pytest.raises(InputError, match=message):
            Latent(scale=scale).propose(given, budget=3000, seed=0)
    with pytest.raises(InputError, match="too small"):
        Latent().propose(problem, budget=20, seed=0)


def test_ways_between_materials_are_measured(space, problem):
    a, b = space.sample(2, seed=5)
    latents = LatentSpace(problem)
    points, measures = interpolate(problem, a, b, steps=11)
    assert list(points.columns[:3]) == ["path", "step", "position"]
    assert points.groupby("path").size().to_dict() == {"line": 11, "mixing": 11, "slerp": 11}
    value = measures.set_index(["path", "measure", "quantity"])["value"]
    x = {path: part[list(space.columns)].to_numpy() for path, part in points.groupby("path")}
    np.testing.assert_allclose(x["mixing"][[0, -1]], [a, b], atol=1e-12)
    decoded = latents.from_free(torch.from_numpy(latents.to_free(np.stack([a, b])))).detach().numpy()
    for path in ("line", "slerp"):
        np.testing.assert_allclose(x[path][[0, -1], :8], decoded[:, :8], atol=1e-6)
        np.testing.assert_array_equal(x[path][:, 8:], x["mixing"][:, 8:])
        error = latents.site_distance(decoded, np.stack([a, b])).max()
        assert value[path, "end_error", ""] == pytest.approx(error, abs=1e-6)
        assert value[path, "allowed", ""] == 1
    assert value["mixing", "end_error", ""] == 0
    assert value["mixing", "largest_step", ""] == pytest.approx(latents.site_distance(a, b) / 10)
    gap = points.loc[points["path"] == "line", "cell.gap.mean"].to_numpy()
    ends = problem.evaluate(np.stack([a, b]))["cell.gap.mean"]
    share = (np.diff(gap) * (ends[1] - ends[0]) > 0).mean()
    assert value["line", "monotonicity", "cell.gap"] == share
    # A level is one or the other, and two halves of the way have one each.
    assert set(np.unique(points["solvent=DMF"])) <= {0.0, 1.0}
    with pytest.raises(InputError, match="no two ends"):
        interpolate(problem, a, b, steps=1)


def test_mixing_may_need_more_species_than_a_site_has_room_for(space, problem):
    a = space.sample(1, seed=0)[0]
    a[:8] = [1, 0, 0.5, 0.5, 0, 1, 0, 0]
    b = a.copy()
    b[2:5] = [0, 0.5, 0.5]
    measures = interpolate(problem, a, b, steps=5).measures
    allowed = measures[measures["measure"] == "allowed"].set_index("path")["value"]
    assert allowed.to_dict() == {"line": 1.0, "slerp": 1.0, "mixing": 0.4}
    same = interpolate(problem, a, a, steps=3).measures
    assert same.loc[same["measure"] == "monotonicity", "value"].isna().all()


def mixed_space():
    """Every kind of factor."""
    return Product(
        [
            Simplex([f"e{k}" for k in range(6)], 4, most=2),
            Interval("t", -1.0, 3.0, 9),
            Interval("phase", 0.0, 360.0, 12, periodic=True),
            Choice("layer", ["a", "b", "c"]),
            Fixed("p", 2.0),
        ]
    )


def conditions(x):
    """Two numbers that shares, t, phase and layer tell."""
    weights = np.linspace(0, 3, 6)
    return np.stack(
        [x[:, :6] @ weights + 0.3 * x[:, 6], np.cos(np.radians(x[:, 7])) + x[:, 9] - x[:, 10]], axis=1
    )


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
    _, network, x, y = fitted(beta=1000.0, free_bits=0.0, steps=300)
    told = network.diagnose(x[:200], y[:200])
    assert told["active"] == 0
    assert sum(told["divergence"]) < 0.01
    assert told["exact"] < 0.1


def test_what_a_network_makes_follows_its_conditions():
    space, network, x, _ = fitted(steps=800)
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


def rare(target):
    """A wanted range that one material in a hundred meets."""

    def predict(x):
        y = torch.from_numpy(conditions(x.numpy()))
        nothing = torch.full((len(x),), torch.nan, dtype=torch.float64)
        return {"a": (y[:, 0], nothing), "below": (y[:, 0] - 5, nothing), "b": (y[:, 1], nothing)}

    return Problem(mixed_space(), predict, [target], [Constraint("b", low=1.2, tolerance=0.1)])


RANGE = Target("a", "range", 2.4, 2.6, tolerance=0.1)


@pytest.mark.parametrize(
    ("target", "low", "high"),
    [
        (RANGE, 2.4, 2.6),
        (Target("below", "value", -2.5), -2.5, -2.5),
        (Target("a", "maximise"), 2.5, np.inf),
        (Target("below", "minimise"), -np.inf, -3.5),
    ],
    ids=["range", "value", "maximise", "minimise"],
)
def test_what_is_asked_for_meets_targets_and_constraints(target, low, high, monkeypatch):
    asked = []
    sample = ConditionalVAE.sample

    def recorded(network, y, n):
        asked.append(y)
        return sample(network, y, n)

    monkeypatch.setattr(ConditionalVAE, "sample", recorded)
    VAE(steps=10, rounds=2).propose(rare(target), budget=1000, seed=0)
    [unconditional] = [k for k, y in enumerate(asked) if y is None]
    assert unconditional == 1
    y = np.concatenate([y for y in asked if y is not None])
    assert (y[:, 0] >= low).all()
    assert (y[:, 0] <= high).all()
    assert (y[:, 1] >= 1.2).all()
    assert y[:, 1].std() > 0


def test_asking_for_what_is_wanted_hits_more_often_than_drawing():
    problem = rare(RANGE)
    method = VAE(keep=100, steps=800, rounds=3)
    found = method.propose(problem, budget=2000, seed=0)
    assert found.evaluations <= 2000
    assert json.loads(json.dumps(found.details)) == found.details
    rates = found.details["hit_rate"]
    assert rates["conditional"] > 3 * max(rates["uniform"], rates["prior"])
    assert len(found.details["rounds"]) == 3
    assert 0 < found.details["unique"]["conditional"] <= 1
    drawn = RandomSearch(keep=100).propose(problem, budget=2000, seed=0)
    assert found.table["hit"].sum() > 1.5 * drawn.table["hit"].sum()


def test_a_vae_searches_alloys_and_boxes():
    def predict(x):
        value = (x * torch.arange(1.0, 5.0)).sum(dim=1)
        return {"q": (value, torch.zeros_like(value))}

    elements = Simplex(["a", "b", "c", "d"], 8, most=3)
    box = Box([Interval(name, 0.0, 1.0, 9) for name in "abcd"], [{"a": "b", "b": "a"}])
    for space in (Alloy(elements), box):
        problem = Problem(space, predict, [Target("q", "value", 2.5, tolerance=0.05)])
        found = VAE(keep=20, steps=100, rounds=2).propose(problem, budget=300, seed=0)
        np.testing.assert_array_equal(space.canonical(found.x), found.x)
        assert found.evaluations <= 300
        assert found.table["distance"].iloc[0] < 2


def test_what_a_vae_cannot_learn_is_refused():
    problem = rare(RANGE)
    with pytest.raises(InputError, match="too small"):
        VAE().propose(problem, budget=99, seed=0)
    assert VAE(steps=20).propose(problem, budget=100, seed=0).evaluations <= 100
    with pytest.raises(InputError, match="no parts of one budget"):
        VAE(share=0.9)
    undefined = Problem(
        problem.space, problem.predict, [Target("a", "maximise")], [Constraint("b", low=0, of="std")]
    )
    with pytest.raises(InputError, match="Only 0 of"):
        VAE().propose(undefined, budget=200, seed=0)
    pool = Pool(
        pd.DataFrame(problem.space.sample(50, 0), columns=list(problem.space.columns)).drop_duplicates(),
        ["x"] * 50,
    )
    with pytest.raises(InputError, match="learns the factors"):
        VAE().propose(Problem(pool, problem.predict, problem.targets), budget=200, seed=0)
