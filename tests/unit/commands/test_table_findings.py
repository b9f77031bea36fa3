"""What the tables of a study say before it runs."""

from __future__ import annotations

from copy import deepcopy

import pytest

from nestmat.commands.validate import describe
from nestmat.config.loading import study_from
from nestmat.errors import InputError
from support.class_scale import class_configuration


@pytest.fixture
def study_of(tmp_path, monkeypatch):
    """A study of a number with two inputs that may be missing, of the lines of a table."""
    monkeypatch.chdir(tmp_path)

    def build(lines: list[str], baselines: dict | None = None):
        data = deepcopy(class_configuration())
        columns = data["datasets"]["rows"]["columns"]
        columns.pop("phase")
        columns |= {"a": {"missing": "keep"}, "b": {"missing": "keep"}}
        scale = data["scales"]["s"] | {"targets": ["gap"], "recommended": None}
        scale["features"] = {"inputs": {"columns": ["a", "b"]}}
        scale["models"]["ae"]["specification"]["heads"] = {"gap": {}}
        data["scales"]["s"] = scale | {"baselines": baselines or {}}
        (tmp_path / "t.csv").write_text("\n".join(["alloy,a,b,gap", *lines]) + "\n")
        return study_from(data)

    return build


def test_kept_rows_of_which_none_is_complete_are_refused_with_the_remedy(study_of):
    study = study_of([f"Fe{i + 1}Ni,{'1,' if i % 3 else ',2'},{i}" for i in range(27)])
    with pytest.raises(InputError, match="None of the 27 rows has all inputs and targets") as caught:
        describe(study)
    assert "18 have no 'b'" in str(caught.value)
    assert "leave it out of features and targets" in str(caught.value)


def test_complete_rows_among_kept_ones_are_counted(study_of):
    study = study_of([f"Fe{i + 1}Ni,{i},{i % 7 if i % 3 else ''},{i}" for i in range(60)])
    assert "    40 of these 60 rows have all inputs and targets" in describe(study)


def test_rows_that_a_gaussian_process_leaves_out_are_told(study_of):
    process = {"kind": "gaussian_process", "inputs": ["inputs"], "rows": 50, "kernel_rows": 20}
    lines = [f"Fe{i + 1}Ni,{i},{i % 7},{i}" for i in range(60)]
    text = describe(study_of(lines, {"gp": process}))
    assert (
        "    baseline gp: it learns from 50 of 60 rows at most, drawn at random (`rows`), "
        "and fits its kernel to 20 of 60 rows (`kernel_rows`)" in text
    )
    text = describe(study_of(lines, {"gp": process | {"rows": None, "kernel_rows": None}}))
    assert not any("baseline gp:" in line for line in text)


def test_numbers_that_stand_for_missing_values_are_told(study_of):
    lines = [f"Fe{i + 1}Ni,{-999 if i in (3, 5) else i},{i % 7},{i}" for i in range(60)]
    [line] = [line for line in describe(study_of(lines)) if "missing value" in line]
    assert "'a' is -999 in 2 rows, the first is 5" in line
    assert "`sentinels: [-999]`" in line
