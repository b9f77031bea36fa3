"""Targets, constraints and space of a problem in words."""

from __future__ import annotations

import re

import pandas as pd
import pytest

from nestmat.labels.problems import DesignLabels
from nestmat.report.findings.method_metrics import MethodMetrics
from nestmat.report.sections.targets import describe_problem
from support.absorber_problem import labels_of
from support.device_study import ETL
from support.report_text import plain, section_html, section_text


def target_sentence(labels: DesignLabels, heading: str) -> str:
    """The first sentence under a heading of the section."""
    markup = section_html("targets", {**describe_problem(labels, 1), "windows": []})
    return plain(re.findall(rf"<strong>{heading}\.</strong>(.*?)</li>", markup, flags=re.DOTALL)[0])


@pytest.mark.parametrize(
    ("target", "sentence"),
    [
        (
            {"goal": "maximise", "enough": 15},
            "Power conversion efficiency as high as possible; 15 % or more counts",
        ),
        (
            {"goal": "minimise"},
            "as low as possible; every material that meets the constraints counts as a hit.",
        ),
        ({"between": [18, 20]}, "Power conversion efficiency from 18 to 20 %."),
        ({"value": 18, "tolerance": 0.5}, "Power conversion efficiency of 18 %, within 0.5 %."),
    ],
)
def test_targets_in_words(target, sentence):
    labels = labels_of(targets=[{"quantity": "efficiency.PCE", **target}])
    assert sentence in target_sentence(labels, "Target")


@pytest.mark.parametrize(
    ("bound", "sentence"),
    [
        (
            {"quantity": "gap.Gap", "low": 1.1, "high": 1.7, "sigmas": 1},
            "Band gap (PBE) from 1.1 to 1.7 eV, with 1 predicted standard deviation to spare.",
        ),
        ({"quantity": "price", "high": 3}, "Price of at most 3."),
        ({"quantity": "gap.Gap", "low": -1}, "Band gap (PBE) of at least −1 eV."),
        (
            {"quantity": "gap.Gap", "high": 2, "sigmas": -2},
            "Band gap (PBE) of at most 2 eV, or within 2 predicted standard deviations of it.",
        ),
        (
            {"quantity": "gap.Gap", "high": 0.1, "of": "std"},
            "Predicted standard deviation of the band gap (PBE) of at most 0.1 eV.",
        ),
    ],
)
def test_bounds_in_words(bound, sentence):
    assert target_sentence(labels_of(constraints=[bound]), "Constraint") == sentence


def test_the_space_in_words_names_all_that_may_be_chosen():
    markup = section_html("targets", {**describe_problem(labels_of(), 1234567), "windows": []})
    entries = re.findall(r"<dt>(.*?)</dt><dd>(.*?)</dd>", markup, flags=re.DOTALL)
    found = {plain(name): plain(text) for name, text in entries}
    assert found["Site A"] == "MA, Cs; shares in steps of 1/4; at most 2 at a time"
    assert found["Site X"] == "I, Br; one of them"
    assert found["ETL"] == ", ".join(ETL)
    assert found["Thickness"].replace("\u00a0", " ") == "100 to 500, 5 values"
    assert found["Fixed"] == "area 0.1"
    assert found["Materials"].replace("\u00a0", " ") == "1 234 567"


def test_validity_is_by_construction():
    labels = labels_of()
    problem = describe_problem(labels, None)
    text = section_text("targets", {**problem, "windows": []})
    assert "endless: a variable has no grid" in text
    assert "the shares of a site add up to 1, the charges cancel and every bound holds" in text
    assert "windows" not in text
    windows = pd.DataFrame({"metric": ["hit", "tau_window", "tau_window"]})
    assert MethodMetrics(windows, labels).windows == ["tau_window"]
    text = section_text("targets", {**problem, "windows": ["tau"]})
    assert "The windows of geometric criteria (tau) are not built in" in text
