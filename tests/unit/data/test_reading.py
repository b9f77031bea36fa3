"""Bad input: one clear message, or reject rows with reasons, and nothing half-written."""

from __future__ import annotations

import resource
import subprocess
import sys
import textwrap
import types
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from nestmat import files, tables
from nestmat.config import loading
from nestmat.config.data_files import DataFile
from nestmat.config.datasets import ColumnSpec, DatasetSpec
from nestmat.data import reading as readers
from nestmat.data.fetch import fetch
from nestmat.data.raw_tables import read_header
from nestmat.data.reading import read
from nestmat.errors import InputError
from nestmat.files import sha256


def rejected(reading: readers.Reading) -> list[tuple[int, str, str, str]]:
    assert list(reading.rejects) == list(tables.REJECTS)
    assert reading.facts["rows_read"] == len(reading.frame) + len(reading.rejects)
    return [tuple(row) for row in reading.rejects.itertuples(index=False)]


def test_text_in_a_number_column(csv_file, own_spec):
    path = csv_file(
        'formula,a,gap\nCsPbI3,1,2\nFAPbI3,n.d.,2\nMAPbI3,"1,5",2\nCsPbBr3,0x10,2\nRbPbI3,1_0,2\nKPbI3,TRUE,2\n'
    )
    reading = read(own_spec(), path)
    assert rejected(reading) == [
        (3, "a", "n.d.", "is not a number: where it stands for none, `missing_values: ['n.d.']` says so"),
        (4, "a", "1,5", "is not a number (write a decimal point, not a comma)"),
        (5, "a", "0x10", "is not a number"),
        (6, "a", "1_0", "is not a number"),
        (7, "a", "TRUE", "is not a number"),
    ]


@pytest.mark.parametrize("value", ["inf", "-Infinity", "1e999"])
def test_non_finite_target(csv_file, own_spec, value):
    path = csv_file(f"formula,a,gap\nCsPbI3,1,2\nFAPbI3,1,{value}\n")
    for missing in ("reject", "keep"):
        spec = own_spec(columns={"a": {}, "gap": {"missing": missing}})
        assert rejected(read(spec, path, targets=["gap"])) == [(3, "gap", value, "is not finite")]


@pytest.mark.parametrize(("cell", "sentinel"), [("1000", 1000), ("-999.0", -999), ("1e3", 1000)])
def test_sentinel(csv_file, own_spec, cell, sentinel):
    path = csv_file(f"formula,a,gap\nCsPbI3,1,2\nFAPbI3,1,{cell}\n")
    spec = own_spec(columns={"a": {}, "gap": {"sentinels": [sentinel]}})
    reason = f"is missing: {cell} is declared to stand for no value"
    assert rejected(read(spec, path)) == [(3, "gap", cell, reason)]
    assert len(read(own_spec(), path).frame) == 2, "only a declared sentinel is one"


@pytest.mark.parametrize("cell", ["", " ", "NaN", "n/a", "None", "#N/A"])
def test_missing_value(csv_file, own_spec, cell):
    path = csv_file(f"formula,a,gap\nCsPbI3,1,2\nFAPbI3,1,{cell}\n")
    assert rejected(read(own_spec(), path)) == [(3, "gap", cell.strip(), "is missing")]


def test_formula_that_does_not_parse(csv_file, own_spec):
    path = csv_file("formula,a,gap\nCsPbI3,1,2\nXx2Pb,1,2\n,1,2\nnan,1,2\nPbI3-x,1,2\nFAPbI3,1,2\n")
    reading = read(own_spec(), path)
    found = rejected(reading)
    assert [(row, column, value) for row, column, value, _ in found] == [
        (3, "formula", "Xx2Pb"),
        (4, "formula", ""),
        (5, "formula", "nan"),
        (6, "formula", "PbI3-x"),
    ]
    assert all(len(reason) > 5 for *_, reason in found)
    assert reading.frame["material"].tolist() == ["Cs=0.2 I=0.6 Pb=0.2", "FA=0.2 I=0.6 Pb=0.2"]


def test_formula_made_of_an_empty_cell(csv_file, own_spec):
    path = csv_file("A,X,a,gap\nCs,I,1,2\nFA,,1,2\n")
    spec = own_spec(formula=None, formula_template="{A}Pb{X}3")
    assert rejected(read(spec, path)) == [(3, "X", "", "is missing")]
    with pytest.raises(InputError, match="did you mean 'X'"):
        read(own_spec(formula=None, formula_template="{A}Pb{x}3"), path)


def test_all_faults_of_a_row_are_named_in_one_line(csv_file, own_spec):
    path = csv_file("formula,a,gap\nCsPbI3,1,2\nXx2Pb,,high\n")
    ((row, column, value, reason),) = rejected(read(own_spec(), path))
    assert (row, column, value) == (3, "a", "")
    assert "gap: 'high' is not a number" in reason
    assert "formula: 'Xx2Pb'" in reason


def test_ragged_lines(csv_file, own_spec):
    path = csv_file("formula,a,gap\nCsPbI3,1\nFAPbI3,1,2,3\nMAPbI3,1,2,\n")
    reading = read(own_spec(), path)
    assert rejected(reading) == [
        (2, "", "2 cells", "the line has 2 cells, the header 3"),
        (3, "", "4 cells", "the line has 4 cells, the header 3"),
    ]
    assert len(reading.frame) == 1


CONFLICT = (
    "formula,a,gap,note\nCsPbI3,1,2.0,x\nFAPbI3,1,1.5,x\nI3PbCs,1,2.5,y\nCsPbI3,2,9,x\nCs2Pb2I6,1,2.0,z\n"
)


def test_duplicates_with_conflicting_labels(csv_file, own_spec):
    path = csv_file(CONFLICT)
    columns = {"a": {}, "gap": {}, "note": {"kind": "text"}}
    spec = own_spec(columns=columns, duplicates="reject_conflicting")
    assert rejected(read(spec, path, targets=["gap"])) == [
        (2, "gap", "2.0", "has the same inputs as rows 4, 6 and another gap"),
        (4, "gap", "2.5", "has the same inputs as rows 2, 6 and another gap"),
        (6, "gap", "2.0", "has the same inputs as rows 2, 4 and another gap"),
    ]
    flagged = read(own_spec(columns=columns), path, targets=["gap"])
    assert flagged.rejects.empty
    assert flagged.facts["rows_flagged"] == 3
    assert flagged.frame["flag"].tolist()[0] == "gap: has the same inputs as rows 4, 6 and another gap"
    assert (
        read(own_spec(columns=columns, duplicates="keep"), path, targets=["gap"]).frame["flag"] == ""
    ).all()


def test_duplicates_that_agree_are_flagged(csv_file, own_spec):
    path = csv_file("formula,a,gap\nCsPbI3,1,2\nCsPbI3,1,2.0\nFAPbI3,1,2\n")
    reading = read(own_spec(duplicates="reject_conflicting"), path)
    assert reading.frame["flag"].tolist() == ["repeats row 3", "repeats row 2", ""]


def test_repetitions_may_be_left_out(csv_file, own_spec):
    path = csv_file(
        "formula,a,gap\nCsPbI3,1,2\nCsPbI3,1,2.0\nFAPbI3,1,2\nMAPbI3,1,2\nMAPbI3,1,3\nCsPbI3,1,2\n"
    )
    reading = read(own_spec(duplicates="reject"), path)
    assert reading.frame["row"].tolist() == [2, 4]
    assert (reading.frame["flag"] == "").all()
    assert rejected(reading) == [
        (3, "", "row 2", "repeats an earlier row"),
        (5, "gap", "2.0", "has the same inputs as row 6 and another gap"),
        (6, "gap", "3.0", "has the same inputs as row 5 and another gap"),
        (7, "", "row 2", "repeats an earlier row"),
    ]


def test_the_first_of_rows_written_alike_may_be_kept(csv_file, own_spec):
    path = csv_file(
        "formula,a,gap\nCsPbI3,1,2\nI3PbCs,1,3\nCsPbI3,1,4\nFAPbI3,1,2\nFAPbI3,1,2\nCsPbI3,2,2\nCsPbI3,1,x\n"
        "CsPbI3,1,2\n"
    )
    reading = read(own_spec(duplicates="first"), path, targets=["gap"])
    assert reading.frame["row"].tolist() == [2, 3, 5, 7]
    assert rejected(reading) == [
        (4, "gap", "4.0", "repeats row 2 with another gap"),
        (6, "", "", "repeats row 5"),
        (8, "gap", "x", "is not a number"),
        (9, "", "", "repeats row 2"),
    ]
    other = "gap: has the same inputs as row {} and another gap"
    assert reading.frame["flag"].tolist() == [other.format(3), other.format(2), "", ""]


def test_rows_of_other_elements_are_rejected(csv_file, own_spec):
    path = csv_file("formula,a,gap\nNiAl,1,2\nUNiTh,1,2\nNiU0Al2,1,2\n")
    reading = read(own_spec(elements=["Al", "Ni"]), path)
    assert reading.frame["row"].tolist() == [2, 4]
    assert rejected(reading) == [(3, "formula", "UNiTh", "holds another element than those of the data set")]
    with pytest.raises(InputError, match="is not an element"):
        read(own_spec(elements=["Al", "Nl"]), path)
    with pytest.raises(ValueError, match="The key elements needs formula"):
        own_spec(elements=["Al"], formula=None)


def test_comments_are_no_rows(csv_file, own_spec):
    path = csv_file(
        '# about, "the file\nformula,a,gap,note\r\n#,,\n\nCsPbI3,1,2,"two\n# lines"\nFAPbI3,1,n.d.,\n'
        "# last, one\n"
    )
    columns = {"a": {}, "gap": {}, "note": {"kind": "text", "missing": "keep"}}
    reading = read(own_spec(columns=columns, comment="#"), path)
    assert reading.frame["row"].tolist() == [5]
    assert reading.frame["note"].tolist() == ["two\n# lines"]
    assert [(row, column, value) for row, column, value, _ in rejected(reading)] == [(7, "gap", "n.d.")]
    assert reading.facts["blank_lines"] == 1
    assert read_header(path, DataFile(file=path.name, comment="#")) == ["formula", "a", "gap", "note"]
    with pytest.raises(InputError, match="has no column"):
        read(own_spec(columns=columns), path)
    with pytest.raises(ValueError, match="Only a CSV file can have comments"):
        own_spec(comment="#", file="x.parquet")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is empty"),
        (b"\xef\xbb\xbf \r\n\r\n", "is empty"),
        (b"formula,a,gap\n", "has a header and no data"),
        (b"formula,a,gap\n\n,,\n", "has a header and no data"),
        (b"formula,a,gap\nXx,1,2\n", "has no usable row"),
        (b"formula,b,gap\nCsPbI3,1,2\n", "has no column"),
        (b"formula;a;gap\nCsPbI3;1;2\n", "has no column"),
        (b"formula,a,gap,a\nCsPbI3,1,2,3\n", "has the column 2 times, as columns 2, 4"),
        (b'formula,a,gap\nCsPbI3,1,2\n"FAPbI3,1,2\nMAPbI3,1,2\n', "is not valid CSV"),
        (b"formula,a,gap\nCsPbI3,1,2\nCs\xe9,1,2\n", "is not UTF-8"),
        ("formula,a,gap\nCsPbI3,1,2\n".encode("utf-16"), "is UTF-16"),
    ],
)
def test_unreadable_file(csv_file, own_spec, content, message):
    path = csv_file(content)
    with pytest.raises(InputError) as caught:
        read(own_spec(), path)
    assert message in caught.value.message
    assert caught.value.file == path
    assert caught.value.remedy


def test_place_of_the_fault_in_an_unreadable_file(csv_file, own_spec):
    with pytest.raises(InputError) as caught:
        read(own_spec(), csv_file(b'formula,a,gap\nCsPbI3,1,2\n"FAPbI3,1,2\nMAPbI3,1,2\n'))
    assert caught.value.row == 3
    with pytest.raises(InputError) as caught:
        read(own_spec(), csv_file(b"formula,a,gap\nCsPbI3,1,2\nCs\xe9,1,2\n"))
    assert (caught.value.row, caught.value.value) == (3, b"\xe9")


def test_missing_column_lists_what_there_is(csv_file, own_spec):
    path = csv_file("Formula,a,Band gap\nCsPbI3,1,2\n")
    with pytest.raises(InputError) as caught:
        read(own_spec(formula="Formula", columns={"a": {}, "band gap": {}}), path)
    assert caught.value.column == "band gap"
    assert "did you mean 'Band gap'?" in caught.value.message
    assert "'Formula', 'a', 'Band gap'" in caught.value.remedy
    with pytest.raises(InputError, match="delimiter: ';'"):
        read(own_spec(), csv_file("formula;a;gap\nCsPbI3;1;2\n"))


def test_missing_file(own_spec, tmp_path):
    with pytest.raises(InputError, match="cannot be read: No such file"):
        read(own_spec(), tmp_path / "absent.csv")


def test_file_that_changed_since_it_was_fetched(csv_file, own_spec):
    path = csv_file("formula,a,gap\nCsPbI3,1,2\n")
    spec = own_spec(file=None, url="https://example.org/a.csv", sha256="0" * 64)
    with pytest.raises(InputError) as caught:
        read(spec, path)
    assert sha256(path) in str(caught.value)
    assert "0" * 64 in str(caught.value)


def test_unknown_target_and_suspicion(csv_file, own_spec):
    path = csv_file("formula,a,gap\nCsPbI3,1,2\n")
    with pytest.raises(InputError, match="did you mean 'gap'"):
        read(own_spec(), path, name="own", targets=["Gap"])
    with pytest.raises(InputError, match="listed as suspicious") as caught:
        read(own_spec(suspicious=[{"row": 9, "column": "gap", "reason": "odd"}]), path)
    assert caught.value.row == 9
    assert "line" not in caught.value.message
    with pytest.raises(InputError, match="names it as suspicious"):
        read(own_spec(suspicious=[{"row": 2, "column": "gaps", "reason": "odd"}]), path)


@pytest.mark.parametrize(
    ("entry", "key"),
    [
        ({"columns": {"a": {}}}, "Exactly one of url, file, generator"),
        (
            {"file": "a.csv", "url": "https://example.org", "sha256": "0" * 64, "columns": {"a": {}}},
            "Exactly one of",
        ),
        ({"url": "https://example.org/a.csv", "columns": {"a": {}}}, "needs the sha256"),
        ({"file": "a.csv", "columns": {"row": {}}}, "names that nestmat uses itself"),
        ({"file": "a.csv", "colums": {}, "columns": {}}, "colums"),
        (
            {"file": "a.csv", "formula": "f", "formula_template": "{a}", "columns": {}},
            "Only one of formula and",
        ),
        ({"file": "a.csv", "columns": {"a": {"missing": "level"}}}, "Only a column of kind category"),
    ],
)
def test_faulty_data_set(entry, key):
    with pytest.raises(ValueError, match=key):
        DatasetSpec.model_validate({"title": "t", **entry})


def test_misspelt_key_of_a_study_names_file_and_key(tmp_path):
    path = tmp_path / "study.yaml"
    path.write_text(
        "study: s\ntitle: t\nquestion: q\nscales: {}\n"
        "datasets: {d: {title: t, file: a.csv, columns: {a: {units: eV}}}}\n"
    )
    with pytest.raises(InputError) as caught:
        loading.load_study(path)
    assert str(path) in str(caught.value)
    assert "  datasets.d.columns.a.units: Extra inputs are not permitted; is it misspelt?" in str(
        caught.value
    )
    assert "datasets.d.str" not in str(caught.value)


# A disk that is full or cannot be written. Tests may run as root, whom permissions do not stop: a file where
# a folder should be does, and a limit on the size of files stands for a full disk.


@contextmanager
def full_disk(limit: int) -> Iterator[None]:
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.fixture
def blocked(tmp_path) -> Path:
    (tmp_path / "file").write_text("in the way")
    return tmp_path / "file" / "results"


def below(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.rglob("*") if path.is_file())


TABLE = pd.DataFrame({"x": np.random.default_rng(0).normal(size=20_000)})
SCHEMA = {"x": tables.Column("float64")}


def test_table_on_a_full_disk(tmp_path):
    path = tmp_path / "t.parquet"
    with full_disk(4096), pytest.raises(InputError) as caught:
        tables.write(path, TABLE, SCHEMA)
    assert caught.value.file == path
    assert "free space" in caught.value.remedy
    assert below(tmp_path) == []
    tables.write(path, TABLE[:10], SCHEMA)
    with full_disk(4096), pytest.raises(InputError):
        tables.write(path, TABLE, SCHEMA)
    assert len(tables.read(path)) == 10, "the old file is whole"


def test_text_on_a_full_disk(tmp_path):
    with full_disk(4096), pytest.raises(InputError, match="cannot be written"):
        files.write_text(tmp_path / "a.txt", "x" * 10_000)
    assert below(tmp_path) == []


@pytest.mark.parametrize(
    "write", [lambda p: tables.write(p, TABLE, SCHEMA), lambda p: files.write_text(p, "x")]
)
def test_unwritable_results_folder(blocked, write):
    with pytest.raises(InputError) as caught:
        write(blocked / "t.parquet")
    assert caught.value.file == blocked / "t.parquet"
    assert "folder writable" in caught.value.remedy


@pytest.fixture
def mirrored(tmp_path) -> tuple[DatasetSpec, Path]:
    copy = tmp_path / "mirror" / "a.csv"
    copy.parent.mkdir()
    copy.write_bytes(b"formula,a\n" * 2000)
    spec = DatasetSpec(
        title="a",
        url=copy.as_uri(),
        sha256=sha256(copy),
        mirror="a.csv",
        formula="formula",
        columns={"a": {}},
    )
    return spec, copy.parent


def test_fetch_on_a_full_disk(mirrored, tmp_path):
    spec, mirror = mirrored
    target = tmp_path / "downloads" / "a.csv"
    with full_disk(4096), pytest.raises(InputError, match="cannot be written"):
        fetch(spec, target, mirror=mirror)
    assert below(target.parent) == []


def test_fetch_into_an_unwritable_folder(mirrored, blocked):
    spec, mirror = mirrored
    with pytest.raises(InputError, match="cannot be written"):
        fetch(spec, blocked / "a.csv", mirror=mirror)


def test_download_on_a_full_disk_and_into_an_unwritable_folder(tmp_path, blocked):
    script = """
        import sys, hashlib, http.server, resource, threading
        from nestmat.config.datasets import DatasetSpec
        from nestmat.data.fetch import fetch
        from nestmat.errors import InputError
        body = b"x" * 100_000
        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                self.send_response(200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)
            def log_message(self, *a): pass
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{server.server_port}/a.csv"
        spec = DatasetSpec(title="a", url=url, sha256=hashlib.sha256(body).hexdigest(), columns={"a": {}})
        resource.setrlimit(resource.RLIMIT_FSIZE, (4096, resource.RLIM_INFINITY))
        for target in sys.argv[1:]:
            try:
                fetch(spec, target)
            except InputError as error:
                print(error)
    """
    targets = [str(tmp_path / "downloads" / "a.csv"), str(blocked / "a.csv")]
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script), *targets],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    messages = done.stdout.splitlines()
    assert [target in message for target, message in zip(targets, messages, strict=True)] == [True, True]
    assert all("cannot be written" in message for message in messages)
    assert below(tmp_path / "downloads") == []


def test_rejects_and_table_are_written_for_a_bad_file_or_none_at_all(csv_file, own_spec, tmp_path):
    spec = own_spec().model_dump()
    job = types.SimpleNamespace
    script = Path(__file__).parents[3] / "scripts" / "read_dataset.py"
    space: dict = {}
    exec(compile(script.read_text(), script, "exec"), space)

    def run(path: Path) -> None:
        space["main"](
            job(
                log=[str(tmp_path / "logs" / "read.log")],
                threads=1,
                config={},
                input=job(files=[str(path)]),
                params=job(spec=spec, targets=["gap"]),
                wildcards=job(dataset="own"),
                output=job(table=tmp_path / "out" / "t.parquet", rejects=tmp_path / "out" / "r.parquet"),
            )
        )

    with pytest.raises(SystemExit):
        run(csv_file(""))
    assert not (tmp_path / "out").exists()
    assert "is empty" in (tmp_path / "logs" / "read.log").read_text()
    run(csv_file("formula,a,gap\nCsPbI3,1,2\nFAPbI3,x,2\n"))
    assert tables.read(tmp_path / "out" / "r.parquet")["reason"].tolist() == ["is not a number"]
    facts = tables.provenance(tmp_path / "out" / "t.parquet")
    assert (facts["rows_read"], facts["rows_kept"], facts["rows_rejected"]) == (2, 1, 1)


def parquet(folder: Path, **columns: object) -> Path:
    path = folder / "table.parquet"
    pd.DataFrame({"formula": ["CsPbI3", "FAPbI3", "MAPbI3"], "a": [1.0, 2.0, 3.0]} | columns).to_parquet(path)
    return path


def test_cells_of_a_parquet_file(tmp_path, own_spec):
    path = parquet(
        tmp_path, formula=["CsPbI3", None, "PbI3-x"], a=["1", "n.d.", "2"], gap=[np.nan, 2, np.inf]
    )
    spec = own_spec()
    with pytest.raises(InputError, match="no usable row") as caught:
        read(spec, path)
    assert caught.value.file == path
    path = parquet(tmp_path, a=[1, 2, None], gap=[True, False, True])
    reading = read(own_spec(columns={"a": {}, "gap": {"kind": "category"}}), path)
    assert rejected(reading) == [(3, "a", "", "is missing")]
    path = parquet(tmp_path, gap=[1.5, -999.0, np.inf])
    reading = read(own_spec(columns={"gap": {"sentinels": [-999]}}), path)
    assert rejected(reading) == [
        (2, "gap", "-999.0", "is missing: -999.0 is declared to stand for no value"),
        (3, "gap", "inf", "is not finite"),
    ]


@pytest.mark.parametrize("content", [b"", b"formula,a,gap\nCsPbI3,1,2\n", b"PAR1" + bytes(20) + b"PAR1"])
def test_file_that_is_not_parquet(csv_file, own_spec, content):
    path = csv_file(content, "table.parquet")
    with pytest.raises(InputError, match="not a readable Parquet table") as caught:
        read(own_spec(), path)
    assert caught.value.file == path
    assert "CSV" in caught.value.remedy


def test_parquet_file_cut_short(tmp_path, own_spec):
    path = parquet(tmp_path, gap=[1.0, 2.0, 3.0])
    path.write_bytes(path.read_bytes()[:-30])
    with pytest.raises(InputError, match="not a readable Parquet table"):
        read(own_spec(), path)


def test_parquet_file_without_rows_or_without_the_column(tmp_path, own_spec):
    path = parquet(tmp_path)
    with pytest.raises(InputError, match=r"has no column.*Remedy: the file has 'formula', 'a';") as caught:
        read(own_spec(), path)
    assert (caught.value.column, caught.value.row) == ("gap", None)
    pd.DataFrame({"formula": [], "a": [], "gap": []}).to_parquet(path)
    with pytest.raises(InputError, match="has no rows"):
        read(own_spec(), path)


def test_uncertainty_of_text_or_of_no_size():
    for column in ({"kind": "category", "uncertainty": 0.1}, {"uncertainty": 0}, {"uncertainty": -1}):
        with pytest.raises(ValueError, match="uncertainty"):
            ColumnSpec.model_validate(column)
