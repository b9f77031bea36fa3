"""Specifications of semi-supervised models that do not fit the data."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from nestmat.errors import InputError
from nestmat.models.autoencoder.specification import AutoencoderSpecification
from nestmat.models.specification import Encoder, Head, Shapes, Specification
from support.semi_supervised_networks import BOTH, CLASS, NUMBER, SEVERAL, SHAPES, model


def test_a_teacher_of_numbers_is_refused():
    with pytest.raises(InputError, match="predicts classes alone"):
        model(targets=SEVERAL, options={"teacher": "forest"}).check(SHAPES)


def fault(specification: Specification, shapes: Shapes = SHAPES) -> str:
    with pytest.raises(InputError) as caught:
        specification.network(shapes, [0])
    return str(caught.value)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"composition": "evidence"}, "'evidence'.*is not a block of fractions"),
        ({"composition": "unknown"}, "'unknown'.*is not a block of fractions"),
        ({"classifier": ()}, "classifier.*The classifier reads no block"),
        ({"inputs": ("shares",)}, "inputs.*give \\['evidence', 'shares'\\]"),
        (
            {"heads": {"shares": Head(loss="presence")}},
            "heads.*and of one target or more",
        ),
        ({"heads": {"phase": CLASS}}, "heads.*and of one target or more"),
        (
            {"heads": {"phase": CLASS, "evidence": Head(), "shares": Head(loss="presence")}},
            "heads.*and of one target or more",
        ),
        (
            {"heads": {"phase": CLASS, "shares": Head(loss="cross_entropy")}},
            "heads.shares.loss.*multinomial or presence",
        ),
        (
            {"heads": {"phase": Head(loss="mse"), "shares": Head(loss="presence")}},
            "heads.phase.loss.*choose binary_cross_entropy",
        ),
        (
            {"heads": {"hardness": Head(loss="mse"), "shares": Head(loss="presence")}},
            "heads.hardness.loss.*choose gaussian_nll",
        ),
        (
            {"heads": {"hardness": replace(NUMBER, floor=0.0), "shares": Head(loss="presence")}},
            "heads.hardness.*has a floor",
        ),
        (
            {"heads": {"phase": CLASS, "shares": Head(loss="presence", output_activation="tanh")}},
            "heads.shares.*tanh",
        ),
        (
            {"heads": {"phase": CLASS, "shares": Head(loss="presence", dropout=0.1)}},
            "dropout.*Only heads of targets have dropout",
        ),
        ({"encoder": Encoder(latents=2, dropout=0.1)}, "dropout.*Only heads of targets have dropout"),
        ({"encoder": Encoder(latents=2, pieces=4)}, "pieces.*reads fractions as they are"),
        ({"penalties": {"l1": 1.0}}, "penalties.*choose independence or l2"),
        ({"prior": {"phase": 1.0}}, "prior.phase.*between 0 and 1"),
        ({"prior": {"hardness": 0.5}}, "prior.hardness"),
    ],
)
def test_what_does_not_fit_is_named(changes, message):
    assert re.search(message, fault(replace(model(), **changes)), re.DOTALL)


def test_a_number_has_no_prior_of_a_class():
    specification = model(targets=BOTH, options={"prior": {"hardness": 0.5}})
    assert "prior.hardness" in fault(specification)


def test_likelihoods_of_compositions_need_a_semi_supervised_model():
    for loss in ("multinomial", "presence"):
        specification = AutoencoderSpecification(
            inputs=("shares",), encoder=Encoder(latents=2), heads={"shares": Head(loss=loss)}
        )
        assert "set kind: semi_supervised" in fault(specification)
