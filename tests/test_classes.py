"""Targets that are classes: heads, classifiers, votes, and what is refused."""

from __future__ import annotations

from copy import deepcopy

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.metrics import log_loss, roc_auc_score

from nestmat import tables
from nestmat.commands.validate import check_columns
from nestmat.config.loading import study_from
from nestmat.data.targets import class_targets, number_targets
from nestmat.errors import InputError
from nestmat.evaluation.baselines import compare_baselines, predict_baseline
from nestmat.evaluation.estimators.registry import BASELINES
from nestmat.evaluation.protocols import assign_folds
from nestmat.evaluation.stack import Combination, convex_weights, deployed, document, recommend_predictor
from nestmat.models.autoencoder.network import Autoencoder
from nestmat.models.autoencoder.specification import AutoencoderSpecification
from nestmat.models.keys import ModelKey
from nestmat.models.losses import binary_cross_entropy
from nestmat.models.specification import Encoder, Head, Shapes, Training
from nestmat.plan.jobs import Jobs
from nestmat.scales.chain import predict_chain
from nestmat.scales.train import TrainingJob, train_scale
from nestmat.tables import Column
from nestmat.training.checkpoints import Trained
from nestmat.training.inner_folds import RowSplit
from nestmat.training.scale_data import ScaleData

CLASSES = ["several phases", "single phase"]
HEAD = Head(loss="binary_cross_entropy", hidden=(8,))
SPECIFICATION = AutoencoderSpecification(
    inputs=("inputs",),
    encoder=Encoder(latents=2, hidden=(8,)),
    heads={"phase": HEAD, "inputs": Head(loss="mse", weight=0.1)},
    training=Training(epochs=60, learning_rate=0.02, seeds=3),
)


@pytest.fixture(autouse=True)
def _one_thread():
    torch.set_num_threads(1)


@pytest.fixture(scope="module")
def scale(tmp_path_factory):
    """Features and folds of 160 alloys, their class along a noisy line; some labels are hidden."""
    folder = tmp_path_factory.mktemp("classes")
    rng = np.random.default_rng(0)
    n = 160
    x = rng.normal(size=(n, 2))
    formula = [f"Fe{i + 1}Ni" if i % 2 else f"Fe{i + 1}NiCrCo" for i in range(n)]
    frame = pd.DataFrame({"row_id": np.arange(n), "formula": formula, "material": formula, "group": formula})
    frame["a"], frame["b"] = 100 + x[:, 0], x[:, 1]
    frame["phase"] = (x[:, 0] + x[:, 1] + rng.logistic(0, 0.4, n) > 0).astype(float)
    schema = {"row_id": Column("int64", role="key")}
    schema |= {key: Column("string", role="key") for key in ("formula", "material", "group")}
    schema |= {key: Column("float64", role="feature", block="inputs") for key in ("a", "b")}
    schema["phase"] = Column("float64", role="target", classes=tuple(CLASSES))
    features, folds = folder / "s.parquet", folder / "folds.parquet"
    blocks = {"inputs": {"kind": "continuous", "columns": ["a", "b"]}}
    tables.write(features, frame, schema, {"blocks": blocks})
    split = {"kind": "holdout", "test": 0.25, "hidden": 0.25, "seed": 1, "repeats": [2]}
    assign_folds({"s": features}, {"s": folds}, {}, {"s": {"half": split}}, {"s": ["phase"]})
    return features, folds


@pytest.fixture(scope="module")
def trained(scale, tmp_path_factory):
    """An autoencoder of the scale, trained in both repeats."""
    folder = tmp_path_factory.mktemp("trained")
    files = {name: folder / f"s.{name}.parquet" for name in ("history", "predictions", "latents")}
    train_scale(
        TrainingJob(
            key=ModelKey("s", "half", "ae"),
            specification=SPECIFICATION,
            features=scale[0],
            folds=scale[1],
            weights=folder / "s.safetensors",
            card=folder / "s.json",
            inner_folds=3,
            **files,
        )
    )
    return folder


def test_the_loss_is_that_of_torch_and_of_scikit_learn():
    rng = np.random.default_rng(0)
    logits, true = rng.normal(0, 3, (2, 1, 30)), rng.integers(0, 2, (2, 1, 30)).astype(float)
    weight = torch.full((2, 30), 1 / 30, dtype=torch.float64)
    found = binary_cross_entropy(torch.from_numpy(logits), torch.from_numpy(true), weight)
    probability = 1 / (1 + np.exp(-logits))
    expected = [log_loss(true[m, 0], probability[m, 0]) for m in range(2)]
    np.testing.assert_allclose(found.numpy(), expected, rtol=1e-9)


@pytest.mark.parametrize(
    ("head", "classes", "text"),
    [
        (Head(loss="mse"), ["phase"], "use binary_cross_entropy"),
        (Head(loss="gaussian_nll"), ["phase"], "use binary_cross_entropy"),
        (HEAD, [], "or give the column"),
        (Head(loss="binary_cross_entropy", floor=0.0), ["phase"], "has classes, and so no floor"),
    ],
)
def test_a_loss_that_does_not_fit_the_target_is_named(head, classes, text):
    specification = AutoencoderSpecification(inputs=("x",), encoder=Encoder(latents=1), heads={"phase": head})
    with pytest.raises(InputError, match=text):
        Autoencoder(specification, Shapes({"x": 2}, {"x": "continuous"}, ["phase"], classes), [])


def test_a_block_has_no_binary_loss():
    specification = AutoencoderSpecification(inputs=("x",), encoder=Encoder(latents=1), heads={"x": HEAD})
    with pytest.raises(InputError, match="does not fit the block"):
        Autoencoder(specification, Shapes({"x": 2}, {"x": "continuous"}, []), [])


def test_the_classes_of_a_target_are_read_from_its_features(scale):
    data = ScaleData.read(scale[0])
    assert data.classes == {"phase": CLASSES}
    assert data.shapes.classes == ("phase",)
    assert ScaleData.read(scale[0], targets=False).classes == {}


def test_an_autoencoder_learns_a_class_and_states_its_probability(scale, trained):
    found = tables.read(trained / "s.predictions.parquet", seed=-1, inner=-1, fold=0)
    held = found[found["split"] == "validation"]
    assert found["mean"].between(0, 1).all()
    assert set(found["true"]) == {0.0, 1.0}
    assert ((held["mean"] > 0.5) == held["true"]).mean() > 0.75
    assert (held["std"] > 0).all()
    assert (held["std"] < 0.5).all()
    seeds = tables.read(trained / "s.predictions.parquet", inner=-1, fold=0, repeat=1)
    of_seed = seeds[(seeds["split"] == "validation") & (seeds["seed"] >= 0)].groupby("row_id")["mean"]
    mine = held[held["repeat"] == 1].set_index("row_id")
    np.testing.assert_allclose(mine["mean"], of_seed.mean().loc[mine.index], atol=1e-9)
    np.testing.assert_allclose(mine["std"], of_seed.std(ddof=0).loc[mine.index], atol=1e-9)


def test_hidden_rows_neither_train_nor_validate(scale, trained):
    role = tables.read(scale[1], protocol="half", repeat=0).set_index("row_id")
    hidden = set(role.index[role["role"] == "unlabelled"])
    found = tables.read(trained / "s.predictions.parquet", repeat=0, fold=0)
    assert hidden
    assert not hidden & set(found["row_id"])
    latents = tables.read(trained / "s.latents.parquet", repeat=0, fold=0)
    split = latents.groupby("row_id")["split"].first()
    assert set(split.index[split == "unlabelled"]) == hidden


def test_a_model_that_was_written_predicts_the_same_probabilities(scale, trained):
    model = Trained.load(trained / "s.safetensors")
    assert model.classes == {"phase": CLASSES}
    assert (model.scalers["phase"].mean == 0).all()
    assert (model.scalers["phase"].std == 1).all()
    features = tables.read(scale[0])
    again = predict_chain({"s": trained / "s.safetensors"}, {"s": features}, repeat=1, fold=0)["s"]
    mean = pd.Series(again.targets["phase"][0], features["row_id"])
    before = tables.read(trained / "s.predictions.parquet", seed=-1, inner=-1, fold=0, repeat=1)
    np.testing.assert_allclose(before["mean"], mean.loc[before["row_id"]], atol=1e-6)


def test_a_class_is_never_standardised():
    for wanted in (True, False):
        head = Head(loss="binary_cross_entropy", standardise=wanted)
        network = Autoencoder(
            AutoencoderSpecification(inputs=("x",), encoder=Encoder(latents=1), heads={"phase": head}),
            Shapes({"x": 2}, {"x": "continuous"}, ["phase"], ["phase"]),
            [0, 1],
        )
        mean, std = network.predict(torch.randn(2, 5, 1))["phase"]
        assert ((mean > 0) & (mean < 1)).all()
        assert std.isnan().all()


# baselines


@pytest.mark.parametrize("name", sorted(BASELINES))
def test_every_classifier_gives_probabilities_and_repeats_them(name):
    kind = BASELINES[name]()
    rng = np.random.default_rng(0)
    x = rng.normal(size=(80, 3))
    y = (x[:, 0] + rng.normal(0, 0.3, 80) > 0).astype(float)
    if not kind.predicts_classes():
        assert name in ("lasso", "nusvr", "ridge")
        return
    (one, std), (two, _) = (kind.predict(kind.fit(x, y, 3, classes=True), x, classes=True) for _ in range(2))
    np.testing.assert_array_equal(one, two)
    assert ((one >= 0) & (one <= 1)).all()
    assert np.isnan(std).all()
    assert roc_auc_score(y, one) > 0.9 or name == "mean"
    if name == "mean":
        np.testing.assert_allclose(one, y.mean())


def test_a_stump_finds_the_threshold_on_the_number_of_elements(scale, tmp_path):
    features, folds = scale
    frame = tables.read(features)
    frame["phase"] = (frame["formula"].str.count("Cr") == 0).astype(float)
    there = tmp_path / "s.parquet"
    tables.write(there, frame, tables.schema(features), tables.provenance(features))
    baseline = {"kind": "stump", "inputs": ["number_of_elements"]}
    found = compare_baselines(there, folds, "half", {"rule": baseline}, tmp_path / "p.parquet")
    held = found[found["split"] == "validation"]
    np.testing.assert_array_equal(held["mean"], held["true"])
    new = predict_baseline(there, baseline, frame.assign(formula="FeNiCrCoAl"))
    assert (new["mean"] == 0).all()


def test_a_class_is_predicted_by_classifiers_without_residuals(scale, tmp_path):
    chosen = {
        "forest": {"kind": "random_forest", "inputs": ["inputs"], "n_estimators": 20},
        "share": {"kind": "mean", "inputs": ["inputs"]},
    }
    found = compare_baselines(
        *scale, "half", chosen, tmp_path / "p.parquet", stacked=["forest"], inner_folds=3
    )
    assert found["mean"].between(0, 1).all()
    assert found["std"].isna().all()
    assert set(found.loc[found["model"] == "share", "inner"]) == {-1}
    held = found[(found["model"] == "forest") & (found["split"] == "validation")]
    assert ((held["mean"] > 0.5) == held["true"]).mean() > 0.7
    row_id = tables.read(scale[0])["row_id"].to_numpy()
    for repeat in (0, 1):
        train = RowSplit.of(tables.read(scale[1], protocol="half"), repeat, row_id).train(0)
        share = tables.read(scale[0])["phase"][train].mean()
        mine = found[(found["model"] == "share") & (found["repeat"] == repeat) & (found["fold"] == 0)]
        np.testing.assert_allclose(mine["mean"], share)


def test_a_baseline_of_numbers_does_not_predict_classes(scale, tmp_path):
    chosen = {"line": {"kind": "ridge", "inputs": ["inputs"]}}
    with pytest.raises(InputError, match=r"'ridge' does not predict classes.*choose one of extra_trees"):
        compare_baselines(*scale, "half", chosen, tmp_path / "p.parquet")


def test_too_few_rows_of_a_class_are_named(scale, tmp_path):
    features, folds = scale
    frame = tables.read(features)
    frame["phase"] = (np.arange(len(frame)) == 3).astype(float)
    there = tmp_path / "s.parquet"
    tables.write(there, frame, tables.schema(features), tables.provenance(features))
    chosen = {"svm": {"kind": "svm", "inputs": ["inputs"]}}
    with pytest.raises(InputError, match=r"training rows of one class.*label more rows"):
        compare_baselines(there, folds, "half", chosen, tmp_path / "p.parquet")


# the stack


def test_learned_weights_lessen_the_brier_score_and_prefer_the_informed_member():
    rng = np.random.default_rng(0)
    probability = rng.uniform(0, 1, 4000)
    true = (rng.uniform(size=4000) < probability).astype(float)
    members = np.column_stack([probability, np.full(4000, 0.5), np.round(probability)])
    found = convex_weights(members, true, prior_spread=np.inf, squared=True)
    grid = [(a, b, 1 - a - b) for a in np.linspace(0, 1, 51) for b in np.linspace(0, 1 - a, 51)]
    best = min(np.square(members @ w - true).mean() for w in grid)
    assert np.square(members @ found - true).mean() <= best + 1e-5
    assert found[0] > 0.9
    # An absolute error would choose the member that is always certain.
    assert convex_weights(members, true, prior_spread=np.inf)[2] > 0.9


def test_a_vote_needs_no_inner_folds_and_is_the_plain_mean(scale, trained, tmp_path):
    chosen = {"forest": {"kind": "random_forest", "inputs": ["inputs"], "n_estimators": 20}}
    baselines = compare_baselines(*scale, "half", chosen, tmp_path / "b.parquet")
    files = [trained / "s.predictions.parquet", tmp_path / "b.parquet"]
    written = tmp_path / "r.parquet", tmp_path / "r.json"
    vote, combinations = recommend_predictor(
        files, ["ae", "forest"], *written, learned=False, classes=["phase"]
    )
    assert {tuple(found.weights.values()) for found in combinations} == {(0.5, 0.5)}
    keys = ["repeat", "fold", "split", "row_id"]
    ae = tables.read(files[0], seed=-1, inner=-1).set_index(keys)
    forest = baselines.set_index(keys).loc[ae.index]
    mine = vote.set_index(keys).loc[ae.index]
    np.testing.assert_allclose(mine["mean"], (ae["mean"] + forest["mean"]) / 2)
    among = np.square((ae["mean"] - forest["mean"]) / 2) + np.square(ae["std"]) / 2
    np.testing.assert_allclose(mine["std"], np.sqrt(among))
    kept = deployed(document("half", ["ae", "forest"], combinations))["phase"]
    assert kept.apply(np.array([[0.2, 0.6]]), np.full((1, 2), np.nan))[0] == pytest.approx(0.4)
    with pytest.raises(InputError, match="held out inside the training rows"):
        recommend_predictor(files, ["ae", "forest"], *written, classes=["phase"])


def test_a_learned_stack_of_a_class_keeps_probabilities(scale, trained, tmp_path):
    chosen = {"forest": {"kind": "random_forest", "inputs": ["inputs"], "n_estimators": 20}}
    compare_baselines(*scale, "half", chosen, tmp_path / "b.parquet", stacked=["forest"], inner_folds=3)
    files = [trained / "s.predictions.parquet", tmp_path / "b.parquet"]
    found, combinations = recommend_predictor(
        files, ["ae", "forest"], tmp_path / "r.parquet", tmp_path / "r.json", classes=["phase"]
    )
    assert found["mean"].between(0, 1).all()
    assert all(isinstance(c, Combination) and c.interval == 1 and c.rows > 0 for c in combinations)
    assert all(c.inner_error["stack"] <= max(c.inner_error.values()) for c in combinations)


# what a study may ask


def configuration() -> dict:
    """A study of one scale with a class and a number."""
    return {
        "study": "s",
        "title": "t",
        "question": "q",
        "datasets": {
            "rows": {
                "title": "t",
                "file": "t.csv",
                "formula": "alloy",
                "columns": {"a": {}, "phase": {"classes": CLASSES, "label": True}, "gap": {"unit": "eV"}},
            }
        },
        "scales": {
            "s": {
                "dataset": "rows",
                "targets": ["phase"],
                "features": {"inputs": {"columns": ["a"]}},
                "splits": {"half": {"kind": "holdout", "test": 0.2}},
                "models": {
                    "ae": {
                        "specification": {
                            "inputs": ["inputs"],
                            "encoder": {"latents": 2},
                            "heads": {"phase": {"loss": "binary_cross_entropy"}},
                        }
                    }
                },
                "baselines": {"rule": {"kind": "stump", "inputs": ["number_of_elements"]}},
                "recommended": {"stack": ["ae", "rule"], "weights": "equal"},
            }
        },
    }


def test_a_study_with_classes_is_planned_without_inner_folds_for_a_vote():
    study = study_from(configuration())
    assert class_targets(study, "s") == {"phase": CLASSES}
    assert number_targets(study, "s") == []
    check_columns(study)
    assert study.inner_folds("s", "ae", "half") == 0
    learned = configuration()
    learned["scales"]["s"]["recommended"]["weights"] = "learned"
    assert study_from(learned).inner_folds("s", "ae", "half") == 5


def test_a_taught_model_is_no_member_of_a_stack_whose_weights_are_learned():
    config = configuration()
    scale = config["scales"]["s"]
    scale["features"]["shares"] = {"elements": ["Al", "Ni"]}
    scale["models"]["ae"]["specification"] = {
        "inputs": ["shares", "inputs"],
        "encoder": {"latents": 2},
        "heads": {"phase": {"loss": "binary_cross_entropy"}, "shares": {"loss": "multinomial"}},
        "kind": "semi_supervised",
        "composition": "shares",
        "classifier": ["inputs"],
        "teacher": "rule",
    }
    study_from(config)
    # The teacher learned from the rows that the weights would be learned on.
    scale["recommended"]["weights"] = "learned"
    with pytest.raises(InputError, match=r"teacher.*give the stack equal weights"):
        study_from(config)
    scale["models"]["ae"]["specification"]["teacher"] = None
    study_from(config)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"baselines": {"b": {"kind": "ridge", "inputs": ["inputs"]}}}, "ridge.*does not predict classes"),
        ({"targets": ["phase", "gap"]}, "stump.*does not predict numbers"),
        ({"head": {"loss": "mae"}}, "mae.*has classes, which this loss does not fit"),
        ({"head": {}}, "mae.*use binary_cross_entropy"),
    ],
)
def test_a_study_whose_parts_do_not_fit_its_classes_is_refused(changes, message):
    data = deepcopy(configuration())
    scale = data["scales"]["s"]
    if "head" in changes:
        scale["models"]["ae"]["specification"]["heads"]["phase"] = changes.pop("head")
    if "targets" in changes:
        scale["recommended"] = None
    scale |= changes
    if "baselines" in changes:
        scale["recommended"] = None
    study = study_from(data)
    for check in (check_columns, Jobs):
        with pytest.raises(InputError, match=message):
            check(study)


def test_the_number_of_elements_is_no_name_for_a_block():
    data = configuration()
    data["scales"]["s"]["features"]["number_of_elements"] = {"columns": ["a"]}
    with pytest.raises(InputError, match="is built in"):
        study_from(data)
