"""What a job waits for before it starts: the packages that its script and the rules import."""

import subprocess
import sys

import pytest

from nestmat.paths import ROOT

PLAN = """
import sys
from nestmat.config.loading import load_yaml, study_from
from nestmat.figures.drawing import available
from nestmat.report.registry import required_tables
study = study_from(load_yaml(sys.argv[1]), sys.argv[1], check_options=False)
assert available(study) and required_tables(study)
print(*sorted({"torch", "sklearn", "matplotlib", "pymatgen"} & set(sys.modules)))
"""


@pytest.mark.parametrize("study", ["config.yaml", "resources/studies/nested_functions.yaml"])
def test_a_job_process_reads_the_rules_without_heavy_packages(study):
    done = subprocess.run([sys.executable, "-c", PLAN, study], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert not done.stdout.split()


CHECK = """
import sys
from nestmat.commands.validate import describe
from nestmat.config.loading import load_study
describe(load_study(sys.argv[1]))
# Splits of scikit-learn are tried on the rows, to find before a run what they cannot divide.
print(*sorted({"torch", "matplotlib"} & set(sys.modules)))
"""


STUDIES = [
    "config.yaml",
    *sorted(str(file.relative_to(ROOT)) for file in ROOT.glob("resources/studies/*.yaml")),
]


@pytest.mark.parametrize("study", STUDIES)
def test_a_study_is_validated_without_heavy_packages(study):
    done = subprocess.run([sys.executable, "-c", CHECK, study], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert not done.stdout.split()


WITHOUT_TORCH = (
    "assign_folds",
    "compare_baselines",
    "draw_figures",
    "embed_latents",
    "evaluate_scale",
    "featurize_for_parent",
    "featurize_materials",
    "generate_dataset",
    "list_structures",
    "read_dataset",
    "recommend_predictor",
    "summarise_candidates",
    "track_runs",
    "write_report",
    "write_run_config",
)
WITHOUT_LEARNERS = (
    *WITHOUT_TORCH,
    "judge_candidates",
    "search_candidates",
    "select_candidates",
    "train_scale",
)


def packages_loaded_by(script, *packages):
    program = f"import sys; import {script}; print(*set(sys.argv[1:]) & set(sys.modules))"
    command = [sys.executable, "-c", f"import sys; sys.path.insert(0, 'scripts'); {program}", *packages]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return set(done.stdout.split())


@pytest.mark.parametrize("script", WITHOUT_LEARNERS)
def test_a_job_loads_no_package_that_it_may_not_need(script):
    heavy = {"sklearn", "scipy.stats", "xgboost", "matplotlib", "mlflow", "pymoo"}
    if script in WITHOUT_TORCH:
        heavy.add("torch")
    assert not packages_loaded_by(script, *heavy)


def test_help_waits_for_no_package():
    program = "import sys; import nestmat.cli; nestmat.cli.parser(); print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert not {"pydantic", "yaml", "numpy", "pandas"} & set(done.stdout.split())
