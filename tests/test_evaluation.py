from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from feature_tables import write_features
from pydantic import ValidationError
from scipy.optimize import approx_fprime, minimize
from scipy.stats import norm, ttest_1samp
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import ConstantKernel, Matern, WhiteKernel
from sklearn.metrics import mean_absolute_error, r2_score, root_mean_squared_error
from sklearn.neighbors import KNeighborsRegressor

from nestmat import tables
from nestmat.errors import InputError
from nestmat.evaluation import calibration
from nestmat.evaluation.baselines import compare_baselines, predict_baseline
from nestmat.evaluation.comparison import clustered_difference, corrected_t_test
from nestmat.evaluation.estimators.extra_trees import ExtraTrees
from nestmat.evaluation.estimators.matern_process import MaternProcess
from nestmat.evaluation.estimators.registry import BASELINES
from nestmat.evaluation.evaluate import Evaluation, evaluate_scale
from nestmat.evaluation.metrics import error_metrics, measure, reconstructions, summarise
from nestmat.evaluation.protocols import assign_folds
from nestmat.evaluation.stack import Combination, convex_weights, deployed, mixture, recommend_predictor
from nestmat.plugins import load_plugins

QUICK = {
    "ridge": {"kind": "ridge", "inputs": ["a", "b"]},
    "nusvr": {"kind": "nusvr", "inputs": ["a"], "C": 1.0, "gamma": 0.1},
    "forest": {"kind": "extra_trees", "inputs": ["a", "b"], "n_estimators": 10},
    "xgboost": {"kind": "xgboost", "inputs": ["b"], "n_estimators": 5, "max_depth": 1},
    "process": {"kind": "gaussian_process", "inputs": ["a"]},
}
STACK = ["ridge", "nusvr", "forest", "process"]


@pytest.fixture
def scale(tmp_path: Path):
    """Write features and folds of a small scale with two targets, one of which lacks a label."""

    def make(change=None) -> tuple[Path, Path]:
        rng = np.random.default_rng(0)
        x = rng.normal(size=(60, 4))
        frame = pd.DataFrame(x, columns=["a0", "a1", "b0", "b1"])
        frame["material"] = [f"m{i // 2}" for i in range(60)]
        frame["y"] = np.sin(x[:, 0]) + x[:, 2] + 0.1 * rng.normal(size=60)
        frame["v"] = x[:, 1] ** 2
        frame.loc[7, "v"] = np.nan
        if change is not None:
            change(frame)
        features = write_features(
            tmp_path / "features.parquet", frame, {"a": ["a0", "a1"], "b": ["b0", "b1"]}, ["y", "v"]
        )
        folds = tmp_path / "folds.parquet"
        splits = {"s": {"plain": {"kind": "kfold", "folds": 4, "seed": 1, "repeats": [5]}}}
        assign_folds({"s": features}, {"s": folds}, {"folds": 3}, splits, {"s": ["y", "v"]})
        return features, folds

    return make


def process_pair(nu: float) -> tuple[MaternProcess, GaussianProcessRegressor, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(3)
    x = rng.normal(size=(50, 3))
    y = np.sin(2.0 * x[:, 0]) + 0.3 * x[:, 1] + 0.1 * rng.normal(size=50)
    mine = MaternProcess(nu=nu).fit(x, y)
    theta = mine.theta_
    kernel = ConstantKernel(np.exp(theta[0])) * Matern(np.exp(theta[1:-1]), nu=nu) + WhiteKernel(
        np.exp(theta[-1])
    )
    peer = GaussianProcessRegressor(kernel, normalize_y=True, optimizer=None, alpha=1e-10).fit(x, y)
    return mine, peer, x, y


@pytest.mark.parametrize("nu", [0.5, 1.5, 2.5, np.inf])
def test_gaussian_process_equals_scikit_learn(nu):
    mine, peer, _, _ = process_pair(nu)
    assert mine.log_marginal_likelihood_ == pytest.approx(peer.log_marginal_likelihood_value_, rel=1e-8)
    new = np.random.default_rng(4).normal(size=(20, 3))
    mean, std = mine.predict(new, return_std=True)
    expected, spread = peer.predict(new, return_std=True)
    np.testing.assert_allclose(mean, expected, rtol=1e-6, atol=1e-8)
    np.testing.assert_allclose(std, spread, rtol=1e-6)


@pytest.mark.parametrize("nu", [0.5, 1.5, 2.5, np.inf])
@pytest.mark.parametrize("prior", [np.inf, 1.0])
def test_gaussian_process_gradient_equals_finite_differences(nu, prior):
    rng = np.random.default_rng(5)
    x, y = rng.normal(size=(30, 3)), rng.normal(size=30)
    process, theta = MaternProcess(nu=nu, prior_spread=prior), np.array([0.2, 0.1, 0.5, 1.0, -2.0])
    numeric = approx_fprime(theta, lambda t: process._objective(t, x, y)[0], 1e-7)
    np.testing.assert_allclose(process._objective(theta, x, y)[1], numeric, rtol=1e-4, atol=1e-4)


def test_gaussian_process_finds_as_likely_parameters_as_scikit_learn():
    mine, _, x, y = process_pair(2.5)
    kernel = ConstantKernel(1.0) * Matern([1.7] * 3, nu=2.5, length_scale_bounds=(1e-2, 1e9)) + WhiteKernel(
        0.05
    )
    peer = GaussianProcessRegressor(kernel, normalize_y=True).fit(x, y)
    assert mine.log_marginal_likelihood_ > peer.log_marginal_likelihood_value_ - 0.1


def test_baselines_predict_every_row_once_and_inner_rows_for_the_stack_only(scale, tmp_path):
    features, folds = scale()
    found = compare_baselines(features, folds, "plain", QUICK, tmp_path / "p.parquet", STACK, 3)
    pd.testing.assert_frame_equal(tables.read(tmp_path / "p.parquet"), found, check_dtype=False)
    labels = tables.read(folds, protocol="plain").set_index(["repeat", "row_id"])["fold"]
    for (model, target), part in found.groupby(["model", "target"]):
        rows = 60 if target == "y" else 59
        held = part[part["split"] == "validation"]
        assert not held.duplicated(["repeat", "row_id"]).any()
        assert len(held) == 2 * rows
        assert (
            labels.loc[pd.MultiIndex.from_frame(held[["repeat", "row_id"]])].to_numpy() == held["fold"]
        ).all()
        assert len(part[(part["split"] == "train") & (part["fold"] == -1)]) == rows
        inner = part[part["split"] == "inner"]
        assert inner.empty == (model not in STACK)
        if model in STACK:
            assert len(inner) == (2 * 3 + 1) * rows
            assert (
                labels.loc[pd.MultiIndex.from_frame(inner[["repeat", "row_id"]])].to_numpy() != inner["fold"]
            ).all()
        assert part["true"].notna().all()
        assert (part.loc[part["split"] != "train", "std"] > 0).all()
    assert (found["seed"] == -1).all()


def test_baselines_state_the_held_out_residual_where_they_have_no_spread(scale, tmp_path):
    found = compare_baselines(
        *scale(), "plain", {"ridge": QUICK["ridge"]}, tmp_path / "p.parquet", ["ridge"], 3
    )
    one = found[(found["target"] == "y") & (found["repeat"] == 0) & (found["fold"] == 2)]
    inner = one[one["inner"] >= 0]
    residual = np.sqrt(np.mean((inner["true"] - inner["mean"]) ** 2))
    np.testing.assert_allclose(one["std"], residual)


def test_labels_of_a_fold_reach_neither_its_baselines_nor_its_stack(scale, tmp_path):
    def run(change=None):
        features, folds = scale(change)
        path = tmp_path / "p.parquet"
        compare_baselines(features, folds, "strict", QUICK, path, STACK, 2)
        return recommend_predictor([path], STACK, tmp_path / "r.parquet", tmp_path / "r.json"), tables.read(
            path
        )

    (stack, _), baselines = run()
    held = tables.read(tmp_path / "folds.parquet", protocol="strict", repeat=0, fold=1)["row_id"]

    def spoil(frame):
        frame.loc[held, ["y", "v"]] += 100.0

    (stack_2, _), baselines_2 = run(spoil)
    for before, after in ((stack, stack_2), (baselines, baselines_2)):
        mask = before["fold"] == 1
        pd.testing.assert_frame_equal(before.loc[mask, ["mean", "std"]], after.loc[mask, ["mean", "std"]])
        assert not np.allclose(before.loc[~mask, "mean"], after.loc[~mask, "mean"])


def test_baselines_do_not_depend_on_the_number_of_threads(scale, tmp_path):
    features, folds = scale()
    one, two = (
        compare_baselines(features, folds, "strict", QUICK, tmp_path / "p.parquet", threads=n) for n in (1, 2)
    )
    pd.testing.assert_frame_equal(one, two)


@pytest.mark.parametrize("name", sorted(BASELINES))
def test_every_kind_of_numbers_fits_and_predicts(name):
    kind = BASELINES[name]()
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(40, 3)), rng.normal(size=40)
    if not kind.predicts_numbers():
        with pytest.raises(NotImplementedError):
            kind.fit(x, y, seed=0)
        return
    mean, std = kind.predict(kind.fit(x, y, seed=0), x + 0.1)
    assert np.isfinite(mean).all()
    assert (std > 0).all() if kind.has_standard_deviation() else np.isnan(std).all()


@pytest.mark.parametrize("name", ["nusvr", "xgboost", "gaussian_process"])
def test_a_fit_from_another_keeps_what_was_chosen_and_spares_the_search(name):
    kind = BASELINES[name]()
    rng = np.random.default_rng(1)
    x = rng.normal(size=(60, 2))
    y = np.sin(x[:, 0]) + 0.1 * rng.normal(size=60)
    model = kind.fit(x, y, seed=0)
    again = kind.fit(x[:50], y[:50], seed=0, start=model)
    if name == "gaussian_process":
        assert again[-1].n_iter_ < model[-1].n_iter_
    else:
        searched, kept = (m.regressor_[-1] if name == "nusvr" else m[-1] for m in (model, again))
        parameters = kept.get_params()
        assert searched.best_params_ == {key: parameters[key] for key in searched.best_params_}
        assert not hasattr(kept, "best_params_")


PLUGIN = """
from dataclasses import dataclass

from sklearn.neighbors import KNeighborsRegressor

from nestmat.evaluation.estimators.base import BaselineKind
from nestmat.evaluation.estimators.registry import BASELINES


@BASELINES.register("test_neighbours")
@dataclass(frozen=True)
class Neighbours(BaselineKind):
    \"\"\"Mean of the nearest training rows.

    Attributes:
        neighbours: Their number.
    \"\"\"

    neighbours: int = 5

    def regressor(self, seed):
        return KNeighborsRegressor(self.neighbours)
"""


def test_a_baseline_of_a_plugin_runs_in_processes_of_their_own(scale, tmp_path):
    file = tmp_path / "test_neighbours_plugin.py"
    file.write_text(PLUGIN)
    load_plugins([file])
    assert BASELINES.source("test_neighbours") == file
    nearest = {"kind": "test_neighbours", "inputs": ["a", "b"], "neighbours": 2}
    features, folds = scale()
    found = compare_baselines(
        features, folds, "strict", {"nearest": nearest}, tmp_path / "p.parquet", threads=2
    )
    train = found[(found["fold"] == -1) & (found["target"] == "y")]
    frame = tables.read(features)
    peer = KNeighborsRegressor(2).fit(frame[["a0", "a1", "b0", "b1"]], frame["y"])
    np.testing.assert_allclose(train["mean"], peer.predict(frame[["a0", "a1", "b0", "b1"]]))
    assert (found.loc[found["split"] == "validation", "std"] > 0).all()
    with pytest.raises(ValidationError, match="neighbour"):
        predict_baseline(features, nearest | {"neighbour": 2}, frame)


def test_the_spread_of_a_forest_is_that_of_the_labels_in_its_leaves():
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(50, 2)), rng.normal(size=50)
    kind = ExtraTrees(n_estimators=7, min_samples_leaf=5)
    model = kind.fit(x, y, seed=0)
    forest = model[-1]
    leaves, new = forest.apply(x), forest.apply(x[:3])
    labels = [[y[leaves[:, tree] == new[row, tree]] for tree in range(7)] for row in range(3)]
    expected = [np.var([v.mean() for v in row]) + np.mean([v.var() for v in row]) for row in labels]
    np.testing.assert_allclose(kind.predict(model, x[:3])[1] ** 2, expected)


def test_an_input_that_is_not_finite_is_named(scale, tmp_path):
    def spoil(frame):
        frame.loc[5, "b1"] = np.inf

    with pytest.raises(InputError, match=r"column 'b1'.*not finite for row_id 5"):
        compare_baselines(*scale(spoil), "plain", QUICK, tmp_path / "p.parquet")


def test_folds_of_other_rows_are_refused(scale, tmp_path):
    features, folds = scale()
    with pytest.raises(InputError, match="does not hold protocol 'other'"):
        compare_baselines(features, folds, "other", QUICK, tmp_path / "p.parquet")
    frame = tables.read(folds)
    tables.write(folds, frame[frame["row_id"] > 0], tables.FOLDS)
    with pytest.raises(InputError, match="for the rows of"):
        compare_baselines(features, folds, "plain", QUICK, tmp_path / "p.parquet")


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
    half = slice(0, 2000), slice(2000, None)
    found = Combination.learn(("y", 0, 0), ["a", "b"], true[half[0]], means[half[0]], stds[half[0]])
    mean, std = found.apply(means[half[1]], stds[half[1]])
    assert calibration.coverage(true[half[1]], mean, std, 0.6827) == pytest.approx(0.6827, abs=0.03)
    assert found.residual["b"] == pytest.approx(0.5, abs=0.03)


def test_the_deployed_stack_is_read_back(scale, tmp_path):
    features, folds = scale()
    compare_baselines(features, folds, "strict", QUICK, tmp_path / "p.parquet", STACK, 2)
    stack, learned = recommend_predictor(
        [tmp_path / "p.parquet"] * 2, STACK, tmp_path / "r.parquet", tmp_path / "r.json"
    )
    pd.testing.assert_frame_equal(tables.read(tmp_path / "r.parquet"), stack, check_dtype=False)
    assert len(learned) == 2 * (3 + 1)
    use = deployed(json.loads((tmp_path / "r.json").read_text()))
    assert set(use) == {"y", "v"}
    new = tables.read(features)
    parts = [predict_baseline(features, QUICK[name], new).query("target == 'y'") for name in STACK]
    mean, std = use["y"].apply(*(np.column_stack([part[key] for part in parts]) for key in ("mean", "std")))
    written = stack[(stack["fold"] == -1) & (stack["target"] == "y")]
    np.testing.assert_allclose(mean, written["mean"], rtol=1e-6)
    np.testing.assert_allclose(std, written["std"], rtol=1e-6)


def test_a_stack_without_held_out_predictions_is_refused(scale, tmp_path):
    features, folds = scale()
    compare_baselines(features, folds, "strict", QUICK, tmp_path / "p.parquet", ["ridge"], 2)
    with pytest.raises(InputError, match="held out inside the training rows"):
        recommend_predictor([tmp_path / "p.parquet"], ["ridge", "forest"], tmp_path / "r", tmp_path / "w")
    with pytest.raises(InputError, match=r"no predictions of \['other'\]"):
        recommend_predictor([tmp_path / "p.parquet"], ["ridge", "other"], tmp_path / "r", tmp_path / "w")


def test_error_metrics_equal_scikit_learn():
    rng = np.random.default_rng(0)
    true = rng.normal(size=50)
    mean = true + 0.2 * rng.normal(size=50)
    found = error_metrics(true, mean)
    assert found["mae"] == pytest.approx(mean_absolute_error(true, mean))
    assert found["rmse"] == pytest.approx(root_mean_squared_error(true, mean))
    assert found["r2"] == pytest.approx(r2_score(true, mean))
    assert np.isnan(error_metrics(np.ones(3), np.ones(3))["r2"])


def test_calibration_of_an_honest_and_of_a_wrong_spread():
    rng = np.random.default_rng(0)
    mean, std = rng.normal(size=20000), rng.uniform(0.5, 2.0, size=20000)
    true = mean + std * rng.normal(size=20000)
    found = calibration.calibration_metrics(true, mean, std)
    assert found["coverage_68"] == pytest.approx(0.6827, abs=0.01)
    assert found["coverage_95"] == pytest.approx(0.95, abs=0.01)
    assert found["miscalibration_area"] < 0.01
    assert found["nll"] == pytest.approx(-norm.logpdf(true, mean, std).mean())
    assert found["sharpness"] == pytest.approx(np.sqrt((std**2).mean()))
    assert calibration.coverage(true, mean, 0.5 * std, 0.95) == pytest.approx(
        2 * norm.cdf(0.98) - 1, abs=0.01
    )
    assert calibration.calibration_metrics(true, mean, np.full(20000, np.nan)) == {}
    curve = calibration.calibration_curve(true, mean, std)
    np.testing.assert_allclose(curve["quantile"], curve["level"], atol=0.01)
    np.testing.assert_allclose(curve["interval"], curve["level"], atol=0.01)


def test_miscalibration_area_in_closed_form():
    # All rows at the median: a step at 1/2. All rows far below: the curve is 1 everywhere.
    zeros, ones = np.zeros(7), np.ones(7)
    assert calibration.miscalibration_area(zeros, zeros, ones) == pytest.approx(0.25)
    assert calibration.miscalibration_area(zeros - 99, zeros, ones) == pytest.approx(0.5)
    rng = np.random.default_rng(0)
    true = rng.normal(size=40)
    p = np.linspace(0, 1, 200001)
    share = np.searchsorted(np.sort(norm.cdf(true)), p, side="right") / 40
    area = calibration.miscalibration_area(true, np.zeros(40), np.ones(40))
    assert area == pytest.approx(np.trapezoid(np.abs(share - p), p), abs=1e-5)


def test_interval_of_independent_rows_is_that_of_the_mean():
    rng = np.random.default_rng(0)
    values = 0.3 + rng.normal(size=400)
    found = clustered_difference(values, np.arange(400), seed=1)
    half = 1.96 * values.std() / 20
    assert found.mean == pytest.approx(values.mean())
    assert [found.low, found.high] == pytest.approx([values.mean() - half, values.mean() + half], abs=0.02)
    assert found.p_value < 0.001


def test_rows_of_one_material_do_not_count_as_independent():
    rng = np.random.default_rng(0)
    materials = np.repeat(np.arange(30), 20)
    values = rng.normal(size=30)[materials]
    wide = clustered_difference(values, materials, seed=1)
    narrow = clustered_difference(values, np.arange(600), seed=1)
    assert (wide.high - wide.low) > 3 * (narrow.high - narrow.low)
    assert wide.p_value > narrow.p_value
    one = clustered_difference(values, np.zeros(600), seed=1)
    assert np.isnan([one.low, one.high, one.p_value]).all()
    assert clustered_difference(np.zeros(600), materials, seed=1).p_value == 1.0


def test_corrected_t_test_is_the_plain_one_without_overlap():
    values = np.random.default_rng(0).normal(0.4, 1.0, size=10)
    assert corrected_t_test(values, 0.0) == pytest.approx(ttest_1samp(values, 0.0).pvalue)
    assert corrected_t_test(values, 1 / 9) > corrected_t_test(values, 0.0)
    assert corrected_t_test(np.zeros(5), 0.25) == 1.0
    assert np.isnan(corrected_t_test(values[:1], 0.1))


def predictions_of(model: str, noise: float, seeds: tuple[int, ...] = (-1,)) -> pd.DataFrame:
    rng = np.random.default_rng(len(model))
    true, parts = np.random.default_rng(9).normal(size=60), []
    for seed in seeds:
        for fold in (-1, 0, 1, 2):
            for split in ("train", "validation"):
                rows = np.flatnonzero((np.arange(60) % 3 == fold) == (split == "validation"))
                rows = np.arange(60) if fold == -1 and split == "train" else rows
                if fold == -1 and split == "validation":
                    continue
                mean = true[rows] + noise * rng.normal(size=len(rows))
                part = {
                    "row_id": rows,
                    "true": true[rows],
                    "mean": mean,
                    "std": noise,
                    "fold": fold,
                    "split": split,
                }
                parts.append(pd.DataFrame(part).assign(seed=seed))
    frame = pd.concat(parts, ignore_index=True)
    return frame.assign(protocol="strict", model=model, target="y", repeat=0, inner=-1)[
        list(tables.PREDICTIONS)
    ]


def test_metrics_a_fold_and_pooled():
    frame = predictions_of("m", 0.1, seeds=(-1, 0))
    found = measure(frame).set_index(["seed", "split", "fold", "metric"])["value"]
    held = frame[(frame["split"] == "validation") & (frame["seed"] == 0)]
    assert found[0, "validation", -1, "mae"] == pytest.approx((held["true"] - held["mean"]).abs().mean())
    one = held[held["fold"] == 2]
    assert found[0, "validation", 2, "rmse"] == pytest.approx(
        root_mean_squared_error(one["true"], one["mean"])
    )
    assert set(found.index.get_level_values("fold")) == {-1, 0, 1, 2}
    assert ("train", "nll") not in {(split, metric) for _, split, _, metric in found.index}


def test_reconstruction_is_averaged_over_seeds_then_folds(tmp_path):
    members = [(0, 0, -1, 0), (0, 0, -1, 1), (0, 1, -1, 0), (0, 1, -1, 1), (0, -1, -1, 0), (0, 0, 0, 0)]
    columns = dict(
        zip(("repeat", "fold", "inner", "seed"), map(list, zip(*members, strict=True)), strict=True)
    )
    facts = {"reconstruction": {"ions": [0.9, 0.7, 0.4, 0.6, None, None], "constant": [None] * 6}}
    card = {"protocol": "strict", "model": "m", "members": columns, "facts": facts}
    (tmp_path / "m.json").write_text(json.dumps(card))
    found = reconstructions([tmp_path / "m.json"])
    assert found["value"].tolist() == pytest.approx([0.65, 0.8, 0.5])
    assert found["fold"].tolist() == [-1, 0, 1]
    assert set(found["target"]) == {"ions"}
    frame = pd.DataFrame({"material": ["a", "b"], "x": 0.0})
    features = write_features(tmp_path / "features.parquet", frame, {"inputs": ["x"]}, [])
    tables.write(tmp_path / "none.parquet", predictions_of("m", 0.1).iloc[:0], tables.PREDICTIONS)
    outputs = {key: tmp_path / f"{key}.parquet" for key in ("metrics", "comparisons", "calibration")}
    nothing = Evaluation("space", features, [tmp_path / "none.parquet"])
    evaluate_scale(replace(nothing, cards=[tmp_path / "m.json"]), outputs)
    metrics = tables.read(outputs["metrics"])
    assert set(metrics["metric"]) == {"reconstruction_r2"}
    assert set(metrics["unit"]) == {""}
    assert len(tables.read(outputs["comparisons"])) == len(tables.read(outputs["calibration"])) == 0
    with pytest.raises(InputError, match="no targets, and there are no cards"):
        evaluate_scale(nothing, outputs)


def test_evaluating_a_scale_writes_metrics_comparison_and_calibration(tmp_path):
    frame = pd.DataFrame({"material": [f"m{i // 2}" for i in range(60)], "x": 0.0, "y": 0.0})
    frame["solvent"] = [f"s{i % 4}" for i in range(60)]
    features = write_features(tmp_path / "features.parquet", frame, {"inputs": ["x"]}, ["y"])
    files = []
    for model, noise in (("nested", 0.1), ("single", 0.4)):
        files.append(tmp_path / f"{model}.parquet")
        tables.write(files[-1], predictions_of(model, noise, (-1, 0)), tables.PREDICTIONS)
    outputs = {key: tmp_path / f"{key}.parquet" for key in ("metrics", "comparisons", "calibration")}
    evaluation = Evaluation("gap", features, files, compare=[["nested", "single"], ["nested", "absent"]])
    found = evaluate_scale(evaluation, outputs)
    for key, path in outputs.items():
        assert len(tables.read(path)) == len(found[key])
    units = found["metrics"].groupby("metric")["unit"].unique().map(list).to_dict()
    assert units["mae"] == units["rmse"] == units["sharpness"] == ["eV"]
    assert units["r2"] == units["nll"] == units["coverage_95"] == [""]
    (pair,) = found["comparisons"].to_dict("records")
    assert pair["difference"] == pytest.approx(-0.3 * np.sqrt(2 / np.pi), abs=0.08)
    assert pair["low"] < pair["difference"] < pair["high"] < 0
    assert max(pair["p_value"], pair["p_folds"]) < 0.05
    assert (pair["clusters"], pair["unit"], pair["scale"]) == (30, "eV", "gap")
    levels = evaluate_scale(replace(evaluation, left_out={pair["protocol"]: "solvent"}), outputs)
    assert levels["comparisons"]["clusters"].tolist() == [4]
    summary = summarise(found["metrics"]).query("model == 'nested' and metric == 'mae' and seed == -1")
    row = summary[summary["split"] == "validation"].iloc[0]
    assert (row["folds"], row["unit"]) == (3, "eV")
    assert row["mean"] == pytest.approx(row["pooled"])
    assert set(found["calibration"]["model"]) == {"nested", "single"}
