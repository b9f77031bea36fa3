"""Structures of a design problem for DFT: compounds or cells, as its space has them."""

from __future__ import annotations

from pathlib import Path

from nestmat.design.cells import select_cells, verify_cells
from nestmat.design.compounds import select_compounds, verify_compounds
from nestmat.design.problem import Design


def select_structures(
    design: Design, shortlist: str | Path | None, path: str | Path, csv: str | Path
) -> None:
    """Select the structures to calculate: cells of the shortlist, or compounds that fit into ten atoms.

    Args:
        design: The problem with members that were trained on every row.
        shortlist: Shortlist of a problem whose space is one of cells.
        path: Table to write, like a shortlist.
        csv: Table of structures to write, see `select_cells` and `select_compounds`.

    Raises:
        InputError: There is no structure to calculate.
    """
    if design.config.space.cells:
        assert shortlist is not None
        select_cells(design, shortlist, path, csv)
    else:
        select_compounds(design, path, csv)


def verify_candidates(design: Design, calculated: str | Path, path: str | Path) -> None:
    """Compare predictions with calculations of cells or of compounds.

    Args:
        design: The problem with members that were trained on every row.
        calculated: The calculations, see `verify_cells` and `verify_compounds`.
        path: Table to write, `nestmat.design.verification.VERIFIED`.

    Raises:
        InputError: No calculation is of a material of the space.
    """
    verify = verify_cells if design.config.space.cells else verify_compounds
    verify(design, calculated, path)
