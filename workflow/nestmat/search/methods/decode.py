"""Draws of the latents' prior, decoded with the targets set to their goals."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np

from nestmat.errors import InputError
from nestmat.search.candidates import Candidates
from nestmat.search.methods.base import SearchMethod
from nestmat.search.methods.conditional_decoder import (
    ROUNDED,
    ConditionalDecoder,
    meets_first_target,
    ranked_candidates,
)
from nestmat.search.methods.registry import METHODS
from nestmat.search.problem import Problem


@METHODS.register("decode")
@dataclass(frozen=True)
class Decode(SearchMethod):
    """Draw z from its prior, decode it with the targets set to their goals, and filter the results.

    Attributes:
        samples: Materials to draw.
        near: Largest share of the decoded atoms that the rules of the space may change; None for any.
        accept: Threshold for the predicted mean of the first target, which is maximised or minimised; None
            to keep all.
    """

    decodes_prior: ClassVar[bool] = True

    samples: int = field(default=5000, metadata={"ge": 1})
    near: float | None = field(default=None, metadata={"ge": 0})
    accept: float | None = None

    def propose(self, problem: Problem, budget: int, seed: int) -> Candidates:
        """Search; as `SearchMethod.propose`.

        The details report how many were ``sampled``, how many of them the rules of the space changed by no
        more than `ROUNDED` of their atoms (``inside``), how many were ``kept``, and the share of atoms that
        the rules ``changed`` on average.

        Raises:
            InputError: As `ConditionalDecoder`, or the budget is too small.
        """
        if self.samples > budget:
            raise InputError(
                f"The budget of {budget} is too small for {self.samples} samples.",
                key="budget",
                remedy="raise the budget, or draw fewer samples.",
            )
        decoder = ConditionalDecoder(problem, seed)
        decoded = decoder.decode(decoder.sample_prior(self.samples, [seed, 0]))
        x = decoder.replace_composition(problem.space.sample(self.samples, [seed, 1]), decoded)
        changed = decoder.composition.distance(decoded, decoder.fractions(x))
        keep = np.ones(len(x), dtype=bool) if self.near is None else changed <= self.near
        details: dict[str, Any] = {
            "sampled": len(x),
            "inside": int((changed <= ROUNDED).sum()),
            "changed": float(changed.mean()),
        }
        x = x[keep]
        table, evaluations = problem.evaluate(x), len(x)
        if self.accept is not None:
            rows = np.flatnonzero(meets_first_target(problem, table, self.accept))
            x, table = x[rows], table.iloc[rows]
        return ranked_candidates(x, table, evaluations, details | {"kept": len(x)})
