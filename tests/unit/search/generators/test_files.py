"""Files of trained generators."""

from __future__ import annotations

import numpy as np
import pytest

from nestmat.errors import InputError
from nestmat.search.generators.files import read_generators, write_generators
from nestmat.search.generators.flow import FlowOptions
from nestmat.search.generators.retrieval import RetrievalOptions
from nestmat.search.generators.uniform import UniformOptions
from nestmat.search.generators.variational import VariationalOptions
from support.box_materials import CPU, SPACE, rows


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        ("flow", FlowOptions(width=8, steps=2, batch=16)),
        ("conditional_vae", VariationalOptions(steps=2, latents=2)),
        ("retrieval", RetrievalOptions()),
        ("uniform", UniformOptions()),
    ],
)
def test_models_are_read_back_as_they_were_written(tmp_path, kind, options):
    x, y = rows(100)
    models = [options.build(SPACE, seed) for seed in range(2)]
    for model in models:
        model.fit(x, y, CPU)
    file = tmp_path / "models.safetensors"
    write_generators(models, file, {"kind": kind})
    again = read_generators(file, SPACE, options)
    assert len(again) == 2
    for model, copy in zip(models, again, strict=True):
        assert np.array_equal(model.sample(0.5, 20, 4), copy.sample(0.5, 20, 4))


def test_a_file_of_other_models_is_refused(tmp_path):
    file = tmp_path / "models.safetensors"
    write_generators([UniformOptions().build(SPACE, 0)], file, {})
    with pytest.raises(InputError, match="does not hold the generators of FlowOptions"):
        read_generators(file, SPACE, FlowOptions())
    with pytest.raises(InputError, match="does not exist"):
        read_generators(tmp_path / "none.safetensors", SPACE, FlowOptions())
