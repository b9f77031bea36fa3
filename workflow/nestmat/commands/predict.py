"""Predict new materials with the trained chain of a study."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from nestmat import tables
from nestmat.config.datasets import ColumnSpec, DatasetSpec
from nestmat.config.scales import Scale
from nestmat.config.study import Study
from nestmat.data.cells import template_parts, text_rows
from nestmat.data.reading import read
from nestmat.data.registry import resolve
from nestmat.errors import InputError
from nestmat.evaluation.baselines import predict_baseline
from nestmat.evaluation.classification import DECISION_THRESHOLD
from nestmat.evaluation.stack import deployed
from nestmat.features.chain import featurize_chain
from nestmat.features.table import Featurized
from nestmat.models.keys import RECOMMENDED
from nestmat.scales.chain import ScalePrediction, predict_chain

PREDICTED: tables.Schema = {
    "row": tables.Column(
        "int64", role="key", description="line of a CSV file or row of a table, counted from 1"
    ),
    "formula": tables.Column("string"),
    "material": tables.Column("string", role="key", description="canonical key of the composition"),
    "scale": tables.Column("string"),
    "target": tables.Column("string"),
    "mean": tables.Column(
        "float64", description="prediction, in the unit of the row; of a class the probability of the second"
    ),
    "std": tables.Column("float64", description="predicted standard deviation; NaN where none is stated"),
    "low": tables.Column("float64", description="lower end of the 95 % interval"),
    "high": tables.Column("float64", description="upper end of the 95 % interval"),
    "unit": tables.Column("string"),
    "class": tables.Column("string", description="class that is named; empty where a number is predicted"),
}
NORMAL_95 = 1.959964


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
    wanted = scale or list(study.scales)[-1]
    if wanted not in study.scales:
        raise InputError(
            "is not a scale of the study.", value=wanted, remedy=f"choose one of {', '.join(study.scales)}."
        )
    chain = study.lineage(wanted)
    spec = _input_spec(study, chain, source)
    reading = read(spec, source, name=source.name)
    made = featurize_chain(
        reading.frame,
        {name: study.scales[name].features for name in chain},
        {name: results / "features" / f"{name}.parquet" for name in chain},
        schema=reading.schema,
        source=source,
    )
    rejects = [reading.rejects, *(found.rejects for found in made.values())]
    lost = pd.concat(rejects, ignore_index=True).drop_duplicates("row").sort_values("row")
    kept = reading.frame[~reading.frame["row"].isin(lost["row"])]
    if kept.empty:
        first = lost.iloc[0]
        raise InputError(
            f"leaves no row to predict: {len(lost)} are rejected. The first {first['reason']}",
            file=source,
            row=int(first["row"]),
            column=first["column"],
            value=first["value"],
        )
    rows = _rows_of(made, kept["row_id"])
    parts = [part for name in chain for part in _of_scale(study, results, name, rows, kept)]
    if not parts:
        raise InputError("predicts nothing, and neither do its finer scales.", column=f"scales.{wanted}")
    facts = {"study": study.study, "input": str(source), "rows_read": len(kept) + len(lost)}
    predicted = pd.concat(parts, ignore_index=True)
    tables.write(output, predicted.sort_values(["row", "scale"], kind="stable"), PREDICTED, facts)
    tables.write(output.with_suffix(".rejects.parquet"), lost, tables.REJECTS, facts)
    return len(kept), len(lost)


def classes_named(path: str | Path) -> dict[str, dict[str, int]]:
    """How many rows each class is named for, by target that is a class, from what `predict` wrote."""
    frame = tables.read(path, columns=["target", "class"])
    named = frame[frame["class"] != ""].groupby(["target", "class"]).size()
    found: dict[str, dict[str, int]] = {}
    for row in named.reset_index(name="rows").to_dict("records"):
        found.setdefault(row["target"], {})[row["class"]] = row["rows"]
    return found


def _input_spec(study: Study, chain: list[str], source: Path) -> DatasetSpec:
    """What to read from the input: the formula, and those feature columns that the file has."""
    header = set(next(text_rows(source), []))
    datasets = {name: resolve(study.datasets[study.scales[name].dataset]) for name in chain}
    columns: dict[str, ColumnSpec] = {}
    for name, dataset in datasets.items():
        for block in study.scales[name].features.values():
            for column in [*block.numbers, *([block.one_hot] if block.one_hot else [])]:
                known = dataset.columns[column]
                found = column if column in header else known.header
                if found in header:
                    missing = "level" if known.missing == "level" else "reject"
                    columns[column] = known.model_copy(update={"header": found, "missing": missing})
    formula = _formula(list(datasets.values()), header, source)
    return DatasetSpec(title=source.name, file=str(source), columns=columns, duplicates="keep", **formula)


def _formula(datasets: Sequence[DatasetSpec], header: set[str], source: Path) -> dict[str, str]:
    """Where the input has the formula: in a column, or in those that a data set makes it of; else nowhere."""
    stated = [dataset for dataset in datasets if dataset.formula or dataset.formula_template]
    for dataset in stated:
        for column in (dataset.formula, "formula", "Formula"):
            if column in header:
                return {"formula": column}
        if dataset.formula_template and set(template_parts(dataset.formula_template)) <= header:
            return {"formula_template": dataset.formula_template}
    if stated:
        raise InputError(
            f"has no column {stated[0].formula or 'formula'!r}; it has {sorted(header)}.",
            file=source,
            remedy="name the column of the chemical formula so.",
        )
    return {}


def _rows_of(made: Mapping[str, Featurized], row_id: pd.Series) -> dict[str, pd.DataFrame]:
    return {name: found.frame.set_index("row_id").loc[row_id].reset_index() for name, found in made.items()}


def _of_scale(
    study: Study, results: Path, name: str, features: Mapping[str, pd.DataFrame], rows: pd.DataFrame
) -> list[pd.DataFrame]:
    """Predictions of each target of a scale that its predictor gives."""
    scale = study.scales[name]
    members = scale.recommended.stack if scale.recommended else [next(iter(scale.models))]
    runs = scale.runs(RECOMMENDED) if scale.recommended else scale.runs(members[0])
    protocol = "strict" if "strict" in runs else runs[0]
    single = {
        member: _model(study, results, name, member, protocol, features)
        if member in scale.models
        else _baseline(scale, results, name, member, features[name])
        for member in members
    }
    combined = {}
    if scale.recommended:
        file = results / "predictions" / name / protocol / "recommended.json"
        try:
            combined = deployed(json.loads(file.read_text(encoding="utf-8")))
        except OSError as error:
            raise InputError(
                f"cannot be read: {error.strerror}.", file=file, remedy="run the study to its report first."
            ) from error
    units = tables.schema(results / "features" / f"{name}.parquet")
    parts = []
    # Without a stack, the first model need not have a head for every target.
    for target in [t for t in scale.targets if all(t in found for found in single.values())]:
        means, stds = (np.column_stack([single[m][target][i] for m in members]) for i in (0, 1))
        mean, std = combined[target].apply(means, stds) if combined else (means[:, 0], stds[:, 0])
        part = rows[["row", "formula", "material"]].assign(scale=name, target=target, mean=mean, std=std)
        part["low"], part["high"], part["class"] = mean - NORMAL_95 * std, mean + NORMAL_95 * std, ""
        if names := units[target].classes:
            part[["low", "high"]] = part[["low", "high"]].clip(0, 1)
            part["class"] = np.where(mean >= DECISION_THRESHOLD, names[1], names[0])
        parts.append(part.assign(unit=units[target].unit))
    return parts


Predictions = dict[str, tuple[np.ndarray, np.ndarray]]


def _model(
    study: Study,
    results: Path,
    scale: str,
    model: str,
    protocol: str,
    features: Mapping[str, pd.DataFrame],
) -> Predictions:
    """Mean and standard deviation, (n,) each, of the members that trained on every row, by target."""
    chain = study.chain(scale, model, protocol)
    weights = {name: results / "models" / f"{stem}.safetensors" for name, stem in chain.items()}
    found: ScalePrediction = predict_chain(weights, features)[scale]
    return found.targets


def _baseline(scale: Scale, results: Path, name: str, baseline: str, features: pd.DataFrame) -> Predictions:
    entry = scale.baselines[baseline]
    plain = {"kind": entry.kind, "inputs": entry.inputs, "options": entry.options}
    found = predict_baseline(results / "features" / f"{name}.parquet", plain, features)
    place = pd.Index(features["row_id"])
    ordered = {target: part.set_index("row_id").loc[place] for target, part in found.groupby("target")}
    return {
        str(target): (part["mean"].to_numpy(np.float64), part["std"].to_numpy(np.float64))
        for target, part in ordered.items()
    }
