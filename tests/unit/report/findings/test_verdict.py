"""Which method to use for a problem, as numbers and as a sentence."""

from __future__ import annotations

import copy

import numpy as np
import pandas as pd
import pytest

from nestmat import tables
from nestmat.config.loading import study_from
from nestmat.design.metrics import DESIGN_METRICS, wilson_interval
from nestmat.design.reach import UNMET, Unmet
from nestmat.labels.problems import DesignLabels
from nestmat.report.findings.method_metrics import MethodMetrics
from nestmat.report.findings.verdict import method_verdict, promises, unmet_sentences
from nestmat.report.registry import SECTIONS
from nestmat.report.source import Source
from nestmat.report.write import render_page
from support.absorber_problem import labels_of
from support.device_study import device_configuration, device_problem
from support.report_text import plain, section_text


def metrics_of(**hits: tuple[int, int]) -> pd.DataFrame:
    """Metrics of methods with so many hits by all judges of so many candidates."""
    rows = []
    for method, (count, n) in hits.items():
        low, high = wilson_interval(count, n)
        plain = {"method": method, "seed": -1, "judge": "all", "metric": "hit", "at": np.nan, "unit": ""}
        rows.append({**plain, "value": count / n, "low": low, "high": high})
    return pd.DataFrame(rows, columns=list(DESIGN_METRICS))


def verdict_of(labels: DesignLabels, count: int | None = 50_400, **hits: tuple[int, int]) -> str:
    verdict = method_verdict(MethodMetrics(metrics_of(**hits), labels), count)
    variables = {"question": "", "verdict": verdict, "promises": None, "unmet": []}
    return section_text("problem", variables)


def test_ranking_is_enough_where_no_interval_lies_above_its_own():
    found = verdict_of(
        labels_of(), random=(20, 100), genetic_search=(30, 100), ranking=(22, 100), uniform=(1, 200)
    )
    assert found.startswith("Ranking is enough: it predicts all 50 400 materials, 22 % (15–31)")
    assert "no other method has a rate whose interval lies above" in found
    assert found.endswith("To beat: 0.5 % (0.1–2.8) of materials drawn uniformly.")


def test_ranking_that_finds_the_errors_of_the_model():
    found = verdict_of(labels_of(), random=(29, 100), ranking=(16, 100), uniform=(4, 100))
    assert "finds what the searched model thinks best, and 16 %" in found
    assert "has more, 29 %" in found
    assert "its errors are chosen" in found


def test_a_method_whose_interval_lies_above_ranking_is_named():
    found = verdict_of(
        labels_of(), random=(50, 100), genetic_search=(70, 100), ranking=(22, 100), training=(0, 50)
    )
    assert found.startswith("Use Genetic search: 70 % (60–78) of its candidates are hits by all judges")
    assert "against 22 % (15–31) of the best of all 50 400 materials" in found
    assert "0 % (0–7) of the best of the training data" in found


def unranked(**methods) -> DesignLabels:
    given = {"random": {"kind": "random"}, "genetic_search": {"kind": "genetic"}, **methods}
    return labels_of(methods=given, shortlist=None, verify=None)


def test_without_ranking_a_method_has_to_beat_random_search():
    found = verdict_of(unranked(), None, random=(20, 100), genetic_search=(60, 100), uniform=(1, 100))
    assert found.startswith("Use Genetic search: 60 % (50–69) of its candidates are hits by all judges")
    assert "against 20 % (13–29) for random" in found
    assert "cannot be ranked: a variable has no grid" in found
    found = verdict_of(unranked(), 10**15, random=(20, 100), genetic_search=(25, 100), uniform=(1, 100))
    assert found.startswith("No method is shown to be better than random: the highest rate")
    assert "The 1.0 × 10^15 materials of the space were not ranked." in found


def test_without_random_search_uniform_samples_are_to_beat():
    labels = labels_of(methods={"genetic_search": {"kind": "genetic"}}, shortlist=None, verify=None)
    assert "against 1.0 % (0.2–5.4) for uniform sample" in verdict_of(
        labels, genetic_search=(9, 10), uniform=(1, 100)
    )


def test_a_method_that_searched_the_judge_is_none_to_choose():
    methods = device_problem()["methods"] | {"cheat": {"kind": "genetic", "predictor": "trees"}}
    found = verdict_of(labels_of(methods=methods), random=(20, 100), ranking=(22, 100), cheat=(90, 100))
    assert found.startswith("Ranking is enough")


def test_no_hit_by_all_judges_has_its_sentence():
    found = verdict_of(labels_of(), random=(0, 100), ranking=(0, 100), uniform=(3, 100))
    assert found == "No method has a candidate that all judges call a hit."


def test_promises_are_those_of_the_method_of_the_shortlist(device_results):
    metrics = tables.read(device_results / "search/absorbers/metrics.parquet")
    rows = metrics[(metrics["metric"] == "optimism:efficiency.PCE") & (metrics["seed"] == -1)]
    size = rows.set_index("method")["value"]["ranking"]
    variables = {"promises": promises(MethodMetrics(metrics, labels_of()))}
    text = section_text("problem", variables, "promise")
    of_ranking = metrics[(metrics["method"] == "ranking") & (metrics["seed"] == -1)]
    promised = of_ranking[of_ranking["metric"] == "promised"]["value"].item()
    granted = of_ranking[(of_ranking["metric"] == "hit") & (of_ranking["judge"] == "all")]["value"].item()
    assert text.startswith(
        f"The searched predictor promises that {100 * promised:.0f} % of the candidates of Rank all are "
        f"hits, and all judges grant {100 * granted:.0f} %"
    )
    assert ("less than half" in text) == (granted < 0.5 * promised)
    assert text.endswith(f"It predicts power conversion efficiency {size:.3f} % above the trees, on average.")


@pytest.mark.parametrize(("granted", "little"), [(30, True), (60, False)])
def test_a_promise_that_is_hardly_kept_is_said_first(granted, little):
    rate = granted / 100
    fact = {"method": "Random", "quantity": "Gap", "promised": 0.9, "granted": (rate, 0.2, 0.7), "judges": []}
    variables = {"question": "", "verdict": None, "promises": {**fact, "little": rate < 0.45}, "unmet": []}
    assert ("less than half" in section_text("problem", variables, "body")) == little


def test_what_no_candidate_meets_is_said_first():
    target = Unmet("target", "efficiency.PCE", "mean", 40.0, None, 1.0, True, True, "CsSnI3", 23.456, 0.5)
    told = unmet_sentences({UNMET: [target.facts()]}, labels_of())
    variables = {"question": "", "verdict": {"case": "no_hit"}, "promises": None, "unmet": told}
    text = section_text("problem", variables)
    assert text.startswith("No candidate that keeps the constraints reaches the target for power conversion ")
    assert "of at least 40 %: the nearest, CsSnI3, has 23.46 ± 0.5 %. Ask for less" in text
    assert text.endswith("No method has a candidate that all judges call a hit.")
    assert "Out of reach." in section_text("problem", variables, "summary")
    assert unmet_sentences({UNMET: []}, labels_of()) == []


def test_a_problem_without_methods_has_a_chapter_but_no_verdict(device_results):
    content = copy.deepcopy(device_configuration())
    for key in list(content["search"]["absorbers"]):
        if key in ("methods", "judges", "shortlist", "verify", "retrain"):
            del content["search"]["absorbers"][key]
    source = Source(study_from(content), device_results)
    text = plain(render_page(source, parts=["search"]))
    assert "Targets and space Target. Power conversion efficiency" in text
    assert "Methods and judges" not in text
    assert SECTIONS["problem"]().numbers(source, "absorbers")["verdict"] is None
