"""DFT calculations: configuration, structures, journal, tables, rules; and GPAW itself where it is there."""

from __future__ import annotations

import pandas as pd

from nestmat import cli, tables
from nestmat.config.dft import DFT_TABLES
from nestmat.dft import records as dft_records
from nestmat.dft import summaries


def records_of(call):
    """Records with what the stand-in leaves out."""
    rest = {"pressure": 0.0, "force": 0.0, "direct_gap": 1.0, "direct": True, "valence_edge": 0.0}
    rest |= {"conduction_edge": 1.0, "k_valence": [0.5, 0.5, 0.5], "k_conduction": [0.0, 0.0, 0.0]}
    return [{**r, **(rest if r["status"] == "converged" else {})} for r in call()]


def test_the_summary_keeps_failed_calculations_and_says_what_it_was_made_with(call, tmp_path, capsys):
    records = records_of(call)
    dft_records.write_records(records, tmp_path / "t.parquet")
    results = {name: tmp_path / f"{name}.parquet" for name in DFT_TABLES}
    summaries.summarise_sets([tmp_path / "t.parquet"], results, study="small", sets=["t"])
    frame = tables.read(results["calculations"])
    assert len(frame) == len(records)
    failed = frame[frame["status"] == "failed"]
    assert set(failed["message"]) == {"attempt 1: no"}
    assert failed[["energy", "gap", "strain"]].isna().all(axis=None)
    # Binaries are no compounds of their own: the table is empty, with its columns.
    assert tables.read(results["compounds"]).empty
    assert cli.main(["dft", "export", str(tmp_path), str(tmp_path / "out")]) == 0
    assert str(tmp_path / "out/compounds.parquet") in capsys.readouterr().out
    exported = tmp_path / "out/calculations.parquet"
    pd.testing.assert_frame_equal(tables.read(exported), frame)
    assert tables.schema(exported) == tables.schema(results["calculations"])
    facts = tables.provenance(exported)
    assert facts["licence"] == "CC0-1.0"
    assert facts["versions"]["gpaw"] == "0"
    assert facts["settings"]["functional"] == "PBE"
    assert facts["command"].startswith("nestmat dft export")
    assert (facts["calculations"], facts["failed"]) == (len(records), 3)


def test_of_a_structure_in_two_sets_the_first_counts(call, tmp_path):
    records = records_of(call)
    dft_records.write_records(records, tmp_path / "one.parquet")
    other = [{**r, "structure": r["structure"].replace("KCl", "NaCl"), "seconds": 99.0} for r in records]
    dft_records.write_records(other, tmp_path / "two.parquet")
    results = {name: tmp_path / f"{name}.parquet" for name in DFT_TABLES}
    summaries.summarise_sets([tmp_path / "one.parquet", tmp_path / "two.parquet"], results)
    frame = tables.read(results["calculations"])
    assert set(frame.loc[frame["seconds"] == 99, "structure"]) == {"NaCl rocksalt"}
    assert frame["structure"].nunique() == 4
