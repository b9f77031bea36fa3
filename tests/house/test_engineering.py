"""Rules of the house that a reader of one file cannot see broken."""

from __future__ import annotations

import ast
import hashlib
import inspect
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml
from tools import bootstrap_pip

from nestmat.config import loading
from nestmat.config import schema as reference
from nestmat.config.study import Study
from nestmat.data.generator_registry import GENERATORS
from nestmat.paths import ROOT
from support.running import run_python

PACKAGE = ROOT / "workflow/nestmat"
SCRIPTS = sorted((ROOT / "scripts").glob("*.py"))
# Run as a command, by an interpreter that need not have nestmat.
PROGRAMS = {"run_dft"}
RULES = [ROOT / "Snakefile", *sorted((ROOT / "rules").glob("*.smk"))]
STUDIES = [ROOT / "config.yaml", *sorted((ROOT / "resources/studies").glob("*.yaml"))]
# What runs on a GPU node, and all that it may import beside the standard library.
NUMERIC = ("models", "training", "scales", "search")
ALLOWED = {"torch", "numpy", "pandas", "pyarrow", "zuko", "safetensors", "rich", "tqdm"}
# Imported where it is used, so that the rest runs without it.
ALLOWED_LATER = {"search": {"pymoo"}}
ALLOWED_OWN = {
    "deferred",
    "tables",
    "files",
    "errors",
    "logs",
    "plugins",
    "processes",
    "progress",
    "seals",
    *NUMERIC,
}
# Modules of other packages that import nothing else than these.
ALLOWED_MODULES = ("features.feature_map", "materials.geometry")


def _imports(path: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def test_the_schema_is_that_of_the_models():
    assert (ROOT / reference.SCHEMA).read_text(encoding="utf-8") == reference.json_schema(), (
        "run `make schema`"
    )


def test_the_configuration_reference_is_that_of_the_models():
    assert (ROOT / reference.REFERENCE).read_text(encoding="utf-8") == reference.reference(), (
        "run `make schema`"
    )


@pytest.mark.slow
def test_the_rule_graph_in_the_documentation_is_that_of_the_rules():
    assert reference.rule_graph(ROOT) in (ROOT / reference.WORKFLOW).read_text(), "run `make schema`"


def test_every_key_of_a_study_has_a_description():
    schema = Study.model_json_schema()
    groups = {"Study": schema, **schema["$defs"]}
    for name, group in schema["$defs"].items():
        groups |= {f"{name}: {kind['title']}": kind for kind in group.get("oneOf", [])}
    assert all(group["description"] for group in groups.values())
    bare = [
        f"{name}.{key}"
        for name, group in groups.items()
        for key, field in group.get("properties", {}).items()
        if not field.get("description")
    ]
    assert not bare


@pytest.mark.parametrize("study", STUDIES, ids=lambda path: path.stem)
def test_every_shipped_study_is_valid(study):
    loading.load_study(study)


@pytest.mark.slow
@pytest.mark.parametrize("profile", ["workstation", "slurm"])
@pytest.mark.parametrize("study", STUDIES, ids=lambda path: path.stem)
def test_every_shipped_study_can_be_planned_under_both_profiles(study, profile):
    command = ["-m", "snakemake", "--dry-run", "--nolock", "--quiet", "rules"]
    command += ["--workflow-profile", f"workflow/profiles/{profile}", "--configfile", str(study)]
    done = run_python(ROOT, *command)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("part", NUMERIC)
def test_numerics_import_only_what_a_gpu_node_has(part):
    for path in sorted((PACKAGE / part).rglob("*.py")):
        for name in _imports(path):
            top, _, rest = name.partition(".")
            if top == "nestmat":
                package = rest.split(".")[0]
                allowed = rest.startswith(ALLOWED_MODULES) or package in ALLOWED_OWN | {"__version__"}
                assert not rest or allowed, f"{path}: {name}"
            else:
                allowed = ALLOWED | sys.stdlib_module_names | ALLOWED_LATER.get(part, set())
                assert top in allowed, f"{path}: {name}"


def test_numerics_run_where_the_heavy_packages_are_missing():
    code = (
        "import sys\n"
        "for name in 'pydantic sklearn scipy matminer pymatgen snakemake mlflow xgboost pymoo'.split():\n"
        "    sys.modules[name] = None\n"
        "import nestmat.models.autoencoder.network, nestmat.scales.train, nestmat.scales.propagate\n"
        "import nestmat.search.methods.nsga, nestmat.search.surrogate\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_nothing_is_pickled():
    call = re.compile(r"(torch|joblib)\.(load|save|dump)\(|(read|to)_pickle\(|allow_pickle=True")
    for folder in ("workflow", "scripts"):
        for path in sorted((ROOT / folder).rglob("*.py")):
            assert not {n.split(".")[0] for n in _imports(path)} & {"pickle", "dill", "cloudpickle"}, path
            nodes = ast.walk(ast.parse(path.read_text(encoding="utf-8")))
            calls = [ast.unparse(node) for node in nodes if isinstance(node, ast.Call)]
            assert not [found for found in calls if call.search(found)], path


@pytest.mark.parametrize("script", [s for s in SCRIPTS if s.stem not in PROGRAMS], ids=lambda path: path.stem)
def test_a_script_is_a_docstring_and_a_short_main(script):
    tree = ast.parse(script.read_text(encoding="utf-8"))
    assert ast.get_docstring(tree)
    functions = [node for node in tree.body if isinstance(node, ast.FunctionDef)]
    assert [function.name for function in functions] == ["main"]
    [main] = functions
    assert [argument.arg for argument in main.args.args] == ["snakemake"]
    assert main.end_lineno - main.lineno < 25
    assert not [node for node in ast.walk(tree) if isinstance(node, ast.ClassDef)]


def test_every_script_has_the_rule_of_its_name_which_names_its_library_modules():
    found = set()
    for path in RULES:
        for body in re.split(r"^(?=\s*rule\b)", path.read_text(encoding="utf-8"), flags=re.MULTILINE)[1:]:
            if script := re.search(r"scripts/(\w+)\.py", body):
                name = script.group(1)
                assert f"rule {name}:" in body, f"{path}: {name}"
                assert f'code("{name}")' in body, f"{path}: rule {name} does not name its library modules"
                found.add(name)
    assert found == {script.stem for script in SCRIPTS}


def test_rules_without_a_script_run_locally_and_say_so_in_one_way():
    text = (ROOT / "Snakefile").read_text(encoding="utf-8")
    local = {
        name
        for block in re.findall(r"localrules:\n((?: +\w+,\n)+)", text)
        for name in re.findall(r"\w+", block)
    }
    assert set(re.findall(r"^ *rule (\w+):", text, re.MULTILINE)) <= local
    assert not [path for path in RULES if "localrule:" in path.read_text(encoding="utf-8")]


def test_code_and_documents_name_no_place_of_their_author():
    # Put together here, so that this file does not name one either.
    places = [re.escape(f"/{top}/") for top in ("work", "root", "home")]
    pattern = re.compile("|".join(places))
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True)
    if listed.returncode:
        pytest.skip("not a git checkout")
    for name in filter(None, listed.stdout.split("\0")):
        path = ROOT / name
        if (
            path.suffix in {".py", ".md", ".smk", ".yaml", ".yml", ".toml", ".lock", ".sh", ""}
            and path.is_file()
        ):
            assert not pattern.search(path.read_text(encoding="utf-8")), name


def test_the_lock_holds_every_declared_dependency_with_hashes():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    declared = project["dependencies"] + project["optional-dependencies"]["dev"]
    lock = (ROOT / "requirements.lock").read_text() + (ROOT / "requirements-torch.lock").read_text()
    pinned = {}
    for entry in re.split(r"\n(?=\S)", re.sub(r"(?m)^#.*\n", "", lock).strip()):
        name, version = re.match(r"([\w.-]+)==([^\s;]+)", entry).groups()
        pinned[name.lower()] = version
        assert "--hash=sha256:" in entry, name
    wanted = {re.match(r"[\w.-]+", text).group().lower().replace("_", "-") for text in declared}
    assert not {name for name in wanted if name not in {p.replace("_", "-") for p in pinned}}
    assert pinned["torch"].startswith("2.13.0")


def test_the_conda_environment_declares_what_the_package_needs():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    wanted = {re.match(r"[\w.-]+", text).group().lower() for text in project["dependencies"]}
    listed = yaml.safe_load((ROOT / "environment.yml").read_text())["dependencies"]
    names = {re.match(r"[\w.-]+", entry).group().lower() for entry in listed if isinstance(entry, str)}
    names |= {
        re.match(r"[\w.-]+", e).group().lower() for d in listed if isinstance(d, dict) for e in d["pip"]
    }
    renamed = {"torch": "pytorch-cpu", "xgboost-cpu": "py-xgboost-cpu", "matplotlib": "matplotlib-base"}
    assert not {renamed.get(name, name) for name in wanted} - names


# bootstrap_pip


@pytest.fixture
def index(tmp_path, monkeypatch):
    """A package index in a folder, with a file that stands for the wheel of pip."""
    for name in ("PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL", "PIP_CONFIG_FILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("HOME", str(tmp_path))
    wheel = b"stands for pip"
    (tmp_path / "files").mkdir()
    (tmp_path / "files" / bootstrap_pip.WHEEL).write_bytes(wheel)
    page = tmp_path / "simple/pip/index.html"
    page.parent.mkdir(parents=True)
    page.write_text(f'<a href="../../files/{bootstrap_pip.WHEEL}#sha256=0">pip</a>')
    monkeypatch.setattr(bootstrap_pip, "SHA256", hashlib.sha256(wheel).hexdigest())
    return (tmp_path / "simple").as_uri()


def test_pip_is_taken_from_an_index_only_with_the_pinned_checksum(index, monkeypatch, tmp_path):
    assert bootstrap_pip.download(index) == b"stands for pip"
    monkeypatch.setattr(bootstrap_pip, "SHA256", "0" * 64)
    with pytest.raises(LookupError, match="sha256"):
        bootstrap_pip.download(index)
    (tmp_path / "simple/pip/index.html").write_text("<a href='pip-1.0.whl'>pip</a>")
    with pytest.raises(LookupError, match="does not list"):
        bootstrap_pip.download(index)


def test_pip_comes_from_the_index_that_pip_is_configured_with(index, monkeypatch, tmp_path):
    assert bootstrap_pip.indexes()[0] == "https://pypi.org/simple"
    (tmp_path / "config/pip").mkdir(parents=True)
    (tmp_path / "config/pip/pip.conf").write_text("[global]\nindex-url = https://mirror.example/simple\n")
    assert bootstrap_pip.indexes()[0] == "https://mirror.example/simple"
    monkeypatch.setenv("PIP_INDEX_URL", index)
    monkeypatch.setenv("PIP_EXTRA_INDEX_URL", "https://more.example/simple")
    assert bootstrap_pip.indexes() == [index, "https://more.example/simple"]


def test_every_generator_and_option_is_documented():
    text = (ROOT / "docs" / "generators.md").read_text(encoding="utf-8")
    for name, generator in GENERATORS.items():
        section = text.split(f"## {name}\n")[1].split("\n## ")[0]
        documented = {
            option
            for line in section.splitlines()
            if line.startswith("| `")
            for option in re.findall(r"`(\w+)`", line.split("|")[1])
        }
        assert documented == set(inspect.signature(generator).parameters), name
