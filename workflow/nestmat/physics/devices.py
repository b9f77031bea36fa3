"""Tables of simulated single-junction devices: compounds with a gap, made with varied processes."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from nestmat.errors import InputError
from nestmat.physics.absorber import simulate

if TYPE_CHECKING:
    from scipy.interpolate import PchipInterpolator

# A choice, to span halide perovskite films from poor to the best. Anchors: 200 cm/s on PC61BM, Krogmeier et
# al., Sustainable Energy Fuels 2, 1027 (2018), doi 10.1039/c7se00603a; radiative efficiencies, Green and
# Ho-Baillie, ACS Energy Lett. 4, 1639 (2019), doi 10.1021/acsenergylett.9b01128.
PROCESS_RANGES: Mapping[str, tuple[float, float]] = {
    "thickness": (100.0, 1000.0),  # nm
    "diffusion_length": (50.0, 5000.0),  # nm
    "front_velocity": (1.0, 1e4),  # cm/s
    "back_velocity": (1.0, 1e4),  # cm/s
    "radiative_efficiency": (1e-6, 0.1),
}
GAP_RANGE = (0.3, 4.0)

_log = logging.getLogger(__name__)


def left_out(compounds: pd.DataFrame, gap_range: tuple[float, float] = GAP_RANGE) -> pd.Series:
    """Why a compound makes no device: "no gap", "gap below the range", "gap above the range".

    Args:
        compounds: With a column ``gap`` in eV.
        gap_range: Least and largest gap of a device in eV, both allowed.

    Returns:
        The reasons of those left out, with the index of ``compounds``.

    Raises:
        InputError: There is no column of numbers ``gap``, or the range is not a range.
    """
    low, high = gap_range
    if not 0 < low < high:
        raise InputError(
            "The range of gaps is not a range above 0.",
            value=list(gap_range),
            remedy="give the least gap in eV, above 0, then the largest.",
        )
    if "gap" not in compounds or not pd.api.types.is_numeric_dtype(compounds["gap"]):
        raise InputError(
            "The compounds need a column of numbers 'gap'.", column="gap", remedy="give the gaps in eV."
        )
    gap = compounds["gap"]
    reasons = np.select(
        [gap.isna(), gap < low, gap > high], ["no gap", "gap below the range", "gap above the range"], ""
    )
    return pd.Series(reasons, compounds.index, dtype=object, name="reason").loc[reasons != ""]


def gap_curves(points: pd.DataFrame, strain: float) -> dict[str, PchipInterpolator]:
    """The gap of each compound over strain: monotone between calculated points, hence never beyond them.

    Args:
        points: With columns ``formula``, ``strain`` and ``gap`` (eV), a row a calculation; those without a
            strain or a gap are left out, as are repeated strains of a compound.
        strain: Largest strain of either sign that a curve has to reach.

    Returns:
        By formula; compounds whose points do not reach as far are missing.

    Source: Fritsch and Carlson, SIAM J. Numer. Anal. 17, 238 (1980), doi 10.1137/0717021.
    """
    # Whoever only simulates devices waits for no interpolation, nor for the draws below.
    from scipy.interpolate import PchipInterpolator

    calculated = points.dropna(subset=["strain", "gap"]).drop_duplicates(["formula", "strain"])
    curves = {}
    for formula, part in calculated.sort_values("strain").groupby("formula", sort=False):
        x = part["strain"].to_numpy()
        if len(x) > 1 and x[0] <= -strain and x[-1] >= strain:
            curves[str(formula)] = PchipInterpolator(x, part["gap"].to_numpy())
    return curves


def _within(formulas: Iterable[str], curves: Mapping[str, PchipInterpolator], strain: float) -> pd.DataFrame:
    """Least and largest gap of each formula within a strain, as gap and highest; NaN without a curve."""
    rows = []
    for formula in formulas:
        gaps = np.array([np.nan])
        if formula in curves:
            inside = curves[formula].x[abs(curves[formula].x) < strain]
            gaps = curves[formula]([-strain, *inside, strain])
        rows.append((formula, gaps.min(), gaps.max()))
    return pd.DataFrame(rows, columns=["formula", "gap", "highest"])


def _usable(candidates: pd.DataFrame, gap_range: tuple[float, float]) -> pd.DataFrame:
    """The candidates that make devices; what is left out is logged."""
    reasons = left_out(candidates, gap_range)
    if "highest" in candidates:
        highest = candidates.assign(gap=candidates["highest"])
        reasons = reasons.combine_first(left_out(highest, gap_range))
    if len(reasons) == len(candidates):
        raise InputError(
            f"No compound has a gap within {gap_range[0]} and {gap_range[1]} eV.",
            column="gap",
            remedy="check that the gaps are in eV, or widen the range.",
        )
    if len(reasons):
        counts = ", ".join(f"{count} {reason}" for reason, count in reasons.value_counts().items())
        _log.info("%d of %d compounds make no device: %s", len(reasons), len(candidates), counts)
    return candidates.drop(index=reasons.index)


def efficiency(devices: pd.DataFrame) -> NDArray[np.float64]:
    """Efficiency in percent, by `nestmat.physics.absorber.simulate` and without noise.

    Args:
        devices: One row a device, with the columns gap (eV) and log_<name> of each of `PROCESS_RANGES`.
    """
    processes = devices[[f"log_{name}" for name in PROCESS_RANGES]].to_numpy(np.float64)
    return simulate(devices["gap"].to_numpy(np.float64), *(10**processes).T).pce


def latin_hypercube(rows: int, dimensions: int, random: np.random.Generator) -> NDArray[np.float64]:
    """Points of the unit cube, one in each of as many equal slices of every axis as there are points.

    They are those of `scipy.stats.qmc.LatinHypercube`, without the second that `scipy.stats` takes to import.

    Args:
        rows: Number of points.
        dimensions: Number of axes.
        random: Where they are drawn from.

    Returns:
        ``rows x dimensions`` numbers from 0 to 1.

    Source: McKay, Beckman and Conover, Technometrics 21, 239 (1979), doi 10.2307/1268522.
    """
    # As scipy does, which leaves the generator that it is given as it was.
    [child] = random.spawn(1)
    within = child.uniform(size=(rows, dimensions))
    slices = np.tile(np.arange(1, rows + 1), (dimensions, 1))
    for axis in slices:
        child.shuffle(axis)
    return (slices.T - within) / rows


def device_table(
    compounds: pd.DataFrame,
    rows: int = 4000,
    seed: int = 0,
    noise: float = 0.0,
    gap_range: tuple[float, float] = GAP_RANGE,
    strain: float | None = None,
) -> pd.DataFrame:
    """Devices of all usable compounds, with process variables from a Latin hypercube.

    Every usable compound makes equally many devices, or one more than another. The process variables are
    log-uniform in `PROCESS_RANGES`. `efficiency` is multiplied by a noise of mean 1 that is log-normal, hence
    never negative; with noise a device may exceed its detailed-balance limit. Gaps, processes and their order
    are the same for every ``noise``.

    Args:
        compounds: With columns ``formula`` and ``gap`` (eV). `left_out` returns which make no device; their
            number is logged. With ``strain`` also a column ``strain``, and several rows a formula.
        rows: Number of devices.
        seed: Of the order of compounds, the hypercube and the noise.
        noise: Relative standard deviation of the efficiency, 0.02 for 2 %.
        gap_range: Least and largest gap of a device in eV.
        strain: Largest linear strain of the lattice of either sign, 0.02 for 2 %: uniform, a further variable
            of the hypercube, with the gap by `gap_curves`. A compound whose gap leaves ``gap_range`` at any
            strain makes no device. None for lattices without strain.

    Returns:
        ``rows`` rows: formula; strain, if any; gap in eV; log_thickness and log_diffusion_length, log10 of
        nm; log_front_velocity and log_back_velocity, log10 of cm/s; log_radiative_efficiency, log10; pce in
        percent.

    Raises:
        InputError: A column is missing, no compound is usable, or an argument is out of range.
    """
    if rows < 1 or seed < 0 or not 0 <= noise < 1 or not (strain is None or 0 < strain < 1):
        raise InputError(
            "A table of devices needs at least one row, a seed of 0 or more, noise from 0 to below 1 and a "
            "strain, if any, between 0 and 1.",
            value={"rows": rows, "seed": seed, "noise": noise, "strain": strain},
            remedy="correct the options of the data set.",
        )
    for column in ["formula"] if strain is None else ["formula", "strain", "gap"]:
        if column not in compounds:
            raise InputError(f"The compounds need a column {column!r}.", column=column)
    curves = {} if strain is None else gap_curves(compounds, strain)
    candidates = compounds.reset_index(drop=True)
    if strain is not None:
        candidates = _within(compounds["formula"].unique(), curves, strain)
    usable = _usable(candidates, gap_range)[["formula", "gap"]]

    of_compounds, of_processes, of_noise = np.random.default_rng(seed).spawn(3)
    order = of_compounds.permutation(np.resize(of_compounds.permutation(len(usable)), rows))
    low, high = np.log10(list(PROCESS_RANGES.values())).T
    cube = latin_hypercube(rows, len(low) + (strain is not None), of_processes)
    processes = low + (high - low) * cube[:, : len(low)]
    spread = np.sqrt(np.log1p(noise**2))
    factor = np.exp(spread * of_noise.standard_normal(rows) - spread**2 / 2)

    frame = usable.iloc[order].reset_index(drop=True)
    if strain is not None:
        frame.insert(1, "strain", strain * (2 * cube[:, -1] - 1))
        for formula in usable["formula"]:
            of_compound = frame["formula"] == formula
            frame.loc[of_compound, "gap"] = curves[formula](frame.loc[of_compound, "strain"])
    frame = frame.assign(**{f"log_{name}": processes[:, k] for k, name in enumerate(PROCESS_RANGES)})
    return frame.assign(pce=efficiency(frame) * factor)
