from __future__ import annotations

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pymatgen.core import Composition

from nestmat.data.formula_cells import read_formulas
from nestmat.data.reading import read
from nestmat.materials.formulas import parse


def _fault(cell: str) -> str | None:
    column = read_formulas({"f": [cell]}, "f")
    return column.faults[0][3] if column.faults else None


@pytest.mark.parametrize(
    "cell",
    [
        "",
        " ",
        "nan",
        "NAN",
        "null",
        "NULL",
        "None",
        "NONE",
        "none",
        "NA",
        "N/A",
        "#N/A",
        "<NA>",
        "-",
        "\u200b",
    ],
)
def test_spellings_of_no_formula(cell: str) -> None:
    assert _fault(cell) == "is missing"


@pytest.mark.parametrize(
    ("cell", "atoms"),
    [("NaN", "NaN"), ("NO", "NO"), ("No", "No"), ("In", "In"), ("Na", "Na"), ("InF", "InF")],
)
def test_formulas_that_look_like_no_value(cell: str, atoms: str) -> None:
    column = read_formulas({"f": [cell, "CsPbI3"]}, "f")
    assert not column.faults
    assert parse(column.written[0]).composition == Composition(atoms)


@pytest.mark.parametrize("cell", ["Inf", "inf", "-Inf", "unknown", "1.5"])
def test_no_formulas(cell: str) -> None:
    assert _fault(cell) not in (None, "is missing")


def test_nan_in_a_column_of_a_template_is_missing() -> None:
    column = read_formulas({"a": ["NaN", "Cs"]}, "formula", template="{a}PbI3")
    assert [fault[:3] for fault in column.faults] == [(0, "a", "NaN")]
    assert column.written == ["", "CsPbI3"]


def test_a_null_of_a_parquet_file_is_missing(tmp_path, own_spec) -> None:
    path = tmp_path / "table.parquet"
    table = {"formula": ["NaN", None, "CsPbI3"], "a": [1.0, 2.0, 3.0], "gap": [1.0, 2.0, 3.0]}
    pq.write_table(pa.table(table), path)
    reading = read(own_spec(file="table.parquet"), path)
    assert reading.rejects[["row", "reason"]].values.tolist() == [[2, "is missing"]]
    assert reading.frame["material"].tolist()[0] == "N=0.5 Na=0.5"


def test_a_column_in_capitals_is_warned_of_and_rejected(csv_file, own_spec) -> None:
    path = csv_file("formula,a,gap\nSIO2,1,2\nNACL,1,2\nKOH,1,2\n")
    reading = read(own_spec(), path)
    assert reading.frame["formula"].tolist() == ["KOH"]
    assert [reason.split()[-1] for reason in reading.rejects["reason"]] == ["SiO2.", "NaCl."]
    assert "capitals" in reading.facts["warnings"][0]


def test_hydrates_by_full_stop_are_said(csv_file, own_spec) -> None:
    reading = read(own_spec(), csv_file("formula,a,gap\nCoCl2.6H2O,1,2\nLa1.85Sr0.15CuO4,1,2\n"))
    assert "there are 1, the first is 'CoCl2.6H2O'" in reading.facts["warnings"][0]
    assert "warnings" not in read(own_spec(), csv_file("formula,a,gap\nCsPbI3,1,2\n")).facts


@pytest.mark.parametrize("fractions", ["weight", "atomic"])
def test_fractions_of_a_column(csv_file, own_spec, fractions) -> None:
    path = csv_file("formula,a,gap\nTi-6Al-4V,1,2\nAl90Cu10,1,2\nAl90Cu20,1,2\nTi-50Al at%,1,2\n")
    reading = read(own_spec(fractions=fractions), path)
    assert reading.rejects["row"].tolist() == [4]
    assert "sum to 110" in reading.rejects["reason"][0]
    first, second, third = (parse(text).composition for text in reading.frame["formula"])
    share = {"weight": Composition.get_wt_fraction, "atomic": Composition.get_atomic_fraction}[fractions]
    assert [share(first, symbol) for symbol in ("Ti", "Al", "V")] == pytest.approx([0.9, 0.06, 0.04])
    assert share(second, "Cu") == pytest.approx(0.1)
    assert third == Composition("Ti50Al50")


def test_names_without_a_unit_are_rejected(csv_file, own_spec) -> None:
    reading = read(own_spec(), csv_file("formula,a,gap\nTi-6Al-4V,1,2\nTi6Al4V,1,2\n"))
    assert "fractions: weight" in reading.rejects["reason"][0]
    assert reading.frame["formula"].tolist() == ["Ti6Al4V"]


def test_fractions_need_formulas(own_spec) -> None:
    with pytest.raises(ValueError, match="fractions needs formula"):
        own_spec(formula=None, fractions="weight")
