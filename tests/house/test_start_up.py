"""Planning jobs: each job process on a cluster reads the rules, and waits for what that imports."""

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
