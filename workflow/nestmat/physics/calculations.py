"""Which of the calculations of crystals belong to one curve over the volume."""

from __future__ import annotations

import pandas as pd

PEROVSKITES = ("perovskite", "ordered_perovskite")


def converged_curve(points: pd.DataFrame) -> pd.DataFrame:
    """The converged calculations of one structure that share their atoms' positions, by volume.

    Where positions were relaxed, probes made before do not belong to the curve.
    """
    good = points[points["status"] == "converged"]
    if (points["kind"] == "relaxation").any():
        good = good[good["kind"] != "probe"]
    return good.sort_values("volume")


def with_reference_settings(frame: pd.DataFrame) -> pd.DataFrame:
    """The calculations with the settings of the reference set: without those that test its convergence."""
    return frame[frame["structure"] == frame["formula"] + " " + frame["prototype"]]
