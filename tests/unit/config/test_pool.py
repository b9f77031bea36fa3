"""Configuration of the search in a pool."""

from __future__ import annotations

import pytest
import torch

from nestmat.config.loading import load_study, study_from
from nestmat.errors import InputError
from nestmat.paths import ROOT
from nestmat.plan.tables import representations
from support.device_study import device_configuration

torch.set_num_threads(1)


def test_models_trained_on_the_labels_of_the_pool_are_known():
    study = load_study(ROOT / "resources/studies/nestedae_binding.yaml")
    names = study.scales["binding"].pool.representations
    saw = {name for name in names if study.trained_on_labels("binding", name)}
    assert saw == {"nestedae", "nestedhd"}
    latents = representations(study).query("scale == 'binding'")
    assert dict(zip(latents["name"], latents["path"].str.replace("<results>", "results/x"), strict=True)) == {
        "nestedae": "results/x/latents/binding/published_quintiles/nestedae.parquet",
        "nestedhd": "results/x/latents/binding/published_quintiles/nestedhd.parquet",
        "gap_latents": "results/x/propagated/gap__binding/strict/nestedae.parquet",
        "autoencoder": "results/x/latents/binding/strict/autoencoder.parquet",
    }


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"target": "Decomp"}, r"scales.gap.pool.target: 'Decomp' is not one of \['Gap'\]"),
        ({"representations": {"x": {"blocks": ["sites"]}}}, r"pool.representations.x.blocks: 'sites'"),
        (
            {"representations": {"x": {"latents": {"scale": "efficiency", "model": "nestmat"}}}},
            r"pool.representations.x.latents.scale: 'efficiency' is not one of \['gap'\]",
        ),
        (
            {"representations": {"x": {"latents": {"scale": "gap", "model": "ridge"}}}},
            r"representations.x.latents.model: 'ridge' is not one of",
        ),
        (
            {
                "representations": {
                    "x": {"latents": {"scale": "gap", "model": "nestmat", "protocol": "cells"}}
                }
            },
            r"representations.x.latents.protocol: 'cells' is not one of",
        ),
        ({"representations": {"x": {}}}, "At least one of blocks and latents is needed"),
        ({"representations": {"random": {"blocks": ["descriptors"]}}}, "that of the random order"),
        ({"batches": [0]}, "The batches are not whole numbers from 1, each once"),
        ({"start": 1.5}, "scales.gap.pool.start"),
    ],
)
def test_a_pool_that_cannot_be_searched_is_refused(change, message):
    content = device_configuration()
    content["scales"]["gap"]["pool"].update(change)
    with pytest.raises(InputError, match=message):
        study_from(content)
