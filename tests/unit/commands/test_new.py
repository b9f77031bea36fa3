"""What a first study reads and compares, by what the table holds."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from nestmat.commands.new import write_study
from nestmat.commands.validate import describe
from nestmat.config.loading import load_study
from nestmat.errors import InputError
from nestmat.features.table import featurize

OXIDES = ["MgO", "CaO", "Al2O3", "SiO2", "TiO2", "ZrO2", "Fe2O3", "NiO"]
ALLOYS = ["AlCoNi", "Al2CoNi", "AlCo2Ni", "AlCoNi2", "CoNi", "AlNi", "AlCo", "Al3Ni"]


@pytest.fixture
def study_of(tmp_path):
    """The study that is written for a table."""

    def write(frame: pd.DataFrame, *targets: str, **options):
        path = tmp_path / "table.csv"
        frame.to_csv(path, index=False)
        write_study(tmp_path / "s.yaml", name="s", data=path, targets=targets, **options)
        study = load_study(tmp_path / "s.yaml")
        describe(study)
        return study

    return write


def with_formulas(formulas: list[str], **columns) -> pd.DataFrame:
    return pd.DataFrame({"formula": formulas * 5, "y": np.linspace(0.5, 9.0, 40), **columns})


def test_a_composition_is_described_by_statistics_and_by_the_elements_that_occur(study_of):
    scale = study_of(with_formulas(OXIDES), "y", formula="formula").scales["materials"]
    assert list(scale.features) == ["composition", "fractions"]
    elements = scale.features["fractions"].build().argument
    assert elements == ["Al", "Ca", "Fe", "Mg", "Ni", "O", "Si", "Ti", "Zr"]
    assert scale.baselines["extra_trees"].inputs == ["composition", "fractions"]


def test_alloys_are_described_as_solid_solutions_where_every_row_can_be(study_of, tmp_path):
    scale = study_of(with_formulas(ALLOYS), "y", formula="formula").scales["materials"]
    assert list(scale.features) == ["composition", "fractions", "alloy"]
    table = with_formulas(ALLOYS)[["formula"]].assign(row_id=range(40), row=range(40), material="m")
    assert featurize(table, scale.features).rejects.empty
    (tmp_path / "s.yaml").unlink()
    # Of nitrogen no bulk modulus is known: the row would be lost.
    scale = study_of(with_formulas([*ALLOYS[:-1], "AlN"]), "y", formula="formula").scales["materials"]
    assert "alloy" not in scale.features


def test_columns_are_renamed_where_a_feature_has_their_name(study_of, tmp_path):
    frame = with_formulas(ALLOYS, Al=np.arange(40) % 7 + 0.5, vec=np.arange(40) % 3)
    study = study_of(frame, "y", formula="formula")
    columns = study.datasets["materials"].columns
    assert (columns["Al_"].header, columns["vec_"].header) == ("Al", "vec")
    (tmp_path / "s.yaml").unlink()
    without = study_of(frame.drop(columns="formula"), "y")
    assert {"Al", "vec"} <= set(without.datasets["materials"].columns)


def test_zeros_and_ones_without_a_unit_are_classes(study_of, tmp_path):
    frame = with_formulas(OXIDES).assign(y=np.arange(40) // 8 % 2)
    study = study_of(frame, "y", formula="formula")
    scale = study.scales["materials"]
    assert study.datasets["materials"].columns["y"].classes == ["0", "1"]
    assert scale.models["nestmat"].specification.heads["y"].loss == "binary_cross_entropy"
    assert all(baseline.registered.predicts_classes() for baseline in scale.baselines.values())
    (tmp_path / "s.yaml").unlink()
    scale = study_of(frame, "y:eV", formula="formula").scales["materials"]
    assert scale.models["nestmat"].specification.heads["y"].loss == "mae"


def test_a_class_and_a_number_are_predicted_by_the_same_baselines(study_of):
    frame = with_formulas(OXIDES).assign(z=np.arange(40) // 8 % 2)
    scale = study_of(frame, "y", "z", formula="formula").scales["materials"]
    assert scale.recommended.stack == ["nestmat", "extra_trees", "xgboost"]
    assert {baseline.transform for baseline in scale.baselines.values()} == {"chosen"}


def test_a_column_states_the_folds(study_of):
    frame = with_formulas(OXIDES).assign(fold=[k for k in range(4) for _ in range(2)] * 5)
    study = study_of(frame, "y", formula="formula", folds="fold")
    assert study.strict.column == "fold_"
    assert study.category_columns("materials") == ["fold_"]
    assert list(study.scales["materials"].features) == ["composition", "fractions"]


@pytest.mark.parametrize(
    ("folds", "message"), [([1] * 40, "states one fold only"), ([0, 1, 2, None] * 10, "fold of 10 rows open")]
)
def test_a_column_that_states_no_folds_is_named(study_of, folds, message):
    with pytest.raises(InputError, match=message):
        study_of(with_formulas(OXIDES).assign(fold=folds), "y", formula="formula", folds="fold")


def test_rows_without_a_fold_are_an_error_before_anything_runs(study_of, tmp_path):
    frame = with_formulas(OXIDES).assign(part=[k for k in range(4) for _ in range(2)] * 5)
    study = study_of(frame, "y", formula="formula", folds="part")
    frame.assign(part=frame["part"].astype(object).where(frame.index != 7, "")).to_csv(
        tmp_path / "table.csv", index=False
    )
    with pytest.raises(InputError, match=r"column 'part'.*says nothing of 1 rows"):
        describe(study)


def graded() -> pd.DataFrame:
    grades = np.array(["low", "mid", "high"])
    return with_formulas(OXIDES).assign(
        grade=grades[np.arange(40) % 3], level=(np.arange(40) // 8 + np.arange(40)) % 4 + 1
    )


def test_text_and_named_numbers_are_classes(study_of, tmp_path):
    study = study_of(graded(), "grade", "level:class", formula="formula", features=["y"])
    columns = study.datasets["materials"].columns
    assert columns["grade"].classes == ["high", "low", "mid"]
    assert columns["level"].classes == ["1", "2", "3", "4"]
    scale = study.scales["materials"]
    assert {
        head.loss for name, head in scale.models["nestmat"].specification.heads.items() if name in columns
    } == {"cross_entropy"}
    assert list(scale.baselines) == ["extra_trees", "xgboost", "hist_gradient_boosting"]
    (tmp_path / "s.yaml").unlink()
    assert (
        study_of(graded(), "level", formula="formula").datasets["materials"].columns["level"].classes is None
    )


@pytest.mark.parametrize(
    ("target", "change", "message"),
    [
        ("grade", {"grade": ["low"] * 20 + ["high"] * 17 + ["odd"] * 3}, "value 'odd': The class has 3 rows"),
        ("y:class", {}, "too many different values"),
        ("grade", {"grade": [f"g{i}" for i in range(40)]}, "not numbers"),
    ],
)
def test_classes_of_few_rows_are_refused(study_of, target, change, message):
    frame = graded().assign(**change)
    with pytest.raises(InputError, match=message):
        study_of(frame, target, formula="formula")


def test_weights_and_uncertainties_are_no_inputs(study_of):
    frame = with_formulas(OXIDES, error=np.full(40, 0.1), trials=np.arange(40) % 3)
    study = study_of(frame, "y:eV:error", formula="formula", weights="trials")
    dataset = study.datasets["materials"]
    assert (dataset.weights, dataset.columns["y"].uncertainty, dataset.columns["y"].unit) == (
        "trials",
        "error",
        "eV",
    )
    used = {
        column
        for block in study.scales["materials"].features.values()
        for column in block.build().copied_columns
    }
    assert not used & {"error", "trials", "y"}


def test_counts_and_skewed_targets_are_learned_as_what_they_are(study_of, tmp_path):
    rng = np.random.default_rng(0)
    frame = with_formulas(OXIDES, defects=rng.poisson(3, 40), rate=np.exp(3 * rng.normal(size=40)))
    heads = study_of(frame, "rate", "defects:count", "y", formula="formula").scales["materials"].models
    heads = heads["nestmat"].specification.heads
    assert (heads["rate"].loss, heads["rate"].transform) == ("mae", "log")
    assert (heads["defects"].loss, heads["defects"].transform) == ("poisson", "none")
    assert heads["y"].transform == "none"
    (tmp_path / "s.yaml").unlink()
    study = study_of(frame, "defects:count", formula="formula")
    assert study.scales["materials"].baselines["xgboost"].options == {"objective": "count:poisson"}
    assert study.datasets["materials"].columns["defects"].unit == ""
    (tmp_path / "s.yaml").unlink()
    with pytest.raises(InputError, match="counts nothing"):
        study_of(frame, "rate:count", formula="formula")


def test_a_column_of_groups_keeps_its_rows_together_in_every_protocol(study_of, tmp_path):
    frame = with_formulas(OXIDES, paper=[f"p{k % 8}" for k in range(40)])
    study = study_of(frame, "y", formula="formula", group="paper")
    assert study.strict.group == "paper"
    assert study.datasets["materials"].columns["paper"].kind == "category"
    assert "is_paper" not in study.scales["materials"].features
    (tmp_path / "s.yaml").unlink()
    with pytest.raises(InputError, match="leaves the group of 1 rows open"):
        study_of(frame.assign(paper=[None, *frame["paper"][1:]]), "y", formula="formula", group="paper")


@pytest.mark.parametrize(
    ("materials", "message"), [(1, "1 material is too few"), (3, "at least 4 are needed")]
)
def test_too_few_materials_are_refused_with_the_number_that_is_enough(study_of, materials, message):
    frame = with_formulas(OXIDES).assign(formula=(OXIDES[:materials] * 40)[:40])
    with pytest.raises(InputError, match=message):
        study_of(frame, "y", formula="formula")


def test_what_tells_the_target_or_has_one_value_is_left_out(study_of, tmp_path):
    frame = with_formulas(OXIDES, y=np.linspace(1.0, 5.0, 40), ID=range(40)).assign(
        log_y=np.linspace(0, 2, 40)
    )
    columns = study_of(frame, "y", formula="formula").datasets["materials"].columns
    assert not {"log_y", "ID"} & set(columns)
    (tmp_path / "s.yaml").unlink()
    with pytest.raises(InputError, match="'y' has one value: there is nothing to learn"):
        study_of(frame.assign(y=1.5), "y", formula="formula")


def test_levels_are_those_that_the_reader_of_the_study_finds(study_of, tmp_path):
    frame = with_formulas(OXIDES, coating=["None", "gold"] * 20)
    study = study_of(frame, "y", formula="formula")
    assert study.datasets["materials"].columns["coating"].kind == "category"
    text = (tmp_path / "s.yaml").read_text()
    assert "has no value" not in text
    assert "empty in" not in text
