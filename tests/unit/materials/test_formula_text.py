from __future__ import annotations

import pytest
from pymatgen.core import Composition

from nestmat.errors import InputError
from nestmat.materials.formulas import parse


@pytest.mark.parametrize(
    ("text", "atoms"),
    [
        ("CoCl2·6H2O", "CoCl2H12O6"),
        ("CoCl2•6H2O", "CoCl2H12O6"),
        ("CoCl2⋅6H2O", "CoCl2H12O6"),
        ("CoCl2*6H2O", "CoCl2H12O6"),
        ("CoCl2×6H2O", "CoCl2H12O6"),
        ("CoCl2 x 6 H2O", "CoCl2H12O6"),
        ("CoCl2 · 6 H2O", "CoCl2H12O6"),
        (r"CoCl$_2 \cdot$ 6H$_2$O", "CoCl2H12O6"),
        ("CoCl₂·6H₂O", "CoCl2H12O6"),
        ("CoCl2.6H2O", "CoCl2H12O6"),
        ("CoCl2. 6H2O", "CoCl2H12O6"),
        ("CoCl2.6(H2O)", "CoCl2H12O6"),
        ("Co(NO3)2.6H2O", "CoN2O12H12"),
        ("(CoCl2·6H2O)2", "Co2Cl4H24O12"),
        ("NiCl2.6NH3", "NiCl2N6H18"),
        ("Na2B4O7.10H2O", "Na2B4O17H20"),
        ("LiOH.H2O", "LiO2H3"),
        ("LiOH·H2O", "LiO2H3"),
        ("2CaSO4·H2O", "Ca2S2O9H2"),
        ("CaSO4·0.5H2O", "CaSO4.5H1"),
        ("CaSO4·½H2O", "CaSO4.5H1"),
        ("CaSO4.0.5H2O", "CaSO4.5H1"),
        ("Na0.35CoO2.1.3H2O", "Na0.35CoO3.3H2.6"),
        ("3CaO.2SiO2", "Ca3Si2O7"),
        ("Al2O3.2SiO2.2H2O", "Al2Si2O9H4"),
        ("KCl.MgCl2.6H2O", "KMgCl3H12O6"),
        ("CuZrO2·0H2O", "CuZrO2"),
        # Full stops that are decimal points.
        ("HgBa2CuO4.98", "HgBa2CuO4.98"),
        ("H2.6O3.3", "H2.6O3.3"),
        ("La1.85Sr0.15CuO4", "La1.85Sr0.15CuO4"),
        ("Cu0.5H2O", "Cu0.5H2O"),
        ("CaSO0.5H2O", "CaSO1.5H2"),
        ("SrFeO2.95H2O", "SrFeO3.95H2"),
        ("LaO.9F.1FeAs", "LaO0.9F0.1FeAs"),
        ("(CsPbI3).85(CsPbBr3).15", "CsPbI2.55Br0.45"),
        ("(NH4)1.5PO4", "N1.5H6PO4"),
        ("H2.5PO4", "H2.5PO4"),
        # What has no shape is no part of a formula.
        ("Cs\u200bPbI3\ufeff", "CsPbI3"),
        ("Cs\u00adPb\u2060I3", "CsPbI3"),
        ("CsPbI\u20603\u00a0", "CsPbI3"),
        ("ＣｓＰｂＩ３", "CsPbI3"),
    ],
)
def test_parts_and_decimals(text: str, atoms: str) -> None:
    assert parse(text).composition.almost_equals(Composition(atoms))


@pytest.mark.parametrize(
    ("text", "spelling"),
    [
        ("La1.85Sr0.15CuO4.5H2O", r"La1.85Sr0.15CuO4\(H2O\)5 .* La1.85Sr0.15CuO4.5·H2O"),
        ("MnO1.5H2O", r"MnO1\(H2O\)5"),
        ("BaO.6Al2O3", r"BaO\(Al2O3\)6"),
        ("Al2O3.2SiO2", r"Al2O3\(SiO2\)2"),
    ],
)
def test_what_may_be_either_is_refused_with_both_spellings(text: str, spelling: str) -> None:
    with pytest.raises(InputError, match=spelling) as caught:
        parse(text)
    assert "full stop" in caught.value.reason


def test_both_spellings_of_an_ambiguous_hydrate_are_read() -> None:
    assert parse("MnO1(H2O)5").composition == Composition("MnO6H10")
    assert parse("MnO1.5·H2O").composition == Composition("MnO2.5H2")


@pytest.mark.parametrize("text", ["CuSO4·", "·5H2O", "CuSO4·5", "CuSO4··5H2O", "(CuSO4·)2", "CuSO4·1/0H2O"])
def test_a_dot_without_a_part_is_refused(text: str) -> None:
    with pytest.raises(InputError, match=r"dot|factor"):
        parse(text)
