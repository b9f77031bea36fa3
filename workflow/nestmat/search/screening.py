"""Screening of a whole space in float32, chunk by chunk, for the best materials and a random sample.

However a space is cut, the merged tables are the same to the last bit. Materials are predicted in batches
that begin at multiples of their size, since the last bits of a product of matrices depend on its shape, and
the random number of a material is a function of the seed and of its own number.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from nestmat import tables
from nestmat.errors import InputError
from nestmat.progress import reporting
from nestmat.scales.predictions import quantity_of
from nestmat.search.candidate_table import DOMAIN_COLUMNS
from nestmat.search.problem import Problem, feasibility_key
from nestmat.search.spaces.base import DesignSpace
from nestmat.tables import Column, Schema
from nestmat.training.chunks import keep_freed_memory
from nestmat.training.trainer import pick_device

OUTSIDE_COLUMN = Column("bool", description="whether it ranks behind others, being outside of that domain")
Describe = Callable[[NDArray[np.float64]], Mapping[str, Any]]
"""Columns by name, (n,) each, of materials (n, columns)."""


@dataclass(frozen=True)
class Screening:
    """Settings of a screening.

    Attributes:
        keep: Best materials to keep.
        sample: Random materials to keep, each set of them equally likely.
        seed: Seed of the sample.
        batch: Materials predicted at once.
    """

    keep: int = 1000
    sample: int = 10_000
    seed: int = 0
    batch: int = 16_384


def chunk_bounds(space: DesignSpace, screening: Screening, chunk: int, chunks: int) -> tuple[int, int]:
    """First point of a chunk and the one after its last, for chunks of whole batches.

    Args:
        space: The space.
        screening: Settings of the screening.
        chunk: Number of the chunk, from 0.
        chunks: Number of chunks; some are empty where there are fewer batches.

    Raises:
        InputError: The materials of the space cannot be numbered.
    """
    n_points = _count_points(space)
    batches = -(-n_points // screening.batch)
    start, stop = (k * batches // chunks * screening.batch for k in (chunk, chunk + 1))
    return min(start, n_points), min(stop, n_points)


def _count_points(space: DesignSpace) -> int:
    # A space that cannot be numbered raises an error when a point is requested.
    space.from_index(np.zeros(1, dtype=np.int64))
    assert space.n_grid_points is not None
    return space.n_grid_points


class _Smallest:
    """The rows with the smallest keys; of equal ones the earliest.

    Args:
        size: Number of rows to keep.
        keys: Keys of the rows of a table, the most important first.
    """

    def __init__(self, size: int, keys: Callable[[pd.DataFrame], Sequence[NDArray[Any]]]):
        self.size, self.keys = size, keys
        self._parts: list[pd.DataFrame] = []
        self._last: list[Any] = []

    def add(self, table: pd.DataFrame) -> None:
        """Add rows."""
        rows = table[self._is_smaller(table)] if self._last else table
        if len(rows) or not self._parts:
            self._parts.append(rows)
        if sum(map(len, self._parts)) > 2 * self.size:
            self.rows()

    def _is_smaller(self, table: pd.DataFrame) -> NDArray[np.bool_]:
        """Whether rows are smaller than the largest that is kept, (n,)."""
        less, equal = np.zeros(len(table), dtype=bool), np.ones(len(table), dtype=bool)
        for key, last in zip(self.keys(table), self._last, strict=True):
            less |= equal & (key < last)
            equal &= key == last
        return less

    def rows(self) -> pd.DataFrame:
        """The smallest so far, in order."""
        rows = pd.concat(self._parts, ignore_index=True)
        ranked = rows.iloc[np.lexsort(self.keys(rows)[::-1])[: self.size]].reset_index(drop=True)
        self._parts = [ranked]
        if len(ranked) == self.size > 0:
            self._last = [key[-1] for key in self.keys(ranked)]
        return ranked


class _Selection:
    """The best and a sample of the materials that are added, and counts of all of them."""

    def __init__(self, screening: Screening):
        self.kinds = {
            "best": _Smallest(screening.keep, feasibility_key),
            "sample": _Smallest(screening.sample, lambda table: [table["draw"].to_numpy()]),
        }
        self.counts = {"screened": 0, "feasible": 0, "hits": 0}

    def count(self, **added: int) -> None:
        """Add to the counts."""
        self.counts = {name: n + added[name] for name, n in self.counts.items()}

    def table(self) -> pd.DataFrame:
        """The best, best first, then the sample in random order, as the column ``kind`` states."""
        parts = [smallest.rows().assign(kind=kind) for kind, smallest in self.kinds.items()]
        return pd.concat(parts, ignore_index=True)


@dataclass(frozen=True)
class Screened:
    """Selected materials of a range of a space.

    Attributes:
        table: The columns of `schema`: the best, best first, then the sample in random order.
        counts: Materials that were screened, that keep the constraints, and that meet the targets too.
    """

    table: pd.DataFrame
    counts: dict[str, int]


def _predict(
    problem: Problem, screening: Screening, number: int, start: int, stop: int, device: torch.device
) -> pd.DataFrame:
    """Predictions for the points of a batch from ``start`` to ``stop``, which is excluded."""
    space, size = problem.space, screening.batch
    index = np.arange(number * size, (number + 1) * size)
    # The last batch is filled up with the last point.
    x = space.from_index(np.minimum(index, _count_points(space) - 1))
    draw = np.random.default_rng([screening.seed, number]).random(size)
    table = problem.evaluate(x, torch.float32, device).assign(index=index, draw=draw)
    return table[(start <= index) & (index < stop) & space.is_canonical(x)]


def screen(
    problem: Problem,
    screening: Screening,
    start: int,
    stop: int,
    *,
    describe: Describe | None = None,
    device: str = "auto",
    title: str = "screening",
) -> Screened:
    """Screen a range of a space.

    Args:
        problem: The design problem.
        screening: Settings of the screening.
        start: Number of the first point.
        stop: Number of the point after the last.
        describe: Further columns of the selected materials; none by default.
        device: ``auto``, ``cpu`` or ``cuda``.
        title: Name in progress reports.

    Raises:
        InputError: The space has no such points, or its materials cannot be numbered.
    """
    space, size, n_points = problem.space, screening.batch, _count_points(problem.space)
    if not 0 <= start <= stop <= n_points:
        raise InputError(
            f"There is no range from {start} to {stop} among the {n_points} points of the space.",
            remedy="choose points of the space.",
        )
    keep_freed_memory()
    target, selection, first = pick_device(device), _Selection(screening), start // size
    with reporting(title, stop - start, "materials") as report:
        # One batch is predicted for an empty range too, for the columns of its table.
        for number in range(first, max(first + 1, -(-stop // size))):
            table = _predict(problem, screening, number, start, stop, target)
            for smallest in selection.kinds.values():
                smallest.add(table)
            feasible = int((table["violation"] == 0).sum())
            selection.count(screened=len(table), feasible=feasible, hits=int(table["hit"].sum()))
            report(min(stop, (number + 1) * size) - start, lambda: f"{selection.counts['hits']} hits")
    predictions = selection.table()
    x = space.from_index(predictions["index"].to_numpy())
    numbers = pd.DataFrame(x, columns=list(space.columns)).assign(formula=space.formulas(x))
    if describe is not None:
        numbers = numbers.assign(**describe(x))
    return Screened(pd.concat([predictions, numbers], axis=1), selection.counts)


def schema(problem: Problem, table: pd.DataFrame, units: Mapping[str, str]) -> Schema:
    """Columns of a table of screened materials.

    Args:
        problem: The design problem.
        table: The table.
        units: Unit of each quantity and of each number of the space; those left out have none.
    """
    predicted = {name: quantity_of(name) for name in map(str, table.columns)}
    domain_columns = {"outside": OUTSIDE_COLUMN, **DOMAIN_COLUMNS}
    domain = {name: column for name, column in domain_columns.items() if name in table}
    return {
        "index": Column("int64", role="key", description="number of the material in its space"),
        "kind": Column("string", description="best, or sample: a random one of all that were screened"),
        "formula": Column("string"),
        **{name: Column("float64", units.get(name, "")) for name in problem.space.columns},
        **{name: Column("float32", units.get(pair[0], "")) for name, pair in predicted.items() if pair},
        "distance": Column("float32", description="tolerances from the targets, added"),
        "violation": Column("float32", description="tolerances beyond the constraints, added"),
        "hit": Column("bool", description="whether all targets and constraints are met"),
        **domain,
        "draw": Column("float64", description="random number of the material: the smallest are the sample"),
    }


def screen_chunk(
    problem: Problem,
    output: str | Path,
    screening: Screening,
    chunk: int,
    chunks: int,
    *,
    units: Mapping[str, str] | None = None,
    facts: Mapping[str, Any] | None = None,
    describe: Describe | None = None,
    device: str = "auto",
) -> None:
    """Screen one of several chunks of a space.

    Args:
        problem: The design problem.
        output: Table to write, see `schema`; its provenance holds the range, the counts and the settings.
        screening: Settings of the screening.
        chunk: Number of the chunk, from 0.
        chunks: Number of chunks.
        units: As for `schema`.
        facts: Further provenance, the same for all chunks.
        describe: As for `screen`.
        device: ``auto``, ``cpu`` or ``cuda``.

    Raises:
        InputError: The materials of the space cannot be numbered.
    """
    start, stop = chunk_bounds(problem.space, screening, chunk, chunks)
    title = f"screening, chunk {chunk + 1} of {chunks}"
    screened = screen(problem, screening, start, stop, describe=describe, device=device, title=title)
    provenance = {
        **(facts or {}),
        "screening": asdict(screening),
        "points": problem.space.n_grid_points,
        "range": [start, stop],
        "counts": screened.counts,
    }
    tables.write(output, screened.table, schema(problem, screened.table, units or {}), provenance)


def merge_screen(parts: Sequence[str | Path], output: str | Path) -> None:
    """Merge the chunks of a space: the best of all, and a sample of all.

    Args:
        parts: Tables of the chunks by `screen_chunk`, in any order.
        output: Table to write, as one chunk of the whole space.

    Raises:
        InputError: The parts are not those of one space, or not all of them.
    """
    provenance = {path: tables.provenance(path) for path in parts}
    ordered = sorted(parts, key=lambda path: provenance[path]["range"])
    common, end = _common(provenance[ordered[0]]), 0
    selection = _Selection(Screening(**common["screening"]))
    for path in ordered:
        start, stop = provenance[path]["range"]
        if _common(provenance[path]) != common or start != end:
            raise InputError(
                f"The chunk does not continue the same screening at point {end}.",
                file=path,
                remedy="delete the chunks and screen again.",
            )
        end = stop
        table = tables.read(path)
        for kind, smallest in selection.kinds.items():
            smallest.add(table[table["kind"] == kind])
        selection.count(**provenance[path]["counts"])
    if end != common["points"]:
        raise InputError(
            f"The last chunk ends at point {end} of {common['points']}.",
            file=ordered[-1],
            remedy="screen the other chunks too.",
        )
    facts = {**common, "range": [0, end], "counts": selection.counts}
    tables.write(output, selection.table(), tables.schema(ordered[0]), facts)


def _common(provenance: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in provenance.items() if name not in ("range", "counts")}
