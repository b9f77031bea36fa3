"""A patch of two latents."""

from __future__ import annotations

import numpy as np
import pandas as pd

from nestmat.search.methods.conditional_decoder import ConditionalDecoder
from nestmat.search.methods.scan import Scan


def test_a_patch_is_reported_point_by_point(alloy_problem):
    found = Scan(axes=(2, 0), low=-1.0, high=1.0, points=3).propose(alloy_problem, 9, seed=0)
    assert len(found.x) == found.evaluations == 9
    assert found.details["axes"] == [2, 0]
    patch = pd.DataFrame(found.details["patch"])
    assert list(zip(patch["first"], patch["second"], strict=True)) == [
        (a, b) for a in (-1.0, 0.0, 1.0) for b in (-1.0, 0.0, 1.0)
    ]
    assert sorted(patch["formula"]) == sorted(alloy_problem.space.formulas(found.x))
    best = patch.sort_values("predicted", ascending=False)["predicted"]
    np.testing.assert_allclose(best, found.table["phase.single.mean"])
    # The middle is the material that the mean of the prior stands for.
    decoder = ConditionalDecoder(alloy_problem)
    middle = decoder.replace_composition(alloy_problem.space.sample(1, 0), decoder.decode(np.zeros((1, 4))))
    assert patch["formula"][4] == alloy_problem.space.formulas(middle)[0]
