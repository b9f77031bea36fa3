"""Benchmarks that need the results of a study say so where there are none."""

import subprocess
import sys

import pytest

from nestmat.paths import ROOT

NEED_RESULTS = ("generative", "semi_supervised")


@pytest.mark.parametrize("name", NEED_RESULTS)
def test_a_benchmark_without_results_is_skipped_in_one_line(name, tmp_path):
    command = [sys.executable, str(ROOT / f"bench/bench_{name}.py"), "--results", str(tmp_path)]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    [line] = done.stdout.splitlines()
    assert line.startswith("skipped: ")
    assert "make run STUDY=resources/studies/" in line


def test_every_benchmark_that_reads_results_is_covered():
    readers = {
        path.stem.removeprefix("bench_")
        for path in (ROOT / "bench").glob("bench_*.py")
        if "--results" in path.read_text(encoding="utf-8")
    }
    assert readers == set(NEED_RESULTS)
