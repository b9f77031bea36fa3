"""The registry, the download and the readers, on the published files and on a server that misbehaves."""

from __future__ import annotations

import hashlib
import http.server
import logging
import re
import threading
import types
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nestmat import tables
from nestmat.config.datasets import DataFile, DatasetSpec
from nestmat.config.loading import load_study
from nestmat.data import published, registry
from nestmat.data.fetch import fetch, sha256
from nestmat.data.reading import read, write
from nestmat.errors import InputError
from nestmat.logs import log_to
from nestmat.paths import ROOT

CONTENT = np.random.default_rng(0).bytes(300_000)
CHECKSUM = hashlib.sha256(CONTENT).hexdigest()


def test_registry_entries_are_complete():
    entries = registry.load()
    names = [
        "nestedae_gaps",
        "nestedae_binding",
        "psc_gaps",
        "psc_efficiencies",
        "perovskites_pbe",
        "mos2_strain",
        "hea_phases",
    ]
    assert list(entries) == names
    unlicensed = [name for name, spec in entries.items() if spec.licence is None]
    assert unlicensed == ["perovskites_pbe", "hea_phases"]
    for name, spec in entries.items():
        assert all((spec.doi, spec.citation, spec.mirror)), name
        for part in spec.files:
            commit = part.url.removeprefix("https://raw.githubusercontent.com/").split("/")[2]
            assert len(commit) == 40, "the address is at a fixed commit"
        assert all(column.description for column in spec.columns.values()), name


def test_resolve():
    spec = registry.resolve("psc_gaps")
    assert registry.resolve(spec) is spec
    with pytest.raises(InputError, match="did you mean 'psc_gaps'"):
        registry.resolve("PSC_gap")


@pytest.mark.parametrize(
    ("url", "ending"),
    [
        ("https://example.org/a.csv", "csv"),
        ("https://example.org/a.parquet", "parquet"),
        ("https://example.org/A.PARQUET?version=2", "parquet"),
        ("https://example.org/download?file=7", "csv"),
    ],
)
def test_a_downloaded_file_keeps_the_ending_by_which_it_is_read(url, ending, tmp_path):
    spec = DatasetSpec(title="t", url=url, sha256="0" * 64, columns={"a": {}})
    assert spec.download("mine") == f"downloads/mine-000000000000.{ending}"
    content = tmp_path / f"source.{ending}"
    frame = pd.DataFrame({"a": [1.5, 2.5]})
    frame.to_csv(content, index=False) if ending == "csv" else frame.to_parquet(content)
    spec = spec.model_copy(update={"sha256": sha256(content), "mirror": content.name})
    target = tmp_path / spec.download("mine")
    fetch(spec, target, mirror=tmp_path)
    assert read(spec, target, name="mine").frame["a"].tolist() == [1.5, 2.5]


def test_faulty_registry_names_entry_and_key(tmp_path):
    path = tmp_path / "datasets.yaml"
    path.write_text("mine:\n  title: mine\n  file: a.csv\n  columns: {a: {units: eV}}\n")
    with pytest.raises(InputError) as caught:
        registry.load(path)
    assert caught.value.file == path
    assert caught.value.key == "mine.columns.a.units"


@pytest.fixture(scope="module")
def readings(mirror):
    targets = {
        "nestedae_gaps": "Gap",
        "nestedae_binding": "Target",
        "psc_gaps": "Gap",
        "psc_efficiencies": "PCE",
        "perovskites_pbe": "Gap",
        "mos2_strain": "gap",
        "hea_phases": "single_phase",
    }
    return {
        name: read(spec, *(mirror / part.mirror for part in spec.files), name=name, targets=[targets[name]])
        for name, spec in registry.load().items()
    }


@pytest.mark.mirror
@pytest.mark.parametrize(
    ("name", "rows", "materials", "flagged"),
    [
        ("nestedae_gaps", 358, 358, 12),
        ("nestedae_binding", 240, 30, 0),
        ("psc_gaps", 494, 494, 2),
        ("psc_efficiencies", 2018, 235, 31),
        ("perovskites_pbe", 570, 472, 30),
    ],
)
def test_published_files_are_read_whole(readings, name, rows, materials, flagged):
    frame, schema, rejects, facts = readings[name]
    assert (len(frame), len(rejects)) == (rows, 0)
    assert frame["material"].nunique() == materials
    assert (frame["flag"] != "").sum() == flagged == facts["rows_flagged"]
    assert facts["rows_read"] == facts["rows_kept"] + facts["rows_rejected"] == rows
    np.testing.assert_array_equal(frame["row_id"], np.arange(rows))
    np.testing.assert_array_equal(frame["row"], np.arange(rows) + 2)
    kept_missing = {"Voc": 53, "Jsc": 53, "FF": 47, "band_gap": 589} if name == "psc_efficiencies" else {}
    missing = frame[[c for c in schema if schema[c].dtype == "float64"]].isna().sum()
    assert missing[missing > 0].to_dict() == kept_missing


@pytest.mark.mirror
def test_files_that_belong_together_are_read_side_by_side(readings, mirror):
    frame, _, rejects, facts = readings["mos2_strain"]
    files = (mirror / part.mirror for part in registry.resolve("mos2_strain").files)
    raw = pd.concat([pd.read_csv(path, header=None, float_precision="round_trip") for path in files], axis=1)
    repeated = raw.duplicated().to_numpy()
    assert repeated.sum() == len(rejects) == facts["rows_rejected"] == 368
    np.testing.assert_array_equal(frame.iloc[:, 5:], raw[~repeated])
    np.testing.assert_array_equal(frame["row"], np.flatnonzero(~repeated) + 1)
    np.testing.assert_array_equal(rejects["row"], np.flatnonzero(repeated) + 1)
    assert set(rejects["reason"]) == {"repeats an earlier row"}
    assert (frame["flag"] == "").all()
    assert frame["material"].is_unique
    assert [part["sha256"] for part in facts["beside"]] == [
        registry.resolve("mos2_strain").further_files[0].sha256
    ]


@pytest.mark.mirror
def test_published_values_equal_those_of_pandas(readings, mirror):
    for name, spec in registry.load().items():
        if spec.further_files:
            continue
        categories = {c.header or key: str for key, c in spec.columns.items() if c.missing == "level"}
        raw = pd.read_csv(
            mirror / spec.mirror, encoding="utf-8-sig", float_precision="round_trip", dtype=categories
        ).fillna(dict.fromkeys(categories, "not stated"))
        frame = readings[name].frame
        for key, column in spec.columns.items():
            values = raw[column.header or key].iloc[frame["row_id"]]
            np.testing.assert_array_equal(frame[key], values, err_msg=key)


@pytest.mark.mirror
def test_alloys_are_the_published_rows_in_their_order(readings, mirror):
    frame, schema, rejects, facts = readings["hea_phases"]
    assert schema["single_phase"].classes == ("several phases", "single phase")
    published = pd.read_csv(mirror / "dvae_hea/HEA_top30_comps.csv", comment="#").drop_duplicates("Alloys")
    assert (len(frame), len(rejects), facts["rows_read"]) == (1373, 434, 1807)
    assert frame["formula"].tolist() == published["Alloys"].tolist()
    assert frame["single_phase"].tolist() == published["Class"].tolist()
    repeated = rejects[rejects["reason"].str.startswith("repeats")]
    assert repeated[["row", "reason"]].to_numpy().tolist() == [
        [1693, "repeats row 729 with another single_phase"],
        [1730, "repeats row 1729"],
    ]
    assert rejects["reason"].drop(repeated.index).str.startswith("holds ").all()
    assert frame["material"].nunique() == 1369
    assert frame["flag"].str.contains("another single_phase").sum() == 4


@pytest.mark.mirror
def test_a_table_with_comments_has_the_lines_of_its_file(mirror):
    path = mirror / "dvae_hea/HEA_top30_comps.csv"
    columns = {"Class": {"label": True}, "Mg": {}}
    spec = DatasetSpec(title="t", file=str(path), formula="Alloys", comment="#", columns=columns)
    frame = read(spec, path).frame
    assert len(frame) == 1375
    assert frame["row"].iloc[[0, -1]].tolist() == [5, 1379]
    assert frame["formula"].iloc[0] == "Mg1Ni1"
    assert frame["Mg"].iloc[0] == 0.5


@pytest.mark.mirror
def test_traps_of_the_published_files(readings):
    gaps, binding = readings["nestedae_gaps"].frame, readings["nestedae_binding"].frame
    devices = readings["psc_efficiencies"].frame
    assert gaps["formula"].iloc[0] == "MAGeCl_3"
    assert gaps["material"].iloc[0] == "Cl=0.6 Ge=0.2 MA=0.2"
    assert gaps["Gap"].agg(["min", "max"]).tolist() == [0.37, 5.37]
    by_formula = gaps.set_index("formula")
    assert "Gap: every model" in by_formula.at["CsGeBr_1.5Cl_1.5", "flag"]
    assert "Gap: every model" in by_formula.at["CsSnCl_2.25_I_0.75", "flag"]
    assert gaps["flag"].str.contains("another order").sum() == 10
    assert binding["formula"].iloc[0] == "FAPbBrClCl"
    assert not [column for column in binding if column.startswith("l") and column[1:].isdigit()]
    assert binding.groupby("material")["SOLVENT"].nunique().eq(8).all()
    assert set(binding["material"]) >= set(gaps["material"]) & {"Cs=0.2 I=0.6 Pb=0.2"}
    assert (devices["ETL"].nunique(), devices["HTL"].nunique()) == (7, 4)
    assert devices.groupby(["formula", "ETL", "HTL"]).ngroups == 346
    assert devices["PCE"].mean() == pytest.approx(14.42, abs=0.005)
    same = devices["material"][
        devices["formula"].isin(["Cs0.1MA0.90PbBr0.3I2.70", "Cs0.10FA0.75MA0.15PbBr0.51I2.49"])
    ]
    assert same.nunique() == 2
    assert set(devices["material"]) & set(readings["psc_gaps"].frame["material"])


@pytest.mark.mirror
def test_scripts_fetch_and_read(mirror, tmp_path, monkeypatch):
    monkeypatch.setenv("NESTMAT_MIRROR", str(mirror))
    source = registry.load()["nestedae_binding"]
    spec, part = source.model_dump(), source.model_dump(include={*DataFile.model_fields})
    file, table, rejects = (str(tmp_path / n) for n in ("b.csv", "b.parquet", "b.rejects.parquet"))
    job = types.SimpleNamespace
    load_script("fetch_dataset").main(
        job(log=[str(tmp_path / "f.log")], threads=1, config={}, params=job(file=part), output=job(file=file))
    )
    load_script("read_dataset").main(
        job(
            log=[str(tmp_path / "r.log")],
            threads=1,
            config={},
            input=job(files=[file]),
            params=job(spec=spec, targets=["Target"]),
            wildcards=job(dataset="energies"),
            output=job(table=table, rejects=rejects),
        )
    )
    schema = tables.schema(table)
    assert list(schema)[:5] == ["row_id", "row", "formula", "material", "flag"]
    assert (schema["Target"].role, schema["Target"].unit) == ("target", "kJ/mol")
    assert schema["SOLVENT"].role == "category"
    facts = tables.provenance(table)
    assert facts["dataset"] == "energies"
    assert facts["sha256"] == spec["sha256"]
    assert facts["rows_read"] == facts["rows_kept"] == 240
    assert tables.read(rejects).empty
    assert "checksum verified" in (tmp_path / "f.log").read_text()


def load_script(name: str) -> types.ModuleType:
    path = registry.REGISTRY.parents[1] / "scripts" / f"{name}.py"
    module = types.ModuleType(name)
    exec(compile(path.read_text(), path, "exec"), module.__dict__)
    return module


class Server:
    """Serves CONTENT on the loopback interface; ``plan`` says what each request in turn meets."""

    def __init__(self) -> None:
        self.plan: list[str] = []
        self.ranges: list[str | None] = []
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                outer.ranges.append(self.headers.get("Range"))
                outer.answer(self, outer.plan.pop(0) if outer.plan else "good")

            def log_message(self, *_: object) -> None:
                pass

        self.http = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.http.server_port}/data.csv"

    def answer(self, handler: http.server.BaseHTTPRequestHandler, how: str) -> None:
        if how.isdigit():
            handler.send_response(int(how))
            handler.send_header("Content-Length", "0")
            handler.end_headers()
            return
        start = 0
        if (asked := handler.headers.get("Range")) and how != "ignore range":
            start = int(asked.removeprefix("bytes=").rstrip("-"))
        if start >= len(CONTENT):
            handler.send_response(416)
            handler.end_headers()
            return
        body = CONTENT[start:]
        if how == "wrong":
            body = body[:-1] + bytes([body[-1] ^ 1])
        told = start + 7 if how == "shift" else start
        handler.send_response(206 if start else 200)
        if start:
            handler.send_header("Content-Range", f"bytes {told}-{len(CONTENT) - 1}/{len(CONTENT)}")
        if how != "no length":
            handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body[: len(body) // 2] if how == "drop" else body)


@pytest.fixture
def server() -> Iterator[Server]:
    made = Server()
    thread = threading.Thread(target=made.http.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    yield made
    made.http.shutdown()
    made.http.server_close()
    thread.join()


@pytest.fixture
def download(server, tmp_path) -> Callable[..., Path]:
    def run(checksum: str = CHECKSUM, **options: object) -> Path:
        spec = DatasetSpec(
            title="served", url=server.url, sha256=checksum, mirror="set/data.csv", columns={"a": {}}
        )
        target = tmp_path / "downloads" / "data.csv"
        fetch(spec, target, **{"backoff": 0.001, "timeout": 5, **options})
        return target

    return run


def left(tmp_path: Path) -> list[str]:
    return sorted(path.name for path in tmp_path.rglob("*") if path.is_file())


@pytest.mark.parametrize(
    "plan",
    [
        [],
        ["no length"],
        ["drop", "drop", "drop"],
        ["503", "429", "drop", "500"],
        ["drop", "ignore range"],
        ["drop", "shift", "good"],
    ],
    ids=lambda plan: "-".join(plan) or "good",
)
def test_download_survives(server, download, tmp_path, plan):
    server.plan = list(plan)
    target = download()
    assert target.read_bytes() == CONTENT
    assert left(tmp_path) == ["data.csv"]


def test_download_resumes_where_it_stopped(server, download):
    server.plan = ["drop", "drop"]
    download()
    assert server.ranges[0] is None
    starts = [int(asked.removeprefix("bytes=").rstrip("-")) for asked in server.ranges[1:]]
    # The last chunk before a break may be lost.
    assert starts == pytest.approx([len(CONTENT) / 2, len(CONTENT) * 3 / 4], abs=2**14)


def test_download_resumes_in_the_next_call(server, download, tmp_path):
    server.plan = ["drop", "503", "503"]
    with pytest.raises(InputError, match=r"503.*\(2 attempts\).*it resumes"):
        download(attempts=2)
    assert left(tmp_path) == ["data.csv.part"]
    download()
    assert server.ranges[-1].startswith("bytes=1")


@pytest.mark.parametrize(
    "stale", [b"stale" * 10, CONTENT + b"more", CONTENT], ids=["other", "longer", "whole"]
)
def test_a_part_of_another_file_is_not_kept(server, download, tmp_path, stale):
    part = tmp_path / "downloads" / "data.csv.part"
    part.parent.mkdir()
    part.write_bytes(stale)
    assert download().read_bytes() == CONTENT


def test_wrong_content_leaves_no_file(server, download, tmp_path):
    server.plan = ["wrong"]
    with pytest.raises(InputError) as caught:
        download()
    assert CHECKSUM in str(caught.value)
    assert str(caught.value).count("sha256") == 1
    assert caught.value.remedy
    assert left(tmp_path) == []


def test_not_found_is_final(server, download, tmp_path):
    server.plan = ["404"]
    with pytest.raises(InputError, match="404"):
        download()
    assert len(server.ranges) == 1
    assert left(tmp_path) == []


def test_no_server(tmp_path):
    spec = DatasetSpec(title="none", url="http://127.0.0.1:9/a.csv", sha256=CHECKSUM, columns={"a": {}})
    with pytest.raises(InputError, match=r"cannot be downloaded.*2 attempts"):
        fetch(spec, tmp_path / "a.csv", attempts=2, backoff=0.001)
    assert left(tmp_path) == []


def test_bad_address(tmp_path):
    spec = DatasetSpec(title="none", url="no-scheme/a.csv", sha256=CHECKSUM, columns={"a": {}})
    with pytest.raises(InputError, match="is not an address"):
        fetch(spec, tmp_path / "a.csv")


def test_mirror_is_used_and_verified(server, download, tmp_path):
    copy = tmp_path / "mirror" / "set" / "data.csv"
    copy.parent.mkdir(parents=True)
    copy.write_bytes(CONTENT)
    target = download(mirror=tmp_path / "mirror")
    assert sha256(target) == CHECKSUM
    assert server.ranges == []
    target.unlink()
    copy.write_bytes(CONTENT[:-1])
    with pytest.raises(InputError) as caught:
        download(mirror=tmp_path / "mirror")
    assert caught.value.file == copy
    assert not list(target.parent.iterdir())


def test_mirror_without_the_file_downloads(server, download, tmp_path):
    (tmp_path / "mirror").mkdir()
    download(mirror=tmp_path / "mirror")
    assert len(server.ranges) == 1


def test_mirror_that_is_no_folder(download, tmp_path):
    with pytest.raises(InputError, match="NESTMAT_MIRROR"):
        download(mirror=tmp_path / "absent")


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


def pair(tmp_path, first: str, second: str, **changes) -> tuple[DatasetSpec, list[Path]]:
    """A data set of two files, the first without a header."""
    paths = [tmp_path / "x.csv", tmp_path / "y.csv"]
    for path, text in zip(paths, (first, second), strict=True):
        path.write_text(text)
    keys = {
        "title": "pair",
        "file": "x.csv",
        "names": ["a", "unused", "formula"],
        "further_files": [{"file": "y.csv"}],
        "formula": "formula",
        "columns": {"a": {}, "y": {"header": "gap", "label": True}},
    }
    return DatasetSpec.model_validate(keys | changes), paths


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


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"names": ["a", "a"]}, "each is given to one column"),
        ({"file": "x.parquet"}, "names goes with a CSV file"),
        ({"further_files": [{"mirror": "y.csv"}]}, "further_files: give exactly one of url, file"),
        ({"further_files": [{"url": "https://example.org/y.csv"}]}, "needs the sha256"),
        (
            {"file": None, "generator": {"kind": "nested_functions", "scale": 1}},
            "names, comment and further_files go with a file",
        ),
    ],
)
def test_entries_of_several_files_that_cannot_work(tmp_path, changes, message):
    with pytest.raises(ValueError, match=message):
        pair(tmp_path, "", "", **changes)


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


def test_published_numbers():
    frame = published.load(["nestedae"])
    assert list(frame) == published.COLUMNS
    single = frame[frame["latents"].isna()].set_index(
        ["dataset", "target", "model", "protocol", "split", "metric"]
    )
    assert single.index.is_unique
    assert single.at[("nestedae_gaps", "Gap", "XGB", "published", "validation", "mae"), "value"] == 0.127
    assert (
        single.at[("psc_efficiencies", "PCE", "NestedAE", "published", "validation", "mae"), "value"] == 2.384
    )
    sweep = frame[frame["latents"].notna() & (frame["split"] == "validation")]
    assert sweep.groupby(["dataset", "model"]).size().tolist() == [16, 15, 12, 12]
    entries = registry.load()
    for row in frame.itertuples():
        assert row.target in entries[row.dataset].columns
        if row.metric == "mae":
            assert row.unit == entries[row.dataset].columns[row.target].unit
        assert row.citation
        assert row.source


def test_published_numbers_of_alloys_stand_where_their_study_measures():
    study = load_study(ROOT / "resources/studies/pbe_alloys.yaml")
    columns = registry.load()["perovskites_pbe"].columns
    for scale, target, error in (
        ("decomposition", "Decomp", 0.183),
        ("gap", "Gap", 0.239),
        ("slme", "SLME", 0.022),
    ):
        [row] = published.for_scale(study, scale).to_dict("records")
        assert (row["target"], row["value"], row["unit"]) == (target, error, columns[target].unit)
        assert (row["model"], row["metric"]) == ("random_forest", "rmse")
        assert row["protocol"] in study.scales[scale].runs("random_forest")


def test_published_numbers_need_their_citation(tmp_path):
    text = (registry.REGISTRY.parent / "published" / "nestedae.yaml").read_text()
    (tmp_path / "mine.yaml").write_text(text.replace("citation: followup", "citation: nobody"))
    with pytest.raises(InputError, match="nobody"):
        published.load(["mine"], tmp_path)
    with pytest.raises(InputError, match="does not exist"):
        published.load(["absent"], tmp_path)


def test_job_log_of_bad_input(tmp_path, capsys):
    path = tmp_path / "logs" / "job.log"
    with pytest.raises(SystemExit) as caught, log_to(path):  # noqa: PT012
        logging.getLogger("nestmat.x").info("working")
        raise InputError("is wrong.", file="a.csv", row=3, remedy="mend it.")
    assert caught.value.code == 1
    shown = capsys.readouterr().err
    assert "working" in shown
    assert "a.csv, row 3: is wrong. Remedy: mend it." in shown
    assert "Traceback" not in shown
    assert "Traceback" in path.read_text()
    assert not [h for h in logging.getLogger().handlers if getattr(h, "baseFilename", "") == str(path)]


def test_job_log_of_a_fault(tmp_path):
    path = tmp_path / "job.log"
    with pytest.raises(ZeroDivisionError), log_to(path):
        1 / 0  # noqa: B018
    assert "ZeroDivisionError" in path.read_text()


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


def test_a_number_that_is_no_class_is_rejected(own_spec, csv_file, tmp_path):
    columns = {"a": {}, "phase": {"classes": ["several phases", "single phase"], "label": True}}
    path = csv_file("formula,a,phase\nFeNi,1,0\nFeCr,2,1\nFeCo,3,2\nFeTi,4,0.5\nFeV,5,yes\n")
    reading = read(own_spec(columns=columns), path)
    assert reading.frame["phase"].tolist() == [0.0, 1.0]
    assert reading.rejects["row"].tolist() == [4, 5, 6]
    expected = "is not the number of a class: 0 (several phases), 1 (single phase)"
    assert reading.rejects["reason"].tolist() == [expected, expected, "is not a number"]
    write(reading, tmp_path / "t.parquet", tmp_path / "r.parquet")
    schema = tables.schema(tmp_path / "t.parquet")
    assert schema["phase"].classes == ("several phases", "single phase")
    assert schema["a"].classes == ()


@pytest.mark.parametrize(
    "column",
    [
        {"classes": ["one"]},
        {"classes": ["a", "b", "c"]},
        {"classes": ["a", "a"]},
        {"classes": ["a", "b"], "unit": "eV"},
        {"classes": ["a", "b"], "kind": "category"},
    ],
)
def test_classes_are_two_of_a_plain_number(own_spec, column):
    with pytest.raises(ValueError, match="classes"):
        own_spec(columns={"phase": column})
