"""Latents of a chain: encoding and decoding."""

from __future__ import annotations

import numpy as np
import torch

from support.perovskite_search import BLOCKS, SPECIES


def test_a_chain_encodes_and_decodes_a_scale_as_its_model_does(perovskite_space, perovskite_surrogate):
    x = torch.from_numpy(perovskite_space.sample(200, seed=9))
    features = {scale: perovskite_surrogate.maps[scale](x) for scale in BLOCKS}
    chain = perovskite_surrogate.chain
    z = perovskite_surrogate.encode("ions", x)
    assert chain.scales == ["ions", "cell"]
    assert torch.equal(z, chain(features)["ions"].latents)
    assert torch.equal(perovskite_surrogate.encode("cell", x), chain(features)["cell"].latents)
    assert chain.fractions("cell") == {}
    assert set(chain.fractions("ions")) == set(SPECIES)
    blocks = chain.decode("ions", z)
    assert blocks["A"].shape == (2, 200, 2)
    torch.testing.assert_close(blocks["X"].sum(dim=2), torch.ones(2, 200, dtype=torch.float64))
    # Descriptors come back in their own units.
    given = dict(zip(perovskite_surrogate.maps["ions"].columns, features["ions"].T, strict=True))["X_mass"]
    columns = [
        name for name in perovskite_surrogate.maps["ions"].columns if name.partition("_")[0] in SPECIES
    ]
    found = blocks["descriptors"][0][:, columns.index("X_mass")]
    assert (found - given).abs().mean() < 0.1 * given.std()
    # The first members alone decode as they do among the others.
    torch.testing.assert_close(chain.decode("ions", z[:1])["B"][0], blocks["B"][0])


def test_the_inputs_of_a_chain_are_those_that_its_models_read(perovskite_space, perovskite_surrogate):
    x = perovskite_space.canonical(perovskite_space.sample(5, seed=1))
    read = perovskite_surrogate.inputs(torch.from_numpy(x))
    assert read.shape == (5, sum(len(columns) for columns in perovskite_surrogate.chain.columns.values()))
    assert len(np.unique(read.numpy(), axis=0)) == 5
