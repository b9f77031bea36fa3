"""How far a chain is from the physics of simulated devices, for compounds that it never trained on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from nestmat.config.study import Study
from nestmat.report.registry import SECTIONS
from nestmat.report.section import Section

if TYPE_CHECKING:
    import pandas as pd

    from nestmat.labels.scales import Labels
    from nestmat.report.source import Source


@SECTIONS.register("device_physics")
class DevicePhysics(Section):
    """Errors against the simulator, and predictions above the limit of detailed balance."""

    part, within = "scales", "results"

    def available(self, study: Study, name: str) -> bool:
        """Whether the scale is held against the simulator."""
        return study.scales[name].device_physics is not None

    def required_tables(self, study: Study, name: str) -> list[str]:
        """What was traced along the variables of devices."""
        return [f"truth/{name}.parquet"]

    def numbers(self, source: Source, name: str) -> dict[str, Any]:
        """Errors of the simulated target."""
        return {"physics": physics_errors(source.table(f"truth/{name}.parquet"), source.labels(name))}


def physics_errors(traced: pd.DataFrame, labels: Labels) -> dict[str, Any]:
    """Mean error against the simulator, and how often the limit of detailed balance is exceeded.

    Args:
        traced: What `nestmat.evaluation.device_physics` traced of the scale.
        labels: Names and units.
    """
    config = labels.config.device_physics
    assert config is not None
    target = labels.study.efficiency_column(labels.scale)
    points, devices = (traced[traced["kind"] == kind] for kind in ("gap", "device"))
    excess = devices["mean"] - devices["limit"]
    above = excess > 0
    return {
        "target": target,
        "unit": labels.unit(str(target)),
        "model": labels.model(config.model),
        "error": (points["mean"] - points["true"]).abs().mean(),
        "points": len(points),
        "devices": len(devices),
        "above": int(above.sum()),
        "share_above": above.mean(),
        "largest_excess": excess.max() if above.any() else None,
    }
