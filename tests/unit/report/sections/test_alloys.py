"""The section on alloys, and the chapter that holds it."""

from __future__ import annotations

import re

import pandas as pd

from nestmat.config.loading import study_from
from nestmat.labels.problems import DesignLabels
from nestmat.report.findings import alloys
from nestmat.report.findings.method_metrics import MethodMetrics
from nestmat.report.registry import SECTIONS
from nestmat.report.sections.targets import describe_problem
from nestmat.report.source import Source
from nestmat.report.write import render_page
from support.phase_problem import (
    PHASE_LABELS,
    PHASE_QUANTITY,
    PHASE_STUDY,
    phase_configuration,
    phase_labels,
)
from support.report_text import plain, section_html, section_text, table_cells


def alloy_section(metrics: pd.DataFrame, labels: DesignLabels = PHASE_LABELS) -> dict:
    """Variables of the section on alloys."""
    of_methods = MethodMetrics(metrics, labels)
    return {
        "hit": alloys.hit_class(labels),
        "limits": alloys.limits(labels),
        "composition": alloys.leading_composition(of_methods),
        "out_of_domain": alloys.out_of_domain(of_methods),
        "alloys": alloys.alloy_table(of_methods),
        "draws": alloys.decoded_draws(of_methods),
        "inversions": alloys.inversions(of_methods),
    }


def test_a_class_is_asked_for_by_its_name():
    text = section_text("targets", {**describe_problem(PHASE_LABELS, 10), "windows": []})
    assert "Probability of single phase as high as possible; 0.5 or more counts as a hit." in text
    assert "at least 0.05 of each; at most 0.35 of each" in text
    assert PHASE_LABELS.axis(PHASE_QUANTITY, "Predicted") == "Predicted probability of single phase"
    assert alloys.hit_class(PHASE_LABELS) == "single phase"
    other = {"quantity": PHASE_QUANTITY, "goal": "minimise", "enough": 0.5}
    assert alloys.hit_class(phase_labels(targets=[other])) == "several phases"
    assert alloys.hit_class(phase_labels(targets=[{**other, "goal": "maximise", "enough": 0.9}])) is None
    assert section_text("alloys", {"hit": None}, "are_hits") == "hits by all judges"


def test_methods_that_leave_the_domain_are_named_with_their_hits(phase_metrics):
    text = section_text("alloys", alloy_section(phase_metrics), "domain_sentence")
    assert text.startswith("Leave the domain of the training data: Gradient (0 % (0–9) in the domain;")
    assert "predicts 100 % hits, 10 % (4–23) are judged single phase)" in text
    assert text.endswith("Of the candidates of the methods that stay, 50 to 95 % are judged single phase.")
    inside = phase_metrics.copy()
    in_domain = inside["metric"] == "in_domain"
    inside.loc[in_domain, ["value", "low", "high"]] = [1.0, 0.9, 1.0]
    assert alloys.out_of_domain(MethodMetrics(inside, PHASE_LABELS)) is None


def test_decoding_and_its_filters_have_a_sentence(phase_metrics):
    assert section_text("alloys", alloy_section(phase_metrics), "decoding_sentence") == (
        "Decoded prior: 50 % (35–65) of its candidates are judged single phase; Filtered: 95 % (83–99) of "
        "its candidates are judged single phase; kept are 40 % (31–50) of the draws, where the rules of the "
        "space change at most 10 at% of the alloy and the searched model predicts 0.9 or better."
    )


def test_inversions_are_written_with_what_they_ask_and_move(phase_metrics):
    text = section_text("alloys", alloy_section(phase_metrics), "inversion_sentence")
    assert "by Inversion 80 % (71–87) (0.6 asked; 40 at% moved in 1.5 steps on average; 70 %" in text
    assert "by Short way 40 % (31–50) (0.8 asked, at most 25 at% away; 12 at% moved in 1.0 steps" in text
    assert text.endswith("Short way stays nearest to what is known.")
    none = phase_metrics[~phase_metrics["metric"].isin(["reached", "moved", "steps"])]
    assert section_text("alloys", alloy_section(none), "inversion_sentence") == ""


def test_elements_are_those_of_the_leading_method(phase_metrics):
    variables = alloy_section(phase_metrics)
    text = section_text("alloys", variables, "composition_sentence")
    count = MethodMetrics(phase_metrics, PHASE_LABELS).values("elements")["sure"]
    assert text.startswith(f"Filtered: {count:.1f} elements on average; ")
    assert "nearly pure" not in text
    whole = section_text("alloys", variables)
    assert "The space has none: no element is of more than 35 at%." in whole
    wide = phase_configuration()
    wide["search"]["alloys"]["space"]["elements"] |= {"greatest": 1.0, "fewest": 1}
    assert alloys.limits(DesignLabels.of(study_from(wide), "alloys"))["largest"] is None


def test_tables_of_alloys_have_a_row_a_method(phase_metrics):
    variables = alloy_section(phase_metrics)
    markup = section_html("alloys", variables)
    of_alloys, of_draws, of_inversions = (table_cells(part) for part in markup.split("</table>")[:3])
    rows = {cells[0]: cells[1:] for cells in of_alloys[1:]}
    assert list(rows)[-2:] == ["Uniform sample", "Best of the training data"]
    assert rows["Filtered"][0] == "95 (83–99)"
    assert rows["Gradient"][-1] == "0"
    assert {len(cells) for cells in rows.values()} == {len(of_alloys[0]) - 1}
    assert of_draws[1:] == [
        ["Decoded prior", "80", "20 (13–30)", "100 (95–100)", "50 (39–61)"],
        ["Filtered", "100", "20 (13–29)", "40 (31–50)", "38 (29–48)"],
    ]
    assert "Filtered keeps those where" in plain(markup)
    assert [cells[:6] for cells in of_inversions[1:]] == [
        ["Inversion", "0.6", "any", "80 (71–87)", "40.0", "1.50"],
        ["Short way", "0.8", "25", "40 (31–50)", "12.5", "1.00"],
    ]
    only = phase_metrics[phase_metrics["method"].isin(["gradient", "uniform"])]
    assert section_html("alloys", alloy_section(only)).count("<table") == 1


def test_the_chapter_holds_patch_and_paths(phase_results):
    page = render_page(Source(PHASE_STUDY, phase_results), parts=["search"])
    found = page[page.index('id="found"') : page.index("</section>")]
    assert re.findall(r"<strong>(\w+)\.</strong>", found) == [
        *("Promises", "Method", "Alloys", "Domain", "Decoding", "Inversion", "Interpolation")
    ]
    assert re.findall(r'<h3 id="alloys-(\w+)">', page) == ["targets", "methods", "paths"]
    assert re.findall(r"<figcaption><strong>(.*?)\.?</strong>", page) == [
        "Hits of each method",
        "What the searched model promises, and what the judges say",
        "A patch of the latents",
        "How new the candidates are",
        "Ways between two materials",
    ]
    numbers = SECTIONS["methods"]().numbers(Source(PHASE_STUDY, phase_results), "alloys")
    assert table_cells(section_html("methods", numbers))[0] == [
        "Method",
        "Distinct",
        "Promised",
        "Searched model",
        "Trees",
        "New and in the domain",
    ]
