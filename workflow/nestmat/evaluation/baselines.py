"""Baselines: models without latents, fitted on the same folds as the autoencoders.

Every scaler and every hyper-parameter is fitted on the training rows of a member. A predicted standard
deviation is the model's own (Gaussian process), the spread over the trees of a forest, and for all others the
root-mean-square residual of predictions held out inside the training rows.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pandas as pd
from sklearn.compose import TransformedTargetRegressor
from sklearn.dummy import DummyRegressor
from sklearn.ensemble import ExtraTreesRegressor, RandomForestRegressor
from sklearn.linear_model import LassoCV, RidgeCV
from sklearn.model_selection import GridSearchCV, KFold
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import NuSVR
from threadpoolctl import threadpool_limits
from xgboost import XGBRegressor

from nestmat import tables
from nestmat.config import Baseline
from nestmat.errors import InputError
from nestmat.evaluation.gaussian_process import MaternProcess
from nestmat.training.inner import inner_labels

log = logging.getLogger(__name__)

RESIDUAL_FOLDS = 3
"""Folds inside the training rows that a residual is measured on where no stack asks for others."""


def _ridge(seed: int, **options: Any) -> Pipeline:
    return make_pipeline(StandardScaler(), RidgeCV(**{"alphas": np.logspace(-4, 4, 17), **options}))


def _lasso(seed: int, **options: Any) -> Pipeline:
    chosen = {"alphas": 30, "cv": KFold(5, shuffle=True, random_state=seed), "max_iter": 20000, **options}
    return make_pipeline(StandardScaler(), LassoCV(**chosen))


def _nusvr(seed: int, **options: Any) -> TransformedTargetRegressor:
    grid = {"C": [1.0, 10.0, 100.0], "gamma": [0.01, 0.03, 0.1], "nu": [0.5]}
    grid |= {key: value if isinstance(value, list) else [value] for key, value in options.items()}
    search = GridSearchCV(
        NuSVR(), grid, cv=KFold(3, shuffle=True, random_state=seed), scoring="neg_mean_absolute_error"
    )
    # The penalty C has the unit of the target: on standardised targets one grid serves all.
    return TransformedTargetRegressor(make_pipeline(StandardScaler(), search), transformer=StandardScaler())


def _random_forest(seed: int, **options: Any) -> Pipeline:
    return make_pipeline(RandomForestRegressor(**{"n_estimators": 300, "random_state": seed, **options}))


def _extra_trees(seed: int, **options: Any) -> Pipeline:
    return make_pipeline(ExtraTreesRegressor(**{"n_estimators": 300, "random_state": seed, **options}))


def _xgboost(seed: int, **options: Any) -> Pipeline:
    chosen = {
        "n_estimators": 600,
        "learning_rate": 0.05,
        "max_depth": 4,
        "subsample": 0.8,
        "colsample_bytree": 0.8,
        "tree_method": "exact",
        "n_jobs": 1,
        "random_state": seed,
        **options,
    }
    return make_pipeline(XGBRegressor(**chosen))


def _gaussian_process(seed: int, **options: Any) -> Pipeline:
    return make_pipeline(StandardScaler(), MaternProcess(**options))


def _mean(seed: int, **options: Any) -> Pipeline:
    return make_pipeline(DummyRegressor(**options))


def _process_spread(model: Pipeline, x: np.ndarray) -> np.ndarray:
    return model.predict(x, return_std=True)[1]


def _forest_spread(model: Pipeline, x: np.ndarray) -> np.ndarray:
    # Trees grown to single rows predict labels of neighbours: their variance holds the noise as well.
    return np.std([tree.predict(x.astype(np.float32)) for tree in model[-1].estimators_], axis=0)


@dataclass(frozen=True)
class Kind:
    """A kind of baseline.

    Attributes:
        build: (seed, **options) -> an unfitted estimator of scikit-learn's interface, scaler included.
        spread: (fitted estimator, inputs (n, d)) -> standard deviation of a prediction (n,); None where the
            residual inside the training rows stands for it.
    """

    build: Callable[..., Any]
    spread: Callable[[Any, np.ndarray], np.ndarray] | None = None


KINDS: dict[str, Kind] = {
    "ridge": Kind(_ridge),
    "lasso": Kind(_lasso),
    "nusvr": Kind(_nusvr),
    "random_forest": Kind(_random_forest, _forest_spread),
    "extra_trees": Kind(_extra_trees, _forest_spread),
    "xgboost": Kind(_xgboost),
    "gaussian_process": Kind(_gaussian_process, _process_spread),
    "mean": Kind(_mean),
}


@dataclass(frozen=True)
class Inputs:
    """What the baselines of a scale read: rows in ascending order of row_id.

    Attributes:
        row_id: Keys, (n,).
        blocks: Inputs of each feature block, (n, width).
        targets: Values of each target, (n,); NaN where not measured.
    """

    row_id: np.ndarray
    blocks: Mapping[str, np.ndarray]
    targets: Mapping[str, np.ndarray] = field(default_factory=dict)

    @classmethod
    def of(cls, frame: pd.DataFrame, path: str | Path) -> Inputs:
        """Inputs of ``frame``, with the blocks and targets of the features table at ``path``.

        Raises:
            InputError: An input is not finite.
        """
        frame = frame.sort_values("row_id")
        layout = tables.provenance(path)["blocks"]
        blocks = {name: frame[block["columns"]].to_numpy(np.float64) for name, block in layout.items()}
        for name, values in blocks.items():
            if len(bad := np.argwhere(~np.isfinite(values))):
                row, column = bad[0]
                raise InputError(
                    f"input of block {name!r} is not finite for row_id {frame['row_id'].iloc[row]}.",
                    file=path,
                    column=layout[name]["columns"][column],
                    remedy="reject rows without the value (missing: reject) or leave the column out.",
                )
        targets = {
            name: frame[name].to_numpy(np.float64)
            for name, column in tables.schema(path).items()
            if column.role == "target" and name in frame
        }
        return cls(frame["row_id"].to_numpy(), blocks, targets)

    @classmethod
    def read(cls, path: str | Path) -> Inputs:
        """Inputs and targets of a features table."""
        return cls.of(tables.read(path), path)

    def matrix(self, names: Sequence[str]) -> np.ndarray:
        """The blocks ``names`` side by side, (n, sum of widths)."""
        return np.concatenate([self.blocks[name] for name in names], axis=1)


@dataclass(frozen=True)
class _Task:
    """One fit: a baseline, a target, a member."""

    baseline: str
    target: str
    repeat: int
    fold: int
    inner: int
    train: np.ndarray
    held_out: np.ndarray


def _members(outer: pd.DataFrame, inner_folds: int) -> Iterator[tuple[int, int, int, np.ndarray, np.ndarray]]:
    """(repeat, fold, inner, train (n,), held out (n,)) of every member of a protocol."""
    for repeat, frame in outer.groupby("repeat"):
        labels = frame.sort_values("row_id")["fold"].to_numpy()
        # Without a fold to leave out, all repeats are the same member.
        for fold in [*([-1] if repeat == 0 else []), *np.unique(labels[labels >= 0])]:
            train = labels != fold if fold >= 0 else np.ones(len(labels), bool)
            yield int(repeat), int(fold), -1, train, ~train
            if inner_folds:
                inner = inner_labels(labels, int(repeat), int(fold), inner_folds)
                for k in range(inner.max() + 1):
                    yield int(repeat), int(fold), k, train & (inner != k), inner == k


def _fit(task: _Task, baseline: Baseline, inputs: Inputs, seed: int) -> pd.DataFrame:
    """Fit one member; predictions of the rows that it answers for."""
    kind = KINDS[baseline.kind]
    x, y = inputs.matrix(baseline.inputs), inputs.targets[task.target]
    known = np.isfinite(y)
    with threadpool_limits(1):
        model = kind.build(seed, **baseline.options).fit(x[task.train & known], y[task.train & known])
        parts = []
        wanted = (
            {"inner": task.held_out}
            if task.inner >= 0
            else {"train": task.train, "validation": task.held_out}
        )
        for split, rows in wanted.items():
            rows = rows & known
            if rows.any():
                std = kind.spread(model, x[rows]) if kind.spread else np.full(rows.sum(), np.nan)
                mean = model.predict(x[rows])
                parts.append(
                    pd.DataFrame(
                        {
                            "row_id": inputs.row_id[rows],
                            "split": split,
                            "true": y[rows],
                            "mean": mean,
                            "std": std,
                        }
                    )
                )
    found = pd.concat(parts, ignore_index=True)
    return found.assign(target=task.target, repeat=task.repeat, fold=task.fold, inner=task.inner)


def _with_residuals(frame: pd.DataFrame) -> pd.DataFrame:
    """Give predictions without a standard deviation the residual of their member's inner predictions."""
    keys = ["target", "repeat", "fold"]
    held_out = frame[frame["inner"] >= 0]
    squared = (held_out["true"] - held_out["mean"]) ** 2
    residual = squared.groupby([held_out[key] for key in keys]).mean().pow(0.5).rename("residual")
    joined = frame.join(residual, on=keys)
    return frame.assign(std=joined["std"].fillna(joined["residual"]))


def compare_baselines(
    features: str | Path,
    folds: str | Path,
    protocol: str,
    baselines: Mapping[str, Baseline | Mapping[str, Any]],
    output: str | Path,
    stacked: Sequence[str] = (),
    inner_folds: int = 5,
    threads: int = 1,
    seed: int = 0,
) -> pd.DataFrame:
    """Fit baselines on the folds of a protocol and write their predictions.

    Args:
        features: Features table of the scale.
        folds: Folds table of the scale.
        protocol: Protocol whose folds are used.
        baselines: Baselines by name, as the study configures them.
        output: Where the predictions of all baselines are written.
        stacked: Baselines of which a stack needs predictions held out inside the training rows.
        inner_folds: Folds inside the training rows.
        threads: Fits that run at once; each has one thread.
        seed: Seed of forests, boosting and inner searches.

    Returns:
        Predictions (``tables.PREDICTIONS``). There is one seed, which counts as the ensemble: -1.

    Raises:
        InputError: Folds and features have different rows, or an input is not finite.
    """
    chosen = {name: Baseline.model_validate(baseline) for name, baseline in baselines.items()}
    inputs = Inputs.read(features)
    outer = tables.read(folds, protocol=protocol)
    if outer.empty or any(
        not np.array_equal(np.sort(rows["row_id"]), inputs.row_id) for _, rows in outer.groupby("repeat")
    ):
        raise InputError(
            f"does not hold protocol {protocol!r} for the rows of {features}.",
            file=folds,
            remedy="delete it and run again.",
        )
    tasks = []
    for name, baseline in chosen.items():
        held_out = inner_folds if name in stacked else 0
        if not held_out and KINDS[baseline.kind].spread is None:
            held_out = RESIDUAL_FOLDS
        members = list(_members(outer, held_out))
        tasks += [_Task(name, target, *member) for target in inputs.targets for member in members]
    log.info("%d fits of %d baselines in %s", len(tasks), len(chosen), protocol)
    call = joblib.delayed(partial(_fit, inputs=inputs, seed=seed))
    fitted = joblib.Parallel(n_jobs=threads)(call(task, chosen[task.baseline]) for task in tasks)
    parts = []
    for name in chosen:
        mine = [part for task, part in zip(tasks, fitted, strict=True) if task.baseline == name]
        frame = _with_residuals(pd.concat(mine, ignore_index=True))
        parts.append(frame[(frame["inner"] < 0) | (name in stacked)].assign(model=name))
    found = pd.concat(parts, ignore_index=True).assign(protocol=protocol, seed=-1)[list(tables.PREDICTIONS)]
    settings = {name: baseline.model_dump() for name, baseline in chosen.items()}
    tables.write(output, found, tables.PREDICTIONS, {"baselines": settings, "seed": seed})
    return found


def predict_baseline(
    features: str | Path, baseline: Baseline | Mapping[str, Any], new: pd.DataFrame, seed: int = 0
) -> pd.DataFrame:
    """Predict new rows with a baseline fitted on every row of a features table.

    Args:
        features: Features table of the scale.
        baseline: Baseline as the study configures it.
        new: Feature columns and row_id of the new rows.
        seed: Seed as in `compare_baselines`.

    Returns:
        Columns target, row_id, mean, std. The std is NaN for kinds that take it from the residual, which the
        weights of the stack hold.
    """
    baseline = Baseline.model_validate(baseline)
    kind = KINDS[baseline.kind]
    known, wanted = Inputs.read(features), Inputs.of(new, features)
    x, x_new = known.matrix(baseline.inputs), wanted.matrix(baseline.inputs)
    parts = []
    for target, y in known.targets.items():
        rows = np.isfinite(y)
        model = kind.build(seed, **baseline.options).fit(x[rows], y[rows])
        std = kind.spread(model, x_new) if kind.spread else np.nan
        parts.append(
            pd.DataFrame(
                {"target": target, "row_id": wanted.row_id, "mean": model.predict(x_new), "std": std}
            )
        )
    return pd.concat(parts, ignore_index=True)
