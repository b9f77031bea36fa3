"""Files that appear whole or not at all."""

from __future__ import annotations

import fcntl
import glob
import hashlib
import os
import secrets
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from nestmat.errors import InputError


@contextmanager
def replacing(path: str | Path) -> Iterator[Path]:
    """Yield a path next to ``path`` to write to; rename it onto ``path`` when the block succeeds.

    However the block ends, ``path`` holds either its old content or the whole new one.

    Raises:
        InputError: The folder cannot be written or the disk is full.
    """
    path = Path(path)
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _remove_abandoned(path)
        with temporary.open("wb") as holder:
            # As long as it is written the file is locked; a killed process leaves it behind without lock.
            # Some file systems have no locks, and nothing is removed there.
            with suppress(OSError):
                fcntl.flock(holder, fcntl.LOCK_EX)
            yield temporary
            with temporary.open("rb") as written:
                os.fsync(written.fileno())
            temporary.replace(path)
    except OSError as error:
        if isinstance(error, FileNotFoundError) and path.parent.is_dir():
            raise
        raise InputError(
            f"The file cannot be written: {error.strerror or error}.",
            file=path,
            remedy="free space on the disk, or make the folder writable, and run the same command again.",
        ) from error
    finally:
        # Where the folder cannot be made there is nothing to remove, and the error above must not be hidden.
        with suppress(OSError):
            temporary.unlink()


def check_writable(folder: str | Path) -> None:
    """Check that files can be made in a folder, or in the nearest above it that exists.

    Raises:
        InputError: They cannot.
    """
    folder = Path(folder).absolute()
    folder = next(place for place in (folder, *folder.parents) if place.exists())
    try:
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise InputError(
            f"The folder cannot be written: {error.strerror}.",
            file=folder,
            remedy="make it writable, or choose another folder.",
        ) from error


def _remove_abandoned(path: Path) -> None:
    """Remove what processes that were killed left of this file."""
    for part in path.parent.glob(f".{glob.escape(path.name)}.{'[0-9a-f]' * 8}.part"):
        # It is locked by a process that still writes, or another process has removed it.
        with suppress(OSError), part.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            part.unlink()


def write_text(path: str | Path, text: str) -> None:
    """Write ``text`` as UTF-8, whole or not at all."""
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def sha256(path: str | Path) -> str:
    """Checksum of a file as 64 hexadecimal digits."""
    with Path(path).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
