"""Simulated devices as a judge."""

import numpy as np
import pandas as pd
import pytest

from nestmat.config.datasets import ColumnSpec, DatasetSpec
from nestmat.design.judges.physics import DeviceSimulator, process_columns, simulated_efficiency
from nestmat.errors import InputError
from nestmat.physics.devices import GAP_RANGE, PROCESS_RANGES, efficiency
from nestmat.search.spaces.factors import Fixed, Interval
from nestmat.search.spaces.product import Product

HEADERS = {f"log_{name}": f"log_{name}" for name in PROCESS_RANGES}


@pytest.fixture
def devices():
    middle = {f"log_{name}": np.mean(np.log10(limits)) for name, limits in PROCESS_RANGES.items()}
    return pd.DataFrame(middle, index=range(3))


def test_gaps_that_make_no_device_have_no_efficiency(devices):
    low, high = GAP_RANGE
    gap = np.array([low - 0.1, 1.4, high + 0.1])
    percent = simulated_efficiency(devices, gap, HEADERS)
    assert percent[[0, 2]].tolist() == [0.0, 0.0]
    assert percent[1] == efficiency(devices.assign(gap=1.4))[1] > 5


def test_the_simulator_replaces_the_efficiency_of_the_trees_alone(devices):
    gap, trees = np.full(3, 1.4), np.zeros(3)
    judged = {"trees": {"electronic.gap": (gap, trees), "device.pce": (trees, trees)}}
    predicted = DeviceSimulator("electronic.gap", "device.pce", HEADERS).predict(devices, judged)
    assert list(predicted) == ["electronic.gap", "device.pce"]
    assert predicted["electronic.gap"] is judged["trees"]["electronic.gap"]
    np.testing.assert_array_equal(predicted["device.pce"][0], simulated_efficiency(devices, gap, HEADERS))
    assert np.isnan(predicted["device.pce"][1]).all()


def test_a_process_variable_that_the_space_does_not_have_is_named():
    columns = {"thickness": ColumnSpec(header="log_thickness"), "log_velocity": ColumnSpec()}
    spec = DatasetSpec(title="devices", file="devices.csv", formula="f", columns=columns)
    space = Product([Interval("thickness", 0.0, 1.0), Fixed("log_velocity", 2.0)])
    assert process_columns(spec, space) == {"log_thickness": "thickness", "log_velocity": "log_velocity"}
    with pytest.raises(InputError, match="no variable 'log_velocity', which the simulation of devices needs"):
        process_columns(spec, Product([Interval("thickness", 0.0, 1.0)]))
