"""Jobs that end with the run that started them, however that run ends."""

from __future__ import annotations

import os
import select
import signal
import threading
from contextlib import suppress
from pathlib import Path

RUN = "NESTMAT_RUN"
"""Environment variable with the process id of the Snakemake that a user started."""


def name_run() -> None:
    """Make this process the run, to jobs that it starts from now on."""
    os.environ[RUN] = str(os.getpid())


def end_with_run() -> bool:
    """Let the kernel's notice of the end of the run end this process, which would go on without it.

    A killed Snakemake cannot stop its jobs, and those that went on would write while it is run again. Only
    local jobs are stopped: jobs on a cluster are not descendants of the run, and are asked for by `sbatch`.

    Returns:
        Whether the run is watched. It is not where the system lacks process descriptors, as other systems
        than Linux do.
    """
    run = os.environ.get(RUN, "")
    if not run.isdigit() or not hasattr(os, "pidfd_open") or int(run) not in _ancestors():
        return False
    try:
        end = os.pidfd_open(int(run))
    except ProcessLookupError:
        os.kill(os.getpid(), signal.SIGKILL)
        raise
    threading.Thread(target=_wait_and_end, args=(end,), name="end with run", daemon=True).start()
    return True


def _wait_and_end(end: int) -> None:
    select.select([end], [], [])
    # Workers of joblib, for instance, would wait for work.
    for process in (*_descendants(), os.getpid()):
        with suppress(ProcessLookupError):
            os.kill(process, signal.SIGKILL)


def _parents() -> dict[int, int]:
    """Process id of the parent of every process of this machine."""
    parents = {}
    for status in Path("/proc").glob("[0-9]*/stat"):
        # Processes end while they are listed. The name, in brackets, may hold spaces and brackets itself.
        with suppress(OSError):
            fields = status.read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
            parents[int(status.parent.name)] = int(fields[1])
    return parents


def _ancestors() -> set[int]:
    """The parent of this process, its parent and so on."""
    parents, ancestors, process = _parents(), set[int](), os.getppid()
    while process > 0:
        ancestors.add(process)
        process = parents.get(process, 0)
    return ancestors


def _descendants() -> set[int]:
    """The children of this process, their children and so on."""
    children, descendants = _parents(), set[int]()
    reached = {os.getpid()}
    while reached:
        reached = {process for process, parent in children.items() if parent in reached}
        descendants |= reached
    return descendants
