from __future__ import annotations

import pytest

from nestmat.errors import InputError
from nestmat.materials.formulas import parse


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("Pb2+", "charge"),
        ("NO3-", "charge"),
        ("PO4 3-", "charge"),
        ("[PF6]-", "charge"),
        ("K+", "charge"),
        ("Cu²⁺", "charge"),
        ("Cu^{2+}", "charge"),
        ("Fe2(III)O3", "oxidation number"),
        ("LiD", "deuterium"),
        ("D2O", "deuterium"),
        ("T2", "tritium"),
        ("7LiH", "isotope"),
        ("[13C]O2", "isotope"),
        ("¹⁸O2", "isotope"),
        ("^15N2", "isotope"),
        ("SrFeO3-x", "unknown amount"),
        ("SrFeO3-δ", "unknown amount"),
        ("SrFeO3-d", "unknown amount"),
        ("SrFeO3-Y", "unknown amount"),
        ("BaxSr1-xTiO3", "unknown amount"),
        ("LixCoO2", "unknown amount"),
        ("SiOx", "unknown amount"),
        ("HgBa2CuOX", "unknown amount"),
        ("HgBa2CuOZ", "unknown amount"),
        ("HgBa2CuOY", "unknown amount"),
        ("YBaCuOY", "unknown amount"),
        ("FeCl3·nH2O", "unknown amount"),
        ("FeCl3.xH2O", "unknown amount"),
        ("(CH2)n", "unknown amount"),
        ("SrFeO2.98(2)", "uncertainty"),
        ("SrFeO2.98±0.02", "uncertainty"),
        ("Ti-6Al-4V", "unit"),
        ("Ni-20Cr", "unit"),
        ("Fe-Cr18-Ni8", "unit"),
        ("Cu-Zn", "none of their amounts"),
        ("Cu70Zn30%", "percentages"),
        ("LnFeO3", "several elements"),
        ("Ph3P", "organic group"),
        ("h-BN", "structure"),
        ("γ-Al2O3", "structure"),
        ("Y2O3:Eu", "doped"),
        ("(Cs,Rb)I", "share a site"),
        ("CdSe/ZnS", "several materials"),
        ("2.67E+02", "is a number"),
    ],
)
def test_another_notation_is_refused_by_its_name(text: str, reason: str) -> None:
    with pytest.raises(InputError, match=reason) as caught:
        parse(text)
    assert caught.value.remedy


@pytest.mark.parametrize(
    ("text", "yttrium"),
    [("Y2O3", 2), ("YBa2Cu3O7", 1), ("BaOY", 1), ("Ba2OY1", 1), ("CaO2Y", 1), ("Ba2O(Y)", 1)],
)
def test_yttrium_stays(text: str, yttrium: float) -> None:
    assert parse(text).species["Y"] == yttrium


def test_dysprosium_is_no_amount() -> None:
    with pytest.raises(InputError, match="unexpected"):
        parse("{'Dy': 1.0}")
