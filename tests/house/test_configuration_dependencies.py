"""Jobs depend on the keys that they read, not on those of a later stage."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

from nestmat.paths import ROOT
from nestmat.plan.code import code

CONFIG = ROOT / "workflow/nestmat/config"
SEARCH = {"problems", "pool", "generative", "spaces", "study", "checks", "loading", "schema"}
BEFORE_SEARCH = {
    "fetch_dataset": {"base", "data_files", "datasets"},
    "read_dataset": {"base", "data_files", "datasets", "yaml_files"},
    "generate_dataset": {"base", "data_files", "datasets", "yaml_files"},
    "featurize_materials": {"base", "features"},
    "featurize_for_parent": {"base", "features"},
    "assign_folds": {"base", "splits"},
    "train_scale": set(),
    "propagate_latents": set(),
}


@pytest.mark.parametrize("script", BEFORE_SEARCH)
def test_jobs_before_a_search_do_not_rerun_for_its_keys(script):
    modules = {Path(file).stem for file in code(script) if Path(file).resolve().parent == CONFIG}
    assert not modules & SEARCH
    assert modules <= BEFORE_SEARCH[script] | {"kinds", "near_keys"}


def test_the_package_imports_none_of_its_modules():
    assert not (CONFIG / "__init__.py").read_text(encoding="utf-8")


def test_reading_features_imports_no_key_of_a_search():
    program = (
        "import sys, nestmat.features.table, nestmat.data.reading, nestmat.evaluation.protocols\n"
        "print(*(name for name in sys.modules if name.startswith('nestmat.config.')))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    loaded = {name.rpartition(".")[2] for name in done.stdout.split()}
    assert loaded
    assert not loaded & SEARCH


def test_keys_are_imported_from_the_module_that_defines_them():
    homes = {}
    for path in CONFIG.glob("*.py"):
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.ClassDef | ast.FunctionDef):
                homes.setdefault(node.name, set()).add(f"nestmat.config.{path.stem}")
    for folder in ("workflow", "scripts", "tests"):
        for path in sorted((ROOT / folder).rglob("*.py")):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("nestmat.config."):
                    for alias in node.names:
                        assert node.module in homes.get(alias.name, {node.module}), f"{path}: {alias.name}"
