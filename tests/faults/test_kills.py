"""A run that is killed at any moment is continued to the bits of a run that is not."""

from __future__ import annotations

import os
import time
from dataclasses import replace
from pathlib import Path

import pytest

from nestmat import seals
from nestmat.commands.check import damaged_files
from nestmat.config.loading import load_study
from support.fault_study import STUDY, TARGETS, write_inputs
from support.kills import (
    PHASES,
    Job,
    Run,
    differences,
    digests,
    kill,
    kill_all_in,
    parts_in,
    processes_in,
    processes_with,
)

FEW = (
    ("train_scale/crystal.strict.nested", "during", "job"),
    ("train_scale/cell.strict.nested", "after", "machine"),
    ("search_candidates/absorbers.genetic", "during", "machine"),
    ("screen_chunk/absorbers.1", "before", "machine"),
)
"""Moments of the short form: job, phase, and what is killed."""
RULES = (
    *("read_dataset", "featurize_materials", "assign_folds", "describe_domain", "train_scale"),
    *("propagate_latents", "compare_baselines", "recommend_predictor", "evaluate_scale"),
    *("search_candidates", "judge_candidates", "select_candidates", "screen_chunk", "merge_screen"),
    *("draw_figures", "write_report"),
)
"""Rules whose first job is killed in each phase, in the long form, which `make fault-test` runs."""


VICTIMS = ("machine", "job", "machine")


def moments(jobs: dict[str, Job]) -> list[tuple[str, str, str]]:
    if not os.environ.get("NESTMAT_ALL_FAULTS"):
        return list(FEW)
    chosen = []
    for rule in RULES:
        name = next(name for name in jobs if name.startswith(rule))
        chosen += [(name, phase, kind) for phase, kind in zip(PHASES, VICTIMS, strict=True)]
    return chosen


def in_folder(job: Job, folder: Path) -> Job:
    return replace(job, log=folder / job.log, outputs=tuple(folder / path for path in job.outputs))


@pytest.mark.slow
def test_a_killed_run_is_continued_to_the_same_bits(undisturbed, jobs, tmp_path, monkeypatch):
    folder = write_inputs(tmp_path / "killed")
    results = folder / "results" / STUDY
    monkeypatch.setenv("SLOW_SYNC", "0.4")
    rows = []
    for name, phase, victim in moments(jobs):
        job = in_folder(jobs[name], folder)
        run = Run(folder, *map(str, (path.relative_to(folder) for path in job.outputs[:1])))
        reached = run.until(job, phase)
        if victim == "job":
            kill(processes_with(job.log))
            status = run.wait()
        else:
            kill_all_in(folder)
            status = -9
        assert not processes_in(folder)
        parts = len(list(parts_in(results)))
        damaged = [path for path in results.rglob("*.*") if is_damaged(path)]
        rows.append((name, phase, reached, victim, status, parts, len(damaged)))
        text = "{:48} {:7} {!s:7} {:8} status {:3} part files {:2} damaged {:2}"
        print(text.format(*rows[-1]), flush=True)
    monkeypatch.setenv("SLOW_SYNC", "0")
    last = Run(folder, *TARGETS)
    assert last.wait() == 0, last.output.read_text()
    differing = differences(digests(undisturbed / "results" / STUDY), digests(results))
    print(f"{len(rows)} kills, then one run: {len(differing)} files differ")
    assert not differing
    assert not list(parts_in(folder / "results"))
    assert all(row[2] and not row[6] for row in rows)
    assert {row[2] for row in rows} == set(PHASES)


def is_damaged(path: Path) -> bool:
    sealed = path.suffix in {".parquet", ".safetensors", ".json"} and not path.name.startswith(".")
    return sealed and seals.fault(path, True) is not None


@pytest.mark.slow
def test_jobs_end_with_a_run_that_is_killed(jobs, tmp_path):
    folder = write_inputs(tmp_path / "orphans")
    job = in_folder(jobs["read_dataset/absorbers"], folder)
    # By Python itself, as a user runs it: jobs are its descendants.
    run = Run(folder, str(job.outputs[0].relative_to(folder)), warm=False)
    run.until(job, "before")
    run.process.kill()
    run.wait()
    end = time.monotonic() + 30
    while processes_in(folder) and time.monotonic() < end:
        time.sleep(0.05)
    assert not processes_in(folder)


@pytest.mark.slow
@pytest.mark.skipif(not os.environ.get("NESTMAT_ALL_FAULTS"), reason="long: make fault-test")
def test_two_runs_give_the_same_bits(undisturbed, tmp_path):
    folder = write_inputs(tmp_path / "again")
    run = Run(folder, *TARGETS)
    assert run.wait() == 0, run.output.read_text()
    assert not differences(*(digests(place / "results" / STUDY) for place in (undisturbed, folder)))


@pytest.mark.slow
def test_a_finished_study_is_whole(undisturbed):
    study = load_study(undisturbed / "study.yaml")
    assert damaged_files(study, undisturbed / "results" / STUDY) == {}
