"""Run a study to its report with Snakemake: progress in a few lines, a failure in one sentence."""

from __future__ import annotations

import os
import re
import shlex
import signal
import subprocess
import sys
import threading
from base64 import urlsafe_b64decode
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from nestmat.files import check_writable
from nestmat.paths import ROOT
from nestmat.plan.claims import Claim, check_dead, claiming, other_runs
from nestmat.plan.failures import Failure, explain_failure

_JOB = re.compile(r"^(?:local)?(?:rule|Job) ?\d*: (.+)$")
_STEPS = re.compile(r"^(\d+) of (\d+) steps")
_WARNING = re.compile(r"^\S+ \S+ WARNING (?:nestmat|py\.warnings)\S*: (.+)$")
_NOTHING = "Nothing to be done"
_LOOK = 0.2
"""Seconds between looks at the output."""


def run_report(
    study: str,
    file: Path,
    folder: Path,
    targets: list[str],
    *,
    cores: str,
    unlock: bool,
    prepare: Callable[[], object],
) -> int:
    """Run a study; print what its jobs do, and why it fails.

    Args:
        study: Name of the study.
        file: Its file.
        folder: The folder that it runs in.
        targets: Files to make, relative to the folder.
        cores: Cores to use, or ``all``.
        unlock: Whether locks are removed of which it is not known whose they are.
        prepare: Called before anything runs, when no other run of the study can be going on.

    Returns:
        The exit status: 0, that of Snakemake, or 128 and the signal that has ended the run.

    Raises:
        InputError: The folder cannot be written, or another run of the study is going on.
    """
    for place in (folder, folder / ".snakemake", folder / "results" / study):
        check_writable(place)
    command = [sys.executable, "-m", "snakemake"]
    options = ["--snakefile", str(ROOT / "Snakefile"), "--configfile", str(file.absolute())]
    with claiming(folder, study, unlock) as claim:
        if claim.succeeds_dead_run or unlock:
            _remove_locks([*command, *targets, *options], folder, study, unlock)
        prepare()
        lost = lost_files(study, folder)
        if lost:
            lost = _of_plan(lost, [*command, *targets, *options], folder)
        options += ["--cores", cores, "--rerun-incomplete"]
        status, lines = _run([*command, *dict.fromkeys([*targets, *lost]), *options], folder, claim)
    again = shlex.join(["nestmat", "report", str(file)])
    if status > 128:
        print(f"Interrupted. `{again}` goes on where it stopped.", file=sys.stderr)
    elif status:
        _print_failure(explain_failure(lines, folder), folder, study, again)
    return status


def _print_failure(failure: Failure, folder: Path, study: str, again: str) -> None:
    if failure.is_locked:
        others = ", ".join(
            f"{name} (process {max(owner.processes)} on {owner.host})"
            for name, owner in other_runs(folder, study)
        )
        owner = f"by a run of {others}" if others else "by a run that `nestmat report` did not start"
        remedy = "wait until it ends" if others else f"where no run is going on, `{again} --unlock`"
        message = f"{folder}: The folder is locked {owner}. Remedy: {remedy}."
    else:
        log = f" The log: {failure.log}." if failure.log else ""
        message = f"{failure.message}{log} When it is mended, `{again}` goes on where it stopped."
    print(f"Error: {message}", file=sys.stderr)


def _remove_locks(command: list[str], folder: Path, study: str, unlock: bool) -> None:
    """Remove Snakemake's locks of a run that was killed, unless another study runs in the folder."""
    for name, owner in other_runs(folder, study):
        check_dead(owner, name, unlock)
    subprocess.run([*command, "--unlock"], cwd=folder, capture_output=True)


def lost_files(study: str, folder: Path) -> list[str]:
    """Results of a study that Snakemake has made and that are gone, relative to the folder it ran in.

    Snakemake makes a missing file again only where a file that is missing too is made of it.
    """
    records = folder / ".snakemake" / "metadata"
    paths = []
    for record in (path for path in records.rglob("*") if path.is_file()):
        # A name too long for a file is cut into folders, marked by @.
        name = "".join(part.removeprefix("@") for part in record.relative_to(records).parts)
        path = urlsafe_b64decode(name).decode("utf-8", errors="replace")
        if path.startswith(f"results/{study}/") and not (folder / path).exists():
            paths.append(path)
    return sorted(paths)


def _of_plan(paths: list[str], command: list[str], folder: Path) -> list[str]:
    """Those of some files that the study still makes: a record stays where a model has another name."""
    done = subprocess.run([*command, "--summary"], cwd=folder, capture_output=True, text=True)
    made = {line.partition("\t")[0] for line in done.stdout.splitlines()}
    return [path for path in paths if path in made]


def _run(command: list[str], folder: Path, claim: Claim) -> tuple[int, list[str]]:
    """Run Snakemake and print its progress; exit status and output.

    The output goes through a file: were this process killed, Snakemake could go on writing.
    """
    output = claim.record / "output.log"
    lines: list[str] = []
    with output.open("wb") as sink, output.open(encoding="utf-8", errors="replace") as source:
        # A session of its own: Ctrl-C reaches this process alone, which passes it on once.
        child = subprocess.Popen(
            command, cwd=folder, stdout=sink, stderr=subprocess.STDOUT, start_new_session=True
        )
        claim.add(child.pid)
        with _forwarding(child) as received:
            remainder = ""
            while True:
                has_ended = child.poll() is not None
                *complete, remainder = (remainder + source.read()).split("\n")
                for line in complete:
                    _show(line)
                lines += complete
                if has_ended:
                    break
                try:
                    child.wait(_LOOK)
                except subprocess.TimeoutExpired:
                    continue
    # What Snakemake could not remove itself is removed by the next run, which finds the record.
    claim.is_over = child.returncode >= 0
    if received:
        return 128 + received[0], lines
    return (child.returncode if child.returncode >= 0 else 1), [*lines, *([remainder] if remainder else [])]


def _show(line: str) -> None:
    """Print what a line of Snakemake says of the progress."""
    if job := _JOB.match(line):
        print(f"  {job[1]}", flush=True)
    elif steps := _STEPS.match(line):
        print(f"{steps[1]} of {steps[2]} jobs done", flush=True)
    elif line.startswith(_NOTHING):
        print("Nothing to be done.", flush=True)
    elif warning := _WARNING.match(line):
        print(f"  Warning: {warning[1]}", flush=True)


@contextmanager
def _forwarding(child: subprocess.Popen[bytes]) -> Iterator[list[int]]:
    """Pass signals that end a program on to a child and its jobs; yield those received."""
    received: list[int] = []

    def forward(number: int, _frame: object) -> None:
        # The first asks Snakemake to stop its jobs and tidy up, another leaves it no choice.
        if child.poll() is None:
            os.killpg(child.pid, signal.SIGKILL if received else signal.SIGINT)
        received.append(number)

    numbers = [signal.SIGINT, signal.SIGTERM, signal.SIGHUP]
    # Only the main thread takes signals; one that is ignored, as under nohup, stays so.
    if threading.current_thread() is not threading.main_thread():
        numbers = []
    before = {number: signal.getsignal(number) for number in numbers}
    for number, handler in before.items():
        if handler != signal.SIG_IGN:
            signal.signal(number, forward)
    try:
        yield received
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
