"""Cells of a design problem for DFT: which of a shortlist are calculated, and how predictions compare."""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from nestmat import tables
from nestmat.design.problem import Design
from nestmat.design.verification import VERIFIED, target_value
from nestmat.errors import InputError
from nestmat.files import write_text
from nestmat.materials.geometry import CELL
from nestmat.search.spaces.base import DesignSpace

_LOG = logging.getLogger(__name__)


def farthest(space: DesignSpace, x: NDArray[np.float64], count: int) -> NDArray[np.int64]:
    """Materials that are far from each other: the first, then always the one farthest from all so far.

    Args:
        space: Space that defines the distance between materials.
        x: Materials (n, columns).
        count: How many to choose.

    Returns:
        Rows of ``x``, at most ``count`` of them, in the order in which they are chosen. Copies of one already
        chosen are left out.

    Source: Gonzalez, Theor. Comput. Sci. 38, 293 (1985).
    """
    chosen = [0]
    distance = space.distance(x, x[0])
    while len(chosen) < min(count, len(x)) and distance.max() > 0:
        chosen.append(int(distance.argmax()))
        distance = np.minimum(distance, space.distance(x, x[chosen[-1]]))
    return np.array(chosen)


def select_cells(design: Design, shortlist: str | Path, path: str | Path, csv: str | Path) -> None:
    """Select hits of a shortlist that are far from each other.

    Args:
        design: The problem, whose space is one of cells.
        shortlist: Its shortlist.
        path: Table to write, rows of the shortlist.
        csv: Table of cells to write: the variables of the space.

    Raises:
        InputError: The shortlist holds no hit.
    """
    assert design.config.verify is not None
    frame, columns = tables.read(shortlist), list(design.space.columns)
    hits = frame[frame["hit"]].sort_values("rank")
    if hits.empty:
        raise InputError(
            "The shortlist has no hit, so there is no cell to calculate.",
            file=shortlist,
            column="hit",
            remedy="search longer, or widen targets and constraints.",
        )
    rows = farthest(design.space, hits[columns].to_numpy(np.float64), design.config.verify.count)
    best = hits.iloc[np.sort(rows)].reset_index(drop=True)
    facts = {"problem": design.name}
    tables.write(path, best, tables.schema(shortlist), facts)
    write_text(csv, best[columns].to_csv(index=False, lineterminator="\n"))
    tables.record_copies(path, [Path(csv)])


def verify_cells(design: Design, calculated: str | Path, path: str | Path) -> None:
    """Compare predictions with calculations of cells.

    Args:
        design: The problem with members that were trained on every row.
        calculated: Results as `nestmat.dft.layers.cells` makes them, with the variables of the space.
        path: Table to write: `VERIFIED` and the variables of the space. Cells outside of the space, and
            calculations that failed, are left out, and the log reports how many.

    Raises:
        InputError: A variable of the space is missing, or no calculated cell is of the space.
    """
    verify, space = design.config.verify, design.space
    assert verify is not None
    assert verify.gap is not None
    frame = tables.read(calculated, sealed=False)
    x = _materials(design, frame, calculated)
    inside = np.isclose(space.canonical(x), x).all(axis=1)
    good = (frame["status"] == "converged").to_numpy()
    if not (inside & good).any():
        raise InputError(
            f"The table has no calculated cell of the space of {design.name!r}.",
            file=calculated,
            column="status",
        )
    _LOG.info("%d cells: %d failed, %d not of the space", len(x), (~good).sum(), (~inside).sum())
    frame, x = frame[inside & good].reset_index(drop=True), x[inside & good]
    with torch.no_grad():
        mean, std = design.surrogate(torch.from_numpy(x))[verify.gap]
    verified = pd.DataFrame(
        {
            "formula": [_label(row) for row in frame.to_dict("records")],
            "quantity": verify.gap,
            "wanted": target_value(design, verify.gap),
            "mean": mean.double().numpy(),
            "std": std.double().numpy(),
            "calculated": np.maximum(0.0, frame["calculated"] + verify.offset),
            "unit": design.units[verify.gap],
            **design.domain.verdicts(x).columns(),
            "trained_on": _trained_on(design, verify.gap.partition(".")[0], x),
            **dict(zip(space.columns, x.T, strict=True)),
        }
    )
    schema = {**VERIFIED, **{column: tables.Column("float64") for column in space.columns}}
    tables.write(path, verified, schema, {"problem": design.name, "offset": verify.offset})


def _materials(design: Design, frame: pd.DataFrame, path: str | Path) -> NDArray[np.float64]:
    """Calculated cells as materials of the space; the table need not have the variables that are fixed."""
    fixed = {name: value for name, value in design.space.fixed_values.items() if name not in frame}
    full = frame.assign(**fixed)
    if missing := [name for name in design.space.columns if name not in full]:
        raise InputError(
            f"The table has no column {missing[0]!r}, a variable of the design space.",
            file=path,
            column=missing[0],
            remedy="name it in `layer.columns` of the set in `dft.sets`.",
        )
    return full[list(design.space.columns)].to_numpy(np.float64)


def _label(row: dict) -> str:
    """Formula and cell of a row, with few digits."""
    numbers = [f"{row[name]:.3f}" for name in CELL[:3]] + [f"{row[name]:.1f}" for name in CELL[3:]]
    return f"{row['formula']} {' '.join(numbers)}"


def _trained_on(design: Design, scale: str, x: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Whether the members of a scale were trained on materials with the same features, (n,)."""
    feature_map = design.surrogate.maps[scale]
    training = tables.read(design.members.features[scale], columns=list(feature_map.columns)).to_numpy()
    features = feature_map(torch.from_numpy(x)).numpy()
    return np.array([np.isclose(training, row).all(axis=1).any() for row in features], dtype=bool)
