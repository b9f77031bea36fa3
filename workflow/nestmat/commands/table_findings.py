"""What the tables of a study say before it runs: rows that it can use, and what they cannot support."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import pandas as pd
from pandas.api.types import is_numeric_dtype

from nestmat.commands.new_targets import is_skewed
from nestmat.config.study import Study
from nestmat.data.cautions import few_materials, require_variation, target_cautions
from nestmat.data.leaks import suspicious_inputs
from nestmat.data.reading import Reading
from nestmat.data.registry import resolve
from nestmat.data.sentinels import suspected_sentinels
from nestmat.data.targets import class_targets, number_targets
from nestmat.errors import InputError
from nestmat.evaluation.splits.base import ScaleRows

MOSTLY_MISSING = 0.5
"""Share of the rows read without a label from which a target is said to be mostly missing."""


def check_rows(study: Study, dataset: str, reading: Reading) -> None:
    """Check the rows of a data set against what the scales that read it need of each row.

    Args:
        study: The study.
        dataset: Name of the data set.
        reading: Its rows.

    Raises:
        InputError: A row is rejected for its fold, or a target has no logarithm or counts nothing.
    """
    _require_folds(study, dataset, reading.rejects)
    _require_signs(study, dataset, reading.frame)


def usable_rows(study: Study, readings: Mapping[str, Reading]) -> dict[str, ScaleRows]:
    """Rows with a value of every input and target, by scale, of the data sets that could be read.

    Args:
        study: The study.
        readings: Data sets that could be read, by name.

    Raises:
        InputError: No row of a scale has all of them.
    """
    tables = {}
    for name, scale in study.scales.items():
        if scale.dataset not in readings:
            continue
        reading = readings[scale.dataset]
        needed = [*input_columns(study, name), *scale.targets]
        usable = reading.frame.loc[reading.frame[needed].notna().all(axis=1)].reset_index(drop=True)
        file = resolve(study.datasets[scale.dataset]).file
        if usable.empty:
            emptiest = str(reading.frame[needed].isna().sum().idxmax())
            raise InputError(
                f"None of the {len(reading.frame)} rows has all inputs and targets of the scale {name!r}: "
                f"{reading.frame[emptiest].isna().sum()} have no {emptiest!r}.",
                file=file,
                key=f"datasets.{scale.dataset}.columns.{emptiest}.missing",
                value="keep",
                remedy="leave it out of features and targets: `missing: keep` keeps rows for scales that do "
                "not use the column.",
            )
        usable["group"] = usable["material"]
        for column in scale.group:
            usable["group"] += " | " + usable[column].astype(str)
        tables[name] = ScaleRows(usable, next(iter(scale.targets), None), file, reading.schema)
    return tables


def input_columns(study: Study, scale: str) -> list[str]:
    """Columns of its data set that the feature blocks of a scale read."""
    blocks = (block.build_all() for block in study.scales[scale].features.values())
    kinds = [kind for block in blocks for kind in block.values()]
    return list(
        dict.fromkeys(name for kind in kinds for name in (*kind.number_columns, *kind.category_columns))
    )


def check_protocols(study: Study, tables: Mapping[str, ScaleRows]) -> None:
    """Check that every protocol divides the rows, and leaves every member enough of them to train on.

    Args:
        study: The study.
        tables: Usable rows, by scale.

    Raises:
        InputError: A split cannot be made of the rows, or leaves a member too few, of all or of a class.
    """
    from nestmat.evaluation.protocols import (
        count_neighbours,
        list_protocols,
        require_members,
        split_rows,
    )
    from nestmat.plan.training import training_uses

    uses, own = training_uses(study), {name: study.scales[name].splits for name in tables}
    targets = {name: study.scales[name].targets for name in tables}
    protocols = list_protocols(study.strict, own, list(tables)) if tables else []
    neighbours = count_neighbours(protocols, {name: len(rows) for name, rows in tables.items()})
    for protocol in protocols:
        rows = [tables[name] for name in protocol.scales]
        for splits in split_rows(protocol, rows, neighbours.get(protocol.name)):
            require_members(protocol, splits, rows, targets, uses)


def describe_rows(study: Study, name: str, reading: Reading, rows: ScaleRows) -> Iterator[str]:
    """Lines about the rows of a scale: how many it can use where not all, and what to be cautious of.

    Args:
        study: The study.
        name: Name of the scale.
        reading: Its data set.
        rows: The rows that it can use.

    Raises:
        InputError: A target has one value.
    """
    scale, frame = study.scales[name], rows.frame
    if len(frame) < len(reading.frame):
        yield f"    {len(frame)} of these {len(reading.frame)} rows have all inputs and targets"
    for caution in _cautions(study, name, reading, rows):
        yield f"    caution: {caution}"
    if number_targets(study, name):
        for baseline, config in scale.baselines.items():
            if notes := config.build().notes_on_rows(len(frame)):
                yield f"    baseline {baseline}: it {', and '.join(notes)}"
    spec, inputs = resolve(study.datasets[scale.dataset]), input_columns(study, name)
    yield from _sentinels(frame, [*number_targets(study, name), *inputs])
    headers = {key: column.header or key for key, column in spec.columns.items()}
    classes = [*class_targets(study, name)]
    for column, reason, is_certain in suspicious_inputs(frame, inputs, scale.targets, classes, headers):
        remedy = "leave it out of the features" + ("" if is_certain else " if it is made of the target")
        yield f"    caution: the input {column!r} {reason}: {remedy}"


def _cautions(study: Study, name: str, reading: Reading, rows: ScaleRows) -> Iterator[str]:
    scale, frame = study.scales[name], rows.frame
    noun = "materials" if (frame["formula"] != "").any() else "rows"
    if scale.targets and (few := few_materials(frame["material"].nunique(), noun)):
        yield few
    classes = class_targets(study, name)
    learned = {target for target, _, counts in _logarithms(study, name) if not counts}
    for target in scale.targets:
        values = frame[target].to_numpy(float)
        require_variation(values, target, rows.file)
        yield from target_cautions(values, target, target in classes)
        missing = int((reading.rejects["column"] == target).sum() + reading.frame[target].isna().sum())
        if missing > MOSTLY_MISSING * reading.facts["rows_read"]:
            yield f"{missing} of {reading.facts['rows_read']} rows have no usable value of {target!r}"
        if target not in classes and target not in learned and is_skewed(values.tolist()):
            yield (
                f"{target!r} spans {values.min():.3g} to {values.max():.3g} with a heavy tail, and no head "
                "learns its logarithm: consider `transform: log`"
            )


def _sentinels(frame: pd.DataFrame, columns: Sequence[str]) -> Iterator[str]:
    """A line for each number of the columns that looks like a missing value."""
    for column in dict.fromkeys(columns):
        if not is_numeric_dtype(frame[column]):
            continue
        for value, count, first in suspected_sentinels(frame[column].to_numpy(float)):
            rows = f"{count} row{'s' if count > 1 else ''}, the first is {frame['row'].iloc[first]}"
            yield (
                f"    caution: {column!r} is {value:g} in {rows}, which looks like a missing value: if it is "
                f"one, add `sentinels: [{value:g}]` to the column"
            )


def _require_folds(study: Study, dataset: str, rejects: pd.DataFrame) -> None:
    """Check that a column that states folds does so for every row.

    Raises:
        InputError: A row is rejected for its fold.
    """
    for name, scale in study.scales.items():
        if scale.dataset != dataset:
            continue
        for protocol in scale.protocols:
            columns = scale.splits.get(protocol, study.strict).build().columns
            unstated = rejects[rejects["column"].isin(columns)]
            if len(unstated):
                column = unstated["column"].iloc[0]
                raise InputError(
                    f"The column says nothing of {len(unstated)} rows, and {protocol!r} divides the scale "
                    f"{name!r} by it.",
                    row=int(unstated["row"].min()),
                    column=column,
                    remedy="fill it in, or remove these rows.",
                )


def _require_signs(study: Study, dataset: str, frame: pd.DataFrame) -> None:
    """Check that targets are positive whose logarithm is learned, and that counts are not negative.

    Raises:
        InputError: A target has a row that is neither.
    """
    for name, scale in study.scales.items():
        if scale.dataset != dataset:
            continue
        logarithms = {target: key for target, key, counts in _logarithms(study, name) if not counts}
        counts = {target: key for target, key, counts in _logarithms(study, name) if counts}
        for targets, is_bad, message in (
            (logarithms, frame[[*logarithms]] <= 0, "is not positive, and has no logarithm"),
            (counts, frame[[*counts]] < 0, "is negative, and counts nothing"),
        ):
            for target, key in targets.items():
                if is_bad[target].any():
                    first = frame[is_bad[target]].iloc[0]
                    raise InputError(
                        f"The value of a row {message}, and {key} learns it so.",
                        row=int(first["row"]),
                        column=target,
                        value=float(first[target]),
                        remedy="correct the value, or change the key.",
                    )


def _logarithms(study: Study, name: str) -> Iterator[tuple[str, str, bool]]:
    """Targets of which a logarithm is learned, the key that says so, and whether they are counts."""
    scale = study.scales[name]
    numbers = number_targets(study, name)
    for model, entry in scale.models.items():
        for target, head in entry.specification.heads.items():
            if target in numbers and head.is_logarithmic:
                yield target, f"scales.{name}.models.{model}.specification.heads.{target}", head.fit.counts
    for baseline, config in scale.baselines.items():
        if config.transform == "log":
            yield from (
                (target, f"scales.{name}.baselines.{baseline}.transform", False) for target in numbers
            )
