"""Where a study runs, and which files are the user's."""

import pytest

from nestmat.errors import InputError
from nestmat.plan.folders import own_files, results_folder, working_folder

STUDY = {
    "plugins": ["kinds.py"],
    "datasets": {
        "registered": "nestedae_gaps",
        "own": {"file": "a.csv", "further_files": [{"file": "b.csv"}]},
        "fetched": {"url": "https://example.org/c.csv"},
    },
    "dft": {"sets": {"own": {"file": "d.csv"}}},
}


def test_every_file_of_the_user_is_listed_by_its_key():
    assert dict(own_files(STUDY)) == {
        "plugins": "kinds.py",
        "datasets.own.file": "a.csv",
        "datasets.own.further_files.0.file": "b.csv",
        "dft.sets.own.file": "d.csv",
    }


@pytest.mark.parametrize("content", [None, [], {"datasets": [1]}, {"datasets": {"a": None}, "dft": 3}])
def test_what_is_no_study_has_no_files(content):
    assert not list(own_files(content))


def test_a_study_runs_in_the_folder_that_has_its_files(tmp_path, monkeypatch):
    here, beside = tmp_path / "here", tmp_path / "beside"
    for folder in (here, beside):
        folder.mkdir()
    monkeypatch.chdir(here)
    content, file = {"datasets": {"own": {"file": "a.csv"}}}, beside / "study.yaml"
    # Nothing is anywhere: the fault is told of the working folder.
    assert working_folder(content, file) == here
    (beside / "a.csv").touch()
    assert working_folder(content, file) == beside
    (here / "a.csv").touch()
    assert working_folder(content, file) == here
    (beside / "results/s").mkdir(parents=True)
    assert results_folder("s", file, here) == beside / "results/s"
    (here / "results/s").mkdir(parents=True)
    assert results_folder("s", file, here) == here / "results/s"


def test_braces_in_a_path_are_refused_with_the_key():
    with pytest.raises(InputError, match=r"study.yaml, key 'datasets.a.file', value '\{x\}.csv': .* braces"):
        working_folder({"datasets": {"a": {"file": "{x}.csv"}}}, "study.yaml")
