"""The SQLite file of the MLflow store: whether it is whole, and what becomes of it if it is not."""

from __future__ import annotations

import logging
import sqlite3
from contextlib import closing
from pathlib import Path

log = logging.getLogger(__name__)

TABLES = frozenset(("alembic_version", "experiments", "runs", "metrics"))
"""Some of the tables of MLflow, which a store that was broken off when it was made lacks."""


def fault(database: Path) -> str | None:
    """What is wrong with a database, as SQLite says it; None where it is whole, or cannot be asked now."""
    try:
        address = f"{database.absolute().as_uri()}?mode=ro"
        with closing(sqlite3.connect(address, uri=True, timeout=10)) as connection:
            [[state], *_] = connection.execute("PRAGMA integrity_check").fetchall()
            names = {name for (name,) in connection.execute("SELECT name FROM sqlite_master")}
    except sqlite3.OperationalError:
        # It is locked, or may not be read: no damage.
        return None
    except sqlite3.DatabaseError as error:
        return str(error)
    except UnicodeDecodeError:
        return "it holds text that is none"
    if state != "ok":
        return " ".join(str(state).split())
    return None if names >= TABLES else "it lacks tables of MLflow"


def set_aside_damaged(database: Path) -> None:
    """Rename a damaged store, so that a new one is made in its place; the runs are copied again."""
    if not database.is_file() or not (sentence := fault(database)):
        return
    aside = next(
        path
        for number in range(1, 10_000)
        if not (path := database.with_name(f"{database.name}.damaged-{number}")).exists()
    )
    for ending in ("-journal", "-wal", "-shm"):
        database.with_name(f"{database.name}{ending}").unlink(missing_ok=True)
    database.replace(aside)
    log.warning("The MLflow store is damaged (%s): it is now %s, and a new one is made.", sentence, aside)
