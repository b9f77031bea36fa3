from __future__ import annotations

import importlib.util
import logging
import math
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from matminer.featurizers.composition import (
    AtomicPackingEfficiency,
    ElementProperty,
    WenAlloys,
    YangSolidSolution,
    alloy,
)
from pymatgen.core import Composition, Element

from nestmat import tables
from nestmat.errors import InputError
from nestmat.features.blocks.perovskite import perovskite_criteria
from nestmat.features.blocks.site import site_fractions
from nestmat.features.blocks.site_descriptors import site_descriptors
from nestmat.features.composition import PRESETS, CompositionTable, composition_arrays, composition_table
from nestmat.features.matminer_adapter import matminer_features
from nestmat.features.table import featurize, levels_of, write_features, write_features_for_parent
from nestmat.materials.formulas import parse, parse_many

FORMULAS = [
    "CsPbI3",
    "FAPbBr3",
    "Cs0.05FA0.79MA0.16PbI2.49Br0.51",
    "MASn0.5Ge0.5Cl3",
    "BaTiO3",
    "C60",
    "UO2",
    "Og",
]
FORMULAS += ["Fe0.7Cr0.2Ni0.1", "Cs0.1PbI3", "He", "ArXe", "HCNOFNaMgAlSi", "LiFeCoNiCuZnGaGeAsSeBrKrRbSrYZr"]


def _reference(featurizer: ElementProperty, composition: Composition) -> list[float] | None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return [float(value) for value in featurizer.featurize(composition)]
        except KeyError:
            # Without imputation some sources fail on an element that they lack; ours gives NaN.
            return None


def _random(count: int, elements: int, generator: np.random.Generator) -> list[Composition]:
    symbols = np.array([Element.from_Z(z).symbol for z in range(1, 119)])
    found = []
    for row in range(count):
        amounts = generator.dirichlet(np.ones(elements))
        if row % 3:
            # Ties and near ties decide the mode.
            amounts = np.maximum(np.round(amounts * 4), 1) * (1 + (row % 2) * 1e-6 * np.arange(elements))
        chosen = symbols[generator.permutation(118)[:elements]]
        found.append(Composition(dict(zip(chosen, amounts.tolist(), strict=True))))
    return found


@pytest.mark.parametrize("impute_nan", [True, False])
@pytest.mark.parametrize("preset", PRESETS)
def test_equals_matminer(preset: str, impute_nan: bool) -> None:
    featurizer = ElementProperty.from_preset(preset, impute_nan=impute_nan)
    table = composition_table(preset, impute_nan)
    assert table.columns == featurizer.feature_labels()
    generator = np.random.default_rng(7)
    compositions = [parse(text).composition for text in FORMULAS]
    for elements in (1, 2, 3, 7, 8, 9, 17):
        compositions += _random(6, elements, generator)
    references = [_reference(featurizer, composition) for composition in compositions]
    kept = [i for i, reference in enumerate(references) if reference is not None]
    assert len(kept) >= 15
    expected = np.array([references[i] for i in kept])
    found = table.featurize([compositions[i] for i in kept])
    assert np.array_equal(np.isnan(found), np.isnan(expected))
    np.testing.assert_allclose(found, expected, rtol=1e-12, atol=0, equal_nan=True)
    if preset == "magpie":
        assert np.array_equal(found, expected, equal_nan=True)
    for i in set(range(len(compositions))) - set(kept):
        assert np.isnan(table.featurize([compositions[i]])).any()


@pytest.mark.mirror
def test_equals_matminer_on_published_formulas(mirror: Path) -> None:
    table = pd.read_csv(mirror / "nestedae/perov_bandgaps_PBE.csv", encoding="utf-8-sig")
    compositions = [parse(text).composition for text in table["Formula"]]
    featurizer = ElementProperty.from_preset("magpie", impute_nan=True)
    expected = np.array([_reference(featurizer, composition) for composition in compositions])
    np.testing.assert_allclose(composition_table("magpie").featurize(compositions), expected, rtol=1e-12)


@given(st.integers(0, 2**32 - 1))
@settings(max_examples=25, deadline=None)
def test_order_padding_and_repeats_do_not_matter(seed: int) -> None:
    generator = np.random.default_rng(seed)
    count, elements = 5, 4
    indices = np.array([generator.permutation(94)[:elements] + 1 for _ in range(count)])
    weights = generator.dirichlet(np.ones(elements), count)
    table = composition_table("magpie")
    expected = table.statistics(indices, weights)
    # The first element twice with half its weight, absent elements between, another order.
    halves = np.hstack([weights[:, :1] / 2, np.zeros((count, 1)), weights[:, 1:], weights[:, :1] / 2])
    spread = np.hstack([indices[:, :1], np.full((count, 1), 7), indices[:, 1:], indices[:, :1]])
    order = generator.permutation(elements + 2)
    found = table.statistics(spread[:, order], halves[:, order], threads=2)
    np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-9)


def test_threads_give_the_same_bits() -> None:
    generator = np.random.default_rng(0)
    indices = np.array([generator.permutation(94)[:5] + 1 for _ in range(3000)])
    weights = generator.dirichlet(np.ones(5), 3000)
    table = composition_table("magpie")
    assert np.array_equal(table.statistics(indices, weights), table.statistics(indices, weights, threads=2))


@pytest.mark.parametrize(
    ("indices", "weights"),
    [
        ([[1, 2]], [[0.5, -0.1]]),
        ([[1, 2]], [[0.5, math.nan]]),
        ([[1, 2]], [[0.0, 0.0]]),
        ([[1, 119]], [[0.5, 0.5]]),
        ([[0, 2]], [[0.5, 0.5]]),
        ([[1, 2]], [[0.5]]),
    ],
)
def test_bad_composition_arrays(indices: list, weights: list) -> None:
    with pytest.raises(InputError):
        composition_table("magpie").statistics(np.array(indices), np.array(weights))


def test_no_compositions() -> None:
    assert composition_table("magpie").featurize([]).shape == (0, 132)
    assert composition_arrays([])[0].shape == (0, 0)


def test_unknown_preset_names_the_known() -> None:
    with pytest.raises(InputError, match="magpie, deml"):
        CompositionTable("magpy")


def test_benchmark_runs(capsys: pytest.CaptureFixture[str]) -> None:
    path = Path(__file__).parents[1] / "bench/bench_features.py"
    spec = importlib.util.spec_from_file_location("bench_features", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    module.main(["--rows", "2000", "--peer-rows", "100"])
    cells = [cell.strip() for cell in capsys.readouterr().out.splitlines()[-1].split("|")]
    assert float(cells[7]) < 1e-12
    # The bar of 150 is for 20,000 rows; a busy machine and few rows leave a margin.
    assert float(cells[6]) > 50


def test_site_fractions_and_unknown_ion() -> None:
    formulas = parse_many(["CsPbI3", "FA0.8Cs0.2PbI3", "bad-", "RbPbI3", "PbI2"]).formulas
    block = site_fractions(formulas[:2], "A")
    assert block.columns == ["A:Cs", "A:FA"]
    assert block.values.tolist() == [[1, 0], [0.2, 0.8]]
    known = site_fractions(formulas, "A", block.levels)
    assert "holds Rb on site A" in known.faults[3].reason
    assert "not an ABX3" in known.faults[4].reason
    assert 2 not in known.faults
    assert np.isnan(known.values[2:]).all()


def test_site_descriptors_are_fraction_weighted() -> None:
    block = site_descriptors([parse("FA0.8Cs0.2Pb0.5Sn0.5I2.4Br0.6")], ["A", "B", "X"])
    found = dict(zip(block.columns, block.values[0], strict=True))
    assert found["A_radius"] == pytest.approx(0.8 * 2.53 + 0.2 * 1.88)
    assert found["A_dipole"] == pytest.approx(0.8 * 0.25)
    assert found["B_atomic_number"] == 66
    assert found["B_electronegativity"] == pytest.approx((2.33 + 1.96) / 2)
    assert found["X_electron_affinity"] == pytest.approx(0.8 * 3.059 + 0.2 * 3.3636, abs=1e-3)
    assert found["X_ionisation_energy"] == pytest.approx(0.8 * 10.451 + 0.2 * 11.814, abs=1e-3)
    assert dict(zip(block.columns, block.units, strict=True))["B_ionisation_energy"] == "eV"
    assert not any(column.startswith("A_elec") for column in block.columns)


def test_unknown_property_is_a_fault() -> None:
    block = site_descriptors([parse("EAPbI3"), parse("CsPb(HCOO)3")], ["A", "X"])
    assert "EA, of which no dipole is known" in block.faults[0].reason
    assert "HCOO, of which no electron affinity is known" in block.faults[1].reason


@pytest.mark.mirror
def test_site_descriptors_agree_with_a_published_table(mirror: Path) -> None:
    table = pd.read_csv(mirror / "nestedae/perov_bandgaps_PBE.csv", encoding="utf-8-sig")
    block = site_descriptors([parse(text) for text in table["Formula"]], ["A", "B", "X"])
    found = pd.DataFrame(block.values, columns=block.columns)
    pairs = {"A_dipole": "A_DPM", "B_radius": "B_IONRAD", "B_ionisation_energy": "B_IE", "X_mass": "X_MASS"}
    pairs |= {"B_electronegativity": "B_En", "X_electron_affinity": "X_EA", "B_atomic_number": "B_AN"}
    for ours, theirs in pairs.items():
        np.testing.assert_allclose(found[ours], table[theirs], atol=0.02, rtol=2e-3, err_msg=ours)


def test_perovskite_block() -> None:
    block = perovskite_criteria([parse("MAPbI3"), parse("PEAPbI3")])
    assert block.values[0] == pytest.approx([0.912, 1.19 / 2.20, 3.88], abs=5e-3)
    assert "PEA" in block.faults[1].reason


def test_matminer_featurizers_by_name() -> None:
    formulas = parse_many(["CsPbI3", "Fe0.5Ni0.5", "x-", "CsPbI3"]).formulas
    block = matminer_features(formulas, {"Stoichiometry": {"p_list": [0, 2]}, "YangSolidSolution": {}})
    assert block.columns == ["0-norm", "2-norm", "Yang omega", "Yang delta"]
    assert block.values[0, 0] == 3
    assert np.isnan(block.values[2]).all()
    preset = matminer_features(formulas[:2], {"ElementProperty": {"preset": "magpie"}})
    expected = composition_table("magpie").featurize([f.composition for f in formulas[:2] if f])
    np.testing.assert_allclose(preset.values, expected, rtol=1e-12)


def test_matminer_failure_is_a_fault_of_its_row() -> None:
    block = matminer_features([parse("CsPbI3"), parse("C60")], {"CationProperty": {"preset": "deml"}})
    assert set(block.faults) == {0, 1}
    assert "CationProperty of matminer fails" in block.faults[0].reason


def test_text_and_what_depends_on_the_writing_of_a_formula_is_left_out(caplog) -> None:
    caplog.set_level(logging.INFO)
    formulas = [parse(text) for text in ("Os0.2Pt0.8", "OsPt4", "CoCrCu0.2FeNi")]
    block = matminer_features(formulas, {"WenAlloys": {}, "YangSolidSolution": {}})
    assert not block.faults
    assert np.isfinite(block.values).all()
    assert {"Weight Fraction", "Atomic Fraction", "Total weight"} & set(block.columns) == set()
    assert "left out Weight Fraction, Atomic Fraction, Total weight" in caplog.text
    assert block.columns.count("Yang omega") == 1, "both featurizers give it"
    np.testing.assert_allclose(block.values[0], block.values[1], rtol=1e-12)


def test_many_alloys_at_once_are_those_of_matminer_one_by_one() -> None:
    texts = ["NiAl", "Al0.3CoCrFeNi", "Ti0.3Nb0.3TaW2", "Cu3Au", "NiAl3", "ZrHfSn"]
    block = matminer_features([parse(text) for text in texts], {"WenAlloys": {}})
    for row, text in zip(block.values, texts, strict=True):
        theirs = WenAlloys(impute_nan=True)
        given = dict(zip(theirs.feature_labels(), theirs.featurize(Composition(text)), strict=True))
        np.testing.assert_allclose(row, [given[name] for name in block.columns], rtol=1e-12, atol=1e-15)
    assert alloy.AtomicPackingEfficiency is AtomicPackingEfficiency


def test_columns_that_differ_under_one_name(monkeypatch) -> None:
    monkeypatch.setattr(YangSolidSolution, "featurize", lambda _self, _composition: [1.0, 2.0])
    with pytest.raises(InputError, match=r"'Yang (delta|omega)' twice, with different values"):
        matminer_features([parse("NiAl")], {"WenAlloys": {}, "YangSolidSolution": {}})


def computed(caplog) -> int:
    """New compositions that a featurizer was asked for, of what was logged."""
    found = sum(int(record.args[1]) for record in caplog.records if "compositions" in record.msg)
    caplog.clear()
    return found


MANY = [f"Al{k}Co{300 - k}" for k in range(1, 300)]


@pytest.mark.parametrize("threads", [1, 2])
def test_matminer_results_are_kept(tmp_path: Path, caplog, threads: int) -> None:
    caplog.set_level(logging.INFO)
    formulas = parse_many([*MANY, "Al1Co299", "Co299Al"]).formulas
    wanted = {"YangSolidSolution": {}, "CationProperty": {"preset": "deml"}}
    plain = matminer_features(formulas, wanted)
    caplog.clear()
    first = matminer_features(formulas, wanted, threads=threads, cache=tmp_path / "cache")
    assert computed(caplog) > 0
    files = sorted((tmp_path / "cache").rglob("*.parquet"))
    assert len(files) == 6, "two stores of 299 compositions in chunks of 128"
    again = matminer_features(formulas, wanted, threads=threads, cache=tmp_path / "cache")
    assert computed(caplog) == 0
    assert len(plain.faults) == len(formulas)
    for block in (first, again):
        np.testing.assert_array_equal(block.values, plain.values)
        assert block.columns == plain.columns
        assert block.faults == plain.faults
    # What a job that was killed had finished is not computed again.
    files[0].unlink()
    files[-1].with_name(".half.parquet.part").write_bytes(b"half")
    block = matminer_features(formulas, wanted, cache=tmp_path / "cache")
    np.testing.assert_array_equal(block.values, plain.values)
    assert sorted((tmp_path / "cache").rglob("*.parquet")) == files


def test_other_arguments_have_a_store_of_their_own(tmp_path: Path) -> None:
    formulas = [parse("NiAl"), parse("LiLa")]
    for powers in ([2], [2, 3], [2]):
        block = matminer_features(formulas, {"Stoichiometry": {"p_list": powers}}, cache=tmp_path)
        assert block.columns == [f"{p}-norm" for p in powers]
    assert len(list(tmp_path.iterdir())) == 2
    assert len(list(tmp_path.rglob("*.parquet"))) == 2


@pytest.mark.parametrize(
    ("featurizers", "reason"),
    [
        ({"Stochiometry": {}}, "did you mean Stoichiometry"),
        ({"BaseFeaturizer": {}}, "no composition featurizer"),
        ({"Stoichiometry": {"p": 3}}, "refuses its arguments"),
        ({"Stoichiometry": {"preset": "magpie"}}, "no presets"),
        ({"ElementProperty": {"preset": "magpy"}}, "refuses its arguments"),
    ],
)
def test_unknown_matminer_featurizer(featurizers: dict[str, Any], reason: str) -> None:
    with pytest.raises(InputError, match=reason):
        matminer_features([parse("CsPbI3")], featurizers)


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
    found = featurize(devices, BLOCKS, ["pce"], group=["etl"], schema=schema)
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
    assert found.levels == {"etl": ["SnO2", "TiO2"], "A": ["Cs", "FA", "MA"], "X": ["Br", "I"]}
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
    trained = featurize(devices, BLOCKS, ["pce"])
    new = devices.iloc[:3].drop(columns="pce").assign(etl=["SnO2", "ZnO", "TiO2"])
    new.loc[2, "formula"] = "RbPbI3"
    found = featurize(new, BLOCKS, levels=levels_of(trained.blocks))
    assert found.blocks == trained.blocks
    assert found.frame["row_id"].tolist() == [0]
    assert "'ZnO'" in repr(tuple(found.rejects.iloc[0]))
    assert "training data lacks" in found.rejects["reason"][0]
    assert "holds Rb on site A" in found.rejects["reason"][1]


def test_row_without_target_is_rejected(devices: pd.DataFrame) -> None:
    devices.loc[0, "pce"] = math.nan
    found = featurize(devices.iloc[:2], BLOCKS, ["pce"])
    assert tuple(found.rejects.iloc[0]) == (2, "pce", "", "has no value.")


def test_bad_tables(devices: pd.DataFrame) -> None:
    with pytest.raises(InputError, match=r"data\.parquet.*'thicknes'.*it has.*thickness"):
        featurize(devices, {"d": {"columns": ["thicknes"]}}, source="data.parquet")
    with pytest.raises(InputError, match="holds text"):
        featurize(devices, {"d": {"columns": ["etl"]}})
    with pytest.raises(InputError, match="feature and a target"):
        featurize(devices, {"d": {"columns": ["pce"]}}, ["pce"])
    with pytest.raises(InputError, match="'htl'"):
        featurize(devices, {"d": {"one_hot": "htl"}})
    with pytest.raises(InputError, match="'jsc'"):
        featurize(devices, BLOCKS, ["jsc"])


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
    found = featurize(table, {"x": {"columns": ["x"]}}, ["y"])
    assert found.frame["x"].tolist() == [1, 2]
    assert found.rejects.empty
    rejected = featurize(table, {"x": {"composition": "magpie"}}, ["y"])
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
    write_features(source, features, rejects, features=BLOCKS, targets=["pce"])
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
            source, tmp_path / "f.parquet", tmp_path / "r.parquet", features=BLOCKS, targets=["pce"]
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
        stored("parent.parquet", table), path, tmp_path / "p.rejects", features=blocks, targets=["gap"]
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
