from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
from scipy.optimize import minimize

from nestmat import tables
from nestmat.config.baselines import Baseline
from nestmat.domains.domain import Domain
from nestmat.domains.standing import Standing
from nestmat.errors import InputError
from nestmat.evaluation import calibration
from nestmat.evaluation.baseline_inputs import BaselineInputs, ScaleTables
from nestmat.evaluation.baselines import compare_baselines, predict_baseline
from nestmat.evaluation.fitted_baselines import FitsToKeep, read_fits
from nestmat.evaluation.protocols import assign_folds
from nestmat.evaluation.stack import (
    Combination,
    combinations_of,
    convex_weights,
    document,
    mixture,
    mixture_weights,
    recommend_predictor,
)
from nestmat.scales.predictions import Predictions
from support.feature_tables import write_features
from support.small_scale import QUICK, STACK, stack_files, stacked_scale


def test_convex_weights_minimise_their_objective():
    rng = np.random.default_rng(0)
    true = rng.normal(size=200)
    predictions = (
        true[:, None] + rng.normal(size=(200, 3)) * [0.3, 0.4, 1.0] + 0.1 * rng.normal(size=(200, 1))
    )

    def objective(w: np.ndarray) -> float:
        scale = np.abs(true - predictions.mean(1)).mean()
        return np.abs(true - predictions @ w).sum() / scale + ((w - 1 / 3) ** 2).sum() / 2 / 0.1**2

    weights = convex_weights(predictions, true, 0.1)
    peer = minimize(
        objective,
        np.full(3, 1 / 3),
        method="SLSQP",
        bounds=[(0, 1)] * 3,
        constraints={"type": "eq", "fun": lambda w: w.sum() - 1},
    )
    assert weights.sum() == pytest.approx(1.0)
    assert (weights >= 0).all()
    assert objective(weights) <= peer.fun * (1 + 1e-3)


def test_convex_weights_at_the_limits():
    rng = np.random.default_rng(1)
    true = rng.normal(size=100)
    good, bad = true + 1e-3 * rng.normal(size=100), rng.normal(size=100)
    assert convex_weights(np.column_stack([bad, good]), true, np.inf)[1] > 0.99
    np.testing.assert_allclose(convex_weights(np.column_stack([bad, good]), true, 1e-6), 0.5, atol=1e-3)
    np.testing.assert_allclose(convex_weights(np.column_stack([bad, bad, bad]), true), 1 / 3, atol=1e-6)
    np.testing.assert_allclose(convex_weights(good[:, None], true), 1.0)
    np.testing.assert_allclose(convex_weights(np.column_stack([true, true]), true), 0.5)


def test_mixture_holds_spread_and_disagreement():
    mean, std = mixture(np.array([0.25, 0.75]), np.array([[1.0, 3.0]]), np.array([[2.0, 0.0]]))
    assert mean == pytest.approx([2.5])
    assert std**2 == pytest.approx([0.25 * 4 + 0.25 * 1.5**2 + 0.75 * 0.5**2])


def test_the_stack_widens_intervals_that_are_too_narrow():
    rng = np.random.default_rng(2)
    true = rng.normal(size=4000)
    means = true[:, None] + 0.5 * rng.normal(size=(4000, 1)) + 0.01 * rng.normal(size=(4000, 2))
    stds = np.column_stack([np.full(4000, 0.1), np.full(4000, np.nan)])
    learning, held_out = (np.arange(4000) // 2000 == k for k in (0, 1))
    combination = Combination.learn(("y", 0, 0), ["a", "b"], true[learning], means[learning], stds[learning])
    inside = Standing.inside(2000)
    combination = combination.with_spread(
        true[learning], means[learning], stds[learning], inside, np.arange(2000)
    )
    mean, std = combination.apply(means[held_out], stds[held_out], inside)
    for level in (0.6827, 0.95):
        assert calibration.coverage(true[held_out], mean, std, level) == pytest.approx(level, abs=0.03)
    assert combination.residual["b"] == pytest.approx(0.5, abs=0.03)


@pytest.mark.parametrize("fold", [-1, 0])
def test_the_stack_of_a_fold_is_read_back(scale, tmp_path, fold):
    features, folds = scale()
    keep = FitsToKeep(tmp_path / "fits.zip", STACK, fold)
    compare_baselines(ScaleTables(features, folds), "strict", QUICK, tmp_path / "p.parquet", STACK, keep=keep)
    stacked = stacked_scale(features, folds, a=["a0", "a1"], b=["b0", "b1"])
    stack, learned = recommend_predictor(
        [tmp_path / "p.parquet"] * 2, STACK, stacked, stack_files(tmp_path), fold=fold
    )
    pd.testing.assert_frame_equal(tables.read(tmp_path / "r.parquet"), stack, check_dtype=False)
    assert len(learned) == 2 * (3 + 1)
    use = combinations_of(json.loads((tmp_path / "r.json").read_text()), fold)
    assert set(use) == {"y", "v"}
    members = {name: Baseline.model_validate(QUICK[name]) for name in STACK}
    fits, inputs = read_fits(keep.path, members), BaselineInputs.read(features)
    parts = [predict_baseline(members[name], fits[name], inputs)["y"] for name in STACK]
    standing = Standing.of(Domain.read(stack_files(tmp_path).domain), tables.read(features))
    mean, std = use["y"].apply(*map(np.column_stack, zip(*parts, strict=True)), standing)
    written = Predictions(stack).where(fold=fold, target="y", repeat=0, inner=-1).frame.sort_values("row_id")
    rows = np.isin(inputs.row_id, written["row_id"])
    np.testing.assert_allclose(mean[rows], written["mean"], rtol=1e-6)
    np.testing.assert_allclose(std[rows], written["std"], rtol=1e-5)


def test_a_stack_without_held_out_predictions_is_refused(scale, tmp_path):
    features, folds = scale()
    quick = {name: QUICK[name] for name in ("ridge", "forest")}
    compare_baselines(ScaleTables(features, folds), "strict", quick, tmp_path / "p.parquet", ["ridge"])
    stacked = stacked_scale(features, folds, a=["a0", "a1"], b=["b0", "b1"]), stack_files(tmp_path)
    with pytest.raises(InputError, match="held out inside the training rows"):
        recommend_predictor([tmp_path / "p.parquet"], ["ridge", "forest"], *stacked)
    with pytest.raises(InputError, match=r"no predictions of \['other'\]"):
        recommend_predictor([tmp_path / "p.parquet"], ["ridge", "other"], *stacked)


def test_learned_weights_lessen_the_log_loss():
    rng = np.random.default_rng(0)
    probability = rng.uniform(0, 1, 4000)
    true = (rng.uniform(size=4000) < probability).astype(float)
    members = np.column_stack([probability, np.full(4000, 0.5), np.round(probability)])
    of_truth = np.where(true[:, None] == 1, members, 1 - members)
    weights = mixture_weights(of_truth, prior_spread=np.inf)
    grid = [(a, b, 1 - a - b) for a in np.linspace(0, 1, 51) for b in np.linspace(0, 1 - a, 51)]
    best = max(np.log(np.clip(of_truth @ w, 1e-12, 1)).mean() for w in grid)
    assert np.log(of_truth @ weights).mean() >= best - 1e-4
    assert weights[0] > 0.9
    # An absolute error would choose the member that is always certain.
    assert convex_weights(members, true, prior_spread=np.inf)[2] > 0.9
    # With few rows the weights stay near equal: twenty rows weigh as much as the prior of three members.
    few = mixture_weights(of_truth[:20])
    assert abs(few - 1 / 3).max() < abs(mixture_weights(of_truth[:20], np.inf) - 1 / 3).max()
    np.testing.assert_allclose(mixture_weights(of_truth, 1e-6), 1 / 3, atol=1e-3)


def test_a_vote_needs_no_inner_folds_and_is_the_plain_mean(class_scale, trained_class, tmp_path):
    chosen = {"forest": {"kind": "random_forest", "inputs": ["inputs"], "n_estimators": 20}}
    baselines = compare_baselines(ScaleTables(*class_scale), "half", chosen, tmp_path / "b.parquet")
    files = [trained_class / "s.predictions.parquet", tmp_path / "b.parquet"]
    stacked = stacked_scale(*class_scale, inputs=["a", "b"]), stack_files(tmp_path)
    vote, combinations = recommend_predictor(
        files, ["ae", "forest"], *stacked, learned=False, classes={"phase": ["no", "yes"]}
    )
    assert {tuple(found.weights.values()) for found in combinations} == {(0.5, 0.5)}
    keys = ["repeat", "fold", "split", "row_id"]
    ae = tables.read(files[0], seed=-1, inner=-1).set_index(keys)
    forest = baselines.set_index(keys).loc[ae.index]
    mine = vote.set_index(keys).loc[ae.index]
    np.testing.assert_allclose(mine["mean"], (ae["mean"] + forest["mean"]) / 2)
    among = np.square((ae["mean"] - forest["mean"]) / 2) + np.square(ae["std"]) / 2
    np.testing.assert_allclose(mine["std"], np.sqrt(among))
    kept = combinations_of(document("half", ["ae", "forest"], combinations))["phase"]
    one = Standing.inside(1)
    assert kept.apply(np.array([[0.2, 0.6]]), np.full((1, 2), np.nan), one)[0] == pytest.approx(0.4)
    with pytest.raises(InputError, match="held out inside the training rows"):
        recommend_predictor(files, ["ae", "forest"], *stacked, classes={"phase": ["no", "yes"]})


def test_a_learned_stack_of_a_class_keeps_probabilities(class_scale, trained_class, tmp_path):
    chosen = {"forest": {"kind": "random_forest", "inputs": ["inputs"], "n_estimators": 20}}
    compare_baselines(ScaleTables(*class_scale), "half", chosen, tmp_path / "b.parquet", stacked=["forest"])
    files = [trained_class / "s.predictions.parquet", tmp_path / "b.parquet"]
    found, combinations = recommend_predictor(
        files,
        ["ae", "forest"],
        stacked_scale(*class_scale, inputs=["a", "b"]),
        stack_files(tmp_path),
        classes={"phase": ["no", "yes"]},
    )
    assert found["mean"].between(0, 1).all()
    assert all(isinstance(c, Combination) and c.spread is None and c.rows > 0 for c in combinations)
    assert all(c.inner_error["stack"] <= max(c.inner_error.values()) for c in combinations)


def several_classes_file(path, model: str, noise: float):
    """Predictions of three classes: pairs of four folds, and the folds themselves."""
    rng = np.random.default_rng(3)
    true, parts = rng.integers(0, 3, 80), []
    own = np.random.default_rng(len(model))
    for fold in range(-1, 4):
        for inner in range(-1, 4):
            if fold == inner or (fold == -1 and inner >= 0):
                continue
            held = np.flatnonzero(np.arange(80) % 4 == (fold if inner < 0 else inner))
            rows = np.arange(80) if fold == -1 else held
            probabilities = np.eye(3)[true[rows]] + noise * own.exponential(size=(len(rows), 3))
            probabilities /= probabilities.sum(axis=1, keepdims=True)
            split = "inner" if inner >= 0 else "train" if fold == -1 else "validation"
            for number, name in enumerate("abc"):
                part = {
                    "target": f"grade: {name}",
                    "row_id": rows,
                    "true": (true[rows] == number).astype(float),
                }
                keys = {"fold": fold, "inner": inner, "split": split}
                parts.append(pd.DataFrame({**part, "mean": probabilities[:, number], **keys}))
    about = {"protocol": "strict", "model": model, "repeat": 0, "seed": -1, "std": np.nan}
    frame = pd.concat(parts, ignore_index=True).assign(**about)[list(tables.PREDICTIONS)]
    tables.write(path, frame, tables.PREDICTIONS)
    return path


def test_several_classes_share_weights_of_the_least_log_loss(tmp_path):
    files = [
        several_classes_file(tmp_path / f"{m}.parquet", m, s) for m, s in (("good", 0.2), ("worse", 1.0))
    ]
    features = write_features(tmp_path / "f.parquet", pd.DataFrame({"x": np.arange(80.0)}), {"x": ["x"]}, [])
    assign_folds({"s": features}, {"s": tmp_path / "folds.parquet"}, {"folds": 4}, {}, {"s": []})
    stacked = stacked_scale(features, tmp_path / "folds.parquet", x=["x"]), stack_files(tmp_path)
    found, combinations = recommend_predictor(
        files, ["good", "worse"], *stacked, classes={"grade": ["a", "b", "c"]}
    )
    sums = found.groupby(["fold", "split", "row_id"])["mean"].sum()
    np.testing.assert_allclose(sums, 1)
    by_fold = {}
    for combination in combinations:
        by_fold.setdefault(combination.fold, []).append(tuple(combination.weights.values()))
    assert all(len(set(weights)) == 1 for weights in by_fold.values())
    assert {c.target for c in combinations} == {"grade: a", "grade: b", "grade: c"}
    of_fold = next(c for c in combinations if c.fold == 0)
    assert of_fold.rows == 60
    inner = {
        model: tables.read(path, fold=0).query("inner >= 0").sort_values(["target", "row_id"])
        for model, path in zip(("good", "worse"), files, strict=True)
    }
    true = inner["good"]["true"].to_numpy()
    means = np.column_stack([part["mean"] for part in inner.values()])
    of_truth = means[true == 1]
    expected = mixture_weights(of_truth)
    np.testing.assert_allclose(list(of_fold.weights.values()), expected)
    assert of_fold.inner_error["stack"] == pytest.approx(-np.log(of_truth @ expected).mean())
