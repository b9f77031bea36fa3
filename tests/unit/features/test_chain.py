from __future__ import annotations

import pandas as pd

from nestmat.features import chain
from nestmat.features.table import featurize
from nestmat.tables import write

FORMULAS = [
    "CsPbI3",
    "CsSnI3",
    "RbPbBr3",
    "Cs0.5Rb0.5PbI3",
    "nonsense",
    "CsSn0.5Pb0.5I3",
    "CsMgI3",
    "RbSnBr3",
]
BLOCKS = {"A": {"site": "A"}, "B": {"site": "B"}, "ions": {"site_descriptors": ["A", "B"]}}


def table(formulas: list[str]) -> pd.DataFrame:
    numbers = range(len(formulas))
    return pd.DataFrame({"row_id": numbers, "row": numbers, "formula": formulas, "material": formulas})


def test_rows_in_parts_get_the_features_of_all_at_once(tmp_path, monkeypatch):
    trained = featurize(table(FORMULAS[:4]), BLOCKS)
    path = tmp_path / "s.parquet"
    write(path, trained.frame, trained.schema, {"blocks": trained.blocks})
    rows = table(FORMULAS)
    whole = chain.featurize_chain(rows, {"s": BLOCKS}, {"s": path})["s"]
    monkeypatch.setattr(chain, "ROWS", 3)
    parts = chain.featurize_chain(rows, {"s": BLOCKS}, {"s": path})["s"]
    pd.testing.assert_frame_equal(parts.frame, whole.frame)
    pd.testing.assert_frame_equal(parts.rejects, whole.rejects)
    assert whole.rejects["row"].tolist() == [4, 6]
    assert parts.constant == whole.constant
    assert (parts.blocks, parts.schema) == (whole.blocks, whole.schema)
