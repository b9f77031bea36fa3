"""What a change of the library repeats: the jobs that use the changed file, and no others."""

from __future__ import annotations

import os
import re
import shutil
import time

import pytest
import yaml

from nestmat.paths import ROOT
from support.running import snakemake, write_study

STUDY = "resources/studies/dvae_hea.yaml"
PLAIN = {
    "kind": "autoencoder",
    "inputs": ["shares"],
    "encoder": {"latents": 4},
    "heads": {"single_phase": {"loss": "binary_cross_entropy"}},
}
DRY_RUN = ("--dry-run", "--rerun-triggers", "mtime")
LIBRARY = "workflow/nestmat"
BEFORE_SEARCH = {"fetch_dataset", "read_dataset", "featurize_materials", "assign_folds", "train_scale"}


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A copy of the repository with a study whose files are all there, empty and of one age."""
    folder = tmp_path_factory.mktemp("reruns")
    for name in ("rules", "scripts", "workflow", "resources"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy2(ROOT / "Snakefile", folder)
    study = yaml.safe_load((ROOT / STUDY).read_text(encoding="utf-8"))
    study["scales"]["phase"]["models"]["plain"] = {"specification": PLAIN}
    write_study(folder, study)
    rows = [
        line.split("\t") for line in snakemake(folder, "--summary", root=folder).splitlines() if "\t" in line
    ]
    paths = [folder / row[0] for row in rows if row[0] != "output_file"]
    now = time.time()
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.suffix:
            path.touch()
        else:
            path.mkdir(exist_ok=True)
    for path in paths:
        os.utime(path, (now, now))
    assert "Nothing to be done" in snakemake(folder, *DRY_RUN, root=folder)
    return folder


@pytest.fixture
def jobs_after_change(finished):
    """Rules of the jobs that a change of a module repeats, each with its message."""
    changed = []

    def jobs(module):
        path = finished / LIBRARY / module
        changed.append((path, path.read_text(encoding="utf-8"), path.stat().st_mtime))
        path.write_text(changed[-1][1] + "\n# changed\n", encoding="utf-8")
        os.utime(path, (time.time() + 10, time.time() + 10))
        printed = snakemake(finished, *DRY_RUN, root=finished)
        rules = set(re.findall(r"^(\w+) +\d+$", printed, re.MULTILINE)) - {"total"}
        return rules, re.findall(r"^Job \d+: (.*)$", printed, re.MULTILINE)

    yield jobs
    for path, text, age in changed:
        path.write_text(text, encoding="utf-8")
        os.utime(path, (age, age))


@pytest.mark.slow
def test_a_changed_network_repeats_the_trainings_of_its_kind(jobs_after_change):
    rules, messages = jobs_after_change("models/semi_supervised/network.py")
    assert "train_scale" in rules
    assert not rules & (BEFORE_SEARCH - {"train_scale"})
    trained = {message.split()[1] for message in messages if message.startswith("Train ")}
    assert "disentangled" in trained
    assert "plain" not in trained


@pytest.mark.slow
def test_a_changed_search_method_repeats_its_searches(jobs_after_change):
    rules, messages = jobs_after_change("search/methods/scan.py")
    searches = {message for message in messages if message.startswith("Search ")}
    assert searches == {"Search alloys by scan", "Search high_entropy by scan"}
    assert not rules & {*BEFORE_SEARCH, "compare_baselines", "evaluate_scale"}


@pytest.mark.slow
def test_a_changed_baseline_repeats_the_baselines_of_its_scale(jobs_after_change):
    rules, messages = jobs_after_change("evaluation/estimators/stump.py")
    assert "compare_baselines" in rules
    assert not rules & ((BEFORE_SEARCH - {"train_scale"}) | {"search_candidates", "judge_candidates"})
    # Another baseline, of the same file of predictions, teaches this model.
    assert {message.split()[1] for message in messages if message.startswith("Train ")} == {"taught"}


@pytest.mark.slow
def test_an_unused_kind_repeats_nothing(jobs_after_change):
    assert jobs_after_change("search/methods/nsga.py") == (set(), [])


@pytest.mark.slow
def test_a_changed_search_key_repeats_no_training(jobs_after_change):
    rules, _ = jobs_after_change("config/problems.py")
    assert "search_candidates" in rules
    assert not rules & {*BEFORE_SEARCH, "compare_baselines"}
