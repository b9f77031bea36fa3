"""Generated data sets, as a study reads them."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from nestmat.config.datasets import DatasetSpec
from nestmat.data.generated import write_generated
from nestmat.data.reading import Reading, read


def read_generated(spec: DatasetSpec, **options: Any) -> Reading:
    """A generated data set, made and read as the rules do."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / "made.generated.parquet"
        write_generated(spec.generator, path)
        return read(spec, path, **options)
