"""Bayesian search in a pool: which rows to label next, to see the best one after as few labels as can be."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor
from torch.nn.functional import softplus

from nestmat.errors import InputError

STEPS, RATE = 100, 0.1
"""Adam on the hyperparameters: steps, and step size."""

LEAST_NOISE = 1e-4
"""Smallest variance of the noise."""

LARGEST_POOL = 10_000
"""Most rows of a pool with one view: all distances between them are kept."""

_NUMBERS = 20_000_000


class Hyperparameters(NamedTuple):
    """Of several processes side by side, (b,) each.

    Attributes:
        mean: Constant mean.
        variance: Variance of the function.
        length: Length scale, one for all inputs.
        noise: Variance of the noise.
    """

    mean: Tensor
    variance: Tensor
    length: Tensor
    noise: Tensor

    @classmethod
    def of(cls, free: Tensor) -> Hyperparameters:
        """From unconstrained reals (4, b), of which zeros are an untrained process."""
        mean, variance, length, noise = free
        return cls(mean, softplus(variance), softplus(length), softplus(noise) + LEAST_NOISE)

    def covariance(self, distance: Tensor) -> Tensor:
        """Matern 5/2 of distances (b, m, n); Rasmussen and Williams (2006), equation 4.17."""
        r = 5**0.5 * distance / self.length[:, None, None]
        return self.variance[:, None, None] * (1 + r + r.square() / 3) * torch.exp(-r)

    def cholesky(self, distance: Tensor) -> Tensor:
        """Factor of the covariance of labels at distances (b, n, n), noise included."""
        noise = self.noise[:, None, None] * torch.eye(distance.shape[1], dtype=distance.dtype)
        return torch.linalg.cholesky(self.covariance(distance) + noise)


def log_likelihood(hyper: Hyperparameters, distance: Tensor, y: Tensor) -> Tensor:
    """Marginal likelihood of labels; Rasmussen and Williams (2006), equation 2.30.

    Args:
        hyper: Hyperparameters.
        distance: Between the labelled rows, (b, n, n).
        y: Labels, (b, n).

    Returns:
        Its logarithm, (b,).
    """
    factor = hyper.cholesky(distance)
    away = torch.linalg.solve_triangular(factor, (y - hyper.mean[:, None])[..., None], upper=False)
    determinant = factor.diagonal(dim1=1, dim2=2).log().sum(dim=1)
    return -0.5 * away.square().sum(dim=(1, 2)) - determinant - 0.5 * y.shape[1] * np.log(2 * np.pi)


@torch.enable_grad()
def fit(distance: Tensor, y: Tensor, standardise: bool = True) -> Hyperparameters:
    """Hyperparameters after `STEPS` steps of Adam up the marginal likelihood, from an untrained process.

    Args:
        distance: Between the labelled rows, (b, n, n).
        y: Labels, (b, n).
        standardise: Whether to fit to standardised labels; what is returned is in the unit of ``y``.
    """
    offset, scale = torch.zeros_like(y[:, 0]), torch.ones_like(y[:, 0])
    if standardise:
        offset, scale = y.mean(dim=1), y.std(dim=1, unbiased=False)
        scale = torch.where(scale > 0, scale, 1.0)
    target = (y - offset[:, None]) / scale[:, None]
    free = torch.zeros(4, len(y), dtype=y.dtype, requires_grad=True)
    optimiser = torch.optim.Adam([free], lr=RATE)
    for _ in range(STEPS):
        loss = -log_likelihood(Hyperparameters.of(free), distance, target).sum() / y.shape[1]
        [free.grad] = torch.autograd.grad(loss, free)
        optimiser.step()
    mean, variance, length, noise = Hyperparameters.of(free.detach())
    return Hyperparameters(offset + scale * mean, scale**2 * variance, length, scale**2 * noise)


def posterior(hyper: Hyperparameters, distance: Tensor, y: Tensor, cross: Tensor) -> tuple[Tensor, Tensor]:
    """What processes say of rows, noise left out; Rasmussen and Williams (2006), algorithm 2.1.

    Args:
        hyper: Hyperparameters.
        distance: Between the labelled rows, (b, n, n).
        y: Their labels, (b, n).
        cross: From them to the rows asked for, (b, n, m).

    Returns:
        Mean and standard deviation, (b, m) each.
    """
    factor, covariance = hyper.cholesky(distance), hyper.covariance(cross)
    away = torch.cholesky_solve((y - hyper.mean[:, None])[..., None], factor)
    mean = hyper.mean[:, None] + (covariance * away).sum(dim=1)
    reduced = torch.linalg.solve_triangular(factor, covariance, upper=False)
    variance = hyper.variance[:, None] - reduced.square().sum(dim=1)
    return mean, variance.clamp_min(1e-12).sqrt()


def expected_improvement(mean: Tensor, std: Tensor, best: Tensor) -> Tensor:
    """How much more than ``best`` is expected; Jones, Schonlau, Welch, J. Glob. Optim. 13, 455 (1998)."""
    u = (mean - best) / std
    density = torch.exp(-0.5 * u.square()) / (2 * np.pi) ** 0.5
    return std * (density + u * torch.special.ndtr(u))


def mean_alone(mean: Tensor, std: Tensor, best: Tensor) -> Tensor:
    """The predicted label itself: no row is tried because little is known of it."""
    return mean


@dataclass(frozen=True)
class Way:
    """How a search uses its labels.

    Attributes:
        at_once: A new label conditions the process for the next pick, with the hyperparameters in use;
            otherwise only when they are fitted anew.
        late: Newly fitted processes serve from the pick after the next on, and an untrained one serves the
            first pick.
        standardise: Labels are standardised on the rows seen.
        single: The score is rounded to single precision, in which that of most rows may be 0.
        refits: Whether hyperparameters are fitted again as labels come in.
        score: Of mean, standard deviation and best label (b, n): the row with the largest is picked.
    """

    at_once: bool = True
    late: bool = False
    standardise: bool = True
    single: bool = False
    refits: bool = True
    score: Callable[[Tensor, Tensor, Tensor], Tensor] = expected_improvement


SOUND = Way()
PUBLISHED = Way(at_once=False, late=True, standardise=False, single=True)
"""As T-NIKHIL/NestedAE at commit 36ebc79 does it, figs/mhp_solv_BE_full_bo_results/plot.py."""
RANKING = Way(at_once=False, refits=False, score=mean_alone)
"""Rows by the mean of one process, fitted to the start rows."""


def start_rows(y: ArrayLike, share: float, trials: int, bins: int, seed: int) -> NDArray[np.int64]:
    """Rows labelled before the search, as many from each quantile bin as can be, and never the best.

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
    others = np.flatnonzero(y < y.max())
    size = int(share * len(y) + 1e-9)
    if not 1 <= size < len(others):
        raise InputError(
            f"gives {size} of {len(y)} rows, of which {len(others)} are not the best.",
            column="start",
            value=share,
            remedy="choose a share that gives one row or more, and leaves some to search.",
        )
    bin_of = np.digitize(y[others], np.quantile(y, np.arange(1, bins) / bins))
    random = np.random.default_rng(seed)
    found = np.empty((trials, size), dtype=np.int64)
    for trial in range(trials):
        order = random.permutation(len(others))
        # Place of a row within its bin, then the bins in an order of their own.
        place = np.empty(len(others), dtype=np.int64)
        for k in range(bins):
            mine = order[bin_of[order] == k]
            place[mine] = np.arange(len(mine))
        turn = random.permutation(bins)[bin_of]
        found[trial] = others[np.lexsort((turn, place))[:size]]
    return found


@dataclass(frozen=True)
class _Processes:
    """Processes of several trials, with the rows and labels that they are given, (b, m) each."""

    hyper: Hyperparameters
    rows: Tensor
    labels: Tensor

    def __getitem__(self, trials: Tensor) -> _Processes:
        hyper = Hyperparameters(*(value[trials] for value in self.hyper))
        return _Processes(hyper, self.rows[trials], self.labels[trials])

    def predict(self, distance: Tensor, view: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and standard deviation of every row of the pool, (b, n) each."""
        cross = distance[view[:, None], self.rows]
        return posterior(self.hyper, _between(distance, view, self.rows), self.labels, cross)


def _between(distance: Tensor, view: Tensor, rows: Tensor) -> Tensor:
    return distance[view[:, None, None], rows[:, :, None], rows[:, None, :]]


def pool_search(
    x: ArrayLike,
    y: ArrayLike,
    start: ArrayLike,
    *,
    picks: int,
    batch: int = 1,
    refit: int = 10,
    way: Way = SOUND,
    seed: int = 0,
) -> NDArray[np.int64]:
    """The rows of a pool in the order in which a search looks at their labels, for many trials at once.

    Within a batch a label that is not there yet is believed to be what the process predicts (Kriging
    believer: Ginsbourger, Le Riche and Carraro (2010), doi:10.1007/978-3-642-10701-6_6).

    Args:
        x: Inputs, (n, d); or several views of the same rows, (views, n, d), which the trials take in turn.
        y: Labels, the larger the better, (n,).
        start: Rows whose labels a trial knows before, (trials, rows).
        picks: Most rows to pick.
        batch: Rows picked before their labels are looked at.
        refit: Picks after which hyperparameters are fitted anew.
        way: How labels are used.
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
    found = [
        _search(distance, labels, view[p], first[p], ties[p], picks=picks, batch=batch, refit=refit, way=way)
        for p in parts
    ]
    return torch.cat(found).numpy()


def _check(x: Tensor, y: Tensor, picks: int, start: Tensor) -> None:
    n = len(y)
    for name, values in (("x", x), ("y", y)):
        if not torch.isfinite(values).all():
            raise InputError("has values that are not finite.", column=name, remedy="leave such rows out.")
    if x.shape[1] != n or len(x) * n**2 > LARGEST_POOL**2:
        raise InputError(
            f"has {x.shape[1]} rows in {len(x)} views, and {n} labels.",
            column="pool",
            remedy=f"give one label a row, and {LARGEST_POOL} rows at most.",
        )
    if picks > n - start.shape[1]:
        raise InputError(
            f"are more than the {n - start.shape[1]} rows that the start leaves.", column="picks", value=picks
        )


@torch.no_grad()
def _search(
    distance: Tensor,
    y: Tensor,
    view: Tensor,
    rows: Tensor,
    ties: Tensor,
    *,
    picks: int,
    batch: int,
    refit: int,
    way: Way,
) -> Tensor:
    trials, size = rows.shape
    found = torch.full((trials, picks), -1)
    running = torch.arange(trials)
    untrained = Hyperparameters.of(torch.zeros(4, trials, dtype=y.dtype))
    process, fitted = _Processes(untrained, rows, y[rows]), -refit
    for done in range(0, picks, batch):
        labels = y[rows]
        if (way.refits or done == 0) and done - fitted >= refit:
            going = (labels < y.max()).all(dim=1)
            if not going.any():
                break
            running, view, rows, labels, ties = (v[going] for v in (running, view, rows, labels, ties))
            process, fitted = process[going], done
            hyper = fit(_between(distance, view, rows), labels, way.standardise)
            fresh = _Processes(hyper, rows, labels)
            process = process if way.late else fresh
        for _ in range(min(batch, picks - done)):
            if way.at_once:
                process = _Processes(process.hyper, rows, labels)
            mean, std = process.predict(distance, view)
            score = way.score(mean, std, labels.max(dim=1, keepdim=True).values)
            score = (score.float() if way.single else score).scatter(1, rows, -torch.inf)
            top = score == score.max(dim=1, keepdim=True).values
            pick = torch.where(top, ties, -1).argmax(dim=1, keepdim=True)
            rows, labels = torch.cat([rows, pick], dim=1), torch.cat([labels, mean.gather(1, pick)], dim=1)
        process = fresh
        found[running, : rows.shape[1] - size] = rows[:, size:]
    return _until_best(found, y, batch)


def _until_best(found: Tensor, y: Tensor, batch: int) -> Tensor:
    """Blank out what comes after the batch with the best row."""
    best = (y[found] == y.max()) & (found >= 0)
    before = best.long().cumsum(dim=1) - best.long()
    return torch.where(before[:, torch.arange(found.shape[1]) // batch * batch] > 0, -1, found)
