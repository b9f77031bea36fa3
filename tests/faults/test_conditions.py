"""What surrounds a run changes no bit of its results, or ends it with one sentence."""

from __future__ import annotations

import locale
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from support.fault_study import STUDY, TARGETS, write_inputs
from support.kills import Run, differences, digests
from support.running import snakemake

ALL = bool(os.environ.get("NESTMAT_ALL_FAULTS"))
TRAINED = f"results/{STUDY}/models/crystal/strict/nested.json"
SURROUNDINGS: dict[str, dict[str, Any]] = {
    "umask 077": {"umask": 0o077},
    "umask 000": {"umask": 0},
    "time zone": {"environment": {"TZ": "Asia/Kathmandu"}},
    "C locale": {"environment": {"LC_ALL": "C"}},
    "Turkish": {"environment": {"LC_ALL": "tr_TR.UTF-8"}},
    "German": {"environment": {"LC_ALL": "de_DE.UTF-8"}},
    "folder of temporary files": {"environment": {"TMPDIR": "temporary files"}},
    "all": {
        "umask": 0o077,
        "environment": {"TZ": "Asia/Kathmandu", "LC_ALL": "C", "TMPDIR": "temporary files"},
    },
}
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to mount a small disk")


def common(before: dict[str, str], after: dict[str, str]) -> list[str]:
    return differences({path: before[path] for path in after if path in before}, after)


@pytest.mark.slow
@pytest.mark.parametrize("name", SURROUNDINGS if ALL else ["all"])
def test_surroundings_change_no_bit(undisturbed, tmp_path, name):
    options = SURROUNDINGS[name]
    wanted_locale = options.get("environment", {}).get("LC_ALL", "C")
    before = locale.setlocale(locale.LC_ALL)
    try:
        locale.setlocale(locale.LC_ALL, wanted_locale)
    except locale.Error:
        pytest.skip(f"this machine has no locale {wanted_locale}")
    finally:
        locale.setlocale(locale.LC_ALL, before)
    folder = write_inputs(tmp_path / "a b & c ü'" if name == "all" else tmp_path / "study")
    environment = dict(options.get("environment", {}))
    if "TMPDIR" in environment:
        temporary = tmp_path / environment["TMPDIR"]
        temporary.mkdir()
        environment["TMPDIR"] = str(temporary)
    run = Run(folder, TRAINED, warm=False, **{**options, "environment": environment})
    assert run.wait() == 0, run.output.read_text()
    results = digests(folder / "results" / STUDY)
    assert f"models/crystal/strict/{Path(TRAINED).name}" in results
    assert not common(digests(undisturbed / "results" / STUDY), results)


@pytest.mark.slow
def test_a_moved_folder_is_as_good(undisturbed, tmp_path):
    folder = tmp_path / "moved"
    shutil.copytree(undisturbed, folder, symlinks=True)
    printed = snakemake(folder, *TARGETS, "--dry-run")
    repeated = {line.split()[0] for line in printed.splitlines() if line.startswith("write_report ")}
    assert "Nothing to be done" in printed or (repeated and "train_scale" not in printed)


@contextmanager
def small_disk(folder: Path, size: str) -> Iterator[Path]:
    folder.mkdir(parents=True)
    mount = ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)]
    done = subprocess.run(mount, capture_output=True, text=True)
    if done.returncode:
        pytest.skip(f"a small disk cannot be mounted: {done.stderr.strip()}")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


@as_root
@pytest.mark.slow
@pytest.mark.parametrize("place", ["results", ".snakemake"] if ALL else ["results"])
def test_a_full_disk_is_one_sentence_and_no_damage(undisturbed, tmp_path, place):
    folder = write_inputs(tmp_path / "full")
    with small_disk(folder / place, "100k" if place == "results" else "40k"):
        run = Run(folder, TRAINED)
        assert run.wait() not in (0, None)
        text = run.output.read_text()
        assert "Traceback" not in text, text
        assert "No space left on device" in text
        subprocess.run(["mount", "-o", "remount,size=200m", str(folder / place)], check=True)
        run = Run(folder, TRAINED)
        assert run.wait() == 0, run.output.read_text()
        assert not common(digests(undisturbed / "results" / STUDY), digests(folder / "results" / STUDY))


@pytest.mark.slow
@pytest.mark.skipif(not ALL, reason="long: make fault-test")
def test_an_mlflow_server_that_is_down_is_a_word(undisturbed, tmp_path):
    folder = tmp_path / "down"
    shutil.copytree(undisturbed, folder, symlinks=True)
    write_inputs(folder, tracking="http://127.0.0.1:9")
    run = Run(folder, *TARGETS)
    assert run.wait() == 0, run.output.read_text()
    assert "The MLflow store cannot be used" in run.output.read_text()


@pytest.mark.slow
@pytest.mark.skipif(not ALL, reason="long: make fault-test")
def test_two_studies_at_once_in_one_folder(undisturbed, tmp_path):
    folder = write_inputs(tmp_path / "two")
    (folder / "study.yaml").rename(folder / "first.yaml")
    write_inputs(folder, study="second")
    first = Run(folder, TRAINED, configfile="first.yaml")
    second = Run(folder, TRAINED.replace(STUDY, "second"))
    assert [first.wait(), second.wait()] == [0, 0], second.output.read_text()
    before = digests(undisturbed / "results" / STUDY)
    for name in (STUDY, "second"):
        assert not common(before, digests(folder / "results" / name))
