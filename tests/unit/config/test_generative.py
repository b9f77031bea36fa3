"""Faults of a study's generative models, told before anything runs."""

from __future__ import annotations

import pytest
import yaml

from nestmat.commands import validate
from nestmat.config.loading import study_from
from nestmat.errors import InputError
from nestmat.paths import ROOT


@pytest.fixture
def content():
    """The shipped study of strained MoS2 as plain values, without shared parts."""
    text = (ROOT / "resources/studies/matdesinne_mos2.yaml").read_text()
    return yaml.safe_load(yaml.dump(yaml.safe_load(text), Dumper=_Plain))


class _Plain(yaml.SafeDumper):
    def ignore_aliases(self, data):
        return True


def _set(content, path, value):
    *way, last = path.split(".")
    for key in way:
        content = content[key]
    content[last] = value


@pytest.mark.parametrize(
    ("path", "value", "told"),
    [
        ("generative.spline.scale", "gaps", "'gaps' is not one of"),
        ("generative.spline.condition", "mass", "'mass' is not one of"),
        ("generative.taught.pseudo_labels.model", "trees", "'trees' is not a model of the scale"),
        (
            "generative.spline.space",
            {"variables": {"height": {"between": [0, 1]}}},
            "'height' is not a column",
        ),
        ("generative.spline.space", {"elements": {"species": ["Fe", "Ni"]}}, "may have variables alone"),
        ("generative.spline.kind", "diffusion", "generative.spline.kind: There is no generator 'diffusion'"),
        ("search.gap_050.methods.spline.model", "splines", "'splines' is not one of"),
        (
            "search.gap_050.methods.spline",
            {"kind": "generative"},
            "Only methods that sample a generator have its name as `model`",
        ),
        (
            "search.gap_050.methods.spline",
            {"kind": "random", "model": "spline"},
            "Only methods that sample a generator have its name as `model`",
        ),
        (
            "search.gap_050.targets",
            [{"quantity": "gap.gap", "goal": "maximise"}, {"quantity": "gap.gap", "value": 1.0}],
            "draws materials for its condition alone",
        ),
        ("search.gap_050.space.variables.a", {"between": [2.6, 3.7]}, "has another space"),
    ],
)
def test_a_reference_that_leads_nowhere_is_told(content, path, value, told):
    _set(content, path, value)
    with pytest.raises(InputError, match=told):
        study_from(content)


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        (
            "generative.spline.widht",
            3,
            r"spline\.widht: .* is it misspelt\? Did you mean 'width'",
        ),
        ("generative.spline.blocks", "three", r"generative\.spline\.blocks: .* valid integer"),
        ("generative.rows.steps", 3, r"generative\.rows\.steps: "),
        ("search.gap_050.methods.spline.step", 3, r"search\.gap_050\.methods\.spline\.step: "),
    ],
)
def test_an_option_that_does_not_fit_is_named_with_its_key(content, path, value, message):
    _set(content, path, value)
    with pytest.raises(InputError, match=message):
        study_from(content)
    assert study_from(content, check_options=False)


def test_validate_tells_the_networks(content):
    lines = list(validate.describe(study_from(content), None))
    assert "  generative model spline: flow, 5 networks" in lines
    assert "  generative model rows: retrieval" in lines
