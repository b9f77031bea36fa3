"""Kill runs of a study at chosen moments, as a power cut, the system or a user does."""

from __future__ import annotations

import hashlib
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nestmat.paths import ROOT
from support.warm_python import WARM_PYTHON

PHASES = ("before", "during", "after")
"""Of a write: the job has begun; a file is written but not in place; a file is in place, the job goes on."""
OUTSIDE = ("logs", "benchmarks")


@dataclass(frozen=True)
class Job:
    """A job by its files.

    Attributes:
        name: Rule, with the wildcards that its log has.
        log: Its log.
        outputs: Its outputs.
    """

    name: str
    log: Path
    outputs: tuple[Path, ...]

    def phase(self, since: float) -> str | None:
        """Which of `PHASES` the job is in, of a run that began at a time; None before it begins."""
        if any(_is_newer(output, since) for output in self.outputs):
            return "after"
        for output in self.outputs:
            parts = output.parent.glob(f".{output.name}.*.part")
            if any(_size(part) for part in parts):
                return "during"
        return "before" if _is_newer(self.log, since) else None


def _size(path: Path) -> int:
    with suppress(FileNotFoundError):
        return path.stat().st_size
    return 0


def _is_newer(path: Path, since: float) -> bool:
    with suppress(FileNotFoundError):
        return path.stat().st_mtime > since
    return False


def jobs_of(summary: str, folder: Path) -> list[Job]:
    """Jobs in what ``snakemake --detailed-summary`` or ``--summary`` prints, by their logs."""
    outputs: dict[str, list[Path]] = {}
    for line in summary.splitlines():
        fields = line.split("\t")
        if len(fields) > 4 and fields[0] != "output_file":
            outputs.setdefault(fields[3], []).append(folder / fields[0])
    return [
        Job(str(Path(*Path(log).parts[3:]).with_suffix("")), folder / log, tuple(paths))
        for log, paths in outputs.items()
        if Path(log).parts[2:3] == ("logs",)
    ]


def processes_in(folder: Path) -> list[int]:
    """Processes whose working directory is a folder."""
    processes = []
    for place in Path("/proc").glob("[0-9]*/cwd"):
        with suppress(OSError):
            if place.readlink() == folder.resolve():
                processes.append(int(place.parent.name))
    return processes


def processes_with(path: Path) -> list[int]:
    """Processes that have a file open."""
    processes = []
    for descriptor in Path("/proc").glob("[0-9]*/fd/*"):
        with suppress(OSError):
            if descriptor.readlink() == path.resolve():
                processes.append(int(descriptor.parts[2]))
    return processes


def kill(processes: Sequence[int]) -> None:
    """Kill processes by SIGKILL, those that have ended by themselves apart."""
    for process in processes:
        with suppress(ProcessLookupError):
            os.kill(process, signal.SIGKILL)


def kill_all_in(folder: Path) -> None:
    """Kill every process in a folder, and those that it starts meanwhile."""
    end = time.monotonic() + 60
    while (processes := processes_in(folder)) and time.monotonic() < end:
        kill(processes)
        time.sleep(0.02)


class Run:
    """A run of Snakemake on a study in a folder, whose output goes to a file.

    Args:
        folder: The folder.
        targets: Further arguments of Snakemake.
        warm: Whether the warm Python of the tests runs it, where there is one.
        configfile: The study.
        environment: Further environment variables.
        options: Options of `subprocess.Popen`.
    """

    def __init__(
        self,
        folder: Path,
        *targets: str,
        warm: bool = True,
        configfile: str = "study.yaml",
        environment: Mapping[str, str] | None = None,
        **options: Any,
    ):
        self.folder = folder
        python = os.environ.get(WARM_PYTHON, sys.executable) if warm else sys.executable
        library = [str(ROOT / "workflow"), os.environ.get("PYTHONPATH", "")]
        path = os.pathsep.join(filter(None, library))
        environment = {**os.environ, "PYTHONPATH": path, **(environment or {})}
        command = [
            python,
            "-m",
            "snakemake",
            *targets,
            "--cores",
            "2",
            "--snakefile",
            str(ROOT / "Snakefile"),
        ]
        command += ["--configfile", configfile, "--rerun-incomplete", "--nolock"]
        # Beside the folder, which may be full, or not writable.
        self.output = folder.with_name(f"{folder.name}.txt")
        self.start = time.time()
        with self.output.open("w") as stream:
            self.process = subprocess.Popen(
                command,
                cwd=folder,
                env=environment,
                stdout=stream,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                **options,
            )

    def wait(self, seconds: float = 600) -> int:
        """The exit status of the run."""
        return self.process.wait(seconds)

    def until(self, job: Job, phase: str, seconds: float = 300) -> str | None:
        """Wait for a job to come to a phase, or beyond; None where the run ends before."""
        end = time.monotonic() + seconds
        rank = PHASES.index(phase)
        while time.monotonic() < end:
            reached = job.phase(self.start)
            if reached and PHASES.index(reached) >= rank:
                return reached
            if self.process.poll() is not None:
                return None
            time.sleep(0.002)
        raise TimeoutError(f"{job.name} did not come to {phase}:\n{self.output.read_text()}")


def digests(results: Path) -> dict[str, str]:
    """Sha256 of every result by its path, those of logs and benchmarks apart.

    The report tells the folder that it was made in, which counts as none.
    """
    folder, checksum = str(results.parents[1]).encode(), re.compile(rb"nestmat-sha256: \w+")

    def content(path: Path) -> bytes:
        text = path.read_bytes()
        return checksum.sub(b"", text.replace(folder, b"")) if path.suffix == ".html" else text

    return {
        str(path.relative_to(results)): hashlib.sha256(content(path)).hexdigest()
        for path in sorted(results.rglob("*"))
        if path.is_file() and path.relative_to(results).parts[0] not in OUTSIDE
    }


def differences(before: Mapping[str, str], after: Mapping[str, str]) -> list[str]:
    """Files that are missing, left over or changed."""
    paths = sorted({*before, *after})
    return [path for path in paths if before.get(path) != after.get(path)]


def parts_in(folder: Path) -> Iterator[Path]:
    """Files that were being written when their process was killed."""
    return folder.rglob(".*.part*")
