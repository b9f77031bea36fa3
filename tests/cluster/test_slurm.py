"""A study, and jobs that end in every bad way, through a SLURM of one node and its profile."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tools.hash_tables import record_tables
from tools.one_node_slurm import OneNodeSlurm, missing_programs

from nestmat.paths import ROOT
from support.cluster_study import CHUNKS, cluster_study
from support.running import run_python, write_study

PROFILE = ["--workflow-profile", str(ROOT / "workflow/profiles/slurm")]
SNAKEMAKE = ["-m", "snakemake", *PROFILE, "--latency-wait", "5", "--snakefile"]
TARGETS = ["results/designs/report.html", "results/designs/search/lead_free/screened.parquet"]

BAD_ENDS = """
MEMORY = "python3 -c 'import time; x = bytes(bytearray(450 * 10**6)); time.sleep(5)'"
localrules: all
rule all:
    input: "memory.txt", "greedy.txt", "late.txt", "cancelled.txt", "wrong.txt"
rule memory:
    output: "memory.txt"
    resources: mem_mb=lambda wildcards, attempt: 600 * attempt
    shell: "{MEMORY}; echo {resources.mem_mb} > {output}"
rule greedy:
    output: "greedy.txt"
    resources: mem_mb=400
    shell: "echo x >> greedy.count; echo half > {output}; {MEMORY}"
rule late:
    output: "late.txt"
    resources: runtime=lambda wildcards, attempt: attempt
    params: seconds=lambda wildcards, resources: 0 if resources.runtime == 2 else 300
    shell: "echo half > {output}; sleep {params.seconds}; echo {resources.runtime} > {output}"
rule cancelled:
    output: "cancelled.txt"
    shell: "echo x >> cancelled.count; echo half > {output}; sleep 900"
rule wrong:
    output: "wrong.txt"
    shell: "echo x >> wrong.count; echo half > {output}; exit 3"
"""

LOST_NODE = """
rule lost:
    output: "lost.txt"
    resources: mem_mb=lambda wildcards, attempt: 600 * attempt
    shell: "echo half > {output}; "
           "[ -e started ] || {{ touch started; sleep 300; }}; echo {resources.mem_mb} > {output}"
"""


def start_snakemake(folder: Path, rules: str) -> subprocess.Popen[bytes]:
    """Run rules by the profile, each job in a Python of its own, so that SLURM can count its memory."""
    (folder / "Snakefile").write_text(rules)
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "workflow")}
    with (folder / "log").open("wb") as log:
        command = [sys.executable, *SNAKEMAKE, "Snakefile"]
        return subprocess.Popen(command, cwd=folder, env=environment, stdout=log, stderr=subprocess.STDOUT)


def wait_until(condition: Callable[[], bool], seconds: float = 240) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.2)


@pytest.fixture(scope="module")
def cluster() -> Iterator[OneNodeSlurm]:
    """A cluster whose node claims more cores than there are, as most jobs of this file sleep."""
    if programs := missing_programs():
        pytest.skip(
            f"needs SLURM: {', '.join(programs)} of Debian's slurmctld, slurmd, slurm-client and munge"
        )
    with OneNodeSlurm(cores=8, memory=30_000) as slurm, pytest.MonkeyPatch.context() as patch:
        patch.setenv("SLURM_CONF", slurm.environment["SLURM_CONF"])
        yield slurm


@pytest.fixture(scope="module")
def bad_ends(cluster, tmp_path_factory) -> Iterator[tuple[Path, subprocess.Popen[bytes]]]:
    """Folder of a run whose jobs end badly. It starts before the study, which it waits beside."""
    folder = tmp_path_factory.mktemp("ends")
    run = start_snakemake(folder, BAD_ENDS)
    yield folder, run
    run.kill()
    run.wait()


@pytest.fixture(scope="module")
def study(bad_ends, cluster, tmp_path_factory) -> tuple[Path, Path, list[dict[str, str]]]:
    """Folders of the study as it runs here and under SLURM, and what SLURM notes of its jobs."""
    folders = [tmp_path_factory.mktemp(name) for name in ("local", "slurm")]
    arguments = [["-m", "snakemake", "--cores", "2", "--snakefile"], SNAKEMAKE]
    for folder, options in zip(folders, arguments, strict=True):
        (folder / "resources").symlink_to(ROOT / "resources")
        write_study(folder, cluster_study())
        start = time.perf_counter()
        command = [*options, str(ROOT / "Snakefile"), "--configfile", "study.yaml"]
        done = run_python(folder, *command, "--", *TARGETS)
        print(f"{folder.name}: {time.perf_counter() - start:.1f} s")
        assert done.returncode == 0, done.stdout + done.stderr
    jobs = cluster.run("scontrol", "show", "job", "--oneliner").splitlines()
    return *folders, [dict(re.findall(r"(\S+?)=(\S*)", job)) for job in jobs]


def test_a_study_ends_with_the_bits_of_a_local_run(study):
    local, slurm, _ = study
    tables = record_tables([local])
    assert len(tables) > 40
    assert record_tables([slurm]) == tables
    networks = sorted(path.relative_to(local) for path in local.rglob("*.safetensors"))
    assert networks
    assert all((local / path).read_bytes() == (slurm / path).read_bytes() for path in networks)


def test_chunks_are_one_array_whose_jobs_ask_for_a_gpu(study):
    chunks = [job for job in study[2] if job["Comment"].startswith("rule_screen_chunk")]
    assert len({job["ArrayJobId"] for job in chunks}) == 1
    assert {job["ArrayTaskId"] for job in chunks} == {str(k + 1) for k in range(CHUNKS)}
    assert {job["TresPerJob"] for job in chunks} == {"gres:gpu:1"}


def test_short_jobs_that_follow_one_another_are_one_job(study):
    rules = [job["Comment"] for job in study[2]]
    assert sum(rule.startswith("rule_prepare") for rule in rules) == 1
    assert not any(rule.startswith(("rule_read", "rule_featurize", "rule_assign")) for rule in rules)


def test_each_bad_end_has_one_answer(bad_ends, study, cluster):
    folder, run = bad_ends

    def cancel() -> bool:
        jobs = cluster.run("squeue", "--noheader", "--states=RUNNING", "--format=%i|%k").splitlines()
        numbers = [line.split("|")[0] for line in jobs if line.endswith("rule_cancelled")]
        return bool(numbers) and not cluster.run("scancel", *numbers)

    wait_until(cancel)
    assert run.wait(240) == 1
    log = (folder / "log").read_text()
    # More memory and more time helped; what neither helps is not repeated, and not left half-written.
    assert (folder / "memory.txt").read_text() == "1200\n"
    assert (folder / "late.txt").read_text() == "2\n"
    assert len((folder / "greedy.count").read_text().split()) == 3
    assert len((folder / "cancelled.count").read_text().split()) == 1
    assert len((folder / "wrong.count").read_text().split()) == 1
    assert not {"greedy.txt", "cancelled.txt", "wrong.txt"} & {path.name for path in folder.iterdir()}
    for end in (
        "(greedy) ran out of memory and was submitted often enough",
        "(cancelled) was cancelled, and is not submitted again",
        "(wrong) failed, and is not submitted again",
    ):
        assert len(re.findall(rf"^SLURM job \d+ {re.escape(end)}", log, re.MULTILINE)) == 1
    assert "Traceback" not in log


def test_a_job_whose_node_is_lost_runs_again_as_it_was(cluster, tmp_path):
    host = cluster.run("sinfo", "--noheader", "--format=%n").split()[0]
    # Nobody answers: the submission waits.
    cluster.stop_controller()
    run = start_snakemake(tmp_path, LOST_NODE)
    wait_until(lambda: "takes no jobs now" in (tmp_path / "log").read_text())
    cluster.start_controller()
    wait_until((tmp_path / "started").exists)
    cluster.kill_node()
    # The controller would notice by itself, somewhat later.
    cluster.run("scontrol", "update", f"nodename={host}", "state=down", "reason=lost")
    wait_until(lambda: "lost its node, and is submitted again as it was" in (tmp_path / "log").read_text())
    cluster.start_node()
    cluster.run("scontrol", "update", f"nodename={host}", "state=resume")
    assert run.wait(240) == 0
    assert (tmp_path / "lost.txt").read_text() == "600\n"


def test_an_interrupted_run_cancels_its_jobs_and_goes_on(cluster, tmp_path):
    run = start_snakemake(tmp_path, LOST_NODE)
    wait_until((tmp_path / "started").exists)
    run.send_signal(signal.SIGINT)
    assert run.wait(120) == 1
    wait_until(lambda: not cluster.run("squeue", "--noheader"))
    assert not (tmp_path / "lost.txt").exists()
    assert start_snakemake(tmp_path, LOST_NODE).wait(120) == 0
    assert (tmp_path / "lost.txt").read_text() == "600\n"
