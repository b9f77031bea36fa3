"""Public tables of materials: the predictor that `nestmat new` recommends against plain lines.

The plain competitors are a random forest, extremely randomised trees (300), XGBoost, a Gaussian process with
one length scale on at most 3,000 random training rows, and the mean of the four, with the defaults of their
libraries, on Magpie's statistics and element fractions. All are fitted on the folds that the tables state.
The study is the one that `nestmat new` writes, with these folds and nothing else changed. Its seeds are those
of the study, whatever `--seeds` asks for of the plain lines.

Run: NESTMAT_MIRROR=<folder> python -m bench tables [--tables jdft2d phonons] [--seeds 0 1 2] [--folds 0 1]
"""

from __future__ import annotations

import argparse
import os
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pandas as pd
from sklearn.ensemble import (
    ExtraTreesClassifier,
    ExtraTreesRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.gaussian_process import GaussianProcessClassifier, GaussianProcessRegressor
from sklearn.gaussian_process.kernels import ConstantKernel, Matern, WhiteKernel
from sklearn.metrics import log_loss, mean_absolute_error, roc_auc_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits
from xgboost import XGBClassifier, XGBRegressor

from nestmat import tables
from nestmat.commands.new import write_study
from nestmat.features.blocks.elements import element_fractions
from nestmat.features.composition import composition_table
from nestmat.materials.formulas import elements, parse_many
from nestmat.paths import ROOT

TABLES = ("jdft2d", "phonons", "dielectric", "glass", "log_kvrh")
PROCESS_ROWS = 3000
Errors = dict[str, dict[str, float]]
"""Measures by name, by competitor."""
RECOMMENDED, MEAN = "recommended", "mean of four"


@dataclass(frozen=True)
class Table:
    """A table of formulas with folds.

    Attributes:
        name: Its name.
        frame: Columns formula, target and fold; n rows.
    """

    name: str
    frame: pd.DataFrame

    @classmethod
    def read(cls, folder: Path, name: str, rows: int | None) -> Table:
        """The table in a folder, or some of its rows, drawn at random."""
        frame = pd.read_csv(folder / f"{name}.csv")
        chosen = np.sort(np.random.default_rng(0).permutation(len(frame))[:rows])
        return cls(name, frame.iloc[chosen].reset_index(drop=True))

    @property
    def target(self) -> str:
        """Name of the column that is predicted."""
        return str(self.frame.columns[1])

    @property
    def y(self) -> np.ndarray:
        """Targets, (n,)."""
        return self.frame[self.target].to_numpy(np.float64)

    @property
    def has_classes(self) -> bool:
        """Whether the target is 0 or 1."""
        return set(self.y.tolist()) == {0.0, 1.0}

    def descriptors(self) -> np.ndarray:
        """Magpie's statistics and fractions of the elements that occur, (n, columns)."""
        formulas = parse_many(self.frame["formula"]).formulas
        compositions = [formula.composition for formula in formulas if formula is not None]
        symbols = sorted({symbol for row in elements(self.frame["formula"]) for symbol in row})
        fractions = element_fractions(formulas, symbols).values
        return np.hstack([composition_table("magpie").featurize(compositions), fractions])

    def errors(self, predictions: np.ndarray, fold: int) -> dict[str, float]:
        """Error of predictions (n,) on a fold: mean absolute error, or log loss and area under the curve."""
        rows = self.frame["fold"].to_numpy() == fold
        if not self.has_classes:
            return {"error": mean_absolute_error(self.y[rows], predictions[rows])}
        return {
            "error": log_loss(self.y[rows], predictions[rows]),
            "ROC-AUC": roc_auc_score(self.y[rows], predictions[rows]),
        }


def plain_estimators(classes: bool, inputs: int, seed: int) -> dict[str, Any]:
    """The plain competitors, but for their mean."""
    kernel = ConstantKernel() * Matern(np.sqrt(inputs))
    if classes:
        process: Any = GaussianProcessClassifier(kernel, random_state=seed)
        trees = (RandomForestClassifier(random_state=seed), ExtraTreesClassifier(300, random_state=seed))
        boosted: Any = XGBClassifier(random_state=seed, n_jobs=1)
    else:
        process = GaussianProcessRegressor(kernel + WhiteKernel(), normalize_y=True, random_state=seed)
        trees = (RandomForestRegressor(random_state=seed), ExtraTreesRegressor(300, random_state=seed))
        boosted = XGBRegressor(random_state=seed, n_jobs=1)
    return {
        "random forest": trees[0],
        "ExtraTrees": trees[1],
        "XGBoost": boosted,
        "Gaussian process": make_pipeline(StandardScaler(), process),
    }


def predict_plainly(table: Table, x: np.ndarray, folds: Sequence[int], seed: int) -> dict[str, np.ndarray]:
    """Predictions (n,) of the plain competitors for the rows of some folds, NaN elsewhere."""
    fold_of, classes = table.frame["fold"].to_numpy(), table.has_classes
    names = plain_estimators(classes, x.shape[1], seed)
    predictions = {name: np.full(len(x), np.nan) for name in names}
    for fold in folds:
        held_out = fold_of == fold
        for name, estimator in plain_estimators(classes, x.shape[1], seed).items():
            rows = np.flatnonzero(~held_out)
            if name == "Gaussian process":
                rows = np.random.default_rng(seed).permutation(rows)[:PROCESS_ROWS]
            fitted = estimator.fit(x[rows], table.y[rows])
            inputs = x[held_out]
            predictions[name][held_out] = (
                fitted.predict_proba(inputs)[:, 1] if classes else fitted.predict(inputs)
            )
    return {**predictions, MEAN: np.mean(list(predictions.values()), axis=0)}


def predict_by_study(table: Table, cores: int) -> dict[str, np.ndarray]:
    """Predictions (n,) of the recommended predictor of a first study, and of each of its members."""
    with TemporaryDirectory() as folder:
        file, study = Path(folder) / "table.csv", Path(folder) / "study.yaml"
        table.frame.to_csv(file, index=False)
        write_study(study, name="study", data=file, targets=[table.target], formula="formula", folds="fold")
        results = Path(folder) / "results/study/predictions/materials/strict"
        command = [
            sys.executable,
            "-m",
            "snakemake",
            str((results / "recommended.parquet").relative_to(folder)),
        ]
        command += ["--cores", str(cores), "--snakefile", str(ROOT / "Snakefile"), "--quiet", "all"]
        command += ["--directory", folder, "--configfile", str(study), "--config", "tracking=off"]
        subprocess.run(command, check=True)
        predictions = {}
        for path in sorted((Path(folder) / results).glob("*.parquet")):
            frame = tables.read(path, split="validation", seed=-1)
            for model, rows in frame.groupby("model"):
                predictions[str(model)] = np.full(len(table.frame), np.nan)
                predictions[str(model)][rows["row_id"]] = rows["mean"]
    return predictions


def mean_errors(table: Table, predictions: Mapping[str, np.ndarray], folds: Sequence[int]) -> Errors:
    """Errors of each competitor, means over folds."""
    return {
        name: pd.DataFrame([table.errors(values, fold) for fold in folds]).mean().to_dict()
        for name, values in predictions.items()
    }


def print_errors(table: Table, plain: list[Errors], of_study: Errors) -> float:
    """Print the errors of a table.

    Args:
        table: The table.
        plain: Errors of the plain competitors, one entry a seed.
        of_study: Errors of the recommended predictor and of its members; empty where it did not run.

    Returns:
        Error of the recommended predictor over that of the best plain competitor; NaN where it did not run.
    """
    rows = {name: pd.DataFrame([errors[name] for errors in plain]).mean().to_dict() for name in plain[0]}
    best = min(rows, key=lambda name: rows[name]["error"])
    measure = "log loss" if table.has_classes else "mean absolute error"
    print(f"\n{table.name}: {len(table.frame)} rows, {table.target}, {measure}; best plain line: {best}")
    print("| predictor | error | over the best plain line | ROC-AUC |\n|---|---|---|---|")
    for name, errors in {**rows, **of_study}.items():
        area = f"{errors['ROC-AUC']:.4f}" if "ROC-AUC" in errors else ""
        print(f"| {name} | {errors['error']:.4f} | {errors['error'] / rows[best]['error']:.3f} | {area} |")
    return of_study[RECOMMENDED]["error"] / rows[best]["error"] if of_study else np.nan


def timed(label: str, function: Callable[..., Any], *arguments: Any) -> Any:
    """What a function returns; its time is printed, with that of the processes that it starts."""
    begun, busy = time.perf_counter(), _processor_time()
    returned = function(*arguments)
    print(
        f"{label}: {time.perf_counter() - begun:.0f} s, processor {_processor_time() - busy:.0f} s",
        flush=True,
    )
    return returned


def _processor_time() -> float:
    usages = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure each table, and the geometric mean of the ratios."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--tables", nargs="+", default=TABLES, choices=TABLES)
    parser.add_argument("--seeds", nargs="+", type=int, default=[0], help="of the plain lines")
    parser.add_argument("--folds", nargs="+", type=int, help="folds to measure on; all by default")
    parser.add_argument("--rows", type=int, help="rows of each table, drawn at random; all by default")
    parser.add_argument("--cores", type=int, default=2, help="of the study; the plain lines take one")
    parser.add_argument("--plain", action="store_true", help="leave the study out")
    options = parser.parse_args(arguments)
    folder = Path(os.environ.get("NESTMAT_MIRROR", "")) / "matbench"
    if missing := [name for name in options.tables if not (folder / f"{name}.csv").is_file()]:
        print(f"skipped: NESTMAT_MIRROR names no folder with matbench/{missing[0]}.csv")
        return
    ratios = []
    for name in options.tables:
        table = Table.read(folder, name, options.rows)
        x, folds = table.descriptors(), options.folds or sorted(set(table.frame["fold"]))
        of_study = {} if options.plain else timed(f"{name}, study", predict_by_study, table, options.cores)
        with threadpool_limits(1):
            plain = [
                mean_errors(
                    table,
                    timed(f"{name}, plain, seed {seed}", predict_plainly, table, x, folds, seed),
                    folds,
                )
                for seed in options.seeds
            ]
        ratios.append(print_errors(table, plain, mean_errors(table, of_study, folds)))
    if not options.plain:
        print(f"\ngeometric mean of {len(ratios)} ratios: {np.exp(np.mean(np.log(ratios))):.3f}")


if __name__ == "__main__":
    main()
