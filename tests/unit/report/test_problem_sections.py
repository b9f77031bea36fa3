"""What figures and report say of a design problem: verdicts from numbers, sentences from configurations."""

from __future__ import annotations

import copy
import re
from pathlib import Path

import factories
import numpy as np
import pandas as pd
import pytest
from report_text import plain, section_html, section_text

from nestmat import tables
from nestmat.config.loading import study_from
from nestmat.design.metrics import DESIGN_METRICS, wilson_interval
from nestmat.figures import style
from nestmat.figures.problems import front
from nestmat.labels import comparisons
from nestmat.labels.problems import DesignLabels
from nestmat.report.findings.method_metrics import MethodMetrics
from nestmat.report.findings.methods import rate_ratio
from nestmat.report.findings.verdict import method_verdict, promises
from nestmat.report.registry import SECTIONS
from nestmat.report.sections.retraining import retraining_errors
from nestmat.report.sections.shortlist import leading_candidate
from nestmat.report.sections.verification import verified_quantities
from nestmat.report.sections.wanted import describe_problem
from nestmat.report.source import Source
from nestmat.report.write import render_page


def labels_of(**changes) -> DesignLabels:
    """Names of the problem with some keys changed; a key of None is left out."""
    content = factories.configuration()
    problem = {**content["search"]["absorbers"], **changes}
    content["search"] = {"absorbers": {key: given for key, given in problem.items() if given is not None}}
    return DesignLabels.of(study_from(content), "absorbers")


def metrics_of(**hits: tuple[int, int]) -> pd.DataFrame:
    """Metrics of methods with so many hits by all judges of so many candidates."""
    rows = []
    for method, (count, n) in hits.items():
        low, high = wilson_interval(count, n)
        plain = {"method": method, "seed": -1, "judge": "all", "metric": "hit", "at": np.nan, "unit": ""}
        rows.append({**plain, "value": count / n, "low": low, "high": high})
    return pd.DataFrame(rows, columns=list(DESIGN_METRICS))


RUNS = pd.DataFrame({"method": ["ranking", "random"], "seed": 0, "evaluations": 10, "seconds": [4.25, 1.0]})


def said(labels: DesignLabels, count: int | None = 50_400, **hits: tuple[int, int]) -> str:
    verdict = method_verdict(MethodMetrics(metrics_of(**hits), labels), RUNS, count)
    variables = {"question": "", "verdict": verdict, "promises": None}
    return section_text("problem", variables)


def test_ranking_is_enough_where_no_interval_lies_above_its_own():
    found = said(labels_of(), random=(20, 100), genetic_search=(30, 100), ranking=(22, 100), uniform=(1, 200))
    assert found.startswith("Ranking is enough: it predicts all 50 400 materials in 4.250 s, 22 % (15–31)")
    assert "no other method has a rate whose interval lies above" in found
    assert found.endswith("To beat: 0.5 % (0.1–2.8) of materials drawn uniformly.")


def test_ranking_that_finds_the_errors_of_the_model_is_told():
    found = said(labels_of(), random=(29, 100), ranking=(16, 100), uniform=(4, 100))
    assert "finds what the searched model thinks best, and 16 %" in found
    assert "has more, 29 %" in found
    assert "its errors are chosen" in found


def test_a_method_whose_interval_lies_above_that_of_ranking_is_named():
    found = said(labels_of(), random=(50, 100), genetic_search=(70, 100), ranking=(22, 100), training=(0, 50))
    assert found.startswith("Use Genetic search: 70 % (60–78) of its candidates are hits by all judges")
    assert "against 22 % (15–31) of the best of all 50 400 materials, which take 4.250 s to rank" in found
    assert "0 % (0–7) of the best of the training data" in found


def unranked(**methods) -> DesignLabels:
    given = {"random": {"kind": "random"}, "genetic_search": {"kind": "genetic"}, **methods}
    return labels_of(methods=given, shortlist=None, verify=None)


def test_without_ranking_a_method_has_to_beat_random_search():
    found = said(unranked(), None, random=(20, 100), genetic_search=(60, 100), uniform=(1, 100))
    assert found.startswith("Use Genetic search: 60 % (50–69) of its candidates are hits by all judges")
    assert "against 20 % (13–29) for random" in found
    assert "cannot be ranked: a variable has no grid" in found
    found = said(unranked(), 10**15, random=(20, 100), genetic_search=(25, 100), uniform=(1, 100))
    assert found.startswith("No method is shown to be better than random: the highest rate")
    assert "The 1.0 × 10^15 materials of the space were not ranked." in found


def test_without_random_search_a_method_has_to_beat_the_uniform_sample():
    labels = labels_of(methods={"genetic_search": {"kind": "genetic"}}, shortlist=None, verify=None)
    assert "against 1.0 % (0.2–5.4) for uniform sample" in said(
        labels, genetic_search=(9, 10), uniform=(1, 100)
    )


def test_a_method_that_searched_the_judge_is_none_to_choose():
    methods = factories.problem()["methods"] | {"cheat": {"kind": "genetic", "predictor": "trees"}}
    found = said(labels_of(methods=methods), random=(20, 100), ranking=(22, 100), cheat=(90, 100))
    assert found.startswith("Ranking is enough")


def test_no_hit_by_all_judges_is_said_plainly():
    found = said(labels_of(), random=(0, 100), ranking=(0, 100), uniform=(3, 100))
    assert found == "No method has a candidate that all judges call a hit."


def wanted_sentence(labels: DesignLabels, heading: str) -> str:
    """The first sentence under a heading of what is wanted."""
    markup = section_html("wanted", {**describe_problem(labels, 1), "windows": []})
    return plain(re.findall(rf"<strong>{heading}\.</strong>(.*?)</li>", markup, flags=re.DOTALL)[0])


@pytest.mark.parametrize(
    ("target", "wanted"),
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
def test_targets_in_words(target, wanted):
    labels = labels_of(targets=[{"quantity": "efficiency.PCE", **target}])
    assert wanted in wanted_sentence(labels, "Target")


@pytest.mark.parametrize(
    ("bound", "wanted"),
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
def test_bounds_in_words(bound, wanted):
    assert wanted_sentence(labels_of(constraints=[bound]), "Constraint") == wanted


def test_the_space_in_words_names_all_that_may_be_chosen():
    markup = section_html("wanted", {**describe_problem(labels_of(), 1234567), "windows": []})
    entries = re.findall(r"<dt>(.*?)</dt><dd>(.*?)</dd>", markup, flags=re.DOTALL)
    found = {plain(name): plain(text) for name, text in entries}
    assert found["Site A"] == "MA, Cs; shares in steps of 1/4; at most 2 at a time"
    assert found["Site X"] == "I, Br; one of them"
    assert found["ETL"] == ", ".join(factories.ETL)
    assert found["Thickness"].replace("\u00a0", " ") == "100 to 500, 5 values"
    assert found["Fixed"] == "area 0.1"
    assert found["Materials"].replace("\u00a0", " ") == "1 234 567"


def test_validity_is_said_to_be_by_construction():
    labels = labels_of()
    problem = describe_problem(labels, None)
    text = section_text("wanted", {**problem, "windows": []})
    assert "endless: a variable has no grid" in text
    assert "the shares of a site add up to 1, the charges cancel and every bound holds" in text
    assert "windows" not in text
    windows = pd.DataFrame({"metric": ["hit", "tau_window", "tau_window"]})
    assert MethodMetrics(windows, labels).windows == ["tau_window"]
    text = section_text("wanted", {**problem, "windows": ["tau"]})
    assert "The windows of geometric criteria (tau) are not built in" in text


def test_a_rate_without_hits_is_compared_with_the_end_of_its_interval():
    assert section_text("methods", {}, "ratio", rate_ratio((0.4, 0.3, 0.5), (0.1, 0.05, 0.2))) == "4"
    assert section_text("methods", {}, "ratio", rate_ratio((0.4, 0.3, 0.5), (0.0, 0.0, 0.04))) == "> 10"
    assert section_text("methods", {}, "ratio", rate_ratio((0.0, 0.0, 0.1), (0.0, 0.0, 0.04))) == "–"


def test_calculations_of_what_was_trained_on_do_not_count_where_there_are_others():
    rows = pd.DataFrame(
        {
            "quantity": "gap.Gap",
            "mean": [1.0, 1.0, 1.0],
            "std": 0.1,
            "calculated": [1.1, 1.5, 1.0],
            "unit": "eV",
            "trained_on": [False, False, True],
        }
    )
    assert comparisons.verification_errors(rows) == (pytest.approx(0.3), 1, 2)
    assert comparisons.verification_errors(rows[2:]) == (0.0, 1, 1)
    variables = {"quantities": verified_quantities(rows, labels_of())}
    assert section_text("verification", variables, "sentence") == (
        "Against DFT: band gap (PBE) is off by 0.300 eV on average, 1 of 2 are within two predicted standard "
        "deviations."
    )


def test_what_a_second_round_taught():
    rounds = pd.DataFrame(
        {"target": "Gap", "calculated": [1.0, 2.0], "first": [1.2, 1.8], "second": [1.1, 2.1], "unit": "eV"}
    )
    text = section_text("retraining", {"targets": retraining_errors(rounds, labels_of())}, "sentence")
    assert text.endswith("error of the other half in band gap (PBE) from 0.200 to 0.100 eV.")


def test_what_stands_across_the_first_target():
    def across(**changes):
        labels = labels_of(**changes)
        return front.across(labels.study, "absorbers")

    pce, price = {"quantity": "efficiency.PCE", "goal": "maximise"}, {"quantity": "price", "goal": "minimise"}
    assert across() == "gap.Gap"
    assert across(constraints=[], targets=[pce, price]) == "price"
    assert across(constraints=[{"quantity": "price", "high": 3.0}]) == "price"
    assert across(constraints=[]) is None


def test_the_front_holds_the_hits_that_none_is_better_than_in_both():
    labels = labels_of(
        targets=[
            {"quantity": "efficiency.PCE", "goal": "maximise"},
            {"quantity": "price", "goal": "minimise"},
        ],
        constraints=[],
    )
    rows = pd.DataFrame({"efficiency.PCE.mean": [20.0, 18.0, 19.0, 15.0], "price.mean": [3.0, 1.0, 3.0, 2.0]})
    figure, axes = style.panels(1, 1, height=2)
    front._draw_front(axes[0, 0], rows, labels, "price", "efficiency.PCE")
    assert figure.axes
    [line] = axes[0, 0].lines
    assert line.get_xydata().tolist() == [[1.0, 18.0], [3.0, 20.0]]


def test_names_of_quantities_tell_two_scales_apart():
    content = factories.configuration()
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


@pytest.fixture(scope="module")
def results(tmp_path_factory) -> Path:
    root = tmp_path_factory.mktemp("results") / "toy_devices"
    factories.write_results(root)
    return root


def leading_sentence(shortlist: pd.DataFrame) -> str:
    return section_text("shortlist", {"leading": leading_candidate(shortlist, labels_of())}, "sentence")


def test_the_first_candidate_without_a_warning_is_named(results):
    shortlist = tables.read(results / "search/absorbers/shortlist.parquet")
    text = leading_sentence(shortlist)
    assert f"without a warning: {shortlist['formula'][1]}, rank 2" in text
    assert text.endswith("1 of 8 bear a warning.")
    shortlist["flags"] = "in the training data"
    assert f"First on the shortlist: {shortlist['formula'][0]}, rank 1" in leading_sentence(shortlist)


def test_promises_are_those_of_the_method_of_the_shortlist(results):
    metrics = tables.read(results / "search/absorbers/metrics.parquet")
    rows = metrics[(metrics["metric"] == "optimism:efficiency.PCE") & (metrics["seed"] == -1)]
    size = rows.set_index("method")["value"]["ranking"]
    variables = {"promises": promises(MethodMetrics(metrics, labels_of()))}
    text = section_text("problem", variables, "promise")
    assert text == (
        "Of the candidates of Rank all the searched model predicts power conversion efficiency "
        f"{size:.3f} % above the trees, on average."
    )


def test_a_problem_without_methods_has_no_verdict_and_a_chapter_all_the_same(results):
    content = copy.deepcopy(factories.configuration())
    for key in list(content["search"]["absorbers"]):
        if key in ("methods", "judges", "shortlist", "verify", "retrain"):
            del content["search"]["absorbers"][key]
    source = Source(study_from(content), results)
    text = plain(render_page(source, parts=["search"]))
    assert "What is wanted Target. Power conversion efficiency" in text
    assert "Methods and judges" not in text
    assert SECTIONS["problem"]().numbers(source, "absorbers")["verdict"] is None
