"""Report of what a study would do, before it runs: columns checked, rows counted, members and jobs added."""

from __future__ import annotations

import io
import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

import pandas as pd

from nestmat.commands.table_findings import check_protocols, check_rows, describe_rows, usable_rows
from nestmat.config.data_files import DataFile
from nestmat.config.datasets import DatasetSpec
from nestmat.config.scales import Scale
from nestmat.config.splits import Split, Strict
from nestmat.config.study import Study
from nestmat.data.generated import write_generated
from nestmat.data.reading import Reading, read
from nestmat.data.registry import closest, resolve
from nestmat.data.targets import check_classes, check_weighted_fits
from nestmat.errors import InputError
from nestmat.files import check_writable
from nestmat.paths import ROOT
from nestmat.training.inner_folds import inner_members, regions_of_a_fold
from nestmat.training.members import INNER_SEEDS


def check_columns(study: Study, file: str | Path | None = None) -> None:
    """Check that every column a scale uses is declared by its data set, with a kind that fits the use.

    Args:
        study: Validated configuration.
        file: The study's file, for messages.

    Raises:
        InputError: Naming the key of the study and the column.
    """
    for name, scale in study.scales.items():
        spec = resolve(study.datasets[scale.dataset])
        for key, column, kinds in _uses(study, name):
            declared = spec.columns.get(column)
            if declared is None:
                raise InputError(
                    f"Data set {scale.dataset!r} declares no column "
                    f"{column!r}{closest(column, spec.columns)}.",
                    file=file,
                    key=key,
                    value=column,
                    remedy=f"declared are {', '.join(spec.columns)}.",
                )
            if ("number" if declared.is_numeric else declared.kind) not in kinds:
                raise InputError(
                    f"The column {column!r} has kind {declared.kind}, and {' or '.join(kinds)} is needed.",
                    file=file,
                    key=key,
                    value=column,
                    remedy=f"correct the kind under datasets.{scale.dataset}.columns, or the use.",
                )
        _check_formula(name, scale, spec, file)
    check_classes(study, file)
    check_weighted_fits(study, file)


def _uses(study: Study, name: str) -> Iterator[tuple[str, str, tuple[str, ...]]]:
    """Key of the study, column and allowed kinds of every use of a column."""
    scale, any_kind = study.scales[name], ("number", "category", "text")
    for target in scale.targets:
        yield f"scales.{name}.targets", target, ("number",)
    for block, config in scale.features.items():
        [(kind, features)] = config.build_all().items()
        for column in features.number_columns:
            yield f"scales.{name}.features.{block}.{kind}", column, ("number",)
        for column in features.category_columns:
            yield f"scales.{name}.features.{block}.{kind}", column, ("category",)
    for column in scale.group:
        yield f"scales.{name}.group", column, any_kind
    for key, split in scale.splits.items():
        for column in split.build().columns:
            yield f"scales.{name}.splits.{key}", column, ("category",)
    for column in study.strict.build().columns:
        yield "strict", column, ("category",)


def _check_formula(name: str, scale: Scale, spec: DatasetSpec, file: str | Path | None) -> None:
    if spec.formula or spec.formula_template:
        return
    for block, features in scale.features.items():
        if features.build().needs_formula:
            raise InputError(
                f"The block needs a chemical formula, and data set {scale.dataset!r} names no formula "
                "column.",
                file=file,
                key=f"scales.{name}.features.{block}",
                remedy="give `formula` or `formula_template` in the data set, or use its columns.",
            )


def raw_file(name: str, part: DataFile) -> Path | None:
    """A file of a data set if it is on this machine: the user's own, downloaded, or in the mirror.

    Raises:
        InputError: The user's own file does not exist.
    """
    if part.file:
        if not Path(part.file).is_file():
            raise InputError(
                "The file does not exist.",
                file=part.file,
                key=f"datasets.{name}.file",
                remedy=f"paths count from the folder where Snakemake runs, here {Path.cwd()}.",
            )
        return Path(part.file)
    mirror = os.environ.get("NESTMAT_MIRROR")
    candidates = [Path(part.download(name))]
    candidates += [Path(mirror) / part.mirror] if mirror and part.mirror else []
    return next((path for path in candidates if path.is_file()), None)


def members(split: Split | Strict, seeds: int, stacked: bool, levels: int | None) -> int | None:
    """Copies of a model that one protocol trains; None where a fold is a level of a column not read yet.

    One copy a fold, repeat and seed, one a seed on all rows, and for a stack one a pair of folds, or an inner
    fold where there are no pairs, and a region. Where every scale that shares the protocol has
    `ROWS_OF_ALL_PAIRS` rows there are fewer pairs, and where only classes are predicted no regions.
    """
    kind = split.build()
    folds = levels if kind.fold_column else kind.fold_count
    if folds is None:
        return None
    repeats = len(kind.all_seeds)
    if not stacked:
        return seeds * (folds * repeats + 1)
    inside = len(inner_members(folds, split.inner_folds)) + folds * regions_of_a_fold(folds)
    return seeds * (folds * repeats + 1) + min(seeds, INNER_SEEDS) * inside * repeats


def describe(study: Study, file: str | Path | None = None) -> list[str]:
    """All lines of `description_lines`."""
    return [*description_lines(study, file)]


def description_lines(study: Study, file: str | Path | None = None) -> Iterator[str]:
    """The study in lines of text: each part that it has, such as data sets with their rows.

    Lines come before the error that they explain, as rejected rows before there being too few of them.

    Args:
        study: Validated configuration.
        file: The study's file, for messages.

    Raises:
        InputError: A column is missing or of the wrong kind, or a file that is here cannot be read.
    """
    check_columns(study, file)
    description = Description(study, file)
    yield f"study {study.study}: {study.title}"
    for key in study.part_keys:
        describe_part = DESCRIPTIONS.get(key)
        yield from describe_part(description) if describe_part else _describe_added(description, key)


@dataclass
class Description:
    """What the lines about a part of a study are written from.

    Attributes:
        study: The study.
        file: Its file, for messages.
        readings: The data sets that could be read, by name.
    """

    study: Study
    file: str | Path | None
    readings: dict[str, Reading] = field(default_factory=dict)


def _describe_datasets(description: Description) -> Iterator[str]:
    study = description.study
    for name, reference in study.datasets.items():
        spec = resolve(reference)
        paths_by_url = [] if spec.generator else [(part.url, raw_file(name, part)) for part in spec.files]
        if absent := [str(url) for url, path in paths_by_url if path is None]:
            yield f"  data set {name}: {spec.title}; will be downloaded from {' and '.join(absent)}"
            continue
        with TemporaryDirectory() as folder:
            paths = [path for _, path in paths_by_url if path] or [Path(folder) / f"{name}.parquet"]
            if spec.generator:
                write_generated(spec.generator, paths[0])
            reading = read(spec, *paths, name=name, targets=study.targets_of_dataset(name))
        description.readings[name] = reading
        yield (
            f"  data set {name}: {spec.title}; {reading.facts['rows_kept']} of {reading.facts['rows_read']} "
            f"rows usable, {reading.frame['material'].nunique()} materials, "
            f"from {'generator ' + spec.generator.kind if spec.generator else ' and '.join(map(str, paths))}"
        )
        yield from (f"    warning: {warning}" for warning in reading.facts.get("warnings", ()))
        for (column, reason), rows in reading.rejects.groupby(["column", "reason"], sort=False):
            yield f"    rejected: {column} {reason} ({len(rows)} rows, the first is {rows['row'].min()})"
        check_rows(study, name, reading)


def _describe_scales(description: Description) -> Iterator[str]:
    tables = usable_rows(description.study, description.readings)
    check_protocols(description.study, tables)
    for name, scale in description.study.scales.items():
        parents = f" from {', '.join(scale.parents)}" if scale.parents else ""
        yield f"  scale {name}{parents}: {', '.join(scale.targets) or 'no target'}"
        if name in tables:
            yield from describe_rows(
                description.study, name, description.readings[scale.dataset], tables[name]
            )
        yield from _models(description.study, name, tables[name].frame if name in tables else None)
        if scale.baselines:
            yield f"    baselines: {', '.join(scale.baselines)}"


def _describe_generators(description: Description) -> Iterator[str]:
    """Each generative model, whose settings are checked."""
    from nestmat.design.spaces import design_space

    for name, generator in description.study.generative.items():
        with _at(description.file, f"generative.{name}"):
            generator.build().check_space(design_space(generator.space))
        networks = f", {generator.seeds} networks" if not generator.registered.is_reference else ""
        yield f"  generative model {name}: {generator.kind}{networks}"


def _describe_problems(description: Description) -> Iterator[str]:
    """Each design problem, whose spaces, methods and settings are checked."""
    from nestmat.design.methods import build_method
    from nestmat.design.spaces import design_space, named_materials

    study, file = description.study, description.file
    for name, problem in study.search.items():
        with _at(file, f"search.{name}.space"):
            space = design_space(problem.space)
            count = space.n_materials
        if problem.interpolate:
            with _at(file, f"search.{name}.interpolate"):
                named_materials(problem.interpolate.between, space)
        for key, entry in problem.methods.items():
            with _at(file, f"search.{name}.methods.{key}"):
                build_method(entry)
                budget = entry.budget or problem.budget
                if entry.registered.enumerates_space and (count is None or count > budget):
                    raise InputError(
                        f"The method cannot rank the {'endless' if count is None else count} materials of "
                        "the space.",
                        key="budget",
                        value=budget,
                        remedy="raise its budget, or choose coarser grids.",
                    )
        size = "endless" if count is None else f"{count:,}"
        yield f"  problem {name}: {size} materials; methods: {', '.join(problem.methods) or 'none'}"


def _describe_calculations(description: Description) -> Iterator[str]:
    if dft := description.study.dft:
        yield f"  calculations with GPAW, for the target dft: {', '.join(dft.sets)}"


def _describe_added(description: Description, key: str) -> list[str]:
    return [f"  {key}: {line}" for line in description.study.added_parts[key].describe()]


DESCRIPTIONS: Mapping[str, Callable[[Description], Iterable[str]]] = {
    "datasets": _describe_datasets,
    "scales": _describe_scales,
    "generative": _describe_generators,
    "search": _describe_problems,
    "dft": _describe_calculations,
}
"""Functions that write the lines about the parts of the library, by key of a study."""


@contextmanager
def _at(file: str | Path | None, place: str) -> Iterator[None]:
    """Add to an error the file and the key that it belongs to."""
    try:
        yield
    except InputError as error:
        inner_key = error.key or error.column
        key = f"{place}.{inner_key}" if inner_key else place
        raise InputError(error.message, file=file, key=key, value=error.value, remedy=error.remedy) from error


def _models(study: Study, key: str, frame: pd.DataFrame | None) -> Iterator[str]:
    scale = study.scales[key]
    for name, model in scale.models.items():
        counts = []
        for protocol in scale.runs(name):
            split = scale.splits.get(protocol, study.strict)
            column = split.build().fold_column
            levels = frame[column].nunique() if column and frame is not None else None
            seeds = model.specification.training.seeds
            count = members(split, seeds, study.serves_stack(key, name, protocol), levels)
            counts.append(f"{count if count else 'unknown'} in {protocol}")
        yield f"    model {name}: {model.specification.training.epochs} epochs, members: {', '.join(counts)}"


def count_jobs(file: str | Path) -> int | str:
    """Jobs that Snakemake would run now for a study, by a dry run; a dry run writes, or else why it cannot.

    Raises:
        InputError: Snakemake cannot plan the study; with its own message.
    """
    try:
        for folder in (Path.cwd(), Path(".snakemake")):
            check_writable(folder)
    except InputError as error:
        return f"not counted. {error.file}: {error.message}"
    # Imported here: a study that is checked without its plan does not wait for Snakemake.
    from snakemake.cli import main

    arguments = ["--dry-run", "--cores", "1", "--nolock", "--quiet", "rules"]
    arguments += ["--snakefile", str(ROOT / "Snakefile"), "--configfile", str(file)]
    output = io.StringIO()
    # Within this process, which has imported most of what the rules import.
    with redirect_stdout(output), redirect_stderr(output):
        try:
            main(arguments)
        except SystemExit as ended:
            failed = bool(ended.code)
    if failed:
        raise InputError(f"Snakemake cannot plan the study:\n{output.getvalue().strip()}", file=file)
    total = re.search(r"^total\s+(\d+)", output.getvalue(), re.MULTILINE)
    return int(total.group(1)) if total else 0
