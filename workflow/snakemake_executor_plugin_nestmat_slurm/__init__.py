"""Snakemake's executor for SLURM, with another answer to each way in which a job ends.

It submits, cancels and logs as `snakemake-executor-plugin-slurm` does, and differs in this:

- A job that ran out of memory or time is submitted again with more, as often as ``retries`` says. One whose
  node was lost, or that was preempted, is submitted again as it was. One that was cancelled, or that failed
  by itself, is not.
- Where the queue is full or the controller does not answer, a submission waits.
- The jobs of an array have the same resources, and none waits for others to fill an array: that plug-in, as
  its issue 473 has it, drops jobs that are ready before as many others as it counts.
- The script of a job starts Snakemake once; the plug-in's starts it twice, and four times in an array.
- The time between two looks at the queue follows the time that nothing has happened for: jobs of seconds are
  seen to end within seconds, and those of hours cost a look a minute.
- The controller forgets jobs that ended: they count as finished where they have written their files.
"""

from __future__ import annotations

import re
import shlex
import subprocess
import threading
import time
from collections import defaultdict
from collections.abc import AsyncGenerator, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import snakemake_executor_plugin_slurm as slurm
from snakemake_executor_plugin_slurm.job_status_query import query_job_status
from snakemake_executor_plugin_slurm.submit_string import get_submit_command
from snakemake_executor_plugin_slurm.utils import get_job_wildcards, set_gres_string
from snakemake_interface_common.exceptions import WorkflowError
from snakemake_interface_executor_plugins.executors.base import SubmittedJobInfo
from snakemake_interface_executor_plugins.jobs import JobExecutorInterface
from snakemake_interface_executor_plugins.logging import LoggerExecutorInterface
from snakemake_interface_executor_plugins.workflow import WorkflowExecutorInterface

common_settings = slurm.common_settings


@dataclass
class ExecutorSettings(slurm.ExecutorSettings):
    """Settings of the executor: those of the one for SLURM."""


MORE = {"OUT_OF_MEMORY": "ran out of memory", "TIMEOUT": "ran out of time", "DEADLINE": "ran out of time"}
"""States of a job that another attempt may help that asks for more, and what they mean."""
AGAIN = {
    "NODE_FAIL": "lost its node",
    "BOOT_FAIL": "got a node that did not start",
    "PREEMPTED": "was preempted",
    "FORGOTTEN": "is gone from the queue without its files",
}
"""States of a job that is no reason to ask for more, and what they mean."""
ENDED = {"FAILED": "failed", "CANCELLED": "was cancelled", "REVOKED": "was revoked"}
"""States of a job that another attempt does not help, and what they mean."""
TEMPORARY = (
    *("submitjob", "temporarily", "unable to contact", "connect failure", "connection refused"),
    *("timed out", "standby", "try again"),
)
"""Parts of messages of SLURM that speak of a full queue, or of a controller that does not answer."""
MEMORY = re.compile(r"^slurmstepd.*(memory limit|oom[-_ ]?kill|out of memory)", re.IGNORECASE | re.MULTILINE)
"""What SLURM writes into the log of a job that it kills for its memory; its state may be FAILED."""
HOPELESS = {"PartitionTimeLimit", "PartitionNodeLimit", "BadConstraints", "JobHeldAdmin", "JobHeldUser"}
"""Reasons for which a job waits, and which do not pass by themselves."""
MOST_RESUBMISSIONS = 5
SHORTEST_LOOK, LONGEST_LOOK, SHARE_OF_LOOK = 2.0, 60.0, 0.1
"""Seconds between two looks at the queue, and their share in the time that nothing has happened for."""
LONGEST_WAIT = 60.0
"""Seconds before a submission is tried again."""
LARGEST_SCRIPT = 1_000_000
"""Bytes in the script of an array; SLURM takes 4 MB by default."""


class Executor(slurm.Executor):
    """Jobs on SLURM."""

    def __init__(self, workflow: WorkflowExecutorInterface, logger: LoggerExecutorInterface) -> None:
        # The thread that looks at the queue starts in the constructor of the base.
        self._last_change = time.monotonic()
        self._resubmissions: dict[str, int] = defaultdict(int)
        self._misses: dict[str, int] = defaultdict(int)
        self._waiting: list[tuple[float, JobExecutorInterface]] = []
        self._waiting_lock = threading.Lock()
        self._hopeless: set[str] = set()
        self._refusals = 0
        super().__init__(workflow, logger)

    def get_job_args(self, job: JobExecutorInterface) -> str:
        """Arguments of the Snakemake that runs a job, with the cores of the job and not of the node."""
        return super().get_job_args(job).replace("--cores all", f"--cores {job.threads}")

    def additional_general_args(self) -> str:
        """Nothing: the batch script itself runs the job, within the allocation that it has."""
        return ""

    def get_account_arg(self, job: JobExecutorInterface) -> Iterator[str]:
        """The account that a job names; without one SLURM takes the user's own, and nothing is guessed."""
        if job.resources.get("slurm_account"):
            yield from super().get_account_arg(job)
        else:
            yield ""

    def get_partition_arg(self, job: JobExecutorInterface) -> str:
        """The partition that a job names or fits; without one SLURM takes its default."""
        if job.resources.get("slurm_partition") or self._partitions:
            return super().get_partition_arg(job)
        return ""

    def run_job(self, job: JobExecutorInterface) -> None:
        """Submit a job."""
        try:
            super().run_job(job)
        # Its report of an error names the rule, which a group lacks; the thread would end in silence.
        except AttributeError as error:
            self._report_job_error_threadsafe(SubmittedJobInfo(job), str(error.__context__ or error))

    def run_jobs(self, jobs: list[JobExecutorInterface]) -> None:
        """Submit jobs; those of rules in ``array-jobs`` as arrays, one for each set of resources."""
        alike = defaultdict(list)
        for job in jobs:
            if job.is_group() or not self.array_jobs & {"all", job.rule.name}:
                alike[id(job)].append(job)
            else:
                resources = sorted((name, str(value)) for name, value in job.resources.items())
                alike[job.rule.name, job.threads, *resources].append(job)
        for batch in alike.values():
            if len(batch) == 1:
                self._submit_job(batch[0])
            else:
                self._submit_array_jobs(batch)
        self._last_change = time.monotonic()

    def run_array_jobs(self, jobs: list[JobExecutorInterface]) -> None:
        """Submit jobs of one rule with the same resources as arrays, none larger than the site allows."""
        commands = [self.format_job_exec(job) for job in jobs]
        step = min(self.max_array_size, max(1, LARGEST_SCRIPT // max(map(len, commands))))
        for start in range(0, len(jobs), step):
            part = jobs[start : start + step]
            try:
                self._submit_array(part, commands[start : start + step])
            # Else the thread ends without a word, and these jobs never.
            except Exception as error:
                for job in part:
                    self._report_job_error_threadsafe(SubmittedJobInfo(job), str(error))

    def _submit_array(self, jobs: list[JobExecutorInterface], commands: list[str]) -> None:
        name = f"rule_{jobs[0].name}"
        log = self.slurm_logdir / name / "%A_%a.log"
        log.parent.mkdir(parents=True, exist_ok=True)
        arguments = {
            "run_uuid": self.run_uuid,
            "slurm_logfile": log,
            "comment_str": f"{name}_wildcards_{get_job_wildcards(jobs[0])}_and_{len(jobs) - 1}_more",
            "account": next(self.get_account_arg(jobs[0])),
            "partition": self.get_partition_arg(jobs[0]),
            "workdir": self.workflow.workdir_init,
        }
        call = get_submit_command(
            jobs[0], arguments, settings=self.workflow.executor_settings, failed_nodes=self._failed_nodes
        )
        call += f"{set_gres_string(jobs[0])} --array=1-{len(jobs)}"
        cases = "".join(f"{number}) {command}\n;;\n" for number, command in enumerate(commands, start=1))
        script = f'#!/bin/sh\ncase "$SLURM_ARRAY_TASK_ID" in\n{cases}esac\n'
        done = subprocess.run(shlex.split(call), input=script, capture_output=True, text=True)
        if done.returncode:
            raise WorkflowError(f"SLURM refuses an array of {jobs[0].name}: {done.stderr.strip()}")
        number = done.stdout.strip().split(";")[0]
        self.logger.info(f"Jobs {', '.join(str(job.jobid) for job in jobs)} are SLURM's array {number}.")
        for task, job in enumerate(jobs, start=1):
            aux = {"slurm_logfile": log.with_name(f"{number}_{task}.log")}
            self._report_job_submission_threadsafe(SubmittedJobInfo(job, f"{number}_{task}", aux))

    def report_job_submission(self, job_info: SubmittedJobInfo, register_job: bool = True) -> None:
        """Note when a job was submitted."""
        self._refusals = 0
        job_info.aux["submitted"] = time.time()
        super().report_job_submission(job_info, register_job=register_job)

    def _report_job_error_threadsafe(self, job_info: SubmittedJobInfo, msg: str) -> None:
        """Let a submission wait that SLURM refuses for the time being, and end one refused for good."""
        reason = msg.partition("The error message was '")[2].partition("'.\n")[0] or msg
        if not is_temporary(reason):
            self._end(job_info)
            super()._report_job_error_threadsafe(job_info, msg)
            return
        self._refusals += 1
        wait = min(LONGEST_WAIT, 2.0**self._refusals)
        self.logger.warning(
            f"SLURM takes no jobs now; {job_info.job.name} is tried in {wait:.0f} s again: {reason}"
        )
        with self._waiting_lock:
            self._waiting.append((time.monotonic() + wait, job_info.job))

    def _resubmit_waiting(self) -> None:
        now = time.monotonic()
        with self._waiting_lock:
            due = [job for start, job in self._waiting if start <= now]
            self._waiting = [(start, job) for start, job in self._waiting if start > now]
        for job in due:
            self._job_submission_executor.submit(self.run_job, job)

    async def check_active_jobs(
        self, active_jobs: list[SubmittedJobInfo]
    ) -> AsyncGenerator[SubmittedJobInfo, None]:
        """Look at the queue once, and yield the jobs that go on."""
        self._resubmit_waiting()
        states = None
        if active_jobs:
            async with self.status_rate_limiter:
                states, _ = await query_job_status(self._status_command(), self.logger)
        if states is None:
            for job_info in active_jobs:
                yield job_info
        else:
            for job_info in active_jobs:
                if not self._is_decided(job_info, self._state_of(job_info, states)):
                    yield job_info
        quiet = time.monotonic() - self._last_change
        self.next_seconds_between_status_checks = min(max(SHORTEST_LOOK, SHARE_OF_LOOK * quiet), LONGEST_LOOK)

    def _status_command(self) -> str:
        if self.get_status_command() == "sacct":
            options = "-X --parsable2 --noheader --format=JobID,State --starttime now-7days"
            return f"sacct {options} --name {self.run_uuid}"
        return f"squeue --array --noheader --states=all --format='%i|%T %r' --name {self.run_uuid}"

    def _state_of(self, job_info: SubmittedJobInfo, states: dict[str, str]) -> str:
        """State of a job, after which squeue writes the reason, and sacct who cancelled it."""
        state, _, reason = states.get(job_info.external_jobid, "").partition(" ")
        if state:
            if state == "PENDING" and reason in HOPELESS and job_info.external_jobid not in self._hopeless:
                self._hopeless.add(job_info.external_jobid)
                self.logger.warning(
                    f"SLURM job {job_info.external_jobid} ({job_info.job.name}) does not start: {reason}. "
                    "Name another partition, or less by --set-resources."
                )
            self._misses.pop(job_info.external_jobid, None)
            return state
        # A job that was submitted a moment ago may not be listed yet.
        self._misses[job_info.external_jobid] += 1
        if self._misses[job_info.external_jobid] < 3:
            return "PENDING"
        is_written = has_written(job_info.job.output, job_info.aux["submitted"])
        return "COMPLETED" if is_written else "FORGOTTEN"

    def _is_decided(self, job_info: SubmittedJobInfo, state: str) -> bool:
        """Act on the state of a job; false where it goes on."""
        if state == "FAILED" and was_killed_for_memory(job_info.aux["slurm_logfile"]):
            state = "OUT_OF_MEMORY"
        if state == "COMPLETED":
            self.report_job_success(job_info)
            if not self.workflow.executor_settings.keep_successful_logs:
                job_info.aux["slurm_logfile"].unlink(missing_ok=True)
        elif state in MORE:
            is_last = job_info.job.attempt > job_info.job.restart_times
            rest = "and was submitted often enough" if is_last else "and is submitted again with more"
            self._report_end(job_info, f"{MORE[state]} {rest}")
        elif state in AGAIN:
            self._resubmit(job_info, AGAIN[state])
        elif state in ENDED:
            self._end(job_info)
            self._report_end(job_info, f"{ENDED[state]}, and is not submitted again")
        else:
            return False
        self._last_change = time.monotonic()
        return True

    def _resubmit(self, job_info: SubmittedJobInfo, meaning: str) -> None:
        key = str(job_info.job.jobid)
        self._resubmissions[key] += 1
        if self._resubmissions[key] > MOST_RESUBMISSIONS:
            self._end(job_info)
            self._report_end(job_info, f"{meaning} {self._resubmissions[key]} times")
            return
        self.logger.warning(
            f"SLURM job {job_info.external_jobid} ({job_info.job.name}) {meaning}, "
            "and is submitted again as it was."
        )
        self._job_submission_executor.submit(self.run_job, job_info.job)

    def _report_end(self, job_info: SubmittedJobInfo, meaning: str) -> None:
        log = job_info.aux["slurm_logfile"]
        message = f"SLURM job {job_info.external_jobid} ({job_info.job.name}) {meaning}. Its log: {log}. "
        self.logger.error(message)
        self.report_job_error(job_info, msg=message, aux_logs=[str(log)])

    def _end(self, job_info: SubmittedJobInfo) -> None:
        """Let Snakemake not start a job once more."""
        job_info.job.attempt = job_info.job.restart_times + 1


def is_temporary(message: str) -> bool:
    """Whether SLURM refuses a submission for the time being: the queue is full, or nobody answers.

    Args:
        message: What its command prints.
    """
    return any(part in message.lower() for part in TEMPORARY)


def was_killed_for_memory(log: Path) -> bool:
    """Whether SLURM writes into the log of a job that the job took too much memory.

    Args:
        log: The log.
    """
    return log.exists() and MEMORY.search(log.read_text(encoding="utf-8", errors="replace")) is not None


def has_written(files: Iterable[str], since: float) -> bool:
    """Whether all files are there, and none is older than a time.

    Args:
        files: Paths.
        since: Seconds since the epoch.
    """
    paths = [Path(file) for file in files]
    return bool(paths) and all(path.exists() and path.stat().st_mtime >= since - 1 for path in paths)
