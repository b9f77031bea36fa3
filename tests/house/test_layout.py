"""The arrangement of the library: layers of packages, lengths of modules and functions, names."""

import ast
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from nestmat.paths import ROOT

LIBRARY = ROOT / "workflow/nestmat"
FILES = sorted(LIBRARY.rglob("*.py"))
GROUND = {
    "deferred",
    "errors",
    "exports",
    "files",
    "logs",
    "paths",
    "plugins",
    "processes",
    "progress",
    "seals",
    "tables",
    "versions",
}
LAYERS = (
    ("materials",),
    ("models",),
    ("config",),
    ("data",),
    ("features",),
    ("training",),
    ("scales",),
    ("search",),
    ("physics",),
    ("dft",),
    ("domains",),
    ("evaluation",),
    ("interpretation",),
    ("design",),
    ("labels",),
    ("figures",),
    ("report",),
    ("plan", "tracking"),
    ("commands",),
    ("cli",),
)
"""Packages from the lowest to the highest; each imports from lower ones alone."""
LONGEST_MODULE, LONGEST_FUNCTION = 500, 60
POINTING = frozenset(
    (
        *(
            "found",
            "told",
            "mine",
            "theirs",
            "ours",
            "given",
            "here",
            "there",
            "wanted",
            "seen",
            "kept",
            "known",
        ),
        *(
            "lacking",
            "about",
            "way",
            "ways",
            "beyond",
            "asked",
            "said",
            "held",
            "left",
            "taken",
            "made",
            "both",
        ),
        *("each", "other", "others", "every", "some", "such", "thing", "things", "stuff", "what", "whatever"),
        *("rest", "same", "anew", "away"),
    )
)
"""Words that point at something instead of naming it."""
LARGEST_SHARE_POINTING = 0.005


def parse(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def running_nodes(tree: ast.Module) -> Iterator[ast.AST]:
    """Nodes of a module but those that only type checkers see."""
    for node in ast.iter_child_nodes(tree):
        if not (isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"):
            yield from ast.walk(node)


def imported_packages(path: Path) -> set[str]:
    """Packages, or modules of the root, of the library that a file imports, at its top or later."""
    packages = set()
    for node in running_nodes(parse(path)):
        if isinstance(node, ast.ImportFrom) and node.module == "nestmat":
            packages |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith("nestmat."):
            packages.add(node.module.split(".")[1])
        elif isinstance(node, ast.Import):
            packages |= {a.name.split(".")[1] for a in node.names if a.name.startswith("nestmat.")}
    return packages - {"__version__"}


def package_of(path: Path) -> str:
    return path.relative_to(LIBRARY).parts[0].removesuffix(".py")


def test_the_root_holds_the_command_line_and_the_ground_floor_alone():
    modules = {path.stem for path in LIBRARY.glob("*.py")} - {"__init__"}
    assert modules == GROUND | {"cli"}
    packages = {path.name for path in LIBRARY.iterdir() if (path / "__init__.py").is_file()}
    assert packages == {name for layer in LAYERS for name in layer} - {"cli"}


def test_packages_import_from_lower_layers_alone():
    height = {name: level for level, layer in enumerate(LAYERS, start=1) for name in layer}
    height |= dict.fromkeys(GROUND | {"__init__"}, 0)
    upward = sorted(
        f"{path.relative_to(LIBRARY)} imports {other}"
        for path in FILES
        for other in imported_packages(path)
        if other != package_of(path) and height[other] >= max(height[package_of(path)], 1)
    )
    assert not upward


def test_no_module_is_longer_than_a_reader_can_hold():
    lengths = {path: len(path.read_text(encoding="utf-8").splitlines()) for path in FILES}
    assert not {str(path.relative_to(LIBRARY)): n for path, n in lengths.items() if n > LONGEST_MODULE}


def function_length(node: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Lines of a function without its docstring."""
    [first, *_] = node.body
    docstring = first if ast.get_docstring(node) else None
    return (
        node.end_lineno - node.lineno + 1 - (docstring.end_lineno - docstring.lineno + 1 if docstring else 0)
    )


def test_no_function_is_longer_than_a_screen():
    functions = {
        f"{path.relative_to(LIBRARY)}:{node.lineno} {node.name}": function_length(node)
        for path in FILES
        for node in ast.walk(parse(path))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    }
    assert not {name: n for name, n in functions.items() if n > LONGEST_FUNCTION}


def stored_names(tree: ast.Module):
    """Names that assignments, loops, parameters and definitions store, with their lines."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.id, node.lineno
        elif isinstance(node, ast.arg):
            yield node.arg, node.lineno
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield node.name, node.lineno


def test_names_say_what_they_hold():
    stored = [
        (name.strip("_"), f"{path.relative_to(ROOT)}:{line}")
        for path in [*FILES, *sorted((ROOT / "scripts").glob("*.py"))]
        for name, line in stored_names(parse(path))
    ]
    pointing = [(name, place) for name, place in stored if name in POINTING]
    share = len(pointing) / len(stored)
    assert share < LARGEST_SHARE_POINTING, Counter(name for name, _ in pointing).most_common(20)
