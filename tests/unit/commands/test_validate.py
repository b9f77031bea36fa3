"""What validate prints of a study, and which faults it finds before anything runs."""

from __future__ import annotations

from copy import deepcopy

import pytest

from nestmat import tables
from nestmat.commands.validate import check_columns, describe, members
from nestmat.config.loading import study_from
from nestmat.config.splits import Strict
from nestmat.data.targets import check_classes
from nestmat.errors import InputError
from nestmat.paths import ROOT
from nestmat.training.inner_folds import read_row_splits
from nestmat.training.members import Members
from support.class_scale import class_configuration
from support.holdouts import PUBLISHED_HOLDOUT, assign_holdout
from support.lead_free_study import SITES, lead_free_study


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("methods", {"genetic": {"kind": "ranking"}}, "cannot rank the 50400 materials"),
        ("space", {"sites": {**SITES, "B": {"species": ["Zz"]}}}, "Zz"),
    ],
)
def test_faults_of_a_problem_are_told_before_anything_runs(key, value, message, monkeypatch):
    monkeypatch.chdir(ROOT)
    data = lead_free_study()
    data["search"]["lead_free"][key] = value
    with pytest.raises(InputError, match=message) as caught:
        describe(study_from(data), "study.yaml")
    assert str(caught.value).startswith("study.yaml, key 'search.lead_free.")
    assert "  problem lead_free: 50,400 materials; methods: random, genetic" in describe(
        study_from(lead_free_study())
    )


def test_the_members_that_a_study_announces_are_those_it_trains(tmp_path):
    features, folds = assign_holdout(tmp_path)
    splits = read_row_splits(folds, "half", tables.read(features)["row_id"].to_numpy())
    split = PUBLISHED_HOLDOUT.model_copy(update={"repeats": [1]})
    for stacked in (False, True):
        assert members(split, 2, stacked, None) == len(Members.build(splits, 2, stacked))


def test_members_of_pairs_are_counted():
    # Three seeds of folds and of all rows; two of pairs or inner folds, and of regions.
    strict = members(Strict(folds=5, repeats=[1]), 3, stacked=True, levels=None)
    assert strict == 3 * (2 * 5 + 1) + 2 * 2 * (10 + 5)
    assert members(Strict(folds=2, inner_folds=3), 3, stacked=True, levels=None) == 3 * (2 + 1) + 2 * (6 + 4)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"baselines": {"b": {"kind": "ridge", "inputs": ["inputs"]}}}, "ridge.*does not predict classes"),
        ({"targets": ["phase", "gap"]}, "stump.*does not predict numbers"),
        ({"head": {"loss": "mae"}}, "mae.*has 2 classes, which this loss does not fit"),
        ({"head": {}}, "mae.*use binary_cross_entropy"),
    ],
)
def test_a_study_whose_parts_do_not_fit_its_classes_is_refused(changes, message):
    data = deepcopy(class_configuration())
    scale = data["scales"]["s"]
    if "head" in changes:
        scale["models"]["ae"]["specification"]["heads"]["phase"] = changes.pop("head")
    if "targets" in changes:
        scale["recommended"] = None
    scale |= changes
    if "baselines" in changes:
        scale["recommended"] = None
    study = study_from(data)
    for check in (check_columns, check_classes):
        with pytest.raises(InputError, match=message):
            check(study)


def graded_configuration() -> dict:
    """A study of a target of three classes."""
    data = deepcopy(class_configuration())
    data["datasets"]["rows"]["columns"]["phase"]["classes"] = ["low", "mid", "high"]
    scale = data["scales"]["s"]
    scale["models"]["ae"]["specification"]["heads"]["phase"] = {"loss": "cross_entropy"}
    return data


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"strata": {"many": {"low": 5}}}, "scales.s.strata.*more than two classes"),
        ({"compare": [["ae", "ae"]]}, "scales.s.compare"),
        ({"sweep": {"model": "ae", "latents": [1], "epochs": 2}}, "scales.s.sweep"),
        ({"interpret": {"model": "ae"}}, "scales.s.interpret"),
    ],
)
def test_what_is_for_two_classes_is_refused_of_more(changes, message):
    check_columns(study_from(graded_configuration()))
    data = graded_configuration()
    data["scales"]["s"] |= changes
    with pytest.raises(InputError, match=message):
        check_classes(study_from(data))


@pytest.mark.parametrize(
    ("head", "baseline", "value", "message"),
    [
        ({"transform": "log"}, {}, "0", "is not positive.*heads.gap learns it so"),
        ({"loss": "poisson"}, {}, "-1", "is negative, and counts nothing"),
        ({}, {"transform": "log"}, "0", "baselines.trees.transform learns it so"),
    ],
)
def test_signs_of_targets_are_checked_before_training(tmp_path, monkeypatch, head, baseline, value, message):
    monkeypatch.chdir(tmp_path)
    data = deepcopy(class_configuration())
    data["datasets"]["rows"]["columns"].pop("phase")
    scale = data["scales"]["s"] | {"targets": ["gap"], "recommended": None, "splits": {}}
    scale["models"]["ae"]["specification"]["heads"] = {"gap": head}
    scale["baselines"] = {"trees": {"kind": "extra_trees", "inputs": ["inputs"], **baseline}}
    data["scales"]["s"] = scale
    (tmp_path / "t.csv").write_text(f"alloy,a,gap\nFeNi,1,2\nFeCr,2,{value}\n")
    with pytest.raises(InputError, match=message) as caught:
        describe(study_from(data))
    assert (caught.value.row, caught.value.column) == (3, "gap")


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        ("a a a a", "states one fold only"),
        ("a b a", "says nothing of 1 rows"),
        ("a b a b", None),
    ],
)
def test_columns_of_folds_are_checked_before_anything_runs(tmp_path, monkeypatch, parts, message):
    monkeypatch.chdir(tmp_path)
    data = deepcopy(class_configuration())
    data["datasets"]["rows"]["columns"] |= {"part": {"kind": "category"}}
    scale = data["scales"]["s"] | {"targets": ["gap"], "recommended": None, "splits": {}, "baselines": {}}
    scale["models"]["ae"]["specification"]["heads"] = {"gap": {}}
    data["scales"]["s"], data["strict"] = scale, {"column": "part"}
    cells = [*parts.split(), "", "", ""]
    rows = [f"Fe{i + 1}Ni,{i},0,{i + 2},{cells[i]}" for i in range(4)]
    (tmp_path / "t.csv").write_text("alloy,a,phase,gap,part\n" + "\n".join(rows) + "\n")
    if message is None:
        assert any("members: 3 in strict" in line for line in describe(study_from(data)))
        return
    with pytest.raises(InputError, match=message):
        describe(study_from(data))


def test_folds_of_one_scale_alone_are_told(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    data = deepcopy(class_configuration())
    data["datasets"]["rows"]["columns"] |= {"part": {"kind": "category"}}
    data["datasets"]["more"] = data["datasets"]["rows"] | {"file": "u.csv"}
    scale = data["scales"]["s"] | {"targets": ["gap"], "recommended": None, "splits": {}, "baselines": {}}
    scale["models"]["ae"]["specification"]["heads"] = {"gap": {}}
    data["scales"] = {"s": scale, "t": deepcopy(scale) | {"dataset": "more"}}
    data["strict"] = {"column": "part"}
    for file, last in (("t", "b"), ("u", "c")):
        rows = "".join(f"Fe{i + 1}Ni,{i},0,2,{part}\n" for i, part in enumerate(["a", "b", last]))
        (tmp_path / f"{file}.csv").write_text("alloy,a,phase,gap,part\n" + rows)
    with pytest.raises(InputError, match="states a fold at one scale that no row of another is in") as caught:
        describe(study_from(data))
    assert (caught.value.column, caught.value.value) == ("part", "c")
