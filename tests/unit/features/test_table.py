from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from nestmat import tables
from nestmat.errors import InputError
from nestmat.features.table import ScaleColumns, featurize, write_features, write_features_for_parent
from nestmat.materials.formulas import parse, parse_many


@pytest.fixture
def devices() -> pd.DataFrame:
    formulas = [
        "MAPbI3",
        "FAPbI3",
        "Cs0.5MA0.5PbBr3",
        "CsPbI2",
        "not a formula",
        "MAPbI3",
        "MAPbI3",
        "FAPbI3",
    ]
    parsed = parse_many(formulas).formulas
    return pd.DataFrame(
        {
            "row_id": np.arange(8),
            "row": np.arange(8) + 2,
            "formula": formulas,
            "material": [formula.key if formula else "" for formula in parsed],
            "flag": "",
            "thickness": [400.0, 500, 450, 500, 500, math.nan, 510, math.inf],
            "same": 1.0,
            "etl": ["TiO2", "SnO2", "TiO2", "TiO2", "TiO2", "SnO2", None, "TiO2"],
            "pce": [18.0, 19.5, 12.0, 3.0, 4.0, 17.0, 16.0, 20.0],
        }
    )


BLOCKS: dict[str, Any] = {
    "device": {"columns": ["thickness", "same"]},
    "etl": {"one_hot": "etl"},
    "A": {"site": "A"},
    "X": {"site": "X"},
    "geometry": {"perovskite": True},
}


def test_featurize(devices: pd.DataFrame) -> None:
    schema = {"thickness": tables.Column("float64", "nm"), "pce": tables.Column("float64", "%")}
    found = featurize(devices, BLOCKS, ScaleColumns(["pce"], group=["etl"]), schema=schema)
    assert found.frame["row_id"].tolist() == [0, 1, 2]
    assert len(found.frame) + len(found.rejects) == len(devices)
    assert list(found.frame.columns) == list(found.schema)
    assert found.frame["group"][0] == "I=0.6 MA=0.2 Pb=0.2 | TiO2"
    assert found.blocks["etl"] == {
        "kind": "categorical",
        "columns": ["etl=SnO2", "etl=TiO2"],
        "levels": ["SnO2", "TiO2"],
    }
    assert found.blocks["A"]["columns"] == ["A:Cs", "A:FA", "A:MA"]
    assert found.blocks["A"]["kind"] == "simplex"
    assert found.for_training.levels == {"etl": ["SnO2", "TiO2"], "A": ["Cs", "FA", "MA"], "X": ["Br", "I"]}
    assert found.constant == ["same"]
    assert found.schema["thickness"] == tables.Column("float64", "nm", "feature", "device")
    assert found.schema["pce"].role == "target"
    assert found.schema["etl"].role == "category"
    assert found.frame.loc[2, "A:Cs"] == 0.5
    reasons = found.rejects.set_index("row")
    assert "not an ABX3" in reasons.loc[5, "reason"]
    assert "neither an element" in reasons.loc[6, "reason"]
    assert reasons.loc[7, "column"] == "thickness"
    assert reasons.loc[8, "column"] == "etl"
    assert reasons.loc[9, "reason"] == "is not finite."


def test_new_rows_keep_the_training_layout(devices: pd.DataFrame) -> None:
    trained = featurize(devices, BLOCKS, ScaleColumns(["pce"]))
    new = devices.iloc[:3].drop(columns="pce").assign(etl=["SnO2", "ZnO", "TiO2"])
    new.loc[2, "formula"] = "RbPbI3"
    found = featurize(new, BLOCKS, training=trained.for_training)
    assert found.blocks == trained.blocks
    assert found.frame["row_id"].tolist() == [0]
    assert "'ZnO'" in repr(tuple(found.rejects.iloc[0]))
    assert "training data lacks" in found.rejects["reason"][0]
    assert "holds Rb on site A" in found.rejects["reason"][1]


def test_row_without_target_is_rejected(devices: pd.DataFrame) -> None:
    devices.loc[0, "pce"] = math.nan
    found = featurize(devices.iloc[:2], BLOCKS, ScaleColumns(["pce"]))
    assert tuple(found.rejects.iloc[0]) == (2, "pce", "", "has no value.")


def test_bad_tables(devices: pd.DataFrame) -> None:
    with pytest.raises(InputError, match=r"data\.parquet.*'thicknes'.*it has.*thickness"):
        featurize(devices, {"d": {"columns": ["thicknes"]}}, source="data.parquet")
    with pytest.raises(InputError, match="holds text"):
        featurize(devices, {"d": {"columns": ["etl"]}})
    with pytest.raises(InputError, match="feature and a target"):
        featurize(devices, {"d": {"columns": ["pce"]}}, ScaleColumns(["pce"]))
    with pytest.raises(InputError, match="'htl'"):
        featurize(devices, {"d": {"one_hot": "htl"}})
    with pytest.raises(InputError, match="'jsc'"):
        featurize(devices, BLOCKS, ScaleColumns(["jsc"]))


def test_a_column_may_be_in_two_blocks(devices: pd.DataFrame) -> None:
    found = featurize(devices.iloc[:3], {"a": {"columns": ["same"]}, "b": {"columns": ["same", "thickness"]}})
    assert found.blocks["b"]["columns"] == ["same", "thickness"]
    assert list(found.frame.columns).count("same") == 1


def test_tables_without_formula_pass_through() -> None:
    table = pd.DataFrame(
        {
            "row_id": [0, 1],
            "row": [1, 2],
            "formula": "",
            "material": ["row 0", "row 1"],
            "x": [1.0, 2.0],
            "y": [0.0, 1.0],
        }
    )
    found = featurize(table, {"x": {"columns": ["x"]}}, ScaleColumns(["y"]))
    assert found.frame["x"].tolist() == [1, 2]
    assert found.rejects.empty
    rejected = featurize(table, {"x": {"composition": "magpie"}}, ScaleColumns(["y"]))
    assert len(rejected.rejects) == 2


@pytest.fixture
def stored(tmp_path: Path) -> Callable[[str, pd.DataFrame], Path]:
    def store(name: str, frame: pd.DataFrame) -> Path:
        kinds = {"O": "string", "f": "float64", "i": "int64"}
        schema = {column: tables.Column(kinds[frame[column].dtype.kind]) for column in frame}
        tables.write(tmp_path / name, frame, schema, {"title": "devices"})
        return tmp_path / name

    return store


def test_files(devices: pd.DataFrame, stored: Callable[..., Path], tmp_path: Path) -> None:
    source = stored("devices.parquet", devices)
    features, rejects = tmp_path / "features.parquet", tmp_path / "features.rejects.parquet"
    write_features(source, features, rejects, features=BLOCKS, columns=ScaleColumns(["pce"]))
    facts = tables.provenance(features)
    assert facts["rows_read"] == facts["rows_kept"] + facts["rows_rejected"] == 8
    assert facts["dataset"]["title"] == "devices"
    assert facts["blocks"]["X"]["columns"] == ["X:Br", "X:I"]
    assert tables.schema(features)["A:Cs"].block == "A"
    assert len(tables.read(rejects)) == 5


def test_nothing_is_written_where_no_row_has_features(
    devices: pd.DataFrame, stored: Callable[..., Path], tmp_path: Path
) -> None:
    source = stored("devices.parquet", devices.iloc[3:5])
    with pytest.raises(InputError, match="No row of the table has features"):
        write_features(
            source,
            tmp_path / "f.parquet",
            tmp_path / "r.parquet",
            features=BLOCKS,
            columns=ScaleColumns(["pce"]),
        )
    assert not (tmp_path / "f.parquet").exists()
    assert not (tmp_path / "r.parquet").exists()


@pytest.fixture
def parent(stored: Callable[..., Path], tmp_path: Path) -> tuple[Path, dict[str, Any]]:
    """Features of a parent scale whose ``radius`` is the fraction-weighted radius of the A site."""
    formulas = ["CsPbI3", "MAPbI3", "FAPbI3", "FA0.5MA0.5PbI3", "CsPbBr3"]
    table = pd.DataFrame(
        {
            "row_id": range(5),
            "row": range(2, 7),
            "formula": formulas,
            "material": [parse(text).key for text in formulas],
            "radius": [1.88, 2.17, 2.53, 2.35, 1.88],
            "gap": [1.7, 1.6, 1.5, 1.5, 2.3],
        }
    )
    blocks = {"radii": {"columns": ["radius"]}, "A": {"site": "A"}, "X": {"site": "X"}}
    path = tmp_path / "parent.features.parquet"
    write_features(
        stored("parent.parquet", table),
        path,
        tmp_path / "p.rejects",
        features=blocks,
        columns=ScaleColumns(["gap"]),
    )
    return path, blocks


def test_features_for_a_parent_are_completed(
    devices: pd.DataFrame, parent: tuple[Path, dict[str, Any]], stored: Callable[..., Path], tmp_path: Path
) -> None:
    source = stored("devices.parquet", devices)
    path, blocks = parent
    write_features_for_parent(source, path, tmp_path / "f.parquet", tmp_path / "r.parquet", features=blocks)
    found = tables.read(tmp_path / "f.parquet")
    assert found["row_id"].tolist() == [0, 1, 2, 5, 6, 7]
    assert found["radius"].to_numpy() == pytest.approx([2.17, 2.53, (1.88 + 2.17) / 2, 2.17, 2.17, 2.53])
    assert list(found.columns[4:]) == ["radius", "A:Cs", "A:FA", "A:MA", "X:Br", "X:I"]


def test_features_for_a_parent_are_looked_up(
    devices: pd.DataFrame, parent: tuple[Path, dict[str, Any]], stored: Callable[..., Path], tmp_path: Path
) -> None:
    source = stored("devices.parquet", devices)
    path, blocks = parent
    files = tmp_path / "f.parquet", tmp_path / "r.parquet"
    write_features_for_parent(source, path, *files, features=blocks, look_up=True)
    found, rejects = tables.read(files[0]), tables.read(files[1])
    assert found["row_id"].tolist() == [0, 1, 5, 6, 7]
    assert found["radius"].tolist() == [2.17, 2.53, 2.17, 2.17, 2.53]
    assert rejects["row"].tolist() == [4, 5, 6]
    assert tables.provenance(files[0])["blocks"] == tables.provenance(path)["blocks"]
