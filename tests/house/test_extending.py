"""The files of docs/extending.md, as they stand there, in a study that uses all of them."""

import re
import subprocess
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml

from nestmat import tables
from nestmat.files import sha256
from nestmat.paths import ROOT
from support.running import run_python, run_snakemake, snakemake

pytestmark = pytest.mark.slow

ROWS = 80
FILE = re.compile(r"^`([\w/]+\.(?:py|smk|yaml))`:\n\n```\w+\n(.*?)^```", re.MULTILINE | re.DOTALL)
FILES = dict(FILE.findall((ROOT / "docs/extending.md").read_text(encoding="utf-8")))
PLUGINS = {name: text for name, text in FILES.items() if name.startswith("plugins/")}


def study() -> dict:
    """The study of the page."""
    return yaml.safe_load(FILES["study.yaml"])


def write_inputs(folder: Path, content: dict) -> None:
    """Plug-in files, table and study in a folder."""
    for name, text in PLUGINS.items():
        path = folder / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")
    x, y = np.random.default_rng(0).random((2, ROWS)).round(6)
    frame = pd.DataFrame({"x": x, "y": y, "strength": (3 * x - 2 * y + 1).round(6)})
    frame.to_csv(folder / "materials.csv", index=False)
    (folder / "study.yaml").write_text(yaml.safe_dump(content, sort_keys=False), encoding="utf-8")


@pytest.fixture(scope="module")
def finished(tmp_path_factory) -> Path:
    """A folder with the finished study."""
    folder = tmp_path_factory.mktemp("extended")
    write_inputs(folder, study())
    snakemake(folder)
    return folder


@pytest.mark.parametrize("name", PLUGINS)
def test_a_plugin_is_as_short_as_promised(name):
    lines = [line for line in PLUGINS[name].splitlines() if line.strip()]
    assert len(lines) <= (80 if "linear_autoencoder" in name else 40), name


def test_the_model_of_a_plugin_trains_and_predicts(finished):
    metrics = tables.read(
        finished / "results/extended/metrics/materials.parquet", metric="mae", split="validation"
    )
    errors = metrics[metrics["protocol"] == "strict"].groupby("model")["value"].mean()
    assert {"net", "quantile", "ridge"} <= set(errors.index)
    assert errors["net"] < 0.3 * errors["quantile"]


def test_the_block_of_a_plugin_is_a_feature(finished):
    features = tables.read(finished / "results/extended/features/materials.parquet")
    np.testing.assert_allclose(features["x - y"], features["x"] - features["y"])


def test_the_split_of_a_plugin_divides_by_the_target(finished):
    folds = tables.read(finished / "results/extended/folds/materials.parquet", protocol="ranges")
    strength = tables.read(finished / "results/extended/features/materials.parquet").set_index("row_id")[
        "strength"
    ]
    ranges = strength.groupby(folds.set_index("row_id")["fold"]).agg(["min", "max"])
    assert len(ranges) == 3
    assert (ranges["max"].to_numpy()[:-1] <= ranges["min"].to_numpy()[1:]).all()


def test_method_generator_and_judge_of_plugins_search_and_judge(finished):
    judged = tables.read(finished / "results/extended/search/strong/judged.parquet")
    assert {"random", "recombination", "jittered"} <= set(judged["method"])
    judgement = judged["linear.materials.strength.mean"]
    np.testing.assert_allclose(judgement, 3 * judged["x"] - 2 * judged["y"] + 1, atol=0.1)


def test_the_report_shows_what_plugins_add(finished):
    page = (finished / "results/extended/report.html").read_text()
    assert (finished / "results/extended/figures/materials/distribution.svg").is_file()
    assert "Distribution of the target" in page
    for text in (
        f"cd {finished} ",
        f"plug-in file, sha256 {sha256(finished / 'plugins/quantile.py')[:16]}",
        "quantile",
        "recombination",
        "ridge regression",
        "The largest strength is",
        "The throws are",
        "The 3 folds are ranges of strength",
    ):
        assert text.lower() in page.lower()


def test_a_second_run_does_nothing(finished):
    assert "Nothing to be done" in snakemake(finished)


def test_a_changed_plugin_reruns_the_jobs_that_use_it(finished):
    path = finished / "plugins/recombination.py"
    text = path.read_text()
    try:
        path.write_text(text.replace("averages pairs", "takes the mean of pairs"))
        plan = snakemake(finished, "--dry-run")
    finally:
        path.write_text(text)
    assert "search_candidates" in plan
    for rule in ("train_scale", "compare_baselines", "featurize_materials", "train_generative"):
        assert f"rule {rule}:" not in plan


def run_nestmat(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """The command line in a process of its own: what a plug-in registers stays in its process."""
    return run_python(folder, "-m", "nestmat.cli", *arguments)


def test_schema_and_validation_know_the_options_of_plugins(finished):
    assert run_nestmat(finished, "validate", "study.yaml").returncode == 0
    assert '"parents"' in run_nestmat(finished, "schema", "--plugins", "plugins/recombination.py").stdout
    content = study()
    methods = content["search"]["strong"]["methods"]
    methods["recombination"]["parents"] = 1
    methods["random"]["kep"] = 10
    content["scales"]["materials"]["features"]["difference"]["difference"]["secnd"] = "y"
    content["scales"]["materials"]["models"]["net"]["specification"]["rigde"] = 0.1
    (finished / "wrong.yaml").write_text(yaml.safe_dump(content))
    done = run_nestmat(finished, "validate", "wrong.yaml")
    assert done.returncode == 2
    assert "search.strong.methods.recombination.parents" in done.stderr
    for key in ("keep", "second", "ridge"):
        assert f"Did you mean {key!r}?" in done.stderr


@pytest.mark.parametrize(
    ("text", "message"), [(None, "does not exist"), ("import nothing_of_this_name\n", "cannot be imported")]
)
def test_a_plugin_that_is_missing_or_fails_is_one_clear_message(tmp_path, text, message):
    write_inputs(tmp_path, study() | {"plugins": ["broken.py"]})
    if text:
        (tmp_path / "broken.py").write_text(text)
    done = run_nestmat(tmp_path, "validate", "study.yaml")
    assert done.returncode == 2
    assert message in done.stderr
    assert "broken.py" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_figure_of_an_unknown_section_is_refused_before_anything_runs(tmp_path):
    write_inputs(tmp_path, study())
    path = tmp_path / "plugins/distribution.py"
    path.write_text(path.read_text().replace('section="results"', 'section="result"'))
    done = run_nestmat(tmp_path, "validate", "study.yaml")
    assert done.returncode == 2
    assert "'distribution' is to be shown in the section 'result'" in done.stderr


@pytest.mark.parametrize(
    ("before", "after", "message"),
    [
        ("def propose(", "def proposes(", "does not define propose"),
        ("@dataclass(frozen=True)\n", "", "is not a dataclass"),
    ],
)
def test_what_a_class_of_a_plugin_lacks_is_named(tmp_path, before, after, message):
    write_inputs(tmp_path, study())
    path = tmp_path / "plugins/recombination.py"
    path.write_text(path.read_text().replace(before, after))
    done = run_snakemake(tmp_path, "--dry-run")
    assert done.returncode != 0
    assert message in done.stdout + done.stderr
