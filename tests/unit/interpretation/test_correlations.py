from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from nestmat.interpretation.correlations import CORRELATIONS, correlation_table
from support.trained_toy import ROWS


def test_correlations_are_those_of_rows_left_out(folder, explained):
    found = correlation_table(explained, permutations=99, seed=0)
    assert set(found.columns) == set(CORRELATIONS)
    assert len(found) == 3 * (3 * (6 + 1 + 3) + 3)
    assert set(found.query("kind == 'latent'")[["latent", "other"]].agg("-".join, axis=1)) == {
        "z0-z1",
        "z0-z2",
        "z1-z2",
    }
    aligned = explained.alignment.apply(explained.latents)
    by_seed = []
    for seed in (0, 1):
        z = np.empty(ROWS)
        for m in np.flatnonzero(explained.members["seed"] == seed):
            train = explained.train[m]
            z[~train] = ((aligned[m, :, 0] - aligned[m, train, 0].mean()) / aligned[m, train, 0].std())[
                ~train
            ]
        by_seed.append(np.corrcoef(z, explained.data.y["Gap"])[0, 1])
    mine = found.query("latent == 'z0' and other == 'Gap' and method == 'pearson'").iloc[0]
    assert mine["value"] == pytest.approx(np.mean(by_seed), abs=1e-9)
    assert mine["kind"] == "target"
    assert mine["stability"] == pytest.approx(explained.alignment.stability[0])
    for _, family in found.groupby(["kind", "method"]):
        np.testing.assert_allclose(family["q"], stats.false_discovery_control(family["p"]))
    assert {"fine z0", "fine z1", "fine z2"} <= set(found["other"])
