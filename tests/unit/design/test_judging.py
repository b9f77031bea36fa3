"""Judges of a design problem: what they learn from, plug-ins, and searches of a judge."""

import numpy as np
import pandas as pd
import pytest
import torch

from nestmat.design.judges.registry import JUDGES
from nestmat.design.judging import judge_materials, material_rows, searched_problem
from nestmat.errors import InputError
from nestmat.plugins import load_plugins
from nestmat.search.spaces.factors import Choice, Interval
from nestmat.search.spaces.product import Product

FEATURES = {"numbers": {"columns": ["a"]}}
PLUGIN = '''
"""A judge that is off by a constant."""

from dataclasses import dataclass

import numpy as np

from nestmat.design.judges.base import Judge
from nestmat.design.judges.registry import JUDGES


@JUDGES.register("offset")
@dataclass(frozen=True)
class Offset(Judge):
    """The trees, less an offset.

    Attributes:
        by: The offset.
    """

    title = "offset trees"
    needs = ("trees",)

    by: float = 1.0

    def fit(self, design):
        return self

    def predict(self, table, judged):
        means = {quantity: mean - self.by for quantity, (mean, _) in judged["trees"].items()}
        return {quantity: (mean, np.full_like(mean, np.nan)) for quantity, mean in means.items()}
'''


@pytest.fixture
def materials():
    return pd.DataFrame({"a": [-0.5, 0.0, 0.8], "b": 2.0, "formula": ["", "", ""]})


@pytest.mark.parametrize("judge", ["trees", "gaussian_process"])
def test_judges_learn_from_the_rows_that_the_members_left_out(judge, square_problem, materials):
    judged = judge_materials(square_problem({judge: {"features": FEATURES}}), materials)
    mean, std = judged[judge]["gap.gap"]
    np.testing.assert_allclose(mean, materials["a"] ** 2, atol=0.05)
    assert (std >= 0).all()


def test_a_plug_in_judge_takes_what_another_judge_predicts(square_problem, materials, tmp_path, monkeypatch):
    file = tmp_path / "offset_judge.py"
    file.write_text(PLUGIN)
    for name in ("_entries", "_files"):
        monkeypatch.setattr(JUDGES, name, dict(getattr(JUDGES, name)))
    load_plugins([file])
    assert "offset" in JUDGES
    design = square_problem({"offset": {"by": 2.0}, "trees": {"features": FEATURES}})
    judged = judge_materials(design, materials)
    assert list(judged) == ["trees", "offset"]
    np.testing.assert_allclose(judged["offset"]["gap.gap"][0], judged["trees"]["gap.gap"][0] - 2.0)
    with pytest.raises(ValueError, match="offset needs the predictions of trees"):
        square_problem({"offset": {}})


def test_options_of_judges_are_checked(square_problem):
    with pytest.raises(ValueError, match="features"):
        square_problem({"trees": {}})
    with pytest.raises(ValueError, match=r"nu is 1\.0"):
        square_problem({"gaussian_process": {"features": FEATURES, "nu": 1.0}})


def test_a_search_of_a_judge_has_its_predictions_and_no_gradient(square_problem):
    design = square_problem({"trees": {"features": FEATURES}})
    assert searched_problem(design, "model") is design.problem
    problem = searched_problem(design, "trees")
    x = np.array([[0.5, 2.0], [-0.9, 2.0]])
    mean = problem.evaluate(x)["gap.gap.mean"].to_numpy()
    np.testing.assert_allclose(mean, x[:, 0] ** 2, atol=0.05)
    with pytest.raises(InputError, match="has no gradient, which the method 'trees' needs"):
        problem.predict(torch.from_numpy(x).requires_grad_())


def test_materials_become_rows_with_levels_as_categories():
    space = Product([Interval("t", 0.0, 1.0), Choice("phase", ["cubic", "tetragonal"])])
    frame = pd.DataFrame(space.sample(5, seed=0), columns=list(space.columns)).assign(formula="")
    rows = material_rows(frame, space)
    np.testing.assert_array_equal(rows["t"], frame["t"])
    assert ((rows["phase"] == "cubic") == (frame["phase=cubic"] == 1)).all()
    assert rows["material"].is_unique
