"""The report: what it says, what it refuses, and that a browser shows it."""

from __future__ import annotations

import re
import shutil
import subprocess
from html.parser import HTMLParser
from pathlib import Path

import pandas as pd
import pytest

from nestmat import seals, tables
from nestmat.config.loading import study_from
from nestmat.errors import InputError
from nestmat.figures import drawing
from nestmat.labels.scales import Labels
from nestmat.report import write as report_writer
from nestmat.report.registry import required_tables
from nestmat.report.source import Source
from support.device_study import device_configuration, device_study, published_numbers

COMMAND = "snakemake --cores 2 --configfile toy.yaml"
SVG = '<svg xmlns="http://www.w3.org/2000/svg" width="10" height="10"><rect width="9" height="9"/></svg>'


def published() -> dict[str, pd.DataFrame]:
    frame = published_numbers()
    extra = frame[frame["model"] == "xgboost"].assign(
        model="", published="SVR", value=0.9, note="on other folds"
    )
    squared = frame[frame["model"] == "ridge"].assign(metric="rmse", value=0.3)
    frame = pd.concat([frame, extra, squared], ignore_index=True)
    return {scale: frame[frame["scale"] == scale] for scale in ("gap", "efficiency")}


@pytest.fixture(scope="module")
def results(device_results, tmp_path_factory) -> Path:
    root = tmp_path_factory.mktemp("report") / "toy_devices"
    shutil.copytree(device_results, root)
    for scale, name in drawing.available(device_study()):
        path = root / f"figures/{scale}/{name}.svg"
        path.parent.mkdir(parents=True, exist_ok=True)
        seals.write_text(path, SVG)
    return root


@pytest.fixture(scope="module")
def page(results) -> str:
    report_writer.write_report(
        device_study(), results, results / "report.html", command=COMMAND, published=published()
    )
    return (results / "report.html").read_text(encoding="utf-8")


class Text(HTMLParser):
    """The words of a page, its links and anchors, and whether every element is closed."""

    VOID = {"meta", "link", "img", "br"}

    def __init__(self, page: str):
        super().__init__()
        self.words, self.open, self.anchors, self.ids, self.sources = [], [], [], [], []
        self.feed(page)
        self.text = re.sub(r"\s+", " ", " ".join(self.words))

    def handle_starttag(self, tag, attributes):
        given = dict(attributes)
        self.ids += [given["id"]] if "id" in given else []
        self.anchors += [given["href"]] if "href" in given else []
        self.sources += [given["src"]] if "src" in given else []
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open[-1:] != ["style"]:
            self.words.append(data)


def test_page_is_well_formed_and_self_contained(page):
    text = Text(page)
    assert text.open == []
    assert all(source.startswith("data:image/svg+xml;base64,") for source in text.sources)
    assert len(text.sources) == len(drawing.available(device_study()))
    outside = [a for a in text.anchors if not a.startswith(("#", "https://doi.org/", "data:"))]
    assert outside == [f"search/absorbers/{name}" for name in ("candidates.csv", "candidates.jsonl", "cif/")]
    assert "<script" not in page
    assert "@import" not in page
    assert not re.search(r"url\(", page)


def test_contents_list_points_at_every_section(page):
    text = Text(page)
    inside = [a[1:] for a in text.anchors if a.startswith("#")]
    assert set(inside) <= set(text.ids)
    assert len(text.ids) == len(set(text.ids))
    assert {
        "found",
        "data",
        "protocols",
        "gap",
        "efficiency",
        "efficiency-nesting",
        "absorbers",
        "absorbers-targets",
        "absorbers-methods",
        "absorbers-shortlist",
        "absorbers-verification",
        "models",
        "repeat",
    } <= set(inside)
    assert "gap-nesting" not in inside


def test_text_of_others_is_escaped(page):
    assert "Device efficiencies &lt;b&gt;&amp; more&lt;/b&gt;" in page
    assert "Qq&lt;3&gt;Pb" in page
    assert "<b>" not in page


def test_data_card_accounts_for_every_row(page):
    text = Text(page).text
    assert "123 read = 120 kept + 3 rejected" in text
    assert "the formula does not parse 2 200, Formula, Qq<3>Pb 201, Formula, MAXx3" in text
    assert "none stated: not redistributed" in text
    assert "CC BY 4.0" in text
    assert "10.1039/D1EE02971A" in text
    assert "1 flagged label, kept" in text


def test_rows_unaccounted_for_are_an_error(results, tmp_path):
    copy = tmp_path / "toy_devices"
    shutil.copytree(results, copy)
    (copy / "report.html").unlink(missing_ok=True)
    path = copy / "data/gaps.parquet"
    frame, schema, facts = tables.read(path), tables.schema(path), tables.provenance(path)
    tables.write(path, frame.iloc[1:], schema, {k: v for k, v in facts.items() if k != "nestmat_version"})
    with pytest.raises(InputError, match="123 rows were read, but 119 are kept and 3 rejected"):
        write(copy)
    assert not (copy / "report.html").exists()


def write(root: Path) -> None:
    report_writer.write_report(
        device_study(), root, root / "report.html", command=COMMAND, published=published()
    )


@pytest.mark.parametrize(
    "missing",
    [
        "metrics/gap.parquet",
        "figures/efficiency/nesting.svg",
        "run_config.yaml",
        "models/gap/strict/nestmat.json",
    ],
)
def test_what_should_exist_and_does_not_is_an_error(results, missing):
    aside = results / f"{missing}.aside"
    (results / missing).rename(aside)
    try:
        with pytest.raises(InputError, match="the report needs it") as error:
            write(results)
        assert missing in str(error.value)
    finally:
        aside.rename(results / missing)


def test_every_file_that_the_report_reads_is_named_as_needed(results):
    named = set(required_tables(device_study()))
    assert all((results / path).is_file() for path in named)
    read: set[str] = set()

    class Recorded(Source):
        def path(self, name: str) -> Path:
            read.add(name)
            return super().path(name)

    report_writer.render_page(Recorded(device_study(), results, published(), COMMAND))
    assert {name for name in read if not name.startswith("figures/")} == named


def test_numbers_of_the_summary_are_those_of_the_tables(results, page):
    metrics = tables.read(
        results / "metrics/gap.parquet", metric="mae", split="validation", repeat=0, seed=-1
    )
    metrics = metrics[(metrics["fold"] >= 0) & (metrics["protocol"] == "published")]
    folds = metrics[metrics["model"] == "recommended"]["value"]
    text = Text(page).text
    assert f"Published split. MAE {folds.mean():.3f} ± {folds.std(ddof=0):.3f} eV over 10 folds" in text
    others = metrics[metrics["model"] != "recommended"].groupby("model")["value"].mean()
    names = Labels(device_study(), "gap")
    assert f"Best single model: {names.model(others.idxmin())}, {others.min():.3f} eV." in text
    change = folds.mean() - 0.127
    assert (
        f"Best published: XGB, 0.127 eV; ours is {abs(change):.3f} eV ({abs(change) / 0.127:.0%})".replace(
            "%)", " %)"
        )
        in text
    )


def test_published_values_stand_beside_ours_and_alone_where_we_have_no_model(page):
    row = next(r for r in re.findall(r"<tr class=.*?</tr>", page) if "NestedAE" in r and "0.150" in r)
    assert "autoencoder" in row
    assert "SVR (published only)" in page
    assert "Published SVR: on other folds." in page


def test_a_published_rmse_is_held_against_our_rmse(results, page):
    assert "0.235 ± 0.028; RMSE 0.300 ± 0.028" in page.replace("\u00a0", " ")
    metrics = tables.read(
        results / "metrics/gap.parquet", metric="rmse", split="validation", repeat=0, seed=-1
    )
    ours = metrics[(metrics["protocol"] == "published") & (metrics["model"] == "recommended")]
    change = ours[ours["fold"] >= 0]["value"].mean() - 0.3
    side = "lower" if change < 0 else "higher"
    size = f"{abs(change):.3f} eV ({abs(change) / 0.3:.0%})".replace("%)", " %)")
    assert f"Best published: Ridge, RMSE 0.300 eV; ours is {size} {side}." in Text(page).text


def test_published_values_stay_under_their_split(page):
    strict = page[page.index("Strict, 5 folds") : page.index("Published split, 10 folds")]
    assert "published" not in strict.lower()


def test_errors_are_shown_by_the_place_of_a_row_in_the_domain(page):
    text = Text(page).text
    assert "Left-out rows by their place in the domain" in text
    assert "outside 20 9 0.330 31 % 52 %" in text


def test_a_known_uncertainty_of_the_values_is_shown_beside_the_errors(page):
    assert page.count("themselves have a standard uncertainty of 0.015\u00a0eV.") == 2


def test_repeats_are_shown_apart_with_their_seeds(page):
    text = Text(page).text
    assert "Other split seeds" in text
    assert "seed 42, as above seed 1 seed 2 mean of the other seeds" in text


def test_model_card_says_what_was_trained(page):
    text = Text(page).text
    assert "3 → 32 silu → 4 latents, tanh" in text
    assert "Gap through 16 silu: huber × 1 descriptors: mse × 0.1" in text
    assert "l1 × 0.001" in text
    assert "400 epochs, full batch, Adam 0.001 (constant), last epoch" in text
    assert "96 parameters a member, 2 seeds a fold" in text
    assert "Strict: 12" in text
    assert "trained together" not in text
    assert "0.420 ± 0.014" in text


def test_leaking_scalers_are_named(results, tmp_path):
    copy = tmp_path / "toy_devices"
    shutil.copytree(results, copy)
    card = copy / "models/gap/strict/nestedae.json"
    content = seals.read_json(card)
    content["specification"]["training"]["scale_on"] = "all"
    seals.write_json(card, content)
    write(copy)
    assert "Scalers see all rows, as in the publication: a leak." in (copy / "report.html").read_text()


def test_versions_and_command(page):
    text = Text(page).text
    assert COMMAND in text
    assert "torch 2.13.0" in text
    assert "Commit 0123abc" in text
    assert "plugins/quantile.py plug-in file, sha256 0a1b0a1b0a1b0a1b" in text


def test_a_study_without_optional_parts_has_a_report(results):
    """No recommended predictor, interpretation, sweep or baselines: sections are left out, not empty."""
    content = device_configuration()
    for scale in content["scales"].values():
        for key in ("recommended", "interpret", "sweep", "compare"):
            scale.pop(key, None)
        scale["baselines"] = {}
    study = study_from(content)
    output = results / "small.html"
    report_writer.write_report(study, results, output, command=COMMAND, published=published())
    text = Text(output.read_text(encoding="utf-8"))
    assert "gap-interpretation" not in text.ids
    assert "efficiency-nesting" not in text.ids
    assert "Recommended predictor" not in text.text
    assert "over 10 folds (nestmat head)" in text.text


def test_a_design_problem_has_its_chapter_with_tables_and_verdict(results, page):
    text = Text(page).text
    chapter = text[
        text.index("Which mixed perovskite makes the best cell?") : text.index("Model cards Band gap")
    ]
    assert "Absorbers &lt;i&gt;without&lt;/i&gt; lead" in page
    assert "Ranking is enough: it predicts all 450 materials" in chapter
    metrics = tables.read(results / "search/absorbers/metrics.parquet", seed=-1, judge="all", metric="hit")
    row = metrics.set_index("method").loc["ranking"]
    assert f"{100 * row['value']:.0f} % ({100 * row['low']:.0f}–{100 * row['high']:.0f})" in chapter
    shortlist = tables.read(results / "search/absorbers/shortlist.parquet")
    for formula in shortlist["formula"]:
        assert formula in chapter
    assert "outside the domain: tau 5 is beyond 4.5" in chapter
    assert "Mean absolute error Band gap, PBE (eV) 4 of 6 within 2 σ 0.120" in chapter
    assert chapter.count("(trained on)") == 2
    assert "Band gap, PBE (eV) 8 0.200 0.100" in chapter


CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


@pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed")
def test_chromium_shows_the_page_without_complaint(results, page, tmp_path):
    command = [
        *(str(CHROMIUM), "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
        *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
        *(f"--user-data-dir={tmp_path / 'profile'}", "--hide-scrollbars", "--enable-logging=stderr", "--v=0"),
        *(f"--screenshot={tmp_path / 'page.png'}", "--window-size=1280,1000"),
        (results / "report.html").as_uri(),
    ]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert "CONSOLE" not in done.stderr
    import matplotlib.image

    pixels = matplotlib.image.imread(tmp_path / "page.png")[..., :3]
    dark = (pixels.mean(axis=2) < 0.5).mean()
    assert 0.01 < dark < 0.4
    # Contents on the left, text in the middle, margin on the right.
    assert (pixels[:, :350] < 0.6).any()
    assert (pixels[:, 400:1100] < 0.6).any()
    assert (pixels[:, 1200:] > 0.9).all()
