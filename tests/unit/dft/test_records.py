"""DFT calculations: configuration, structures, journal, tables, rules; and GPAW itself where it is there."""

from __future__ import annotations

from nestmat import tables
from nestmat.dft import records as dft_records


def records_of(call):
    """Records with what the stand-in leaves out."""
    rest = {"pressure": 0.0, "force": 0.0, "direct_gap": 1.0, "direct": True, "valence_edge": 0.0}
    rest |= {"conduction_edge": 1.0, "k_valence": [0.5, 0.5, 0.5], "k_conduction": [0.0, 0.0, 0.0]}
    return [{**r, **(rest if r["status"] == "converged" else {})} for r in call()]


def test_records_come_back_from_their_table(call, tmp_path):
    records = records_of(call)
    dft_records.write_records(records, tmp_path / "t.parquet", set="t")
    assert dft_records.read_records([tmp_path / "t.parquet"]) == records
    assert tables.schema(tmp_path / "t.parquet")["energy"].unit == "eV"
