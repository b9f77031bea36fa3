"""Specifications of autoencoders that do not fit the data."""

from __future__ import annotations

import pytest

from nestmat.errors import InputError
from nestmat.models.autoencoder.network import Autoencoder
from nestmat.models.specification import Head
from support.autoencoders import SHAPES, model


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"inputs": ("nothing",)}, "inputs.nothing"),
        ({"heads": {"nothing": Head()}}, "heads.nothing"),
        ({"heads": {"gap": Head(loss="cross_entropy")}}, "cross_entropy.*does not fit the target"),
        ({"heads": {"descriptors": Head(loss="cross_entropy")}}, "cross_entropy.*does not fit the block"),
        (
            {"heads": {"descriptors": Head(floor=0.0)}},
            "Only a target has a floor",
        ),
    ],
)
def test_specification_that_does_not_fit_the_data_is_named(changes, text):
    with pytest.raises(InputError, match=text):
        Autoencoder(model(**changes), SHAPES, [0])
