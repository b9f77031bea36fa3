"""Small tables of alloys whose class follows from their shares, for tests that need no data set."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from nestmat import tables
from nestmat.tables import Column
from nestmat.training.scale_data import ScaleData

NAMES = ["Fe", "Ni", "Cr", "Co", "Al"]
ELEMENTS, EVIDENCE = len(NAMES), 3


def compositions(rows: int, seed: int = 0) -> np.ndarray:
    """Whole atoms in a hundred of two elements or more, others absent, as fractions (rows, elements)."""
    rng = np.random.default_rng(seed)
    found = np.zeros((rows, ELEMENTS))
    for row in found:
        chosen = rng.choice(ELEMENTS, rng.integers(2, ELEMENTS), replace=False)
        row[chosen] = 1 + rng.multinomial(100 - len(chosen), np.full(len(chosen), 1 / len(chosen)))
    return found / 100


def scale(rows: int = 90, seed: int = 0) -> ScaleData:
    """Alloys whose phase follows from the evidence, which follows from the shares."""
    rng = np.random.default_rng(seed)
    shares = compositions(rows, seed)
    mixing = rng.normal(size=(ELEMENTS, EVIDENCE))
    evidence = shares @ mixing + 0.05 * rng.normal(size=(rows, EVIDENCE))
    score = evidence[:, 0] - np.median(evidence[:, 0])
    return ScaleData(
        row_id=np.arange(rows),
        material=np.array([f"m{k}" for k in range(rows)]),
        group=np.array([f"m{k}" for k in range(rows)]),
        x={"shares": shares, "evidence": evidence},
        kinds={"shares": "simplex", "evidence": "continuous"},
        columns={"shares": NAMES, "evidence": ["size", "charge", "order"]},
        y={"phase": (score > 0) * 1.0, "hardness": evidence.sum(axis=1)},
        units={},
        classes={"phase": ["several", "single"]},
    )


def write_alloys(folder: Path, data: ScaleData) -> Path:
    percent = (100 * data.x["shares"]).round().astype(int)
    formulas = [
        "".join(f"{name}{share}" for name, share in zip(NAMES, row, strict=True) if share) for row in percent
    ]
    frame = pd.DataFrame({"row_id": data.row_id, "formula": formulas, "material": data.material})
    frame["group"] = data.group
    schema = {"row_id": Column("int64", role="key")}
    schema |= {name: Column("string", role="key") for name in ("formula", "material", "group")}
    for block, columns in data.columns.items():
        frame[columns] = data.x[block]
        schema |= {name: Column("float64", role="feature", block=block) for name in columns}
    frame = frame.assign(**data.y)
    schema |= {
        name: Column("float64", role="target", classes=tuple(data.classes.get(name, ()))) for name in data.y
    }
    blocks = {name: {"kind": data.kinds[name], "columns": columns} for name, columns in data.columns.items()}
    tables.write(folder / "alloys.parquet", frame, schema, {"blocks": blocks})
    return folder / "alloys.parquet"


INNER_FOLDS = 3


def write_folds(folder: Path, data: ScaleData, repeats: int = 2) -> Path:
    parts = []
    for repeat in range(repeats):
        order = np.random.default_rng(repeat).permutation(len(data))
        frame = pd.DataFrame({"row_id": data.row_id, "material": data.material, "fold": -1, "repeat": repeat})
        frame["role"] = np.select(
            [order < 40, order < 65, order < 75], ["labelled", "unlabelled", "unused"], ""
        )
        frame.loc[order >= 75, ["fold", "role"]] = [0, "labelled"]
        parts.append(frame.assign(inner=order % INNER_FOLDS, regions=0, protocol="half"))
    found = pd.concat(parts, ignore_index=True).astype({"fold": "int32", "repeat": "int32"})
    tables.write(
        folder / "folds.parquet",
        found,
        tables.FOLDS,
        {"folds": {"half": 1}, "inner_folds": {"half": INNER_FOLDS}},
    )
    return folder / "folds.parquet"
