"""The registry, the download and the readers, on the published files and on a server that misbehaves."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nestmat import tables
from nestmat.config.datasets import DatasetSpec
from nestmat.data.reading import read, write
from nestmat.errors import InputError
from nestmat.files import sha256
from support.paired_files import pair


def test_own_file(csv_file, own_spec, tmp_path):
    path = csv_file(
        b'\xef\xbb\xbfnote, formula ,a,gap,extra\r\n"two\r\nlines",CsPbI3,1.5,1.2,x\r\n\r\n'
        b",FAPbI3, 2 ,1e0,\r\n,,,,\r\nx,MAPbI3,.5,-1.25E-1,y"
    )
    reading = read(own_spec(), path, name="own", targets=["gap"])
    frame, _, rejects, facts = reading
    assert frame["row"].tolist() == [2, 5, 7]
    assert frame["row_id"].tolist() == [0, 1, 2]
    assert frame["a"].tolist() == [1.5, 2.0, 0.5]
    assert frame["gap"].tolist() == [1.2, 1.0, -0.125]
    assert frame["material"].tolist() == ["Cs=0.2 I=0.6 Pb=0.2", "FA=0.2 I=0.6 Pb=0.2", "I=0.6 MA=0.2 Pb=0.2"]
    assert facts["blank_lines"] == 2
    assert rejects.empty
    write(reading, tmp_path / "t.parquet", tmp_path / "r.parquet")
    pd.testing.assert_frame_equal(tables.read(tmp_path / "t.parquet"), reading.frame)
    assert tables.schema(tmp_path / "t.parquet")["a"].unit == "Å"


def test_missing_may_be_kept(csv_file, own_spec):
    columns = {
        "a": {"missing": "keep", "sentinels": [-999, 1000]},
        "layer": {"kind": "category", "missing": "keep"},
    }
    path = csv_file(
        "formula,a,layer\nCsPbI3,,None\nCsPbI3,-999.0,\nCsPbI3,1e3,NA\nCsPbI3,NaN,x\nCsPbI3,1,x\n"
    )
    frame = read(own_spec(columns=columns), path).frame
    assert frame["a"].isna().tolist() == [True, True, True, True, False]
    assert frame["layer"].tolist() == ["None", None, "NA", "x", "x"]


def test_numbers_are_read_exactly(csv_file, own_spec):
    values = np.random.default_rng(1).normal(size=200) * 10.0 ** np.arange(-100, 100)
    path = csv_file("formula,a\n" + "".join(f"CsPbI3,{value!r}\n" for value in values.tolist()))
    frame = read(own_spec(columns={"a": {}}, duplicates="keep"), path).frame
    np.testing.assert_array_equal(frame["a"], values)


def test_tables_without_formula_are_keyed_by_row(csv_file, own_spec):
    path = csv_file("a,gap\n1,2\nx,3\n2,4\n")
    frame = read(own_spec(formula=None), path).frame
    assert frame["material"].tolist() == ["row 0", "row 2"]
    assert (frame["formula"] == "").all()


def test_a_file_without_header_and_one_beside_it(tmp_path):
    spec, paths = pair(
        tmp_path, "1,x,CsPbI3\n2,x,CsPbBr3\n3,x\n4,x,CsPbCl3", "note,gap\n,1.5\n,2.5\n,3\n,none\n"
    )
    frame, _, rejects, facts = read(spec, *paths, targets=["y"])
    assert frame["row"].tolist() == [1, 2]
    assert frame[["a", "y"]].to_numpy().tolist() == [[1, 1.5], [2, 2.5]]
    assert rejects["row"].tolist() == [3, 4]
    assert rejects["reason"].tolist() == ["the line has 2 cells, the header 3", "is missing"]
    assert facts["beside"][0]["sha256"] == sha256(paths[1])


def test_a_short_line_of_the_other_file_is_named(tmp_path):
    spec, paths = pair(tmp_path, "1,x,CsPbI3\n2,x,CsPbBr3\n", "note,gap\n,1.5\n,\n", duplicates="keep")
    paths[1].write_text("note,gap\n,1.5\nshort\n")
    rejects = read(spec, *paths, targets=["y"]).rejects
    assert rejects["reason"].tolist() == ["the line has 1 cells, the header 2 in y.csv"]


@pytest.mark.parametrize(
    ("first", "second", "message"),
    [
        ("1,x,CsPbI3\n", "gap\n1\n2\n", "has 2 rows, and .*x.csv has 1"),
        (
            "1,x,CsPbI3\n2,x,CsPbI3\n3,x,CsPbI3\n",
            "gap\n1\n\n2\n3\n",
            "not stand where line 2 of .*x.csv",
        ),
        ("1,x,CsPbI3\n", "gap,a\n1,2\n", "column is in .*x.csv too"),
        ("1,x,CsPbI3\n", "energy\n1\n", "has no column"),
        ("1,x,CsPbI3\n", "gap\n", "has a header and no data"),
    ],
)
def test_files_that_do_not_belong_together(tmp_path, first, second, message):
    spec, paths = pair(tmp_path, first, second)
    with pytest.raises(InputError) as caught:
        read(spec, *paths)
    assert re.search(message, str(caught.value))


def test_both_files_must_be_given(tmp_path):
    spec, paths = pair(tmp_path, "1,x,CsPbI3\n", "gap\n1\n")
    with pytest.raises(InputError, match="Data set 'pair' has 2 files, not 1"):
        read(spec, paths[0])


CELLS = st.sampled_from(
    ["CsPbI3", "MAPbBr3", "Xx2", "1", "2.5", "nan", "inf", "-999", "", "text", "1,5", '"', "a\nb", " "]
)


@settings(max_examples=150, deadline=None)
@given(st.lists(st.lists(CELLS, max_size=4), max_size=8), st.sampled_from(["\n", "\r\n", "\r"]))
def test_no_row_is_lost(tmp_path_factory, lines, end):
    quoted = [",".join('"' + cell.replace('"', '""') + '"' for cell in line) for line in lines]
    path = tmp_path_factory.mktemp("fuzz") / "t.csv"
    path.write_bytes(end.join(["formula,a,gap", *quoted]).encode())
    spec = DatasetSpec(
        title="t",
        file="t.csv",
        formula="formula",
        columns={"a": {"sentinels": [-999]}, "gap": {"label": True}},
        duplicates="reject_conflicting",
    )
    data = sum(any(cell.strip() for cell in line) for line in lines)
    try:
        frame, _, rejects, facts = read(spec, path)
    except InputError as error:
        if "no data" in error.message:
            assert data == 0
        elif "no usable row" not in error.message:
            raise
        return
    assert len(frame) + len(rejects) == data == facts["rows_read"]
    assert not set(frame["row"]) & set(rejects["row"])
    assert np.isfinite(frame[["a", "gap"]]).all(axis=None)
    assert (frame["material"] != "").all()


def test_a_category_without_value_can_be_a_level_of_its_own(csv_file, own_spec):
    path = csv_file("formula,speed,gap\nCsPbI3,10,1.7\nCsPbBr3,,2.3\n")
    columns = {"speed": {"kind": "category", "missing": "level"}, "gap": {"unit": "eV"}}
    reading = read(own_spec(file=str(path), columns=columns), path)
    assert list(reading.frame["speed"]) == ["10", "not stated"]
    assert reading.rejects.empty


def typed_table(path: Path) -> pd.DataFrame:
    """A Parquet file with every kind of column, and what went into it."""
    rng = np.random.default_rng(1)
    frame = pd.DataFrame(
        {
            "formula": ["CsPbI3", "FAPbI3", "CsSnBr3", "MAPbCl3"],
            "a": rng.normal(size=4) * 10.0 ** np.array([-300, -3, 3, 300]),
            "gap": rng.random(4).astype("float32"),
            "shells": [1, 2, 3, 2**53],
            "direct": [True, False, True, True],
            "phase": pd.Categorical(["cubic", None, "cubic", "tetragonal"]),
            "unused": [[1], [2], [3], []],
        }
    )
    frame.to_parquet(path)
    return frame


PARQUET_COLUMNS = {
    "a": {"unit": "Å"},
    "energy": {"header": "gap", "unit": "eV", "uncertainty": 0.01},
    "shells": {},
    "direct": {"kind": "category"},
    "phase": {"kind": "category", "missing": "level"},
}


def test_parquet_is_read_to_the_bit(tmp_path, own_spec):
    path = tmp_path / "table.parquet"
    raw = typed_table(path)
    reading = read(own_spec(columns=PARQUET_COLUMNS), path)
    for key, header in (("a", "a"), ("energy", "gap"), ("shells", "shells")):
        np.testing.assert_array_equal(reading.frame[key], raw[header].astype(float), err_msg=key)
    assert reading.frame["direct"].tolist() == ["True", "False", "True", "True"]
    assert reading.frame["phase"].tolist() == ["cubic", "not stated", "cubic", "tetragonal"]
    assert reading.frame["material"].tolist()[0] == "Cs=0.2 I=0.6 Pb=0.2"
    assert reading.frame["row"].tolist() == [1, 2, 3, 4]
    assert reading.facts["sha256"] == sha256(path)
    write(reading, tmp_path / "out.parquet", tmp_path / "rejects.parquet")
    assert tables.schema(tmp_path / "out.parquet")["energy"].uncertainty == 0.01
    assert tables.schema(tmp_path / "out.parquet")["a"].uncertainty is None


def test_parquet_gives_what_csv_gives(tmp_path, own_spec, csv_file):
    frame = pd.DataFrame({"formula": ["CsPbI3", "Qq3", None], "a": [0.1, 2.5e-7, 3], "gap": [1.5, 2, 3]})
    frame.to_parquet(tmp_path / "table.parquet")
    one = read(own_spec(), tmp_path / "table.parquet")
    other = read(own_spec(), csv_file(frame.to_csv(index=False)))
    pd.testing.assert_frame_equal(one.frame.drop(columns="row"), other.frame.drop(columns="row"))
    pd.testing.assert_frame_equal(one.rejects.drop(columns="row"), other.rejects.drop(columns="row"))
    assert one.rejects["row"].tolist() == [2, 3]
    assert other.rejects["row"].tolist() == [3, 4]


def test_names_of_classes_are_read_as_their_numbers(own_spec, csv_file, tmp_path):
    columns = {"a": {}, "grade": {"kind": "category", "classes": ["low", "3", "high"], "label": True}}
    path = csv_file("formula,a,grade\nFeNi,1,high\nFeCr,2,3\nFeCo,3,1\nFeTi,4,\nFeV,5,low\n")
    reading = read(own_spec(columns=columns), path, targets=["grade"])
    assert reading.frame["grade"].tolist() == [2.0, 1.0, 0.0]
    assert reading.rejects["reason"].tolist() == ["is none of the classes low, 3, high", "is missing"]
    write(reading, tmp_path / "t.parquet", tmp_path / "r.parquet")
    column = tables.schema(tmp_path / "t.parquet")["grade"]
    assert (column.role, column.dtype, column.classes) == ("target", "float64", ("low", "3", "high"))


def test_a_number_that_is_no_class_is_rejected(own_spec, csv_file, tmp_path):
    columns = {"a": {}, "phase": {"classes": ["several phases", "single phase"], "label": True}}
    path = csv_file("formula,a,phase\nFeNi,1,0\nFeCr,2,1\nFeCo,3,2\nFeTi,4,0.5\nFeV,5,yes\n")
    reading = read(own_spec(columns=columns), path)
    assert reading.frame["phase"].tolist() == [0.0, 1.0]
    assert reading.rejects["row"].tolist() == [4, 5, 6]
    expected = "is none of the classes 0 (several phases), 1 (single phase)"
    assert reading.rejects["reason"].tolist() == [expected] * 3
    write(reading, tmp_path / "t.parquet", tmp_path / "r.parquet")
    schema = tables.schema(tmp_path / "t.parquet")
    assert schema["phase"].classes == ("several phases", "single phase")
    assert schema["a"].classes == ()


@pytest.mark.parametrize(
    "column",
    [
        {"classes": ["one"]},
        {"classes": ["a", "a"]},
        {"classes": ["a", "b"], "unit": "eV"},
        {"classes": ["a", "b"], "kind": "text"},
    ],
)
def test_classes_are_of_plain_numbers_or_categories(own_spec, column):
    with pytest.raises(ValueError, match="classes"):
        own_spec(columns={"phase": column})
