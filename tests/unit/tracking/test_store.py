from __future__ import annotations

import json
import logging
import multiprocessing
import shutil
import sqlite3
import types
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from nestmat import seals, tables
from nestmat.models.autoencoder.specification import AutoencoderSpecification
from nestmat.models.keys import ModelKey
from nestmat.models.specification import Encoder, Head, Training
from nestmat.scales.propagate import propagate_latents
from nestmat.scales.train import TrainingJob, ensemble, train_scale
from nestmat.tables import Column
from nestmat.tracking import store as tracking_store
from nestmat.training.checkpoints import Trained
from nestmat.training.members import MEMBER_KEYS
from nestmat.training.scale_data import ScaleData

ROWS = 24
TRAINING = Training(epochs=3, seeds=2)
FINE = AutoencoderSpecification(
    inputs=("x",),
    encoder=Encoder(latents=2),
    heads={"gap (eV)": Head(), "x": Head(loss="mse")},
    training=TRAINING,
)
COARSE = AutoencoderSpecification(
    inputs=("x", "fine"),
    encoder=Encoder(latents=2),
    heads={"gap (eV)": Head()},
    training=TRAINING,
    parent_model="nested",
)


def _features(path, rng):
    names = [f"material {i}" for i in range(ROWS)]
    frame = pd.DataFrame({"row_id": range(ROWS), "formula": names, "material": names, "group": names})
    schema = {"row_id": Column("int64")} | {n: Column("string") for n in ("formula", "material", "group")}
    for name in ("a", "b"):
        frame[name] = rng.normal(size=ROWS)
        schema[name] = Column("float64", role="feature", block="x")
    frame["gap (eV)"] = frame["a"] + 1
    schema["gap (eV)"] = Column("float64", unit="eV", role="target")
    tables.write(path, frame, schema, {"blocks": {"x": {"kind": "continuous", "columns": ["a", "b"]}}})


def _folds(path):
    names = [f"material {i}" for i in range(ROWS)]
    frame = pd.DataFrame(
        {
            "protocol": "strict",
            "repeat": 0,
            "row_id": range(ROWS),
            "material": names,
            "fold": np.arange(ROWS) % 2,
            "role": "labelled",
            "inner": -1,
            "regions": 0,
        }
    )
    tables.write(path, frame, tables.FOLDS, {"folds": {"strict": 2}})


def _metrics(path, scale, models):
    rows = [
        ("strict", model, "gap (eV)", 0, fold, -1, split, "mae", 0.1 * (fold + 2), "eV")
        for model in models
        for split in ("train", "validation")
        for fold in (-1, 0, 1)
    ]
    names = [name for name in tables.METRICS if name != "scale"]
    tables.write(path, pd.DataFrame(rows, columns=names).assign(scale=scale), tables.METRICS)


@pytest.fixture(scope="session")
def trained_results(tmp_path_factory):
    """Two scales of two seeds, two folds and a few epochs, trained in earnest, beside a baseline."""
    root = tmp_path_factory.mktemp("results") / "tiny"
    rng = np.random.default_rng(0)
    parents = {}
    for scale, specification in (("fine", FINE), ("coarse", COARSE)):
        _features(root / f"features/{scale}.parquet", rng)
        _folds(root / f"folds/{scale}.parquet")
        stem = root / f"models/{scale}/strict/nested"
        train_scale(
            TrainingJob(
                key=ModelKey(scale, "strict", "nested"),
                specification=specification,
                features=root / f"features/{scale}.parquet",
                folds=root / f"folds/{scale}.parquet",
                weights=stem.with_suffix(".safetensors"),
                card=stem.with_suffix(".json"),
                history=stem.with_suffix(".history.parquet"),
                predictions=root / f"predictions/{scale}/strict/nested.parquet",
                latents=root / f"latents/{scale}/strict/nested.parquet",
                parents=parents,
                device="cpu",
            )
        )
        _metrics(root / f"metrics/{scale}.parquet", scale, ["nested", "ridge", "recommended"])
        # The rows of the two scales are the same here, so the fine features are those of the coarse rows too.
        shutil.copy(root / "features/fine.parquet", root / "features/fine__coarse.parquet")
        propagated = root / "propagated/fine__coarse/strict/nested.parquet"
        if scale == "fine":
            propagate_latents(
                stem.with_suffix(".safetensors"), root / "features/fine__coarse.parquet", propagated
            )
        parents = {"fine": propagated}
    return root


@pytest.fixture
def results(trained_results, tmp_path):
    """A copy that a test may change."""
    return shutil.copytree(trained_results, tmp_path / "results")


@pytest.fixture(scope="session")
def store(tmp_path_factory):
    """A new SQLite store, as the URI of a study."""
    uri = f"sqlite:///{tmp_path_factory.mktemp('mlflow') / 'mlflow.db'}"
    tracking_store.init_store(uri)
    return uri


@pytest.fixture
def client(store):
    from mlflow.tracking import MlflowClient

    return MlflowClient(store)


def _runs(client, study):
    [experiment] = [e for e in client.search_experiments() if e.name == tracking_store.EXPERIMENT]
    found = client.search_runs([experiment.experiment_id], f"tags.`{tracking_store.STUDY_TAG}` = '{study}'")
    return {run.data.tags[tracking_store.KEY_TAG]: run for run in found}, len(found)


def test_a_study_is_a_parent_with_a_child_for_each_model(store, client, results):
    found = tracking_store.track("whole", results, store)
    assert "error" not in found
    assert sorted(found["runs"]) == [
        f"{scale}/strict/{model}"
        for scale in ("coarse", "fine")
        for model in ("nested", "recommended", "ridge")
    ]
    runs, count = _runs(client, "whole")
    assert count == 7
    assert {run.info.status for run in runs.values()} == {"FINISHED"}
    child = runs["fine/strict/nested"]
    assert child.data.tags["mlflow.parentRunId"] == found["parent"] == runs["study"].info.run_id
    assert child.data.params["encoder.latents"] == "2"
    assert child.data.params["training.epochs"] == "3"
    assert child.data.params["heads.gap _eV_.loss"] == "mae"
    assert child.data.params["members"] == "6"
    assert child.data.metrics["validation/gap _eV_/mae"] == pytest.approx(0.1)
    assert runs["study"].data.metrics["fine/strict/gap _eV_/mae"] == pytest.approx(0.1)
    folds = client.get_metric_history(child.info.run_id, "by_fold/gap _eV_/mae")
    assert [(m.step, round(m.value, 6)) for m in folds] == [(0, 0.2), (1, 0.3)]
    history = tables.read(results / "models/fine/strict/nested.history.parquet", term="total", split="train")
    curve = client.get_metric_history(child.info.run_id, "curve/train/total")
    assert [m.step for m in curve] == [1, 2, 3]
    assert curve[-1].value == pytest.approx(history[history["epoch"] == 3]["loss"].mean())
    [inputs] = child.inputs.dataset_inputs
    assert inputs.dataset.name == "fine"
    assert len(inputs.dataset.digest) == 8


def test_models_are_logged_without_pickle_and_predict_as_the_files(store, results):
    import mlflow

    found = tracking_store.track("models", results, store)
    mlflow.set_tracking_uri(store)
    for scale in ("fine", "coarse"):
        run_id = found["runs"][f"{scale}/strict/nested"]
        [logged] = mlflow.search_logged_models(
            filter_string=f"source_run_id = '{run_id}'", output_format="list", experiment_ids=["1"]
        )
        names = [path.name for path in map(_path, [logged.artifact_location]) for path in path.rglob("*")]
        assert not [name for name in names if name.endswith((".pkl", ".pickle", ".pt", ".pth"))]
        model = mlflow.pyfunc.load_model(logged.model_uri)
        assert model.metadata.signature.outputs.input_names() == ["gap (eV).mean", "gap (eV).std"]

        rows = tables.read(results / f"features/{scale}.parquet")
        frame = rows[["a", "b"]].copy()
        trained = Trained.load(results / f"models/{scale}/strict/nested.safetensors")
        members = trained.members[(trained.members["fold"] == -1)]
        blocks = {"x": frame.to_numpy()}
        if scale == "coarse":
            data = ScaleData.read(results / "features/coarse.parquet").with_propagated(
                "fine", results / "propagated/fine__coarse/strict/nested.parquet", "strict"
            )
            blocks["fine"] = data.block("fine", *(members[key].to_numpy(np.int64) for key in MEMBER_KEYS))
            for seed, latents in zip(members["seed"], blocks["fine"], strict=True):
                for column, values in zip(trained.columns["fine"], latents.T, strict=True):
                    frame[f"fine.{seed}.{column}"] = values.astype(np.float64)
        assert model.metadata.signature.inputs.input_names() == list(frame.columns)
        _, predicted = trained.apply(blocks, members.index.to_numpy())
        mean, std = ensemble(*predicted["gap (eV)"])
        out = model.predict(frame)
        np.testing.assert_allclose(out["gap (eV).mean"], mean, rtol=1e-5)
        np.testing.assert_allclose(out["gap (eV).std"], std, rtol=1e-4, atol=1e-6)


def test_a_model_without_targets_gives_latents(store, tmp_path):
    import mlflow

    rng, stem = np.random.default_rng(0), tmp_path / "models/space/strict/nested"
    _features(tmp_path / "features/space.parquet", rng)
    _folds(tmp_path / "folds.parquet")
    trained = train_scale(
        TrainingJob(
            key=ModelKey("space", "strict", "nested"),
            specification=replace(FINE, heads={"x": Head(loss="mse")}),
            features=tmp_path / "features/space.parquet",
            folds=tmp_path / "folds.parquet",
            weights=stem.with_suffix(".safetensors"),
            card=stem.with_suffix(".json"),
            history=stem.with_suffix(".history.parquet"),
            predictions=tmp_path / "predictions.parquet",
            latents=tmp_path / "latents.parquet",
            device="cpu",
        )
    )
    _metrics(tmp_path / "metrics/space.parquet", "space", ["nested"])
    found = tracking_store.track("space", tmp_path, store)
    assert "error" not in found
    mlflow.set_tracking_uri(store)
    run_id = found["runs"]["space/strict/nested"]
    [logged] = mlflow.search_logged_models(
        filter_string=f"source_run_id = '{run_id}'", output_format="list", experiment_ids=["1"]
    )
    rows = tables.read(tmp_path / "features/space.parquet")[["a", "b"]]
    out = mlflow.pyfunc.load_model(logged.model_uri).predict(rows)
    assert list(out) == ["0.z0", "0.z1", "1.z0", "1.z1"]
    whole = trained.members.index[trained.members["fold"] == -1].to_numpy()
    latents, _ = trained.apply({"x": rows.to_numpy()}, whole)
    np.testing.assert_allclose(out, np.concatenate(list(latents), axis=1), rtol=1e-5)


def _path(uri):
    from pathlib import Path
    from urllib.parse import unquote, urlsplit

    return Path(unquote(urlsplit(uri).path))


def test_again_changes_nothing_and_changed_files_replace_their_run_alone(store, client, results):
    first = tracking_store.track("again", results, store)
    assert tracking_store.track("again", results, store) == first

    _metrics(results / "metrics/fine.parquet", "fine", ["nested", "recommended"])
    card = results / "models/fine/strict/nested.json"
    seals.write_json(card, seals.read_json(card) | {"facts": {"note": "trained anew"}})
    second = tracking_store.track("again", results, store)
    assert second["parent"] == first["parent"]
    assert "fine/strict/ridge" not in second["runs"]
    changed = {key for key, run_id in second["runs"].items() if first["runs"][key] != run_id}
    assert changed == {"fine/strict/nested"}
    _, count = _runs(client, "again")
    assert count == 1 + len(second["runs"])


def test_a_copy_that_broke_off_is_made_anew(store, client, results, monkeypatch):
    with monkeypatch.context() as broken:
        broken.setattr(
            tracking_store._RunCopier, "_log_model", lambda *_: (_ for _ in ()).throw(OSError("disk full"))
        )
        found = tracking_store.track("broken", results, store)
    assert "disk full" in found["error"]
    found = tracking_store.track("broken", results, store)
    assert "error" not in found
    _, count = _runs(client, "broken")
    assert count == 1 + len(found["runs"])


def test_off_writes_nothing(results, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert tracking_store.store_uri("sqlite") == f"sqlite:///{tmp_path}/mlflow/mlflow.db"
    assert tracking_store.track("quiet", results, "off") == {"store": "off", "parent": None, "runs": {}}
    assert tracking_store.open_store("off") == {"store": "off"}
    assert not (tmp_path / "mlflow").exists()


@pytest.mark.parametrize(
    "uri", ["http://127.0.0.1:9", "http://name:secret@127.0.0.1:9", "sqlite:////proc/none/m.db"]
)
def test_an_unreachable_store_is_a_warning_that_keeps_passwords(results, caplog, uri):
    with caplog.at_level(logging.WARNING):
        found = tracking_store.track("lost", results, uri)
        opened = tracking_store.open_store(uri)
    assert found["error"]
    assert opened["error"]
    assert found["runs"] == {}
    told = caplog.text + json.dumps(found) + json.dumps(opened)
    assert "not copied" in told
    assert "secret" not in told


def test_a_file_that_is_no_database_is_a_warning_and_stays_as_it_is(results, tmp_path):
    database = tmp_path / "mlflow.db"
    database.write_text("precious notes, no database")
    assert "not a database" in tracking_store.track("odd", results, f"sqlite:///{database}")["error"]
    assert database.read_text() == "precious notes, no database"


@pytest.mark.parametrize("damage", ["text", "half", "empty", "half_made"])
def test_a_damaged_store_of_our_own_is_made_anew(results, tmp_path, monkeypatch, damage, store):
    monkeypatch.chdir(tmp_path)
    database = tmp_path / "mlflow" / "mlflow.db"
    database.parent.mkdir()
    whole = Path(store.removeprefix("sqlite:///")).read_bytes()
    half_made = sqlite3.connect(tmp_path / "half_made.db")
    half_made.execute("CREATE TABLE experiments (name TEXT)")
    half_made.close()
    content = {"text": b"precious", "half": whole[: len(whole) // 2], "empty": b""}
    database.write_bytes(content.get(damage, (tmp_path / "half_made.db").read_bytes()))
    before = database.read_bytes()
    assert "error" not in tracking_store.open_store("sqlite")
    assert (tmp_path / "mlflow" / "mlflow.db.damaged-1").read_bytes() == before
    assert tracking_store.open_store("sqlite") == {"store": f"sqlite:///{database}"}
    assert not (tmp_path / "mlflow" / "mlflow.db.damaged-2").exists()


def _write(uri, study, results, queue):
    queue.put(tracking_store.track(study, results, uri).get("error"))


@pytest.mark.slow
def test_eight_processes_write_to_one_store(store, client, results):
    context = multiprocessing.get_context("fork")
    queue = context.Queue()
    studies = [f"parallel_{i}" for i in range(8)]
    writers = [context.Process(target=_write, args=(store, study, results, queue)) for study in studies]
    for writer in writers:
        writer.start()
    errors = [queue.get(timeout=120) for _ in writers]
    for writer in writers:
        writer.join()
    assert errors == [None] * 8
    assert [_runs(client, study)[1] for study in studies] == [7] * 8


def test_the_scripts_write_their_outputs(results, tmp_path, store):
    from scripts import init_tracking, track_runs

    def job(**output):
        params = types.SimpleNamespace(uri=store, study="scripted", parts={})
        return types.SimpleNamespace(
            log=[tmp_path / "job.log"],
            params=params,
            output=types.SimpleNamespace(**output),
            threads=1,
            config={},
        )

    init_tracking.main(job(json=tmp_path / "store.json"))
    assert seals.read_json(tmp_path / "store.json") == {"store": store}
    track_runs.main(job(json=results / "tracking.json"))
    assert len(seals.read_json(results / "tracking.json")["runs"]) == 6
