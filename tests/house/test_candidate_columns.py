"""One module each names the columns of tables of candidates and of predictions; all others ask it."""

import ast
import re

from nestmat.paths import ROOT

NAMING = {"workflow/nestmat/scales/predictions.py", "workflow/nestmat/search/candidate_table.py"}
"""Modules that may build and parse names of columns."""
OTHER_NAMES = {
    "workflow/nestmat/training/checkpoints.py": "tensors of scalers",
    "workflow/nestmat/evaluation/estimators/registry.py": "modules",
}
"""Modules in which such an ending belongs to the name of something else."""
COLUMN = re.compile(r"\.(mean|std|hit|distance|violation)$")


def built_columns(source: str) -> list[int]:
    """Lines with an f-string, a concatenation or a parsed ending that makes up a column's name."""
    lines = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.JoinedStr):
            last = node.values[-1]
            # A name with a variable before the ending: f"{quantity}.mean".
            if len(node.values) > 1 and isinstance(last, ast.Constant) and COLUMN.search(str(last.value)):
                lines.append(node.lineno)
        elif isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
            if isinstance(node.right, ast.Constant) and COLUMN.fullmatch(str(node.right.value)):
                lines.append(node.lineno)
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            parsed = node.func.attr in ("endswith", "removesuffix") and ast.unparse(node)
            if parsed and re.search(r"'\.(mean|std|hit)'", parsed):
                lines.append(node.lineno)
    return lines


def test_columns_of_candidates_are_named_in_one_place():
    faults = []
    for path in sorted([*(ROOT / "workflow/nestmat").rglob("*.py"), *(ROOT / "scripts").glob("*.py")]):
        name = path.relative_to(ROOT).as_posix()
        if name not in NAMING and name not in OTHER_NAMES:
            faults += [f"{name}:{line}" for line in built_columns(path.read_text(encoding="utf-8"))]
    assert not faults, "ask nestmat.search.candidate_table or nestmat.scales.predictions for names of columns"


def test_the_search_for_names_finds_them():
    assert built_columns('a = f"{judge}.{quantity}.mean"\nb = f"mean of {x}"\n') == [1]
    assert built_columns('a = quantity + ".std"\nb = name.removesuffix(".hit")\n') == [1, 2]
    assert not built_columns('log.info(f"{x} is at {y}.")\n')
