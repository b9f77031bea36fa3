"""A first study for a user's own table: the header is read, every choice is written out and explained."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import yaml

from nestmat.config.loading import study_from
from nestmat.data.cells import text_rows
from nestmat.data.registry import closest
from nestmat.errors import InputError
from nestmat.files import write_text
from nestmat.materials.formulas import parse

# Names that nestmat's tables use, and those of the blocks written here.
_RESERVED = {"row_id", "row", "formula", "material", "flag"}
_BLOCKS = {"descriptors", "composition", "perovskite", "A", "B", "X"}
_PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_.]*")
_YAML_WORDS = {"null", "true", "false", "yes", "no", "on", "off", "y", "n"}
# More levels than this are labels of rows rather than classes of them.
_LEVELS = 30
_FEW_ROWS = 50


@dataclass(frozen=True)
class _Header:
    """A column of the user's file: what its cells look like.

    Attributes:
        name: Header.
        key: Name in the study, where the header's cannot be used.
        kind: number, category or text.
        empty: Cells without a value.
        informative: Whether the cells differ, and do not just count the rows.
    """

    name: str
    key: str
    kind: str
    empty: int
    informative: bool


def write_study(
    output: Path,
    *,
    name: str,
    data: Path,
    targets: Sequence[str],
    formula: str | None = None,
    features: Sequence[str] | None = None,
) -> None:
    """Write a commented study of one scale for a table.

    Args:
        output: YAML file to write.
        name: Name of the study.
        data: CSV file with a header line, or Parquet file by its suffix ``.parquet``.
        targets: Columns to predict, each with its unit after a colon if it has one: ``gap:eV``.
        formula: Column of the chemical formula, if there is one.
        features: Columns to learn from; by default every number and category that is no target.

    Raises:
        InputError: The output exists, the file has no such column or no numbers in it, or there is nothing to
            learn from.
    """
    if output.exists():
        raise InputError("exists already.", file=output, remedy="choose another name, or delete it first.")
    headers, cells = _inspect(data)
    units = dict(_target(text, headers, data) for text in targets)
    for target in units:
        _need(target, headers, data)
        if headers[target].kind != "number":
            raise InputError(
                "is to be predicted and holds cells that are not numbers.",
                file=data,
                column=target,
                value=_first_text(cells[target]),
                remedy="correct the cell, or choose another target.",
            )
    if formula is not None:
        _need(formula, headers, data)
    chosen = _features(headers, features, [*units, formula], data)
    if not chosen and formula is None:
        raise InputError(
            "leaves no column to learn from.", file=data, remedy="give --formula, --features, or both."
        )
    rows = len(next(iter(cells.values())))
    sites = None if formula is None else _perovskite_sites(cells[formula])
    text = _study(name, data, headers, chosen, units, formula, rows, sites)
    study_from(yaml.safe_load(text), file=output)
    write_text(output, text)


def _inspect(data: Path) -> tuple[dict[str, _Header], dict[str, list[str]]]:
    names, *rows = [*text_rows(data)] or [[]]
    if not rows:
        raise InputError("has no data.", file=data, remedy="give a header line and at least one row.")
    headers, cells = {}, {}
    for place, column in enumerate(names):
        if not column:
            continue
        if names.count(column) > 1:
            raise InputError("occurs twice in the header.", file=data, column=column, remedy="rename one.")
        cells[column] = [row[place] if place < len(row) else "" for row in rows]
        headers[column] = _header(column, cells[column])
    return headers, cells


def _is_number(cell: str) -> bool:
    try:
        return math.isfinite(float(cell))
    except ValueError:
        return False


def _header(name: str, cells: Sequence[str]) -> _Header:
    filled = [cell for cell in cells if cell.casefold() not in ("", "na", "n/a", "nan", "null", "none")]
    levels = len(set(filled))
    if filled and all(_is_number(cell) for cell in filled):
        kind = "number"
    elif 1 < levels <= min(_LEVELS, len(cells) // 2):
        kind = "category"
    else:
        kind = "text"
    key = f"{name}_" if name in _RESERVED | _BLOCKS else name
    return _Header(name, key, kind, len(cells) - len(filled), levels > 1 and not _counts(cells))


def _counts(cells: Sequence[str]) -> bool:
    """Whether the cells number the rows: a model would learn the order of the file from them."""
    return cells[0].isdigit() and list(cells) == [str(int(cells[0]) + i) for i in range(len(cells))]


def _first_text(cells: Sequence[str]) -> str | None:
    return next((cell for cell in cells if cell and not _is_number(cell)), None)


def _target(text: str, headers: dict[str, _Header], data: Path) -> tuple[str, str]:
    """A target and its unit; the whole text where a column has a colon in its name."""
    if text in headers:
        return text, ""
    column, _, unit = text.rpartition(":")
    return (column, unit) if column in headers else (text, "")


def _need(column: str, headers: dict[str, _Header], data: Path) -> None:
    if column not in headers:
        raise InputError(
            f"has no such column{closest(column, headers)}.",
            file=data,
            column=column,
            remedy=f"the file has {', '.join(headers)}.",
        )


def _features(
    headers: dict[str, _Header], wanted: Sequence[str] | None, taken: Sequence[str | None], data: Path
) -> list[_Header]:
    if wanted is None:
        return [h for h in headers.values() if h.kind != "text" and h.informative and h.name not in taken]
    for column in wanted:
        _need(column, headers, data)
        if column in taken:
            raise InputError(
                "cannot be a feature: it is the formula or a target.",
                file=data,
                column=column,
                remedy="leave it out of --features.",
            )
        if headers[column].kind == "text":
            raise InputError(
                "is neither a column of numbers nor one of a few categories.",
                file=data,
                column=column,
                remedy="leave it out of --features, or make it one of the two.",
            )
    return [headers[column] for column in wanted]


def _perovskite_sites(formulas: Sequence[str]) -> list[str] | None:
    """Sites with two species or more, where every formula that parses is an ABX3 perovskite; else None."""
    species: dict[str, set[str]] = {"A": set(), "B": set(), "X": set()}
    for text in dict.fromkeys(formulas):
        try:
            formula = parse(text)
        except InputError:
            # Reading the data set rejects the row with this reason.
            continue
        try:
            sites = formula.sites()
        except InputError:
            return None
        for site, fractions in sites.items():
            species[site] |= set(fractions)
    return [site for site, found in species.items() if len(found) > 1] if all(species.values()) else None


def _text(value: str) -> str:
    """A string as YAML writes it: plain where that is safe."""
    plain = _PLAIN.fullmatch(value) and value.casefold() not in _YAML_WORDS
    return value if plain else json.dumps(value, ensure_ascii=False)


def _list(values: Sequence[str]) -> str:
    return f"[{', '.join(_text(value) for value in values)}]"


def _column(header: _Header, unit: str | None) -> str:
    parts = [f"kind: {header.kind}"] if header.kind != "number" else []
    parts += [f"unit: {_text(unit)}"] if unit else []
    parts += ["label: true"] if unit is not None else []
    parts += [f"header: {_text(header.name)}"] if header.key != header.name else []
    note = f"  # empty in {header.empty} rows, which will be rejected" if header.empty else ""
    return f"      {_text(header.key)}: {{{', '.join(parts)}}}{note}"


def _study(
    name: str,
    data: Path,
    headers: dict[str, _Header],
    features: Sequence[_Header],
    units: dict[str, str],
    formula: str | None,
    rows: int,
    sites: list[str] | None,
) -> str:
    numbers = [h.key for h in features if h.kind == "number"]
    categories = [h.key for h in features if h.kind == "category"]
    targets = [headers[target].key for target in units]
    blocks: dict[str, str] = {}
    if numbers:
        blocks["descriptors"] = f"{{columns: {_list(numbers)}}}"
    if formula is not None:
        blocks["composition"] = "{composition: magpie}  # statistics of elemental properties"
    if sites is not None:
        blocks["perovskite"] = "{perovskite: true}  # tolerance factor, octahedral factor, tau"
        blocks |= {site: f"{{site: {site}}}" for site in sites}
    for category in categories:
        block = "is_" + re.sub(r"[^A-Za-z0-9_]", "_", category)
        while block in blocks:
            block += "_"
        blocks[block] = f"{{one_hot: {_text(category)}}}  # one column a level"
    inputs = _list(list(blocks))
    folds = 5 if rows >= _FEW_ROWS else 3
    lines = [
        f"# A study of {data.name}: one scale. docs/configuration.md explains every key.",
        f"# Check:  nestmat validate {name}.yaml",
        f"# Run:    snakemake --cores all --configfile {name}.yaml",
        f"study: {name}",
        f"title: {_text(f'What {data.name} says about ' + ', '.join(units))}",
        "question: >-",
        f"  How well can {', '.join(units)} be predicted for a material that is not in {data.name}?",
        "",
        "datasets:",
        "  materials:",
        f"    title: {_text(data.name)}",
        f"    file: {_text(str(data))}  # relative to the folder where Snakemake runs",
        *([f"    formula: {_text(formula)}"] if formula is not None else []),
        "    # Rows of the same inputs with different labels: keep, flag, or reject_conflicting.",
        "    duplicates: flag",
        "    # Only these columns are read. `unit` is shown on axes, `sentinels: [-999]` names numbers that",
        "    # stand for a missing value, `missing: keep` keeps a row without a value.",
        "    columns:",
        *(_column(headers[target], unit) for target, unit in units.items()),
        *(_column(header, None) for header in features),
        "",
        "# Materials are divided into folds: none is in training and validation at once.",
        f"strict: {{folds: {folds}, seed: 0}}",
        "",
        "scales:",
        "  materials:",
        "    dataset: materials",
        f"    targets: {_list(targets)}",
        "    # Blocks of inputs; models and baselines name the blocks they read.",
        "    features:",
        *(f"      {block}: {content}" for block, content in blocks.items()),
        "    models:",
        "      nestmat:",
        "        title: nestmat head",
        "        specification:",
        f"          inputs: {inputs}",
        "          encoder: {latents: 8, hidden: [64, 64], activation: silu, latent_activation: tanh}",
        "          # A head a target, and one that gives back each block from the latents.",
        "          heads:",
        *(
            f"            {_text(target)}: {{hidden: [64], activation: silu, loss: huber, weight: 1}}"
            for target in targets
        ),
        *(f"            {block}: {_head(content)}" for block, content in blocks.items()),
        "          training:",
        "            {epochs: 500, learning_rate: 0.01, weight_decay: 0.01, schedule: cosine, seeds: 4}",
        "    baselines:",
        f"      ridge: {{title: Ridge, kind: ridge, inputs: &blocks {inputs}}}",
        "      xgboost: {title: XGBoost, kind: xgboost, inputs: *blocks}",
        "      extra_trees: {title: ExtraTrees, kind: extra_trees, inputs: *blocks}",
        "      gaussian_process: {title: Gaussian process, kind: gaussian_process, inputs: *blocks}",
        "    # What `nestmat predict` uses: a weighted sum, its weights learned inside the training folds.",
        "    recommended: {stack: [nestmat, xgboost, extra_trees, gaussian_process], inner_folds: 4}",
    ]
    return "\n".join(lines) + "\n"


def _head(content: str) -> str:
    classes = "one_hot" in content or "{site:" in content
    return f"{{loss: {'cross_entropy' if classes else 'mse'}, weight: 0.1}}"
