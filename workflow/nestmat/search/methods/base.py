"""Search methods: options, capabilities, and what a study provides."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from nestmat.search.candidates import Candidates
from nestmat.search.generators.base import GenerativeModel
from nestmat.search.problem import Problem


def _no_materials() -> NDArray[np.float64]:
    return np.empty((0, 0))


@dataclass(frozen=True)
class SearchContext:
    """What a study provides in addition to the problem, for `SearchMethod.bind`.

    Attributes:
        generators: Trained generators, one a seed.
        known_materials: Returns the materials (n, columns) that the searched model was trained on; called
            only by methods that start from them, since it reads tables.
    """

    generators: Sequence[GenerativeModel] = ()
    known_materials: Callable[[], NDArray[np.float64]] = _no_materials


@dataclass(frozen=True)
class SearchMethod(ABC):
    """A search method with its options, which are the fields of the subclass.

    The class attributes are what configuration, report and figures need to know of a kind.
    """

    is_reference: ClassVar[bool] = False
    """Whether it searches without a model of its own, so that other methods are compared with it."""
    draws_uniformly: ClassVar[bool] = False
    """Whether its materials are drawn uniformly from the space."""
    enumerates_space: ClassVar[bool] = False
    """Whether it predicts every material of the space, and so draws nothing."""
    needs_generator: ClassVar[bool] = False
    """Whether it samples from a trained generator, which the configuration names."""
    needs_known_materials: ClassVar[bool] = False
    """Whether it starts from the materials that the searched model was trained on."""
    decodes_prior: ClassVar[bool] = False
    """Whether it decodes draws of the prior of a semi-supervised model: details ``sampled`` and ``kept``."""
    scans_latents: ClassVar[bool] = False
    """Whether it decodes a patch of two latents, which its details hold as ``axes`` and ``patch``."""

    def bind(self, context: SearchContext) -> SearchMethod:
        """The method with the parts of the context that it needs; the method itself by default."""
        return self

    @abstractmethod
    def propose(self, problem: Problem, budget: int, seed: int) -> Candidates:
        """Search for candidates.

        Args:
            problem: Space, predictions, targets and constraints.
            budget: Largest number of materials to predict; a gradient counts as one prediction more.
            seed: Seed of all random draws.
        """
