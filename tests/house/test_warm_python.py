"""A warm Python runs programs as Python does."""

from __future__ import annotations

import os
import shutil
import sys

import pytest

from nestmat.paths import ROOT
from support import running
from support.warm_python import WARM_PYTHON

pytestmark = pytest.mark.skipif(WARM_PYTHON not in os.environ, reason="needs a system with pidfd_open")

PROGRAM = """
import os, sys
import {module}
print(__name__, __file__, sys.argv, os.getcwd(), sys.path[0])
print("EXTRA" in os.environ, hasattr({module}, "mark"))
{module}.mark = True
print("a warning", file=sys.stderr)
{end}
"""


@pytest.fixture
def program(tmp_path):
    """Write a program that ends in some way, and give its path."""

    def write(end: str, module: str = "torch") -> str:
        path = tmp_path / "program.py"
        path.write_text(PROGRAM.format(module=module, end=end), encoding="utf-8")
        return str(path)

    return write


@pytest.mark.parametrize(
    ("end", "status"),
    [
        ("", 0),
        ("sys.exit()", 0),
        ("sys.exit(3)", 3),
        ("sys.exit('It stops.')", 1),
        ("raise ValueError('no')", 1),
        ("import atexit; atexit.register(print, 'last')", 0),
    ],
)
def test_a_program_prints_and_ends_as_by_python(program, tmp_path, monkeypatch, end, status):
    monkeypatch.setenv("EXTRA", "1")
    arguments = [program(end, "math"), "a", "b c"]
    warm = running.run_python(tmp_path, *arguments)
    monkeypatch.setenv(WARM_PYTHON, sys.executable)
    cold = running.run_python(tmp_path, *arguments)
    assert warm.returncode == cold.returncode == status
    assert warm.stdout == cold.stdout
    assert warm.stderr.splitlines()[-1] == cold.stderr.splitlines()[-1]


def test_programs_share_no_state(program, tmp_path):
    path = program("sys.exit(4)")
    first, second = (running.run_python(tmp_path, path) for _ in range(2))
    assert first.returncode == second.returncode == 4
    assert first.stdout == second.stdout
    assert "False False" in first.stdout


def test_a_program_that_is_killed_has_not_succeeded(program, tmp_path):
    assert running.run_python(tmp_path, program("os.kill(os.getpid(), 9)")).returncode == 128 + 9


def test_a_copy_of_the_library_is_imported(program, tmp_path):
    ignored = shutil.ignore_patterns("__pycache__")
    shutil.copytree(ROOT / "workflow/nestmat", tmp_path / "workflow/nestmat", ignore=ignored)
    path = program("print(nestmat.errors.__file__)", "nestmat.errors")
    printed = running.run_python(tmp_path, path, root=tmp_path).stdout
    assert str(tmp_path / "workflow/nestmat/errors.py") in printed


def test_a_module_is_run_as_by_python(tmp_path, monkeypatch):
    warm = running.run_python(tmp_path, "-m", "nestmat.cli", "nothing")
    monkeypatch.setenv(WARM_PYTHON, sys.executable)
    cold = running.run_python(tmp_path, "-m", "nestmat.cli", "nothing")
    assert (warm.returncode, warm.stdout, warm.stderr) == (cold.returncode, cold.stdout, cold.stderr)
    assert cold.returncode == 2


PROCESSES = """
import sys
import joblib
print(sys.executable, joblib.Parallel(2)(joblib.delayed(abs)(-i) for i in range(3)))
"""


def test_other_calls_and_processes_of_libraries_are_those_of_python(tmp_path):
    (tmp_path / "processes.py").write_text(PROCESSES, encoding="utf-8")
    assert running.run_python(tmp_path, "-c", "print(6 * 7)").stdout == "42\n"
    printed = running.run_python(tmp_path, str(tmp_path / "processes.py")).stdout
    assert printed == f"{os.environ[WARM_PYTHON]} [0, 1, 2]\n"
