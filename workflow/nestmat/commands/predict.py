"""Predict new materials with the trained chain of a study."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from nestmat import tables
from nestmat.config.data_files import DataFile
from nestmat.config.datasets import ColumnSpec, DatasetSpec
from nestmat.config.study import Study
from nestmat.data.cells import template_parts
from nestmat.data.raw_tables import read_header
from nestmat.data.reading import read
from nestmat.data.registry import resolve
from nestmat.data.sniffing import guess_file
from nestmat.domains.domain import Domain
from nestmat.domains.verdicts import OUTSIDE, VERDICTS, worst_of_chain
from nestmat.errors import InputError
from nestmat.evaluation.classification import DECISION_THRESHOLD
from nestmat.evaluation.recommended import MeansAndStds, RecommendedPredictor
from nestmat.exports import check_replaces_none, write_table
from nestmat.features.chain import featurize_chain
from nestmat.features.table import Featurized
from nestmat.models.keys import predicted_quantities
from nestmat.scales.predictions import NORMAL_95, statistic_column

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
    "domain": tables.Column(
        "string",
        description=(
            "inside, edge or outside of what the scale, and those that it reads, were trained on: the worst"
        ),
    ),
    "reason": tables.Column("string", description="why it is not inside; empty where it is"),
}


@dataclass(frozen=True)
class Prediction:
    """What is predicted of the rows of a table.

    Attributes:
        long: A row a material and quantity, `PREDICTED`.
        columns: Unit and classes of each target, by scale and target.
        scale: The coarsest scale that is predicted.
        rejects: Rows without prediction, `nestmat.tables.REJECTS`.
        remarks: How the table was read, a sentence each.
        facts: Origin of the table.
    """

    long: pd.DataFrame
    columns: Mapping[tuple[str, str], tables.Column]
    scale: str
    rejects: pd.DataFrame
    remarks: Sequence[str]
    facts: Mapping[str, Any]

    @property
    def rows(self) -> int:
        """Number of rows predicted."""
        return self.long["row"].nunique()

    def count_outside(self) -> dict[str, tuple[int, int]]:
        """Rows outside of the domain and all rows, by scale."""
        frame = self.long.drop_duplicates(["row", "scale"])
        outside = frame["domain"] == VERDICTS[OUTSIDE]
        by_scale = outside.groupby(frame["scale"], sort=False).agg(["sum", "size"])
        return {str(scale): (int(row["sum"]), int(row["size"])) for scale, row in by_scale.iterrows()}

    def count_classes(self) -> dict[str, dict[str, int]]:
        """Rows predicted as each class, by target that is a class."""
        sizes = self.long[self.long["class"] != ""].groupby(["target", "class"]).size()
        counts: dict[str, dict[str, int]] = {}
        for row in sizes.reset_index(name="rows").to_dict("records"):
            counts.setdefault(row["target"], {})[row["class"]] = row["rows"]
        return counts

    def wide(self) -> tuple[pd.DataFrame, tables.Schema]:
        """A row a material, with its schema: formula, what is predicted, and how it stands to the domain.

        A number has its mean, standard deviation and 95 % interval, a target with classes the class that is
        named, and the probability of each class, of two that of the second. The domain is that of the last
        scale, the worst along the chain.
        """
        of_scale = self.long[self.long["scale"] == self.scale].drop_duplicates("row").set_index("row")
        wide, schema = of_scale[["formula"]], dict[str, tables.Column]()
        scales = self.long.groupby("target")["scale"].nunique()
        for key, part in self.long.groupby(["scale", "target"], sort=False):
            scale, quantity = map(str, key)
            name = quantity if scales[quantity] == 1 else f"{scale}.{quantity}"
            of_target = self.columns.get((scale, quantity), tables.Column("float64"))
            columns = _wide_columns(name, of_target)
            part = part.set_index("row")[[long for long, _ in columns.values()]].set_axis([*columns], axis=1)
            wide = wide.join(part.loc[:, ~part.columns.isin(wide.columns)])
            schema = {column: kind for column, (_, kind) in columns.items()} | schema
        schema = {name: {**PREDICTED, **schema}[name] for name in ("row", *wide.columns)}
        for name in ("domain", "reason"):
            column = name
            while column in schema:
                column += "_"
            wide, schema[column] = wide.assign(**{column: of_scale[name]}), PREDICTED[name]
        return wide.reset_index(), schema


def _wide_columns(quantity: str, of_target: tables.Column) -> dict[str, tuple[str, tables.Column]]:
    """Columns of a quantity in the wide table: the column of the long one, and what it is."""
    classes, number = of_target.classes, quantity
    named = {quantity: ("class", tables.Column("string", description="class that is named"))}
    if len(classes) > 2:
        # The probability of each class is a quantity of its own.
        return named
    if classes:
        number = f"{quantity}: {classes[1]}"
    columns = {number: ("mean", tables.Column("float64", of_target.unit))}
    for name in ("std", "low", "high"):
        columns[statistic_column(number, name)] = name, tables.Column("float64", of_target.unit)
    return {**named, **columns} if classes else columns


def predict(study: Study, results: Path, source: Path, scale: str | None = None) -> Prediction:
    """Predict the targets of a scale and of its ancestors for the rows of a table.

    The predictor is the recommended one, with the members that trained on every row, or the first model of a
    scale that recommends none. Feature columns that the file lacks are derived where they follow exactly from
    the formula and the categories. Every prediction states how its row stands to the domain of the training
    data, see `nestmat.domains.domain.Domain`.

    Args:
        study: The study, which has been run.
        results: Folder of its results.
        source: CSV file, or Parquet file by its suffix ``.parquet``, with the inputs of the scale.
        scale: Scale to predict; by default the last of the study.

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
    guess = guess_file(source)
    spec = _input_spec(study, chain, source, guess.keys)
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
    domains = _verdicts(study, results, chain, features)
    predictor = RecommendedPredictor(study, results, scale)
    predicted = _predicted_rows(study, predictor, features, rows, domains)
    if predicted.empty:
        raise InputError(
            f"Scale {scale!r} and its finer scales have no target to predict.", key=f"scales.{scale}"
        )
    columns = {
        (name, target): tables.schema(results / "features" / f"{name}.parquet")[target]
        for name in predicted["scale"].unique()
        for target in study.scales[name].targets
    }
    return Prediction(
        long=predicted.sort_values(["row", "scale"], kind="stable"),
        columns=columns,
        scale=predicted["scale"].iloc[-1],
        rejects=rejected,
        remarks=[*guess.remarks, *reading.facts.get("warnings", ())],
        facts={"study": study.study, "input": str(source), "rows_read": len(rows) + len(rejected)},
    )


def write_prediction(prediction: Prediction, output: Path, long: bool = False) -> None:
    """Write what is predicted, and beside it the rows without prediction.

    Args:
        prediction: What `predict` has made.
        output: File to write, in one of the formats of `nestmat.exports`.
        long: Whether it has a row a material and quantity, `PREDICTED`, in place of a row a material.

    Raises:
        InputError: A file cannot be written.
    """
    frame, schema = (prediction.long, PREDICTED) if long else prediction.wide()
    write_table(output, frame, schema, prediction.facts)
    tables.write(rejects_file(output), prediction.rejects, tables.REJECTS, prediction.facts)


def prediction_lines(prediction: Prediction, output: Path) -> Iterator[str]:
    """What is printed of a prediction: how the table was read, and how many rows are predicted and where."""
    yield from (f"Note: {remark}" for remark in prediction.remarks)
    yield f"{output}: {prediction.rows} rows predicted"
    for target, counts in prediction.count_classes().items():
        yield f"{target}: {', '.join(f'{count} {name}' for name, count in counts.items())}"
    if rejected := len(prediction.rejects):
        yield f"{rejects_file(output)}: {rejected} rows rejected, with the reason"
    outside = [f"{count} of {rows} at {scale}" for scale, (count, rows) in prediction.count_outside().items()]
    yield f"Rows outside the domain of the training data: {', '.join(outside)}"


def rejects_file(output: Path) -> Path:
    """File of the rows without prediction, beside an output."""
    return output.with_suffix(".rejects.parquet")


def check_rejects_file(output: Path, read: Mapping[str, str | Path], overwrite: bool) -> None:
    """Check that the rows without prediction may be written: that nothing is there but those of earlier.

    Args:
        output: The output that they are written beside.
        read: Files that must not be lost, by what each is.
        overwrite: Whether any other file may be replaced.

    Raises:
        InputError: The file is one of them, or holds something else.
    """
    file = rejects_file(output)
    check_replaces_none(file, read)
    if not overwrite and file.exists() and set(tables.schema(file)) != set(tables.REJECTS):
        raise InputError(
            "The file of rejected rows would replace another table.",
            file=file,
            remedy="name another output, or give --overwrite to replace it.",
        )


def _input_spec(study: Study, chain: list[str], source: Path, written: Mapping[str, Any]) -> DatasetSpec:
    """Specification of the input, written as guessed: its formula, and those feature columns that it has."""
    header = set(read_header(source, DataFile(file=str(source), **written)))
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
    spellings = sorted({spelling for dataset in datasets.values() for spelling in dataset.missing_values})
    return DatasetSpec(
        title=source.name,
        file=str(source),
        columns=columns,
        duplicates="keep",
        missing_values=spellings,
        **written,
        **formula,
    )


def _formula(datasets: Sequence[DatasetSpec], header: set[str], source: Path) -> dict[str, Any]:
    """Keys of the column with the formula, or of those that a data set makes it of; none without formulas."""
    with_formula = [dataset for dataset in datasets if dataset.formula or dataset.formula_template]
    for dataset in with_formula:
        for column in (dataset.formula, "formula", "Formula"):
            if column in header:
                return {"formula": column, "fractions": dataset.fractions}
        if dataset.formula_template and set(template_parts(dataset.formula_template)) <= header:
            return {"formula_template": dataset.formula_template, "fractions": dataset.fractions}
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


def _verdicts(
    study: Study, results: Path, chain: Sequence[str], features: Mapping[str, pd.DataFrame]
) -> dict[str, dict[str, list[str]]]:
    """Columns ``domain`` and ``reason`` of the rows, by scale of the chain."""
    verdicts = {
        name: Domain.read(results / "domains" / name / "strict.parquet").of_features(features[name])
        for name in chain
    }
    return {
        name: worst_of_chain(name, {part: verdicts[part] for part in study.lineage(name)}).columns()
        for name in chain
        if study.scales[name].targets
    }


def _predicted_rows(
    study: Study,
    predictor: RecommendedPredictor,
    features: Mapping[str, pd.DataFrame],
    rows: pd.DataFrame,
    domains: Mapping[str, Mapping[str, list[str]]],
) -> pd.DataFrame:
    """Rows of `PREDICTED` of every target that is predicted; none where the scales have no target."""
    parts = [pd.DataFrame(columns=list(PREDICTED))]
    for name, predictions in predictor.predict(features).items():
        schema = tables.schema(predictor.results / "features" / f"{name}.parquet")
        for target in study.scales[name].targets:
            quantities = predicted_quantities(target, schema[target].classes)
            if combined := {key: predictions[key] for key in quantities if key in predictions}:
                keys = rows[["row", "formula", "material"]].assign(
                    scale=name, unit=schema[target].unit, **domains[name]
                )
                parts += _rows_of_target(keys, target, schema[target].classes, combined)
    return pd.concat(parts[1:] or parts, ignore_index=True)


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
