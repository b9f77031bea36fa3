"""Names of what design problems hold."""

from __future__ import annotations

import doctest

from nestmat.config.loading import study_from
from nestmat.labels import problems
from nestmat.labels.problems import DesignLabels
from support.absorber_problem import labels_of
from support.device_study import device_configuration


def test_examples_of_names():
    assert doctest.testmod(problems).failed == 0


def test_a_judge_of_a_plugin_is_named_by_its_key():
    assert problems.judge_name("nearest_neighbours") == "nearest neighbours"
    assert problems.order_judges(["all", "nearest_neighbours", "model"]) == [
        "model",
        "all",
        "nearest_neighbours",
    ]


def test_names_of_quantities_tell_two_scales_apart():
    content = device_configuration()
    content["datasets"]["devices"]["columns"]["PCE"]["description"] = "Band gap (PBE)."
    labels = DesignLabels.of(study_from(content), "absorbers")
    assert labels.name("gap.Gap") == "Band gap (PBE), Band gap"
    assert labels.name("efficiency.PCE") == "Band gap (PBE), Device efficiency"
    labels = labels_of()
    assert labels.axis("gap.Gap", "Predicted") == "Predicted band gap, PBE (eV)"
    assert labels.axis("limit") == "Limit of detailed balance (%)"
    assert labels.method("genetic_search") == "Genetic search"
    assert labels.methods(["training", "ranking", "uniform", "random"]) == [
        "random",
        "ranking",
        "uniform",
        "training",
    ]
