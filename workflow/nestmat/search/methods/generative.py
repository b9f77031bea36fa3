"""Materials from a generative model: ask for a value, move what comes towards it, keep what fits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
from numpy.typing import NDArray

from nestmat.errors import InputError
from nestmat.search.candidates import Candidates
from nestmat.search.generators.base import GenerativeModel
from nestmat.search.methods.base import SearchContext, SearchMethod
from nestmat.search.methods.registry import METHODS
from nestmat.search.problem import Problem, order
from nestmat.search.spaces.base import DesignSpace


@METHODS.register("generative")
@dataclass(frozen=True)
class Generative(SearchMethod):
    """Sample, filter, localise and filter again, each step as far as it is asked for.

    MatDesINNe (Fung et al., npj Comput. Mater. 7, 200 (2021)) samples, keeps what the searched model puts
    ``near`` the value, and localises that. Where localisation comes first, hardly a sample is lost.

    Attributes:
        samples: Materials to draw.
        near: Largest difference of the prediction from the value before localisation, in its unit; None to
            keep all.
        steps: Steps of the localisation; 0 for none.
        rate: Step size of the localisation.
        prior: Weight of the squared distance from the sample, in coordinates that are about normal.
        scaled: Whether localisation moves along the free numbers of the space, each sample by a step of its
            own (Adam), and so stays in the space; or as published along the raw numbers, by plain gradient
            descent on the mean over all samples, without bounds.
        accept: Largest difference of the prediction from the value in the end; None to keep all. What
            breaks a constraint is left out as well.
    """

    needs_generator: ClassVar[bool] = True

    samples: int = 1000
    near: float | None = None
    steps: int = 0
    rate: float = 0.02
    prior: float = 0.05
    scaled: bool = True
    accept: float | None = None

    def bind(self, context: SearchContext) -> BoundGenerative:
        """The method with trained generators, one a seed."""
        return BoundGenerative(self, context.generators)


@dataclass(frozen=True)
class BoundGenerative(SearchMethod):
    """A `Generative` search of trained models.

    Attributes:
        settings: What is done with the samples.
        models: One a seed; a search takes the one of its seed, and begins again after the last.
    """

    settings: Generative
    models: Sequence[GenerativeModel]

    def propose(self, problem: Problem, budget: int, seed: int) -> Candidates:
        """Search; as `SearchMethod.propose`.

        The details tell how many were ``sampled``, how many of them were ``inside`` the space, and how many
        were ``near`` and ``kept``; ``moved`` is the mean distance in the space that localisation moved them.

        Raises:
            InputError: Another target than one value is wanted, or the budget is too small.
        """
        settings, space = self.settings, problem.space
        if len(problem.targets) != 1 or problem.targets[0].goal != "value":
            raise InputError(
                "is not one value, as a generative model is asked for.",
                column="targets",
                value=[target.quantity for target in problem.targets],
                remedy="give one target with `value`, or search by another method.",
            )
        if (need := settings.samples * (2 + 2 * settings.steps)) > budget:
            raise InputError(
                "is too small for the samples and steps.",
                column="budget",
                value=budget,
                remedy=f"give {need} or more, or fewer samples.",
            )
        target = problem.targets[0]
        drawn = self.models[seed % len(self.models)].sample(target.low, settings.samples, seed)
        x, inside = _inside(space, drawn)
        details: dict[str, float] = {"sampled": len(drawn), "inside": int(inside.sum())}
        evaluations = 0
        if settings.near is not None:
            evaluations += len(x)
            x = x[_off(problem, x) <= settings.near]
            details["near"] = len(x)
        if settings.steps and len(x):
            begin = x
            moved = localise(problem, x, settings)
            evaluations += 2 * settings.steps * len(x)
            x, inside = _inside(space, moved)
            details |= {
                "localised_inside": int(inside.sum()),
                "moved": float(space.distance(begin[inside], x).mean()) if inside.any() else 0.0,
            }
        table = problem.evaluate(x)
        evaluations += len(x)
        keep = np.ones(len(x), dtype=bool)
        if settings.accept is not None:
            off = np.abs(table[target.mean_column].to_numpy() - target.low)
            keep = (off <= settings.accept) & (table["violation"].to_numpy() == 0)
        details["kept"] = int(keep.sum())
        rows = np.flatnonzero(keep)
        rows = rows[order(table.iloc[rows])]
        return Candidates(x[rows], table.iloc[rows].reset_index(drop=True), evaluations, details)


def _inside(space: DesignSpace, x: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Canonical forms of the materials of the space among the rows of ``x``, and which rows they are."""
    canonical = space.canonical(x)
    # A canonical form may be another image of the material: what counts is how far it is from it.
    inside = np.isfinite(x).all(axis=1) & (space.distance(np.nan_to_num(x), canonical) < 1e-9)
    return canonical[inside], inside


def _off(problem: Problem, x: NDArray[np.float64]) -> NDArray[np.float64]:
    target = problem.targets[0]
    mean = problem.evaluate(x)[target.mean_column].to_numpy()
    return np.abs(mean - target.low)


def localise(problem: Problem, x: NDArray[np.float64], settings: Generative) -> NDArray[np.float64]:
    """Move materials (n, columns) along the gradient of the searched model towards the value that is wanted.

    Args:
        problem: What is wanted.
        x: Materials of the space.
        settings: Steps, their size, prior and coordinates.

    Returns:
        (n, columns); where ``settings.scaled`` is false they may have left the space.
    """
    target = problem.targets[0]
    start = torch.from_numpy(problem.space.to_free(x) if settings.scaled else x)
    here = start.clone().requires_grad_(True)
    adam = torch.optim.Adam([here], lr=settings.rate)
    for _ in range(settings.steps):
        found = problem.predict(problem.space.from_free(here) if settings.scaled else here)
        if settings.scaled:
            distance, beyond = problem.judge(found)
            lost = distance.square() + beyond.square().sum(dim=1)
            lost = lost + settings.prior * (here - start).square().sum(dim=1)
            [slope] = torch.autograd.grad(lost.sum(), here)
            # Where a quantity is not defined the material stays.
            here.grad = torch.nan_to_num(slope, nan=0.0, posinf=0.0, neginf=0.0)
            adam.step()
        else:
            lost = (found[target.quantity][0] - target.low).square().mean()
            [slope] = torch.autograd.grad(lost, here)
            with torch.no_grad():
                here -= settings.rate * slope
    moved = here.detach()
    return (problem.space.from_free(moved) if settings.scaled else moved).numpy()
