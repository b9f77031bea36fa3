"""Tables that are made instead of read, as files."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from nestmat import tables
from nestmat.config.datasets import DatasetGenerator
from nestmat.config.kinds import UNCHECKED


def write_generated(generator: DatasetGenerator | Mapping[str, Any], path: str | Path) -> None:
    """Make a table and write it as Parquet, for `nestmat.data.reading.read` to check as a file.

    Args:
        generator: Kind and options, as a study holds them.
        path: File to write: the columns of the generator, without units, which the data set declares.

    Raises:
        InputError: An option is unknown, missing, of another type or out of range.
    """
    generator = DatasetGenerator.model_validate(generator, context=UNCHECKED)
    frame = generator.build()
    kinds = {"f": "float64", "i": "int64", "b": "bool"}
    schema = {str(k): tables.Column(kinds.get(values.dtype.kind, "string")) for k, values in frame.items()}
    facts = {"generator": {"name": generator.kind, **generator.options}}
    tables.write(path, frame, schema, facts)
