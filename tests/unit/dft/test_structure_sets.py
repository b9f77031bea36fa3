"""DFT calculations: configuration, structures, journal, tables, rules; and GPAW itself where it is there."""

from __future__ import annotations

import re

import numpy as np
import pytest

from nestmat import tables
from nestmat.config.dft import DFT_TABLES, BuiltInSet, StructureSet
from nestmat.config.loading import study_from
from nestmat.dft import structure_sets, structures
from nestmat.dft.registry import STRUCTURE_SETS
from nestmat.errors import InputError
from nestmat.paths import ROOT
from support.dft_studies import TERNARIES, study

TABLE = """\
formula,lattice
CsPbI3,6.4
Cs2SnPbI6,
CsPbBr1.5I1.5,
Cs2AgBiBr6,
CsPbI2Br,
Cs0.5Rb0.5PbI3,
CsSn0.5Pb0.5Br1.5I1.5,
MAPbI3,
CsMnCl3,
CsBiI3,
CsPbI,
CsPbQq3,
CsPbI3,6.3
KMgF3,0.41
RbCaF3,wide
"""


@pytest.mark.parametrize(
    ("sets", "message"),
    [
        ({}, "at least 1"),
        ({"mine": {}}, "Exactly one of set, file"),
        ({"mine": {**TERNARIES, "file": "a.csv"}}, "Exactly one of set, file"),
        ({"mine": {"file": "a.csv", "after": ["mine"]}}, "Only a built-in set can have `after`"),
        ({"mine": {"set": {"kind": "perovskites"}}}, "dft.sets.mine.set.kind: There is no structure set"),
        ({"alloys": {"set": {"kind": "alloys"}}}, "name the set of the ternaries in `after`"),
        (
            {"alloys": {"set": {"kind": "alloys"}, "after": ["t"]}, "t": TERNARIES},
            "'t' is not a set listed before",
        ),
        *(({name: TERNARIES}, "the name of a table of results") for name in DFT_TABLES),
        ({"a b": TERNARIES}, "dft.sets"),
    ],
)
def test_a_faulty_block_is_told_by_its_key(sets, message):
    with pytest.raises(InputError) as caught:
        study_from(study(sets=sets))
    assert message in str(caught.value)
    assert "dft" in str(caught.value)


def test_the_sets_of_the_configuration_are_those_there_are():
    made = {kind for kind in STRUCTURE_SETS if BuiltInSet.model_validate({"kind": kind}).needs_calculations}
    assert made == {"convergence", "alloys"}


def test_a_users_table_gives_structures_and_a_reason_for_every_other_row(csv_file):
    found, rejects = structure_sets.read_structures(csv_file(TABLE), "mine")
    assert [(s["formula"], s["prototype"]) for s in found] == [
        ("CsPbI3", "perovskite"),
        ("CsSn0.5Pb0.5I3", "ordered_perovskite"),
        ("CsPbBr1.5I1.5", "ordered_perovskite"),
        ("CsAg0.5Bi0.5Br3", "ordered_perovskite"),
        ("Cs0.5Rb0.5PbI3", "ordered_perovskite"),
        ("CsSn0.5Pb0.5Br1.5I1.5", "ordered_perovskite"),
    ]
    assert [s["relax"] for s in found] == [False, *[True] * 5]
    assert found[4]["symbols"] == ["Cs", "Rb", "Pb", "Pb"] + ["I"] * 6
    assert found[5]["symbols"] == ["Cs", "Cs", "Sn", "Pb"] + ["Br"] * 3 + ["I"] * 3
    assert found[0]["cell"] == (6.4 * np.eye(3)).tolist()
    assert found[0]["probes"] == [0.97, 1.0, 1.03]
    assert found[1]["symbols"] == ["Cs", "Cs", "Sn", "Pb"] + ["I"] * 6
    # The radius rule, with the mean of the two: 2 (r_B + r_X).
    assert np.linalg.det(found[1]["cell"]) / 2 == pytest.approx((2 * (1.19 / 2 + 1.15 / 2 + 2.2)) ** 3)
    reasons = {row: (column, value, reason) for row, column, value, reason in rejects.to_numpy()}
    assert list(reasons) == [6, 9, 10, 11, 12, 13, 14, 15, 16]
    for row, column, value, part in [
        (6, "formula", "CsPbI2Br", "in equal parts"),
        (9, "formula", "MAPbI3", "molecule MA"),
        (10, "formula", "CsMnCl3", "unpaired electrons"),
        (11, "formula", "CsBiI3", "sum to +1"),
        (12, "formula", "CsPbI", "not an ABX3"),
        (13, "formula", "CsPbQq3", "neither an element"),
        (14, "formula", "CsPbI3", "row 2 again"),
        (15, "lattice", "0.41", "not the lattice constant"),
        (16, "lattice", "wide", "not a number"),
    ]:
        assert reasons[row][:2] == (column, value)
        assert part in reasons[row][2]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("compound\nCsPbI3\n", "has no column"),
        ("formula\nNaCl\n", "no structure to calculate"),
        ("", "is empty"),
    ],
)
def test_a_table_that_cannot_be_used_is_told_by_its_name(csv_file, content, message):
    with pytest.raises(InputError, match=message) as caught:
        structure_sets.read_structures(csv_file(content, "odd.csv"), "mine")
    assert "odd.csv" in str(caught.value)


def test_options_are_handed_on_or_named_as_unknown(csv_file):
    path = csv_file("formula\nCsPbI3\n")
    options = {"cutoff": 250, "edges": [[0.5, 0.5, 0.0]], "strains": [0.0], "kpoints": [2, 2, 2]}
    [structure], _ = structure_sets.read_structures(path, "mine", **options)
    assert structure["settings"]["cutoff"] == 250
    assert structure["settings"]["edges"] == [[0.5, 0.5, 0.0]]
    assert structure["strains"] == [0.0]
    assert structure["kpoints"] == [2, 2, 2]
    spec = StructureSet.model_validate({"file": str(path), "settings": options})
    assert structure_sets.list_structures(spec, "mine")[0] == [structure]
    for config in (
        {"file": str(path), "settings": {"cutof": 250}},
        {"set": {"kind": "alloys", "cont": 3}, "after": ["t"]},
        {"set": {"kind": "ternaries", "count": 3}},
    ):
        with pytest.raises(ValueError, match="Extra inputs are not permitted"):
            StructureSet.model_validate(config)


def test_the_documentation_lists_the_keys_of_a_structure():
    text = (ROOT / "docs/dft.md").read_text(encoding="utf-8").split("### A structure")[1].split("\n## ")[0]
    told = dict(re.findall(r"^\| `(\w+)`(\*?) \|", text, re.MULTILINE))
    alloy = structures.structure_record("ordered_perovskite", "", ("Cs", ("Pb", "Sn"), ("I", "I")), 6.0)
    assert set(told) == {*alloy, *alloy["settings"]}
    options = {"kpoints", "probes", "strains", *alloy["settings"]}
    assert {name for name, star in told.items() if star} == options


def test_built_in_sets_are_those_of_the_library():
    found, rejects = structure_sets.list_structures(
        StructureSet.model_validate({"set": {"kind": "ternaries"}}), "ternaries"
    )
    assert found == list(structures.ternaries())
    assert rejects.empty
    assert set(rejects) == set(tables.REJECTS)
