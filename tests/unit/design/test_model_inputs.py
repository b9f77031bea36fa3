"""Parts of a space that the models do not see."""

from __future__ import annotations

import logging

import pytest
import torch

from nestmat.design.model_inputs import check_model_inputs, find_alike
from nestmat.errors import InputError
from nestmat.search.spaces.factors import Choice, Fixed, Interval
from nestmat.search.spaces.product import Product
from nestmat.search.spaces.simplex import Simplex

SPACE = Product(
    [
        Simplex(["a", "b", "c", "d"], 12, most=3),
        Interval("t", 0.0, 1.0, 11),
        Fixed("f", 2.0),
        Choice("solvent", ["DMF", "DMSO", "water"]),
    ]
)
BASES = SPACE.canonical(SPACE.sample(2, 0))


def alike(*descriptors, mixing=False, t=1.0, levels=(1.0, 2.0, 3.0)):
    """What is alike to models that read means of species, the number of species, t and a number of levels."""

    def inputs(x):
        shares = x[:, :4]
        mean = shares @ torch.tensor(descriptors, dtype=x.dtype)
        count = (shares > 0).sum(dim=1).to(x) * mixing
        solvent = x[:, 6:9] @ torch.tensor(levels, dtype=x.dtype)
        return torch.stack([mean, count, t * x[:, 4], solvent], dim=1)

    return find_alike(SPACE, inputs, BASES)


def test_nothing_is_alike_where_every_part_is_read():
    assert alike(1.0, 2.0, 3.0, 5.0) == []
    assert alike(1.0, 2.0, 3.0, 5.0, mixing=True) == []


@pytest.mark.parametrize("mixing", [False, True])
def test_species_with_the_same_descriptors_are_found(mixing):
    assert alike(1.0, 2.0, 3.0, 2.0, mixing=mixing) == ["b and d"]
    assert alike(1.0, 2.0, 1.0, 1.0, mixing=mixing) == ["a and c and d"]


def test_variables_and_levels_without_effect_are_found():
    assert alike(1.0, 2.0, 3.0, 5.0, t=0.0) == ["values of t"]
    assert alike(1.0, 2.0, 3.0, 5.0, levels=(1.0, 2.0, 1.0)) == ["solvent=DMF and solvent=water"]


def test_inputs_that_are_not_defined_are_not_alike():
    assert find_alike(SPACE, lambda x: torch.full((len(x), 2), torch.nan), BASES) == []


def test_a_space_that_no_model_sees_is_refused(caplog):
    with pytest.raises(InputError, match="cannot tell the materials of the space apart: 197 random ones"):
        check_model_inputs(SPACE, lambda x: torch.ones(len(x), 3))
    with caplog.at_level(logging.WARNING):
        check_model_inputs(SPACE, lambda x: x)
        assert not caplog.records
        check_model_inputs(SPACE, lambda x: x[:, :4])
    [record] = caplog.records
    levels = "solvent=DMF and solvent=DMSO and solvent=water"
    assert record.getMessage().startswith(
        f"The models cannot tell apart values of t; {levels}: let the models"
    )
