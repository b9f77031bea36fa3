"""Which process runs a study in a folder: a record beside Snakemake's locks."""

from __future__ import annotations

import json
import os
import secrets
import shutil
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path

from nestmat.errors import InputError
from nestmat.files import write_text

FOLDER = Path(".snakemake/nestmat")
"""Folder of the records, below the one that a study runs in."""
_OWNER = "owner.json"


@dataclass(frozen=True)
class Owner:
    """The processes that run a study.

    Attributes:
        host: Name of their machine.
        since: When the run began.
        processes: Id of each, with when it was started, in ticks of the machine: an id is used again.
    """

    host: str
    since: str
    processes: dict[int, int]

    @property
    def is_foreign(self) -> bool:
        """Whether the processes are on another machine, where nothing is known of them."""
        return self.host != socket.gethostname()

    @property
    def running(self) -> list[int]:
        """Ids of the processes that are running on this machine."""
        return [process for process, start in self.processes.items() if start_of(process) == start]


@dataclass
class Claim:
    """A study that this process runs in a folder.

    Attributes:
        record: Folder of the record.
        owner: What the record holds.
        succeeds_dead_run: Whether the run before was killed, so that its locks are left.
        is_over: Whether nothing of the run is left, and the record can go.
    """

    record: Path
    owner: Owner
    succeeds_dead_run: bool = False
    is_over: bool = True

    def add(self, process: int) -> None:
        """Record a further process of the run."""
        self.owner.processes[process] = start_of(process) or 0
        write_text(self.record / _OWNER, json.dumps(asdict(self.owner)))


def start_of(process: int) -> int | None:
    """When a process of this machine was started, in ticks since its boot; None where there is none."""
    try:
        text = Path(f"/proc/{process}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    # The name of the program, in brackets, may hold spaces and brackets itself.
    state, *fields = text.rpartition(")")[2].split()
    return None if state in "ZX" else int(fields[18])


def read_owner(record: Path) -> Owner | None:
    """The owner in a record; None where there is no record.

    Raises:
        InputError: The record cannot be read.
    """
    file = record / _OWNER
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
        processes = {int(process): int(start) for process, start in content["processes"].items()}
        return Owner(content["host"], content["since"], processes)
    except FileNotFoundError:
        return None
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputError(
            "The record of a run cannot be read.",
            file=file,
            remedy="run again with --unlock where no run of the study is going on.",
        ) from error


@contextmanager
def claiming(folder: Path, study: str, unlock: bool = False) -> Iterator[Claim]:
    """Claim a study in a folder while it runs, so that no other run of it begins.

    Args:
        folder: The folder that the study runs in.
        study: Its name.
        unlock: Whether to take over from a machine where it is not known what still runs.

    Raises:
        InputError: Another run of the study is going on, or may be, on another machine.
    """
    record = folder / FOLDER / study
    own = Owner(socket.gethostname(), f"{datetime.now():%Y-%m-%d %H:%M:%S}", {})
    own.processes[os.getpid()] = start_of(os.getpid()) or 0
    claim = Claim(record, own)
    aside = record.with_name(f".{study}.{secrets.token_hex(4)}")
    write_text(aside / _OWNER, json.dumps(asdict(own)))
    try:
        # A folder is renamed in one step, and never onto one that holds a file.
        while not _take(aside, record):
            claim.succeeds_dead_run |= _remove_dead(record, study, unlock)
    except InputError:
        shutil.rmtree(aside, ignore_errors=True)
        raise
    try:
        yield claim
    finally:
        if claim.is_over:
            shutil.rmtree(record, ignore_errors=True)


def _take(aside: Path, record: Path) -> bool:
    try:
        aside.rename(record)
    except OSError:
        if not record.exists():
            raise
        return False
    return True


def _remove_dead(record: Path, study: str, unlock: bool) -> bool:
    """Remove the record of a run that is dead; whether there was one.

    Raises:
        InputError: The run is not dead, or may not be.
    """
    try:
        owner = read_owner(record)
    except InputError:
        if not unlock:
            raise
        owner = None
    if owner:
        check_dead(owner, study, unlock)
    # What another process has put there in between is put back.
    grave = record.with_name(f".{study}.{secrets.token_hex(4)}")
    try:
        record.rename(grave)
    except FileNotFoundError:
        return False
    if owner and read_owner(grave) != owner:
        _take(grave, record)
        return False
    shutil.rmtree(grave, ignore_errors=True)
    return True


def check_dead(owner: Owner, study: str, unlock: bool = False) -> None:
    """Check that nothing of a run is left.

    Raises:
        InputError: A process of it runs, or is on another machine and ``unlock`` does not call it dead.
    """
    if owner.is_foreign and not unlock:
        raise InputError(
            f"The study {study} has been running on the machine {owner.host}, as process "
            f"{max(owner.processes)}, since {owner.since}.",
            remedy="wait until it ends, or end it there; where it runs no more, run again with --unlock.",
        )
    if not owner.is_foreign and (running := owner.running):
        raise InputError(
            f"The study {study} is running on this machine, {owner.host}, as process {max(running)}, since "
            f"{owner.since}.",
            remedy=f"wait until it ends, or end it by `kill {max(running)}`.",
        )


def other_runs(folder: Path, study: str) -> list[tuple[str, Owner]]:
    """Other studies that run in a folder, or may, with their owners."""
    records = [path for path in (folder / FOLDER).glob("[!.]*") if path.name != study]
    owners = [(path.name, owner) for path in records if (owner := read_owner(path))]
    return [(name, owner) for name, owner in owners if owner.is_foreign or owner.running]
