from __future__ import annotations

import pytest

from nestmat.errors import InputError
from nestmat.materials.capitals import are_capitals, mixed_case, refuse_capitals


@pytest.mark.parametrize(
    ("text", "likely"),
    [
        ("SIO2", "SiO2"),
        ("CSPBI3", "CsPbI3"),
        ("CUSO4", "CuSO4"),
        ("GAN", "GaN"),
        ("NACL", "NaCl"),
        ("LIFEPO4", "LiFePO4"),
        ("CACO3", "CaCO3"),
        ("CO3O4", "Co3O4"),
        ("LICOO2", "LiCoO2"),
        ("SNO2", "SnO2"),
        ("NA2CO3", "Na2CO3"),
        ("MAPBI3", "MAPbI3"),
        ("MG(OH)2", "Mg(OH)2"),
        ("COCL2·6H2O", "CoCl2·6H2O"),
        ("CO", "Co"),
        ("KOH", None),
        ("HNO3", None),
        ("NH3", None),
        ("K2CO3", None),
        ("MAI", None),
        ("CsI", None),
        ("", None),
    ],
)
def test_likely_readings(text: str, likely: str | None) -> None:
    assert mixed_case(text) == likely


@pytest.mark.parametrize(
    ("texts", "expected"),
    [
        (["SIO2"], True),
        (["NACL", "KOH"], True),
        (["ZNO", "not a formula", ""], True),
        (["CO", "CO2", "CSI", "KI"], True),
        (["SNO2", "TIO2", "CsPbI3"], True),
        (["SIO2", "SiO2"], False),
        (["KOH", "CO", "BN", "HNO3", "KI", "UO2", "VN", "WC", "YB6", "HF", "CS2", "BI3"], False),
        (["C6H12O6", "CH3COOH", "C5H4INO", "HCN"], False),
        (["MAI", "FAI", "GAI", "KI"], False),
        ([], False),
    ],
)
def test_a_column_decides(texts: list[str], expected: bool) -> None:
    assert are_capitals(texts) is expected


def test_refusal_names_the_likely_reading() -> None:
    refuse_capitals("KOH")
    with pytest.raises(InputError, match="write the capitals as in PbI2"):
        refuse_capitals("PBI2")
