"""The one error type that a user is meant to read."""

from __future__ import annotations

from pathlib import Path


class InputError(ValueError):
    """Bad input, with everything needed to mend it: where it is, what it is, what to do.

    Args:
        message: What is wrong, in one sentence.
        file: The file that holds the fault.
        row: Row of the table, counted from 1; of a CSV file the line, as an editor counts.
        column: Name of the column or dotted key of the configuration.
        value: The offending value.
        remedy: What the user can do about it.
    """

    def __init__(
        self,
        message: str,
        *,
        file: str | Path | None = None,
        row: int | None = None,
        column: str | None = None,
        value: object = None,
        remedy: str | None = None,
    ):
        self.message, self.file, self.row = message, file, row
        self.column, self.value, self.remedy = column, value, remedy
        place = [str(file)] if file is not None else []
        place += [f"row {row}"] if row is not None else []
        place += [f"column {column!r}"] if column is not None else []
        place += [f"value {value!r}"] if value is not None else []
        text = f"{', '.join(place)}: {message}" if place else message
        super().__init__(f"{text} Remedy: {remedy}" if remedy else text)
