"""Small features tables for tests that need no data set."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from nestmat import tables
from nestmat.tables import Column


def write_features(
    path: Path, frame: pd.DataFrame, blocks: dict[str, list[str]], targets: list[str], unit: str = "eV"
) -> Path:
    """A features table of the columns of ``blocks`` and ``targets``; other columns are categories."""
    frame = frame.copy()
    for key in ("formula", "material", "group"):
        if key not in frame:
            frame[key] = frame["material"] if "material" in frame else [f"row {i}" for i in range(len(frame))]
    if "row_id" not in frame:
        frame["row_id"] = np.arange(len(frame))
    schema = {"row_id": Column("int64", role="key")}
    schema |= {key: Column("string", role="key") for key in ("formula", "material", "group")}
    for name, columns in blocks.items():
        schema |= {column: Column("float64", role="feature", block=name) for column in columns}
    schema |= {target: Column("float64", unit=unit, role="target") for target in targets}
    schema |= {name: Column("string", role="category") for name in frame if name not in schema}
    layout = {name: {"kind": "continuous", "columns": columns} for name, columns in blocks.items()}
    tables.write(path, frame, schema, {"blocks": layout})
    return path
