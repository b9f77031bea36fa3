"""The physics of devices as a judge: the simulator at the gap that trees predict."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from nestmat.config.datasets import DatasetSpec
from nestmat.data.registry import resolve
from nestmat.design.judges.base import Judge, JudgedQuantities
from nestmat.design.judges.registry import JUDGES
from nestmat.errors import InputError
from nestmat.physics.devices import GAP_RANGE, PROCESS_RANGES, efficiency
from nestmat.search.spaces.product import Product

if TYPE_CHECKING:
    from nestmat.design.problem import Design

TREES = "trees"
"""The judge whose gap is simulated."""


@JUDGES.register("physics")
@dataclass(frozen=True)
class Physics(Judge):
    """The simulator of devices, at the gap that the trees predict; for a scale of simulated devices.

    Attributes:
        gap: Quantity that is the gap in eV.
    """

    title: ClassVar[str] = "physics"
    needs: ClassVar[tuple[str, ...]] = (TREES,)
    needs_devices: ClassVar[bool] = True

    gap: str

    @property
    def quantities(self) -> Sequence[str]:
        """The gap."""
        return (self.gap,)

    def fit(self, design: Design) -> DeviceSimulator:
        """The simulator, with the process variables of the scale's data set.

        Raises:
            InputError: The design space lacks a process variable.
        """
        study, scale = design.study, design.config.scale
        spec = resolve(study.datasets[study.scales[scale].dataset])
        quantity = f"{scale}.{study.efficiency_column(scale)}"
        return DeviceSimulator(self.gap, quantity, process_columns(spec, design.space))


@dataclass(frozen=True)
class DeviceSimulator:
    """Efficiencies of devices by simulation, and all other quantities as trees predict them.

    Attributes:
        gap: Quantity that is the gap in eV.
        efficiency: Quantity that is the efficiency in percent.
        headers: Column of the materials with each process variable of the simulator.
    """

    gap: str
    efficiency: str
    headers: Mapping[str, str]

    def predict(self, table: pd.DataFrame, judged: Mapping[str, JudgedQuantities]) -> JudgedQuantities:
        """As `nestmat.design.judges.base.FittedJudge`."""
        percent = simulated_efficiency(table, judged[TREES][self.gap][0], self.headers)
        return {**judged[TREES], self.efficiency: (percent, np.full_like(percent, np.nan))}


def process_columns(spec: DatasetSpec, space: Product) -> dict[str, str]:
    """Column of the space for each process variable of a data set of devices, by header.

    Raises:
        InputError: The space lacks one.
    """
    columns = {column.header or name: name for name, column in spec.columns.items()}
    missing = sorted({name for name in columns.values() if name.startswith("log_")} - set(space.columns))
    if missing:
        raise InputError(
            f"The design space has no variable {missing[0]!r}, which the simulation of devices needs.",
            key="space.variables",
            value=missing[0],
            remedy="add it there with a value.",
        )
    return columns


def simulated_efficiency(
    table: pd.DataFrame, gap: NDArray[np.float64], headers: Mapping[str, str]
) -> NDArray[np.float64]:
    """Efficiency in percent by the simulator at given gaps; 0 where the gap makes no device.

    Args:
        table: Process of each material.
        gap: Gap in eV, (n,).
        headers: Name in ``table`` of each process variable of the simulator.

    Returns:
        (n,).
    """
    low, high = GAP_RANGE
    process = {f"log_{name}": table[headers[f"log_{name}"]].to_numpy(np.float64) for name in PROCESS_RANGES}
    devices = pd.DataFrame({"gap": np.clip(gap, low, high), **process})
    return np.where((gap >= low) & (gap <= high), efficiency(devices), 0.0)
