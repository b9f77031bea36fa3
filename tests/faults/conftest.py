from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.fault_study import TARGETS, write_inputs
from support.kills import Job, jobs_of
from support.running import snakemake
from support.warm_python import WarmPython

SLOW_SYNC = """
import os, time
sync = os.fsync
def slow_sync(file):
    time.sleep(float(os.environ.get("SLOW_SYNC", "0")))
    sync(file)
os.fsync = slow_sync
"""
"""What makes a write take long enough to be killed in it: the file is complete, and not yet in place."""


@pytest.fixture(scope="session")
def slow_disk(tmp_path_factory) -> Iterator[None]:
    """A warm Python whose programs write slowly where the environment says so."""
    folder = tmp_path_factory.mktemp("slow_disk")
    (folder / "sitecustomize.py").write_text(SLOW_SYNC)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", os.pathsep.join([str(folder), os.environ.get("PYTHONPATH", "")]))
        before = os.environ.get("NESTMAT_WARM_PYTHON")
        server = WarmPython()
        yield
        server.stop()
        if before:
            os.environ["NESTMAT_WARM_PYTHON"] = before


@pytest.fixture(scope="session")
def undisturbed(tmp_path_factory, slow_disk) -> Path:
    """The finished study, in a folder of its own."""
    folder = write_inputs(tmp_path_factory.mktemp("undisturbed"))
    snakemake(folder, *TARGETS)
    return folder


@pytest.fixture(scope="session")
def jobs(undisturbed) -> dict[str, Job]:
    """Jobs of the finished study by name, relative to its folder."""
    return {job.name: job for job in jobs_of(snakemake(undisturbed, *TARGETS, "--summary"), Path())}
