"""A study of a class with hidden labels through the whole workflow, to report, store and prediction."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from nestmat import cli, tables
from support.running import finish_study, snakemake

pytestmark = pytest.mark.slow

METALS = ["Fe", "Ni", "Cr", "Co", "Al", "Ti"]
HOLDOUT = {"kind": "holdout", "test": 0.2, "hidden": 0.3, "unused": 0.2, "seed": 42, "repeats": [1, 2]}
CLASSIFIER = {"loss": "binary_cross_entropy", "hidden": [8]}


def alloys(n: int = 150) -> pd.DataFrame:
    """Alloys of two to five metals; few elements, and much iron, make a single phase more likely."""
    rng = np.random.default_rng(0)
    rows = []
    for _ in range(n):
        metals = rng.choice(METALS, rng.integers(2, 6), replace=False)
        amount = rng.integers(1, 9, len(metals))
        share = dict(zip(metals, amount / amount.sum(), strict=True))
        odds = 3.5 - 1.2 * len(metals) + 2 * share.get("Fe", 0.0) + rng.logistic(0, 0.4)
        formula = "".join(f"{m}{k}" for m, k in zip(metals, amount, strict=True))
        rows.append({"Alloy": formula, **{m: share.get(m, 0.0) for m in METALS}, "Class": int(odds > 0)})
    return pd.DataFrame(rows).drop_duplicates("Alloy")


def study() -> dict:
    names = {"classes": ["several phases", "single phase"], "label": True, "header": "Class"}
    return {
        "study": "toy_alloys",
        "title": "Which alloys have a single phase?",
        "question": "How many labels are needed?",
        "tracking": "sqlite",
        "datasets": {
            "alloys": {
                "title": "Alloys",
                "file": "alloys.csv",
                "formula": "Alloy",
                "columns": {**{m: {} for m in METALS}, "phase": {"description": "Single phase", **names}},
            }
        },
        "strict": {"folds": 3},
        "scales": {
            "alloys": {
                "title": "Alloys",
                "dataset": "alloys",
                "targets": ["phase"],
                "features": {"shares": {"columns": METALS}},
                "splits": {
                    "published": {**HOLDOUT, "repeats": [], "published": True},
                    "half": {**HOLDOUT, "labelled": 0.5},
                    "all_labelled": {**HOLDOUT, "labelled": 1.0},
                    "new_elements": {**HOLDOUT, "disjoint": "elements"},
                },
                "models": {
                    name: {
                        "title": title,
                        "specification": {
                            "inputs": ["shares"],
                            "encoder": {"latents": latents, "hidden": [16]},
                            "heads": {"phase": CLASSIFIER, "shares": {"loss": "mse", "weight": 0.1}},
                            "training": {"epochs": 80, "learning_rate": 0.02, "seeds": 2},
                        },
                    }
                    for name, title, latents in (("nestmat", "nestmat head", 3), ("narrow", "One latent", 1))
                },
                "baselines": {
                    "forest": {
                        "title": "Random forest",
                        "kind": "random_forest",
                        "inputs": ["shares", "number_of_elements"],
                        "n_estimators": 30,
                    },
                    "rule": {"title": "Few elements", "kind": "stump", "inputs": ["number_of_elements"]},
                },
                "recommended": {"stack": ["nestmat", "forest"], "weights": "equal"},
                "compare": [["nestmat", "narrow"]],
                "strata": {
                    "binaries": {"high": 2},
                    "many": {"low": 4, "title": "Four elements and more"},
                },
                "sweep": {"model": "nestmat", "latents": [1, 2], "epochs": 20, "protocol": "half"},
                "interpret": {"model": "nestmat", "protocol": "half", "permutations": 99, "background": 8},
            }
        },
    }


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A folder with the finished study."""
    folder = tmp_path_factory.mktemp("alloys")
    finish_study(folder, study(), files={"alloys.csv": alloys()})
    return folder


def results(folder):
    return folder / "results" / "toy_alloys"


def test_a_second_run_does_nothing(finished):
    assert "Nothing to be done" in snakemake(finished)


def test_every_model_is_measured_by_what_fits_a_class(finished):
    metrics = tables.read(results(finished) / "metrics" / "alloys.parquet", seed=-1)
    of_class = metrics[metrics["target"] == "phase"]
    assert {"accuracy", "roc_auc", "brier", "ece"} <= set(of_class["metric"])
    assert not {"mae", "rmse", "r2"} & set(of_class["metric"])
    assert set(of_class["model"]) == {"nestmat", "narrow", "forest", "rule", "recommended"}
    assert set(of_class["protocol"]) == {"strict", "published", "half", "all_labelled", "new_elements"}
    accuracy = of_class[(of_class["metric"] == "accuracy") & (of_class["split"] == "validation")]
    mean = accuracy[accuracy["fold"] == -1].groupby("model")["value"].mean()
    assert mean["recommended"] > 0.7


def test_more_labels_are_seen_and_the_same_rows_tested(finished):
    metrics = tables.read(
        results(finished) / "metrics" / "alloys.parquet", metric="rows", seed=-1, model="forest"
    )
    count = metrics[metrics["fold"] == 0].groupby(["protocol", "split"])["value"].mean().unstack()
    assert count.loc["half", "train"] < count.loc["published", "train"] < count.loc["all_labelled", "train"]
    assert count.loc["half", "validation"] == count.loc["all_labelled", "validation"]
    folds = tables.read(results(finished) / "folds" / "alloys.parquet")
    test = folds[folds["fold"] == 0].groupby(["protocol", "repeat"])["row_id"].agg(frozenset)
    assert test["published", 0] == test["half", 0] == test["all_labelled", 0]


def test_the_report_speaks_of_accuracy_and_stands_alone(finished):
    report = (results(finished) / "report.html").read_text()
    for text in (
        "Accuracy 0.",
        "over 3 repeats (recommended predictor)",
        "on one split (recommended predictor)",
        "the more frequent class",
        "the standard error of an accuracy of",
        "Four elements and more: accuracy",
        "Comparison: ",
        "nestmat head less one latent, accuracy:",
        "nestmat head less one latent, AUC:",
        "Accuracy with ",
        "The plain mean of its members",
        "expected calibration error",
        "Few elements",
        "binary cross entropy × 1",
        "seen without it by models that can learn so",
    ):
        assert text in report, text
    said = report.partition('<h2 id="data"')[0]
    for text in ("MAE", "RMSE", "nan", "learned inside the training rows"):
        assert text not in said, text
    drawn = {path.stem for path in (results(finished) / "figures").glob("*/*.svg")}
    assert {"roc", "labelled", "elements", "errors", "calibration", "nesting", "sweep"} <= drawn
    assert "parity" not in drawn


def test_the_strata_divide_the_rows(finished):
    strata = tables.read(results(finished) / "strata" / "alloys.parquet", metric="rows", model="rule")
    assert set(strata["stratum"]) == {"binaries", "many"}
    assert (strata["value"] > 0).all()


def test_the_store_has_the_mean_over_repeats(finished):
    import mlflow

    client = mlflow.MlflowClient(f"sqlite:///{finished / 'mlflow' / 'mlflow.db'}")
    experiment = client.get_experiment_by_name("nestmat")
    runs = [
        run for run in client.search_runs([experiment.experiment_id]) if "mlflow.parentRunId" in run.data.tags
    ]
    mine = [run for run in runs if run.data.tags.get("mlflow.runName", "").endswith("half/forest")]
    metrics = tables.read(
        results(finished) / "metrics" / "alloys.parquet",
        **{"seed": -1, "model": "forest", "protocol": "half", "metric": "accuracy", "split": "validation"},
    )
    expected = metrics[metrics["fold"] == -1]["value"].mean()
    assert [run.data.metrics["validation/phase/accuracy"] for run in mine] == pytest.approx([expected])


def test_new_alloys_get_a_probability_and_a_class(finished, monkeypatch, capsys):
    monkeypatch.chdir(finished)
    rows = alloys().head(3)[["Alloy", *METALS]]
    rows.to_csv(finished / "new.csv", index=False)
    arguments = ["predict", "--study", "study.yaml", "--input", "new.csv", "--output", "out.parquet"]
    arguments += ["--long", "--overwrite"]
    assert cli.main(arguments) == 0
    out = tables.read(finished / "out.parquet")
    assert out["mean"].between(0, 1).all()
    named = np.where(out["mean"] >= 0.5, "single phase", "several phases")
    assert out["class"].tolist() == named.tolist()
    assert (out["low"] >= 0).all()
    assert (out["high"] <= 1).all()
    names, counts = np.unique(named, return_counts=True)
    told = ", ".join(f"{count} {name}" for name, count in zip(names, counts, strict=True))
    assert f"phase: {told}\n" in capsys.readouterr().out
