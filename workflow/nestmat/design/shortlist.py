"""The candidates to go on with: every prediction, files for other programs, structures for DFT."""

from __future__ import annotations

import itertools
import json
import logging
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from pymatgen.core import DummySpecies, Lattice, Species, Structure
from pymatgen.io.cif import CifWriter

from nestmat import tables
from nestmat.design.judging import WINDOWS, described
from nestmat.design.problem import (
    Design,
    candidate_schema,
    candidate_table,
    known_materials,
    method,
    shares_of,
    training_formulas,
)
from nestmat.dft.structures import radius_rule
from nestmat.errors import InputError
from nestmat.files import write_text
from nestmat.materials.formulas import parse_many
from nestmat.materials.ions import ion
from nestmat.search.generators.network import GenerativeModel
from nestmat.search.problem import order
from nestmat.search.spaces.product import SITES, ABX3Alloy
from nestmat.search.spaces.simplex import Simplex

_LOG = logging.getLogger(__name__)
PROTOTYPE = "idealised cubic prototype Pm-3m with mixed sites, not relaxed and not calculated"
POSITIONS: Mapping[str, list[tuple[float, ...]]] = {
    "A": [(0.5, 0.5, 0.5)],
    "B": [(0, 0, 0)],
    "X": [(0.5, 0, 0), (0, 0.5, 0), (0, 0, 0.5)],
}

VERIFIED: tables.Schema = {
    "formula": tables.Column("string"),
    "quantity": tables.Column("string"),
    "wanted": tables.Column("float64", description="value that the problem asks for; NaN for no value"),
    "mean": tables.Column("float64", description="prediction, in the unit of the row"),
    "std": tables.Column("float64", description="predicted standard deviation"),
    "calculated": tables.Column("float64", description="by DFT, in the unit of the row"),
    "unit": tables.Column("string"),
    "trained_on": tables.Column("bool", description="whether the members were trained on it"),
}


def make_shortlist(
    design: Design, path: str | Path, models: Sequence[GenerativeModel] | None = None, seed: int = 0
) -> None:
    """Search with the method of the shortlist, and write the best material of each composition.

    Args:
        design: The problem with members that were trained on every row.
        path: Table to write: `nestmat.design.problem.candidate_schema`, with flags in words.
        models: Trained models of a generative method.
        seed: Seed of the search.

    Raises:
        InputError: As the method.
    """
    given = design.given
    assert given.shortlist is not None
    chosen = given.methods[given.shortlist.method]
    search = method(chosen, models, lambda: known_materials(design))
    found = search.propose(design.problem, chosen.budget or given.budget, seed)
    best = candidate_table(design.problem, found.x, found.table)
    best = best.drop_duplicates("formula").head(given.shortlist.top).reset_index(drop=True)
    best = best.assign(method=given.shortlist.method, seed=seed, rank=np.arange(1, len(best) + 1))
    _write(design, best, path, {"method": given.shortlist.method, "evaluations": found.evaluations})


def _write(design: Design, frame: pd.DataFrame, path: str | Path, facts: dict[str, Any]) -> None:
    frame = described(design, frame)
    if design.space.shares:
        known = {f.key for f in parse_many(training_formulas(design.scales[0], design.members)).formulas if f}
        candidates = parse_many(frame["formula"].tolist()).formulas
        frame["known"] = [f is not None and f.key in known for f in candidates]
    else:
        frame["known"] = frame["novelty"] == 0
    frame["flags"] = [_flags(design, row) for row in frame.to_dict("records")]
    schema = {**candidate_schema(design, frame.columns), "flags": tables.Column("string")}
    tables.write(path, frame, schema, {"problem": design.name, **facts})


def _flags(design: Design, row: dict[Any, Any]) -> str:
    """What a reader should know of a candidate, in words."""
    found = []
    if row["violation"] > 0:
        found.append("breaks a constraint")
    if row["known"]:
        found.append("in the training data")
    elif not row["in_domain"]:
        found.append("unlike the training data")
    for name, (low, high) in WINDOWS.items():
        if not low <= row.get(f"{name}.mean", low if np.isfinite(low) else high) <= high:
            found.append(f"{name.replace('_', ' ')} not that of a perovskite")
    for name, quantity in design.given.quantities.items():
        if quantity.detailed_balance:
            for target in design.problem.targets:
                if (
                    design.units[target.quantity] == "%"
                    and row[f"{target.quantity}.mean"] > row[f"{name}.mean"]
                ):
                    found.append("above the detailed-balance limit")
    return "; ".join(found)


def export_candidates(
    design: Design, shortlist: str | Path, csv: str | Path, jsonl: str | Path, cif: Path
) -> None:
    """Write the shortlist for other programs.

    Args:
        design: The problem.
        shortlist: What `make_shortlist` wrote.
        csv: Comma-separated values to write, units in the header.
        jsonl: The same, one JSON object a line, with the units in the first.
        cif: Folder to make, one file a candidate: idealised prototypes, labelled so. Empty where the
            materials are no ABX3.
    """
    frame = tables.read(shortlist)
    units = {name: column.unit for name, column in tables.schema(shortlist).items()}
    headers = {name: f"{name} ({unit})" for name, unit in units.items() if unit}
    write_text(csv, frame.rename(columns=headers).to_csv(index=False, lineterminator="\n"))
    about = {"problem": design.name, "units": {name: unit for name, unit in units.items() if unit}}
    rows = json.loads(frame.to_json(orient="records", double_precision=10))
    write_text(jsonl, "".join(json.dumps(line) + "\n" for line in [about, *rows]))
    cif.mkdir(parents=True, exist_ok=True)
    if isinstance(design.space, ABX3Alloy):
        for row in frame.to_dict("records"):
            name = f"{row['rank']:03d}_{row['formula']}"
            write_text(cif / f"{name}.cif", _cif(design, row))


def lattice_constant(design: Design, row: dict[Any, Any]) -> float:
    """Predicted lattice constant of a candidate in angstrom, or that of its ionic radii."""
    verify = design.given.verify
    if verify is not None and verify.lattice is not None:
        return float(row[f"{verify.lattice}.mean"])
    means = {
        site: sum(share * (ion(symbol).radius or np.nan) for symbol, share in _shares(design, site, row))
        for site in SITES
    }
    return radius_rule(means["A"], means["B"], means["X"])


def _shares(design: Design, site: str, row: dict[Any, Any]) -> list[tuple[str, float]]:
    assert isinstance(design.space, ABX3Alloy)
    simplex = design.space.sites[site]
    pairs = zip(simplex.species, simplex.columns, strict=True)
    return [(symbol, float(row[column])) for symbol, column in pairs if row[column] > 0]


def _cif(design: Design, row: dict[Any, Any]) -> str:
    sites: list[dict[Any, float]] = []
    positions: list[tuple[float, ...]] = []
    molecules: dict[str, str] = {}
    for site in SITES:
        occupants: dict[Any, float] = {}
        for symbol, share in _shares(design, site, row):
            found = ion(symbol)
            if found.molecular:
                # CIF has no symbol for a molecule: Xa, Xb, ... stand for its centre.
                molecules.setdefault(symbol, f"X{chr(ord('a') + len(molecules))}")
                occupants[DummySpecies(molecules[symbol], found.charge)] = share
            else:
                occupants[Species(symbol, found.charge)] = share
        sites += [occupants] * len(POSITIONS[site])
        positions += POSITIONS[site]
    structure = Structure(Lattice.cubic(lattice_constant(design, row)), sites, positions)
    header = f"# nestmat candidate {row['rank']} of {design.name}: {row['formula']}\n# {PROTOTYPE}\n"
    centres = "".join(f"# {label} is the centre of the molecular ion {m}\n" for m, label in molecules.items())
    return f"{header}{centres}{CifWriter(structure)}"


def approximants(space: ABX3Alloy) -> Iterator[dict[str, float]]:
    """Compositions of a space that fit into an ordered cell of ten atoms, as shares by column.

    Each site has one species, or two in equal parts.
    """
    choices = [
        [{column: 1.0} for column in simplex.columns]
        + [dict.fromkeys(pair, 0.5) for pair in itertools.combinations(simplex.columns, 2)]
        for simplex in space.sites.values()
    ]
    for parts in itertools.product(*choices):
        yield {column: share for part in parts for column, share in part.items()}


def select_for_dft(design: Design, path: str | Path, csv: str | Path) -> None:
    """The best materials of a space that fit into ten atoms and were not calculated yet.

    Args:
        design: The problem with members that were trained on every row.
        path: Table to write, like a shortlist.
        csv: Table of structures to write: formula and predicted lattice constant, in angstrom.

    Raises:
        InputError: The space holds no such material.
    """
    space, given = design.space, design.given
    assert isinstance(space, ABX3Alloy)
    assert given.verify is not None
    x = _approximants(design)
    # What the limits of the space leave out is no material of it.
    x = x[(space.canonical(x) == x).all(axis=1)]
    known = set(training_formulas(design.scales[0], design.members))
    keys = {f.key for f in parse_many(sorted(known)).formulas if f}
    fresh = np.array([f is not None and f.key not in keys for f in parse_many(space.formulas(x)).formulas])
    x = x[fresh]
    found = design.problem.evaluate(x)
    best = order(found)
    table = candidate_table(design.problem, x[best], found.iloc[best].reset_index(drop=True))
    table = table.drop_duplicates("formula").head(given.verify.count).reset_index(drop=True)
    if table.empty:
        raise InputError(
            "has no material of ten atoms that was not calculated yet.",
            column=f"search.{design.name}.space",
            remedy="allow more species, or leave verify out.",
        )
    table = table.assign(method="approximants", seed=0, rank=np.arange(1, len(table) + 1))
    _write(design, table, path, {})
    lattices = [lattice_constant(design, row) for row in table.to_dict("records")]
    listed = pd.DataFrame({"formula": table["formula"], "lattice": np.round(lattices, 2)})
    write_text(csv, listed.to_csv(index=False, lineterminator="\n"))


def _approximants(design: Design) -> NDArray[np.float64]:
    """Approximants with every value of the other variables that has a grid, as materials of the space."""
    space = design.space
    assert isinstance(space, ABX3Alloy)
    found = pd.DataFrame(list(approximants(space))).fillna(0.0)
    for factor in space.factors:
        if not isinstance(factor, Simplex):
            count = factor.count
            values = factor.points(np.arange(count)) if count else factor.snap(np.zeros((1, 1)))
            found = found.merge(pd.DataFrame(values, columns=list(factor.columns)), how="cross")
    return found[list(space.columns)].to_numpy(np.float64)


def verify(design: Design, calculated: str | Path, path: str | Path) -> None:
    """Hold predictions against calculations.

    Args:
        design: The problem with members that were trained on every row.
        calculated: Compounds with ``formula``, ``gap`` (eV), ``lattice`` (angstrom) and ``formation_energy``
            (eV), as `nestmat.dft.reference_set.compounds` makes them.
        path: Table to write, `VERIFIED`; compounds outside of the space are left out, as the log tells.

    Raises:
        InputError: No compound is of the space.
    """
    given = design.given.verify
    assert given is not None
    compounds = tables.read(calculated)
    every = _materials(design, compounds["formula"].tolist())
    inside = np.all(np.isclose(design.space.canonical(every), every), axis=1)
    if not inside.any():
        raise InputError(
            f"has no compound of the space of {design.name!r}.", file=calculated, column="formula"
        )
    if not inside.all():
        _LOG.info("%d of %d compounds are not of the space", (~inside).sum(), len(inside))
    compounds, x = compounds.loc[inside].reset_index(drop=True), torch.from_numpy(every[inside])
    with torch.no_grad():
        found = design.surrogate(x)
    known = {f.key for f in parse_many(training_formulas(design.scales[0], design.members)).formulas if f}
    trained = [f is not None and f.key in known for f in parse_many(compounds["formula"].tolist()).formulas]
    quantities = {"gap": given.gap, "lattice": given.lattice, "formation_energy": given.formation_energy}
    parts = [
        pd.DataFrame(
            {
                "formula": compounds["formula"],
                "quantity": quantity,
                "wanted": wanted_value(design, quantity),
                "mean": found[quantity][0].double().numpy(),
                "std": found[quantity][1].double().numpy(),
                "calculated": compounds[column],
                "unit": design.units[quantity],
                "trained_on": trained,
            }
        )
        for column, quantity in quantities.items()
        if quantity is not None
    ]
    tables.write(path, pd.concat(parts, ignore_index=True), VERIFIED, {"problem": design.name})


def wanted_value(design: Design, quantity: str) -> float:
    """The value that a problem asks for of a quantity; NaN where it asks for none."""
    values = [t.value for t in design.given.targets if t.quantity == quantity and t.value is not None]
    return values[0] if values else np.nan


def _materials(design: Design, formulas: list[str]) -> NDArray[np.float64]:
    """Formulas as materials of the space, with the first value of every other variable."""
    shares = shares_of(formulas, design.space)
    columns = []
    for factor in design.space.factors:
        if isinstance(factor, Simplex):
            columns += [shares[name] for name in factor.columns]
        else:
            columns += list(np.repeat(factor.points(np.array([0])), len(formulas), axis=0).T)
    return np.column_stack(columns)
