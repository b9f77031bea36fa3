"""Tables of a design problem as the report's page takes them: a row a method, baselines last."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from nestmat.labels.problems import BASELINES, DesignLabels

Table = dict[str, Any]
"""Caption, head as (text, class) pairs, rows as (class, cells) pairs, and a note."""


def table(caption: str, first: str, heads: Sequence[str], rows: list, note: str = "") -> Table:
    """A table whose first column is words and whose others are numbers."""
    return {
        "caption": caption,
        "head": [(first, ""), *((head, "n") for head in heads)],
        "rows": rows,
        "note": note,
    }


def rows_of(
    methods: Sequence[str], labels: DesignLabels, cells: Callable[[str], Sequence[str]]
) -> list[tuple[str, list[str]]]:
    """A row a method: its name and what ``cells`` gives of it; baselines are set apart."""
    return [
        ("published" if name in BASELINES else "", [labels.method(name), *cells(name)]) for name in methods
    ]
