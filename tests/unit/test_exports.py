"""Tables in every format hold the same values, and texts stay texts."""

import json

import numpy as np
import pandas as pd
import pytest

from nestmat.errors import InputError
from nestmat.exports import FORMATS, write_table
from nestmat.tables import Column

FRAME = pd.DataFrame(
    {
        "formula": ["CsPbI3", "=1+1", 'Å\x07, "ü"'],
        "gap": [0.1 + 0.2, np.nan, 1e-300],
        "row": [1, 2, 3],
        "hit": [True, False, True],
    }
)
SCHEMA = {
    "formula": Column("string"),
    "gap": Column("float64", "eV"),
    "row": Column("int64"),
    "hit": Column("bool"),
}
READERS = {
    ".csv": pd.read_csv,
    ".parquet": pd.read_parquet,
    ".jsonl": lambda path: pd.DataFrame(map(json.loads, path.read_text().splitlines())),
    ".xlsx": pd.read_excel,
}


@pytest.mark.parametrize("suffix", FORMATS)
def test_a_table_is_read_back_by_pandas(tmp_path, suffix):
    path = tmp_path / f"table{suffix}"
    write_table(path, FRAME, SCHEMA)
    # A sheet has no control characters.
    frame = FRAME.replace("\x07", "", regex=True) if suffix == ".xlsx" else FRAME
    again = READERS[suffix](path)
    pd.testing.assert_frame_equal(again, frame, check_exact=suffix in (".parquet", ".jsonl"), rtol=1e-15)


@pytest.mark.parametrize("name", ["table.tsv", "table", "table.csv.gz", ".csv"])
def test_other_suffixes_are_refused(tmp_path, name):
    with pytest.raises(InputError, match=r"choose one of .csv, .parquet, .jsonl, .xlsx"):
        write_table(tmp_path / name, FRAME, SCHEMA)
    assert not list(tmp_path.iterdir())
