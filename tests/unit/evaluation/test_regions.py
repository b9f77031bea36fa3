"""Regions of materials that members leave out whole."""

from __future__ import annotations

import itertools

import numpy as np
import pandas as pd

from nestmat import tables
from nestmat.evaluation.protocols import assign_folds
from nestmat.evaluation.regions import LARGEST, SMALLEST, choose_regions
from nestmat.evaluation.splits.base import ScaleRows
from nestmat.materials.formulas import parse
from nestmat.tables import Column
from nestmat.training.inner_folds import EXTRAPOLATED, INNER, read_row_splits
from support.feature_tables import write_features

NUMBER, FEATURE = Column("float64", role="target"), Column("float64", role="feature")


def rows_of(formulas: list[str], **columns) -> ScaleRows:
    frame = pd.DataFrame({"formula": formulas, "material": [parse(f).key for f in formulas]})
    return ScaleRows(frame, columns={"y": NUMBER, **columns})


def halides() -> list[str]:
    ions = itertools.product(("K", "Rb", "Cs"), ("Ge", "Sn", "Pb", "Zn"), ("Cl", "Br", "I"))
    pure = [f"{a}{b}{x}3" for a, b, x in ions]
    mixed = [f"{a}{b}Br1.5I1.5" for a in ("K", "Rb", "Cs") for b in ("Ge", "Sn", "Pb")]
    return pure + mixed + ["CsGe0.5Zn0.5Br3", "CsSn0.5Zn0.5Br3", "KSn0.5Zn0.5Br3", "KSn0.5Zn0.5Cl3"]


def test_regions_hold_all_materials_of_a_kind_and_no_other():
    rows = rows_of(halides())
    regions = choose_regions([rows], 5)
    assert regions.names[0] == "mixtures on site X"
    assert regions.names[1].startswith("mixtures with ")
    assert len(set(regions.names)) == 5
    mixed = np.array(["Br1.5I1.5" in formula for formula in rows.frame["formula"]])
    bits = regions.of_rows[0]
    np.testing.assert_array_equal(bits & 1 == 1, mixed)
    for k, name in enumerate(regions.names):
        share = np.mean((bits >> k) & 1)
        assert SMALLEST <= share <= LARGEST, name


def test_a_region_has_its_share_at_every_scale_that_predicts_numbers():
    fine, coarse = rows_of(halides()), rows_of([f for f in halides() if "Br1.5" not in f])
    regions = choose_regions([fine, coarse], 5)
    assert "mixtures on site X" not in regions.names
    by_material = dict(zip(fine.frame["material"], regions.of_rows[0], strict=True))
    assert [by_material[m] for m in coarse.frame["material"]] == regions.of_rows[1].tolist()


def test_materials_without_sites_are_divided_by_elements():
    formulas = [f"Fe{i + 1}Ni" for i in range(10)] + [f"Fe{i + 1}NiCr" for i in range(3)] + ["FeCoNiCr"]
    regions = choose_regions([rows_of(formulas)], 2)
    assert regions.names[0] == "3 elements or more"
    np.testing.assert_array_equal(regions.of_rows[0] & 1, [0] * 10 + [1] * 4)


def test_clusters_of_features_stand_in_for_compositions():
    rng = np.random.default_rng(0)
    cluster = np.repeat(np.arange(5), 8)
    frame = pd.DataFrame({"formula": "", "material": [f"m{i}" for i in range(40)]})
    frame["x"] = 100.0 * cluster + rng.normal(size=40)
    regions = choose_regions([ScaleRows(frame, columns={"y": NUMBER, "x": FEATURE})], 3)
    for k in range(3):
        assert len(set(cluster[(regions.of_rows[0] >> k) & 1 == 1])) == 1
    one = ScaleRows(frame.assign(x=1.0), columns={"y": NUMBER, "x": FEATURE})
    assert choose_regions([one], 3).names == ("", "", "")


def test_members_of_a_region_leave_out_a_fold_and_the_region(tmp_path):
    formulas = halides()
    frame = pd.DataFrame({"material": [parse(f).key for f in formulas], "formula": formulas})
    frame["x"], frame["y"] = np.arange(len(frame), dtype=float), 1.0
    features = write_features(tmp_path / "f.parquet", frame, {"x": ["x"]}, ["y"])
    splits = {"halves": {"kind": "shared", "folds": 2, "inner_folds": 3}}
    folds = tmp_path / "folds.parquet"
    assign_folds({"s": features}, {"s": folds}, {"folds": 5}, {"s": splits}, {"s": ["y"]})
    names = tables.provenance(folds)["regions"]
    row_id = tables.read(features)["row_id"].to_numpy()
    for protocol, members in (("strict", 5), ("halves", 4)):
        [split] = read_row_splits(folds, protocol, row_id)
        assert len(split.extrapolating_members()) == members
        assert {split.split_name(inner) for _, inner in split.inner_members()} == {INNER}
        for fold, inner in split.extrapolating_members():
            assert split.split_name(inner) == EXTRAPOLATED
            [(key, held_out)] = split.held_out(fold, inner).items()
            assert key == (fold, inner)
            train = split.train(fold, inner)
            assert not train[split.fold == fold].any()
            number = inner - (5 if protocol == "strict" else 3)
            in_region = (split.regions >> number) & 1 == 1
            assert not train[in_region].any()
            np.testing.assert_array_equal(train | held_out, split.fold != fold)
            assert names[protocol][number]


def test_no_region_is_left_out_where_only_classes_are_predicted(tmp_path):
    frame = pd.DataFrame({"material": [f"m{i}" for i in range(20)], "x": np.arange(20.0)})
    features = write_features(tmp_path / "f.parquet", frame, {"x": ["x"]}, [])
    [table] = assign_folds({"s": features}, {"s": tmp_path / "folds.parquet"}, {}, {}, {"s": []}).values()
    assert (table["regions"] == 0).all()
    assert tables.provenance(tmp_path / "folds.parquet")["regions"] == {"strict": []}
