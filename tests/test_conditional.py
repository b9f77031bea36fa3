"""Search with the latents of a semi-supervised model: decoded draws, patches of the latents, inversions."""

from __future__ import annotations

import dataclasses
import json
import re

import numpy as np
import pandas as pd
import pytest
import torch

from nestmat import tables
from nestmat.config.features import FeatureBlock
from nestmat.config.kinds import UNCHECKED
from nestmat.config.problems import Method
from nestmat.config.spaces import DesignSpace
from nestmat.design.candidates import candidate_table
from nestmat.design.metrics import assess
from nestmat.design.search import build_method
from nestmat.design.spaces import design_space
from nestmat.errors import InputError
from nestmat.features.differentiable import feature_map
from nestmat.features.table import featurize
from nestmat.materials.formulas import parse_many
from nestmat.models.autoencoder.specification import AutoencoderSpecification
from nestmat.models.keys import ModelKey
from nestmat.models.semi_supervised.specification import SemiSupervisedSpecification
from nestmat.models.specification import Encoder, Head, Training
from nestmat.scales.chain import Chain
from nestmat.scales.train import TrainingJob, train_scale
from nestmat.search.interpolation import interpolate
from nestmat.search.methods.base import SearchContext
from nestmat.search.methods.conditional_decoder import ROUNDED, ConditionalDecoder, target_value
from nestmat.search.methods.decode import Decode
from nestmat.search.methods.inversion import Inversion
from nestmat.search.methods.scan import Scan
from nestmat.search.problem import Constraint, Problem, Target, order
from nestmat.search.spaces.alloys import Alloy
from nestmat.search.spaces.factors import Interval
from nestmat.search.spaces.simplex import Simplex
from nestmat.search.surrogate import Surrogate

ELEMENTS = ["Al", "Co", "Cr", "Fe", "Hf", "Mo", "Nb", "Ni", "Ti", "W"]
RULES = {"species": ELEMENTS, "grid": 100, "fewest": 3, "most": 6, "least": 0.05, "greatest": 0.35}
BLOCKS = {"shares": FeatureBlock(elements=ELEMENTS), "solution": FeatureBlock(alloy=True)}
TRAINING = Training(epochs=120, batch_size=64, learning_rate=0.01, schedule="cosine", seeds=2)
MODELS = {
    "conditional": SemiSupervisedSpecification(
        inputs=("shares", "solution"),
        encoder=Encoder(latents=4, hidden=(48,)),
        heads={
            "single": Head(hidden=(32,), loss="binary_cross_entropy", weight=20.0),
            "shares": Head(hidden=(48,), loss="presence"),
        },
        composition="shares",
        classifier=("solution",),
        training=TRAINING,
    ),
    "plain": AutoencoderSpecification(
        inputs=("shares", "solution"),
        encoder=Encoder(latents=3, hidden=(8,)),
        heads={
            "single": Head(hidden=(8,), loss="binary_cross_entropy"),
            "shares": Head(hidden=(8,), loss="cross_entropy"),
        },
        training=dataclasses.replace(TRAINING, epochs=2),
    ),
}
WANTED = Target("phase.single", "maximise", enough=0.5)
METHODS = [
    Decode(samples=200),
    Decode(samples=300, near=0.1, accept=0.6),
    Scan(points=4),
    Inversion(starts=40).bind(SearchContext()),
]


@pytest.fixture(scope="module")
def space():
    return design_space(DesignSpace.model_validate({"elements": RULES}))


@pytest.fixture(scope="module")
def known():
    """Alloys of two to five elements, some of which the space does not allow."""
    pair = Alloy(Simplex(ELEMENTS, 20, most=2, fewest=2, least=0.2))
    more = Alloy(Simplex(ELEMENTS, 20, most=5, fewest=3, least=0.05))
    return np.concatenate([pair.sample(120, seed=1), more.sample(280, seed=2)])


@pytest.fixture(scope="module")
def surrogates(space, known, tmp_path_factory):
    """A semi-supervised scale and a plain one: alloys of alike atoms are single-phase, a half is labelled."""
    torch.set_num_threads(1)
    folder = tmp_path_factory.mktemp("trained")
    formulas = space.formulas(known)
    table = pd.DataFrame(
        {
            "row_id": range(len(known)),
            "row": range(1, len(known) + 1),
            "formula": formulas,
            "material": [formula.key for formula in parse_many(formulas).formulas],
        }
    )
    made = featurize(table, BLOCKS)
    alike = made.frame["radius_mismatch"] < made.frame["radius_mismatch"].median()
    schema = {**made.schema, "single": tables.Column("float64", role="target", classes=("several", "single"))}
    tables.write(
        folder / "phase.parquet",
        made.frame.assign(single=alike.astype(float)),
        schema,
        {"blocks": made.blocks},
    )
    folds = table[["row_id", "material"]].assign(protocol="strict", repeat=0, fold=table["row_id"] % 4)
    folds["role"] = np.where(table["row_id"] % 8 < 4, "labelled", "unlabelled")
    tables.write(folder / "folds.parquet", folds.assign(together=-1), tables.FOLDS, {"folds": {"strict": 4}})
    found = {}
    for name, specification in MODELS.items():
        train_scale(
            TrainingJob(
                key=ModelKey("phase", "strict", name),
                specification=specification,
                features=folder / "phase.parquet",
                folds=folder / "folds.parquet",
                weights=folder / f"{name}.safetensors",
                card=folder / f"{name}.json",
                **{key: folder / f"{name}.{key}.parquet" for key in ("history", "predictions", "latents")},
            )
        )
        columns = {block: made.blocks[block]["columns"] for block in BLOCKS}
        maps = {"phase": feature_map(BLOCKS, columns, space.columns)}
        found[name] = Surrogate(Chain({"phase": folder / f"{name}.safetensors"}), maps)
    return found


@pytest.fixture(scope="module")
def problem(space, surrogates):
    return Problem(space, surrogates["conditional"], [WANTED])


def single(problem, x) -> np.ndarray:
    return problem.evaluate(x)["phase.single.mean"].to_numpy()


@pytest.mark.parametrize("search", METHODS, ids=["decode", "filtered", "scan", "inversion"])
def test_every_proposed_alloy_keeps_the_rules_and_follows_from_the_seed(search, space, problem):
    found, again, other = (search.propose(problem, 3000, seed) for seed in (0, 0, 1))
    assert len(found.x) > 0
    np.testing.assert_array_equal(found.x, again.x)
    assert found.details == again.details
    assert found.x.shape != other.x.shape or (found.x != other.x).any()
    np.testing.assert_array_equal(space.canonical(found.x), found.x)
    steps = 100 * found.x
    np.testing.assert_allclose(steps, steps.round(), atol=1e-9)
    assert (steps.round().sum(axis=1) == 100).all()
    present = found.x > 0
    assert set(present.sum(axis=1)) <= {3, 4, 5, 6}
    assert found.x[present].min() >= 0.05 - 1e-12
    assert found.x.max() <= 0.35 + 1e-12
    np.testing.assert_array_equal(order(found.table), np.arange(len(found.x)))
    assert found.evaluations <= 3000
    assert json.loads(json.dumps(found.details)) == found.details


def test_what_is_wanted_is_what_the_decoder_is_told(problem):
    assert [
        target_value(target)
        for target in (
            WANTED,
            Target("q", "minimise"),
            Target("q", "value", 1.5),
            Target("q", "range", 1.0, 4.0),
        )
    ] == [1.0, 0.0, 1.5, 2.5]
    decoder = ConditionalDecoder(problem, member=5)
    assert (decoder.n_members, decoder.member, decoder.n_latents) == (2, 1, 4)
    assert decoder.condition == {"single": 1.0}
    z = decoder.sample_prior(2000, [3])
    assert z.shape == (2000, 4)
    assert z.std() == pytest.approx(1.0, abs=0.03)
    shares = decoder.decode(z)
    np.testing.assert_allclose(shares.sum(axis=1), 1)
    # The classifier of the model takes what was decoded as single-phase for such, and the other way round.
    other = ConditionalDecoder(dataclasses.replace(problem, targets=[Target("phase.single", "minimise")]))
    template = problem.space.sample(2000, 0)
    one, none = (
        single(problem, d.replace_composition(template, d.decode(z))).mean() for d in (decoder, other)
    )
    assert one > none + 0.2


def test_known_alloys_come_back_from_their_latents(space, problem, known):
    allowed = known[(np.abs(space.canonical(known) - known) < 1e-9).all(axis=1)]
    likely = single(problem, allowed) > 0.5
    decoder = ConditionalDecoder(problem)
    x = allowed[likely]
    decoded = decoder.decode(decoder.encode(x))
    rolled = np.roll(x, 1, axis=0)
    assert (
        decoder.composition.distance(decoded, x).mean()
        < 0.6 * decoder.composition.distance(decoded, rolled).mean()
    )


def test_the_likeliest_elements_fill_what_the_rules_ask_for_beside_the_decoded(problem):
    decoder = ConditionalDecoder(problem)
    z = decoder.sample_prior(400, [0])
    decoded = decoder.decode(z)
    there = decoded > 1e-3
    few = there.sum(axis=1) < 3
    assert few.any()
    assert (decoded.argsort(axis=1)[few, :4] != np.arange(4)).any(), "absent elements are ordered"
    made = decoder.fractions(decoder.replace_composition(problem.space.sample(400, 0), decoded))
    for row in np.flatnonzero(few):
        count = int((made[row] > 0).sum())
        assert set(np.flatnonzero(made[row])) == set(np.argsort(-decoded[row])[:count])


def test_draws_are_counted_from_the_first_to_the_kept(problem):
    every = Decode(samples=500).propose(problem, 500, seed=0)
    assert every.evaluations == 500
    assert every.details["sampled"] == every.details["kept"] == len(every.x) == 500
    decoder = ConditionalDecoder(problem)
    decoded = decoder.decode(decoder.sample_prior(500, [0, 0]))
    changed = decoder.composition.distance(
        decoded, decoder.fractions(decoder.replace_composition(problem.space.sample(500, 0), decoded))
    )
    assert every.details["inside"] == (changed <= ROUNDED).sum()
    assert every.details["changed"] == pytest.approx(changed.mean())
    near = Decode(samples=500, near=0.1).propose(problem, 500, seed=0)
    assert near.details["kept"] == len(near.x) == (changed <= 0.1).sum()
    assert near.details["inside"] == every.details["inside"]
    sure = Decode(samples=500, near=0.1, accept=0.7).propose(problem, 1000, seed=0)
    assert sure.details["kept"] == len(sure.x) == (single(problem, near.x) >= 0.7).sum() > 0
    assert sure.evaluations == len(near.x)


def test_a_patch_of_the_latents_is_told_cell_by_cell(problem):
    found = Scan(axes=(2, 0), low=-1.0, high=1.0, points=3).propose(problem, 9, seed=0)
    assert len(found.x) == found.evaluations == 9
    assert found.details["axes"] == [2, 0]
    patch = pd.DataFrame(found.details["patch"])
    assert list(zip(patch["first"], patch["second"], strict=True)) == [
        (a, b) for a in (-1.0, 0.0, 1.0) for b in (-1.0, 0.0, 1.0)
    ]
    assert sorted(patch["formula"]) == sorted(problem.space.formulas(found.x))
    best = patch.sort_values("predicted", ascending=False)["predicted"]
    np.testing.assert_allclose(best, found.table["phase.single.mean"])
    # The middle is the material that the mean of the prior stands for.
    decoder = ConditionalDecoder(problem)
    middle = decoder.replace_composition(problem.space.sample(1, 0), decoder.decode(np.zeros((1, 4))))
    assert patch["formula"][4] == problem.space.formulas(middle)[0]


def starting(space, known):
    return space.canonical(known[120:])


def test_an_inversion_reaches_enough_and_no_shorter_share_does(space, problem, known):
    given = starting(space, known)
    ways = (0.1, 0.3, 0.6, 1.0)
    search = Inversion(starts=60, shares=ways, steps=1, accept=0.6).bind(
        SearchContext(known_materials=lambda: given)
    )
    found = search.propose(problem, 5000, seed=0)
    assert 0 < found.details["reached"] == len(found.x) <= found.details["started"] <= 60
    assert (single(problem, found.x) >= 0.6).all()
    assert found.details["steps"] == 1
    # The same by hand: of the materials that miss it, the first share of the way that is enough.
    decoder = ConditionalDecoder(problem)
    begin = np.random.default_rng([0, 2]).permutation(given)
    begin = begin[single(problem, begin) < 0.6][:60]
    a, b = decoder.fractions(begin), decoder.decode(decoder.encode(begin))
    tried = [decoder.replace_composition(begin, a + way * (b - a)) for way in ways]
    enough = np.stack([single(problem, x) >= 0.6 for x in tried])
    first = enough.argmax(axis=0)
    straight = {tuple(tried[k][row].round(6)) for row, k in enumerate(first) if enough[:, row].any()}
    moved = decoder.composition.distance(
        decoder.fractions(begin), np.stack(tried)[first, np.arange(len(begin))]
    )
    assert found.details["reached"] == enough.any(axis=0).sum()
    assert found.details["moved"] <= moved[enough.any(axis=0)].mean() + 1e-9
    assert np.mean([tuple(x.round(6)) in straight for x in found.x]) > 0.6


def test_an_inversion_moves_no_more_than_it_may(space, problem, known):
    given = starting(space, known)
    free, bound = (
        Inversion(starts=60, accept=0.6, within=within)
        .bind(SearchContext(known_materials=lambda: given))
        .propose(problem, 9000, seed=0)
        for within in (None, 0.15)
    )
    assert 0 < bound.details["reached"] < free.details["reached"]
    assert bound.details["started"] == free.details["started"]
    assert bound.details["moved"] <= 0.15
    starts = given[single(problem, given) < 0.6]
    near = [space.distance(starts, x).min() for x in bound.x]
    assert max(near) <= 0.15 + 1e-9


def test_the_published_way_goes_all_the_way_and_further(space, problem, known):
    given = starting(space, known)
    whole, short = (
        Inversion(starts=40, shares=shares)
        .bind(SearchContext(known_materials=lambda: given))
        .propose(problem, 9000, seed=0)
        for shares in ((1.0,), Inversion().shares)
    )
    assert whole.details["reached"] > 0
    assert whole.details["moved"] > short.details["moved"]
    assert whole.evaluations < short.evaluations


def test_a_budget_is_kept(space, problem, known):
    given = starting(space, known)
    for budget in (250, 600, 2000):
        found = (
            Inversion().bind(SearchContext(known_materials=lambda: given)).propose(problem, budget, seed=0)
        )
        assert found.evaluations <= budget
        assert found.details["started"] >= 1


def test_nothing_reached_is_nothing_proposed(space, problem, known):
    search = Inversion(accept=1.1, shares=(0.5,)).bind(
        SearchContext(known_materials=lambda: starting(space, known))
    )
    found = search.propose(problem, 2000, seed=0)
    assert found.details["reached"] == 0
    assert "moved" not in found.details
    assert found.x.shape == (0, len(space.columns))
    frame = candidate_table(problem, found.x, problem.evaluate(found.x))
    assert len(frame) == len(found.table) == 0
    assert {"formula", *ELEMENTS, "phase.single.mean", "hit"} <= set(frame)


def test_other_variables_of_a_space_stay_beside_the_alloy(surrogates, problem):
    hot = Alloy(
        design_space(DesignSpace.model_validate({"elements": RULES})).elements, [Interval("t", 0, 9, 10)]
    )
    maps = {"phase": feature_map(BLOCKS, columns_of(surrogates), hot.columns)}
    wide = Problem(hot, Surrogate(surrogates["conditional"].chain, maps), [WANTED])
    found = Decode(samples=50).propose(wide, 100, seed=0)
    np.testing.assert_array_equal(hot.canonical(found.x), found.x)
    assert len(set(found.x[:, -1])) > 3


def columns_of(surrogates):
    every = surrogates["conditional"].chain.columns["phase"]
    return {"shares": every[: len(ELEMENTS)], "solution": every[len(ELEMENTS) :]}


@pytest.mark.parametrize("search", METHODS, ids=["decode", "filtered", "scan", "inversion"])
def test_without_a_semi_supervised_model_of_the_elements_there_is_nothing_to_decode(
    search, space, surrogates, problem
):
    def free(x):
        return {"phase.single": (x[:, 0], x[:, 0])}

    with pytest.raises(InputError, match="needs a trained chain"):
        search.propose(dataclasses.replace(problem, predict=free), 3000, seed=0)
    with pytest.raises(InputError, match="does not decode the composition of the space"):
        search.propose(dataclasses.replace(problem, predict=surrogates["plain"]), 3000, seed=0)
    strange = Alloy(Simplex([*ELEMENTS[:-1], "Au"], 100, fewest=3, most=6, least=0.05))
    with pytest.raises(InputError, match="does not decode the composition of the space"):
        search.propose(dataclasses.replace(problem, space=strange), 3000, seed=0)


@pytest.mark.parametrize(
    ("search", "budget", "message"),
    [
        (Decode(samples=200), 199, "too small for 200 samples"),
        (Scan(points=5), 24, "too small for 25 points"),
        (Scan(axes=(0, 4)), 100, r"are not two latents.*0 to 3"),
        (Scan(axes=(1, 1)), 100, "are not two latents"),
        (Scan(axes=(-1, 1)), 100, "are not two latents"),
        (Inversion().bind(SearchContext()), 100, "too small for 10 steps"),
    ],
)
def test_what_cannot_be_searched_is_refused(search, budget, message, problem):
    with pytest.raises(InputError, match=re.compile(message, re.DOTALL)):
        search.propose(problem, budget, seed=0)


@pytest.mark.parametrize("shares", [(), (0.0, 1.0), (0.5, 0.2), (0.5, 1.2)])
def test_shares_of_a_way_rise_to_the_whole_of_it(shares):
    with pytest.raises(InputError, match="in ascending order"):
        Inversion(shares=shares)


@pytest.mark.parametrize(
    "target", [Target("phase.single", "value", 1.0), Target("phase.single", "range", 0, 1)]
)
def test_enough_is_said_of_what_has_no_end(target, problem):
    aimed = dataclasses.replace(problem, targets=[target])
    for search in (Decode(samples=50, accept=0.5), Inversion().bind(SearchContext())):
        with pytest.raises(InputError, match="that is maximised or minimised"):
            search.propose(aimed, 3000, seed=0)
    assert len(Decode(samples=50).propose(aimed, 50, seed=0).x) == 50


def test_constraints_hold_of_what_is_accepted(problem):
    held = dataclasses.replace(problem, constraints=[Constraint("phase.single", high=0.9)])
    found = Decode(samples=400, accept=0.6).propose(held, 1000, seed=0)
    assert (found.table["violation"] == 0).all()
    assert found.table["phase.single.mean"].between(0.6, 0.9).all()
    assert 0 < len(found.x) < len(Decode(samples=400, accept=0.6).propose(problem, 1000, seed=0).x)


def test_a_configured_method_asks_for_known_materials_only_where_it_needs_them():
    given = Method.model_validate({"kind": "inversion", "shares": [1.0], "within": 0.2})
    known = np.ones((2, 3))
    found = build_method(given, known_materials=lambda: known)
    assert (found.settings.shares, found.settings.within) == ((1.0,), 0.2)
    assert found.known_materials is known
    assert build_method(given).known_materials.size == 0

    def none():
        raise AssertionError("is not asked")

    decode = Method.model_validate({"kind": "decode", "near": 0.1})
    assert build_method(decode, known_materials=none).near == 0.1
    unchecked = Method.model_validate({"kind": "decode", "steps": 3}, context=UNCHECKED)
    with pytest.raises(InputError, match="its options are samples, near, accept"):
        build_method(unchecked)


def test_the_largest_share_of_any_species_is_one_more_bound():
    given = {**RULES, "bounds": {"Al": [0.0, 0.1], "Co": [0.2, 0.9]}}
    x = design_space(DesignSpace.model_validate({"elements": given})).sample(500, seed=0)
    assert x[:, 0].max() == pytest.approx(0.1)
    assert x[:, 1].min() >= 0.2
    assert x.max() == pytest.approx(0.35)
    free = design_space(DesignSpace.model_validate({"elements": {**RULES, "greatest": 1.0}}))
    assert free.sample(3000, seed=0).max() > 0.5
    with pytest.raises(InputError, match="stay below 1"):
        design_space(DesignSpace.model_validate({"elements": {**RULES, "greatest": 0.15}}))


def judged_alloys() -> pd.DataFrame:
    """A nearly pure alloy, one of five elements with a trace of a sixth, one of three."""
    rows = pd.DataFrame(0.0, index=range(3), columns=ELEMENTS)
    rows.loc[0, ["Al", "Co"]] = [0.95, 0.05]
    rows.loc[1, ELEMENTS[:6]] = [0.2, 0.2, 0.2, 0.2, 0.17, 0.03]
    rows.loc[2, ELEMENTS[:3]] = [0.3, 0.3, 0.4]
    rows = rows.assign(method="inversion", seed=[0, 0, 1], novelty=1.0, in_domain=True, hit=True)
    rows[["q.mean", "trees.q.mean"]] = 1.0
    return rows.assign(**{"trees.hit": [True, True, False], "trees.distance": 0.0})


def measured(details) -> dict:
    runs = pd.DataFrame({"method": "inversion", "seed": [0, 1], "seconds": 1.0, "details": details})
    space = Alloy(Simplex(ELEMENTS, 100))
    target = Target("q", "maximise", enough=0.5)
    found = assess(judged_alloys(), runs, space, judges=["trees"], targets={target: ""}, windows={})
    keys = zip(found["seed"], found["judge"], found["metric"], strict=True)
    return dict(zip(keys, found[["value", "low", "high"]].to_records(index=False), strict=True))


def test_alloys_are_measured_by_their_elements():
    found = measured(["{}", "{}"])
    assert found[-1, "model", "pure"].value == pytest.approx(1 / 3)
    assert found[0, "model", "five_elements"].value == 0.5
    assert found[1, "model", "five_elements"].value == 0
    assert found[-1, "model", "elements"].value == pytest.approx((2 + 6 + 3) / 3)
    assert 0 < found[-1, "model", "pure"].low < 1 / 3 < found[-1, "model", "pure"].high < 1
    assert (-1, "model", "reached") not in found
    assert (-1, "model", "kept") not in found


def test_inversions_are_measured_by_what_they_reached():
    told = [
        {"started": 10, "reached": 4, "steps": 1.5, "moved": 0.2},
        {"started": 10, "reached": 1, "steps": 4.0, "moved": 0.7},
    ]
    found = measured([json.dumps(each) for each in told])
    assert found[-1, "model", "reached"].value == pytest.approx(5 / 20)
    assert found[-1, "model", "moved"].value == pytest.approx((4 * 0.2 + 0.7) / 5)
    assert found[-1, "model", "steps"].value == pytest.approx(2.0)
    assert found[1, "model", "reached"].value == pytest.approx(0.1)
    nothing = measured([json.dumps({"started": 10, "reached": 0})] * 2)
    assert nothing[-1, "model", "reached"].value == 0
    assert (-1, "model", "moved") not in nothing


def test_a_way_turns_the_latents_and_keeps_what_is_wanted(space, problem):
    names = ["Al", "Co", "Cr", "Fe", "Hf", "Nb", "Ti", "W"]
    ends = np.zeros((2, len(ELEMENTS)))
    for row, chosen in zip(ends, (names[:4], names[4:]), strict=True):
        row[[ELEMENTS.index(name) for name in chosen]] = 0.25
    points, measures = interpolate(problem, *ends, steps=9)
    value = measures.set_index(["path", "measure", "quantity"])["value"]
    x = {path: part[ELEMENTS].to_numpy() for path, part in points.groupby("path")}
    decoder = ConditionalDecoder(problem)
    z = decoder.encode(ends)
    template = np.repeat(ends[:1], 9, axis=0)
    t = np.linspace(0, 1, 9)[:, None]
    straight = decoder.replace_composition(template, decoder.decode((1 - t) * z[0] + t * z[1]))
    np.testing.assert_array_equal(x["line"], straight)
    middle = (z[0] + z[1]) / (2 * np.cos(0.5 * np.arccos(z[0] @ z[1] / np.prod(np.linalg.norm(z, axis=1)))))
    np.testing.assert_array_equal(
        x["slerp"][4], decoder.replace_composition(template[:1], decoder.decode(middle[None]))[0]
    )
    for path in ("line", "slerp"):
        np.testing.assert_array_equal(space.canonical(x[path]), x[path])
        assert value[path, "allowed", ""] == 1
        off = 2 * decoder.composition.distance(x[path][[0, -1]], ends).max()
        assert value[path, "end_error", ""] == pytest.approx(off)
    # Eight elements at once are more than the space allows.
    assert value["mixing", "allowed", ""] == pytest.approx(2 / 9)
    np.testing.assert_allclose(x["mixing"][4], ends.mean(axis=0))
    assert value["mixing", "largest_step", ""] == pytest.approx(2 / 8)
