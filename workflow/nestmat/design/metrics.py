"""Metrics of designed materials by judges that the search never saw: rates with intervals, not scores."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from nestmat import tables
from nestmat.domains.verdicts import INSIDE, VERDICTS
from nestmat.scales.predictions import NORMAL_95
from nestmat.search.candidate_table import MODEL, PROMISED, CandidateTable
from nestmat.search.pareto import hypervolume
from nestmat.search.problem import Target
from nestmat.search.spaces.product import Product

ALL = "all"
"""All judges but the model together."""
UNIFORM, TRAINING = "uniform", "training"
"""Materials drawn uniformly from the space, and the best of those that the model was trained on."""
NOVELTY = (0.01, 0.05, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5)
"""Distances to the nearest training material at which the share of new candidates is stated."""
NEW = 0.05
"""Distance from which on a candidate counts as new."""
PURE, SUBSTANTIAL = 0.9, 0.05
"""Alloys: largest share from which on one is nearly a pure element, and smallest that makes a component."""
PAIRS = 2000
"""Pairs of candidates that the mean distance is taken over."""

DESIGN_METRICS: tables.Schema = {
    "method": tables.Column("string"),
    "seed": tables.Column("int32", description="seed of the search; -1: distinct ones of all"),
    "judge": tables.Column("string", description="model: the searched one; all: every other judge"),
    "metric": tables.Column("string"),
    "at": tables.Column("float64", description="distance to the training data, for novelty; else NaN"),
    "value": tables.Column("float64"),
    "low": tables.Column("float64", description="lower end of the 95 % Wilson interval of a rate"),
    "high": tables.Column("float64", description="upper end"),
    "unit": tables.Column("string"),
}


def wilson_interval(hits: int, n: int, z: float = NORMAL_95) -> tuple[float, float]:
    """Interval of a rate (Wilson, J. Am. Stat. Assoc. 22, 209 (1927), doi 10.1080/01621459.1927.10502953).

    As `scipy.stats.binomtest`, but with the interval of a rate without trials, and with the quantile to six
    digits that tables have been written with.

    Args:
        hits: Number of successes.
        n: Number of trials.
        z: Quantile of the normal distribution, 1.96 for 95 %.
    """
    if n == 0:
        return 0.0, 1.0
    rate, square = hits / n, z**2 / n
    middle = (rate + square / 2) / (1 + square)
    half = z * np.sqrt(rate * (1 - rate) / n + square / (4 * n)) / (1 + square)
    # Rounding must not leave the rate itself outside.
    return min(max(0.0, middle - half), rate), max(min(1.0, middle + half), rate)


def assess(
    judged: pd.DataFrame,
    runs: pd.DataFrame,
    space: Product,
    *,
    judges: Sequence[str],
    targets: Mapping[Target, str],
    windows: Mapping[str, tuple[float, float]],
) -> pd.DataFrame:
    """Rates and distances of each method's candidates, over each seed and over all distinct ones.

    Args:
        judged: Candidates with predictions and verdicts of the model and the judges.
        runs: Evaluations and details of each method and seed.
        space: The space.
        judges: Names of the judges.
        targets: Targets, with the unit of each quantity.
        windows: Range of each geometric criterion that the candidates have.

    Returns:
        `DESIGN_METRICS`.
    """
    volumes = {judge: Volume(judged, judge, list(targets)) for judge in judges if len(targets) > 1}
    rows = []
    for method, part in judged.groupby("method", sort=False):
        distinct = part.drop_duplicates(list(space.columns))
        unique = _number("unique", MODEL, len(distinct) / len(part))
        rows.append({"method": method, "seed": -1, **unique})
        for seed, candidates in [(-1, distinct), *part.groupby("seed")]:
            searches = runs[(runs["method"] == method) & ((runs["seed"] == seed) | (seed == -1))]
            metrics = [
                *_candidate_metrics(candidates, space, judges, targets, windows),
                *_sampling_metrics(candidates, searches, judges),
                *_inversion_metrics(searches),
            ]
            for judge, volume in volumes.items():
                metrics.append(_number("hypervolume", judge, volume(candidates)))
            rows += [{"method": method, "seed": int(seed), **metric} for metric in metrics]
    frame = pd.DataFrame(rows, columns=list(DESIGN_METRICS))
    return frame.astype({"seed": "int32"})


class Volume:
    """Share of the attainable volume of targets that the front of some candidates dominates, by a judge.

    The volume lies between the worst distance of each target in a uniform sample of the space and the best
    of all candidates; those that break a constraint do not count.

    Args:
        judged: All candidates, those of the uniform sample among them.
        judge: Name of the judge.
        targets: Targets of the problem.
    """

    def __init__(self, judged: pd.DataFrame, judge: str, targets: Sequence[Target]):
        self.judge, self.targets = judge, targets
        self._worst = self._distances(judged[judged["method"] == UNIFORM]).max(axis=0)
        self._best = np.minimum(self._distances(judged).min(axis=0), self._worst)

    def _distances(self, part: pd.DataFrame) -> NDArray[np.float64]:
        table = CandidateTable(part)
        values = (torch.tensor(table.mean(t.quantity, self.judge).to_numpy()) for t in self.targets)
        # A judge's mean counts as exact.
        return np.column_stack(
            [t.distance(v, torch.zeros_like(v)).numpy() for t, v in zip(self.targets, values, strict=True)]
        )

    def __call__(self, part: pd.DataFrame) -> float:
        """The share of ``part``, 0 to 1."""
        feasible = part[CandidateTable(part).violation(self.judge) == 0]
        if feasible.empty:
            return 0.0
        return hypervolume(self._distances(feasible), self._worst) / float(np.prod(self._worst - self._best))


def _rate(metric: str, judge: str, met: NDArray[np.bool_], at: float = np.nan) -> dict:
    return _share(metric, judge, int(met.sum()), len(met), at)


def _share(metric: str, judge: str, hits: int, n: int, at: float = np.nan) -> dict:
    low, high = wilson_interval(hits, n)
    value = hits / n if n else np.nan
    return {
        "judge": judge,
        "metric": metric,
        "at": at,
        "value": value,
        "low": low,
        "high": high,
        "unit": "",
    }


def _number(metric: str, judge: str, value: Any, unit: str = "") -> dict:
    return {
        "judge": judge,
        "metric": metric,
        "at": np.nan,
        "value": float(value),
        "low": np.nan,
        "high": np.nan,
        "unit": unit,
    }


def _candidate_metrics(
    part: pd.DataFrame,
    space: Product,
    judges: Sequence[str],
    targets: Mapping[Target, str],
    windows: Mapping[str, tuple[float, float]],
) -> Iterator[dict]:
    table = CandidateTable(part)
    x = table.numbers(space.columns)
    yield _number("candidates", MODEL, len(part))
    yield _number("diversity", MODEL, diversity(x, space))
    if space.is_box:
        yield _number("pair_distance", MODEL, pair_distance(x, space))
    new, inside = part["novelty"].to_numpy() >= NEW, (part["domain"] == VERDICTS[INSIDE]).to_numpy()
    fractions = space.element_fractions(x)
    if fractions is not None:
        yield _rate("pure", MODEL, fractions.max(axis=1) > PURE)
        yield _rate("five_elements", MODEL, (fractions >= SUBSTANTIAL - 1e-9).sum(axis=1) >= 5)
        yield _number("elements", MODEL, (fractions > 0).sum(axis=1).mean())
    for at in NOVELTY:
        yield _rate("novel", MODEL, part["novelty"].to_numpy() >= at, at)
    yield _rate("in_domain", MODEL, inside)
    for name, (low, high) in windows.items():
        yield _rate(f"{name}_window", MODEL, table.mean(name).between(low, high).to_numpy())
    yield _number(PROMISED, MODEL, part[PROMISED].mean())
    yield _rate("hit", MODEL, table.hit().to_numpy())
    by_all_judges = np.ones(len(part), dtype=bool)
    for judge in judges:
        hit = table.hit(judge).to_numpy()
        by_all_judges &= hit
        yield _rate("hit", judge, hit)
        yield _rate("hit_new_in_domain", judge, hit & new & inside)
        for quantity, unit in ((target.quantity, unit) for target, unit in targets.items()):
            error = table.mean(quantity) - table.mean(quantity, judge)
            yield _number(f"optimism:{quantity}", judge, error.mean(), unit)
            yield _number(f"median:{quantity}", judge, table.mean(quantity, judge).median(), unit)
        for target, unit in targets.items():
            if target.goal == "value":
                deviation = (table.mean(target.quantity, judge) - target.low).abs()
                yield _number(f"error:{target.quantity}", judge, deviation.mean(), unit)
        yield _number("distance_median", judge, table.distance(judge).median())
        yield _number("distance_90", judge, table.distance(judge).quantile(0.9))
    if judges:
        yield _rate("hit", ALL, by_all_judges)
        yield _rate("hit_new_in_domain", ALL, by_all_judges & new & inside)


def _sampling_metrics(part: pd.DataFrame, searches: pd.DataFrame, judges: Sequence[str]) -> Iterator[dict]:
    """Shares of samples of a generative method that lie in the space, are kept, and hit by all judges."""
    runs = [json.loads(details) for details in searches["details"]]
    if not runs or "sampled" not in runs[0]:
        return
    n_sampled, n_inside, n_kept = (sum(run[key] for run in runs) for key in ("sampled", "inside", "kept"))
    yield _share("inside", MODEL, n_inside, n_sampled)
    yield _share("kept", MODEL, n_kept, n_sampled)
    if judges:
        hits = np.logical_and.reduce([CandidateTable(part).hit(judge).to_numpy() for judge in judges])
        # Only some of the kept samples are proposed and judged: they stand for the others.
        yield _share("yield", ALL, round(hits.mean() * n_kept), n_sampled)


def _inversion_metrics(searches: pd.DataFrame) -> Iterator[dict]:
    """Share of the materials of an inversion that reached the targets, with their mean change and steps."""
    runs = [json.loads(details) for details in searches["details"]]
    if not runs or "reached" not in runs[0]:
        return
    reached = sum(run["reached"] for run in runs)
    yield _share("reached", MODEL, reached, sum(run["started"] for run in runs))
    for name in ("moved", "steps") if reached else ():
        total = sum(run["reached"] * run.get(name, 0.0) for run in runs)
        yield _number(name, MODEL, total / reached)


def _pairs(n: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """`PAIRS` pairs of n > 1 materials, never one with itself."""
    random = np.random.default_rng(0)
    first = random.integers(n, size=PAIRS)
    return first, (first + random.integers(1, n, size=PAIRS)) % n


def pair_distance(x: NDArray[np.float64], space: Product) -> float:
    """Mean Euclidean distance of pairs of materials (n, columns) where every interval is -1 to 1.

    Over `PAIRS` of them; NaN for one material. Images of one material under a symmetry are not the same here.
    """
    if len(x) < 2:
        return float("nan")
    low, high = (np.array([getattr(f, end) for f in space.factors]) for end in ("low", "high"))
    first, second = _pairs(len(x))
    return float(np.linalg.norm(2 * (x[first] - x[second]) / (high - low), axis=1).mean())


def diversity(x: NDArray[np.float64], space: Product) -> float:
    """Mean distance of pairs of materials (n, columns), over `PAIRS` of them; NaN for one material."""
    if len(x) < 2:
        return float("nan")
    first, second = _pairs(len(x))
    return float(space.distance(x[first], x[second]).mean())
