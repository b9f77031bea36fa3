"""MLflow as a sink: the files of a study are copied into its store after the fact.

Nothing reads the store, and any error of it is a warning. A study is one parent run, recognised by its tag;
a scale, protocol and model is a child run, which is replaced only when its files have changed. MLflow is
imported late, for that takes seconds.
"""

from __future__ import annotations

import fcntl
import hashlib
import logging
import math
import os
import re
import sqlite3
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import numpy as np
import pandas as pd

import nestmat
from nestmat import seals, tables
from nestmat.files import replacing
from nestmat.models.keys import RECOMMENDED, ModelKey
from nestmat.tracking.database import set_aside_damaged
from nestmat.versions import commit

if TYPE_CHECKING:
    from mlflow.tracking import MlflowClient

log = logging.getLogger(__name__)

EXPERIMENT = "nestmat"
STUDY_TAG, KEY_TAG, DIGEST_TAG = "nestmat.study", "nestmat.key", "nestmat.digest"
# What MLflow takes in the name of a metric or parameter.
_FORBIDDEN = re.compile(r"[^\w\-. :/]", re.ASCII)
_BATCH = 1000
_LONGEST_PARAMETER = 500


def store_uri(tracking: str) -> str:
    """The tracking URI that ``tracking`` stands for; ``sqlite`` is mlflow/ in the working directory.

    The path is absolute, since MLflow keeps it for whoever opens the store from elsewhere.
    """
    return f"sqlite:///{Path('mlflow/mlflow.db').absolute()}" if tracking == "sqlite" else tracking


def without_password(uri: str) -> str:
    """The URI as logs and files may show it."""
    parts = urlsplit(uri)
    return uri.replace(f":{parts.password}@", ":***@") if parts.password else uri


def _import_mlflow() -> Any:
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
    import mlflow

    logging.getLogger("mlflow").setLevel(logging.ERROR)
    return mlflow


def _database(uri: str) -> Path | None:
    return Path(uri.removeprefix("sqlite:///")) if uri.startswith("sqlite:///") else None


def init_store(uri: str) -> str:
    """Create the store if there is none yet, and its experiment.

    A new SQLite store appears whole: two processes that open a new one at once break it for good.

    Args:
        uri: Tracking URI: SQLite by absolute path, or any that MLflow knows.

    Returns:
        Id of the experiment.

    Raises:
        Exception: What MLflow, its database or the network raise.
    """
    _check_reachable(uri)
    _import_mlflow()
    from mlflow.tracking import MlflowClient

    database = _database(uri)
    location = (database.parent / "artifacts").as_uri() if database else None
    if database and not database.exists():
        database.parent.mkdir(parents=True, exist_ok=True)
        with _locked(database.with_suffix(".lock")):
            if not database.exists():
                with replacing(database) as aside:
                    MlflowClient(f"sqlite:///{aside}").create_experiment(EXPERIMENT, location)
    client = MlflowClient(uri)
    experiment = client.get_experiment_by_name(EXPERIMENT)
    return experiment.experiment_id if experiment else client.create_experiment(EXPERIMENT, location)


def _open_own_store(tracking: str) -> None:
    """Make way for a new store where the one that nestmat made is damaged; others are their owners'."""
    database = _database(store_uri(tracking)) if tracking == "sqlite" else None
    if database and database.parent.is_dir():
        with _locked(database.with_suffix(".lock")):
            set_aside_damaged(database)


def open_store(tracking: str) -> dict[str, Any]:
    """Create the store of a study if need be.

    Args:
        tracking: ``sqlite``, ``off`` or a tracking URI.

    Returns:
        ``store``, and ``error`` if it cannot be used, which is also logged as a warning.
    """
    uri = store_uri(tracking)
    report = {"store": without_password(uri)}
    if tracking != "off":
        with _warn_of_errors(report, "The MLflow store cannot be used"):
            _open_own_store(tracking)
            init_store(uri)
    return report


@contextmanager
def _warn_of_errors(report: dict[str, Any], trouble: str) -> Iterator[None]:
    """Turn any error into a warning and an entry of ``found``."""
    try:
        yield
    except Exception as error:
        # A sink must not take a study down, and MLflow, SQLAlchemy, SQLite and requests share no error type.
        report["error"] = f"{type(error).__name__}: {without_password(str(error))}"
        log.warning(
            "%s: %s. Results are complete without it; to try again: snakemake --forcerun track_runs.",
            trouble,
            report["error"],
        )


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Hold a lock that ends with the process, however it ends."""
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _check_reachable(uri: str) -> None:
    """Fail at once where MLflow would try again for minutes."""
    database = _database(uri)
    if database and database.exists():
        with closing(sqlite3.connect(f"{database.as_uri()}?mode=rw", uri=True, timeout=10)) as connection:
            connection.execute("BEGIN IMMEDIATE")
            connection.execute("SELECT count(*) FROM sqlite_master")
            connection.rollback()
    elif uri.startswith(("http://", "https://")):
        import requests

        requests.get(f"{uri.rstrip('/')}/health", timeout=10)


@dataclass(frozen=True)
class Record:
    """What one child run shows.

    Attributes:
        scale: Scale.
        protocol: Protocol.
        model: Model, baseline or ``recommended``.
        metrics: Rows of the metrics table.
        features: Table of the scale's rows.
        card: Card of a trained model; None for a baseline.
    """

    scale: str
    protocol: str
    model: str
    metrics: pd.DataFrame
    features: Path
    card: Path | None

    @property
    def key(self) -> str:
        """Name of the run, unique in its study."""
        return str(ModelKey(self.scale, self.protocol, self.model))

    @property
    def history(self) -> Path | None:
        """Learning curves of a trained model."""
        return self.card.with_suffix(".history.parquet") if self.card else None

    def digest(self) -> str:
        """Checksum of all that the run is made from."""
        checksum = hashlib.sha256(pd.util.hash_pandas_object(self.metrics, index=False).to_numpy().tobytes())
        for path in (self.features, self.card, self.history):
            checksum.update(path.read_bytes() if path else b"")
        return checksum.hexdigest()


def list_records(results: Path) -> list[Record]:
    """Records to copy: one record for each scale, protocol and model that the metrics of a study name.

    Args:
        results: Folder of the study.

    Raises:
        InputError: A table cannot be read.
    """
    entries = []
    for path in sorted((results / "metrics").glob("*.parquet")):
        for key, part in tables.read(path).groupby(["scale", "protocol", "model"]):
            scale, protocol, model = map(str, key)
            card = results / "models" / scale / protocol / f"{model}.json"
            features = results / "features" / f"{scale}.parquet"
            rows = part.reset_index(drop=True)
            entries.append(Record(scale, protocol, model, rows, features, card if card.is_file() else None))
    return entries


def track(
    study: str, results: Path, tracking: str, metrics: Mapping[str, float] | None = None
) -> dict[str, Any]:
    """Copy the files of a study into the MLflow store.

    Args:
        study: Name of the study.
        results: Folder of its results.
        tracking: ``sqlite``, ``off`` or a tracking URI.
        metrics: Further numbers of the study's own run, as parts of plug-ins have them.

    Returns:
        ``store``, ``parent`` (run id or None), ``runs`` (run ids by scale/protocol/model) and, if the store
        could not take the runs, ``error``.

    Raises:
        InputError: A file of the study cannot be read.
    """
    uri = store_uri(tracking)
    report: dict[str, Any] = {"store": without_password(uri), "parent": None, "runs": {}}
    if tracking == "off":
        return report
    study_records = list_records(results)
    with _warn_of_errors(report, "The runs were not copied into MLflow"):
        _open_own_store(tracking)
        experiment = init_store(uri)
        copier = _RunCopier(uri, experiment)
        report["parent"], report["runs"] = copier.copy_study(study, study_records, metrics or {})
    return report


class _RunCopier:
    """Copies records into one experiment."""

    def __init__(self, uri: str, experiment: str):
        self.mlflow = _import_mlflow()
        from mlflow.tracking import MlflowClient

        self.mlflow.set_tracking_uri(uri)
        self.client: MlflowClient = MlflowClient(uri)
        self.experiment = experiment
        self._rows_of_scale: dict[str, Any] = {}

    def _search(self, tags: Mapping[str, str]) -> list[Any]:
        text = " and ".join(f"tags.`{name}` = '{value}'" for name, value in tags.items())
        runs: list[Any] = []
        token = None
        while True:
            page = self.client.search_runs([self.experiment], text, page_token=token)
            runs += page
            token = page.token
            if not token:
                return runs

    def copy_study(
        self, study: str, study_records: list[Record], metrics: Mapping[str, float]
    ) -> tuple[str, dict[str, str]]:
        """Copy the records of a study; return the id of its run and those of the records by key."""
        parents = self._search({STUDY_TAG: study, KEY_TAG: "study"})
        if parents:
            parent = parents[0].info.run_id
        else:
            tags = {STUDY_TAG: study, KEY_TAG: "study"}
            parent = self.client.create_run(self.experiment, tags=tags, run_name=study).info.run_id
        for name, value in {"nestmat.version": nestmat.__version__, "nestmat.commit": commit() or ""}.items():
            self.client.set_tag(parent, name, value)
        existing = {run.data.tags[KEY_TAG]: run for run in self._search({"mlflow.parentRunId": parent})}
        runs = {}
        for record in study_records:
            old, digest = existing.pop(record.key, None), record.digest()
            if old is not None and old.data.tags.get(DIGEST_TAG) == digest:
                runs[record.key] = old.info.run_id
                continue
            if old is not None:
                self._delete(old.info.run_id)
            runs[record.key] = self._record(study, parent, record, digest)
        for run in existing.values():
            self._delete(run.info.run_id)
        self._log_metrics(parent, _headline_points(study_records))
        self._log_metrics(parent, [(name, value, 0) for name, value in metrics.items()])
        self.client.set_terminated(parent)
        return parent, runs

    def _delete(self, run_id: str) -> None:
        """Delete a run and the models logged with it."""
        models = self.client.search_logged_models([self.experiment], f"source_run_id = '{run_id}'")
        for model in models:
            self.client.delete_logged_model(model.model_id)
        self.client.delete_run(run_id)

    def _record(self, study: str, parent: str, record: Record, digest: str) -> str:
        tags = {
            "mlflow.parentRunId": parent,
            STUDY_TAG: study,
            KEY_TAG: record.key,
            "nestmat.scale": record.scale,
            "nestmat.protocol": record.protocol,
            "nestmat.model": record.model,
        }
        run_id = self.client.create_run(self.experiment, tags=tags, run_name=record.key).info.run_id
        parameters = {"scale": record.scale, "protocol": record.protocol, "model": record.model}
        if record.card:
            card = seals.read_json(record.card)
            parameters |= flatten(card["specification"]) | {"members": len(card["members"]["seed"])}
        self._log_parameters(run_id, parameters)
        self._log_metrics(run_id, list(_metric_points(record.metrics)))
        if record.history:
            self._log_metrics(run_id, list(_curve_points(tables.read(record.history))))
        with self.mlflow.start_run(run_id=run_id), warnings.catch_warnings():
            # Hints about the example that a signature could be guessed from: it is given in full.
            warnings.simplefilter("ignore", UserWarning)
            self.mlflow.log_input(self._rows(record.features, record.scale), context="training")
            if record.card:
                self._log_model(record.card)
        # Last: a copy that is broken off is repeated the next time.
        self.client.set_tag(run_id, DIGEST_TAG, digest)
        self.client.set_terminated(run_id)
        return run_id

    def _rows(self, features: Path, scale: str) -> Any:
        """The rows of a scale for MLflow, shared by its runs: their schema is inferred number by number."""
        if scale not in self._rows_of_scale:
            rows = self.mlflow.data.from_pandas(tables.read(features), source=str(features), name=scale)
            self._rows_of_scale[scale] = rows
        return self._rows_of_scale[scale]

    def _log_parameters(self, run_id: str, parameters: Mapping[str, Any]) -> None:
        from mlflow.entities import Param

        params = [Param(_name(k), str(v)[:_LONGEST_PARAMETER]) for k, v in parameters.items()]
        for start in range(0, len(params), 100):
            self.client.log_batch(run_id, params=params[start : start + 100])

    def _log_metrics(self, run_id: str, points: list[tuple[str, float, int]]) -> None:
        from mlflow.entities import Metric

        # One time for all of them: the files do not state when an epoch was.
        now = int(time.time() * 1000)
        metrics = [
            Metric(_name(key), value, now, step) for key, value, step in points if math.isfinite(value)
        ]
        for start in range(0, len(metrics), _BATCH):
            self.client.log_batch(run_id, metrics=metrics[start : start + _BATCH])

    def _log_model(self, card: Path) -> None:
        """Log the members that were trained on all rows, with a signature, as code and safetensors."""
        from mlflow.models import ModelSignature
        from mlflow.types import ColSpec, Schema

        from nestmat.tracking.pyfunc import input_columns, output_columns
        from nestmat.training.checkpoints import Trained

        trained = Trained.load(card.with_suffix(".safetensors"), card)
        deployed = ((trained.members["fold"] == -1) & (trained.members["inner"] == -1)).to_numpy()
        if not deployed.any():
            return
        index = np.flatnonzero(deployed)
        small = replace(
            trained,
            flat=trained.flat[index],
            scalers={name: scaler[index] for name, scaler in trained.scalers.items()},
            members=trained.members[deployed].reset_index(drop=True),
        )
        inputs = Schema([ColSpec("double", name) for name in input_columns(small)])
        outputs = Schema([ColSpec("double", name) for name in output_columns(small)])
        with tempfile.TemporaryDirectory() as folder:
            weights, copy = Path(folder) / "model.safetensors", Path(folder) / "model.json"
            small.save(weights, copy)
            self.mlflow.pyfunc.log_model(
                name=f"{small.scale}-{small.model}",
                python_model=str(Path(__file__).with_name("pyfunc.py")),
                artifacts={"weights": str(weights), "card": str(copy)},
                signature=ModelSignature(inputs, outputs),
                pip_requirements=[f"nestmat=={nestmat.__version__}"],
            )


def _name(text: str) -> str:
    return _FORBIDDEN.sub("_", text)


def flatten(values: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested mappings as one, keys joined by dots."""
    flat: dict[str, Any] = {}
    for key, value in values.items():
        if isinstance(value, Mapping):
            flat |= flatten(value, f"{prefix}{key}.")
        else:
            flat[prefix + key] = value
    return flat


def _metric_points(metrics: pd.DataFrame) -> Iterator[tuple[str, float, int]]:
    """Metrics of the first repeat and of the ensemble over seeds: over all folds, then by fold as steps.

    Where every repeat has one fold, as in a holdout, the mean over the repeats, then by repeat.
    """
    ensemble_rows = metrics[metrics["seed"] == -1]
    if (
        ensemble_rows.loc[ensemble_rows["fold"] >= 0, "fold"].nunique() == 1
        and ensemble_rows["repeat"].nunique() > 1
    ):
        keys = ["split", "target", "metric"]
        for (split, target, metric), part in ensemble_rows[ensemble_rows["fold"] == -1].groupby(
            keys, sort=False
        ):
            yield f"{split}/{target}/{metric}", float(part["value"].mean()), 0
            if split == "validation":
                for repeat, value in zip(part["repeat"].tolist(), part["value"].tolist(), strict=True):
                    yield f"by_repeat/{target}/{metric}", value, repeat
        return
    ensemble_rows = ensemble_rows[ensemble_rows["repeat"] == 0]
    columns = (ensemble_rows[name].tolist() for name in ("fold", "split", "target", "metric", "value"))
    for fold, split, target, metric, value in zip(*columns, strict=True):
        if fold == -1:
            yield f"{split}/{target}/{metric}", value, 0
        elif split == "validation":
            yield f"by_fold/{target}/{metric}", value, fold


def _headline_points(study_records: list[Record]) -> list[tuple[str, float, int]]:
    """Validation metrics of the recommended predictors, for the study's own run."""
    return [
        (f"{record.scale}/{record.protocol}/{key.removeprefix('validation/')}", value, step)
        for record in study_records
        if record.model == RECOMMENDED
        for key, value, step in _metric_points(record.metrics)
        if key.startswith("validation/")
    ]


def _curve_points(history: pd.DataFrame) -> Iterator[tuple[str, float, int]]:
    """Learning curves, the mean over the members."""
    mean = history.groupby(["split", "term", "epoch"], as_index=False)["loss"].mean()
    columns = (mean[name].tolist() for name in ("split", "term", "loss", "epoch"))
    for split, term, loss, epoch in zip(*columns, strict=True):
        yield f"curve/{split}/{term}", loss, epoch


def main() -> int:
    """Serve the MLflow interface on this machine only."""
    uri = store_uri("sqlite")
    init_store(uri)
    print("MLflow: http://127.0.0.1:5000 (end with Ctrl-C)", flush=True)
    command = [sys.executable, "-m", "mlflow", "ui", "--backend-store-uri", uri]
    command += ["--host", "127.0.0.1", "--port", "5000", *sys.argv[1:]]
    return subprocess.run(command).returncode


if __name__ == "__main__":
    sys.exit(main())
