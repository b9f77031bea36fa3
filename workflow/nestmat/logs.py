"""Where the messages of a job go."""

from __future__ import annotations

import errno
import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from nestmat.errors import InputError
from nestmat.plugins import load_plugins
from nestmat.processes import end_with_run

NO_ROOM = frozenset((errno.ENOSPC, errno.EDQUOT, errno.EROFS))
"""Errors of the system that are no fault of the program: its disk is full, or may only be read."""
_FORMAT = "%(asctime)s %(levelname)s %(name)s: %(message)s"


@contextmanager
def job_log(snakemake: Any) -> Iterator[logging.Logger]:
    """Set up a job: its end with the run, its log, its threads, and the plug-ins of its study.

    Args:
        snakemake: The job.

    Yields:
        The root logger.

    Raises:
        SystemExit: With status 1, as `log_to`, or because the log cannot be written.
    """
    end_with_run()
    try:
        with log_to(snakemake.log[0]) as log:
            # Only a job that has imported torch computes with it.
            if torch := sys.modules.get("torch"):
                torch.set_num_threads(snakemake.threads)
            load_plugins(snakemake.config.get("plugins", []))
            yield log
    except InputError as error:
        print(f"Error: {error}", file=sys.stderr)
        raise SystemExit(1) from error


@contextmanager
def log_to(path: str | Path, level: int = logging.INFO) -> Iterator[logging.Logger]:
    """Send log messages and Python warnings to a file and to stderr while a job runs.

    An `InputError` ends the job with exit status 1 and its message alone on stderr, for it is meant for the
    user, and so does a full disk; the traceback goes to the file. Any other exception is a fault of the
    program: its traceback goes to both.

    Args:
        path: The rule's log; an earlier one is replaced.
        level: Least level that is kept.

    Yields:
        The root logger.

    Raises:
        SystemExit: With status 1, after an `InputError`.
        InputError: The log cannot be written.
    """
    path = Path(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        file = logging.FileHandler(path, mode="w", encoding="utf-8")
    except OSError as error:
        raise InputError(
            f"The log cannot be written: {error.strerror}.",
            file=path,
            remedy="make the folder of the log writable.",
        ) from error
    # A line that cannot be written, on a full disk, is no failure of the job, and not worth a traceback.
    logging.raiseExceptions = False
    screen = logging.StreamHandler(sys.stderr)
    root = logging.getLogger()
    before = root.level
    for handler in (file, screen):
        handler.setFormatter(logging.Formatter(_FORMAT))
        root.addHandler(handler)
    root.setLevel(level)
    logging.captureWarnings(True)
    try:
        yield root
    except InputError as error:
        root.removeHandler(screen)
        root.error("%s", error, exc_info=True)
        print(f"Error: {error}", file=sys.stderr)
        raise SystemExit(1) from error
    except OSError as error:
        root.removeHandler(screen)
        root.exception("The job failed.")
        if error.errno not in NO_ROOM:
            raise
        place = f"{error.filename}: " if error.filename else ""
        remedy = "Remedy: free space on the disk, and run the same command again."
        print(f"Error: {place}The file cannot be written: {error.strerror}. {remedy}", file=sys.stderr)
        raise SystemExit(1) from error
    except Exception:
        # Python prints the traceback itself as the exception leaves the job.
        root.removeHandler(screen)
        root.exception("The job failed.")
        raise
    finally:
        logging.captureWarnings(False)
        root.setLevel(before)
        for handler in (file, screen):
            root.removeHandler(handler)
            # What a full disk has no room for is lost.
            with suppress(OSError):
                handler.close()
