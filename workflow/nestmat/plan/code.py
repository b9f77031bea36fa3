"""Files of the library that a job runs: what its script imports, and the modules of its kinds."""

from __future__ import annotations

import ast
import functools
import os
import re
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from nestmat.paths import RESOURCES, ROOT
from nestmat.plugins import Registry

PACKAGE = Path(__file__).parents[1]
_TYPING_ONLY = re.compile(
    r"^([ \t]*)if (?:typing\.)?TYPE_CHECKING:[^\n]*\n(?:\1[ \t]+[^\n]*\n|[ \t]*\n)*", re.MULTILINE
)
"""A block that never runs."""
_IMPORT = re.compile(
    r"^[ \t]*((?:from[ \t]+nestmat\b|import[ \t][^\n#]*\bnestmat\b)"
    r"(?:\((?:#[^\n]*|[^)#])*\)|\\\n|[^\n\\(#])*)",
    re.MULTILINE,
)
"""A statement at the beginning of a line that imports a module of the library."""


@functools.cache
def _files_of(module: str) -> tuple[Path, ...]:
    stem = PACKAGE.parent / Path(*module.split("."))
    return tuple(path for path in (stem.with_suffix(".py"), stem / "__init__.py") if path.is_file())


@functools.cache
def _imports(file: Path) -> tuple[Path, ...]:
    """Files of the library that a file imports itself.

    The imports alone are parsed: parsing hundreds of whole modules is a fifth of the time of a dry run.
    """
    text = _TYPING_ONLY.sub("", file.read_text(encoding="utf-8"))
    statements = "\n".join(statement.strip() for statement in _IMPORT.findall(text))
    names: list[str] = []
    for node in ast.parse(statements).body:
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            names += [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
    return tuple(path for name in names if name.split(".")[0] == "nestmat" for path in _files_of(name))


def _named(file: Path) -> str:
    """A file as rules name it: from a clone of nestmat, or near its study, by a relative path, else absolute.

    So results may be moved, and a clone with its results in it, without a job that is repeated for its inputs
    are called otherwise.
    """
    folder = Path.cwd()
    near = folder.is_relative_to(PACKAGE.parents[1]) or file.absolute().is_relative_to(folder)
    return os.path.relpath(file) if near else str(file)


def _closure(files: Iterable[Path]) -> set[Path]:
    """Files with those of the library that they import, directly or through others."""
    waiting, closure = list(files), set[Path]()
    while waiting:
        if (file := waiting.pop()) not in closure:
            closure.add(file)
            waiting += _imports(file)
    return closure


def code(script: str) -> list[str]:
    """Library modules that a script imports, directly or through others, relative to the working directory.

    Snakemake reruns a job when its script changes, but not when a module that the script imports does: rules
    name these files as inputs.

    Args:
        script: Name of the script without ``.py``.
    """
    file = ROOT / "scripts" / f"{script}.py"
    return sorted(_named(module) for module in _closure([file]) - {file})


def kind_files(registry: Registry[Any], kinds: str | Iterable[str]) -> list[str]:
    """Files that define kinds of a registry, with the library modules that they import.

    A registry names modules and imports none, so that `code` leaves them out: a rule names those that its job
    uses, and a change of any other kind does not repeat the job. A kind of a plug-in is in the plug-in file.
    """
    files: list[Path] = []
    for kind in [kinds] if isinstance(kinds, str) else kinds:
        source = registry.source(kind)
        files += [source] if isinstance(source, Path) else _files_of(source)
    return sorted(_named(file) for file in _closure(files))


def code_of(registry: Registry[Any], kinds: Callable[..., Any]) -> Callable[[Any], list[str]]:
    """Input function: `kind_files` of the kinds that a function of the wildcards, as of `lookup`, returns."""

    def files(wildcards: Any) -> list[str]:
        return kind_files(registry, kinds(wildcards))

    return files


def resource(name: str) -> str:
    """A file of resources/, relative to the working directory."""
    return _named(RESOURCES / name)


def program(name: str) -> str:
    """A script of the repository that is run as a command, relative to the working directory."""
    return _named(ROOT / name)
