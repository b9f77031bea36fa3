from __future__ import annotations

import numpy as np

from nestmat.features.blocks.site import site_fractions
from nestmat.materials.formulas import parse_many


def test_site_fractions_and_unknown_ion() -> None:
    formulas = parse_many(["CsPbI3", "FA0.8Cs0.2PbI3", "bad-", "RbPbI3", "PbI2"]).formulas
    block = site_fractions(formulas[:2], "A")
    assert block.columns == ["A:Cs", "A:FA"]
    assert block.values.tolist() == [[1, 0], [0.2, 0.8]]
    known = site_fractions(formulas, "A", block.levels)
    assert "holds Rb on site A" in known.faults[3].reason
    assert "not an ABX3" in known.faults[4].reason
    assert 2 not in known.faults
    assert np.isnan(known.values[2:]).all()
