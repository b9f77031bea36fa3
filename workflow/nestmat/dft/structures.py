"""Crystal structures to calculate: cubic halide perovskites, their ordered alloys and the binary halides.

Layers in a cell of any shape are in `nestmat.dft.layers`.

A structure is a plain mapping, one line of the table that `scripts/run_dft.py` reads:

==============  =====================================================================================
key             meaning
==============  =====================================================================================
structure       unique name
formula         formula unit as the tables write it, e.g. ``CsPb0.5Sn0.5I3``
prototype       key of `PROTOTYPES`, or ``layer``
symbols         element of each atom
positions       coordinates of each atom in units of the cell vectors
cell            cell vectors at scale 1 in angstrom, one a row
kpoints         k points along each reciprocal vector, Gamma-centred
probes          scales of the cell at which the minimum of the energy is looked for; empty: it is at 1
strains         linear strains about that minimum
spacing         a strain this near to a probe is not calculated again
relax           whether the positions are relaxed at the minimum
settings        cutoff (eV), functional, smearing (eV), density (electrons per valence electron), eigenstates
                (eV^2 per valence electron), empty (number of bands), force (eV/angstrom), steps, edges
                (further k points at which band edges are looked for, in units of the reciprocal vectors)
==============  =====================================================================================

The prototypes are written out and not built by ``pymatgen.core.Structure.from_spacegroup``: this lists the
atoms of rutile in another order and knows conventional cells alone, and what was calculated is recognised by
its numbers.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nestmat.materials.ions import ion

A_SITE = ("K", "Rb", "Cs")
B_SITE = ("Ge", "Sn", "Pb", "Mg", "Ca", "Sr", "Ba", "Zn", "Cd")
X_SITE = ("F", "Cl", "Br", "I")

CUTOFF = 340
# Fluorine has by far the hardest pseudo wave function: at 340 eV the energies of a fluoride scatter by
# 0.08 eV about its equation of state, and its gap is off by 0.1 eV. That of CsCdCl3 is off by 0.03 eV.
CUTOFFS = {"F": 600, "Cd": 420}
SETTINGS: Mapping[str, Any] = {
    "functional": "PBE",
    "smearing": 0.05,
    "density": 1e-4,
    "eigenstates": 1e-6,
    "empty": 5,
    "force": 0.05,
    "steps": 20,
}
# L, X and W of the face-centred cell, which a mesh of three leaves out. Two B species that alternate have
# their band edges there; with one B species they lie at R or Gamma of the cubic cell, which fold to Gamma.
EDGES = ((0.5, 0.5, 0.5), (0.5, 0.5, 0.0), (0.5, 0.75, 0.25))
STRAINS = (-0.06, -0.036, -0.012, 0.012, 0.036, 0.06)
# The lattice constants of these crystals are 0.948 to 1.018 of the radius rule.
PROBES = (0.935, 0.965, 0.995)
SPACING = 0.008
RUTILE_RATIO = 0.66  # c/a
FCC = np.array([[0.0, 0.5, 0.5], [0.5, 0.0, 0.5], [0.5, 0.5, 0.0]])

Sites = tuple[list[str], NDArray[np.float64], NDArray[np.float64]]


def _to_cell(positions: Sequence[Sequence[float]], cell: NDArray[np.float64]) -> NDArray[np.float64]:
    """Cartesian positions, in the unit of ``cell``, in units of the cell vectors and within the cell."""
    inside = np.linalg.solve(cell.T, np.asarray(positions, dtype=np.float64).T).T % 1.0
    return np.where(np.isclose(inside, 1.0), 0.0, inside)


def perovskite(a: str, b: str, x: str) -> Sites:
    """Cubic ABX3, Pm-3m, five atoms; unit: the lattice constant."""
    positions = np.array([(0.5, 0.5, 0.5), (0, 0, 0), (0.5, 0, 0), (0, 0.5, 0), (0, 0, 0.5)])
    return [a, b, x, x, x], positions, np.eye(3)


def ordered_perovskite(a: str | tuple[str, str], b: tuple[str, str], x: tuple[str, str]) -> Sites:
    """Ten atoms, AA' BB' X3X'3 in the face-centred cell of twice the lattice constant; unit: that constant.

    The B ions alternate as sodium and chlorine do in rock salt, and so do those of A. The three X' around
    every B are mutual neighbours (facial order), which keeps the threefold axis. With one A species the space
    group is Fm-3m if there is one X species, and R-3m if there is one B species.
    """
    cell = 2 * FCC
    axes = np.eye(3) / 2
    positions = [(0.5, 0.5, 0.5), (1.5, 1.5, 1.5), (0, 0, 0), (1, 0, 0), *axes, *-axes]
    first, second = (a, a) if isinstance(a, str) else a
    symbols = [first, second, b[0], b[1], *[x[0]] * 3, *[x[1]] * 3]
    return symbols, _to_cell(positions, cell), cell


def rocksalt(a: str, x: str) -> Sites:
    """AX, Fm-3m, two atoms; unit: the cubic lattice constant."""
    return [a, x], _to_cell([(0, 0, 0), (0.5, 0, 0)], FCC), FCC


def caesium_chloride(a: str, x: str) -> Sites:
    """AX, Pm-3m, two atoms; unit: the lattice constant."""
    return [a, x], np.array([(0, 0, 0), (0.5, 0.5, 0.5)]), np.eye(3)


def fluorite(b: str, x: str) -> Sites:
    """BX2, Fm-3m, three atoms; unit: the cubic lattice constant."""
    quarter = (0.25, 0.25, 0.25)
    return [b, x, x], _to_cell([(0, 0, 0), quarter, [-q for q in quarter]], FCC), FCC


def rutile(b: str, x: str) -> Sites:
    """BX2, P4_2/mnm, six atoms with c/a of `RUTILE_RATIO` and six equal distances (u = 0.3044); unit: a."""
    u = 0.3044
    flat = [(u, u, 0), (-u, -u, 0), (0.5 + u, 0.5 - u, 0.5), (0.5 - u, 0.5 + u, 0.5)]
    positions = np.array([(0, 0, 0), (0.5, 0.5, 0.5), *flat]) % 1.0
    return [b, b, x, x, x, x], positions, np.diag([1.0, 1.0, RUTILE_RATIO])


@dataclass(frozen=True)
class Prototype:
    """A crystal structure.

    Attributes:
        build: Makes the sites of its species.
        mesh: K points along each reciprocal vector. The binaries are insulators and need their energy only.
        atoms: Number of atoms in a formula unit.
        units: Number of formula units in the cube of the lattice constant; of an ordered perovskite that is
            the constant of the simple-cubic cell.
    """

    build: Callable[..., Sites]
    mesh: tuple[int, int, int]
    atoms: int
    units: float


PROTOTYPES: Mapping[str, Prototype] = {
    "perovskite": Prototype(perovskite, (4, 4, 4), atoms=5, units=1),
    "ordered_perovskite": Prototype(ordered_perovskite, (3, 3, 3), atoms=5, units=1),
    "rocksalt": Prototype(rocksalt, (4, 4, 4), atoms=2, units=4),
    "caesium_chloride": Prototype(caesium_chloride, (5, 5, 5), atoms=2, units=1),
    "fluorite": Prototype(fluorite, (4, 4, 4), atoms=3, units=4),
    "rutile": Prototype(rutile, (3, 3, 4), atoms=3, units=2 / RUTILE_RATIO),
}


@dataclass(frozen=True)
class CellScan:
    """Cells of a structure that are calculated.

    Attributes:
        probes: Scales at which the minimum is looked for; empty: it is at 1.
        strains: Linear strains about the minimum.
        relax: Whether positions are relaxed at the minimum.
    """

    probes: Sequence[float] = PROBES
    strains: Sequence[float] = STRAINS
    relax: bool = False


def structure_record(
    prototype: str,
    formula: str,
    species: Sequence[Any],
    lattice: float,
    scan: CellScan = CellScan(),
    *,
    kpoints: Sequence[int] | None = None,
    name: str = "",
    **settings: Any,
) -> dict[str, Any]:
    """One structure to calculate.

    Args:
        prototype: Key of `PROTOTYPES`.
        formula: Formula unit.
        species: Arguments of the prototype's builder.
        lattice: Lattice constant at scale 1 in angstrom.
        scan: Scales and strains that are calculated.
        kpoints: Other k points than the prototype's.
        name: Unique name, by default of formula and prototype.
        settings: Changes to `SETTINGS`, another ``cutoff`` in eV, or other ``edges``.
    """
    kind = PROTOTYPES[prototype]
    symbols, positions, cell = kind.build(*species)
    if prototype == "ordered_perovskite" and len(set(species[1])) > 1:
        settings = {"edges": [list(point) for point in EDGES], **settings}
    return structure(
        name or f"{formula} {prototype}",
        formula,
        prototype,
        (symbols, positions, cell * lattice),
        kpoints or kind.mesh,
        scan,
        **settings,
    )


def structure(
    name: str,
    formula: str,
    prototype: str,
    sites: Sites,
    kpoints: Sequence[int],
    scan: CellScan,
    **settings: Any,
) -> dict[str, Any]:
    """The line of the table for one structure.

    Args:
        name: Unique name.
        formula: Formula unit.
        prototype: Name of the prototype.
        sites: Symbols, positions in units of the cell vectors, and cell vectors at scale 1 in angstrom.
        kpoints: K points along each reciprocal vector.
        scan: Scales and strains that are calculated.
        settings: Changes to `SETTINGS`, another ``cutoff`` in eV, or other ``edges``.
    """
    symbols, positions, cell = sites
    return {
        "structure": name,
        "formula": formula,
        "prototype": prototype,
        "symbols": symbols,
        "positions": np.round(positions, 6).tolist(),
        "cell": np.round(cell, 8).tolist(),
        "kpoints": list(kpoints),
        "probes": list(scan.probes),
        "strains": list(scan.strains),
        "spacing": SPACING,
        "relax": scan.relax,
        "settings": {
            "cutoff": max(CUTOFFS.get(symbol, CUTOFF) for symbol in symbols),
            **SETTINGS,
            **settings,
        },
    }


def radius_rule(a: float, b: float, x: float) -> float:
    """Lattice constant of a cubic ABX3 of hard ions: the larger of what B-X and A-X contacts ask for.

    Args:
        a: Radius of the A ion, in any unit; likewise ``b`` and ``x``.
        b: Of the B ion.
        x: Of the X ion.

    Returns:
        In the same unit; NaN where a radius is.

    Source: Goldschmidt, Naturwissenschaften 14, 477 (1926), doi 10.1007/BF01507527.
    """
    return float(np.maximum(2 * (b + x), np.sqrt(2) * (a + x)))


def ternaries() -> Iterator[dict[str, Any]]:
    """Every cubic ABX3 of `A_SITE`, `B_SITE` and `X_SITE`, started from `radius_rule`."""
    for a, b, x in itertools.product(A_SITE, B_SITE, X_SITE):
        radii = (ion(symbol).radius or np.nan for symbol in (a, b, x))
        yield structure_record("perovskite", f"{a}{b}{x}3", (a, b, x), radius_rule(*radii))


def binaries() -> Iterator[dict[str, Any]]:
    """AX and BX2 in two prototypes each, at the minimum; perovskites decompose to the lower of the two.

    AX comes with every cutoff that perovskites of it have, for energies of different cutoffs do not compare.
    """
    for a, x in itertools.product(A_SITE, X_SITE):
        distance = (ion(a).radius or np.nan) + (ion(x).radius or np.nan)
        for prototype, length in (
            ("rocksalt", 2 * distance),
            ("caesium_chloride", 2 / np.sqrt(3) * distance),
        ):
            usual = structure_record(prototype, f"{a}{x}", (a, x), length, CellScan(strains=(0.0,)))
            yield usual
            if x != "F":
                cutoff = CUTOFFS["Cd"]
                name = f"{a}{x} {prototype} {cutoff} eV"
                yield {**usual, "structure": name, "settings": {**usual["settings"], "cutoff": cutoff}}
    for b, x in itertools.product(B_SITE, X_SITE):
        distance = (ion(b).radius or np.nan) + (ion(x).radius or np.nan)
        # Eightfold coordination lengthens the bond of the sixfold radii by about 4 %.
        yield structure_record(
            "fluorite", f"{b}{x}2", (b, x), 4 / np.sqrt(3) * 1.06 * distance, CellScan(strains=(0.0,))
        )
        yield structure_record(
            "rutile", f"{b}{x}2", (b, x), 1.02 * distance / 0.4305, CellScan(strains=(), relax=True)
        )
