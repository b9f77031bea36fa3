"""Commands work in any folder: the one in the report, and what the shell commands of jobs begin with."""

import subprocess
import sys

import pytest
import yaml

from nestmat.errors import InputError
from nestmat.paths import ROOT
from nestmat.plan.command import library_prefix, repeat_command

FOLDERS = ["my alloys", "user's folder", "a&b;c", "$HOME", 'q"uote', "`tick`", "ü [x]"]


@pytest.mark.parametrize(
    ("configfiles", "words"),
    [
        ([], "nestmat report config.yaml"),
        (["my study.yaml"], "nestmat report 'my study.yaml'"),
        ([ROOT / "resources/studies/dvae_hea.yaml"], "nestmat report resources/studies/dvae_hea.yaml"),
        (["/alloys/mine.yaml"], "nestmat report /alloys/mine.yaml"),
        (
            ["a.yaml", "b.yaml"],
            f"snakemake --cores all --snakefile {ROOT}/Snakefile --configfile a.yaml b.yaml",
        ),
    ],
)
def test_the_command_names_folder_and_files(configfiles, words):
    assert repeat_command(ROOT / "Snakefile", configfiles, ROOT) == f"cd {ROOT} && {words}"


@pytest.mark.parametrize("name", FOLDERS)
def test_the_command_of_a_folder_reads_its_study_from_anywhere(tmp_path, name):
    folder = tmp_path / name
    folder.mkdir()
    study = {"study": "of_folder", "title": "T", "question": "Q?", "datasets": {"gaps": "nestedae_gaps"}}
    (folder / f"{name}.yaml").write_text(yaml.safe_dump(study))
    command = repeat_command(ROOT / "Snakefile", [f"{name}.yaml"], folder)
    # The shell splits the command into these words.
    program = f'{sys.executable} -c "import sys, os; print(os.getcwd(), *sys.argv[1:], sep=chr(10))"'
    done = subprocess.run(
        command.replace("nestmat report", program), shell=True, cwd=tmp_path, capture_output=True, text=True
    )
    assert done.stdout.splitlines() == [str(folder), f"{name}.yaml"], done.stderr


@pytest.mark.parametrize("name", FOLDERS)
def test_jobs_find_the_library_in_any_folder(tmp_path, name):
    prefix = library_prefix(tmp_path / name).format()
    done = subprocess.run(
        f'{prefix} printf %s "$PYTHONPATH"',
        shell=True,
        executable="bash",
        env={"PYTHONPATH": "/own"},
        capture_output=True,
        text=True,
    )
    assert done.stdout == f"{tmp_path / name}/workflow:/own"


def test_a_folder_that_snakemake_cannot_read_is_named():
    with pytest.raises(InputError, match="braces"):
        library_prefix("/lab {2}/nestmat")
