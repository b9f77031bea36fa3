"""Baselines: models without latents, fitted on the same folds as the autoencoders.

Every scaler and every hyper-parameter is fitted on the training rows of a member. A predicted standard
deviation is the model's own (Gaussian process), the spread of the labels in the leaves of a forest, and for
all others the root-mean-square residual of predictions held out inside the training rows, where there are
rows enough to divide them. Of a target with classes the probability is predicted, without a standard
deviation.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pandas as pd
from threadpoolctl import threadpool_limits

from nestmat import tables
from nestmat.config.baselines import Baseline
from nestmat.errors import InputError
from nestmat.evaluation.baseline_inputs import BaselineInputs, ScaleTables
from nestmat.evaluation.estimators.base import BaselineKind
from nestmat.evaluation.fitted_baselines import FitsToKeep, dump_fit, write_fits
from nestmat.evaluation.parent_predictions import BASELINES_OF_CHILDREN
from nestmat.evaluation.training_rows import FEWEST_OF_CLASS
from nestmat.models.keys import predicted_quantities
from nestmat.plugins import load_plugins
from nestmat.scales.predictions import Predictions
from nestmat.training.inner_folds import UNLABELLED, RowSplit, read_row_splits
from nestmat.training.weighting import require_weights

log = logging.getLogger(__name__)

ROWS = 5000
"""New rows that are predicted at once, to bound the memory."""
SEED = 0
"""Seed of forests and boosting: a protocol repeats itself with other folds, not other seeds."""


@dataclass(frozen=True)
class _Task:
    """The fits of one baseline for one target in one repeat of a protocol.

    Attributes:
        baseline: Name of the baseline.
        target: Column that is predicted.
        split: How the repeat divides the rows.
        inner_members: Fold, and other fold, inner fold or region, of the fits that a stack or a residual is
            learned on.
    """

    baseline: str
    target: str
    split: RowSplit
    inner_members: Sequence[tuple[int, int]]


def _baseline_kind(baseline: Baseline, target: str, classes: bool) -> BaselineKind:
    """The kind of a baseline with its options.

    Args:
        baseline: Baseline as the study configures it.
        target: Name of the target, for messages.
        classes: Whether the target has classes.

    Raises:
        InputError: The kind does not predict such a target.
    """
    if not baseline.registered.predicts(classes):
        fitting = sorted(name for name, kind in baseline.kinds().items() if kind.predicts(classes))
        target_type = "classes" if classes else "numbers"
        raise InputError(
            f"The baseline {baseline.kind!r} does not predict {target_type}, as target {target!r} holds.",
            key="baselines.kind",
            value=baseline.kind,
            remedy=f"choose one of {', '.join(fitting)}.",
        )
    return baseline.build()


@dataclass(frozen=True)
class _Fits:
    """What the fits of a task are for.

    Attributes:
        predictions: Predictions of the rows that each fit is compared on.
        of_children: Predictions of the rows of coarser scales, `BASELINES_OF_CHILDREN`.
        kept: File of the fit that is kept, if one is.
    """

    predictions: pd.DataFrame
    of_children: list[pd.DataFrame]
    kept: bytes | None


class _Repeat:
    """A baseline that is fitted to one target in one repeat, and what its fits predict.

    Args:
        task: Baseline, target and split.
        baseline: The baseline as the study configures it.
        inputs: Inputs and targets of all rows.
        children: Inputs of rows of coarser scales, which every fit predicts.
    """

    def __init__(
        self,
        task: _Task,
        baseline: Baseline,
        inputs: BaselineInputs,
        children: Mapping[str, BaselineInputs],
    ) -> None:
        self._task, self._baseline, self._inputs, self._children = task, baseline, inputs, children
        self._names, self._y = inputs.classes.get(task.target, ()), inputs.targets[task.target]
        self._kind = _baseline_kind(baseline, task.target, bool(self._names))
        self._parts: list[pd.DataFrame] = []
        self.of_children: list[pd.DataFrame] = []

    @property
    def predictions(self) -> pd.DataFrame:
        """Predictions of the rows that each fit is compared on."""
        return pd.concat(self._parts, ignore_index=True).assign(repeat=self._task.split.repeat)

    def fit(self, fold: int, inner: int, start: Any = None) -> tuple[Any, np.ndarray]:
        """The estimator without a fold, or what ``inner`` states, and its inputs of all rows."""
        split, inputs = self._task.split, self._inputs
        weights, weighting = inputs.weights, inputs.weighting(self._task.target)
        rows = np.isfinite(self._y) & split.train(fold, inner)
        if weights is not None:
            rows &= weights > 0
        x = inputs.matrix(self._baseline.inputs, (split.repeat, fold, inner))
        require_weights(weights, rows[None], np.array([fold]))
        _check_class_sizes(self._y[rows], self._names, self._task, fold)
        transform, classes = self._baseline.transform, bool(self._names)
        model = self._kind.fit(
            x[rows], self._y[rows], SEED, classes, start, transform, weighting=weighting.of(rows)
        )
        for child, of_child in self._children.items():
            keys = {"repeat": split.repeat, "fold": fold, "inner": inner, "row_id": of_child.row_id}
            keys |= {"child": child, "model": self._task.baseline}
            inputs_of_child = of_child.matrix(self._baseline.inputs)
            predicted = self._kind.predict_quantities(model, inputs_of_child, self._task.target, self._names)
            self.of_children.extend(_means_of_quantities(predicted, keys))
        return model, x

    def predict(
        self, fitted: tuple[Any, np.ndarray], rows: np.ndarray, name: str, fold: int, inner: int = -1
    ) -> None:
        """Predict rows, (n,), for a fold, and its other or inner one, under the name of a split."""
        rows = np.isfinite(self._y) & rows
        if rows.any():
            model, x = fitted
            keys = {"row_id": self._inputs.row_id[rows], "fold": fold, "inner": inner, "split": name}
            predicted = self._kind.predict_quantities(model, x[rows], self._task.target, self._names)
            self._parts.extend(_rows_of_quantities(predicted, self._y[rows], keys))


def _fit_repeat(
    task: _Task,
    baseline: Baseline,
    plugins: Sequence[str | Path],
    inputs: BaselineInputs,
    children: Mapping[str, BaselineInputs],
    kept: int | None,
) -> _Fits:
    """Fit the folds of a repeat, all rows in the first one, and the pairs or inner folds, and regions.

    A kind that searches does so where fewest rows train, in the fit of a pair: those of its two folds keep
    what it chose, as no row that they predict took part. The fit of all rows searches again.

    Args:
        task: Baseline, target and split.
        baseline: The baseline as the study configures it.
        plugins: Plug-in files that define kinds: a process of its own has not loaded them yet.
        inputs: Inputs and targets of all rows.
        children: Inputs of rows of coarser scales, which every fit predicts.
        kept: Fold whose fit of the first repeat is kept, -1 for the fit on every row; None for none.
    """
    load_plugins(plugins)
    split, repeat = task.split, _Repeat(task, baseline, inputs, children)
    reads_parents = not inputs.parents.keys().isdisjoint(baseline.inputs)
    with threadpool_limits(1):
        starts: dict[int, Any] = {}
        content: bytes | None = None
        for member in task.inner_members:
            fitted = repeat.fit(*member)
            for (fold, inner), rows in split.held_out(*member).items():
                # What a finer scale says differs with the fold whose stack learns on the fit.
                if reads_parents and (fold, inner) != member:
                    fitted = repeat.fit(fold, inner)
                starts.setdefault(fold, fitted[0])
                repeat.predict(fitted, rows, split.split_name(inner), fold, inner)
        folds = np.unique(split.fold[split.fold >= 0]).tolist()
        for fold in [*[-1] * (split.repeat == 0), *folds]:
            fitted = repeat.fit(fold, -1, starts.get(fold))
            if fold == kept and split.repeat == 0:
                content = dump_fit(baseline, fitted[0])
            repeat.predict(fitted, split.train(fold), "train", fold)
            repeat.predict(fitted, split.validation(fold), "validation", fold)
            repeat.predict(fitted, split.unlabelled(fold), UNLABELLED, fold)
    return _Fits(repeat.predictions, repeat.of_children, content)


def _means_of_quantities(
    predicted: Mapping[str, tuple[np.ndarray, np.ndarray]], keys: Mapping[str, Any]
) -> Iterator[pd.DataFrame]:
    """Rows of `BASELINES_OF_CHILDREN` of each quantity of a target."""
    for quantity, (mean, _) in predicted.items():
        yield pd.DataFrame({**keys, "target": quantity, "mean": mean})


def _rows_of_quantities(
    predicted: Mapping[str, tuple[np.ndarray, np.ndarray]], y: np.ndarray, keys: Mapping[str, Any]
) -> Iterator[pd.DataFrame]:
    """Rows of predictions of each quantity of a target whose values, or numbers of classes, are y (n,)."""
    for number, (quantity, (mean, std)) in enumerate(predicted.items()):
        true = (y == number).astype(np.float64) if len(predicted) > 1 else y
        yield pd.DataFrame({**keys, "true": true, "mean": mean, "std": std, "target": quantity})


def _check_class_sizes(y: np.ndarray, names: Sequence[str], task: _Task, fold: int) -> None:
    rows = {name: int((y == number).sum()) for number, name in enumerate(names)}
    rarest = min(rows, key=lambda name: rows[name], default="")
    if rows and rows[rarest] < FEWEST_OF_CLASS:
        raise InputError(
            f"Repeat {task.split.repeat}, fold {fold} has only {rows[rarest]} training rows of one class.",
            column=task.target,
            value=rarest,
            remedy=f"label more rows: a classifier needs {FEWEST_OF_CLASS} of each class.",
        )


def _with_residuals(frame: pd.DataFrame, classes: Collection[str]) -> pd.DataFrame:
    """Replace missing standard deviations by the residual of predictions held out inside the training rows.

    Args:
        frame: Predictions of one baseline.
        classes: Quantities that are probabilities, which have none.
    """
    std = frame["std"].copy()
    for _, part in frame[frame["std"].isna()].groupby(["target", "repeat", "fold"]):
        target, repeat, fold = part[["target", "repeat", "fold"]].iloc[0]
        if target not in classes:
            of_target = Predictions(frame).where(target=target, repeat=repeat)
            errors = of_target.inside_training_rows(int(fold)).errors
            std[part.index] = np.sqrt(np.square(errors).mean())
    return frame.assign(std=std)


def compare_baselines(
    scale: ScaleTables,
    protocol: str,
    baselines: Mapping[str, Baseline | Mapping[str, Any]],
    output: str | Path,
    stacked: Sequence[str] = (),
    threads: int = 1,
    keep: FitsToKeep | None = None,
    of_children: str | Path | None = None,
) -> pd.DataFrame:
    """Fit baselines on the folds of a protocol and write their predictions, and the fits that are kept.

    Args:
        scale: Tables of the scale.
        protocol: Protocol whose folds are used.
        baselines: Baselines by name, as the study configures them.
        output: Where the predictions of all baselines are written.
        stacked: Baselines of which a stack needs predictions held out inside the training rows.
        threads: Baselines that are fitted at once; each has one thread.
        keep: Baselines whose fits are kept, and where.
        of_children: Where the predictions of the stacked baselines for coarser scales are written,
            `BASELINES_OF_CHILDREN`.

    Returns:
        Predictions (``tables.PREDICTIONS``). There is one seed, which counts as the ensemble: -1.

    Raises:
        InputError: Folds and features have different rows, an input is not finite, a kind does not predict a
            target (numbers, or classes), or a fit that is kept cannot be stored.
    """
    configs = {name: Baseline.model_validate(baseline) for name, baseline in baselines.items()}
    inputs = BaselineInputs.read(scale.features, scale.parents)
    tasks = _list_tasks(configs, inputs, scale.folds, protocol, stacked)
    log.info("%s: %d baselines to fit", protocol, len(configs))
    sources = [Baseline.kinds().source(config.kind) for config in configs.values()]
    plugins = sorted({source for source in sources if isinstance(source, Path)})
    kept = dict.fromkeys(keep.baselines, keep.fold) if keep else {}
    children = {name: BaselineInputs.read(path) for name, path in scale.children.items()}
    call = joblib.delayed(partial(_fit_repeat, inputs=inputs, plugins=plugins))
    jobs = (
        call(
            task,
            configs[task.baseline],
            children=children if task.baseline in stacked else {},
            kept=kept.get(task.baseline),
        )
        for task in tasks
    )
    fits = list(zip(tasks, joblib.Parallel(n_jobs=threads)(jobs), strict=True))
    parts = []
    probabilities = {
        q for target, names in inputs.classes.items() for q in predicted_quantities(target, names)
    }
    for name in configs:
        of_baseline = [fit.predictions for task, fit in fits if task.baseline == name]
        frame = _with_residuals(pd.concat(of_baseline, ignore_index=True), probabilities)
        parts.append(frame[(frame["inner"] < 0) | (name in stacked)].assign(model=name))
    predictions = pd.concat(parts, ignore_index=True).assign(protocol=protocol, seed=-1)
    predictions = predictions[list(tables.PREDICTIONS)]
    settings = {name: config.model_dump() for name, config in configs.items()}
    tables.write(output, predictions, tables.PREDICTIONS, {"baselines": settings, "seed": SEED})
    if of_children:
        parts = [part for _, fit in fits for part in fit.of_children]
        frame = pd.concat(parts) if parts else pd.DataFrame(columns=list(BASELINES_OF_CHILDREN))
        tables.write(of_children, frame, BASELINES_OF_CHILDREN, {"protocol": protocol})
    if keep:
        fits_kept = {(task.baseline, task.target): fit.kept for task, fit in fits if fit.kept}
        write_fits(keep.path, configs, fits_kept)
    return predictions


def _list_tasks(
    configs: Mapping[str, Baseline],
    inputs: BaselineInputs,
    folds: str | Path,
    protocol: str,
    stacked: Sequence[str],
) -> list[_Task]:
    """Fits of all baselines, targets and repeats.

    Args:
        configs: Baselines by name.
        inputs: Inputs and targets of the scale.
        folds: Folds table of the scale.
        protocol: Protocol whose folds are used.
        stacked: Baselines of which a stack needs held-out predictions.

    Raises:
        InputError: As `compare_baselines`.
    """
    outer = tables.read(folds, protocol=protocol)
    if outer.empty or any(
        not np.array_equal(np.sort(rows["row_id"]), inputs.row_id) for _, rows in outer.groupby("repeat")
    ):
        raise InputError(
            f"The table of folds does not hold protocol {protocol!r} for the rows of the features.",
            file=folds,
            remedy="delete the file and run again.",
        )
    tasks = []
    splits = read_row_splits(folds, protocol, inputs.row_id)
    for name, config in configs.items():
        for target in inputs.targets:
            classes = target in inputs.classes
            kind = _baseline_kind(config, target, classes)
            needs_residual = not classes and not kind.has_standard_deviation()
            for split in splits:
                inner_members: Sequence[tuple[int, int]] = ()
                if name in stacked:
                    inner_members = [*split.inner_members(), *split.extrapolating_members()]
                elif needs_residual and split.divides_training_rows:
                    inner_members = split.inner_members(neighbours=1)
                tasks.append(_Task(name, target, split, inner_members))
    return tasks


def predict_baseline(
    baseline: Baseline,
    fits: Mapping[str, Any],
    inputs: BaselineInputs,
    classes: Mapping[str, Sequence[str]] | None = None,
    threads: int = 1,
) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Predict new rows with a baseline that is fitted.

    Args:
        baseline: Baseline as the study configures it.
        fits: Fitted estimator by target, as `nestmat.evaluation.fitted_baselines.read_fits` returns them.
        inputs: Inputs of the new rows, as those that it was fitted to.
        classes: Names of the classes of each target that has some.
        threads: Parts of the rows that are predicted at once.

    Returns:
        Mean (of a class its probability) and standard deviation by quantity, (n,) each. The standard
        deviation is NaN for kinds that take it from the residual, which the weights of the stack hold, and
        for classes.
    """
    x = inputs.matrix(baseline.inputs)
    parts = [x[start : start + ROWS] for start in range(0, max(len(x), 1), ROWS)]
    # Threads share the fits; the libraries compute without the lock of the interpreter.
    run = joblib.Parallel(n_jobs=threads, prefer="threads")
    predictions, classes = {}, classes or {}
    for target, fitted in fits.items():
        kind = _baseline_kind(baseline, target, target in classes)
        call, names = joblib.delayed(kind.predict_quantities), classes.get(target, ())
        with threadpool_limits(1):
            predicted = run(call(fitted, part, target, names) for part in parts)
        for quantity in predicted[0]:
            mean, std = (
                np.concatenate(values) for values in zip(*(p[quantity] for p in predicted), strict=True)
            )
            predictions[quantity] = (mean, std)
    return predictions
