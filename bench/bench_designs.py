"""Designs on foreign tables: what a predictor promises of its candidates, and what is true of them.

Each problem is a study that `nestmat new` writes, with a `search`, run by Snakemake:

- ``alloys``: 500 compositions of twelve elements out of the published high-entropy alloys, with a hardness
  that is made up, with noise. A hit is among the hardest 1 % of the space; the formula judges, with noise.
- ``halides``: 570 calculated halide perovskites. In a space that can be ranked models of the other half
  judge; the other half itself is a pool, whose calculated values judge.
- ``dielectric``: 500 refractive indices out of a public table, and a pool of 2,000 further formulas of it:
  their values judge what `nestmat predict` says of them.

All are searched with the recommended predictor and, beside it, with the model alone. *Promised* is the mean
probability of a hit that the predictor states of what a search proposes, *judged* the rate of hits among it.

Run: NESTMAT_MIRROR=<folder> python -m bench designs [--problems alloys] [--seeds 0 1 2] [--out FOLDER]
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pandas as pd
import torch
import yaml
from bench.promises import RANDOM, print_rates
from numpy.typing import NDArray

from nestmat import tables
from nestmat.commands.new import write_study
from nestmat.config.spaces import DesignSpace
from nestmat.design.metrics import TRAINING, UNIFORM
from nestmat.design.spaces import design_space
from nestmat.domains.domain import Domain
from nestmat.domains.verdicts import OUTSIDE, VERDICTS
from nestmat.paths import ROOT
from nestmat.scales.predictions import Predictions
from nestmat.search.candidate_table import PROMISED, CandidateTable
from nestmat.search.methods.random_search import RandomSearch
from nestmat.search.methods.ranking import Ranking
from nestmat.search.problem import Problem, Quantities, Target
from nestmat.search.spaces.pool import Pool

SIGMAS = {"recommended": 1.0, "model": 0.0}
"""Predictors, with the standard deviations that count against a material, as in a search of a study."""
ROWS, PROPOSALS, SEARCHES = 500, 100, 2
"""Labelled rows of alloys and dielectrics, proposals of a search, and searches of a space by each method."""
EFFICIENT, OUT_OF_HALF = 0.18, 20
"""Limit of the efficiency from which on a halide is a hit, and proposals out of the left-out half."""
REFRACTIVE, POOL, OUT_OF_POOL = 5.0, 2000, 50
"""Refractive index from which on a compound is a hit, size of its pool, and proposals out of it."""
SEARCH = {"scale": "materials", "model": "nestmat", "protocol": "halves"}

RADII = {
    **{"Al": 1.43, "Co": 1.25, "Cr": 1.28, "Cu": 1.28, "Fe": 1.26, "Mn": 1.27},
    **{"Mo": 1.39, "Nb": 1.46, "Ni": 1.24, "Ti": 1.47, "V": 1.34, "Zr": 1.60},
}
"""Metallic radii in angstrom of the elements of the alloys."""
VALENCE = {
    **{"Al": 3, "Co": 9, "Cr": 6, "Cu": 11, "Fe": 8, "Mn": 7},
    **{"Mo": 6, "Nb": 5, "Ni": 10, "Ti": 4, "V": 5, "Zr": 4},
}
"""Valence electrons of these elements."""
NOISE_HV = 40.0
"""Standard deviation of the made-up hardness at a repetition."""
HARDEST = 0.99
"""Quantile of the hardness in the space from which on an alloy is a hit."""


def made_up_hardness(shares: NDArray[np.float64]) -> NDArray[np.float64]:
    """Hardness in HV of alloys, without noise, (n,): made up for the benchmark, true of no alloy.

    Three groups of elements harden, alone and together, up to a load beyond which the alloy is brittle and
    what they gave is lost. Most labelled alloys are below that load: they lead a search there, and beyond.

    Args:
        shares: Atomic fractions of the elements of `RADII`, (n, 12).
    """
    x = dict(zip(RADII, shares.T, strict=True))
    radius = shares @ np.array([*RADII.values()])
    variance = shares @ np.square([*RADII.values()]) - radius**2
    mismatch = 100 * np.sqrt(np.maximum(variance, 0.0)) / radius
    electrons = shares @ np.array([VALENCE[element] for element in RADII], dtype=float)
    body_centred = 1 / (1 + np.exp((electrons - 7.6) / 0.25))
    sigma = (x["Cr"] + x["V"]) * x["Mo"] * (x["Fe"] + x["Co"]) / 0.006
    ordered = x["Al"] * (x["Ni"] + x["Co"] + x["Ti"]) / 0.08
    laves = (x["Nb"] + x["Zr"] + x["Ti"]) * (x["Fe"] + x["Cr"] + x["Co"]) / 0.12
    load = sigma + ordered + laves
    sound = 1 / (1 + np.exp((load - 2.0) / 0.15)) / (1 + np.exp((mismatch - 8.5) / 0.4))
    hardness = 130 + 35 * mismatch + 220 * body_centred + 300 * load * sound - 300 * x["Cu"] - 150 * x["Mn"]
    return np.maximum(hardness, 80.0)


@dataclass(frozen=True)
class Pooled:
    """Materials of a pool with what a predictor states of them.

    Attributes:
        mean: Means, (n,).
        std: Standard deviations, (n,).
        true: Values that judge, (n,).
        domain: Verdicts in words, (n,).
    """

    mean: NDArray[np.float64]
    std: NDArray[np.float64]
    true: NDArray[np.float64]
    domain: NDArray[np.object_]


def search_pool(pool: Pooled, enough: float, predictor: str, seed: int, proposals: int) -> pd.DataFrame:
    """Proposals out of a pool: the best of all, the best of as many random draws, and random draws alone.

    As in the search of a study, where the recommended predictor predicts, a standard deviation counts against
    a material, and materials outside of the domain rank behind the others.

    Args:
        pool: The materials, and what the predictor states of them.
        enough: Value from which on a material is a hit.
        predictor: Which predictor that is, of `SIGMAS`.
        seed: Seed of the draws.
        proposals: Number of proposals.

    Returns:
        ``method``, ``mean``, ``std``, ``promised``, ``true``, ``hit``, ``domain``.
    """
    size = len(pool.mean)
    space = Pool(pd.DataFrame({"row": np.arange(size)}), [str(row) for row in range(size)])

    def rows_of(x: Any) -> NDArray[np.int64]:
        return np.asarray(x)[:, 0].astype(int)

    def predict(x: torch.Tensor) -> Quantities:
        rows = rows_of(x)
        return {"value": (torch.from_numpy(pool.mean[rows]), torch.from_numpy(pool.std[rows]))}

    def outside(x: NDArray[np.float64]) -> NDArray[np.bool_]:
        return pool.domain[rows_of(x)] == VERDICTS[OUTSIDE]

    target = Target("value", "maximise", enough=enough, sigmas=SIGMAS[predictor])
    problem = Problem(space, predict, [target], outside=outside if predictor == "recommended" else None)
    proposed = {
        "ranking": Ranking().propose(problem, size, seed).x[:proposals],
        RANDOM: RandomSearch().propose(problem, size, seed).x[:proposals],
        UNIFORM: space.sample(proposals, seed),
    }
    parts = []
    for method, x in proposed.items():
        rows, promised = rows_of(x), problem.hit_probability(problem.evaluate(x))
        columns = {
            "mean": pool.mean[rows],
            "std": pool.std[rows],
            PROMISED: promised,
            "true": pool.true[rows],
        }
        parts.append(pd.DataFrame({"method": method, **columns, "domain": pool.domain[rows]}))
    frame = pd.concat(parts, ignore_index=True)
    return frame.assign(hit=(frame["true"] >= enough).astype(float))


@dataclass(frozen=True)
class Run:
    """A folder with the study of a table.

    Attributes:
        folder: The folder.
        seed: Seed of the folds.
        cores: Cores of Snakemake.
    """

    folder: Path
    seed: int
    cores: int

    @property
    def results(self) -> Path:
        """Folder of the results."""
        return self.folder / "results" / "study"

    @property
    def study(self) -> Path:
        """File of the study."""
        return self.folder / "study.yaml"

    def write(
        self,
        frame: pd.DataFrame,
        target: str,
        columns: Sequence[str] = (),
        search: Mapping[str, Any] | None = None,
    ) -> None:
        """Write the study of a table: that of `nestmat new`, with what docs/search.md adds for a search.

        Args:
            frame: Table with a column ``formula``.
            target: Column to predict, with its unit after a colon.
            columns: Columns to learn from beside the formula.
            search: A design problem, which is searched with each predictor; by default there is none.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        table = (self.folder / "table.csv").resolve()
        frame.to_csv(table, index=False)
        self.study.unlink(missing_ok=True)
        write_study(
            self.study,
            name="study",
            data=table,
            targets=[target],
            formula="formula",
            features=columns or None,
        )
        study = yaml.safe_load(self.study.read_text(encoding="utf-8"))
        study["strict"]["seed"] = self.seed
        if search:
            scale = study["scales"]["materials"]
            scale["splits"] = {"halves": {"kind": "shared", "folds": 2, "seed": self.seed}}
            scale["models"]["nestmat"]["specification"]["inputs"].remove("composition")
            study["search"] = {
                predictor: {**SEARCH, **search, "title": predictor, "predictor": predictor}
                for predictor in SIGMAS
            }
        self.study.write_text(yaml.safe_dump(study, sort_keys=False, allow_unicode=True), encoding="utf-8")

    def make(self, *files: str) -> None:
        """Make files below the results by Snakemake."""
        command = ["snakemake", *(f"results/study/{file}" for file in files), "--cores", str(self.cores)]
        command += ["--snakefile", str(ROOT / "Snakefile"), "--configfile", str(self.study), "--quiet", "all"]
        self.call(*command, "--config", "tracking=off")

    def call(self, *command: str) -> None:
        """Run a module of Python in the folder."""
        library = os.pathsep.join(filter(None, [str(ROOT / "workflow"), os.environ.get("PYTHONPATH", "")]))
        environment = {**os.environ, "PYTHONPATH": library}
        subprocess.run([sys.executable, "-m", *command], cwd=self.folder, check=True, env=environment)

    def judged(self, predictor: str) -> pd.DataFrame:
        """Distinct candidates of each method with the verdicts of the judges."""
        # All of them at once, so that what they share is made once.
        self.make(*(f"search/{name}/metrics.parquet" for name in SIGMAS))
        frame = tables.read(self.results / "search" / predictor / "judged.parquet")
        return frame[frame["method"] != TRAINING].drop_duplicates(["method", "formula"])


def design_alloys(run: Run, mirror: Path) -> pd.DataFrame:
    """Candidates of the problem of alloys, judged by the formula of their hardness and its noise."""
    published = pd.read_csv(mirror / "dvae_hea/HEA_top30_comps.csv", comment="#").drop_duplicates("Alloys")
    further = published.columns.drop(["Alloys", "Class", *RADII])
    published = published[(published[further] == 0).all(axis=1)]
    random = np.random.default_rng(run.seed)
    labelled = published.iloc[random.permutation(len(published))[:ROWS]]

    def measure(shares: pd.DataFrame) -> NDArray[np.float64]:
        return made_up_hardness(shares[[*RADII]].to_numpy()) + random.normal(0, NOISE_HV, len(shares))

    frame = pd.DataFrame({"formula": labelled["Alloys"], "hardness": measure(labelled).round(1)})
    elements = {"species": [*RADII], "grid": 100, "fewest": 3, "most": 6, "least": 0.05, "greatest": 0.35}
    draws = design_space(DesignSpace(elements=elements)).sample(20_000, 0)
    enough = float(np.quantile(made_up_hardness(draws), HARDEST).round())
    search = {
        "space": {"elements": elements},
        "targets": [{"quantity": "materials.hardness", "goal": "maximise", "enough": enough}],
        "methods": {name: {"kind": name} for name in (RANDOM, "genetic", "gradient")},
        "judges": {
            "trees": {"features": {"composition": {"composition": "magpie"}, "alloy": {"alloy": True}}}
        },
        "proposals": PROPOSALS,
        "seeds": SEARCHES,
    }
    run.write(frame, "hardness:HV", search=search)
    parts = []
    for predictor in SIGMAS:
        table = CandidateTable(run.judged(predictor))
        true = measure(table.frame)
        parts.append(
            judged_rows(table, "materials.hardness", true, true >= enough).assign(predictor=predictor)
        )
    return pd.concat(parts).assign(problem="alloys", ranked=False)


def judged_rows(
    table: CandidateTable,
    quantity: str,
    true: NDArray[np.float64],
    hit: NDArray[np.float64] | NDArray[np.bool_],
) -> pd.DataFrame:
    """Columns of `search_pool` of the judged candidates of a study; ``true`` is NaN where it is not known."""
    predicted = {"mean": table.mean(quantity), "std": table.std(quantity)}
    return table.frame[["method", PROMISED, "domain"]].assign(**predicted, true=true, hit=hit.astype(float))


def design_halides(run: Run, mirror: Path) -> pd.DataFrame:
    """Candidates of the halides: those of a space, and those out of the left-out half.

    In the space a candidate is as much of a hit as is the share of the judges that find it one: trees, which
    seldom say more than what they have learned from, and a Gaussian process, which does.
    """
    frame = pd.read_csv(mirror / "mannodi/PBE_data.csv").rename(columns={"Formula": "formula"})
    phases = ["Cubic", "Tetra", "Ortho", "Hex"]
    sites = {
        "A": ["K", "Rb", "Cs", "MA", "FA"],
        "B": ["Ca", "Sr", "Ba", "Ge", "Sn", "Pb"],
        "X": ["Cl", "Br", "I"],
    }
    search = {
        "space": {
            "sites": {site: {"species": species, "grid": 4, "most": 2} for site, species in sites.items()},
            "variables": {phase: {"value": float(phase == "Cubic")} for phase in phases},
        },
        "targets": [{"quantity": "materials.SLME", "goal": "maximise", "enough": EFFICIENT}],
        "methods": {
            RANDOM: {"kind": RANDOM},
            "genetic": {"kind": "genetic"},
            "ranking": {"kind": "ranking", "budget": 50_000},
        },
        "judges": {
            kind: {
                "features": {
                    "composition": {"composition": "magpie"},
                    **{site: {"site": site} for site in sites},
                }
            }
            for kind in ("trees", "gaussian_process")
        },
        "proposals": PROPOSALS,
        "seeds": SEARCHES,
    }
    run.write(frame[["formula", *phases, "SLME"]], "SLME", columns=phases, search=search)
    parts = []
    for predictor in SIGMAS:
        table = CandidateTable(run.judged(predictor))
        hit = np.mean([table.hit(judge) for judge in table.judges], axis=0)
        unknown = np.full(len(hit), np.nan)
        space = judged_rows(table, "materials.SLME", unknown, hit).assign(problem="halides")
        pool = search_pool(left_out_half(run, predictor), EFFICIENT, predictor, run.seed, OUT_OF_HALF)
        parts += [
            part.assign(predictor=predictor) for part in (space, pool.assign(problem="halides, left out"))
        ]
    return pd.concat(parts).assign(ranked=True)


def left_out_half(run: Run, predictor: str) -> Pooled:
    """The rows that the searched members left out, by these members."""
    name = "nestmat" if predictor == "model" else predictor
    file = f"predictions/materials/halves/{name}.parquet"
    run.make(file, "domains/materials/halves.parquet")
    held_out = Predictions(tables.read(run.results / file)).held_out.ensemble.where(fold=0).frame
    features = tables.read(run.results / "features/materials.parquet").set_index("row_id", drop=False)
    domain = Domain.read(run.results / "domains/materials/halves.parquet")
    verdicts = domain.of_features(features.loc[held_out["row_id"]].reset_index(drop=True)).columns()
    columns = [held_out[column].to_numpy(np.float64) for column in ("mean", "std", "true")]
    return Pooled(*columns, np.array(verdicts["domain"], dtype=object))


def design_dielectrics(run: Run, mirror: Path) -> pd.DataFrame:
    """Candidates out of a pool of formulas, judged by their tabulated refractive index."""
    frame = pd.read_csv(mirror / "matbench/dielectric.csv")[["formula", "refractive_index"]]
    order = np.random.default_rng(run.seed).permutation(len(frame))
    labelled, pool = (
        frame.iloc[rows].reset_index(drop=True) for rows in (order[:ROWS], order[ROWS : ROWS + POOL])
    )
    run.write(labelled, "refractive_index")
    run.make(
        "predictions/materials/strict/recommended.parquet",
        "models/materials/strict/baselines.zip",
        "domains/materials/strict.parquet",
    )
    pool[["formula"]].to_csv(run.folder / "pool.csv", index=False)
    study = yaml.safe_load(run.study.read_text(encoding="utf-8"))
    del study["scales"]["materials"]["recommended"]
    alone = run.folder / "model.yaml"
    alone.write_text(yaml.safe_dump(study, sort_keys=False), encoding="utf-8")
    parts = []
    for predictor, file in (("recommended", run.study), ("model", alone)):
        output = run.folder / f"{predictor}.parquet"
        run.call(
            "nestmat.cli", "predict", "--study", file.name, "--input", "pool.csv", "--output", output.name
        )
        predicted = tables.read(output)
        # The header of the file is its first line.
        true = pool["refractive_index"].to_numpy()[predicted["row"] - 2]
        columns = (
            predicted["mean"].to_numpy(),
            predicted["std"].to_numpy(),
            true,
            predicted["domain"].to_numpy(),
        )
        part = search_pool(Pooled(*columns), REFRACTIVE, predictor, run.seed, OUT_OF_POOL)
        parts.append(part.assign(predictor=predictor))
    return pd.concat(parts).assign(problem="dielectric", ranked=True)


PROBLEMS: Mapping[str, tuple[Callable[[Run, Path], pd.DataFrame], str]] = {
    "alloys": (design_alloys, "dvae_hea/HEA_top30_comps.csv"),
    "halides": (design_halides, "mannodi/PBE_data.csv"),
    "dielectric": (design_dielectrics, "matbench/dielectric.csv"),
}
"""What designs in each problem, with the file of published data that it reads."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Design in each problem, once a seed, and print what was promised with what is true."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--problems", nargs="+", default=[*PROBLEMS], choices=PROBLEMS)
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2], help="of rows, noise and folds")
    parser.add_argument("--out", type=Path, help="folder to keep the studies in; a temporary one by default")
    parser.add_argument("--cores", type=int, default=1, help="of Snakemake")
    options = parser.parse_args(arguments)
    mirror = Path(os.environ.get("NESTMAT_MIRROR", ""))
    files = {name: mirror / PROBLEMS[name][1] for name in options.problems}
    if missing := [PROBLEMS[name][1] for name, file in files.items() if not file.is_file()]:
        print(f"skipped: NESTMAT_MIRROR names no folder with {missing[0]}")
        return
    with TemporaryDirectory() as temporary:
        out = (options.out or Path(temporary)).resolve()
        parts = []
        for name in options.problems:
            for seed in options.seeds:
                begun = time.perf_counter()
                run = Run(out / f"{name}_{seed}", seed, options.cores)
                parts.append(PROBLEMS[name][0](run, mirror).assign(seed=seed))
                print(f"{name}, seed {seed}: {time.perf_counter() - begun:.0f} s", flush=True)
        proposals = pd.concat(parts, ignore_index=True)
        if options.out:
            proposals.to_csv(out / "proposals.csv", index=False)
    print_rates(proposals)


if __name__ == "__main__":
    main()
