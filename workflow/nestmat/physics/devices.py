"""Tables of simulated single-junction devices: compounds with a gap, made with varied processes."""

from __future__ import annotations

import logging
from collections.abc import Mapping

import numpy as np
import pandas as pd
from scipy.stats import qmc

from nestmat.errors import InputError
from nestmat.physics.absorber import efficiency

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
            "the range of gaps is not a range above 0.",
            value=list(gap_range),
            remedy="give the least gap in eV, above 0, then the largest.",
        )
    if "gap" not in compounds or not pd.api.types.is_numeric_dtype(compounds["gap"]):
        raise InputError(
            "compounds need a column of numbers 'gap'.", column="gap", remedy="give the gaps in eV."
        )
    gap = compounds["gap"]
    reasons = np.select(
        [gap.isna(), gap < low, gap > high], ["no gap", "gap below the range", "gap above the range"], ""
    )
    return pd.Series(reasons, compounds.index, dtype=object, name="reason").loc[reasons != ""]


def device_table(
    compounds: pd.DataFrame,
    rows: int = 4000,
    seed: int = 0,
    noise: float = 0.0,
    gap_range: tuple[float, float] = GAP_RANGE,
) -> pd.DataFrame:
    """Devices of all usable compounds, with process variables from a Latin hypercube.

    Every usable compound makes equally many devices, or one more than another. The process variables are
    log-uniform in `PROCESS_RANGES`. The efficiency is `nestmat.physics.absorber.efficiency`, times a noise of
    mean 1 that is log-normal, hence never negative; with noise a device may exceed its detailed-balance
    limit. Gaps, processes and their order are the same for every ``noise``.

    Args:
        compounds: With columns ``formula`` and ``gap`` (eV). `left_out` tells which make no device; their
            number is logged.
        rows: Number of devices.
        seed: Of the order of compounds, the hypercube and the noise.
        noise: Relative standard deviation of the efficiency, 0.02 for 2 %.
        gap_range: Least and largest gap of a device in eV.

    Returns:
        ``rows`` rows: formula; gap in eV; log_thickness and log_diffusion_length, log10 of nm;
        log_front_velocity and log_back_velocity, log10 of cm/s; log_radiative_efficiency, log10; pce in
        percent.

    Raises:
        InputError: A column is missing, no compound is usable, or an argument is out of range.
    """
    if rows < 1 or seed < 0 or not 0 <= noise < 1:
        raise InputError(
            "a table of devices needs at least one row, a seed of 0 or more and noise from 0 to below 1.",
            value={"rows": rows, "seed": seed, "noise": noise},
            remedy="correct the options of the data set.",
        )
    if "formula" not in compounds:
        raise InputError("compounds need a column 'formula'.", column="formula")
    numbered = compounds.reset_index(drop=True)
    reasons = left_out(numbered, gap_range)
    usable = numbered.drop(index=reasons.index)[["formula", "gap"]]
    if usable.empty:
        raise InputError(
            f"no compound has a gap within {gap_range[0]} and {gap_range[1]} eV.",
            column="gap",
            remedy="check that the gaps are in eV, or widen the range.",
        )
    if len(reasons):
        counts = ", ".join(f"{count} {reason}" for reason, count in reasons.value_counts().items())
        _log.info("%d of %d compounds make no device: %s", len(reasons), len(compounds), counts)

    of_compounds, of_processes, of_noise = np.random.default_rng(seed).spawn(3)
    order = of_compounds.permutation(np.resize(of_compounds.permutation(len(usable)), rows))
    low, high = np.log10(list(PROCESS_RANGES.values())).T
    # `seed` is called `rng` from scipy 1.15 on, which takes both.
    cube = qmc.LatinHypercube(len(PROCESS_RANGES), seed=of_processes).random(rows)
    processes = low + (high - low) * cube
    spread = np.sqrt(np.log1p(noise**2))
    factor = np.exp(spread * of_noise.standard_normal(rows) - spread**2 / 2)

    frame = usable.iloc[order].reset_index(drop=True)
    frame = frame.assign(**{f"log_{name}": processes[:, k] for k, name in enumerate(PROCESS_RANGES)})
    return frame.assign(pce=efficiency(frame["gap"].to_numpy(), *(10**processes).T) * factor)
