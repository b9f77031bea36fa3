"""The rows of a table that are to get features, and what is wrong with them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from nestmat import tables
from nestmat.errors import InputError
from nestmat.features.block import Fault, format_cell
from nestmat.materials.formulas import Formula, parse_many


@dataclass
class Rows:
    """Rows to featurize, and the first fault of each row that has one.

    Attributes:
        table: The rows.
        schema: Units and descriptions of their columns.
        source: File of the table, for messages.
        threads: Processes that share the work of matminer.
        cache: Folder of results of matminer; none by default.
        faults: First fault by position of the row.
    """

    table: pd.DataFrame
    schema: tables.Schema
    source: str | Path | None = None
    threads: int = 1
    cache: str | Path | None = None
    faults: dict[int, Fault] = field(default_factory=dict)

    def require(self, columns: Sequence[str], user: str) -> None:
        """Check that the table has some columns.

        Args:
            columns: Names of the columns.
            user: What needs them, for the message: ``A one_hot block``.

        Raises:
            InputError: One of the columns is missing.
        """
        if missing := [name for name in columns if name not in self.table.columns]:
            keys = ("row_id", "row", "material", "flag")
            declared = [name for name in self.table.columns if name not in keys]
            raise InputError(
                f"{user} needs the columns {missing}, which the table lacks; it has {declared}.",
                file=self.source,
                column=missing[0],
                remedy="correct the name, or declare the column in the data set.",
            )

    def add_fault(self, position: int, fault: Fault) -> None:
        """Note why a row has no features, unless an earlier reason is noted."""
        self.faults.setdefault(position, fault)

    @cached_property
    def formulas(self) -> list[Formula | None]:
        """Parsed formula of each row; None, and a fault, where it cannot be parsed."""
        self.require(["formula"], "A feature block of the composition")
        texts = self.table["formula"].tolist()
        parsed = parse_many(texts)
        for position, error in parsed.errors.items():
            self.add_fault(position, Fault.of(error, "formula", format_cell(texts[position])))
        return parsed.formulas

    def numbers(self, name: str) -> NDArray[np.float64]:
        """Values (n,) of a number column.

        Raises:
            InputError: The column holds text.
        """
        try:
            return self.table[name].to_numpy(np.float64)
        except (TypeError, ValueError) as error:
            raise InputError(
                f"The column holds text, but is used as a number: {error}.",
                file=self.source,
                column=name,
                remedy="declare it as kind: number, or use one_hot.",
            ) from error

    def labels(self, name: str) -> list[str]:
        """Cells of a category column; a missing one is the empty string and a fault."""
        labels = [format_cell(value) for value in self.table[name]]
        for position, label in enumerate(labels):
            if not label:
                self.add_fault(position, Fault(name, "", "has no value."))
        return labels
