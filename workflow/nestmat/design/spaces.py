"""Design spaces from their configuration, and the compositions of formulas on their columns."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from nestmat.config import spaces
from nestmat.errors import InputError
from nestmat.materials.formulas import parse_many
from nestmat.materials.ions import ion
from nestmat.search.methods.conditional_decoder import ROUNDED
from nestmat.search.spaces.alloys import ABX3Alloy, Alloy
from nestmat.search.spaces.base import Factor
from nestmat.search.spaces.box import Box
from nestmat.search.spaces.factors import Choice, Fixed, Interval
from nestmat.search.spaces.product import Product
from nestmat.search.spaces.simplex import Simplex


def design_space(config: spaces.DesignSpace) -> Product:
    """The design space of a configuration.

    Raises:
        InputError: Its parts contradict each other, or an ion is unknown.
    """
    variables = [_variable(name, variable) for name, variable in config.variables.items()]
    if config.sites is not None:
        sites: dict[str, Simplex] = {site: _simplex(simplex, site) for site, simplex in config.sites.items()}
        charges = {name: ion(name).charge for site in sites.values() for name in site.species}
        return ABX3Alloy(sites, charges, variables)
    if config.elements is not None:
        return Alloy(_simplex(config.elements), variables)
    intervals = [factor for factor in variables if isinstance(factor, Interval)]
    return Box(intervals, config.symmetries) if len(intervals) == len(variables) else Product(variables)


def _simplex(config: spaces.Simplex, site: str = "") -> Simplex:
    bounds = dict(config.bounds)
    if config.greatest < 1:
        ranges = {name: config.bounds.get(name, (0.0, 1.0)) for name in config.species}
        bounds |= {name: (low, min(high, config.greatest)) for name, (low, high) in ranges.items()}
    return Simplex(
        config.species,
        config.grid,
        site=site,
        fewest=config.fewest,
        most=config.most,
        least=config.least,
        bounds=bounds,
    )


def _variable(name: str, config: spaces.Factor) -> Factor:
    if config.levels is not None:
        return Choice(name, config.levels)
    if config.between is not None:
        return Interval(name, *config.between, config.grid, periodic=config.periodic)
    assert config.value is not None
    return Fixed(name, config.value)


def composition_columns(formulas: Sequence[str], space: Product) -> dict[str, NDArray[np.float64]]:
    """Fractions of the species of formulas on the columns of a space.

    Args:
        formulas: Formulas (n) that the reader of data sets has accepted.
        space: A space of sites or of elements.

    Returns:
        (n,) by column. Species that the space does not have are left out, so that the fractions of a
        site may add up to less than 1.
    """
    fractions = {name: np.zeros(len(formulas)) for site in space.composition_factors for name in site.columns}
    for row, formula in enumerate(parse_many(list(formulas)).formulas):
        assert formula is not None
        for name, fraction in space.fractions_of(formula).items():
            if name in fractions:
                fractions[name][row] = fraction
    return fractions


def rounded_into(
    numbers: NDArray[np.float64], space: Product
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Rows of numbers as materials of a space, and whether its grid and rules change few of their atoms.

    Args:
        numbers: Rows, (n, columns).
        space: The space.

    Returns:
        The materials, (n, columns), and whether at most `ROUNDED` of the atoms of each differ, (n,).
    """
    x = space.canonical(numbers)
    return x, space.same_composition(numbers, x, ROUNDED)


def named_materials(formulas: Sequence[str], space: Product) -> NDArray[np.float64]:
    """Materials (n, columns) of a space whose other variables are fixed, by formula.

    Grid and rules of the space may change `ROUNDED` of the atoms.

    Raises:
        InputError: A formula cannot be read, or is no material of the space.
    """
    key = "interpolate.between"
    for text, parsed in zip(formulas, parse_many(list(formulas)).formulas, strict=True):
        if parsed is None:
            raise InputError(
                f"The formula {text!r} cannot be read.",
                key=key,
                value=text,
                remedy="write it as in a data set: Al10Co45Ni45, CsPbI3.",
            )
    numbers = space.with_composition(composition_columns(formulas, space))
    x, agrees = rounded_into(numbers, space)
    if not agrees.all():
        text = formulas[int(agrees.argmin())]
        raise InputError(
            f"{text!r} is no material of the design space.",
            key=key,
            value=text,
            remedy="choose one that keeps its rules.",
        )
    return x


def material_rows(frame: pd.DataFrame, space: Product) -> pd.DataFrame:
    """Candidates as rows of a data set: formula, material, numbers, and levels as categories."""
    formulas = frame["formula"].tolist() if space.composition_factors else [""] * len(frame)
    parsed = parse_many(formulas).formulas
    parts = space.split(frame[list(space.columns)].to_numpy(np.float64))
    columns: dict[str, Any] = {}
    for factor, numbers in zip(space.factors, parts, strict=True):
        columns |= factor.data_columns(numbers)
    count = np.arange(len(frame))
    return pd.DataFrame(
        {
            "row_id": count,
            "row": count + 1,
            "formula": formulas,
            "material": [formula.key if formula else f"row {k}" for k, formula in enumerate(parsed)],
            **columns,
        }
    )
