"""Time to a thousand judged hits: a trained flow against uniform draws with the same filter.

Takes the trained networks of the study `matdesinne_mos2`, which has to be run first. For each value the flow
is asked until the judge has called a thousand of its materials hits; uniform draws are made once, and their
time is scaled to a thousand hits. Both in one process, by turns, and the fastest round of each counts. Then
the same for the flow in a process of its own, from its start, with loading all that it needs; the judge is
trained in it as well, and that time is told apart.
"""

from __future__ import annotations

import argparse
import dataclasses
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

START = time.perf_counter()
STUDY = "resources/studies/matdesinne_mos2.yaml"
HITS = 1000
UNIFORM = 200_000
"""Uniform draws a round."""


class Bench:
    """A problem of the study with its searched members, its generative model and its judge.

    Args:
        results: Folder of the study's results.
        problem: Name of the problem.
    """

    def __init__(self, results: Path, problem: str):
        from nestmat.config.loading import load_study
        from nestmat.design.generative import load_generators
        from nestmat.design.judging import fit_judges
        from nestmat.design.members import Members
        from nestmat.design.problem import build_design
        from nestmat.paths import ROOT

        study = load_study(ROOT / STUDY)
        settings = study.search[problem]
        stems = study.chain(settings.scale, settings.model, settings.protocol)
        members = Members.in_results(results, stems, settings.protocol, 0)
        self.design = build_design(study, problem, members)
        assert settings.shortlist
        chosen = settings.methods[settings.shortlist.method]
        weights = results / f"generative/{settings.protocol}/{chosen.model}.safetensors"
        self.settings = chosen.build()
        models = load_generators(study, chosen, [weights])
        assert models
        self.models = models
        before = time.perf_counter()
        data = {name: results / f"data/{study.scales[name].dataset}.parquet" for name in self.design.scales}
        [self.judge] = fit_judges(dataclasses.replace(self.design, data=data)).values()
        self.fitting = time.perf_counter() - before

    def hits(self, x: np.ndarray) -> int:
        """How many materials (n, columns) the judge calls hits."""
        import pandas as pd

        frame = pd.DataFrame(x, columns=list(self.design.space.columns))
        table = frame.assign(row_id=np.arange(len(x)), row=np.arange(len(x)) + 1, formula="", material="")
        target = self.design.problem.targets[0]
        return int(target.hit(self.judge.predict(table, {})[target.quantity][0]).sum())

    def flow(self) -> tuple[float, int]:
        """Seconds to a thousand hits, and samples that they take."""
        start, hits, seed, drawn = time.perf_counter(), 0, 0, 0
        from nestmat.search.methods.base import SearchContext

        search = self.settings.bind(SearchContext(self.models))
        while hits < HITS:
            samples = search.propose(self.design.problem, sys.maxsize, seed)
            hits, seed, drawn = hits + self.hits(samples.x), seed + 1, drawn + int(samples.details["sampled"])
        return (time.perf_counter() - start) * HITS / hits, drawn

    def uniform(self) -> tuple[float, int]:
        """The same for uniform draws with the same filter, scaled to a thousand hits."""
        from nestmat.search.generators.uniform import UniformOptions
        from nestmat.search.methods.base import SearchContext
        from nestmat.search.methods.generative import Generative

        search = Generative(samples=UNIFORM, accept=self.settings.accept)
        start = time.perf_counter()
        samples = search.bind(SearchContext([UniformOptions().build(self.design.space, 0)])).propose(
            self.design.problem, sys.maxsize, 0
        )
        hits = self.hits(samples.x)
        return (time.perf_counter() - start) * HITS / hits, round(UNIFORM * HITS / hits)


def fastest(run: Callable[[], tuple[float, int]], rounds: int) -> tuple[float, int]:
    """Fewest seconds of some rounds, with its samples."""
    return min(run() for _ in range(rounds))


def main() -> int:
    """Print the times, or skip with the reason."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--results", type=Path, default=Path("results/matdesinne_mos2"))
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--alone", metavar="PROBLEM", help="time one problem from the start of the process")
    arguments = parser.parse_args()
    if not (arguments.results / "report.html").is_file():
        print(f"skipped: {arguments.results} is missing; run `make run STUDY={STUDY}` first")
        return 0
    if arguments.alone:
        bench = Bench(arguments.results, arguments.alone)
        _, drawn = bench.flow()
        whole = time.perf_counter() - START
        print(
            f"  whole process: {whole - bench.fitting:.1f} s for {HITS} judged hits of {drawn} samples, and "
            f"{bench.fitting:.1f} s to train the judge"
        )
        return 0
    for problem in ("gap_050", "gap_100"):
        bench = Bench(arguments.results, problem)
        of_flow, drawn = fastest(bench.flow, arguments.rounds)
        of_uniform, tried = fastest(bench.uniform, arguments.rounds)
        print(
            f"{problem}: {HITS} judged hits in {of_flow:.2f} s of {drawn} samples; uniform draws with the "
            f"same filter {of_uniform:.1f} s, {tried} samples; ratio {of_uniform / of_flow:.0f}"
        )
        subprocess.run([sys.executable, __file__, "--results", str(arguments.results), "--alone", problem])
    return 0


if __name__ == "__main__":
    sys.exit(main())
