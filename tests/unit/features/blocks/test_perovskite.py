from __future__ import annotations

import pytest

from nestmat.features.blocks.perovskite import perovskite_criteria
from nestmat.materials.formulas import parse


def test_perovskite_block() -> None:
    block = perovskite_criteria([parse("MAPbI3"), parse("PEAPbI3")])
    assert block.values[0] == pytest.approx([0.912, 1.19 / 2.20, 3.88], abs=5e-3)
    assert "PEA" in block.faults[1].reason
