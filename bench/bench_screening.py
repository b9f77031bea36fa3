"""Screening of a design space through two scales against one row at a time with matminer and scikit-learn.

The space is that of halide perovskites with three ions on A, three out of eight on B and four on X, in
eighths. The networks are those of the default study, eight members a scale, with their first weights: the
time does not depend on the values. The space is screened by several processes of one thread, as Snakemake
runs the chunks. The peer featurizes formulas with `ElementProperty` and predicts with a random forest, in as
many processes.

Both run by turns, and the fastest round of each counts: other work on the machine slows single rounds. The
rate for each second of processor time tells how much it did. The time of twice as many materials follows, and
the largest memory of a process after each.

The kernel is measured side by side in one process: the compiled chain against the differentiable one, which
predicts 4096 materials at once, in processor time by turns.
"""

from __future__ import annotations

import argparse
import resource
import time
import warnings
from collections.abc import Callable, Sequence
from concurrent.futures import Executor, ProcessPoolExecutor
from contextlib import ExitStack
from functools import cache
from multiprocessing import get_context
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pandas as pd
import torch
from matminer.featurizers.composition import ElementProperty
from pymatgen.core import Composition
from sklearn.ensemble import RandomForestRegressor

from nestmat.config.loading import load_study
from nestmat.config.scales import Scale
from nestmat.features.differentiable import feature_map
from nestmat.features.feature_map import FeatureMap
from nestmat.materials import ions
from nestmat.models.autoencoder.network import Autoencoder
from nestmat.models.specification import Shapes
from nestmat.paths import ROOT
from nestmat.scales.chain import Chain
from nestmat.search.problem import Constraint, Problem, Target
from nestmat.search.screening import Screening, screen
from nestmat.search.spaces.alloys import ABX3Alloy
from nestmat.search.spaces.factors import Fixed
from nestmat.search.spaces.simplex import Simplex
from nestmat.search.surrogate import Surrogate
from nestmat.training.checkpoints import Trained
from nestmat.training.scaling import Scaler

SPECIES = {
    "A": ["K", "Rb", "Cs"],
    "B": ["Ge", "Sn", "Mg", "Ca", "Sr", "Ba", "Zn", "Cd"],
    "X": ["F", "Cl", "Br", "I"],
}
SCALES = ("ionic", "electronic")
MODEL = "nested"
COMPARED = 65_536
"""Materials that the two kernels predict by turns."""


def perovskites() -> ABX3Alloy:
    """10.2 million unstrained materials."""
    sites = {site: Simplex(names, 8, site=site, most=3) for site, names in SPECIES.items() if site == "B"}
    sites |= {site: Simplex(names, 8, site=site) for site, names in SPECIES.items() if site != "B"}
    charges = {name: ions.ion(name).charge for names in SPECIES.values() for name in names}
    return ABX3Alloy(sites, charges, [Fixed("strain", 0.0)])


def untrained(
    name: str, scale: Scale, space: ABX3Alloy, parents: dict[str, Trained], members: int
) -> tuple[Trained, FeatureMap]:
    """First weights of a scale of the default study, with scalers of the space's features."""
    specification = scale.models[MODEL].specification
    columns = {}
    for block, settings in scale.features.items():
        shares = [
            number for number in space.columns if number.startswith(f"{settings.arguments.get('site')}:")
        ]
        trained = settings.build().copied_columns or shares
        columns[block] = feature_map({block: settings}, {block: trained}, space.columns).columns
    mapped = feature_map(scale.features, columns, space.columns)
    values = dict(zip(mapped.columns, mapped(torch.from_numpy(space.sample(1000, 0))).T.numpy(), strict=True))
    scalers = {
        block: Scaler.fit(np.column_stack([values[c] for c in names]), np.ones((members, 1000), dtype=bool))
        for block, names in columns.items()
    }
    for parent, network in parents.items():
        columns[parent] = [f"z{k}" for k in range(network.specification.encoder.latents)]
        scalers[parent] = Scaler.identity(members, len(columns[parent]))
    scalers |= {target: Scaler.identity(members, 1) for target in scale.targets}
    kinds = {block: "simplex" if block in SPECIES else "continuous" for block in columns}
    shapes = Shapes({block: len(names) for block, names in columns.items()}, kinds, scale.targets)
    seeds = np.arange(members)
    keys = pd.DataFrame({"member": seeds, "repeat": 0, "fold": -1, "inner": -1, "seed": seeds})
    trained = Trained(
        scale=name,
        model=MODEL,
        protocol="strict",
        specification=specification,
        flat=Autoencoder(specification, shapes, seeds.tolist()).flat,
        scalers=scalers,
        members=keys,
        columns=columns,
        kinds=kinds,
        targets=scale.targets,
        parents=list(parents),
        units={},
    )
    return trained, mapped


def untrained_problem(members: int) -> Problem:
    """A problem of a gap and a formation energy, which a chain of two scales predicts."""
    study, space = load_study(ROOT / "config.yaml"), perovskites()
    networks: dict[str, Trained] = {}
    maps, weights = {}, {}
    with TemporaryDirectory() as folder:
        for name in SCALES:
            scale = study.scales[name]
            parents = {parent: networks[parent] for parent in scale.parents}
            networks[name], maps[name] = untrained(name, scale, space, parents, members)
            weights[name] = Path(folder) / f"{name}.safetensors"
            networks[name].save(weights[name], weights[name].with_suffix(".json"))
        surrogate = Surrogate(Chain(weights), maps)
    return Problem(
        space,
        surrogate,
        [Target("electronic.gap", "value", 0.2, tolerance=0.01)],
        [Constraint("electronic.formation_energy", high=0.0, sigmas=1.0)],
    )


@cache
def prepared(members: int) -> Problem:
    """The problem of this process."""
    torch.set_num_threads(1)
    return untrained_problem(members)


def screen_range(members: int, start: int, stop: int) -> tuple[float, float]:
    """Screen a range; seconds of processor time, and the largest memory of the process so far, in MB."""
    problem, begun = prepared(members), time.process_time()
    screen(problem, Screening(), start, stop)
    return time.process_time() - begun, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def compare_kernels(members: int, materials: int, rounds: int) -> tuple[float, float, float]:
    """Seconds of processor time of the differentiable and of the compiled chain, medians over rounds.

    Returns:
        The two times, and the largest difference between their means and standard deviations.
    """
    problem, size = prepared(members), Screening().batch
    surrogate, difference = problem.predict, 0.0
    assert isinstance(surrogate, Surrogate)
    features: list[dict[str, torch.Tensor]] = []
    seconds: tuple[list[float], list[float]] = ([], [])
    for start in range(0, materials, size):
        x = torch.from_numpy(problem.space.from_index(np.arange(start, start + size))).float()
        features.append(surrogate._select({name: mapped(x) for name, mapped in surrogate.maps.items()}))
    for _ in range(rounds):
        begun = time.process_time()
        ordinary = []
        for batch in features:
            for k in range(0, size, 4096):
                part = {name: rows[k : k + 4096] for name, rows in batch.items()}
                outputs = surrogate.chain.differentiable(part)
                ordinary.append({scale: output.targets for scale, output in outputs.items()})
        between = time.process_time()
        compiled = [surrogate.chain.targets(batch) for batch in features]
        seconds[0].append(between - begun)
        seconds[1].append(time.process_time() - between)
    for scale in compiled[0]:
        for target in compiled[0][scale]:
            for k in range(2):
                parts = torch.cat([batch[scale][target][k] for batch in ordinary])
                gap = (parts - torch.cat([batch[scale][target][k] for batch in compiled])).abs().max()
                difference = max(difference, float(gap))
    return float(np.median(seconds[0])), float(np.median(seconds[1])), difference


@cache
def fitted() -> tuple[ElementProperty, RandomForestRegressor]:
    """The usual tools: statistics of elemental properties, and a random forest of 100 trees."""
    featurizer, space = ElementProperty.from_preset("magpie", impute_nan=True), perovskites()
    formulas = space.formulas(space.sample(100, 0))
    x = [featurizer.featurize(Composition(formula)) for formula in formulas]
    return featurizer, RandomForestRegressor(random_state=0).fit(x, np.arange(len(x)))


def predict_one_by_one(formulas: Sequence[str]) -> None:
    """Featurize and predict one formula after the other."""
    featurizer, forest = fitted()
    with warnings.catch_warnings():
        # pymatgen warns of elements without a value, which matminer imputes.
        warnings.simplefilter("ignore", UserWarning)
        for formula in formulas:
            forest.predict([featurizer.featurize(Composition(formula))])


def together(workers: Sequence[Executor], function: Callable[..., Any], tasks: Sequence[tuple]) -> tuple:
    """Seconds that tasks take side by side, and what they return."""
    begun = time.perf_counter()
    waiting = [worker.submit(function, *task) for worker, task in zip(workers, tasks, strict=True)]
    returned = [future.result() for future in waiting]
    return time.perf_counter() - begun, returned


def main() -> None:
    """Print the rates, their ratio, the time of twice as many materials, and the memory."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--materials", type=int, default=1_000_000)
    parser.add_argument("--peer-rows", type=int, default=100)
    parser.add_argument("--members", type=int, default=8)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--processes", type=int, default=2)
    options = parser.parse_args()
    jobs, members, sizes = options.processes, options.members, (options.materials, 2 * options.materials)
    space = perovskites()
    rows = space.formulas(space.sample(options.peer_rows, 1))
    screened: dict[int, list[float]] = {size: [] for size in sizes}
    busy: dict[int, list[float]] = {size: [] for size in sizes}
    one_by_one, peaks = [], {}
    with ExitStack() as stack:
        context = get_context("spawn")
        workers = [stack.enter_context(ProcessPoolExecutor(1, context)) for _ in range(jobs)]
        together(workers, screen_range, [(members, 0, 1)] * jobs)
        together(workers, predict_one_by_one, [(rows[:1],)] * jobs)
        slower, faster, difference = (
            workers[0].submit(compare_kernels, members, COMPARED, 2 * options.rounds + 1).result()
        )
        for _ in range(options.rounds):
            for size in sizes:
                bounds = [(members, k * size // jobs, (k + 1) * size // jobs) for k in range(jobs)]
                seconds, returned = together(workers, screen_range, bounds)
                screened[size].append(seconds)
                busy[size].append(sum(processor for processor, _ in returned))
                peaks.setdefault(size, max(memory for _, memory in returned))
            one_by_one.append(
                together(workers, predict_one_by_one, [(rows[k::jobs],) for k in range(jobs)])[0]
            )
    once, twice, short, long = (min(seconds) for table in (screened, busy) for seconds in table.values())
    rate, slow = sizes[0] / once, len(rows) / min(one_by_one)
    print(
        f"{len(SCALES)} scales, {members} members, {jobs} processes; a space of {space.n_materials} materials"
    )
    print(f"  screened {rate:,.0f} a second, one by one {slow:,.0f}: {rate / slow:,.0f} times faster")
    print(f"  {sizes[0]} in {once:.1f} s, {sizes[1]} in {twice:.1f} s: {twice / once:.2f} times the time")
    print(f"  {sizes[0] / short:,.0f} for a second of processor time, which grows {long / short:.2f} times")
    print(
        f"  kernel for a second of processor time: {COMPARED / faster:,.0f}, differentiable "
        f"{COMPARED / slower:,.0f}: {slower / faster:.2f} times; largest difference {difference:.1e}"
    )
    print("  memory of a process: " + ", ".join(f"{mb:.0f} MB after {size}" for size, mb in peaks.items()))


if __name__ == "__main__":
    main()
