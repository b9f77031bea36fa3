"""What is guessed of a file is what its data set then states: the reader gives the same table."""

import gzip
import json
import pickle

import openpyxl
import pytest

from nestmat.config.datasets import DatasetSpec
from nestmat.data.reading import read
from nestmat.data.sniffing import guess_file
from nestmat.errors import InputError

ROWS = [(f"CsPb{k}I3", k / 8 + 0.25) for k in range(1, 9)]
PLAIN = "formula,gap\n" + "".join(f"{formula},{gap}\n" for formula, gap in ROWS)


def with_marks(delimiter: str, decimal: str = ".") -> str:
    return "".join(
        line.replace(".", decimal).replace(",", delimiter)
        if decimal == "."
        else delimiter.join(cell.replace(".", decimal) for cell in line.split(","))
        for line in PLAIN.splitlines(keepends=True)
    )


def read_guessed(path, header="gap"):
    guess = guess_file(path)
    spec = DatasetSpec(
        title="t", file=str(path), formula="formula", columns={"gap": {"header": header}}, **guess.keys
    )
    return guess, read(spec, path)


@pytest.mark.parametrize(
    ("content", "keys"),
    [
        (PLAIN, {}),
        (with_marks(";", ","), {"delimiter": ";", "decimal": ","}),
        (with_marks("\t"), {"delimiter": "\t"}),
        (with_marks("|"), {"delimiter": "|"}),
        (with_marks(" "), {"delimiter": " "}),
        ("sep=;\n" + with_marks(";"), {"delimiter": ";", "header_line": 2}),
        ("# exported\n" + PLAIN, {"comment": "#"}),
        ("Table 1\n\n" + PLAIN, {"header_line": 3}),
        (PLAIN.replace("gap\n", "gap\n,eV\n", 1), {"units_line": 2}),
        (PLAIN.encode("utf-16"), {"encoding": "utf-16"}),
        ((PLAIN + "CsÅ,1\n").encode("cp1252"), {"encoding": "cp1252"}),
        # Without the time, by which workers of pytest would name different tests.
        (gzip.compress(PLAIN.encode(), mtime=0), {}),
        (json.dumps([{"formula": f, "gap": g} for f, g in ROWS]), {"format": "json"}),
        ("\n".join(json.dumps({"formula": f, "gap": g}) for f, g in ROWS), {"format": "json"}),
        (
            json.dumps({"data": [{"id": 1, "attributes": {"formula": f, "gap": g}} for f, g in ROWS]}),
            {"format": "json"},
        ),
        (
            json.dumps(
                {
                    "formula": {k: f for k, (f, _) in enumerate(ROWS)},
                    "gap": dict(enumerate(g for _, g in ROWS)),
                }
            ),
            {"format": "json"},
        ),
    ],
)
def test_the_guess_is_read_as_the_plain_table(tmp_path, content, keys):
    path = tmp_path / "t.csv"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    guess, reading = read_guessed(path)
    assert guess.keys == keys
    assert bool(guess.remarks) == bool(keys)
    assert list(zip(reading.frame["formula"], reading.frame["gap"], strict=True)) == ROWS


def test_a_sheet_of_a_workbook(tmp_path):
    book = openpyxl.Workbook()
    sheet = book.active
    sheet.title = "Data"
    for row in (["Measured gaps"], [], ["formula", "gap"], ["", "eV"], *map(list, ROWS)):
        sheet.append(row)
    book.create_sheet("Notes")
    book.save(tmp_path / "t.xlsx")
    guess, reading = read_guessed(tmp_path / "t.xlsx")
    assert guess.keys == {"sheet": "Data", "header_line": 3, "units_line": 4}
    assert reading.frame["gap"].tolist() == [gap for _, gap in ROWS]
    assert reading.frame["row"].tolist()[0] == 5


def test_rows_may_end_in_cells_without_a_value(tmp_path):
    lines = with_marks(";", ",").splitlines()
    ends = [";further", *(";0,5" if place < 2 else ";" for place in range(len(lines) - 1))]
    path = tmp_path / "t.csv"
    path.write_text("\n".join(line + end for line, end in zip(lines, ends, strict=True)), encoding="utf-8")
    assert guess_file(path).keys == {"delimiter": ";", "decimal": ","}


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (pickle.dumps([1]), "a pickle"),
        (b"\x89HDF\r\n\x1a\n\x00", "HDF5"),
        (b"PK\x03\x04broken", "a damaged ZIP"),
        (b"data_CsPbI3\n_cell_length_a 6.2\n", "CIF"),
        (b"<!DOCTYPE html><html></html>", "a web page"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n", "Git LFS"),
        (b"\x1f\x8bbroken", "damaged"),
        (b'{"errors": [{"detail": "no such key"}]}', "holds no table"),
    ],
)
def test_other_files_end_in_a_sentence(tmp_path, content, kind):
    path = tmp_path / "t.csv"
    path.write_bytes(content)
    with pytest.raises(InputError, match=kind) as caught:
        read_guessed(path)
    assert caught.value.remedy
