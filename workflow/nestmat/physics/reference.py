"""The reference set of cubic halide perovskites: what is calculated, and what follows from it."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from pymatgen.core import Composition
from scipy.optimize import linprog

from nestmat.physics import structures
from nestmat.physics.structures import wanted

PEROVSKITES = ("perovskite", "ordered_perovskite")
# Atoms in a formula unit, and formula units in the cube of the lattice constant.
_ATOMS = {
    "perovskite": 5,
    "ordered_perovskite": 5,
    "rocksalt": 2,
    "caesium_chloride": 2,
    "fluorite": 3,
    "rutile": 3,
}
_UNITS = {"rocksalt": 4.0, "fluorite": 4.0, "rutile": 2 / 0.66}
_GPA = 160.21766208  # eV per cubic angstrom in GPa

CONVERGENCE = (
    "CsPbI3",
    "KPbBr3",
    "CsSnBr3",
    "RbSnF3",
    "RbGeCl3",
    "KGeI3",
    "KCaCl3",
    "RbMgF3",
    "CsCdCl3",
    "KZnF3",
)
_HALOGENS = ("Cl", "Br", "I")
# An alloy of two of these has a gap far above what a solar cell or an emitter uses.
_WIDE = frozenset(("Mg", "Ca", "Sr", "Ba"))


@dataclass(frozen=True)
class EquationOfState:
    """A Birch-Murnaghan curve; of third order from five volumes on, of second order from three.

    Attributes:
        volume: Volume of the minimum, in the unit of the volumes given.
        energy: Energy of the minimum.
        bulk_modulus: In energy per volume.
        residual: Root mean square deviation of the energies.
        inside: Whether the minimum lies within the volumes given.
    """

    volume: float
    energy: float
    bulk_modulus: float
    residual: float
    inside: bool


def _roots(c: float, b: float, a: float) -> NDArray[np.float64]:
    """Roots of a t^2 + b t + c, accurate also where a is next to nothing; not finite where there is none."""
    q = -(b + np.copysign(np.sqrt(b * b - 4 * a * c), b)) / 2
    return np.array([q / a, c / q])


def equation_of_state(volume: ArrayLike, energy: ArrayLike) -> EquationOfState:
    """Fit energies over volumes: a polynomial in volume^(-2/3), which is what Birch-Murnaghan curves are.

    Args:
        volume: Volumes, at least three.
        energy: Energies.

    Raises:
        ValueError: There are fewer than three volumes, or the curve has no minimum.

    Source: Birch, Phys. Rev. 71, 809 (1947), doi 10.1103/PhysRev.71.809.
    """
    v, e = np.asarray(volume, dtype=np.float64), np.asarray(energy, dtype=np.float64)
    if len(v) < 3:
        raise ValueError(f"{len(v)} volumes do not determine an equation of state")
    x = v ** (-2 / 3)
    curve = np.polynomial.Polynomial.fit(x, e, 3 if len(v) >= 5 else 2)
    slope, curvature = curve.deriv(1), curve.deriv(2)
    with np.errstate(divide="ignore", invalid="ignore"):
        extrema = _roots(*np.pad(slope.coef, (0, 3 - len(slope.coef))))
    # From the variable of the fit, which is scaled to [-1, 1], to x.
    offset, factor = slope.mapparms()
    roots = [r for r in (extrema - offset) / factor if np.isfinite(r) and r > 0 and curvature(r) > 0]
    if not roots:
        raise ValueError("the energies have no minimum")
    best = float(min(roots, key=lambda r: abs(r - x[e.argmin()])))
    v0 = best**-1.5
    # d2E/dV2 at the minimum, where dE/dx is zero: E'' (dx/dV)^2.
    bulk = v0 * float(curvature(best)) * (2 / 3 * v0 ** (-5 / 3)) ** 2
    residual = float(np.sqrt(np.mean((curve(x) - e) ** 2)))
    return EquationOfState(v0, float(curve(best)), bulk, residual, bool(v.min() <= v0 <= v.max()))


def calculations(records: Iterable[Mapping[str, Any]]) -> pd.DataFrame:
    """The records of `scripts/run_dft.py` as a table, one row a calculation, failed ones too.

    ``lattice`` is the cubic lattice constant in angstrom that belongs to the volume, of the simple-cubic
    perovskite also where the cell is a larger one; ``energy`` is in eV and ``volume`` in cubic angstrom per
    formula unit; ``strain`` is linear, about the minimum of the structure's equation of state, and NaN where
    there is none.
    """
    rows = []
    for record in records:
        prototype = record["prototype"]
        units = len(record["symbols"]) / _ATOMS[prototype]
        volume = abs(float(np.linalg.det(record["cell"]))) / units
        rows.append(
            {
                **{key: record[key] for key in ("structure", "formula", "prototype", "kind", "scale")},
                "lattice": (volume * _UNITS.get(prototype, 1.0)) ** (1 / 3),
                "volume": volume,
                "energy": record.get("energy", np.nan) / units,
                **{
                    key: record.get(key, np.nan)
                    for key in ("pressure", "gap", "direct_gap", "valence_edge", "conduction_edge", "force")
                },
                "direct": record.get("direct"),
                "k_valence": _text(record.get("k_valence", ()), " "),
                "k_conduction": _text(record.get("k_conduction", ()), " "),
                "cutoff": float(record["settings"]["cutoff"]),
                "kpoints": _text(record["kpoints"], "x"),
                "status": record["status"],
                "message": record["message"],
                "seconds": record["seconds"],
            }
        )
    frame = pd.DataFrame(rows)
    frame["strain"] = np.nan
    for structure, points in frame.groupby("structure", sort=False):
        try:
            fit = _fit(points)
        except ValueError:
            continue
        strain = (points["volume"] / fit.volume) ** (1 / 3) - 1
        frame.loc[frame["structure"] == structure, "strain"] = strain
    return frame


def _text(numbers: Iterable[float], mark: str) -> str:
    return mark.join(f"{number:g}" for number in numbers)


def branch(points: pd.DataFrame) -> pd.DataFrame:
    """The converged calculations of one structure that share their atoms' positions, by volume.

    Where positions were relaxed, probes made before do not belong to the curve.
    """
    good = points[points["status"] == "converged"]
    if (points["kind"] == "relaxation").any():
        good = good[good["kind"] != "probe"]
    return good.sort_values("volume")


def _fit(points: pd.DataFrame) -> EquationOfState:
    good = branch(points)
    return equation_of_state(good["volume"], good["energy"])


def standard(frame: pd.DataFrame) -> pd.DataFrame:
    """The calculations with the settings of the reference set: without those that test its convergence."""
    return frame[frame["structure"] == frame["formula"] + " " + frame["prototype"]]


def _binary_energies(frame: pd.DataFrame, cutoff: float) -> dict[str, float]:
    """Energy of the lower of both prototypes of each binary halide with a cutoff, eV per formula unit."""
    rows = frame[~frame["prototype"].isin(PEROVSKITES) & (frame["cutoff"] == cutoff)]
    lowest = rows.groupby(["formula", "prototype"])["energy"].min().groupby("formula").agg(["size", "min"])
    return {str(formula): energy for formula, energy in lowest.loc[lowest["size"] == 2, "min"].items()}


def decomposition(formula: str, binaries: Mapping[str, float]) -> tuple[dict[str, float], float]:
    """The mixture of binary halides of lowest energy that a formula unit decomposes to.

    Args:
        formula: Formula of the perovskite or alloy.
        binaries: Energy of each binary in eV per formula unit.

    Returns:
        Amount of each binary, and their energy in eV; nothing and NaN where no known binaries make it.
    """
    target = Composition(formula)
    elements = sorted(target.as_dict())
    usable = [b for b in binaries if set(Composition(b).as_dict()) <= set(elements)]
    if not usable:
        return {}, np.nan
    amounts = np.array([[Composition(b)[e] for b in usable] for e in elements])
    solution = linprog([binaries[b] for b in usable], A_eq=amounts, b_eq=[target[e] for e in elements])
    if not solution.success:
        return {}, np.nan
    products = {b: float(n) for b, n in zip(usable, solution.x, strict=True) if n > 1e-9}
    return products, float(solution.fun)


def compounds(frame: pd.DataFrame) -> pd.DataFrame:
    """One row a perovskite: its equation of state, gap at the minimum and formation energy.

    Args:
        frame: What `calculations` makes.

    Returns:
        ``formula``, ``prototype``, ``lattice`` (angstrom), ``bulk_modulus`` (GPa), ``energy`` (eV per
        formula unit), ``gap`` and ``direct_gap`` (eV, by a straight line between the volumes next to the
        minimum, 0 for a metal), ``direct`` (at the volume next to it), ``formation_energy`` (eV per formula
        unit towards the binary halides), ``products``, ``residual`` (eV per formula unit), ``volumes`` (their
        number). Structures without an equation of state are left out; their calculations say why.
    """
    binaries = {cutoff: _binary_energies(frame, cutoff) for cutoff in frame["cutoff"].unique()}
    frame = standard(frame)
    rows = []
    for _, points in frame[frame["prototype"].isin(PEROVSKITES)].groupby("structure", sort=False):
        good = branch(points)
        try:
            fit = equation_of_state(good["volume"], good["energy"])
        except ValueError:
            continue
        if not fit.inside:
            continue
        formula = points["formula"].iloc[0]
        lattice = fit.volume ** (1 / 3)
        products, reference = decomposition(formula, binaries[points["cutoff"].iloc[0]])
        nearest = good.iloc[int((good["lattice"] - lattice).abs().argmin())]
        rows.append(
            {
                "formula": formula,
                "prototype": points["prototype"].iloc[0],
                "lattice": lattice,
                "bulk_modulus": fit.bulk_modulus * _GPA,
                "energy": fit.energy,
                "gap": np.interp(lattice, good["lattice"], good["gap"]),
                "direct_gap": np.interp(lattice, good["lattice"], good["direct_gap"]),
                "direct": bool(nearest["direct"]),
                "formation_energy": fit.energy - reference,
                "products": " + ".join(f"{amount:g} {binary}" for binary, amount in products.items()),
                "residual": fit.residual,
                "volumes": len(good),
            }
        )
    return pd.DataFrame(rows)


def electronic(frame: pd.DataFrame, strain: float = 0.07) -> pd.DataFrame:
    """What the electronic scale learns from: every converged volume of every perovskite.

    Args:
        frame: What `calculations` makes.
        strain: Largest linear strain of either sign; beyond it lie volumes met on the way to the minimum.

    Returns:
        ``formula``, ``strain``, ``gap`` (eV, 0 for a metal) at that strain, and for the compound ``lattice``
        (angstrom) and ``formation_energy`` (eV per formula unit) without strain.
    """
    known = compounds(frame)
    if known.empty:
        return known
    known = known[["formula", "prototype", "lattice", "formation_energy"]]
    points = [branch(rows) for _, rows in standard(frame).groupby("structure", sort=False)]
    rows = pd.concat(points)[["formula", "prototype", "strain", "gap"]]
    return rows[rows["strain"].abs() <= strain].merge(known, on=["formula", "prototype"])


def convergence(frame: pd.DataFrame) -> Iterator[dict[str, Any]]:
    """Ten ternaries again at four of their volumes, with a higher cutoff and with a denser mesh."""
    for formula in CONVERGENCE:
        points = branch(standard(frame[frame["structure"] == f"{formula} perovskite"]))
        if len(points) < 4:
            raise ValueError(f"{formula} has no equation of state to test: calculate the ternaries first")
        near = points.reindex(points["strain"].abs().sort_values().index).head(4).sort_values("scale")
        first = points.iloc[0]
        base = first["lattice"] / first["scale"]
        strains = [round(scale - 1, 8) for scale in near["scale"]]
        species = tuple(Composition(formula).as_dict())
        cutoff = {"cutoff": 700 if "F" in species else 500}
        for label, change in (("cutoff", cutoff), ("mesh", {"kpoints": (6, 6, 6)})):
            yield wanted(
                "perovskite", formula, species, base, probes=(), strains=strains,
                name=f"{formula} perovskite {label}", **change,
            )  # fmt: skip


def convergence_errors(frame: pd.DataFrame) -> pd.DataFrame:
    """What a higher cutoff and a denser mesh change, compound by compound.

    Args:
        frame: Calculations of the ternaries and of the set `convergence`.

    Returns:
        ``formula``, ``change`` (cutoff or mesh), ``cutoff`` (eV), ``kpoints``, ``gap`` (largest change of the
        gap over the volumes, eV) and ``lattice`` (relative change of the lattice constant of the minimum,
        fitted to the same volumes on both sides).
    """
    rows = []
    for formula in CONVERGENCE:
        base = frame[frame["structure"] == f"{formula} perovskite"]
        for change in ("cutoff", "mesh"):
            finer = branch(frame[frame["structure"] == f"{formula} perovskite {change}"])
            if len(finer) < 3:
                continue
            pairs = pd.merge_asof(
                finer,
                branch(base)[["volume", "energy", "gap"]],
                on="volume",
                direction="nearest",
                suffixes=("", "_base"),
            )
            volumes = [equation_of_state(pairs["volume"], pairs[e]).volume for e in ("energy", "energy_base")]
            rows.append(
                {
                    "formula": formula,
                    "change": change,
                    "cutoff": finer["cutoff"].iloc[0],
                    "kpoints": finer["kpoints"].iloc[0],
                    "gap": float((pairs["gap"] - pairs["gap_base"]).abs().max()),
                    "lattice": (volumes[0] / volumes[1]) ** (1 / 3) - 1,
                }
            )
    return pd.DataFrame(rows)


def alloys(frame: pd.DataFrame, count: int = 120, seed: int = 0) -> Iterator[dict[str, Any]]:
    """Ordered alloys of two B or two X species in equal parts, in an order that may be cut anywhere.

    Seven alloys of the B site and one of the X site take turns, each kind in random order. Left out are pairs
    of two of Mg, Ca, Sr and Ba, fluorine, and pairs with Cd, whose cutoff is another. Cells start from the
    mean of the lattice constants of the two perovskites that an alloy lies between.

    Args:
        frame: Calculations of the ternaries.
        count: Number of alloys.
        seed: Seed of the order.
    """
    lattice = compounds(frame).set_index("formula")["lattice"]
    on_b = [
        (a, pair, (x, x))
        for a, x in itertools.product(structures.A_SITE, _HALOGENS)
        for pair in itertools.combinations(structures.B_SITE, 2)
        if not _WIDE.issuperset(pair) and "Cd" not in pair
    ]
    on_x = [
        (a, (b, b), pair)
        for a, b in itertools.product(structures.A_SITE, structures.B_SITE)
        for pair in itertools.combinations(_HALOGENS, 2)
    ]
    generator = np.random.default_rng(seed)
    shuffled = [iter([kind[i] for i in generator.permutation(len(kind))]) for kind in (on_b, on_x)]
    order = itertools.chain.from_iterable(
        [next(shuffled[kind], None) for kind in (0, 0, 0, 1, 0, 0, 0, 0)]
        for _ in range(len(on_b) + len(on_x))
    )
    made = 0
    for entry in order:
        if made == count:
            return
        if entry is None:
            continue
        a, (b1, b2), (x1, x2) = entry
        ends = {f"{a}{b}{x}3" for b, x in zip((b1, b2), (x1, x2), strict=True)}
        if not ends <= set(lattice.index):
            continue
        made += 1
        formula = f"{a}{b1}{x1}1.5{x2}1.5" if b1 == b2 else f"{a}{b1}0.5{b2}0.5{x1}3"
        start = float(np.mean([lattice[end] for end in ends]))
        species = (a, (b1, b2), (x1, x2))
        yield wanted(
            "ordered_perovskite", formula, species, start, probes=(), strains=(-0.03, 0.0, 0.03), relax=True
        )


SETS: Mapping[str, Callable[..., Iterator[dict[str, Any]]]] = {
    "ternaries": lambda _frame, **_options: structures.ternaries(),
    "binaries": lambda _frame, **_options: structures.binaries(),
    "convergence": convergence,
    "alloys": alloys,
}
