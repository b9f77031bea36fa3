from __future__ import annotations

from pathlib import Path

import pytest

from nestmat.data.generator_registry import GENERATORS
from nestmat.plan import code as plan_code
from nestmat.plan.code import PACKAGE, code, kind_files

SCRIPT = """
import typing
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import nestmat.cli
else:
    import nestmat.progress
if typing.TYPE_CHECKING:
    import nestmat.commands.new
if not TYPE_CHECKING:
    import nestmat.paths


def main():
    from nestmat.files import (  # reads and writes (whole or not at all)
        replacing,  # a file)
        write_text,
    )
    import nestmat.errors, nestmat.versions  # both
    from nestmat \\
        import tables
"""


@pytest.fixture
def library_files(tmp_path, monkeypatch):
    """Files of the library that `SCRIPT` runs, by their names."""
    (tmp_path / "scripts").mkdir()
    (tmp_path / "scripts" / "run.py").write_text(SCRIPT, encoding="utf-8")
    monkeypatch.setattr(plan_code, "ROOT", tmp_path)
    monkeypatch.chdir(PACKAGE)
    return set(code("run"))


def test_imports_within_functions_are_followed(library_files):
    assert {"files.py", "errors.py", "versions.py", "tables.py"} <= library_files


def test_imports_for_type_checkers_alone_are_left_out(library_files):
    assert not library_files & {"cli.py", "commands/new.py"}
    assert {"progress.py", "paths.py"} <= library_files


@pytest.mark.parametrize("script", ["read_dataset", "featurize_materials", "list_structures"])
def test_what_reads_a_table_does_not_depend_on_the_physics_that_made_it(script):
    modules = {Path(module).stem for module in code(script)}
    simulation = {"perovskite_devices", "devices", "absorber", "detailed_balance"}
    assert simulation <= {Path(module).stem for module in kind_files(GENERATORS, "perovskite_devices")}
    assert not simulation & {Path(module).stem for module in kind_files(GENERATORS, "nested_functions")}
    assert not simulation & modules
