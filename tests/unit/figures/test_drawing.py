"""Figures: which a study has, what they show, and that they are the same on every run."""

from __future__ import annotations

import functools
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

from nestmat import tables
from nestmat.config.loading import load_study, study_from
from nestmat.errors import InputError
from nestmat.figures import drawing, kind, style
from nestmat.figures.problems import front
from nestmat.figures.registry import FIGURES
from nestmat.figures.scales import nesting, parity
from nestmat.labels.numbers import format_significant
from nestmat.labels.problems import DesignLabels
from nestmat.labels.scales import Labels
from nestmat.labels.text import with_unit
from nestmat.paths import ROOT
from nestmat.tables import Column
from support.device_study import device_configuration, device_study, published_numbers

STUDY = device_study()


def frames_of(device_results: Path, scale: str, name: str) -> tuple[dict[str, pd.DataFrame], Labels]:
    """What a drawing function takes."""
    about, frames = FIGURES[name], {}
    for key, paths in drawing.required_tables(STUDY, scale, name).items():
        parts = [
            tables.read(device_results / p, **about.filters.get(key, {})).assign(source=p) for p in paths
        ]
        frames[key] = pd.concat(parts, ignore_index=True)
    if about.subject == "problem":
        return frames, DesignLabels.of(STUDY, scale)
    published = published_numbers()
    frames["published"] = published[published["scale"] == scale]
    columns = tables.schema(device_results / f"features/{scale}.parquet")
    return frames, Labels(STUDY, scale, columns)


@functools.cache
def drawn(device_results: Path, scale: str, name: str) -> Figure:
    frames, labels = frames_of(device_results, scale, name)
    with style.sheet():
        return FIGURES[name].draw(frames, labels)


def draw(device_results: Path, scale: str, name: str, output: Path, study=STUDY) -> None:
    inputs = {
        k: [device_results / p for p in paths]
        for k, paths in drawing.required_tables(study, scale, name).items()
    }
    published = published_numbers()
    drawing.draw(name, inputs, study, scale, output, published=published[published["scale"] == scale])


def texts(figure: Figure) -> list[str]:
    from matplotlib.text import Text

    return [text.get_text() for text in figure.findobj(Text) if text.get_text()]


GENERATIVE = {"samples", "stages", "diversity", "pairs", "generative_curves"}


def test_figures_follow_from_the_configuration():
    found = set(drawing.available(STUDY))
    assert ("gap", "sweep") in found
    assert ("efficiency", "sweep") not in found
    assert ("efficiency", "nesting") in found
    assert ("gap", "nesting") not in found
    assert ("efficiency", "devices") in found
    assert ("gap", "devices") not in found
    assert ("gap", "pool") in found
    assert ("efficiency", "pool") not in found
    assert {"parity", "errors", "calibration", "curves", "maps", "shapley"} <= {
        k for s, k in found if s == "gap"
    }
    every = {k for k, about in FIGURES.items() if about.subject == "problem"}
    assert {k for s, k in found if s == "absorbers"} == every - GENERATIVE - {"scan", "interpolation"}


def test_a_problem_that_asks_generative_models_has_their_figures():
    study = load_study(ROOT / "resources/studies/matdesinne_mos2.yaml")
    found = set(drawing.available(study))
    assert {k for s, k in found if s == "gap_050"} >= GENERATIVE
    # The networks are the same for every value: their curves are shown once.
    assert {k for s, k in found if s == "gap_100"} & GENERATIVE == GENERATIVE - {"generative_curves"}


def test_a_problem_has_the_figures_that_its_parts_allow():
    content = device_configuration()
    problem = content["search"]["absorbers"]
    del problem["verify"]["file"]
    assert ("absorbers", "verification") not in drawing.available(study_from(content))
    problem["space"] = {"variables": {"thickness": {"between": [100, 500]}}}
    del problem["verify"], problem["quantities"]["price"], problem["constraints"][1]
    kinds = [k for s, k in drawing.available(study_from(content)) if s == "absorbers"]
    assert kinds == ["methods", "optimism", "front"]


def test_a_scale_without_interpretation_or_targets_has_fewer_figures():
    content = device_configuration()
    gap = content["scales"]["gap"]
    del gap["interpret"], gap["sweep"], gap["recommended"], gap["pool"]
    gap["targets"], gap["baselines"] = [], {}
    for model in gap["models"].values():
        del model["specification"]["heads"]["Gap"]
    content["scales"]["efficiency"]["pass_prediction"] = False
    del content["search"]
    found = drawing.available(study_from(content))
    assert [k for s, k in found if s == "gap"] == ["curves"]
    assert ("efficiency", "devices") not in found


@pytest.mark.parametrize(
    ("scale", "name"),
    [("gap", "parity"), ("gap", "maps"), ("efficiency", "nesting"), ("absorbers", "shortlist_map")],
)
def test_a_figure_is_a_valid_svg_with_a_title(device_results, tmp_path, scale, name):
    draw(device_results, scale, name, tmp_path / "figure.svg")
    root = ElementTree.parse(tmp_path / "figure.svg").getroot()
    assert root.tag.endswith("svg")
    title = root.find(".//{http://purl.org/dc/elements/1.1/}title")
    assert title is not None
    assert FIGURES[name].title in (title.text or "")
    assert root.find(".//{http://purl.org/dc/elements/1.1/}date") is None


@pytest.mark.parametrize(("scale", "name"), drawing.available(STUDY))
def test_panels_are_labelled_inside_the_figure_and_apart(device_results, scale, name):
    figure = drawn(device_results, scale, name)
    figure.draw_without_rendering()
    boxes = [ax.get_tightbbox() for ax in figure.axes if ax.axison]
    for box in boxes:
        assert box.x0 >= -1
        assert box.y0 >= -1
        assert box.x1 <= figure.bbox.x1 + 1
        assert box.y1 <= figure.bbox.y1 + 1
    for k, one in enumerate(boxes):
        for other in boxes[k + 1 :]:
            width = min(one.x1, other.x1) - max(one.x0, other.x0)
            height = min(one.y1, other.y1) - max(one.y0, other.y0)
            assert width <= 1 or height <= 1
    for ax in figure.axes:
        if ax.axison and ax.xaxis.get_tick_params().get("labelbottom") and name != "nesting":
            assert ax.get_xlabel() or ax.get_label() == "<colorbar>"


def test_units_come_from_the_tables(device_results):
    assert "True (eV)" in texts(drawn(device_results, "gap", "parity"))
    assert any("(eV)" in text and "MAE" in text for text in texts(drawn(device_results, "gap", "errors")))
    assert any(text.endswith("(%)") for text in texts(drawn(device_results, "efficiency", "devices")))


@pytest.mark.parametrize(("scale", "kind"), [("gap", "errors"), ("absorbers", "front")])
def test_svg_is_the_same_on_every_run(device_results, tmp_path, scale, kind):
    for name in ("one.svg", "two.svg"):
        draw(device_results, scale, kind, tmp_path / name)
    assert (tmp_path / "one.svg").read_bytes() == (tmp_path / "two.svg").read_bytes()


def test_parity_states_the_errors_of_the_folds(device_results):
    frames, _ = frames_of(device_results, "gap", "parity")
    rows = frames["predictions"]
    rows = rows[(rows["model"] == "recommended") & (rows["protocol"] == "strict")]
    mae = (rows["true"] - rows["mean"]).abs().groupby(rows["fold"]).mean()
    wanted = f"MAE {format_significant(mae.mean())} ± {format_significant(float(np.std(mae)), 2)} eV"
    assert any(wanted in text for text in texts(drawn(device_results, "gap", "parity")))


def test_parity_rings_flagged_labels(device_results):
    assert "label flagged as suspect" in texts(drawn(device_results, "gap", "parity"))
    assert "label flagged as suspect" not in texts(drawn(device_results, "efficiency", "parity"))


def test_published_values_are_hollow_and_only_under_their_split(device_results):
    figure = drawn(device_results, "gap", "errors")
    panels = {ax.get_title("left"): ax for ax in figure.axes}
    diamonds = {
        title: [line for line in ax.lines if line.get_marker() == "D"] for title, ax in panels.items()
    }
    assert len(diamonds["Published split"]) == 3
    assert not diamonds["Strict"]
    assert all(line.get_markerfacecolor() == "white" for line in diamonds["Published split"])
    values = sorted(float(line.get_xdata()[0]) for line in diamonds["Published split"])
    assert values == [0.127, 0.150, 0.235]


def test_errors_are_sorted_by_validation_error(device_results):
    figure = drawn(device_results, "gap", "errors")
    metrics = tables.read(
        device_results / "metrics/gap.parquet", metric="mae", split="validation", seed=-1, repeat=0
    )
    metrics = metrics[(metrics["fold"] >= 0) & (metrics["protocol"] == "strict")]
    best = metrics.groupby("model")["value"].mean().sort_values(ascending=False).index
    labels = Labels(STUDY, "gap")
    names = [text.get_text() for text in figure.axes[0].get_yticklabels()]
    assert names == [labels.model(name) for name in best]


def test_devices_stand_at_the_stated_gap_where_none_is_passed_down(device_results):
    content = device_configuration()
    content["scales"]["efficiency"]["pass_prediction"] = False
    columns = content["datasets"]["devices"]["columns"]
    columns["band_gap"] = {"unit": "eV", "label": True, "missing": "keep", "description": "stated gap, as is"}
    study = study_from(content)
    assert ("efficiency", "devices") in drawing.available(study)
    assert "data/devices.parquet" in drawing.required_tables(study, "efficiency", "devices")["data"]
    frames, labels = frames_of(device_results, "efficiency", "devices")
    gap = np.where(np.arange(180) % 3 == 0, np.nan, 1.6)
    frames["data"] = pd.DataFrame({"row_id": np.arange(180), "band_gap": gap})
    known = {"band_gap": Column("float64", unit="eV", description="stated gap, as is"), **labels.columns}
    figure = FIGURES["devices"].draw(frames, Labels(study, "efficiency", known))
    assert figure.axes[2].get_xlabel() == "Stated gap (eV)"
    assert sum(len(line.get_xdata()) for line in figure.axes[0].lines) == 120


def test_sweep_marks_the_size_in_use(device_results):
    assert "in use: 3" in texts(drawn(device_results, "gap", "sweep"))


def test_nesting_does_not_colour_what_either_test_denies():
    pair = pd.DataFrame(
        {
            "metric": "mae",
            "difference": -0.3,
            "low": -0.4,
            "high": -0.2,
            "p_value": [0.5, 0.01, 0.01],
            "p_folds": [0.01, 0.5, 0.01],
        },
        index=["strict", "grouped", "published"],
    )
    figure, axes = style.panels(1, 1, height=2)
    nesting._differences(axes[0, 0], pair, Labels(STUDY, "efficiency"), "PCE")
    assert figure.axes
    colours = [c[0].get_color() for c in axes[0, 0].containers]
    assert colours == [style.BLUE, style.GREY, style.GREY]


def test_calibration_reads_the_headline_predictor_only(device_results):
    frames, labels = frames_of(device_results, "gap", "calibration")
    figure = drawn(device_results, "gap", "calibration")
    rows = frames["calibration"]
    rows = rows[(rows["model"] == "recommended") & (rows["protocol"] == "strict")].sort_values("level")
    line = next(line for line in figure.axes[0].lines if line.get_label() == labels.protocol("strict"))
    np.testing.assert_allclose(line.get_ydata(), 100 * rows["interval"])


def test_a_table_with_no_row_to_draw_is_an_error(device_results, tmp_path):
    empty = tmp_path / "empty.parquet"
    tables.write(empty, pd.DataFrame(columns=list(tables.METRICS)), tables.METRICS)
    inputs = {"metrics": empty, "features": device_results / "features/gap.parquet"}
    with pytest.raises(InputError, match="no row to draw the figure 'errors' of 'gap'"):
        drawing.draw("errors", inputs, STUDY, "gap", tmp_path / "x.svg", published=published_numbers())
    assert not (tmp_path / "x.svg").exists()


@pytest.mark.parametrize(
    ("name", "unit", "wanted"),
    [
        ("Band gap", "eV", "Band gap (eV)"),
        ("Gap (PBE)", "eV", "Gap, PBE (eV)"),
        ("Electronegativity", "", "Electronegativity"),
    ],
)
def test_labels_bear_their_unit_once(name, unit, wanted):
    assert with_unit(name, unit) == wanted


def test_names_of_columns_and_protocols():
    columns = {
        "Target": Column("float64", unit="kJ/mol", description="binding energy; unit not verified"),
        "ETL=SnO2_np": Column("float64"),
        "B_IE": Column("float64", unit="eV", description="x" * 60),
    }
    labels = Labels(STUDY, "efficiency", columns)
    assert labels.axis("Target", "Predicted") == "Predicted binding energy (kJ/mol)"
    assert labels.name("ETL=SnO2_np") == "ETL=SnO2_np"
    assert labels.axis("B_IE") == "B_IE (eV)"
    assert labels.protocol("leave_one_etl_out") == "Leave one ETL out"
    assert labels.protocol("published") == "Published split"


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.1234, "0.123"), (12.34, "12.3"), (1234.6, "1235"), (0, "0"), (-0.5, "−0.500"), (np.nan, "–")],
)
def test_numbers_are_short(value, text):
    assert format_significant(value) == text


def test_rates_of_methods_are_those_of_all_seeds_with_their_intervals(device_results):
    metrics = tables.read(
        device_results / "search/absorbers/metrics.parquet", metric="hit", judge="trees", seed=-1
    )
    figure = drawn(device_results, "absorbers", "methods")
    [trees] = [c for c in figure.axes[0].containers if c.get_label() == "trees"]
    by_method = metrics.set_index("method").loc[
        ["random", "genetic_search", "ranking", "uniform", "training"]
    ]
    np.testing.assert_allclose(trees[0].get_xdata(orig=False), 100 * by_method["value"])
    [bars] = trees[2]
    ends = np.array([segment[:, 0] for segment in bars.get_segments()])
    np.testing.assert_allclose(ends, 100 * by_method[["low", "high"]].to_numpy())
    names = [text.get_text() for text in figure.axes[0].get_yticklabels()]
    count = tables.read(
        device_results / "search/absorbers/metrics.parquet", metric="candidates", seed=-1, method="random"
    )
    assert names[0] == f"Random ({count['value'].item():.0f})"


def test_verified_materials_that_were_trained_on_are_hollow_and_do_not_count(device_results):
    figure = drawn(device_results, "absorbers", "verification")
    faces = {c.get_label(): c[0].get_markerfacecolor() for c in figure.axes[0].containers}
    assert faces == {"not trained on, ± 1 σ": style.BLUE, "trained on, ± 1 σ": "white"}
    assert "MAE 0.120 eV\n4 of 6 within 2 σ" in texts(figure)


def test_the_shortlist_is_numbered_where_numbers_have_room(device_results):
    figure = drawn(device_results, "absorbers", "front")
    shortlist = tables.read(device_results / "search/absorbers/shortlist.parquet")
    numbers = [text.get_text() for text in figure.axes[0].texts]
    assert numbers[0] == "1"
    assert 1 < len(numbers) <= front.NUMBERED
    assert set(numbers) <= set(shortlist["rank"].astype(str))
    assert "detailed-balance limit" in texts(figure)


def test_many_protocols_and_models_fit(device_results):
    """Twelve models and four protocols: no label leaves its figure."""
    frames, labels = frames_of(device_results, "efficiency", "errors")
    more = [
        frames["metrics"][frames["metrics"]["model"] == "ridge"].assign(model=f"a_baseline_with_a_name_{i}")
        for i in range(12)
    ]
    with style.sheet():
        figure = FIGURES["errors"].draw(
            {**frames, "metrics": pd.concat([frames["metrics"], *more])},
            Labels(study_with(more), "efficiency", labels.columns),
        )
    figure.draw_without_rendering()
    assert all(t.get_window_extent().x0 >= -1 for t in figure.axes[0].get_yticklabels())


def study_with(more: list[pd.DataFrame]):
    content = device_configuration()
    baselines = content["scales"]["efficiency"]["baselines"]
    for part in more:
        baselines[part["model"].iloc[0]] = baselines["ridge"] | {"title": ""}
    return study_from(content)


def test_points_beyond_some_hundreds_lose_their_bars(device_results):
    frames, labels = frames_of(device_results, "gap", "parity")
    few = drawn(device_results, "gap", "parity")
    assert any(ax.containers for ax in few.axes)
    rows = frames["predictions"]
    many = pd.concat([rows.assign(row_id=rows["row_id"] + 1000 * i) for i in range(6)])
    figure = parity.draw({**frames, "predictions": many}, labels)
    assert not any(ax.containers for ax in figure.axes)


def test_captions_in_the_report_of_snakemake():
    import jinja2
    from docutils.core import publish_doctree

    folder = Path(__file__).parents[3] / "workflow/report"
    assert {path.stem for path in folder.glob("*.rst")} == {"kind", "workflow"}
    templates = [jinja2.Template(path.read_text(encoding="utf-8")) for path in sorted(folder.glob("*.rst"))]
    for name, figure in FIGURES.items():
        context = {
            "wildcards": {"kind": name, "subject": "gap"},
            "params": {"captions": {name: figure.caption}},
            "config": {"study": "toy", "title": "T", "question": "Q?"},
        }
        for template, start in zip(templates, (figure.caption, ""), strict=True):
            text = template.render(snakemake=context)
            tree = publish_doctree(text, settings_overrides={"report_level": 1, "halt_level": 1})
            assert tree.astext().startswith(start), name


def test_asking_which_figures_there_are_loads_no_plotting():
    code = (
        "import sys, nestmat.figures, nestmat.report.write;"
        "print({'matplotlib', 'pandas', 'scipy', 'jinja2'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


def test_headline_is_the_recommended_predictor_or_the_first_model():
    assert kind.headline(STUDY, "gap") == "recommended"
    content = device_configuration()
    del content["scales"]["gap"]["recommended"]
    assert kind.headline(study_from(content), "gap") == "nestmat"


def test_the_shipped_study_has_the_figures_of_its_kind():
    from nestmat.config.loading import load_study
    from nestmat.figures.drawing import available

    study = load_study(ROOT / "resources/studies/dvae_hea.yaml")
    kinds = {kind for subject, kind in available(study) if subject == "phase"}
    assert {"latent_space", "families", "latent_errors", "beeswarm", "shapley"} <= kinds
    assert "maps" not in kinds
    other = load_study(ROOT / "resources/studies/nestedae_binding.yaml")
    assert not {kind for _, kind in available(other)} & {
        "latent_space",
        "families",
        "latent_errors",
        "beeswarm",
    }
