"""The registry, the download and the readers, on the published files and on a server that misbehaves."""

from __future__ import annotations

import types

import numpy as np
import pandas as pd
import pytest

from nestmat import tables
from nestmat.config.data_files import DataFile
from nestmat.config.datasets import DatasetSpec
from nestmat.data import registry
from nestmat.data.reading import read


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
