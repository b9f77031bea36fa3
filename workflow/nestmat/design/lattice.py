"""Lattice constants of candidates."""

from __future__ import annotations

from typing import Any

import numpy as np

from nestmat.design.problem import Design
from nestmat.dft.structures import radius_rule
from nestmat.materials.ions import ion
from nestmat.search.candidate_table import mean_column
from nestmat.search.spaces.alloys import SITES


def lattice_constant(design: Design, row: dict[Any, Any]) -> float:
    """Predicted lattice constant of a candidate in angstrom, or that of its ionic radii."""
    verify = design.config.verify
    if verify is not None and verify.lattice is not None:
        return float(row[mean_column(verify.lattice)])
    means = {
        site: sum(
            share * (ion(symbol).radius or np.nan) for symbol, share in site_occupancies(design, site, row)
        )
        for site in SITES
    }
    return radius_rule(means["A"], means["B"], means["X"])


def site_occupancies(design: Design, site: str, row: dict[Any, Any]) -> list[tuple[str, float]]:
    """Ions on a site of an ABX3 candidate with the share of each, those that are present."""
    simplex = design.space.sites[site]
    pairs = zip(simplex.species, simplex.columns, strict=True)
    return [(symbol, float(row[column])) for symbol, column in pairs if row[column] > 0]
