"""What figures and report say of a search for alloys of a class: which method does what, patches and ways."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from nestmat import tables
from nestmat.config.loading import study_from
from nestmat.design.candidates import RUNS
from nestmat.design.interpolation import MEASURES, named_materials
from nestmat.design.metrics import DESIGN_METRICS, assess
from nestmat.design.spaces import design_space
from nestmat.errors import InputError
from nestmat.figures import drawing
from nestmat.figures.problems import scans
from nestmat.labels.problems import PATHS, DesignLabels
from nestmat.plan.excerpts import problem_excerpt
from nestmat.report.findings import alloys
from nestmat.report.findings.method_metrics import MethodMetrics
from nestmat.report.registry import SECTIONS
from nestmat.report.sections.paths import describe_paths, worst_values
from nestmat.report.sections.targets import describe_problem
from nestmat.report.source import Source
from nestmat.report.write import render_page
from nestmat.search.problem import Target
from support.report_text import plain, section_html, section_text, table_cells

ELEMENTS = [
    "Al",
    "Co",
    "Cr",
    "Fe",
    "Hf",
    "Mo",
    "Nb",
    "Ni",
    "Ti",
    "W",
    "Zr",
    "V",
    "Ta",
    "Mn",
    "Cu",
    "Si",
    "Re",
]
QUANTITY = "phase.single"
METHODS = {
    "decode": {"kind": "decode", "title": "Decoded prior", "samples": 40},
    "sure": {"kind": "decode", "title": "Filtered", "samples": 50, "near": 0.1, "accept": 0.9},
    "scan": {"kind": "scan", "title": "Scan", "seeds": 1, "points": 2},
    "inversion": {"kind": "inversion", "title": "Inversion"},
    "short": {"kind": "inversion", "title": "Short way", "within": 0.25, "accept": 0.8},
    "gradient": {"kind": "gradient", "title": "Gradient"},
}
HITS = {"decode": 0.5, "sure": 0.95, "scan": 0.5, "inversion": 0.7, "short": 0.8, "gradient": 0.1}
"""Share of the candidates of each method that the trees call single-phase."""


def content(**changes) -> dict:
    model = {
        "inputs": ["shares", "solution"],
        "encoder": {"latents": 4, "hidden": [8]},
        "heads": {
            "single": {"loss": "binary_cross_entropy", "hidden": [8]},
            "shares": {"loss": "presence", "hidden": [8]},
        },
        "kind": "semi_supervised",
        "composition": "shares",
        "classifier": ["solution"],
    }
    problem = {
        "title": "Single-phase alloys",
        "scale": "phase",
        "model": "vae",
        "protocol": "halves",
        "space": {
            "elements": {
                "species": ELEMENTS,
                "grid": 100,
                "fewest": 3,
                "most": 6,
                "least": 0.05,
                "greatest": 0.35,
            }
        },
        "targets": [{"quantity": QUANTITY, "goal": "maximise", "enough": 0.5}],
        "methods": METHODS,
        "seeds": 2,
        "judges": {"trees": {"features": {"shares": {"elements": ELEMENTS}}}},
        "interpolate": {"between": ["MoNbTaW", "HfNbTaTiZr"], "steps": 3},
    }
    data = {
        "title": "Alloys",
        "file": "alloys.csv",
        "formula": "alloy",
        "columns": {
            "single": {"classes": ["several phases", "single phase"], "label": True, "description": "phases"}
        },
    }
    return {
        "study": "phases",
        "title": "Phases",
        "question": "Which alloy has one phase?",
        "datasets": {"alloys": data},
        "scales": {
            "phase": {
                "dataset": "alloys",
                "targets": ["single"],
                "features": {"shares": {"elements": ELEMENTS}, "solution": {"alloy": True}},
                "splits": {"halves": {"kind": "shared", "folds": 2}},
                "models": {"vae": {"specification": model}},
            }
        },
        "search": {"alloys": {**problem, **changes}},
    }


STUDY = study_from(content())
LABELS = DesignLabels.of(STUDY, "alloys")
SPACE = design_space(STUDY.search["alloys"].space)
DETAILS = {
    "decode": {"sampled": 40, "inside": 8, "kept": 40, "changed": 0.2},
    "sure": {"sampled": 50, "inside": 10, "kept": 20, "changed": 0.2},
    "scan": {
        "axes": [2, 0],
        "patch": {
            "first": [-1.0, -1.0, 1.0, 1.0],
            "second": [-1.0, 1.0, -1.0, 1.0],
            "formula": ["Mo30Nb35V35", "Cr20Fe25Mn20Ni35", "Hf35Nb30Ta35", "Al35Co30Ni35"],
            "predicted": [0.98, 0.55, 0.9, 0.04],
        },
    },
    "inversion": {"started": 50, "reached": 40, "steps": 1.5, "moved": 0.4},
    "short": {"started": 50, "reached": 20, "steps": 1.0, "moved": 0.125},
    "gradient": {},
}


def candidates() -> pd.DataFrame:
    """Ten or twenty judged candidates a method and seed; those of the gradient lie outside the domain."""
    random, parts = np.random.default_rng(0), []
    for place, name in enumerate([*METHODS, "uniform", "training"]):
        count = 20 if name in METHODS else 30
        for seed in range(2 if name in METHODS else 1):
            part = pd.DataFrame(SPACE.sample(count, [place, seed]), columns=list(SPACE.columns))
            judged = np.arange(count) < round(HITS.get(name, 0.2) * count)
            parts.append(
                part.assign(
                    method=name,
                    seed=seed,
                    novelty=random.random(count),
                    in_domain=name != "gradient",
                    hit=True,
                    **{
                        f"{QUANTITY}.mean": 0.9,
                        f"{QUANTITY}.std": 0.05,
                        f"trees.{QUANTITY}.mean": judged * 0.8,
                        "trees.hit": judged,
                        "trees.distance": 0.0,
                        "trees.violation": 0.0,
                    },
                )
            )
    return pd.concat(parts, ignore_index=True)


def records() -> pd.DataFrame:
    rows = [
        (name, seed, 100, 1.0, json.dumps(DETAILS[name]))
        for name in METHODS
        for seed in range(1 if name == "scan" else 2)
    ]
    return pd.DataFrame(rows, columns=list(RUNS))


def ways() -> tuple[pd.DataFrame, pd.DataFrame]:
    """Three materials on each of three ways."""
    ends = named_materials(["MoNbTaW", "HfNbTaTiZr"], SPACE)
    x = np.stack([ends[0], 0.5 * ends.sum(axis=0), ends[1]])
    parts = []
    for path, low in (("line", 0.7), ("slerp", 0.6), ("mixing", 0.4)):
        part = pd.DataFrame(x, columns=list(SPACE.columns))
        said = {f"{QUANTITY}.mean": [0.9, 0.8, 0.9], f"trees.{QUANTITY}.mean": [0.95, low, 0.9]}
        parts.append(part.assign(path=path, step=range(3), position=[0.0, 0.5, 1.0], **said))
    told = {"largest_step": 0.3, "end_error": 0.1, "allowed": 2 / 3}
    rows = [(path, name, "", number) for path in PATHS for name, number in told.items()]
    return pd.concat(parts, ignore_index=True), pd.DataFrame(rows, columns=list(MEASURES))


@pytest.fixture(scope="module")
def metrics() -> pd.DataFrame:
    target = Target(QUANTITY, "maximise", enough=0.5)
    return assess(candidates(), records(), SPACE, judges=["trees"], targets={target: ""}, windows={})


@pytest.fixture(scope="module")
def results(metrics, tmp_path_factory) -> Path:
    root = tmp_path_factory.mktemp("results") / "phases"
    folder = root / "search" / "alloys"
    judged = candidates()
    schema = {name: tables.Column("float64") for name in judged} | {
        "method": tables.Column("string"),
        "seed": tables.Column("int32"),
        **{name: tables.Column("bool") for name in ("hit", "in_domain", "trees.hit")},
    }
    tables.write(folder / "judged.parquet", judged, schema)
    tables.write(folder / "metrics.parquet", metrics, DESIGN_METRICS)
    for name, part in records().groupby("method"):
        tables.write(folder / f"{name}.runs.parquet", part, RUNS)
    points, measures = ways()
    schema = {name: tables.Column("float64") for name in points}
    schema |= {"path": tables.Column("string"), "step": tables.Column("int32")}
    tables.write(folder / "interpolation.parquet", points, schema)
    tables.write(folder / "interpolation.measures.parquet", measures, MEASURES)
    for subject, kind in drawing.available(STUDY):
        if subject == "alloys":
            needed = drawing.required_tables(STUDY, subject, kind)
            inputs = {name: [root / path for path in paths] for name, paths in needed.items()}
            drawing.draw(kind, inputs, STUDY, subject, root / "figures" / "alloys" / f"{kind}.svg")
    return root


def alloy_section(metrics: pd.DataFrame, labels: DesignLabels = LABELS) -> dict:
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


def changed(**keys) -> DesignLabels:
    return DesignLabels.of(study_from(content(**keys)), "alloys")


def test_a_class_is_asked_for_by_its_name():
    text = section_text("targets", {**describe_problem(LABELS, 10), "windows": []})
    assert "Probability of single phase as high as possible; 0.5 or more counts as a hit." in text
    assert "at least 0.05 of each; at most 0.35 of each" in text
    assert LABELS.axis(QUANTITY, "Predicted") == "Predicted probability of single phase"
    assert alloys.hit_class(LABELS) == "single phase"
    other = {"quantity": QUANTITY, "goal": "minimise", "enough": 0.5}
    assert alloys.hit_class(changed(targets=[other])) == "several phases"
    assert alloys.hit_class(changed(targets=[{**other, "goal": "maximise", "enough": 0.9}])) is None
    assert section_text("alloys", {"hit": None}, "are_hits") == "hits by all judges"


def test_methods_that_leave_the_domain_are_named_with_their_hits(metrics):
    text = section_text("alloys", alloy_section(metrics), "domain_sentence")
    assert text.startswith("Leave the domain of the training data: Gradient (0 % (0–9) in the domain;")
    assert "predicts 100 % hits, 10 % (4–23) are judged single phase)" in text
    assert text.endswith("Of the candidates of the methods that stay, 50 to 95 % are judged single phase.")
    inside = metrics.copy()
    in_domain = inside["metric"] == "in_domain"
    inside.loc[in_domain, ["value", "low", "high"]] = [1.0, 0.9, 1.0]
    assert alloys.out_of_domain(MethodMetrics(inside, LABELS)) is None


def test_decoding_and_its_filters_have_a_sentence(metrics):
    assert section_text("alloys", alloy_section(metrics), "decoding_sentence") == (
        "Decoded prior: 50 % (35–65) of its candidates are judged single phase; Filtered: 95 % (83–99) of "
        "its candidates are judged single phase; kept are 40 % (31–50) of the draws, where the rules of the "
        "space change at most 10 at% of the alloy and the searched model predicts 0.9 or better."
    )


def test_inversions_are_written_with_what_they_ask_and_move(metrics):
    text = section_text("alloys", alloy_section(metrics), "inversion_sentence")
    assert "by Inversion 80 % (71–87) (0.6 asked; 40 at% moved in 1.5 steps on average; 70 %" in text
    assert "by Short way 40 % (31–50) (0.8 asked, at most 25 at% away; 12 at% moved in 1.0 steps" in text
    assert text.endswith("Short way stays nearest to what is known.")
    none = metrics[~metrics["metric"].isin(["reached", "moved", "steps"])]
    assert section_text("alloys", alloy_section(none), "inversion_sentence") == ""


def test_elements_are_those_of_the_leading_method(metrics):
    variables = alloy_section(metrics)
    text = section_text("alloys", variables, "composition_sentence")
    count = MethodMetrics(metrics, LABELS).values("elements")["sure"]
    assert text.startswith(f"Filtered: {count:.1f} elements on average; ")
    assert "nearly pure" not in text
    whole = section_text("alloys", variables)
    assert "The space has none: no element is of more than 35 at%." in whole
    wide = content()
    wide["search"]["alloys"]["space"]["elements"] |= {"greatest": 1.0, "fewest": 1}
    assert alloys.limits(DesignLabels.of(study_from(wide), "alloys"))["largest"] is None


def test_tables_of_alloys_have_a_row_a_method(metrics):
    variables = alloy_section(metrics)
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
    only = metrics[metrics["method"].isin(["gradient", "uniform"])]
    assert section_html("alloys", alloy_section(only)).count("<table") == 1


def test_paths_are_described_by_the_worst_on_them():
    points, measures = ways()
    assert worst_values(points, LABELS)["slerp", "trees"] == 0.6
    variables = describe_paths(points, measures, LABELS)
    assert section_text("paths", variables, "sentence") == (
        "From MoNbTaW to HfNbTaTiZr the lowest probability of single phase by the trees is 0.700 (line in "
        "the latents), 0.600 (slerp of the latents), 0.400 (mixing)."
    )
    rows = table_cells(section_html("paths", variables))
    assert rows[3] == ["Mixing", "15", "5", "67", "0.800", "0.400"]


def test_the_chapter_holds_patch_and_paths(results):
    page = render_page(Source(STUDY, results), parts=["search"])
    found = page[page.index('id="found"') : page.index("</section>")]
    assert re.findall(r"<strong>(\w+)\.</strong>", found) == [
        *("Method", "Promises", "Alloys", "Domain", "Decoding", "Inversion", "Interpolation")
    ]
    assert re.findall(r'<h3 id="alloys-(\w+)">', page) == ["targets", "methods", "paths"]
    assert re.findall(r"<figcaption><strong>(.*?)\.?</strong>", page) == [
        "Hits of each method",
        "What the searched model promises, and what the judges say",
        "A patch of the latents",
        "How new the candidates are",
        "Ways between two materials",
    ]
    numbers = SECTIONS["methods"]().numbers(Source(STUDY, results), "alloys")
    assert table_cells(section_html("methods", numbers))[0] == [
        "Method",
        "Distinct",
        "Searched model",
        "Trees",
        "New and in the domain",
    ]


def test_a_patch_shows_each_alloy_where_it_is_decoded(results):
    svg = (results / "figures" / "alloys" / "scan.svg").read_text(encoding="utf-8")
    figure = scans.draw({"runs": records()[lambda rows: rows["method"] == "scan"]}, LABELS)
    ax, bar = figure.axes
    assert bar.get_ylabel() == "Predicted probability of single phase"
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("z$_{0}$", "z$_{2}$")
    told = {text.get_position(): text.get_text() for text in ax.texts}
    assert told == {
        (0, 0): "Mo30 Nb35\nV35\n0.98",
        (1, 0): "Cr20 Fe25\nMn20 Ni35\n0.55",
        (0, 1): "Hf35 Nb30\nTa35\n0.90",
        (1, 1): "Al35 Co30\nNi35\n0.04",
    }
    assert ax.images[0].get_array().tolist() == [[0.98, 0.55], [0.9, 0.04]]
    assert ax.images[0].get_clim() == (0, 1)
    assert "<svg" in svg


def test_a_fine_patch_is_colours_alone():
    size = scans.MOST_WRITTEN + 1
    grid = np.linspace(-1, 1, size)
    patch = {
        "first": np.repeat(grid, size).tolist(),
        "second": np.tile(grid, size).tolist(),
        "formula": ["Al30Co35Ni35"] * size**2,
        "predicted": np.linspace(0, 1, size**2).tolist(),
    }
    row = ("scan", 0, 1, 1.0, json.dumps({"axes": [0, 1], "patch": patch}))
    figure = scans.draw({"runs": pd.DataFrame([row], columns=list(RUNS))}, LABELS)
    assert not figure.axes[0].texts


def test_materials_are_named_by_formulas_of_the_space():
    x = named_materials(["AlCoCr", "Mo25Nb25Ta25W25"], SPACE)
    assert SPACE.formulas(x) == ["Al34Co33Cr33", "Mo25Nb25Ta25W25"]
    for text, message in (
        ("Mo50Nb50", "no material of the design space"),
        ("MoNbAu", "no material of the design space"),
        ("Al97Co2Cr1", "no material of the design space"),
        ("not one", "cannot be read"),
    ):
        with pytest.raises(InputError, match=message):
            named_materials(["AlCoCr", text], SPACE)


def test_ways_go_with_a_space_whose_other_variables_are_fixed():
    changed = content()
    given = changed["search"]["alloys"]["space"]
    given["variables"] = {"t": {"value": 300.0}}
    assert named_materials(["AlCoCr"], design_space(study_from(changed).search["alloys"].space))[0, -1] == 300
    given["variables"] = {"t": {"between": [0.0, 1.0]}}
    with pytest.raises(InputError, match="can be interpolated"):
        study_from(changed)


def test_ways_do_not_repeat_a_search():
    class Wildcards:
        problem, method = "alloys", "decode"

    other = content()
    other["search"]["alloys"]["interpolate"]["steps"] = 5
    studies = [study_from(given) for given in (content(), other)]
    for rule in ("search_candidates", "judge_candidates", "select_candidates", "screen_chunk"):
        first, second = (problem_excerpt(study, rule)(Wildcards) for study in studies)
        assert first == second, rule
    first, second = (problem_excerpt(study, "interpolate_materials")(Wildcards) for study in studies)
    assert first["search"]["alloys"]["interpolate"]["steps"] == 3
    assert second["search"]["alloys"]["interpolate"]["steps"] == 5
    assert first["search"]["alloys"]["methods"] == {}
