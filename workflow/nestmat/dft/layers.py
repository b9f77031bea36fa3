"""Monolayers MX2 in cells of any shape: structures to calculate, their results, calibration against data.

A cell is the six numbers `CELL`. It holds one layer of metal M between two of X, trigonal prismatic as in
2H-MoS2, at fixed fractional coordinates: M at (1/3, 2/3, 1/2), X at (2/3, 1/3, 1/2 +- height). What the layer
leaves of c is vacuum.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pymatgen.core import Lattice

from nestmat import tables
from nestmat.config.datasets import ColumnSpec, DatasetSpec
from nestmat.config.dft import Layer, StructureSet
from nestmat.data.reading import read
from nestmat.dft.structures import CellScan, Sites, structure
from nestmat.errors import InputError
from nestmat.materials.geometry import CELL

MESH = (9, 9, 1)
SHORTEST = 1.0
"""Atoms nearer than this, in angstrom, are no layer but a mistake in the table."""
STEP = 1e-4
"""Of the heights that are tried for a calibration, in units of c."""
OFFSETS = np.round(np.arange(-1.0, 0.5, 0.005), 3)
"""Offsets in eV that are tried for a calibration."""

_UNITS = {"a": "Å", "b": "Å", "c": "Å", "alpha": "°", "beta": "°", "gamma": "°"}
_CELL: tables.Schema = {name: tables.Column("float64", unit=unit) for name, unit in _UNITS.items()}
CELLS: tables.Schema = {
    "structure": tables.Column("string", role="key", description="name of the structure"),
    "row": tables.Column("int64", role="key", description="row of the table of cells, counted from 0"),
    "formula": tables.Column("string"),
    **_CELL,
    "height": tables.Column("float64", description="of X above M as listed, in units of c"),
    "relaxed": tables.Column("bool", description="whether the positions were relaxed in the cell"),
    "calculated": tables.Column("float64", unit="eV", description="PBE band gap; 0 for a metal"),
    "direct": tables.Column("bool", description="whether the gap is at one k point"),
    "energy": tables.Column("float64", unit="eV", description="total energy per cell"),
    "status": tables.Column("string", description="converged or failed"),
    "message": tables.Column("string", description="why it failed, or what a second attempt mended"),
    "seconds": tables.Column("float64", unit="s", description="wall time"),
}
CALIBRATION: tables.Schema = {
    "row": CELLS["row"],
    **_CELL,
    "height": CELLS["height"],
    "relaxed": CELLS["relaxed"],
    "published": tables.Column("float64", unit="eV", description="gap of the row in the data set"),
    "calculated": CELLS["calculated"],
    "half": tables.Column("string", description="fitted: a calibration may use the row; tested: it may not"),
}
CALIBRATION_ERRORS: tables.Schema = {
    "variant": tables.Column("string", description="how the positions and the gap were chosen"),
    "height": tables.Column("float64", description="in units of c; NaN where positions were relaxed"),
    "offset": tables.Column("float64", unit="eV", description="added to the calculated gap"),
    "half": tables.Column("string", description="rows that the numbers are of: fitted or tested"),
    "rows": tables.Column("int64"),
    "mae": tables.Column("float64", unit="eV", description="mean absolute error, calculated - published"),
    "bias": tables.Column("float64", unit="eV", description="mean error"),
    "largest": tables.Column("float64", unit="eV", description="largest absolute error"),
}


def vectors(cell: Sequence[float]) -> NDArray[np.float64]:
    """Vectors of a cell, one a row: a along x, b in the plane of x and y.

    Args:
        cell: `CELL`: lengths in any unit, angles in degrees.

    Raises:
        ValueError: No cell has these numbers.
    """
    a, b, c, *angles = map(float, cell)
    alpha, beta, gamma = np.cos(np.radians(angles))
    # Of the cell of unit lengths; pymatgen does not refuse angles that make no cell.
    squared_volume = 1 - alpha**2 - beta**2 - gamma**2 + 2 * alpha * beta * gamma
    if not (min(a, b, c) > 0 and min(angles) > 0 and max(angles) < 180 and squared_volume > 0):
        raise ValueError("no cell has these lengths and angles")
    return Lattice.from_parameters(a, b, c, *angles, vesta=True).matrix


def layer(metal: str, chalcogen: str, cell: Sequence[float], height: float) -> Sites:
    """One layer MX2 in a cell.

    Args:
        metal: Element M.
        chalcogen: Element X.
        cell: `CELL` in angstrom and degrees.
        height: Of X above and below M, in units of c.

    Returns:
        Symbols, positions in units of the cell vectors, and these vectors in angstrom.

    Raises:
        ValueError: No cell has these numbers.
    """
    positions = [
        (1 / 3, 2 / 3, 0.5),
        (2 / 3, 1 / 3, 0.5 + height),
        (2 / 3, 1 / 3, 0.5 - height),
    ]
    return [metal, chalcogen, chalcogen], np.array(positions), vectors(cell)


def shortest_distance(positions: NDArray[np.float64], cell: NDArray[np.float64]) -> float:
    """Distance of the nearest two atoms of a crystal, in the unit of the cell vectors.

    An atom and its own image count as well, which `pymatgen.core.Structure.distance_matrix` leaves out.
    """
    shifts = np.stack(np.meshgrid(*[np.arange(-2, 3)] * 3, indexing="ij"), axis=-1).reshape(-1, 3)
    displacements = (positions[:, None] - positions[None, :])[:, :, None] + shifts
    lengths = np.linalg.norm(displacements @ cell, axis=-1)
    return float(lengths[lengths > 1e-8].min())


def list_layers(
    spec: StructureSet, name: str, table: str | Path
) -> tuple[list[dict[str, Any]], pd.DataFrame, pd.DataFrame]:
    """The structures of a set of layers: each cell of a table at each of the heights.

    Args:
        spec: Configuration of the set, with ``layer``.
        name: Name of the set, for messages.
        table: CSV or Parquet file with the columns `CELL` and those of ``layer.columns``; of a set of a data
            set, the data set as it was read.

    Returns:
        Structures as `nestmat.dft.structures` describes them; for each of them ``structure``, ``row``,
        ``formula``, `CELL`, ``height``, ``relaxed`` and ``layer.columns``; rejects with the columns of
        `nestmat.tables.REJECTS`.

    Raises:
        InputError: The file cannot be read, lacks a column or a chosen row, or has no usable row.
    """
    layer_config = spec.layer
    assert layer_config is not None
    frame, rejects = _rows(spec, name, Path(table))
    formula = f"{layer_config.metal}{layer_config.chalcogen}2"
    structures, listed, rejected = [], [], []
    for row in frame.to_dict("records"):
        cell = [row[column] for column in CELL]
        for height in layer_config.heights:
            label = f"{formula} {row['row_id']} {'relaxed' if layer_config.relax else ''}".strip()
            if len(layer_config.heights) > 1:
                label = f"{label} {height:g}"
            try:
                sites = layer(layer_config.metal, layer_config.chalcogen, cell, height)
                if shortest_distance(*sites[1:]) < SHORTEST:
                    raise ValueError(f"atoms are nearer to each other than {SHORTEST:g} Å")
            except ValueError as error:
                shown = " ".join(f"{number:g}" for number in cell)
                rejected.append((row["row"], " ".join(CELL), shown, str(error)))
                break
            settings: dict[str, Any] = {"kpoints": MESH, **spec.settings.stated}
            structures.append(
                structure(
                    *(label, formula, "layer", sites),
                    scan=CellScan(probes=(), strains=(0.0,), relax=layer_config.relax),
                    **settings,
                )
            )
            cell_columns = {column: row[column] for column in (*CELL, *layer_config.columns)}
            listed.append(
                {
                    "structure": label,
                    "row": row["row_id"],
                    "formula": formula,
                    **cell_columns,
                    "height": height,
                    "relaxed": layer_config.relax,
                }
            )
    rejects_of_cells = pd.DataFrame(rejected, columns=list(tables.REJECTS)).astype({"row": "int64"})
    reject_tables = [reject_table for reject_table in (rejects, rejects_of_cells) if len(reject_table)]
    rejects = (
        pd.concat(reject_tables, ignore_index=True).sort_values("row", ignore_index=True)
        if reject_tables
        else rejects_of_cells
    )
    if not structures:
        raise InputError(
            f"The table has no cell to calculate: all rows are rejected, the first because "
            f"{rejects['reason'].iloc[0]}.",
            file=table,
            row=int(rejects["row"].iloc[0]),
        )
    return structures, pd.DataFrame(listed), rejects


def _rows(spec: StructureSet, name: str, table: Path) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Chosen rows of the table, with ``row_id`` and ``row``, and rejects."""
    assert spec.layer is not None
    names = [*CELL, *spec.layer.columns]
    if spec.dataset is not None:
        frame = tables.read(table, columns=["row_id", "row", *names])
        rejects = pd.DataFrame(columns=list(tables.REJECTS)).astype({"row": "int64"})
    else:
        columns = {column: ColumnSpec(unit=_UNITS.get(column, "")) for column in names}
        reading = read(
            DatasetSpec(title=name, file=str(table), columns=columns, duplicates="keep"), table, name=name
        )
        frame, rejects = reading.frame, reading.rejects
    if not spec.rows:
        return frame, rejects
    if missing := sorted(set(spec.rows) - set(frame["row_id"])):
        raise InputError(
            f"Row {missing[0]}, counted from 0, is no usable row of the table.",
            file=table,
            key=f"dft.sets.{name}.rows",
        )
    is_chosen = frame["row_id"].isin(spec.rows)
    return frame[is_chosen].reset_index(drop=True), rejects[rejects["row"].isin(frame["row"][is_chosen])]


def cells_schema(layer_config: Layer) -> tables.Schema:
    """Schema of the results of a set: `CELLS` and the columns that the set keeps of its table."""
    kept_columns = {
        name: tables.Column("float64", description="of the table of cells") for name in layer_config.columns
    }
    return {**CELLS, **kept_columns}


def cells(listed: pd.DataFrame, records: Iterable[Mapping[str, Any]]) -> pd.DataFrame:
    """The result of each cell: its single calculation, or the relaxation.

    Args:
        listed: What `list_layers` returns of the structures.
        records: Records of `scripts/run_dft.py`.

    Returns:
        A row a structure, with the columns of ``listed`` and ``calculated``, ``direct``, ``energy``,
        ``status``, ``message`` and ``seconds``; a failed calculation has no numbers.
    """
    results_by_structure = {
        record["structure"]: {
            "calculated": record.get("gap", np.nan),
            "direct": bool(record.get("direct", False)) and record.get("gap", 0.0) > 0,
            "energy": record.get("energy", np.nan),
            **{key: record[key] for key in ("status", "message", "seconds")},
        }
        for record in records
    }
    results = pd.DataFrame([{"structure": name, **result} for name, result in results_by_structure.items()])
    return listed.merge(results, on="structure", validate="one_to_one")


def calibration(cells: pd.DataFrame, data: pd.DataFrame, column: str) -> pd.DataFrame:
    """Calculated cells of a data set with its gaps.

    Args:
        cells: What `cells` returns of a set of rows of a data set.
        data: The data set as read: ``row_id`` and ``column``.
        column: Its gap in eV.

    Returns:
        `CALIBRATION` of the converged ones; every second row by number is of the half that may be fitted.

    Raises:
        InputError: A row or its cell is not that of the data set.
    """
    frame = cells[cells["status"] == "converged"].merge(
        data[["row_id", *CELL, column]].rename(columns={"row_id": "row", column: "published"}),
        on="row",
        how="left",
        suffixes=("", "_data"),
    )
    data_cells = frame[[f"{name}_data" for name in CELL]]
    is_same = np.all(np.isclose(frame[list(CELL)], data_cells, atol=1e-4), axis=1)
    if not is_same.all():
        raise InputError(
            "The calculated cell is not that of this row of the data set.",
            column="row",
            value=int(frame["row"].to_numpy()[~is_same][0]),
            remedy="give the cells that were calculated for this data set.",
        )
    numbers = np.unique(frame["row"])
    fitted = set(numbers[::2])
    frame["half"] = ["fitted" if row in fitted else "tested" for row in frame["row"]]
    return frame[list(CALIBRATION)].sort_values(["row", "relaxed", "height"], ignore_index=True)


def calibration_errors(table: pd.DataFrame) -> pd.DataFrame:
    """How well calculations reproduce the data set, with fixed, fitted and relaxed positions.

    The fitted height, and the fitted height with an offset, have the least mean absolute error on one half of
    the rows; gaps between the calculated heights are interpolated, and no gap is below 0.

    Args:
        table: What `calibration` returns.

    Returns:
        `CALIBRATION_ERRORS`.
    """
    fixed = table[~table["relaxed"]].pivot(index="row", columns="height", values="calculated").dropna()
    rows = table.drop_duplicates("row").set_index("row")
    relaxed = table[table["relaxed"]].drop_duplicates("row").set_index("row")["calculated"]
    errors = []

    def add(variant: str, height: float, offset: float, gaps: pd.Series) -> None:
        published_rows = rows.loc[gaps.index]
        error = np.maximum(0.0, gaps + offset) - published_rows["published"]
        for half, of_half in error.groupby(published_rows["half"]):
            size = of_half.abs()
            numbers = (len(of_half), size.mean(), of_half.mean(), size.max())
            errors.append((variant, height, offset, half, *numbers))

    for height in fixed.columns:
        add("fixed height", float(height), 0.0, fixed[height])
    if len(relaxed):
        add("relaxed", np.nan, 0.0, relaxed)
    if len(fixed.columns) > 1:
        add("fitted height", *_fit(fixed, rows, np.zeros(1)))
        add("fitted height and offset", *_fit(fixed, rows, OFFSETS))
    return pd.DataFrame(errors, columns=list(CALIBRATION_ERRORS))


def _fit(
    fixed: pd.DataFrame, rows: pd.DataFrame, offsets: NDArray[np.float64]
) -> tuple[float, float, pd.Series]:
    """Height and offset of least mean absolute error on the half to fit, and the gaps of all rows there."""
    calculated_heights = fixed.columns.to_numpy(np.float64)
    heights = np.arange(calculated_heights.min(), calculated_heights.max() + STEP / 2, STEP)
    gaps = np.array([np.interp(heights, calculated_heights, row) for row in fixed.to_numpy()])
    is_fitted = (rows["half"].loc[fixed.index] == "fitted").to_numpy()
    published = rows["published"].loc[fixed.index].to_numpy()
    shifted = np.maximum(0.0, gaps[is_fitted][:, :, None] + offsets)
    error = np.abs(shifted - published[is_fitted][:, None, None]).mean(axis=0)
    height, offset = np.unravel_index(error.argmin(), error.shape)
    return float(heights[height]), float(offsets[offset]), pd.Series(gaps[:, height], index=fixed.index)
