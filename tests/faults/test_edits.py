"""An edited key repeats the jobs that read it, and those that read what they make, and no others."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from typing import Any

import pytest

from support.fault_study import TARGETS, fault_study
from support.running import snakemake, write_study

ALWAYS = {"write_run_config", "draw_figures", "write_report", "all"}
"""Rules whose jobs read the whole study."""
FROM_STACK = {
    *("recommend_predictor", "evaluate_scale", "measure_domains", "distil_predictor"),
    *("search_candidates", "judge_candidates", "select_candidates", "screen_chunk", "merge_screen"),
}
FROM_TRAINING = {"train_scale", *FROM_STACK}
FROM_FOLDS = {"assign_folds", "describe_domain", "compare_baselines", "propagate_latents", *FROM_TRAINING}
FROM_FEATURES = {"featurize_materials", "featurize_for_parent", *FROM_FOLDS}
EDITS: dict[str, tuple[Callable[[dict[str, Any]], Any], set[str]]] = {
    "title": (lambda s: s.update(title="Another"), set()),
    "question": (lambda s: s.update(question="Why?"), set()),
    "title of a data set": (lambda s: s["datasets"]["absorbers"].update(title="Table"), set()),
    "citation of a data set": (lambda s: s["datasets"]["absorbers"].update(citation="Me (2026)"), set()),
    "licence of a data set": (lambda s: s["datasets"]["absorbers"].update(licence="CC0"), set()),
    "title of a scale": (lambda s: s["scales"]["cell"].update(title="Cell"), set()),
    "title of a model": (lambda s: model(s, "cell").update(title="Net"), set()),
    "title of a baseline": (lambda s: baseline(s, "cell").update(title="Linear"), set()),
    "title of a problem": (lambda s: problem(s).update(title="Best"), set()),
    "title of a method": (lambda s: problem(s)["methods"]["random"].update(title="Dice"), set()),
    "unit of a column": (lambda s: column(s, "gap").update(unit="J"), {"read_dataset", *FROM_FEATURES}),
    "sentinels of a column": (
        lambda s: column(s, "gap").update(sentinels=[-999]),
        {"read_dataset", *FROM_FEATURES},
    ),
    "folds of the strict split": (lambda s: s["strict"].update(folds=3), FROM_FOLDS),
    "features of a scale": (
        lambda s: s["scales"]["crystal"]["features"].update(more={"site": "A"}),
        FROM_FEATURES,
    ),
    "epochs of a model": (lambda s: training(s, "cell").update(epochs=4), FROM_TRAINING),
    # Learned weights need folds inside the training rows.
    "weights of a stack": (
        lambda s: s["scales"]["cell"]["recommended"].update(weights="learned"),
        FROM_FOLDS,
    ),
    "budget of a method": (
        lambda s: problem(s)["methods"]["random"].update(budget=100),
        {"search_candidates", "judge_candidates"},
    ),
    "trees of a judge": (
        lambda s: problem(s)["judges"]["trees"].update(trees=11),
        {"search_candidates", "judge_candidates", "select_candidates"},
    ),
    "length of the shortlist": (lambda s: problem(s)["shortlist"].update(top=4), {"select_candidates"}),
    "rows of a screening": (lambda s: problem(s)["screen"].update(keep=10), {"screen_chunk", "merge_screen"}),
    "a target": (
        lambda s: problem(s)["targets"][0].update(enough=21),
        {"search_candidates", "judge_candidates", "select_candidates", "screen_chunk", "merge_screen"},
    ),
    "tracking": (lambda s: s.update(tracking="sqlite"), {"init_tracking", "track_runs"}),
}


def model(study: dict[str, Any], scale: str) -> dict[str, Any]:
    return study["scales"][scale]["models"]["nested"]


def training(study: dict[str, Any], scale: str) -> dict[str, Any]:
    return model(study, scale)["specification"]["training"]


def baseline(study: dict[str, Any], scale: str) -> dict[str, Any]:
    return study["scales"][scale]["baselines"]["ridge"]


def problem(study: dict[str, Any]) -> dict[str, Any]:
    return study["search"]["absorbers"]


def column(study: dict[str, Any], name: str) -> dict[str, Any]:
    return study["datasets"]["absorbers"]["columns"][name]


@pytest.mark.slow
def test_an_edited_key_repeats_what_reads_it(undisturbed):
    wrong = {}
    try:
        for name in list(EDITS)[:: 1 if os.environ.get("NESTMAT_ALL_FAULTS") else 4]:
            edit, expected = EDITS[name]
            study = fault_study()
            edit(study)
            write_study(undisturbed, study)
            printed = snakemake(undisturbed, *TARGETS, "--dry-run")
            jobs = re.findall(r"^Job \d+: (\w+) .*\nReason: (.*)$", printed, re.MULTILINE)
            first = {verb for verb, reason in jobs if "Params have changed" in reason}
            rules = set(re.findall(r"^(\w+) +\d+$", printed, re.MULTILINE)) - {"total"}
            print(f"{name:28} {', '.join(sorted(first)):40} {', '.join(sorted(rules - ALWAYS))}")
            if rules - ALWAYS != expected:
                wrong[name] = rules - ALWAYS
    finally:
        write_study(undisturbed, fault_study())
    assert not wrong
