"""A patch of two latents, decoded with the targets set to their goals."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from typing import ClassVar

import numpy as np
import pandas as pd

from nestmat.errors import InputError
from nestmat.search.candidates import Candidates
from nestmat.search.methods.base import SearchMethod
from nestmat.search.methods.conditional_decoder import ConditionalDecoder, ranked_candidates
from nestmat.search.methods.registry import METHODS
from nestmat.search.problem import Problem


@METHODS.register("scan")
@dataclass(frozen=True)
class Scan(SearchMethod):
    """Decode a square patch of two latents, the others at 0, with the wanted targets.

    Attributes:
        axes: The two latents, counted from 0.
        low: Lower end of both.
        high: Upper end of both.
        points: Points along each.
    """

    scans_latents: ClassVar[bool] = True

    axes: tuple[int, int] = (0, 1)
    low: float = -2.0
    high: float = 2.0
    points: int = 5

    def propose(self, problem: Problem, budget: int, seed: int) -> Candidates:
        """Search; as `SearchMethod.propose`.

        The details hold the ``patch``: both latents, formula, and what is predicted at each point.

        Raises:
            InputError: As `ConditionalDecoder`, there are no such latents, or the budget is too small.
        """
        decoder = ConditionalDecoder(problem, seed)
        if not all(0 <= axis < decoder.latents for axis in self.axes) or len(set(self.axes)) < 2:
            raise InputError(
                "are not two latents.",
                column="axes",
                value=self.axes,
                remedy=f"choose from 0 to {decoder.latents - 1}.",
            )
        if self.points**2 > budget:
            raise InputError("is too small for the points.", column="budget", value=budget)
        along = np.linspace(self.low, self.high, self.points)
        z = np.zeros((self.points**2, decoder.latents))
        z[:, self.axes] = list(product(along, along))
        x = decoder.replaced(problem.space.sample(len(z), [seed, 1]), decoder.decode(z))
        table = problem.evaluate(x)
        patch = pd.DataFrame(z[:, self.axes], columns=["first", "second"])
        patch["formula"] = problem.space.formulas(x)
        patch["predicted"] = table[problem.targets[0].mean_column].to_numpy()
        details = {"axes": list(self.axes), "patch": patch.to_dict("list")}
        return ranked_candidates(x, table, len(x), details)
