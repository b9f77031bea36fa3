"""A patch of two latents, decoded with the targets set to their goals."""

from __future__ import annotations

from dataclasses import dataclass, field
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
    """Decode a square patch of two latents, the others at 0, with the targets set to their goals.

    Attributes:
        axes: The two latents, counted from 0.
        low: Lower end of the patch in both.
        high: Upper end of the patch in both.
        points: Points along each.
    """

    scans_latents: ClassVar[bool] = True

    axes: tuple[int, int] = (0, 1)
    low: float = -2.0
    high: float = 2.0
    points: int = field(default=5, metadata={"ge": 2})

    def propose(self, problem: Problem, budget: int, seed: int) -> Candidates:
        """Search; as `SearchMethod.propose`.

        The details hold the ``axes`` and the ``patch``: both latents, formula, and prediction at each point.

        Raises:
            InputError: As `ConditionalDecoder`, there are no such latents, or the budget is too small.
        """
        decoder = ConditionalDecoder(problem, seed)
        if not all(0 <= axis < decoder.n_latents for axis in self.axes) or len(set(self.axes)) < 2:
            raise InputError(
                f"The axes {self.axes} are not two latents of {decoder.n_latents}.",
                key="axes",
                remedy=f"choose two from 0 to {decoder.n_latents - 1}.",
            )
        if self.points**2 > budget:
            raise InputError(
                f"The budget of {budget} is too small for {self.points**2} points.",
                key="budget",
                remedy="raise the budget, or scan fewer points.",
            )
        ticks = np.linspace(self.low, self.high, self.points)
        z = np.zeros((self.points**2, decoder.n_latents))
        z[:, self.axes] = list(product(ticks, ticks))
        x = decoder.replace_composition(problem.space.sample(len(z), [seed, 1]), decoder.decode(z))
        table = problem.evaluate(x)
        patch = pd.DataFrame(z[:, self.axes], columns=["first", "second"])
        patch["formula"] = problem.space.formulas(x)
        patch["predicted"] = table[problem.targets[0].mean_column].to_numpy()
        details = {"axes": list(self.axes), "patch": patch.to_dict("list")}
        return ranked_candidates(x, table, len(x), details)
