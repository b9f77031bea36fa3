"""Baselines: models without latents, fitted on the same folds as the autoencoders.

Every scaler and every hyper-parameter is fitted on the training rows of a member. A predicted standard
deviation is the model's own (Gaussian process), the spread of the labels in the leaves of a forest, and for
all others the root-mean-square residual of predictions held out inside the training rows, where three folds
or more make that possible. Of a target with classes the probability is predicted, and none is stated.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pandas as pd
from sklearn.compose import TransformedTargetRegressor
from sklearn.dummy import DummyRegressor
from sklearn.ensemble import BaggingRegressor, ExtraTreesRegressor, RandomForestRegressor
from sklearn.linear_model import LassoCV, RidgeCV
from sklearn.model_selection import GridSearchCV, KFold, ParameterGrid
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import NuSVR
from threadpoolctl import threadpool_limits
from xgboost import XGBRegressor

from nestmat import tables
from nestmat.config.baselines import Baseline
from nestmat.config.features import NUMBER_OF_ELEMENTS
from nestmat.errors import InputError
from nestmat.evaluation.estimators.classifiers import CLASSIFY, FEWEST
from nestmat.evaluation.estimators.gaussian_process import MaternProcess
from nestmat.materials.formulas import elements
from nestmat.training.inner_folds import UNLABELLED, Division, count_folds

log = logging.getLogger(__name__)

RESIDUAL_FOLDS = 3
"""Folds inside the training rows that a residual is measured on where no stack asks for others."""

# Of large C and gamma together, fits take seconds and predict no better.
_NUSVR_GRID = [{"C": [3.0, 10.0, 30.0], "gamma": [0.01, 0.03]}, {"C": [100.0], "gamma": [0.01]}]
# Few shallow trees for noisy targets, many deeper ones for exact targets.
_XGBOOST_GRID = [
    {"estimator__max_depth": [depth], "estimator__n_estimators": [trees]}
    for depth, trees in ((3, 75), (4, 300))
]
_FOREST = {"n_estimators": 200, "max_features": 0.7, "min_samples_split": 4}


def _ridge(seed: int, **options: Any) -> Pipeline:
    return make_pipeline(StandardScaler(), RidgeCV(**{"alphas": np.logspace(-4, 4, 17), **options}))


def _lasso(seed: int, **options: Any) -> Pipeline:
    chosen = {"alphas": 30, "cv": KFold(5, shuffle=True, random_state=seed), "max_iter": 20000, **options}
    return make_pipeline(StandardScaler(), LassoCV(**chosen))


def _search(estimator: Any, grid: list[dict], options: Mapping[str, Any], folds: int, seed: int) -> Any:
    """Choose parameters inside the training rows; options are values, or lists of values to choose from."""
    fixed = {key: value if isinstance(value, list) else [value] for key, value in options.items()}
    grid = [{**part, **fixed} for part in grid]
    first, *others = ParameterGrid(grid)
    if all(other == first for other in others):
        return estimator.set_params(**first)
    inside = KFold(folds, shuffle=True, random_state=seed)
    return GridSearchCV(estimator, grid, cv=inside, scoring="neg_mean_absolute_error")


def _nusvr(seed: int, **options: Any) -> TransformedTargetRegressor:
    search = _search(NuSVR(nu=0.5), _NUSVR_GRID, options, 5, seed)
    # The penalty C has the unit of the target: on standardised targets one grid serves all.
    return TransformedTargetRegressor(make_pipeline(StandardScaler(), search), transformer=StandardScaler())


def _random_forest(seed: int, **options: Any) -> Pipeline:
    return make_pipeline(RandomForestRegressor(**{**_FOREST, "random_state": seed, **options}))


def _extra_trees(seed: int, **options: Any) -> Pipeline:
    return make_pipeline(ExtraTreesRegressor(**{**_FOREST, "random_state": seed, **options}))


def _xgboost(seed: int, **options: Any) -> Pipeline:
    """Mean of boosted trees of three seeds, which takes the luck of the subsamples out of the comparison."""
    boosted = XGBRegressor(learning_rate=0.1, subsample=0.8, colsample_bytree=0.8, n_jobs=1)
    bag = BaggingRegressor(boosted, n_estimators=3, bootstrap=False, random_state=seed)
    renamed = {f"estimator__{key}": value for key, value in options.items()}
    return make_pipeline(_search(bag, _XGBOOST_GRID, renamed, 3, seed))


def _gaussian_process(seed: int, **options: Any) -> Pipeline:
    return make_pipeline(StandardScaler(), MaternProcess(**options))


def _mean(seed: int, **options: Any) -> Pipeline:
    return make_pipeline(DummyRegressor(**options))


def _nusvr_choice(model: TransformedTargetRegressor) -> dict[str, Any]:
    return getattr(model.regressor_[-1], "best_params_", {})


def _xgboost_choice(model: Pipeline) -> dict[str, Any]:
    chosen = getattr(model[-1], "best_params_", {})
    return {key.removeprefix("estimator__"): value for key, value in chosen.items()}


def _process_start(model: Pipeline) -> dict[str, Any]:
    return {"start": model[-1].theta_}


def _process_spread(model: Pipeline, x: np.ndarray) -> np.ndarray:
    return model.predict(x, return_std=True)[1]


def _forest_spread(model: Pipeline, x: np.ndarray) -> np.ndarray:
    # Law of total variance: between the trees, and among the labels of the leaf that a row falls into.
    rows = x.astype(np.float32)
    trees = [tree.tree_ for tree in model[-1].estimators_]
    leaves = [tree.apply(rows) for tree in trees]
    means = [tree.value[leaf, 0, 0] for tree, leaf in zip(trees, leaves, strict=True)]
    within = [tree.impurity[leaf] for tree, leaf in zip(trees, leaves, strict=True)]
    return np.sqrt(np.var(means, axis=0) + np.mean(within, axis=0))


@dataclass(frozen=True)
class Kind:
    """A kind of baseline.

    Attributes:
        build: (seed, **options) -> an unfitted estimator of scikit-learn's interface, scaler included; None
            for a kind that predicts classes alone.
        spread: (fitted estimator, inputs (n, d)) -> standard deviation of a prediction (n,); None where the
            residual inside the training rows stands for it.
        warm: (estimator fitted on the training rows of a fold) -> options for its fits without an inner fold.
            They spare a search: a start from which it converges, or what was chosen. The validation rows of
            the fold take no part.
        classify: As ``build``, a classifier that gives probabilities; None for a kind that predicts numbers
            alone. It has no spread and no warm start.
    """

    build: Callable[..., Any] | None
    spread: Callable[[Any, np.ndarray], np.ndarray] | None = None
    warm: Callable[[Any], dict[str, Any]] | None = None
    classify: Callable[..., Any] | None = None

    def of_target(self, name: str, target: str, classes: bool) -> Kind:
        """The kind as it is for a target: of a class a classifier in place of what predicts numbers.

        Args:
            name: Name of the kind, for messages.
            target: Name of the target, for messages.
            classes: Whether the target has classes.

        Raises:
            InputError: The kind does not predict such a target.
        """
        chosen = Kind(self.classify) if classes else self
        if chosen.build is None:
            fitting = sorted(key for key, kind in KINDS.items() if (kind.classify if classes else kind.build))
            what = "classes" if classes else "numbers"
            raise InputError(
                f"does not predict {what}, and target {target!r} is one of them.",
                column="baselines.kind",
                value=name,
                remedy=f"choose one of {', '.join(fitting)}.",
            )
        return chosen

    def fit(self, seed: int, options: Mapping[str, Any], x: np.ndarray, y: np.ndarray) -> Any:
        """A fitted estimator; x (n, d), y (n,)."""
        assert self.build is not None
        return self.build(seed, **options).fit(x, y)

    def predict(self, model: Any, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Mean, of a class its probability, and standard deviation (NaN where none is stated), (n,) each."""
        mean = model.predict_proba(x)[:, 1] if hasattr(model, "predict_proba") else model.predict(x)
        return mean, self.spread(model, x) if self.spread else np.full(len(x), np.nan)


KINDS: dict[str, Kind] = {
    "ridge": Kind(_ridge),
    "lasso": Kind(_lasso),
    "nusvr": Kind(_nusvr, warm=_nusvr_choice),
    "random_forest": Kind(_random_forest, _forest_spread, classify=CLASSIFY["random_forest"]),
    "extra_trees": Kind(_extra_trees, _forest_spread, classify=CLASSIFY["extra_trees"]),
    "xgboost": Kind(_xgboost, warm=_xgboost_choice, classify=CLASSIFY["xgboost"]),
    "gaussian_process": Kind(
        _gaussian_process, _process_spread, _process_start, classify=CLASSIFY["gaussian_process"]
    ),
    "mean": Kind(_mean, classify=CLASSIFY["mean"]),
}
KINDS |= {name: Kind(None, classify=build) for name, build in CLASSIFY.items() if name not in KINDS}


@dataclass(frozen=True)
class Inputs:
    """What the baselines of a scale read: rows in ascending order of row_id.

    Attributes:
        row_id: Keys, (n,).
        blocks: Inputs of each feature block, (n, width).
        targets: Values of each target, (n,); NaN where not measured.
        classes: Names of the targets that are classes.
        formulas: Formulas of the rows, (n,), for the built-in input ``number_of_elements``.
    """

    row_id: np.ndarray
    blocks: Mapping[str, np.ndarray]
    targets: Mapping[str, np.ndarray] = field(default_factory=dict)
    classes: frozenset[str] = frozenset()
    formulas: Sequence[str] = ()

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
        schema = tables.schema(path)
        targets = {
            name: frame[name].to_numpy(np.float64)
            for name, column in schema.items()
            if column.role == "target" and name in frame
        }
        classes = frozenset(name for name in targets if schema[name].classes)
        formulas = frame["formula"].tolist() if "formula" in frame else ()
        return cls(frame["row_id"].to_numpy(), blocks, targets, classes, formulas)

    @classmethod
    def read(cls, path: str | Path) -> Inputs:
        """Inputs and targets of a features table."""
        return cls.of(tables.read(path), path)

    def matrix(self, names: Sequence[str]) -> np.ndarray:
        """The blocks ``names`` side by side, (n, sum of widths)."""
        found = [self._counts() if name == NUMBER_OF_ELEMENTS else self.blocks[name] for name in names]
        return np.concatenate(found, axis=1)

    def _counts(self) -> np.ndarray:
        return np.array([[float(len(found))] for found in elements(self.formulas)]).reshape(-1, 1)


@dataclass(frozen=True)
class _Task:
    """The fits of one baseline for one target and fold.

    Attributes:
        baseline: Name of the baseline.
        target: Column that is predicted.
        repeat: Repeat of the protocol.
        fold: Fold that is left out; -1 for none.
        train: Rows that train, (n,).
        validation: Rows of the fold, (n,).
        unlabelled: Rows whose label is hidden, (n,).
        inner: Inner fold of each row, (n,); -1 for rows that no inner fold holds out.
    """

    baseline: str
    target: str
    repeat: int
    fold: int
    train: np.ndarray
    validation: np.ndarray
    unlabelled: np.ndarray
    inner: np.ndarray


def _outer_folds(
    divisions: Sequence[Division], inner_folds: int, count: int
) -> Iterator[tuple[int, int, np.ndarray, np.ndarray, np.ndarray, np.ndarray]]:
    """(repeat, fold, train, validation, unlabelled, inner), rows (n,), of every fold and of fold -1."""
    for division in divisions:
        labels = division.fold
        # Without a fold to leave out, all repeats are the same: one is enough.
        for fold in [*([-1] if division.repeat == 0 else []), *np.unique(labels[labels >= 0]).tolist()]:
            inner = np.full(len(labels), -1)
            if inner_folds:
                inner, _ = division.inner(fold, inner_folds, count)
            rows = division.train(fold), division.validation(fold), division.unlabelled(fold)
            yield division.repeat, fold, *rows, inner


def _fit(task: _Task, baseline: Baseline, inputs: Inputs, seed: int) -> pd.DataFrame:
    """Fit a fold and the inner folds of its training rows; predictions of the rows that each answers for."""
    classes, options = task.target in inputs.classes, baseline.options
    kind = KINDS[baseline.kind].of_target(baseline.kind, task.target, classes)
    x, y = inputs.matrix(baseline.inputs), inputs.targets[task.target]
    known = np.isfinite(y)
    parts = []

    def answer(model: Any, rows: np.ndarray, split: str, inner: int) -> None:
        if rows.any():
            mean, std = kind.predict(model, x[rows])
            found = {"row_id": inputs.row_id[rows], "inner": inner, "split": split, "true": y[rows]}
            parts.append(pd.DataFrame({**found, "mean": mean, "std": std}))

    def fitted(rows: np.ndarray) -> Any:
        if classes:
            _enough_of_each(y[rows], task)
        return kind.fit(seed, options, x[rows], y[rows])

    with threadpool_limits(1):
        train = known & task.train
        model = fitted(train)
        answer(model, train, "train", -1)
        answer(model, known & task.validation, "validation", -1)
        answer(model, known & task.unlabelled, UNLABELLED, -1)
        if kind.warm:
            options = {**options, **kind.warm(model)}
        for k in range(task.inner.max() + 1):
            model = fitted(train & (task.inner != k))
            answer(model, known & (task.inner == k), "inner", k)
    found = pd.concat(parts, ignore_index=True)
    return found.assign(target=task.target, repeat=task.repeat, fold=task.fold)


def _enough_of_each(y: np.ndarray, task: _Task) -> None:
    fewest = min(int((y == number).sum()) for number in (0, 1))
    if fewest < FEWEST:
        raise InputError(
            f"has {fewest} training rows of one class in repeat {task.repeat}, fold {task.fold}.",
            column=task.target,
            remedy=f"label more rows: a classifier needs {FEWEST} of each class.",
        )


def _with_residuals(frame: pd.DataFrame, classes: Collection[str]) -> pd.DataFrame:
    """Give predictions without a standard deviation the residual of their member's inner predictions.

    Args:
        frame: Predictions of one baseline.
        classes: Targets whose probabilities have none.
    """
    keys = ["target", "repeat", "fold"]
    held_out = frame[(frame["inner"] >= 0) & ~frame["target"].isin(classes)]
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
        InputError: Folds and features have different rows, an input is not finite, or a kind does not predict
            a target: numbers, or classes.
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
    tasks, count = [], count_folds(folds, protocol)
    repeats = sorted(map(int, outer["repeat"].unique()))
    divisions = [Division.of(outer, repeat, inputs.row_id) for repeat in repeats]
    divisible = count > 2 or all(division.holdout for division in divisions)
    for name, baseline in chosen.items():
        held_out = inner_folds if name in stacked else 0
        for target in inputs.targets:
            classes, inner = target in inputs.classes, held_out
            kind = KINDS[baseline.kind].of_target(baseline.kind, target, classes)
            if not inner and kind.spread is None and divisible and not classes:
                inner = RESIDUAL_FOLDS
            tasks += [_Task(name, target, *member) for member in _outer_folds(divisions, inner, count)]
    log.info("%s: %d baselines, %d folds to fit", protocol, len(chosen), len(tasks))
    call = joblib.delayed(partial(_fit, inputs=inputs, seed=seed))
    fitted = joblib.Parallel(n_jobs=threads)(call(task, chosen[task.baseline]) for task in tasks)
    parts = []
    for name in chosen:
        mine = [part for task, part in zip(tasks, fitted, strict=True) if task.baseline == name]
        frame = _with_residuals(pd.concat(mine, ignore_index=True), inputs.classes)
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
        Columns target, row_id, mean (of a class its probability), std. The std is NaN for kinds that take it
        from the residual, which the weights of the stack hold, and for classes.
    """
    baseline = Baseline.model_validate(baseline)
    known, wanted = Inputs.read(features), Inputs.of(new, features)
    x, x_new = known.matrix(baseline.inputs), wanted.matrix(baseline.inputs)
    parts = []
    for target, y in known.targets.items():
        rows = np.isfinite(y)
        kind = KINDS[baseline.kind].of_target(baseline.kind, target, target in known.classes)
        mean, std = kind.predict(kind.fit(seed, baseline.options, x[rows], y[rows]), x_new)
        found = {"target": target, "row_id": wanted.row_id, "mean": mean, "std": std}
        parts.append(pd.DataFrame(found))
    return pd.concat(parts, ignore_index=True)
