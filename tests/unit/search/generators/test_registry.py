"""Generators by kind, and one of a plug-in file."""

from __future__ import annotations

import sys

import numpy as np
import pytest
import torch

from nestmat.config.generative import GeneratorSpec
from nestmat.plugins import load_plugins
from nestmat.search.generators.files import read_generators, write_generators
from nestmat.search.generators.registry import GENERATORS
from support.box_materials import SPACE

PLUGIN = '''
"""Copies of the training row whose value is nearest."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch

from nestmat.search.generators.base import GeneratorOptions
from nestmat.search.generators.registry import GENERATORS


@GENERATORS.register("nearest_row")
@dataclass(frozen=True)
class NearestRowOptions(GeneratorOptions):
    """The training row with the nearest value: a reference without training."""

    is_reference = True

    def build(self, space, seed):
        return NearestRow()


class NearestRow:
    def fit(self, x, y, device):
        self.x, self.y = torch.from_numpy(x), torch.from_numpy(y)
        return pd.DataFrame(columns=["step", "split", "loss"])

    def sample(self, value, n, seed):
        return np.repeat(self.x.numpy()[[np.abs(self.y.numpy() - value).argmin()]], n, axis=0)

    def state_dict(self):
        return {"x": self.x, "y": self.y}

    def load_state_dict(self, state):
        self.x, self.y = state["x"], state["y"]
'''


def test_a_generator_of_a_plugin_is_fitted_and_read_back(tmp_path, monkeypatch):
    assert all(GENERATORS.values()), "kinds that are imported later would be lost with the copies"
    for name in ("_entries", "_files"):
        monkeypatch.setattr(GENERATORS, name, dict(getattr(GENERATORS, name)))
    plugin = tmp_path / "nearest_row.py"
    plugin.write_text(PLUGIN)
    load_plugins([plugin])
    del sys.modules[f"nestmat_plugin_{plugin.stem}"]
    keys = {"kind": "nearest_row", "scale": "gap", "condition": "Gap"}
    space = {"variables": {"a": {"between": [0.0, 1.0]}}}
    options = GeneratorSpec.model_validate({**keys, "space": space}).build()
    assert options.is_reference
    x = SPACE.sample(20, 0)
    generator = options.build(SPACE, 0)
    generator.fit(x, np.arange(20.0), torch.device("cpu"))
    write_generators([generator], tmp_path / "models.safetensors", {})
    [read] = read_generators(tmp_path / "models.safetensors", SPACE, options)
    np.testing.assert_array_equal(read.sample(7.2, 3, 0), x[[7, 7, 7]])


@pytest.mark.parametrize(
    ("capability", "kinds"), [("is_reference", ["retrieval", "uniform"]), ("draws_uniformly", ["uniform"])]
)
def test_capabilities_of_generators(capability, kinds):
    assert [kind for kind, options in GENERATORS.items() if getattr(options, capability)] == kinds
