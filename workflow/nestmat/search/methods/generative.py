"""Materials from a generator: sample for a value, localise the samples, filter them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from nestmat.deferred import torch
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
    """Sample, filter, localise and filter again; filters and localisation are optional.

    MatDesINNe (Fung et al., npj Comput. Mater. 7, 200 (2021)) samples, keeps the samples that the searched
    model predicts ``near`` the value, and localises these. Without that filter hardly a sample is lost.

    Attributes:
        samples: Materials to draw.
        near: Largest difference of the prediction from the value before localisation, in its unit; None to
            keep all.
        steps: Steps of the localisation; 0 for none.
        rate: Step size of the localisation.
        prior: Weight of the squared distance from the sample, in coordinates that are about normal.
        scaled: Whether localisation moves along the unconstrained reals of the space, each sample by steps of
            its own (Adam), and so within the space; or as published along the raw numbers, by plain gradient
            descent on the mean over all samples, without bounds.
        accept: Largest difference of the prediction from the value after localisation; materials that violate
            a constraint are left out as well. None to keep all.
    """

    needs_generator: ClassVar[bool] = True

    samples: int = field(default=1000, metadata={"ge": 1})
    near: float | None = field(default=None, metadata={"ge": 0})
    steps: int = field(default=0, metadata={"ge": 0})
    rate: float = field(default=0.02, metadata={"gt": 0})
    prior: float = field(default=0.05, metadata={"ge": 0})
    scaled: bool = True
    accept: float | None = field(default=None, metadata={"ge": 0})

    def bind(self, context: SearchContext) -> BoundGenerative:
        """The method with trained generators, one a seed."""
        return BoundGenerative(self, context.generators)

    def propose(self, problem: Problem, budget: int, seed: int) -> Candidates:
        """Search without what a study provides; as `BoundGenerative.propose`."""
        return self.bind(SearchContext()).propose(problem, budget, seed)


@dataclass(frozen=True)
class BoundGenerative(SearchMethod):
    """A `Generative` search with trained generators.

    Attributes:
        settings: Options of the search.
        generators: One a seed; a search uses the one of its seed, modulo their number.
    """

    settings: Generative
    generators: Sequence[GenerativeModel]

    def propose(self, problem: Problem, budget: int, seed: int) -> Candidates:
        """Search; as `SearchMethod.propose`.

        The details report how many were ``sampled``, how many of them were ``inside`` the space, and how many
        were ``near`` and ``kept``; ``moved`` is the mean distance in the space that localisation moved them.

        Raises:
            InputError: The problem has another target than one value, or the budget is too small.
        """
        settings, space = self.settings, problem.space
        if not self.generators:
            raise InputError(
                "A generative search needs a trained generator.",
                key="model",
                remedy="name a generator of the study, or search by another method.",
            )
        if len(problem.targets) != 1 or problem.targets[0].goal != "value":
            raise InputError(
                "A generative search needs one target with a value.",
                key="targets",
                value=[target.quantity for target in problem.targets],
                remedy="give one target with `value`, or search by another method.",
            )
        if (need := settings.samples * (2 + 2 * settings.steps)) > budget:
            raise InputError(
                f"The budget of {budget} is too small for the samples and steps.",
                key="budget",
                remedy=f"give {need} or more, or fewer samples.",
            )
        target = problem.targets[0]
        generator = self.generators[seed % len(self.generators)]
        samples = generator.sample(target.low, settings.samples, seed)
        x, inside = _inside(space, samples)
        details: dict[str, float] = {"sampled": len(samples), "inside": int(inside.sum())}
        evaluations = 0
        if settings.near is not None:
            evaluations += len(x)
            x = x[_errors(problem, problem.evaluate(x)) <= settings.near]
            details["near"] = len(x)
        if settings.steps and len(x):
            start = x
            localised = localise(problem, x, settings)
            evaluations += 2 * settings.steps * len(x)
            x, inside = _inside(space, localised)
            details |= {
                "localised_inside": int(inside.sum()),
                "moved": float(space.distance(start[inside], x).mean()) if inside.any() else 0.0,
            }
        table = problem.evaluate(x)
        evaluations += len(x)
        keep = np.ones(len(x), dtype=bool)
        if settings.accept is not None:
            keep = (_errors(problem, table) <= settings.accept) & (table["violation"].to_numpy() == 0)
        details["kept"] = int(keep.sum())
        rows = np.flatnonzero(keep)
        rows = rows[order(table.iloc[rows])]
        return Candidates(x[rows], table.iloc[rows].reset_index(drop=True), evaluations, details)


def _inside(space: DesignSpace, x: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Canonical forms of the materials of the space among the rows of ``x``, and which rows they are."""
    canonical = space.canonical(x)
    # A canonical form may be another image of the material: only its distance counts.
    inside = np.isfinite(x).all(axis=1) & (space.distance(np.nan_to_num(x), canonical) < 1e-9)
    return canonical[inside], inside


def _errors(problem: Problem, table: pd.DataFrame) -> NDArray[np.float64]:
    """Differences (n,) of predicted means from the value of the target."""
    target = problem.targets[0]
    return np.abs(table[target.mean_column].to_numpy() - target.low)


def localise(problem: Problem, x: NDArray[np.float64], settings: Generative) -> NDArray[np.float64]:
    """Move materials (n, columns) along the gradient of the searched model towards the value of the target.

    Args:
        problem: The design problem.
        x: Materials of the space.
        settings: Steps, their size, prior and coordinates.

    Returns:
        (n, columns); where ``settings.scaled`` is false they may have left the space.
    """
    target = problem.targets[0]
    start = torch.from_numpy(problem.space.to_free(x) if settings.scaled else x)
    u = start.clone().requires_grad_(True)
    adam = torch.optim.Adam([u], lr=settings.rate)
    for _ in range(settings.steps):
        quantities = problem.predict(problem.space.from_free(u) if settings.scaled else u)
        if settings.scaled:
            distance, violations = problem.distance_and_violations(quantities)
            loss = distance.square() + violations.square().sum(dim=1)
            loss = loss + settings.prior * (u - start).square().sum(dim=1)
            [gradient] = torch.autograd.grad(loss.sum(), u)
            # Where a quantity is not defined the material does not move.
            u.grad = torch.nan_to_num(gradient, nan=0.0, posinf=0.0, neginf=0.0)
            adam.step()
        else:
            loss = (quantities[target.quantity][0] - target.low).square().mean()
            [gradient] = torch.autograd.grad(loss, u)
            with torch.no_grad():
                u -= settings.rate * gradient
    localised = u.detach()
    return (problem.space.from_free(localised) if settings.scaled else localised).numpy()
