"""The reference set of cubic halide perovskites: what is calculated, and what follows from it."""

from __future__ import annotations

import itertools
import logging
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import numpy as np
import pandas as pd
from pymatgen.core import Composition
from scipy import constants

from nestmat.dft import structures
from nestmat.dft.equation_of_state import EquationOfState, equation_of_state
from nestmat.dft.registry import STRUCTURE_SETS
from nestmat.dft.structures import PROTOTYPES, CellScan, structure_record
from nestmat.physics.calculations import PEROVSKITES, converged_curve, with_reference_settings

_LOG = logging.getLogger(__name__)
_GPA = constants.e / constants.angstrom**3 / constants.giga  # in 1 eV per cubic angstrom
_SAME_EDGE = 1e-3  # eV: a direct gap this near to the gap is the gap, as in `scripts/run_dft.py`
_SAME_VOLUME = 1e-4  # relative

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
        units = len(record["symbols"]) / PROTOTYPES[prototype].atoms
        volume = abs(float(np.linalg.det(record["cell"]))) / units
        rows.append(
            {
                **{key: record[key] for key in ("structure", "formula", "prototype", "kind", "scale")},
                "lattice": (volume * PROTOTYPES[prototype].units) ** (1 / 3),
                "volume": volume,
                "energy": record.get("energy", np.nan) / units,
                **{
                    key: record.get(key, np.nan)
                    for key in ("pressure", "gap", "direct_gap", "valence_edge", "conduction_edge", "force")
                },
                "direct": record.get("direct"),
                "k_valence": _text(record.get("k_valence", ()), " "),
                "k_conduction": _text(record.get("k_conduction", ()), " "),
                "functional": record["settings"]["functional"],
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


def _fit(points: pd.DataFrame) -> EquationOfState:
    good = converged_curve(points)
    return equation_of_state(good["volume"], good["energy"])


def _minimum_energy(points: pd.DataFrame) -> float:
    """Energy of the minimum of a binary halide, eV per formula unit; NaN where it is not known."""
    good = converged_curve(points)
    if points["prototype"].iloc[0] == "rutile":
        # Its atoms are free to move: only the relaxation, at the minimum of the probes, is its energy.
        return good.loc[good["kind"] == "relaxation", "energy"].min()
    try:
        fit = equation_of_state(good["volume"], good["energy"])
    except ValueError:
        return np.nan
    # So near to a probe, the minimum was not calculated again, even where it lies outside of the probes.
    margin = (1 + structures.SPACING) ** 3
    near = good["volume"].min() / margin <= fit.volume <= good["volume"].max() * margin
    return fit.energy if near else np.nan


def _binary_energies(frame: pd.DataFrame) -> dict[tuple[float, str], dict[str, float]]:
    """Energy of each binary halide in eV per formula unit, by cutoff and functional.

    It is that of the lower of both prototypes; a binary of which one is not known is left out. Energies of
    different cutoffs or functionals do not compare.
    """
    energies: dict[tuple[float, str], dict[str, dict[str, float]]] = {}
    rows = frame[~frame["prototype"].isin(PEROVSKITES)]
    for name, points in rows.groupby(["structure", "cutoff", "functional"], sort=False):
        first, energy = points.iloc[0], _minimum_energy(points)
        if np.isnan(energy):
            _LOG.info("%s at %g eV with %s has no energy", *name)
            continue
        binaries = energies.setdefault((first["cutoff"], first["functional"]), {})
        binaries.setdefault(first["formula"], {})[first["prototype"]] = energy
    return {
        settings: {formula: min(of.values()) for formula, of in sorted(binaries.items()) if len(of) == 2}
        for settings, binaries in energies.items()
    }


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
    from scipy.optimize import linprog

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
        minimum, 0 for a metal), ``direct`` (whether the two are the same; False for a metal),
        ``formation_energy`` (eV per formula unit towards the binary halides; NaN where these were not
        calculated with the same cutoff and functional), ``products``, ``residual`` (eV per formula unit, NaN
        for three volumes), ``volumes`` (their number). Structures without an equation of state, or with its
        minimum outside of their volumes, are left out; the log says which and why.
    """
    binaries = _binary_energies(frame)
    frame = with_reference_settings(frame)
    rows = []
    for structure, points in frame[frame["prototype"].isin(PEROVSKITES)].groupby("structure", sort=False):
        good = converged_curve(points)
        try:
            fit = equation_of_state(good["volume"], good["energy"])
        except ValueError as error:
            _LOG.warning("%s is no compound: %s", structure, error)
            continue
        if not fit.inside:
            _LOG.warning("%s is no compound: the minimum is outside of its volumes", structure)
            continue
        first = points.iloc[0]
        lattice = fit.volume ** (1 / 3)
        energies_of_binaries = binaries.get((first["cutoff"], first["functional"]), {})
        products, reference = decomposition(first["formula"], energies_of_binaries)
        gap, direct_gap = (
            float(np.interp(lattice, good["lattice"], good[name])) for name in ("gap", "direct_gap")
        )
        rows.append(
            {
                "formula": first["formula"],
                "prototype": first["prototype"],
                "lattice": lattice,
                "bulk_modulus": fit.bulk_modulus * _GPA,
                "energy": fit.energy,
                "gap": gap,
                "direct_gap": direct_gap,
                "direct": gap > 0 and direct_gap - gap < _SAME_EDGE,
                "formation_energy": fit.energy - reference,
                "products": " + ".join(f"{amount:g} {binary}" for binary, amount in products.items()),
                "residual": fit.residual,
                "volumes": len(good),
            }
        )
    return pd.DataFrame(rows)


def electronic(frame: pd.DataFrame, compounds_table: pd.DataFrame, strain: float = 0.07) -> pd.DataFrame:
    """What the electronic scale learns from: every converged volume of every perovskite.

    Args:
        frame: What `calculations` makes.
        compounds_table: What `compounds` makes of it.
        strain: Largest linear strain of either sign; beyond it lie volumes met on the way to the minimum.

    Returns:
        ``formula``, ``strain``, ``gap`` (eV, 0 for a metal) at that strain, and for the compound ``lattice``
        (angstrom) and ``formation_energy`` (eV per formula unit) without strain.
    """
    if compounds_table.empty:
        return compounds_table
    compounds_table = compounds_table[["formula", "prototype", "lattice", "formation_energy"]]
    points = [
        converged_curve(rows) for _, rows in with_reference_settings(frame).groupby("structure", sort=False)
    ]
    rows = pd.concat(points)[["formula", "prototype", "strain", "gap"]]
    return rows[rows["strain"].abs() <= strain].merge(compounds_table, on=["formula", "prototype"])


@STRUCTURE_SETS.register("ternaries")
def list_ternaries(frame: pd.DataFrame | None) -> Iterator[dict[str, Any]]:
    """Every cubic ABX3 of the reference set; see `nestmat.dft.structures.ternaries`."""
    return structures.ternaries()


@STRUCTURE_SETS.register("binaries")
def list_binaries(frame: pd.DataFrame | None) -> Iterator[dict[str, Any]]:
    """The binary halides of the reference set; see `nestmat.dft.structures.binaries`."""
    return structures.binaries()


@STRUCTURE_SETS.register("convergence")
def convergence(frame: pd.DataFrame) -> Iterator[dict[str, Any]]:
    """Ten ternaries again at four of their volumes, with a higher cutoff and with a denser mesh."""
    for formula in CONVERGENCE:
        points = converged_curve(
            with_reference_settings(frame[frame["structure"] == f"{formula} perovskite"])
        )
        if len(points) < 4:
            raise ValueError(f"{formula} has no equation of state to test: calculate the ternaries first")
        near = points.reindex(points["strain"].abs().sort_values().index).head(4).sort_values("scale")
        first = points.iloc[0]
        base = first["lattice"] / first["scale"]
        strains = [round(scale - 1, 8) for scale in near["scale"]]
        species = tuple(Composition(formula).as_dict())
        cutoff = {"cutoff": 700 if "F" in species else 500}
        for label, change in (("cutoff", cutoff), ("mesh", {"kpoints": (6, 6, 6)})):
            yield structure_record(
                "perovskite", formula, species, base, CellScan(probes=(), strains=strains),
                name=f"{formula} perovskite {label}", **change,
            )  # fmt: skip


def convergence_errors(frame: pd.DataFrame) -> pd.DataFrame:
    """What a higher cutoff and a denser mesh change, compound by compound.

    Args:
        frame: Calculations of the ternaries and of the set `convergence`.

    Returns:
        ``formula``, ``change`` (cutoff or mesh), ``cutoff`` (eV), ``kpoints``, ``gap`` (largest change of the
        gap at one volume, eV), ``gap_at_minimum`` (change of the gap from the minimum of one setting to that
        of the other, eV; NaN where one lies outside of the volumes) and ``lattice`` (relative change of the
        lattice constant of the minimum). Both minima are fitted to the volumes that both settings have;
        volumes of one alone are left out, which the log reports.
    """
    rows = []
    for formula in CONVERGENCE:
        base = converged_curve(frame[frame["structure"] == f"{formula} perovskite"])
        for change in ("cutoff", "mesh"):
            name = f"{formula} perovskite {change}"
            finer = converged_curve(frame[frame["structure"] == name])
            if finer.empty:
                continue
            pairs = pd.merge_asof(
                finer,
                base[["volume", "energy", "gap"]],
                on="volume",
                direction="nearest",
                tolerance=_SAME_VOLUME * finer["volume"].min(),
                suffixes=("", "_base"),
            ).dropna(subset="energy_base")
            if len(pairs) < len(finer):
                _LOG.warning("%s: %d volumes have no counterpart", name, len(finer) - len(pairs))
            if len(pairs) < 3:
                continue
            fits = [equation_of_state(pairs["volume"], pairs[e]) for e in ("energy", "energy_base")]
            lattices = [fit.volume ** (1 / 3) for fit in fits]
            gaps = [
                np.interp(lattice, pairs["lattice"], pairs[gap]) if fit.inside else np.nan
                for fit, lattice, gap in zip(fits, lattices, ("gap", "gap_base"), strict=True)
            ]
            rows.append(
                {
                    "formula": formula,
                    "change": change,
                    "cutoff": finer["cutoff"].iloc[0],
                    "kpoints": finer["kpoints"].iloc[0],
                    "gap": float((pairs["gap"] - pairs["gap_base"]).abs().max()),
                    "gap_at_minimum": float(gaps[0] - gaps[1]),
                    "lattice": lattices[0] / lattices[1] - 1,
                }
            )
    return pd.DataFrame(rows)


@STRUCTURE_SETS.register("alloys")
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
        [next(shuffled[kind], None) for kind in (0, 0, 0, 0, 0, 0, 0, 1)]
        for _ in range(len(on_b) + len(on_x))
    )
    listed = 0
    for entry in order:
        if listed == count:
            return
        if entry is None:
            continue
        a, (b1, b2), (x1, x2) = entry
        ends = {f"{a}{b}{x}3" for b, x in zip((b1, b2), (x1, x2), strict=True)}
        if not ends <= set(lattice.index):
            continue
        listed += 1
        formula = f"{a}{b1}{x1}1.5{x2}1.5" if b1 == b2 else f"{a}{b1}0.5{b2}0.5{x1}3"
        start = float(np.mean([lattice[end] for end in ends]))
        species = (a, (b1, b2), (x1, x2))
        yield structure_record(
            "ordered_perovskite", formula, species, start, CellScan((), (-0.03, 0.0, 0.03), relax=True)
        )
