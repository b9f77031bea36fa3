"""Compounds of a design problem for DFT: which are calculated, and how predictions compare."""

from __future__ import annotations

import itertools
import logging
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from nestmat import tables
from nestmat.design.candidates import candidate_table
from nestmat.design.lattice import lattice_constant
from nestmat.design.members import training_keys
from nestmat.design.problem import Design
from nestmat.design.shortlist import write_shortlist
from nestmat.design.spaces import composition_columns
from nestmat.design.verification import VERIFIED, target_value
from nestmat.errors import InputError
from nestmat.files import write_text
from nestmat.materials.formulas import parse_many
from nestmat.search.problem import order
from nestmat.search.spaces.product import Product

_LOG = logging.getLogger(__name__)
RANKED_AGAIN = 20
"""Materials for each that is selected that recommended predictors rank anew after the network."""


def approximants(space: Product) -> Iterator[dict[str, float]]:
    """Compositions of a space of sites that fit into an ordered cell of ten atoms, as fractions by column.

    Each site has one species, or two in equal parts.
    """
    choices = [
        [{column: 1.0} for column in simplex.columns]
        + [dict.fromkeys(pair, 0.5) for pair in itertools.combinations(simplex.columns, 2)]
        for simplex in space.sites.values()
    ]
    for parts in itertools.product(*choices):
        yield {column: fraction for part in parts for column, fraction in part.items()}


def select_compounds(design: Design, path: str | Path, csv: str | Path) -> None:
    """The best materials of a space that fit into ten atoms and were not calculated yet.

    Args:
        design: The problem with members that were trained on every row.
        path: Table to write, like a shortlist.
        csv: Table of structures to write: formula and predicted lattice constant, in angstrom.

    Raises:
        InputError: The space holds no such material.
    """
    space, verify = design.space, design.config.verify
    assert verify is not None
    x = _approximants(design)
    # Materials that the limits of the space exclude are left out.
    x = x[(space.canonical(x) == x).all(axis=1)]
    keys = training_keys(design.scales[0], design.members)
    formulas = parse_many(space.formulas(x)).formulas
    x = x[np.array([formula is not None and formula.key not in keys for formula in formulas])]
    # The best of all are predicted once more, where a network stands for the recommended predictors.
    x = x[order(design.searched.evaluate(x))[: RANKED_AGAIN * verify.count]]
    predicted = design.problem.evaluate(x)
    best = order(predicted)
    table = candidate_table(design.problem, x[best], predicted.iloc[best].reset_index(drop=True))
    table = table.drop_duplicates("formula").head(verify.count).reset_index(drop=True)
    if table.empty:
        raise InputError(
            "The design space has no material of ten atoms that has not been calculated yet.",
            key=f"search.{design.name}.space",
            remedy="allow more species, or remove `verify`.",
        )
    table = table.assign(method="approximants", seed=0, rank=np.arange(1, len(table) + 1))
    write_shortlist(design, table, path, {})
    lattices = [lattice_constant(design, row) for row in table.to_dict("records")]
    structures = pd.DataFrame({"formula": table["formula"], "lattice": np.round(lattices, 2)})
    write_text(csv, structures.to_csv(index=False, lineterminator="\n"))
    tables.record_copies(path, [Path(csv)])


def _approximants(design: Design) -> NDArray[np.float64]:
    """Approximants with every value of the other variables that has a grid, as materials of the space."""
    space = design.space
    table = pd.DataFrame(list(approximants(space))).fillna(0.0)
    for factor in space.other_factors:
        count = factor.n_grid_points
        values = factor.from_index(np.arange(count)) if count else factor.snap(np.zeros((1, 1)))
        table = table.merge(pd.DataFrame(values, columns=list(factor.columns)), how="cross")
    return table[list(space.columns)].to_numpy(np.float64)


def verify_compounds(design: Design, calculated: str | Path, path: str | Path) -> None:
    """Compare predictions with calculations of compounds.

    Args:
        design: The problem with members that were trained on every row.
        calculated: Compounds with ``formula``, ``gap`` (eV), ``lattice`` (angstrom) and ``formation_energy``
            (eV), as `nestmat.dft.reference_set.compounds` makes them.
        path: Table to write, `VERIFIED`; compounds outside of the space are left out, and the log
            reports how many.

    Raises:
        InputError: No compound is of the space.
    """
    verify = design.config.verify
    assert verify is not None
    compounds = tables.read(calculated, sealed=False)
    fractions = composition_columns(compounds["formula"].tolist(), design.space)
    numbers = design.space.with_composition(fractions)
    inside = np.all(np.isclose(design.space.canonical(numbers), numbers), axis=1)
    if not inside.any():
        raise InputError(
            f"The table has no compound of the space of {design.name!r}.", file=calculated, column="formula"
        )
    if not inside.all():
        _LOG.info("%d of %d compounds are not of the space", (~inside).sum(), len(inside))
    compounds, x = compounds.loc[inside].reset_index(drop=True), torch.from_numpy(numbers[inside])
    with torch.no_grad():
        predicted = design.surrogate(x)
    domain = design.domain.verdicts(x.numpy()).columns()
    keys = training_keys(design.scales[0], design.members)
    formulas = parse_many(compounds["formula"].tolist()).formulas
    trained = [formula is not None and formula.key in keys for formula in formulas]
    quantities = {"gap": verify.gap, "lattice": verify.lattice, "formation_energy": verify.formation_energy}
    parts = [
        pd.DataFrame(
            {
                "formula": compounds["formula"],
                "quantity": quantity,
                "wanted": target_value(design, quantity),
                "mean": predicted[quantity][0].double().numpy(),
                "std": predicted[quantity][1].double().numpy(),
                "calculated": compounds[column],
                "unit": design.units[quantity],
                **domain,
                "trained_on": trained,
            }
        )
        for column, quantity in quantities.items()
        if quantity is not None
    ]
    tables.write(path, pd.concat(parts, ignore_index=True), VERIFIED, {"problem": design.name})
