from __future__ import annotations

import logging

import numpy as np
import pandas as pd
import pytest

from nestmat import tables
from nestmat.features.elemental_gaps import beyond_the_last, find_gaps
from nestmat.features.table import ScaleColumns, featurize, write_features
from nestmat.materials.formulas import parse


def _table(*formulas: str) -> pd.DataFrame:
    rows = range(len(formulas))
    keys = [parse(text).key for text in formulas]
    return pd.DataFrame({"row_id": rows, "row": [k + 2 for k in rows], "formula": formulas, "material": keys})


def test_more_than_a_third_of_the_properties_is_too_much() -> None:
    invented = np.zeros((119, 6), dtype=bool)
    invented[2, :2] = invented[10, :3] = True
    gaps, faults = find_gaps(
        [parse("HeO"), None, parse("NeO"), parse("He2O"), parse("HeNe")], "abcdef", invented
    )
    assert [(gap.element, gap.properties, gap.total, gap.positions) for gap in gaps] == [
        ("He", ["a", "b"], 6, [0, 3])
    ]
    assert sorted(faults) == [2, 4]
    assert "Ne, of which 3 of 6 properties are not tabulated" in faults[2].reason


@pytest.mark.parametrize(("text", "symbol"), [("RfC", "Rf"), ("OgO", "Og"), ("LrO", ""), ("UO2", "")])
def test_elements_beyond_lawrencium(text: str, symbol: str) -> None:
    fault = beyond_the_last(parse(text))
    assert (symbol and f"holds {symbol}, which is beyond Lr") == (
        fault.reason.split(" (")[0] if fault else ""
    )


@pytest.mark.parametrize(
    "block", [{"composition": "magpie"}, {"matminer": {"ElementProperty": {"preset": "magpie"}}}]
)
def test_rows_of_elements_without_data(block: dict) -> None:
    features = featurize(_table("OgO", "HeNe", "CsPbI3", "RfC"), {"block": block}, ScaleColumns())
    assert features.frame["formula"].tolist() == ["HeNe", "CsPbI3"]
    assert features.rejects["row"].tolist() == [2, 5]
    assert [(gap["element"], gap["rows"], gap["total"]) for gap in features.gaps] == [
        ("He", 1, 22),
        ("Ne", 1, 22),
    ]


def test_gaps_are_in_the_log_and_in_the_files(tmp_path, caplog) -> None:
    table, features, rejects = (tmp_path / f"{name}.parquet" for name in ("table", "features", "rejects"))
    schema = {name: tables.Column("int64" if "row" in name else "string") for name in _table("He")}
    tables.write(table, _table("HeO", "HeO2", "CsPbI3"), schema, {})
    with caplog.at_level(logging.WARNING):
        write_features(
            table, features, rejects, features={"m": {"composition": "magpie"}}, columns=ScaleColumns()
        )
    assert (
        "2 of 22 properties of He are not tabulated, and are the mean over all elements in 2 rows"
        in caplog.text
    )
    for path in (features, rejects):
        [gap] = tables.provenance(path)["gaps"]
        assert (gap["element"], gap["rows"], gap["block"]) == ("He", 2, "m")
