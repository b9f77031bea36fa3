"""The search of a first study: its space holds what the table has, and the study is valid as written."""

from __future__ import annotations

import itertools

import numpy as np
import pandas as pd
import pytest

from nestmat.commands.new import write_study
from nestmat.commands.validate import describe
from nestmat.config.loading import load_study
from nestmat.design.spaces import design_space
from nestmat.errors import InputError
from nestmat.materials.formulas import parse

HALIDES = [f"{a}{b}{x}3" for a, b, x in itertools.product(["Cs", "K"], ["Pb", "Sn", "Ge"], ["Cl", "Br", "I"])]
ALLOYS = [f"Al{n}Co{m}Ni{100 - n - m}" for n in range(10, 40, 6) for m in range(20, 60, 8)]


@pytest.fixture
def study_of(tmp_path):
    """The valid study with a search that is written for a table."""

    def write(frame: pd.DataFrame, *targets: str, **options):
        path = tmp_path / "table.csv"
        frame.to_csv(path, index=False)
        write_study(tmp_path / "s.yaml", name="s", data=path, targets=targets, search=True, **options)
        study = load_study(tmp_path / "s.yaml")
        describe(study)
        return study

    return write


def labelled(formulas: list[str], **columns) -> pd.DataFrame:
    return pd.DataFrame({"formula": formulas, "y": np.linspace(0.0, 10.0, len(formulas)), **columns})


def test_halides_are_searched_in_the_ions_of_their_sites(study_of):
    frame = labelled([*HALIDES, *[f"Cs0.5K0.5{b}Cl3" for b in ("Pb", "Sn", "Ge")]])
    problem = study_of(frame, "y", formula="formula").search["designs"]
    sites = problem.space.sites
    assert {site: simplex.species for site, simplex in sites.items()} == {
        "A": ["Cs", "K"],
        "B": ["Ge", "Pb", "Sn"],
        "X": ["Br", "Cl", "I"],
    }
    assert (sites["A"].most, sites["B"].most) == (2, 1)
    assert problem.targets[0].enough == pytest.approx(9.0)
    # Nine materials a ratio on A, three species each on B and X: few enough to predict all.
    assert problem.shortlist.method == "ranking"


def test_alloys_are_searched_in_shares_that_the_table_has(study_of):
    study = study_of(labelled(ALLOYS), "y", formula="formula")
    space = design_space(study.search["designs"].space)
    shares = pd.DataFrame(space.sample(500, 0), columns=space.columns)
    assert sorted(shares) == ["Al", "Co", "Ni"]
    seen = pd.DataFrame([dict(parse(text).composition.fractional_composition.items()) for text in ALLOYS])
    assert (shares.min().to_numpy() >= seen.min().to_numpy() - 1e-9).all()
    assert (shares.max().to_numpy() <= seen.max().to_numpy() + 0.01).all()
    model = study.scales["materials"].models["nestmat"].specification
    assert "composition" not in model.inputs


def test_further_columns_stay_as_they_mostly_are_beside_a_composition(study_of, tmp_path):
    route = ["cast"] * (len(ALLOYS) - 8) + ["forged"] * 8
    frame = labelled(ALLOYS, T=[300.0] * (len(ALLOYS) - 5) + [500.0] * 5, route=route)
    variables = study_of(frame, "y", formula="formula").search["designs"].space.variables
    assert variables["T"].value == 300.0
    assert variables["route"].levels == ["cast"]
    (tmp_path / "s.yaml").unlink()
    variables = study_of(frame.drop(columns="formula"), "y").search["designs"].space.variables
    assert variables["T"].between == (300.0, 500.0)
    assert variables["route"].levels == ["cast", "forged"]


def test_a_class_is_searched_for_by_its_probability_and_further_targets_are_constraints(study_of):
    frame = labelled(ALLOYS, stable=np.arange(len(ALLOYS)) % 2)
    problem = study_of(frame, "stable", "y", formula="formula").search["designs"]
    assert (problem.targets[0].quantity, problem.targets[0].enough) == ("materials.stable", 0.5)
    assert [constraint.quantity for constraint in problem.constraints] == ["materials.y"]


def test_compounds_without_rules_are_refused_with_what_can_be_done(study_of):
    oxides = ["MgO", "CaO", "Al2O3", "SiO2", "TiO2", "ZrO2", "Fe2O3", "NiO"] * 3
    with pytest.raises(InputError, match=r"0 of 8 are alloys.*rank a list of formulas"):
        study_of(labelled(oxides), "y", formula="formula")
