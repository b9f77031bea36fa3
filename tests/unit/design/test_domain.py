"""What a space has of the training data."""

from types import SimpleNamespace

import pytest

from nestmat.config.spaces import DesignSpace
from nestmat.design import domain
from nestmat.design.domain import training_designs
from nestmat.design.spaces import design_space

SPACE = design_space(DesignSpace(elements={"species": ["Al", "Co", "Ni"], "grid": 100, "least": 0.05}))


@pytest.mark.parametrize(
    ("formula", "shares"),
    [
        ("Al20Co30Ni50", [[0.2, 0.3, 0.5]]),
        # The grid moves less than 2 % of the atoms.
        ("Al20.4Co30.3Ni49.3", [[0.21, 0.3, 0.49]]),
        # The smallest share of 5 % moves more.
        ("Al2.6Co30Ni67.4", []),
        ("Al20Co30Cu50", []),
    ],
)
def test_training_materials_are_in_a_space_that_moves_few_of_their_atoms(monkeypatch, formula, shares):
    monkeypatch.setattr(domain, "training_formulas", lambda scale, members: [formula, formula])
    design = SimpleNamespace(space=SPACE, scales=["s"], members=None)
    assert training_designs(design).round(4).tolist() == shares
