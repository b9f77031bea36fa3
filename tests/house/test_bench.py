"""Benchmarks that need the results of a study say so where there are none; the others measure."""

import pytest
from bench.__main__ import ON_REQUEST

from nestmat.paths import ROOT
from support.running import run_python

NEED_RESULTS = ("generative", "semi_supervised")
SMALLEST = {
    "features": "--rows 20 --peer-rows 2 --threads 1",
    "screening": "--materials 100 --peer-rows 2 --members 1 --rounds 1 --processes 1",
    "training": "--epochs 2 --mini-epochs 1 --rounds 1 --threads 1",
}
"""Options with which benchmarks that need no results end soon."""


@pytest.mark.parametrize("name", NEED_RESULTS)
def test_a_benchmark_without_results_is_skipped_in_one_line(name, tmp_path):
    done = run_python(tmp_path, str(ROOT / f"bench/bench_{name}.py"), "--results", str(tmp_path))
    assert done.returncode == 0, done.stderr
    [line] = done.stdout.splitlines()
    assert line.startswith("skipped: ")
    assert "make run STUDY=resources/studies/" in line


@pytest.mark.slow
@pytest.mark.parametrize("name", SMALLEST)
def test_a_benchmark_with_numbers_of_its_own_ends_well(name, tmp_path):
    done = run_python(tmp_path, str(ROOT / f"bench/bench_{name}.py"), *SMALLEST[name].split())
    assert done.returncode == 0, done.stderr
    assert done.stdout


@pytest.mark.parametrize(
    ("options", "file"),
    [
        (("bench.bench_tables", "--tables", "phonons"), "matbench/phonons.csv"),
        (("bench.bench_designs", "--problems", "halides"), "mannodi/PBE_data.csv"),
    ],
)
def test_a_benchmark_without_its_data_is_skipped_in_one_line(options, file, tmp_path, monkeypatch):
    monkeypatch.setenv("NESTMAT_MIRROR", str(tmp_path))
    done = run_python(ROOT, "-m", *options)
    assert done.returncode == 0, done.stderr
    [line] = done.stdout.splitlines()
    assert line == f"skipped: NESTMAT_MIRROR names no folder with {file}"


def test_every_benchmark_that_reads_results_is_covered():
    benchmarks = {
        path.stem.removeprefix("bench_"): "--results" in path.read_text(encoding="utf-8")
        for path in (ROOT / "bench").glob("bench_*.py")
    }
    assert {name for name, reads_results in benchmarks.items() if reads_results} == set(NEED_RESULTS)
    assert set(benchmarks) == {*NEED_RESULTS, *SMALLEST, *ON_REQUEST}
