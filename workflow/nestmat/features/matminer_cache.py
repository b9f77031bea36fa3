"""Results of featurizers of matminer, kept for later runs."""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Mapping, Sequence
from importlib import metadata
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd

from nestmat import tables
from nestmat.errors import InputError
from nestmat.tables import Column

_LOG = logging.getLogger(__name__)

CACHE = Path("downloads/matminer")
"""Where the rules keep it, relative to the working directory."""
_KEYS: tables.Schema = {
    "composition": Column("string", role="key", description="amounts by element"),
    "text": Column("string", description="labels of the columns that hold text, as JSON"),
    "fault": Column("string", description="why the featurizer fails; empty where it does not"),
}


class Result(NamedTuple):
    """Result of a featurizer for a composition.

    Attributes:
        values: A number a label; NaN for text, and for all where it fails.
        text: Labels of text.
        fault: Why it fails; empty where it does not.
    """

    values: list[float]
    text: list[str]
    fault: str


class Store:
    """Results of a featurizer with its arguments, by the versions of matminer and pymatgen.

    One Parquet file holds what was computed together, and appears whole or not at all. Files are never
    changed: several jobs may add to a store at once.

    Args:
        folder: Folder of all stores.
        name: Class name of the featurizer.
        arguments: Its arguments.
        labels: Its labels.
    """

    def __init__(self, folder: str | Path, name: str, arguments: Mapping[str, Any], labels: Sequence[str]):
        versions = {package: metadata.version(package) for package in ("matminer", "pymatgen")}
        self._facts = {"featurizer": name, "arguments": dict(arguments), "labels": list(labels), **versions}
        self._columns = [str(place) for place in range(len(labels))]
        self.folder = Path(folder) / f"{name}-{_digest(self._facts)}"

    def read(self) -> dict[str, Result]:
        """Results by composition."""
        results: dict[str, Result] = {}
        for path in sorted(self.folder.glob("*.parquet")):
            try:
                frame = tables.read(path)
            except InputError as error:
                _LOG.warning("Results of matminer are computed again: %s", error)
                path.unlink(missing_ok=True)
                continue
            values = frame[self._columns].to_numpy().tolist()
            rows = zip(frame["composition"], values, frame["text"], frame["fault"], strict=True)
            results |= {name: Result(row, json.loads(text), fault) for name, row, text, fault in rows}
        return results

    def add(self, results: Mapping[str, Result]) -> None:
        """Keep results by composition."""
        values = pd.DataFrame([row.values for row in results.values()], columns=self._columns, dtype=float)
        frame = values.assign(
            composition=list(results),
            text=[json.dumps(row.text) for row in results.values()],
            fault=[row.fault for row in results.values()],
        )
        schema = {**_KEYS, **{name: Column("float64") for name in self._columns}}
        tables.write(self.folder / f"{_digest(sorted(results))}.parquet", frame, schema, self._facts)


def _digest(content: Any) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True, default=str).encode()).hexdigest()[:16]
