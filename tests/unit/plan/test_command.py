"""The command in the report runs the study again, wherever it was run."""

import subprocess
import sys

import pytest
import yaml

from nestmat.paths import ROOT
from nestmat.plan.command import repeat_command


@pytest.mark.parametrize(
    ("configfiles", "words"),
    [
        ([], ""),
        (["resources/studies/dvae_hea.yaml"], " --configfile resources/studies/dvae_hea.yaml"),
        ([ROOT / "resources/studies/dvae_hea.yaml"], " --configfile resources/studies/dvae_hea.yaml"),
        (["/alloys/mine.yaml"], " --configfile /alloys/mine.yaml"),
    ],
)
def test_a_run_in_the_folder_of_the_workflow_names_the_study_alone(configfiles, words):
    assert repeat_command(ROOT / "Snakefile", configfiles, ROOT) == f"snakemake --cores all{words}"


def test_the_command_of_another_folder_runs_from_anywhere(tmp_path):
    folder = tmp_path / "my alloys"
    folder.mkdir()
    study = {"study": "mine", "title": "Mine", "question": "Whose?", "tracking": "off"}
    study |= {"datasets": {"gaps": "nestedae_gaps"}}
    (folder / "mine.yaml").write_text(yaml.safe_dump(study))
    command = repeat_command(ROOT / "Snakefile", ["mine.yaml"], folder)
    assert command.startswith("cd '")
    command = command.replace("snakemake", f"{sys.executable} -m snakemake", 1) + " --list-rules"
    done = subprocess.run(command, shell=True, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "write_report" in done.stdout
