from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from nestmat.features.blocks.site_descriptors import site_descriptors
from nestmat.materials.formulas import parse


def test_site_descriptors_are_fraction_weighted() -> None:
    block = site_descriptors([parse("FA0.8Cs0.2Pb0.5Sn0.5I2.4Br0.6")], ["A", "B", "X"])
    found = dict(zip(block.columns, block.values[0], strict=True))
    assert found["A_radius"] == pytest.approx(0.8 * 2.53 + 0.2 * 1.88)
    assert found["A_dipole"] == pytest.approx(0.8 * 0.25)
    assert found["B_atomic_number"] == 66
    assert found["B_electronegativity"] == pytest.approx((2.33 + 1.96) / 2)
    assert found["X_electron_affinity"] == pytest.approx(0.8 * 3.059 + 0.2 * 3.3636, abs=1e-3)
    assert found["X_ionisation_energy"] == pytest.approx(0.8 * 10.451 + 0.2 * 11.814, abs=1e-3)
    assert dict(zip(block.columns, block.units, strict=True))["B_ionisation_energy"] == "eV"
    assert not any(column.startswith("A_elec") for column in block.columns)


def test_unknown_property_is_a_fault() -> None:
    block = site_descriptors([parse("EAPbI3"), parse("CsPb(HCOO)3")], ["A", "X"])
    assert "EA, of which no dipole is known" in block.faults[0].reason
    assert "HCOO, of which no electron affinity is known" in block.faults[1].reason


@pytest.mark.mirror
def test_site_descriptors_agree_with_a_published_table(mirror: Path) -> None:
    table = pd.read_csv(mirror / "nestedae/perov_bandgaps_PBE.csv", encoding="utf-8-sig")
    block = site_descriptors([parse(text) for text in table["Formula"]], ["A", "B", "X"])
    found = pd.DataFrame(block.values, columns=block.columns)
    pairs = {"A_dipole": "A_DPM", "B_radius": "B_IONRAD", "B_ionisation_energy": "B_IE", "X_mass": "X_MASS"}
    pairs |= {"B_electronegativity": "B_En", "X_electron_affinity": "X_EA", "B_atomic_number": "B_AN"}
    for ours, theirs in pairs.items():
        np.testing.assert_allclose(found[ours], table[theirs], atol=0.02, rtol=2e-3, err_msg=ours)
