from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matminer.featurizers.composition import (
    AtomicPackingEfficiency,
    WenAlloys,
    YangSolidSolution,
    alloy,
)
from pymatgen.core import Composition

from nestmat.errors import InputError
from nestmat.features.composition import composition_table
from nestmat.features.matminer_adapter import matminer_features
from nestmat.materials.formulas import parse, parse_many


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
