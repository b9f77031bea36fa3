"""DFT calculations: configuration, structures, journal, tables, rules; and GPAW itself where it is there."""

from __future__ import annotations

import json

from nestmat import cli
from nestmat.config.dft import DFT_TABLES
from nestmat.dft import records as dft_records
from nestmat.dft import summaries


def records_of(call):
    """Records with what the stand-in leaves out."""
    rest = {"pressure": 0.0, "force": 0.0, "direct_gap": 1.0, "direct": True, "valence_edge": 0.0}
    rest |= {"conduction_edge": 1.0, "k_valence": [0.5, 0.5, 0.5], "k_conduction": [0.0, 0.0, 0.0]}
    return [{**r, **(rest if r["status"] == "converged" else {})} for r in call()]


def test_exported_calculations_are_not_made_again(call, tmp_path, capsys):
    records = records_of(call)
    dft_records.write_records(records, tmp_path / "t.parquet")
    summaries.summarise_sets(
        [tmp_path / "t.parquet"], {name: tmp_path / f"{name}.parquet" for name in DFT_TABLES}, sets=["t", "u"]
    )
    capsys.readouterr()
    assert cli.main(["dft", "restore", str(tmp_path), str(tmp_path / "dft")]) == 0
    journals = [tmp_path / "dft/journal" / name / "restored.jsonl" for name in ("t", "u")]
    assert capsys.readouterr().out.split() == [str(journal) for journal in journals]
    for journal in journals:
        assert [json.loads(line) for line in journal.read_text().splitlines()] == records


def test_calculations_of_unknown_sets_cannot_be_restored(call, tmp_path, capsys):
    dft_records.write_records(records_of(call), tmp_path / "records.parquet", set="t")
    assert cli.main(["dft", "restore", str(tmp_path), str(tmp_path / "dft")]) == 2
    told = capsys.readouterr().err
    assert "records.parquet" in told
    assert "name the sets of its calculations" in told


def test_export_without_results_names_the_table(tmp_path, capsys):
    assert cli.main(["dft", "export", str(tmp_path), str(tmp_path / "out")]) == 2
    assert "records.parquet" in capsys.readouterr().err
