"""Predict new materials with the trained chain of a study."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from nestmat import tables
from nestmat.config.datasets import ColumnSpec, DatasetSpec
from nestmat.config.study import Study
from nestmat.data.cells import template_parts, text_rows
from nestmat.data.reading import read
from nestmat.data.registry import resolve
from nestmat.data.targets import class_targets
from nestmat.errors import InputError
from nestmat.evaluation.baseline_inputs import BaselineInputs
from nestmat.evaluation.baselines import predict_baseline
from nestmat.evaluation.classification import DECISION_THRESHOLD
from nestmat.evaluation.fitted_baselines import read_fits
from nestmat.evaluation.parent_predictions import ParentPredictions
from nestmat.evaluation.stack import Combination, deployed
from nestmat.features.chain import featurize_chain
from nestmat.features.table import Featurized
from nestmat.models.keys import predicted_quantities, several_classes
from nestmat.scales.chain import predict_chain
from nestmat.scales.predictions import NORMAL_95

MeansAndStds = dict[str, tuple[np.ndarray, np.ndarray]]
"""Mean and standard deviation, (n,) each, by target."""

PREDICTED: tables.Schema = {
    "row": tables.Column(
        "int64", role="key", description="line of a CSV file or row of a table, counted from 1"
    ),
    "formula": tables.Column("string"),
    "material": tables.Column("string", role="key", description="canonical key of the composition"),
    "scale": tables.Column("string"),
    "target": tables.Column("string"),
    "mean": tables.Column(
        "float64",
        description=(
            "prediction, in the unit of the row; of two classes the probability of the second, of more that "
            "of the class that is named, and on rows of their own that of each class"
        ),
    ),
    "std": tables.Column("float64", description="predicted standard deviation; NaN where none is stated"),
    "low": tables.Column("float64", description="lower end of the 95 % interval"),
    "high": tables.Column("float64", description="upper end of the 95 % interval"),
    "unit": tables.Column("string"),
    "class": tables.Column("string", description="class that is named; empty where a number is predicted"),
}


def predict(
    study: Study, results: Path, source: Path, output: Path, scale: str | None = None
) -> tuple[int, int]:
    """Predict the targets of a scale and of its ancestors for the rows of a table.

    The predictor is the recommended one, with the members that trained on every row, or the first model of a
    scale that recommends none. Feature columns that the file lacks are derived where they follow exactly from
    the formula and the categories.

    Args:
        study: The study, which has been run.
        results: Folder of its results.
        source: CSV file, or Parquet file by its suffix ``.parquet``, with the inputs of the scale.
        output: Parquet file to write, `PREDICTED`; rows without prediction go to ``<output>.rejects.parquet``
            beside it, with the reason.
        scale: Scale to predict; by default the last of the study.

    Returns:
        Number of rows predicted, and of rows rejected.

    Raises:
        InputError: The file or a result is missing or unreadable, or an input column is missing.
    """
    scale = scale or list(study.scales)[-1]
    if scale not in study.scales:
        raise InputError(
            f"The study has no scale {scale!r}.",
            value=scale,
            remedy=f"choose one of {', '.join(study.scales)}.",
        )
    chain = study.lineage(scale)
    spec = _input_spec(study, chain, source)
    reading = read(spec, source, name=source.name)
    featurized = featurize_chain(
        reading.frame,
        {name: study.scales[name].features for name in chain},
        {name: results / "features" / f"{name}.parquet" for name in chain},
        schema=reading.schema,
        source=source,
    )
    rejects = [reading.rejects, *(features.rejects for features in featurized.values())]
    rejected = pd.concat(rejects, ignore_index=True).drop_duplicates("row").sort_values("row")
    rows = reading.frame[~reading.frame["row"].isin(rejected["row"])]
    if rows.empty:
        first = rejected.iloc[0]
        raise InputError(
            f"No row can be predicted: {len(rejected)} are rejected. The first {first['reason']}",
            file=source,
            row=int(first["row"]),
            column=first["column"],
            value=first["value"],
        )
    features = _select_rows(featurized, rows["row_id"])
    parts: list[pd.DataFrame] = []
    for name in chain:
        parts += _predict_scale(study, results, name, features, rows, _means_by_scale(study, parts))
    if not parts:
        raise InputError(
            f"Scale {scale!r} and its finer scales have no target to predict.", key=f"scales.{scale}"
        )
    facts = {"study": study.study, "input": str(source), "rows_read": len(rows) + len(rejected)}
    predicted = pd.concat(parts, ignore_index=True)
    tables.write(output, predicted.sort_values(["row", "scale"], kind="stable"), PREDICTED, facts)
    tables.write(output.with_suffix(".rejects.parquet"), rejected, tables.REJECTS, facts)
    return len(rows), len(rejected)


def count_classes(path: str | Path) -> dict[str, dict[str, int]]:
    """Rows predicted as each class, by target that is a class, in a file that `predict` wrote."""
    frame = tables.read(path, columns=["target", "class"])
    sizes = frame[frame["class"] != ""].groupby(["target", "class"]).size()
    counts: dict[str, dict[str, int]] = {}
    for row in sizes.reset_index(name="rows").to_dict("records"):
        counts.setdefault(row["target"], {})[row["class"]] = row["rows"]
    return counts


def _input_spec(study: Study, chain: list[str], source: Path) -> DatasetSpec:
    """Specification of the input: its formula, and those feature columns that the file has."""
    header = set(next(text_rows(source), []))
    datasets = {name: resolve(study.datasets[study.scales[name].dataset]) for name in chain}
    columns: dict[str, ColumnSpec] = {}
    for name, dataset in datasets.items():
        for block in (config.build() for config in study.scales[name].features.values()):
            for column in (*block.number_columns, *block.category_columns):
                spec = dataset.columns[column]
                name_in_file = column if column in header else spec.header
                if name_in_file in header:
                    missing = "level" if spec.missing == "level" else "reject"
                    columns[column] = spec.model_copy(update={"header": name_in_file, "missing": missing})
    formula = _formula(list(datasets.values()), header, source)
    return DatasetSpec(title=source.name, file=str(source), columns=columns, duplicates="keep", **formula)


def _formula(datasets: Sequence[DatasetSpec], header: set[str], source: Path) -> dict[str, str]:
    """Keys of the column with the formula, or of those that a data set makes it of; none without formulas."""
    with_formula = [dataset for dataset in datasets if dataset.formula or dataset.formula_template]
    for dataset in with_formula:
        for column in (dataset.formula, "formula", "Formula"):
            if column in header:
                return {"formula": column}
        if dataset.formula_template and set(template_parts(dataset.formula_template)) <= header:
            return {"formula_template": dataset.formula_template}
    if with_formula:
        column = with_formula[0].formula or "formula"
        raise InputError(
            f"The table has no column {column!r} with chemical formulas; it has {sorted(header)}.",
            file=source,
            remedy=f"rename the column of the formulas to {column!r}.",
        )
    return {}


def _select_rows(featurized: Mapping[str, Featurized], row_id: pd.Series) -> dict[str, pd.DataFrame]:
    """Features of rows by scale, in the order of the rows."""
    return {
        name: features.frame.set_index("row_id").loc[row_id].reset_index()
        for name, features in featurized.items()
    }


def _means_by_scale(study: Study, parts: Sequence[pd.DataFrame]) -> dict[str, ParentPredictions]:
    """Predicted means of finer scales, as baselines of coarser ones read them."""
    means: dict[str, dict[str, np.ndarray]] = {}
    for part in parts:
        scale, target = part["scale"].iloc[0], part["target"].iloc[0]
        # Of several classes the probabilities are read, not the class that is named.
        if target not in several_classes(class_targets(study, scale)):
            means.setdefault(scale, {})[target] = part["mean"].to_numpy()
    return {scale: ParentPredictions.of_new_rows(by_target) for scale, by_target in means.items()}


def _predict_scale(
    study: Study,
    results: Path,
    name: str,
    features: Mapping[str, pd.DataFrame],
    rows: pd.DataFrame,
    parents: Mapping[str, ParentPredictions],
) -> list[pd.DataFrame]:
    """Predictions of each target of a scale that its predictor has, which may read those of finer scales."""
    scale = study.scales[name]
    members, protocol = scale.predictor, scale.predictor_protocol
    by_member = _predict_with_baselines(study, results, name, features[name], parents)
    for member in members:
        if member in scale.models:
            by_member[member] = _predict_with_model(study, results, name, member, protocol, features)
    combinations = _read_stack(results, name, protocol) if scale.recommended else {}
    schema = tables.schema(results / "features" / f"{name}.parquet")
    parts = []
    for target in scale.targets:
        quantities = predicted_quantities(target, schema[target].classes)
        # Without a stack, the first model need not have a head for every target.
        if not all(quantities[0] in predicted for predicted in by_member.values()):
            continue
        combined = {}
        for quantity in quantities:
            means, stds = (np.column_stack([by_member[m][quantity][i] for m in members]) for i in (0, 1))
            first = (means[:, 0], stds[:, 0])
            combined[quantity] = combinations[quantity].apply(means, stds) if combinations else first
        keys = rows[["row", "formula", "material"]].assign(scale=name, unit=schema[target].unit)
        parts += _rows_of_target(keys, target, schema[target].classes, combined)
    return parts


def _rows_of_target(
    keys: pd.DataFrame, target: str, classes: Sequence[str], combined: MeansAndStds
) -> list[pd.DataFrame]:
    """Rows of `PREDICTED` of a target.

    Args:
        keys: Material, scale and unit of each row.
        target: Name of the target.
        classes: Names of its classes; empty for a number.
        combined: What is predicted of each quantity of the target.
    """
    parts = []
    if len(classes) > 2:
        means, stds = (np.column_stack([of_class[i] for of_class in combined.values()]) for i in (0, 1))
        decided = means.argmax(axis=1)
        chosen = np.arange(len(means)), decided
        combined = {target: (means[chosen], stds[chosen]), **combined}
    for quantity, (mean, std) in combined.items():
        part = keys.assign(target=quantity, mean=mean, std=std)
        part["low"], part["high"], part["class"] = mean - NORMAL_95 * std, mean + NORMAL_95 * std, ""
        if classes:
            part[["low", "high"]] = part[["low", "high"]].clip(0, 1)
        if len(classes) == 2:
            part["class"] = np.where(mean >= DECISION_THRESHOLD, classes[1], classes[0])
        elif classes and quantity == target:
            part["class"] = np.array(classes)[decided]
        parts.append(part)
    return parts


def _read_stack(results: Path, scale: str, protocol: str) -> dict[str, Combination]:
    """Combination of the recommended stack by target."""
    file = results / "predictions" / scale / protocol / "recommended.json"
    try:
        return deployed(json.loads(file.read_text(encoding="utf-8")))
    except OSError as error:
        raise InputError(
            f"The recommended stack cannot be read: {error.strerror}.",
            file=file,
            remedy="run the study to its report first.",
        ) from error


def _predict_with_model(
    study: Study,
    results: Path,
    scale: str,
    model: str,
    protocol: str,
    features: Mapping[str, pd.DataFrame],
) -> MeansAndStds:
    """Predictions of the members that trained on every row."""
    model_keys = study.chain(scale, model, protocol)
    weights = {name: results / "models" / f"{key}.safetensors" for name, key in model_keys.items()}
    return predict_chain(weights, features)[scale].targets


def _predict_with_baselines(
    study: Study,
    results: Path,
    name: str,
    features: pd.DataFrame,
    parents: Mapping[str, ParentPredictions],
) -> dict[str, MeansAndStds]:
    """Predictions of the baselines of a scale's predictor, as they were fitted on every row."""
    scale = study.scales[name]
    baselines = {kept: scale.baselines[kept] for kept in scale.kept_baselines(scale.predictor_protocol)}
    if not baselines:
        return {}
    table = results / "features" / f"{name}.parquet"
    fits = read_fits(results / "models" / name / scale.predictor_protocol / "baselines.zip", baselines)
    # Rows come in the order of their row_id, as they were read.
    inputs = replace(BaselineInputs.of(features, table), parents=parents)
    classes = {target: column.classes for target, column in tables.schema(table).items() if column.classes}
    return {
        member: predict_baseline(
            baseline, fits[member], inputs, classes, threads=len(os.sched_getaffinity(0))
        )
        for member, baseline in baselines.items()
    }
