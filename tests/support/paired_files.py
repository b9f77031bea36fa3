"""A data set of two files for tests."""

from pathlib import Path

from nestmat.config.datasets import DatasetSpec


def pair(tmp_path, first: str, second: str, **changes) -> tuple[DatasetSpec, list[Path]]:
    """A data set of two files, the first without a header."""
    paths = [tmp_path / "x.csv", tmp_path / "y.csv"]
    for path, text in zip(paths, (first, second), strict=True):
        path.write_text(text)
    keys = {
        "title": "pair",
        "file": "x.csv",
        "names": ["a", "unused", "formula"],
        "further_files": [{"file": "y.csv"}],
        "formula": "formula",
        "columns": {"a": {}, "y": {"header": "gap", "label": True}},
    }
    return DatasetSpec.model_validate(keys | changes), paths
