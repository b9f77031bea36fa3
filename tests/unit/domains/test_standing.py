"""Standing of rows to the domain of others."""

from __future__ import annotations

import numpy as np
import pandas as pd

from nestmat.domains.domain import Domain, DomainInputs
from nestmat.domains.standing import Standing
from nestmat.domains.verdicts import INSIDE, OUTSIDE
from nestmat.materials.formulas import parse


def rows(formulas: list[str], x: list[float]) -> pd.DataFrame:
    return pd.DataFrame({"formula": formulas, "material": [parse(f).key for f in formulas], "x": x})


def test_standing_holds_verdict_distance_and_unseen_species():
    formulas = [f"{a}{x}" for a in ("Na", "K", "Rb") for x in ("Cl", "Br", "I")]
    training = rows(formulas, list(range(9)))
    domain = Domain.of_rows("s", training, DomainInputs(numbers=[], levels=[], distance=["x"]))
    standing = Standing.of(domain, rows(["NaCl", "CsCl", "KBr"], [0.0, 1.5, 40.0]))
    assert standing.codes.tolist() == [INSIDE, OUTSIDE, OUTSIDE]
    assert standing.unseen.tolist() == [False, True, False]
    # Neighbours are one unit apart, which is the limit.
    np.testing.assert_allclose(standing.distance, [0.0, 0.5, 32.0], atol=1e-6)
    replaced = Standing.inside(3)
    replaced.put(np.array([2, 0]), standing[np.array([1, 2])])
    assert replaced.codes.tolist() == [OUTSIDE, INSIDE, OUTSIDE]
    np.testing.assert_allclose(replaced.distance, [32.0, 0.0, 0.5], atol=1e-6)
