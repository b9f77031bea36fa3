"""Get a file of a data set, from a mirror folder or the network, and verify it."""

from __future__ import annotations

import logging
import shutil
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

import requests
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TimeRemainingColumn, TransferSpeedColumn

from nestmat.config.data_files import DataFile
from nestmat.errors import InputError
from nestmat.files import replacing, sha256

_LOG = logging.getLogger(__name__)
# What breaks off inside a chunk is lost, so that a chunk is small.
_CHUNK = 1 << 13
# The server may answer differently later; every other 4xx is final.
_PASSING = {408, 425, 429, 500, 502, 503, 504}


class _TryAgainError(Exception):
    """The download broke off; what arrived so far is kept and resumed."""


def fetch(
    spec: DataFile,
    target: str | Path,
    *,
    mirror: str | Path | None = None,
    attempts: int = 6,
    backoff: float = 1.0,
    timeout: float = 30.0,
) -> None:
    """Put a verified file of a data set at ``target``.

    The mirror is used if it has the file; otherwise the file is downloaded. A download that breaks off is
    resumed where it stopped, in this call or the next, from ``<target>.part``, which pooch cannot do: it
    starts again from the first byte.

    Args:
        spec: Its address and checksum.
        target: File to write: whole and verified, or not at all.
        mirror: Folder of local copies, as the environment variable NESTMAT_MIRROR names it.
        attempts: Connections to try in a row without any progress before giving up.
        backoff: Seconds before the second attempt; doubles with every further one.
        timeout: Seconds without a byte before an attempt is given up.

    Raises:
        InputError: There is no address, the mirror is not a folder, the server does not give the
            file, the checksum differs, or the disk cannot take the file. No file is left at ``target``.
    """
    target = Path(target)
    if not spec.url or not spec.sha256:
        raise InputError("The file has no address to fetch it from.", file=target)
    if mirror and not Path(mirror).is_dir():
        raise InputError(
            "The variable NESTMAT_MIRROR names what is not a folder.",
            file=mirror,
            remedy="correct the variable, or unset it to download.",
        )
    source = Path(mirror) / spec.mirror if mirror and spec.mirror else None
    if source and source.is_file():
        _copy(source, target, spec.sha256)
        _LOG.info("took %s from the mirror, checksum verified", source)
        return
    if source:
        _LOG.info("the mirror has no %s; downloading", source)
    _download(spec.url, target, spec.sha256, attempts, backoff, timeout)
    _LOG.info("downloaded %s, checksum verified", spec.url)


def _verify(path: Path, expected: str, source: str | Path, remedy: str) -> None:
    if (actual := sha256(path)) != expected:
        raise InputError(
            f"The file has another checksum than the registry: sha256 {actual}, expected {expected}.",
            file=source,
            remedy=remedy,
        )


def _copy(source: Path, target: Path, checksum: str) -> None:
    with replacing(target) as aside:
        shutil.copyfile(source, aside)
        _verify(
            aside,
            checksum,
            source,
            "replace the mirror's copy by the published file, or unset NESTMAT_MIRROR to download it.",
        )


def _download(url: str, target: Path, checksum: str, attempts: int, backoff: float, timeout: float) -> None:
    part = target.with_name(target.name + ".part")
    failures, resumed = 0, _size(part) > 0
    while True:
        before = _size(part)
        try:
            _transfer(url, part, timeout)
        except _TryAgainError as error:
            # An attempt that brought bytes is progress, however often the line drops.
            failures = 1 if _size(part) > before else failures + 1
            if failures >= attempts:
                raise InputError(
                    f"The file cannot be downloaded: {error} ({attempts} attempts).",
                    file=url,
                    remedy="check the network and run the same command again: it resumes; or put the file "
                    "into a folder and name that by NESTMAT_MIRROR.",
                ) from error
            wait = min(backoff * 2 ** (failures - 1), 60.0)
            _LOG.warning("%s: %s; trying again in %.3g s", url, error, wait)
            time.sleep(wait)
            continue
        except OSError as error:
            with suppress(OSError):
                part.unlink()
            raise InputError(
                f"The file cannot be written: {error.strerror or error}.",
                file=target,
                remedy="free space on the disk, or make the folder writable, and run the same command again.",
            ) from error
        if resumed and sha256(part) != checksum:
            # The beginning may stem from another version of the file: judge a download made in one piece.
            _LOG.warning("%s: the resumed file has a wrong checksum; starting again", url)
            part.unlink()
            resumed = False
            continue
        break
    try:
        _verify(
            part,
            checksum,
            url,
            "the file at the address changed or was altered on its way: do not use it; report it, or correct "
            "the entry of the registry if the change is intended.",
        )
        part.replace(target)
    finally:
        part.unlink(missing_ok=True)


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0


def _transfer(url: str, part: Path, timeout: float) -> None:
    """Append the missing end of the file to ``part``, or all of it where the server ignores ranges."""
    part.parent.mkdir(parents=True, exist_ok=True)
    received = _size(part)
    # Without compression, so that a range counts bytes of the file itself.
    headers = {"Accept-Encoding": "identity"} | ({"Range": f"bytes={received}-"} if received else {})
    try:
        with requests.get(url, headers=headers, stream=True, timeout=timeout) as answer:
            if answer.status_code == requests.codes.requested_range_not_satisfiable:
                # Nothing is missing, or the part is longer than the file: the checksum decides.
                return
            _check_status(answer, url)
            resumes = answer.status_code == requests.codes.partial_content
            if resumes and not answer.headers.get("Content-Range", "").startswith(f"bytes {received}-"):
                part.unlink()
                raise _TryAgainError("the server sent another range than was asked for")
            received = received if resumes else 0
            total = (
                received + int(answer.headers["Content-Length"])
                if "Content-Length" in answer.headers
                else None
            )
            with part.open("ab" if resumes else "wb") as file:
                _receive(answer, file, received, total, part.name.removesuffix(".part"))
    except (requests.exceptions.InvalidSchema, requests.exceptions.InvalidURL, ValueError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(
            f"This is not an address: {error}.", file=url, remedy="correct the registry."
        ) from error
    except requests.RequestException as error:
        raise _TryAgainError(str(error)) from error
    if total is not None and _size(part) < total:
        raise _TryAgainError(f"the connection closed after {_size(part)} of {total} bytes")


def _check_status(answer: requests.Response, url: str) -> None:
    if answer.status_code in _PASSING:
        raise _TryAgainError(f"the server answers {answer.status_code} {answer.reason}")
    if not answer.ok:
        raise InputError(
            f"The file cannot be downloaded: the server answers {answer.status_code} {answer.reason}.",
            file=url,
            remedy="check the address in the registry, or put the file into a folder and name that by "
            "NESTMAT_MIRROR.",
        )


def _receive(answer: requests.Response, file: BinaryIO, received: int, total: int | None, name: str) -> None:
    columns = (
        "{task.description}",
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
    )
    bar = Progress(*columns, console=Console(file=sys.stderr), disable=not sys.stderr.isatty())
    with bar as progress:
        task = progress.add_task(name, total=total, completed=received)
        for chunk in answer.iter_content(_CHUNK):
            file.write(chunk)
            progress.advance(task, len(chunk))
