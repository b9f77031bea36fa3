"""Simulated devices of the calculated perovskites and alloys."""

from __future__ import annotations

from typing import Annotated

import pandas as pd
from pydantic import Field

from nestmat import tables
from nestmat.config.datasets import DEVICES
from nestmat.data.generator_registry import GENERATORS
from nestmat.data.registry import READS
from nestmat.errors import InputError
from nestmat.paths import RESOURCES
from nestmat.physics.calculations import PEROVSKITES, converged_curve, with_reference_settings
from nestmat.physics.devices import GAP_RANGE, device_table, gap_curves


@GENERATORS.register("perovskite_devices")
def perovskite_devices(
    rows: int = 4000,
    seed: int = 0,
    noise: float = 0.0,
    strain: float | None = 0.02,
    gap_range: Annotated[tuple[float, float], Field(strict=False)] = GAP_RANGE,
) -> pd.DataFrame:
    """Simulated devices of the calculated perovskites and alloys, on strained lattices.

    Args:
        rows: Number of devices.
        seed: Seed of all that is drawn.
        noise: Relative standard deviation of the efficiency.
        strain: Largest linear strain of the lattice of either sign; None for lattices at rest.
        gap_range: Least and largest gap of a device in eV.

    Returns:
        The table of `nestmat.physics.devices.device_table`: formula, strain unless it is None, gap, the
        process variables and pce. Gaps are those of the reference calculations, interpolated over strain; at
        rest they are those at the minimum of the energy.

    Raises:
        InputError: An option is out of range, or the reference calculations are not there.
    """
    points = calculated_gaps()
    return device_table(
        points if strain is not None else _at_rest(points), rows, seed, noise, gap_range, strain
    )


def _at_rest(points: pd.DataFrame) -> pd.DataFrame:
    """Formula and gap (eV) without strain, one row a compound whose points lie on both sides of it."""
    curves = gap_curves(points, 0.0)
    return pd.DataFrame({"formula": list(curves), "gap": [float(curve(0.0)) for curve in curves.values()]})


def calculated_gaps() -> pd.DataFrame:
    """The reference calculations that gaps of devices are interpolated between.

    Returns:
        One row a volume of a perovskite or alloy, with formula, strain and gap (eV) among its columns.

    Raises:
        InputError: The reference calculations are not there.
    """
    [path] = (RESOURCES / name for name in READS[DEVICES])
    if not path.is_file():
        raise InputError(
            "The reference calculations are missing.",
            file=path,
            remedy="it is part of the repository: restore it.",
        )
    points = with_reference_settings(tables.read(path, sealed=False))
    points = points[points["prototype"].isin(PEROVSKITES)]
    return pd.concat([converged_curve(part) for _, part in points.groupby("structure", sort=False)])
