"""Cells of a column of formulas: which hold none, which are read, and why the others are not."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from nestmat.errors import InputError
from nestmat.materials.capitals import are_capitals, refuse_capitals
from nestmat.materials.formula_text import strip_invisible
from nestmat.materials.formulas import fill_template, parse
from nestmat.materials.percentages import Fractions, with_unit

# NaN is sodium nitride, NO nitric oxide, No nobelium, In indium.
_NO_FORMULA = frozenset(
    (
        "",
        "nan",
        "NAN",
        "null",
        "Null",
        "NULL",
        "none",
        "None",
        "NONE",
        "na",
        "NA",
        "n/a",
        "N/A",
        "#N/A",
        "#NA",
    )
) | frozenset(("<NA>", "-", "--", "–", "—", "?"))
_MISSING = "is missing"


@dataclass
class FormulaColumn:
    """Formulas of the rows of a data set.

    Attributes:
        written: As the source writes them, with the unit of percentages; empty where there is none.
        keys: Canonical key of each material; empty where there is none.
        faults: Index of the row, column, value and reason, of each row that has none.
        warnings: What is odd about the column, in whole sentences.
    """

    written: list[str]
    keys: list[str]
    faults: list[tuple[int, str, str, str]] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)


def read_formulas(
    cells: Mapping[str, Sequence[str]],
    name: str,
    template: str | None = None,
    fractions: Fractions | None = None,
    elements: Collection[str] | None = None,
    missing: Collection[str] = (),
    skipped: Collection[int] = (),
) -> FormulaColumn:
    """Formulas of a table.

    Args:
        cells: Cells of the column of formulas, or of those that the template names, by column.
        name: Column of the formulas.
        template: Formula made of other columns, see `nestmat.materials.formulas.fill_template`.
        fractions: What the numbers of formulas are fractions of; of None they are amounts of atoms.
        elements: Elements that a material may hold; all by default.
        missing: Further spellings of a missing formula.
        skipped: Indices of rows that are faulty already.
    """
    total = len(next(iter(cells.values())))
    texts, column = [""] * total, FormulaColumn([""] * total, [""] * total)
    no_formula = _NO_FORMULA | set(missing) | ({"NaN"} if template else set())
    for index in range(total):
        mapping = {
            part: strip_invisible(cells_of_part[index]).strip() for part, cells_of_part in cells.items()
        }
        empty = [part for part, cell in mapping.items() if cell in no_formula]
        if empty and index not in skipped:
            column.faults.append((index, empty[0], mapping[empty[0]], _MISSING))
        elif not empty:
            texts[index] = fill_template(template, mapping) if template else mapping[name]
    distinct = dict.fromkeys(text for text in texts if text)
    in_capitals = are_capitals(distinct)
    read = {text: _read(text, fractions, elements, in_capitals) for text in distinct}
    for index, text in enumerate(texts):
        if text:
            reading = read[text]
            column.written[index], column.keys[index] = reading.written, reading.key
            if reading.reason:
                column.faults.append((index, name, text, reading.reason))
    hydrates = [reading.written for reading in read.values() if reading.has_stop_between_parts]
    column.warnings = [*_warnings(name, hydrates, in_capitals)]
    return column


class _Reading(NamedTuple):
    """What a formula is read as: with its unit, its canonical key, and why its row is rejected, if it is."""

    written: str
    key: str
    reason: str | None
    has_stop_between_parts: bool = False


def _read(
    text: str, fractions: Fractions | None, elements: Collection[str] | None, in_capitals: bool
) -> _Reading:
    """A formula of a column."""
    written = with_unit(text, fractions)
    try:
        if in_capitals:
            refuse_capitals(text)
        formula = parse(written)
    except InputError as error:
        return _Reading(written, "", error.rejection)
    is_foreign = elements is not None and {e.symbol for e in formula.composition} - set(elements)
    reason = "holds another element than those of the data set" if is_foreign else None
    return _Reading(written, formula.key, reason, formula.has_stop_between_parts)


def _warnings(name: str, hydrates: Sequence[str], in_capitals: bool) -> Iterator[str]:
    """What is odd about the formulas of a column.

    Args:
        name: The column.
        hydrates: Its formulas with a full stop that is read as a dot.
        in_capitals: Whether it is written in capitals.
    """
    if in_capitals:
        yield (
            f"The formulas of the column {name!r} are written in capitals. Those that have another reading "
            "in mixed case are rejected: write SiO2, not SIO2."
        )
    if hydrates:
        yield (
            f"A full stop of the column {name!r} is read as the dot of a hydrate; of such formulas there are "
            f"{len(hydrates)}, the first is {hydrates[0]!r}."
        )
