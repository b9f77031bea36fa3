"""The one error type that a user is meant to read."""

from __future__ import annotations

from pathlib import Path


class InputError(ValueError):
    """Faulty input, with everything needed to correct it: the place, the value, and what to do.

    The text is the place, then the message, then the remedy, as a compiler prints them.

    Args:
        message: What is wrong, as a whole sentence with a subject.
        file: The file that holds the fault.
        row: Row of the table, counted from 1; of a CSV file the line, as an editor counts.
        column: Name of the column.
        key: Dotted key of the configuration: ``scales.gap.split``.
        value: The faulty value; printed unless the message already quotes it.
        remedy: What the user can do about it.
        reason: What a table of rejected rows states of the cell at fault, which it names in other columns:
            ``is not finite.``; the message by default.

    Example:
        >>> print(InputError("The gap is no number.", file="a.csv", row=3, column="gap", value="wide"))
        a.csv, row 3, column 'gap', value 'wide': The gap is no number.
        >>> print(InputError("There is no scale 'gap'.", key="scale", value="gap", remedy="correct it."))
        key 'scale': There is no scale 'gap'. Remedy: correct it.
    """

    def __init__(
        self,
        message: str,
        *,
        file: str | Path | None = None,
        row: int | None = None,
        column: str | None = None,
        key: str | None = None,
        value: object = None,
        remedy: str | None = None,
        reason: str | None = None,
    ):
        self.message, self.file, self.row = message, file, row
        self.column, self.key, self.value, self.remedy = column, key, value, remedy
        self.reason = reason or message
        place = [str(file)] if file is not None else []
        place += [f"row {row}"] if row is not None else []
        place += [f"column {column!r}"] if column is not None else []
        place += [f"key {key!r}"] if key is not None else []
        quoted = isinstance(value, str) and repr(value) in message
        place += [f"value {value!r}"] if value is not None and not quoted else []
        text = f"{', '.join(place)}: {message}" if place else message
        super().__init__(f"{text} Remedy: {remedy}" if remedy else text)

    @property
    def rejection(self) -> str:
        """What a table of rejected rows states: the reason and the remedy."""
        return " ".join(filter(None, (self.reason, self.remedy)))
