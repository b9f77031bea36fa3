from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from nestmat.config.datasets import DatasetSpec
from nestmat.dft.interpreter import check_interpreter
from nestmat.errors import InputError
from support.warm_python import WarmPython


def pytest_configure(config: pytest.Config) -> None:
    """Serve programs from one warm Python to all workers, where the system can wait for its forks."""
    if not hasattr(config, "workerinput") and hasattr(os, "pidfd_open"):
        config.add_cleanup(WarmPython().stop)


@pytest.fixture(scope="session")
def mirror() -> Path:
    """Folder with copies of the published data."""
    folder = os.environ.get("NESTMAT_MIRROR")
    if not folder:
        pytest.skip("needs the published data: name a folder of copies by NESTMAT_MIRROR")
    if not Path(folder).is_dir():
        pytest.fail(f"NESTMAT_MIRROR names {folder}, which is not a folder")
    return Path(folder)


@pytest.fixture(scope="session")
def gpaw() -> str:
    """An interpreter with GPAW."""
    try:
        return check_interpreter("/usr/bin/python3")["interpreter"]
    except InputError as error:
        pytest.skip(f"needs GPAW: {error}")


@pytest.fixture
def csv_file(tmp_path: Path) -> Callable[[str | bytes], Path]:
    """Write a CSV file byte for byte."""

    def write(content: str | bytes, name: str = "table.csv") -> Path:
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return write


@pytest.fixture
def own_spec() -> Callable[..., DatasetSpec]:
    """A data set of one's own: a formula, a number and a target, with any key changed."""

    def make(**changes: object) -> DatasetSpec:
        keys = {
            "title": "own",
            "file": "table.csv",
            "formula": "formula",
            "columns": {"a": {"unit": "Å"}, "gap": {"unit": "eV", "label": True}},
        }
        return DatasetSpec.model_validate(keys | changes)

    return make
