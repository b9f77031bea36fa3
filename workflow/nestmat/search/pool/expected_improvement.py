"""Bayesian search in a pool: which rows to label next, so that few labels suffice to find the best one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from nestmat.errors import InputError
from nestmat.search.pool.gaussian_process import Hyperparameters, fit, posterior

LARGEST_POOL = 10_000
"""Largest number of rows of a pool with one view: all distances between them are in memory."""

_NUMBERS = 20_000_000
"""Largest size of the arrays of trials that are searched together."""


def expected_improvement(mean: Tensor, std: Tensor, best: Tensor) -> Tensor:
    """Expected improvement on ``best``; Jones, Schonlau, Welch, J. Glob. Optim. 13, 455 (1998).

    Example:
        >>> expected_improvement(torch.tensor(1.0), torch.tensor(1e-6), torch.tensor(0.25)).item()
        0.75
    """
    u = (mean - best) / std
    density = torch.exp(-0.5 * u.square()) / (2 * np.pi) ** 0.5
    return std * (density + u * torch.special.ndtr(u))


def predicted_mean(mean: Tensor, std: Tensor, best: Tensor) -> Tensor:
    """The predicted label itself: uncertainty is not sought."""
    return mean


@dataclass(frozen=True)
class AcquisitionSettings:
    """How a search uses its labels.

    Attributes:
        condition_at_once: A new label conditions the process for the next pick, with the hyperparameters in
            use; otherwise only when they are fitted again.
        delay_refit: Newly fitted processes are used from the pick after the next on, and an untrained one for
            the first pick.
        standardise: Labels are standardised on the labelled rows.
        single_precision: The score is rounded to single precision, in which that of most rows may be 0.
        refits: Whether hyperparameters are fitted again as labels come in.
        score: Acquisition function of mean, standard deviation and best label (b, n): the row with the
            largest value is picked.
    """

    condition_at_once: bool = True
    delay_refit: bool = False
    standardise: bool = True
    single_precision: bool = False
    refits: bool = True
    score: Callable[[Tensor, Tensor, Tensor], Tensor] = expected_improvement


DEFAULT_SETTINGS = AcquisitionSettings()
PUBLISHED = AcquisitionSettings(
    condition_at_once=False, delay_refit=True, standardise=False, single_precision=True
)
"""As T-NIKHIL/NestedAE at commit 36ebc79 does it, figs/mhp_solv_BE_full_bo_results/plot.py."""
RANKING = AcquisitionSettings(condition_at_once=False, refits=False, score=predicted_mean)
"""Rows in the order of the mean of one process, fitted to the start rows."""


def start_rows(y: ArrayLike, share: float, trials: int, bins: int, seed: int) -> NDArray[np.int64]:
    """Rows labelled before the search: equally many from each quantile bin, and never the best row.

    Args:
        y: Labels of the pool, the larger the better, (n,).
        share: Share of the pool, rounded down to whole rows.
        trials: Number of starts to draw.
        bins: Number of quantile bins of the labels.
        seed: Seed of the draws.

    Returns:
        (trials, rows).

    Raises:
        InputError: The share gives no row, or leaves none to find.
    """
    y = np.asarray(y, dtype=np.float64)
    inferior = np.flatnonzero(y < y.max())
    size = int(share * len(y) + 1e-9)
    if not 1 <= size < len(inferior):
        raise InputError(
            f"The start has {size} of {len(y)} rows, of which {len(inferior)} are not the best.",
            key="start",
            value=share,
            remedy="choose a share that gives one row or more, and leaves some to search.",
        )
    bin_of = np.digitize(y[inferior], np.quantile(y, np.arange(1, bins) / bins))
    random = np.random.default_rng(seed)
    starts = np.empty((trials, size), dtype=np.int64)
    for trial in range(trials):
        order = random.permutation(len(inferior))
        # Place of a row within its bin, then the bins in a random order.
        place = np.empty(len(inferior), dtype=np.int64)
        for k in range(bins):
            in_bin = order[bin_of[order] == k]
            place[in_bin] = np.arange(len(in_bin))
        turn = random.permutation(bins)[bin_of]
        starts[trial] = inferior[np.lexsort((turn, place))[:size]]
    return starts


@dataclass(frozen=True)
class _Processes:
    """Processes of several trials, with the rows and labels that condition them, (b, m) each."""

    hyper: Hyperparameters
    rows: Tensor
    labels: Tensor

    def __getitem__(self, trials: Tensor) -> _Processes:
        hyper = Hyperparameters(*(value[trials] for value in self.hyper))
        return _Processes(hyper, self.rows[trials], self.labels[trials])

    def predict(self, distance: Tensor, view: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and standard deviation of every row of the pool, (b, n) each."""
        cross = distance[view[:, None], self.rows]
        return posterior(self.hyper, distances_among(distance, view, self.rows), self.labels, cross)


def distances_among(distance: Tensor, view: Tensor, rows: Tensor) -> Tensor:
    """Distances between the rows (b, m) of each trial in its view (b,), (b, m, m)."""
    return distance[view[:, None, None], rows[:, :, None], rows[:, None, :]]


class _Trials(NamedTuple):
    """Trials that are searched together.

    Attributes:
        view: View of each, (b,).
        rows: Start rows, (b, m).
        ties: Order in which rows of equal score are picked, (b, n).
    """

    view: Tensor
    rows: Tensor
    ties: Tensor


class _Schedule(NamedTuple):
    """Number of picks, rows picked before their labels are read, and picks between two fits."""

    picks: int
    batch: int
    refit: int


def pool_search(
    x: ArrayLike,
    y: ArrayLike,
    start: ArrayLike,
    *,
    picks: int,
    batch: int = 1,
    refit: int = 10,
    settings: AcquisitionSettings = DEFAULT_SETTINGS,
    seed: int = 0,
) -> NDArray[np.int64]:
    """The rows of a pool in the order in which a search reads their labels, for many trials at once.

    Within a batch, the predicted mean replaces a label that is not known yet (Kriging believer: Ginsbourger,
    Le Riche and Carraro (2010), doi:10.1007/978-3-642-10701-6_6).

    Args:
        x: Inputs, (n, d); or several views of the same rows, (views, n, d), which the trials take in turn.
        y: Labels, the larger the better, (n,).
        start: Rows whose labels a trial knows before, (trials, rows).
        picks: Largest number of rows to pick.
        batch: Rows picked before their labels are read.
        refit: Picks after which hyperparameters are fitted again.
        settings: How labels are used.
        seed: Seed of the order in which rows of equal score are picked.

    Returns:
        Rows in the order of the picks, (trials, picks); -1 after the batch with the best row.

    Raises:
        InputError: A number is not finite, or the pool is too large or too small.
    """
    inputs, labels, first = torch.tensor(x).double(), torch.tensor(y).double(), torch.tensor(start).long()
    inputs = inputs[None] if inputs.dim() == 2 else inputs
    views, n, _ = inputs.shape
    _check(inputs, labels, picks, first)
    distance = torch.cdist(inputs, inputs, compute_mode="donot_use_mm_for_euclid_dist")
    turn = np.tile(np.arange(n), (len(first), 1))
    ties = torch.from_numpy(np.random.default_rng(seed).permuted(turn, axis=1))
    view = torch.arange(len(first)) % views
    parts = torch.arange(len(first)).split(max(1, _NUMBERS // (n * (first.shape[1] + picks))))
    schedule = _Schedule(picks, batch, refit)
    picked = [
        _search(distance, labels, _Trials(view[p], first[p], ties[p]), schedule, settings) for p in parts
    ]
    return torch.cat(picked).numpy()


def _check(x: Tensor, y: Tensor, picks: int, start: Tensor) -> None:
    n = len(y)
    for name, values in (("inputs", x), ("labels", y)):
        if not torch.isfinite(values).all():
            raise InputError(
                f"The {name} of the pool have values that are not finite.", remedy="leave such rows out."
            )
    if x.shape[1] != n or len(x) * n**2 > LARGEST_POOL**2:
        raise InputError(
            f"The pool has {x.shape[1]} rows in {len(x)} views, and {n} labels.",
            remedy=f"give one label a row, and {LARGEST_POOL} rows at most.",
        )
    if picks > n - start.shape[1]:
        raise InputError(
            f"There are {picks} picks, more than the {n - start.shape[1]} rows that are not in the start.",
            key="picks",
            remedy="lower the number of picks.",
        )


@torch.no_grad()
def _search(
    distance: Tensor, y: Tensor, trials: _Trials, schedule: _Schedule, settings: AcquisitionSettings
) -> Tensor:
    """As `pool_search`, of the distances (views, n, n) and labels (n,) of the pool."""
    view, rows, ties = trials
    n_trials, size = rows.shape
    picked = torch.full((n_trials, schedule.picks), -1)
    running = torch.arange(n_trials)
    untrained = Hyperparameters.of(torch.zeros(4, n_trials, dtype=y.dtype))
    process, fitted = _Processes(untrained, rows, y[rows]), -schedule.refit
    for done in range(0, schedule.picks, schedule.batch):
        labels = y[rows]
        if (settings.refits or done == 0) and done - fitted >= schedule.refit:
            unfinished = (labels < y.max()).all(dim=1)
            if not unfinished.any():
                break
            running, view, rows, labels, ties = (v[unfinished] for v in (running, view, rows, labels, ties))
            process, fitted = process[unfinished], done
            hyper = fit(distances_among(distance, view, rows), labels, settings.standardise)
            refitted = _Processes(hyper, rows, labels)
            process = process if settings.delay_refit else refitted
        for _ in range(min(schedule.batch, schedule.picks - done)):
            if settings.condition_at_once:
                process = _Processes(process.hyper, rows, labels)
            mean, std = process.predict(distance, view)
            score = settings.score(mean, std, labels.max(dim=1, keepdim=True).values)
            score = (score.float() if settings.single_precision else score).scatter(1, rows, -torch.inf)
            top = score == score.max(dim=1, keepdim=True).values
            pick = torch.where(top, ties, -1).argmax(dim=1, keepdim=True)
            rows, labels = torch.cat([rows, pick], dim=1), torch.cat([labels, mean.gather(1, pick)], dim=1)
        process = refitted
        picked[running, : rows.shape[1] - size] = rows[:, size:]
    return _until_best(picked, y, schedule.batch)


def _until_best(picked: Tensor, y: Tensor, batch: int) -> Tensor:
    """Replace picks after the batch with the best row by -1."""
    best = (y[picked] == y.max()) & (picked >= 0)
    n_before = best.long().cumsum(dim=1) - best.long()
    return torch.where(n_before[:, torch.arange(picked.shape[1]) // batch * batch] > 0, -1, picked)
