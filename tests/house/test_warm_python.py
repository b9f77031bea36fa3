"""A warm Python runs programs as Python does."""

from __future__ import annotations

import os
import shutil
import sys

import pytest

from nestmat.paths import ROOT
from support import running
from support.warm_python import WARM_PYTHON

PROGRAM = """
import os, sys
import {module}
print(__name__, __file__, sys.argv, os.getcwd(), sys.path[0])
print("EXTRA" in os.environ, hasattr({module}, "mark"))
{module}.mark = True
print("a warning", file=sys.stderr)
{end}
"""


@pytest.fixture(params=["script", "-m"])
def program(tmp_path, request):
    """Write a program that ends in some way, and give the arguments with which Python runs it."""

    def write(end: str, module: str = "torch") -> list[str]:
        (tmp_path / "program.py").write_text(PROGRAM.format(module=module, end=end), encoding="utf-8")
        return [str(tmp_path / "program.py")] if request.param == "script" else ["-m", "program"]

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
    arguments = [*program(end, "math"), "a", "b c"]
    warm = running.run_python(tmp_path, *arguments)
    monkeypatch.setenv(WARM_PYTHON, sys.executable)
    cold = running.run_python(tmp_path, *arguments)
    assert warm.returncode == cold.returncode == status
    assert warm.stdout == cold.stdout
    assert warm.stderr.splitlines()[-1] == cold.stderr.splitlines()[-1]


def test_programs_share_no_state(program, tmp_path):
    arguments = program("sys.exit(4)")
    first, second = (running.run_python(tmp_path, *arguments) for _ in range(2))
    assert first.returncode == second.returncode == 4
    assert first.stdout == second.stdout
    assert "False False" in first.stdout


def test_a_program_that_is_killed_has_not_succeeded(program, tmp_path):
    assert running.run_python(tmp_path, *program("os.kill(os.getpid(), 9)")).returncode == 128 + 9


def test_a_copy_of_the_library_is_imported(program, tmp_path):
    ignored = shutil.ignore_patterns("__pycache__")
    shutil.copytree(ROOT / "workflow/nestmat", tmp_path / "workflow/nestmat", ignore=ignored)
    arguments = program("print(nestmat.errors.__file__)", "nestmat.errors")
    printed = running.run_python(tmp_path, *arguments, root=tmp_path).stdout
    assert str(tmp_path / "workflow/nestmat/errors.py") in printed


def test_other_calls_are_those_of_python(tmp_path):
    python = os.environ[WARM_PYTHON]
    assert running.subprocess.run([python, "-c", "print(6 * 7)"], capture_output=True).stdout == b"42\n"
