"""Numbers that figures and report share."""

from __future__ import annotations

import pandas as pd

from nestmat.labels import comparisons


def test_the_latent_size_is_held_against_the_known_dimension():
    sizes, left = [1, 2, 3, 4], [0.6, 0.2, 0.03, 0.02]
    sweeps = pd.DataFrame({"latents": sizes, "value": left, "metric": "loss", "target": "inputs", "fold": 0})
    assert comparisons.explaining_latents(sweeps, "inputs") == 3
    assert comparisons.explaining_latents(sweeps[sweeps["latents"] < 3], "inputs") is None
