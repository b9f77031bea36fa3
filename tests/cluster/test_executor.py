"""Decisions of the executor for SLURM, without SLURM."""

from __future__ import annotations

import asyncio
import os
import time
from collections import defaultdict
from concurrent.futures import Future
from types import SimpleNamespace

import pytest
from snakemake_interface_executor_plugins.executors.base import SubmittedJobInfo

import snakemake_executor_plugin_nestmat_slurm as plugin


class Job(SimpleNamespace):
    """A job, as Snakemake hands it to an executor."""

    def __init__(self, number: int, rule: str = "chunk", attempt: int = 1, **resources: object) -> None:
        super().__init__(jobid=number, rule=SimpleNamespace(name=rule), name=rule, threads=1, attempt=attempt)
        self.resources, self.output, self.restart_times = resources, [], 2

    def is_group(self) -> bool:
        return False


class Recorder(plugin.Executor):
    """The executor, which notes what it would do."""

    def __init__(self, states: dict[str, str] | None = None) -> None:
        self.submitted, self.arrays, self.ended, self.succeeded, self.said = [], [], [], [], []
        self.states = states
        self.array_jobs = {"chunk"}
        self.max_array_size = 1000
        self._last_change = time.monotonic()
        self._resubmissions, self._misses = defaultdict(int), defaultdict(int)
        self._waiting, self._waiting_lock, self._hopeless, self._refusals = (
            [],
            plugin.threading.Lock(),
            set(),
            0,
        )
        self.logger = SimpleNamespace(warning=self.said.append, error=self.said.append)
        self.workflow = SimpleNamespace(executor_settings=SimpleNamespace(keep_successful_logs=False))
        self._job_submission_executor = SimpleNamespace(submit=self.submit)
        self._next_seconds_between_status_checks = None
        self.run_uuid = "run"
        self.status_rate_limiter = asyncio.Lock()

    def submit(self, function, job) -> Future:
        self.submitted.append(job)
        return Future()

    def _submit_job(self, job) -> None:
        self.submitted.append(job)

    def _submit_array_jobs(self, jobs) -> None:
        self.arrays.append(jobs)

    def get_status_command(self) -> str:
        return "squeue"

    def report_job_success(self, job_info) -> None:
        self.succeeded.append(job_info.job)

    def report_job_error(self, job_info, msg=None, **kwargs) -> None:
        self.ended.append(job_info.job)


@pytest.fixture
def look(monkeypatch, tmp_path):
    """Let an executor look at a queue that has the state of one job; the jobs that go on."""

    def look_once(executor: Recorder, job: Job, state: str | None, log: str = "") -> list:
        (tmp_path / "7.log").write_text(log)
        states = None if state is None else {"7": state} if state else {}

        async def answer(command, logger):
            return states, 0.0

        async def collect() -> list:
            return [info async for info in executor.check_active_jobs([info_of_job])]

        monkeypatch.setattr(plugin, "query_job_status", answer)
        info_of_job = SubmittedJobInfo(
            job, "7", {"slurm_logfile": tmp_path / "7.log", "submitted": time.time()}
        )
        return asyncio.run(collect())

    return look_once


def repeats(job: Job) -> bool:
    """Whether Snakemake starts a job once more that ended with an error."""
    return job.restart_times > job.attempt - 1


@pytest.mark.parametrize("state", ["OUT_OF_MEMORY", "TIMEOUT", "DEADLINE"])
def test_too_little_is_asked_for_more_at_most_twice(look, state):
    for attempt, again in ((1, True), (2, True), (3, False)):
        executor, job = Recorder(), Job(1, attempt=attempt)
        assert not look(executor, job, state)
        assert executor.ended == [job]
        assert job.attempt == attempt
        assert repeats(job) == again


def test_a_job_that_slurmstepd_kills_for_its_memory_has_failed_for_memory(look):
    for line, again in (
        ("slurmstepd-n1: error: StepId=1.batch exceeded memory limit (612 > 419), being killed", True),
        ("slurmstepd: error: Detected 1 oom_kill event in StepId=9.batch. Some were killed", True),
        ("slurmstepd: error: Detected 1 oom-kill event(s) in step 1.batch cgroup.", True),
        ("the memory limit of the model is 3 GB\nslurmstepd: error: *** JOB 9 ON n1 CANCELLED", False),
    ):
        job = Job(1)
        look(Recorder(), job, "FAILED", f"Building DAG of jobs...\n{line}\n")
        assert repeats(job) == again, line


@pytest.mark.parametrize("state", ["CANCELLED", "FAILED", "REVOKED", "CANCELLED by 1000"])
def test_what_was_cancelled_or_failed_is_never_repeated(look, state):
    executor, job = Recorder(), Job(1)
    assert not look(executor, job, state)
    assert executor.ended == [job]
    assert not executor.submitted
    assert not repeats(job)
    assert len(executor.said) == 1


@pytest.mark.parametrize("state", ["NODE_FAIL", "BOOT_FAIL", "PREEMPTED"])
def test_a_lost_node_is_no_reason_to_ask_for_more(look, state):
    executor, job = Recorder(), Job(1)
    for _ in range(plugin.MOST_RESUBMISSIONS):
        assert not look(executor, job, state)
    assert executor.submitted == [job] * plugin.MOST_RESUBMISSIONS
    assert job.attempt == 1
    assert not executor.ended
    look(executor, job, state)
    assert executor.ended == [job]
    assert not repeats(job)


@pytest.mark.parametrize("state", ["PENDING None", "RUNNING None", "COMPLETING None", "SUSPENDED None", None])
def test_a_job_goes_on_while_its_state_does_or_nobody_answers(look, state):
    executor = Recorder()
    assert len(look(executor, Job(1), state)) == 1
    assert not executor.said


def test_a_job_that_cannot_start_is_named_once(look):
    executor, job = Recorder(), Job(1)
    for _ in range(3):
        assert look(executor, job, "PENDING PartitionTimeLimit")
    assert len(executor.said) == 1
    assert "PartitionTimeLimit" in executor.said[0]


def test_a_job_that_the_controller_forgot_counts_by_its_files(look, tmp_path):
    for age, finished in ((0, True), (100, False)):
        executor, job = Recorder(), Job(1)
        job.output = [str(tmp_path / "out.txt")]
        (tmp_path / "out.txt").write_text("")
        os.utime(tmp_path / "out.txt", times=(time.time() - age,) * 2)
        assert look(executor, job, "")
        assert look(executor, job, "")
        assert not look(executor, job, "")
        assert executor.succeeded == [job] * finished
        assert executor.submitted == [job] * (not finished)


@pytest.mark.parametrize(
    ("message", "waits"),
    [
        ("sbatch: error: QOSMaxSubmitJobPerUserLimit\nsbatch: error: Batch job submission failed", True),
        ("sbatch: error: AssocMaxSubmitJobLimit", True),
        ("sbatch: error: Batch job submission failed: Resource temporarily unavailable", True),
        ("sbatch: error: Unable to contact slurm controller (connect failure)", True),
        ("sbatch: error: Batch job submission failed: Socket timed out on send/recv operation", True),
        ("sbatch: error: invalid partition specified: gpus", False),
        ("sbatch: error: QOSMaxWallDurationPerJobLimit", False),
        ("sbatch: error: Batch job submission failed: Requested node configuration is not available", False),
    ],
)
def test_a_full_queue_is_waited_for_and_a_wrong_request_is_not(message, waits, monkeypatch):
    executor, job = Recorder(), Job(1)
    monkeypatch.setattr(executor, "_main_event_loop", None, raising=False)
    call = f"SLURM sbatch failed. The error message was '{message}'.\n    sbatch call:\n sbatch -t timed out"
    executor._report_job_error_threadsafe(SubmittedJobInfo(job), call)
    assert executor.ended == [job] * (not waits)
    assert repeats(job) == waits
    executor._waiting = [(0.0, waiting) for _, waiting in executor._waiting]
    executor._resubmit_waiting()
    assert executor.submitted == [job] * waits


def test_a_group_whose_submission_fails_is_heard_of(monkeypatch):
    def fail(self, job):
        try:
            raise ValueError("Unable to contact slurm controller (connect failure)")
        except ValueError:
            raise AttributeError("'GroupJob' object has no attribute 'rule'")  # noqa: B904

    monkeypatch.setattr(plugin.slurm.Executor, "run_job", fail)
    executor, job = Recorder(), Job(1)
    executor.run_job(job)
    assert [waiting for _, waiting in executor._waiting] == [job]


@pytest.mark.parametrize("stderr", ["", "sbatch: error: AssocMaxSubmitJobLimit"])
def test_an_array_is_one_script_with_a_case_for_each_job(stderr, monkeypatch, tmp_path):
    executor, scripts = Recorder(), []
    executor.max_array_size = 2

    def submit(command, *, input, **options):
        scripts.append((command[-1], input))
        return SimpleNamespace(returncode=bool(stderr), stdout=f"{len(scripts)};cluster\n", stderr=stderr)

    monkeypatch.setattr(plugin.subprocess, "run", submit)
    monkeypatch.setattr(plugin, "get_submit_command", lambda *_, **__: "sbatch")
    monkeypatch.setattr(plugin, "get_job_wildcards", lambda job: str(job.jobid))
    executor.slurm_logdir, executor._failed_nodes, executor._partitions = tmp_path, set(), None
    executor.workflow.workdir_init = tmp_path
    executor.logger.info = executor.said.append
    executor.format_job_exec = lambda job: f"run 'job {job.jobid}'"
    infos = []
    executor._report_job_submission_threadsafe = infos.append
    executor.run_array_jobs([Job(number) for number in range(3)])
    assert [options for options, _ in scripts] == ["--array=1-2", "--array=1-1"]
    assert scripts[0][1].splitlines()[2:] == ["1) run 'job 0'", ";;", "2) run 'job 1'", ";;", "esac"]
    if stderr:
        assert [job.jobid for _, job in executor._waiting] == [0, 1, 2]
    else:
        assert [info.external_jobid for info in infos] == ["1_1", "1_2", "2_1"]


def test_arrays_hold_jobs_with_the_same_resources_and_none_is_left_out():
    executor = Recorder()
    jobs = [Job(number, mem_mb=1000 if number < 3 else 2000) for number in range(5)]
    executor.run_jobs([*jobs, Job(5, mem_mb=9), Job(6, rule="merge", mem_mb=1000)])
    assert [[job.jobid for job in array] for array in executor.arrays] == [[0, 1, 2], [3, 4]]
    assert [job.jobid for job in executor.submitted] == [5, 6]


def test_looks_at_the_queue_grow_rarer_while_nothing_happens(look):
    executor = Recorder()
    pauses = []
    for quiet in (0, 100, 10_000):
        executor._last_change = time.monotonic() - quiet
        look(executor, Job(1), "RUNNING None")
        pauses.append(executor.next_seconds_between_status_checks)
    assert pauses == pytest.approx([2, 10, 60], rel=0.05)
