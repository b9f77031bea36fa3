"""Measures of classes against scikit-learn, their summary over repeats, strata and comparisons."""

from __future__ import annotations

import factories
import numpy as np
import pandas as pd
import pytest
from feature_tables import write_features
from hypothesis import given, settings
from hypothesis import strategies as st
from report_text import section_html, table_cells
from scipy.stats import t as student
from sklearn import metrics as peer

from nestmat import tables
from nestmat.config.evaluation import Stratum
from nestmat.config.loading import study_from
from nestmat.data import published
from nestmat.errors import InputError
from nestmat.evaluation.classification import (
    CERTAIN,
    class_metrics,
    reliability_curve,
    roc_auc,
    roc_curve,
    standard_error,
)
from nestmat.evaluation.comparison import auc_difference, compare_pairs, corrected_t_test, mcnemar
from nestmat.evaluation.evaluate import OUTPUTS, Evaluation, evaluate_scale
from nestmat.evaluation.metrics import measure, summarise
from nestmat.labels import comparisons as measures
from nestmat.labels.scales import Labels
from nestmat.report.findings.published import best_published
from nestmat.report.findings.strata import strata_tables
from nestmat.report.sections.nesting import verdict

ROWS = st.integers(2, 60)


def sample(n: int, seed: int, levels: int | None = None) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    true = rng.integers(0, 2, n).astype(float)
    probability = rng.uniform(size=n)
    return true, np.round(probability * levels) / levels if levels else probability


@given(ROWS, st.integers(0, 1000), st.sampled_from([None, 1, 4]))
@settings(max_examples=150, deadline=None)
def test_measures_are_those_of_scikit_learn(n, seed, levels):
    true, probability = sample(n, seed, levels)
    found, decided = class_metrics(true, probability), probability >= 0.5
    assert found["accuracy"] == pytest.approx(peer.accuracy_score(true, decided))
    assert found["f1"] == pytest.approx(peer.f1_score(true, decided, zero_division=0))
    assert found["brier"] == pytest.approx(np.mean((probability - true) ** 2))
    bounded = np.clip(probability, CERTAIN, 1 - CERTAIN)
    assert found["log_loss"] == pytest.approx(peer.log_loss(true, bounded, labels=[0, 1]))
    recalls = [(decided[true == k] == k).mean() for k in np.unique(true)]
    assert found["balanced_accuracy"] == pytest.approx(np.mean(recalls))
    assert found["majority_rate"] == pytest.approx(max(true.mean(), 1 - true.mean()))
    if true.min() == true.max():
        assert np.isnan(found["roc_auc"])
    else:
        assert found["roc_auc"] == pytest.approx(peer.roc_auc_score(true, probability))
        grid = np.linspace(0, 1, 21)
        false, hit, _ = peer.roc_curve(true, probability, drop_intermediate=False)
        expected = np.interp(grid, false, hit)
        np.testing.assert_allclose(roc_curve(true, probability, grid)[1:], expected[1:])
        fine = np.linspace(0, 1, 20_001)
        area = np.trapezoid(roc_curve(true, probability, fine), fine)
        assert area == pytest.approx(found["roc_auc"], abs=2e-3)


def test_the_calibration_error_is_that_of_its_definition():
    true = np.array([0, 0, 1, 1, 1, 0, 1.0])
    probability = np.array([0.01, 0.05, 0.32, 0.38, 0.95, 0.99, 1.0])
    curve = reliability_curve(true, probability)
    assert curve["rows"].tolist() == [2, 2, 3]
    assert curve["frequency"].tolist() == pytest.approx([0, 1, 2 / 3])
    expected = (2 * 0.03 + 2 * 0.65 + 3 * abs(2.94 / 3 - 2 / 3)) / 7
    assert class_metrics(true, probability)["ece"] == pytest.approx(expected)
    rng = np.random.default_rng(0)
    honest = rng.uniform(size=20_000)
    assert class_metrics((rng.uniform(size=20_000) < honest) * 1.0, honest)["ece"] < 0.015


def test_the_standard_error_of_the_published_accuracy():
    assert standard_error(0.877, 138) == pytest.approx(0.028, abs=5e-4)


# many repeats of one split


def holdout_predictions(seed: int = 0, repeats: int = 8, rows: int = 150) -> pd.DataFrame:
    """A good and a worse classifier, and train and validation rows of a holdout with ``repeats`` repeats."""
    rng = np.random.default_rng(seed)
    true = rng.integers(0, 2, rows).astype(float)
    parts = []
    for repeat in range(repeats):
        test = rng.permutation(rows) < rows // 5
        for model, noise in (("good", 0.25), ("worse", 0.6)):
            mean = np.clip(true + rng.normal(0, noise, rows), 0, 1)
            parts.append(
                pd.DataFrame(
                    {
                        "row_id": np.arange(rows),
                        "repeat": repeat,
                        "split": np.where(test, "validation", "train"),
                        "true": true,
                        "mean": mean,
                        "model": model,
                    }
                )
            )
    about = {"protocol": "half", "target": "phase", "fold": 0, "inner": -1, "seed": -1, "std": np.nan}
    return pd.concat(parts, ignore_index=True).assign(**about)[list(tables.PREDICTIONS)]


def test_over_many_repeats_of_one_split_the_summary_is_over_the_repeats():
    predictions = holdout_predictions()
    table = measure(predictions, ["phase"]).assign(scale="s", unit="")
    found = summarise(table)
    row = found[
        (found["model"] == "good") & (found["split"] == "validation") & (found["metric"] == "accuracy")
    ]
    mine = predictions[(predictions["model"] == "good") & (predictions["split"] == "validation")]
    right = (mine["mean"] >= 0.5) == (mine["true"] == 1)
    by_repeat = right.groupby(mine["repeat"]).mean()
    assert row["mean"].tolist() == pytest.approx([by_repeat.mean()])
    assert row["std"].tolist() == pytest.approx([by_repeat.std(ddof=0)])
    assert row["pooled"].tolist() == pytest.approx([by_repeat.mean()])
    assert row[["repeat", "folds", "over"]].to_numpy().tolist() == [[0, 8, "repeats"]]
    counted = found[(found["metric"] == "rows") & (found["model"] == "good")].set_index("split")["mean"]
    assert counted.to_dict() == {"train": 120.0, "validation": 30.0}


def test_a_single_split_and_folds_are_summarised_as_before():
    one = measure(holdout_predictions(repeats=1), ["phase"]).assign(scale="s", unit="")
    assert set(summarise(one)["over"]) == {"folds"}
    assert set(summarise(one)["folds"]) == {1}
    folds = holdout_predictions()
    folds = folds.assign(fold=folds["row_id"] % 3, repeat=0).drop_duplicates(
        ["row_id", "model", "split", "fold"]
    )
    found = summarise(measure(folds, ["phase"]).assign(scale="s", unit=""))
    assert set(found["over"]) == {"folds"}
    assert set(found["folds"]) == {3}


# comparisons


def compared(predictions: pd.DataFrame, pair=("good", "worse")) -> dict[str, dict]:
    held = predictions[predictions["split"] == "validation"]
    material = pd.Series([f"m{i // 2}" for i in range(150)])
    found = compare_pairs(held, [pair], material, {}, classes=["phase"], ratios={"half": 0.25})
    return {str(row["metric"]): row for row in found}


def test_a_better_classifier_is_told_as_better_in_words():
    found = compared(holdout_predictions())
    assert set(found) == {"accuracy", "roc_auc"}
    for row in found.values():
        assert row["difference"] > 0
        assert 0 < row["low"] < row["difference"] < row["high"]
        assert verdict(row) == "better"
    for row in compared(holdout_predictions(), ("worse", "good")).values():
        assert row["high"] < 0
        assert verdict(row) == "worse"
    error = {"metric": "mae", "low": -2.0, "high": -1.0, "p_value": 0.01, "p_folds": 0.01}
    assert verdict(error) == "better"


def test_areas_over_splits_are_compared_by_the_corrected_test():
    predictions = holdout_predictions()
    held = predictions[predictions["split"] == "validation"]
    areas = held.groupby(["repeat", "model"]).apply(
        lambda part: roc_auc(part["true"].to_numpy(), part["mean"].to_numpy()), include_groups=False
    )
    difference = (areas.unstack()["good"] - areas.unstack()["worse"]).to_numpy()
    row = compared(predictions)["roc_auc"]
    reach = student.ppf(0.975, 7) * difference.std(ddof=1) * np.sqrt(1 / 8 + 0.25)
    assert row["difference"] == pytest.approx(difference.mean())
    assert (row["low"], row["high"]) == pytest.approx((difference.mean() - reach, difference.mean() + reach))
    assert row["p_folds"] == pytest.approx(corrected_t_test(difference, 0.25))
    assert row["clusters"] == (held["row_id"] // 2).nunique()


def test_on_a_single_split_mcnemar_speaks():
    predictions = holdout_predictions(repeats=1)
    wide = predictions[predictions["split"] == "validation"].pivot(
        index="row_id", columns="model", values=["true", "mean"]
    )
    right = {
        name: ((wide["mean", name] >= 0.5) == (wide["true", name] == 1)).to_numpy()
        for name in ("good", "worse")
    }
    row = compared(predictions)["accuracy"]
    assert row["p_value"] == pytest.approx(mcnemar(right["good"], right["worse"]))
    assert np.isnan(row["p_folds"])
    assert np.isfinite(compared(predictions)["roc_auc"]["low"])


def test_mcnemar_counts_the_rows_that_one_has_right_alone():
    one = np.array([True] * 8 + [False] * 10 + [True] * 20)
    other = np.array([False] * 8 + [True] * 10 + [True] * 20)
    # The published comparison: 18 alloys on which two classifiers differ, 8 to 10.
    assert mcnemar(one, other) == pytest.approx(0.8145, abs=1e-4)
    assert mcnemar(one, one) == 1.0
    sure = np.ones(6, dtype=bool)
    assert mcnemar(sure, ~sure) == pytest.approx(2 * 0.5**6)


def test_equal_rankings_are_not_told_apart():
    true, probability = sample(60, 0)
    found = auc_difference(true, probability, np.sqrt(probability), np.arange(60), seed=0)
    assert found.mean == 0
    assert found.p_value == 1
    assert not measures.is_significant(
        {"low": found.low, "high": found.high, "p_value": 1.0, "p_folds": np.nan}
    )


# a scale


@pytest.fixture
def evaluated(tmp_path):
    predictions = holdout_predictions()
    tables.write(tmp_path / "p.parquet", predictions, tables.PREDICTIONS)
    formula = ["FeNi" if i % 3 else f"FeNiCrCoAl{1 + i}" for i in range(150)]
    frame = pd.DataFrame({"formula": formula, "material": formula, "x": np.arange(150.0), "phase": 0.0})
    features = write_features(tmp_path / "s.parquet", frame, {"inputs": ["x"]}, ["phase"], unit="")
    schema = tables.schema(features)
    schema["phase"] = tables.Column("float64", role="target", classes=("no", "yes"))
    tables.write(features, tables.read(features), schema, tables.provenance(features))

    def run(**within):
        files = {name: tmp_path / f"{name}.parquet" for name in OUTPUTS}
        evaluation = Evaluation(
            "s",
            features,
            [tmp_path / "p.parquet"],
            compare=[("good", "worse")],
            strata={name: Stratum(**limits) for name, limits in within.items()},
        )
        found = evaluate_scale(evaluation, files)
        for name, path in files.items():
            pd.testing.assert_frame_equal(
                tables.read(path), found[name][list(tables.schema(path))], check_dtype=False
            )
        return found

    return run


def test_a_scale_with_classes_is_measured_compared_and_divided(evaluated):
    found = evaluated(binaries={"high": 2}, many={"low": 5}, first={"column": "x", "high": 49})
    assert not set(found["metrics"]["metric"]) & {"mae", "rmse", "r2", "nll"}
    assert set(found["comparisons"]["metric"]) == {"accuracy", "roc_auc"}
    assert (found["comparisons"]["unit"] == "").all()
    curves = found["calibration"]
    assert curves["level"].between(0, 1).all()
    assert curves.groupby("model")["rows"].sum().to_dict() == {"good": 240, "worse": 240}
    strata = found["strata"]
    counted = strata[(strata["metric"] == "rows") & (strata["model"] == "good")]
    by_stratum = counted.groupby(["repeat", "stratum"])["value"].sum().unstack()
    assert (by_stratum["binaries"] + by_stratum["many"] == 30).all()
    predictions = holdout_predictions()
    mine = predictions[
        (predictions["model"] == "good")
        & (predictions["split"] == "validation")
        & (predictions["repeat"] == 3)
        & (predictions["row_id"] % 3 == 0)
    ]
    accuracy = ((mine["mean"] >= 0.5) == (mine["true"] == 1)).mean()
    told = strata[
        (strata[["model", "stratum", "metric", "repeat"]] == ["good", "many", "accuracy", 3]).all(axis=1)
    ]
    assert told["value"].tolist() == pytest.approx([accuracy])


def test_without_strata_their_table_is_empty(evaluated):
    assert evaluated()["strata"].empty


def test_a_stratum_of_no_number_column_is_named(evaluated):
    with pytest.raises(InputError, match="have no number column"):
        evaluated(odd={"column": "formula", "low": 1})


@pytest.mark.parametrize("given", [{}, {"low": 3, "high": 2}])
def test_a_stratum_has_limits(given):
    with pytest.raises(ValueError, match="low"):
        Stratum(**given)


def test_published_scores_of_alloys_are_read_and_told_as_higher_is_better():
    frame = published.load(["dvae"])
    held = frame[frame["split"] == "validation"]
    assert set(held["metric"]) == {"accuracy", "roc_auc", "f1", "log_loss", "brier"}
    found = sorted(held.loc[held["metric"] == "accuracy", "value"])
    # Shares of 138 test rows.
    assert found == pytest.approx([120 / 138, 121 / 138], abs=5e-4)
    best = best_published(frame, "single_phase", "published", "accuracy")
    assert best["model"] == "DVAE"
    least = best_published(frame, "single_phase", "published", "brier")
    assert least["value"] == 0.106
    printed = held[held["citation"].str.startswith("Recomputed")]["metric"]
    assert "accuracy" not in set(printed)


@pytest.mark.parametrize("classes", [(), ("no", "yes")])
def test_strata_are_told_of_numbers_and_of_classes(classes):
    study = factories.configuration()
    study["scales"]["gap"]["strata"] = {"light": {"column": "A_MASS", "high": 60, "title": "Light ions"}}
    unit = "" if classes else "eV"
    labels = Labels(study_from(study), "gap", {"Gap": tables.Column("float64", unit=unit, classes=classes)})
    values = (
        {"accuracy": 0.8, "roc_auc": 0.9, "majority_rate": 0.6} if classes else {"mae": 0.25, "rmse": 0.5}
    )
    rows = [
        {
            "protocol": "strict",
            "model": "ridge",
            "stratum": "light",
            "repeat": 0,
            "metric": metric,
            "value": value,
        }
        for metric, value in {**values, "rows": 40.0}.items()
    ]
    [table] = strata_tables(pd.DataFrame(rows).assign(target="Gap"), labels, "Gap")
    target = {
        "of_class": bool(classes),
        "tables": [],
        "strata": [table],
        "uncertainty": None,
        "by_seed": [],
    }
    variables = {"targets": {"Gap": target}, "citations": []}
    markup = section_html("results", variables)
    if classes:
        assert table_cells(markup) == [
            ["Model", "Light ions: accuracy", "AUC"],
            ["Ridge", "0.800", "0.900"],
        ]
        assert "Light ions: 40 rows, more frequent class 0.600" in markup
    else:
        assert table_cells(markup) == [["Model", "Light ions: MAE (eV)"], ["Ridge", "0.250"]]
        assert "Light ions: 40 rows." in markup
    assert '<tr class="baseline">' in markup
