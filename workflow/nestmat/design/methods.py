"""The methods of a design problem, built from a study; apart from searching, which needs torch."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from nestmat.config import problems
from nestmat.search.generators.base import GenerativeModel
from nestmat.search.methods.base import SearchContext, SearchMethod


def build_method(
    config: problems.Method,
    models: Sequence[GenerativeModel] | None = None,
    known_materials: Callable[[], NDArray[np.float64]] | None = None,
) -> SearchMethod:
    """A method with its settings.

    Args:
        config: Its configuration.
        models: Trained models of a generative one.
        known_materials: Returns the materials (n, columns) that the searched model was trained on.

    Raises:
        InputError: A setting is unknown or of another type.
    """
    search: SearchMethod = config.build()
    context = SearchContext(models or ())
    if known_materials is not None:
        context = dataclasses.replace(context, known_materials=known_materials)
    return search.bind(context)
