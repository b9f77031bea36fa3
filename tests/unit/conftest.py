"""Fixtures that several packages share."""

import pytest

from support.class_scale import class_scale, trained_class
from support.device_results import write_device_results
from support.phase_problem import phase_metrics, phase_results
from support.trained_alloys import interpreted, trained

__all__ = ["class_scale", "interpreted", "phase_metrics", "phase_results", "trained", "trained_class"]


@pytest.fixture(scope="session")
def device_results(tmp_path_factory):
    """Results of the study of devices, made once a process: read them, or write into a copy."""
    root = tmp_path_factory.mktemp("results") / "toy_devices"
    write_device_results(root)
    return root
