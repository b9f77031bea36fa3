"""What of the materials of a design space the models that predict them do not see."""

from __future__ import annotations

import logging
from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray

from nestmat.errors import InputError
from nestmat.search.spaces.base import Factor
from nestmat.search.spaces.product import Product

_LOG = logging.getLogger(__name__)
Inputs = Callable[[torch.Tensor], torch.Tensor]
"""Inputs (n, inputs) that models read of materials (n, columns)."""
DRAWS, BASES, VALUES = 200, 2, 20
"""Random materials, those of which single parts are changed, and values of a variable that are tried."""
SAME = 1e-9
"""Largest difference of inputs that counts as none, as a share of their largest number."""
REMEDY = "let the models read blocks of features that tell them apart, or take them out of the space."


def check_model_inputs(space: Product, inputs: Inputs, seed: int = 0) -> None:
    """Check that the models of a design problem can tell the materials of its space apart.

    The log warns of variables that no model reads, and of species and levels with the same inputs.

    Args:
        space: The space.
        inputs: What the models read.
        seed: Seed of the random materials.

    Raises:
        InputError: No two of the random materials have different inputs.
    """
    x = np.unique(space.canonical(space.sample(DRAWS, seed)), axis=0)
    if len(x) > 1 and not _differ(_read(inputs, x), 0).any():
        raise InputError(
            f"The models cannot tell the materials of the space apart: {len(x)} random ones have the same "
            "inputs.",
            key="space",
            value=[factor.columns[0] for factor in space.factors if factor.n_free],
            remedy=REMEDY,
        )
    if alike := find_alike(space, inputs, x[:BASES]):
        _LOG.warning("The models cannot tell apart %s: %s", "; ".join(alike), REMEDY)


def find_alike(space: Product, inputs: Inputs, bases: NDArray[np.float64]) -> list[str]:
    """Variables without effect on the inputs of models, and species or levels with the same inputs.

    Args:
        space: The space.
        inputs: What the models read.
        bases: Materials (bases, columns) of which one part is changed at a time.

    Returns:
        Fragments of a sentence, in the order of the space.
    """
    found, start = [], 0
    for factor in space.factors:
        places = slice(start, start + len(factor.columns))
        start = places.stop
        tried = _variants(factor) if factor.n_free else []
        if all(len(variants) < 2 for variants in tried):
            continue
        alike = [
            np.array([~_differ(_read(inputs, rows), row) for row in range(len(rows))])
            for variants in tried
            for rows in [_replaced(bases, places, variants)]
        ]
        # Each set of variants tells of parts that the others hide; each base may hide an effect.
        pairs = np.any([np.all(_by_base(of_set, len(bases)), axis=0) for of_set in alike], axis=0)
        if len(factor.columns) == 1:
            found += [f"values of {factor.columns[0]}"] if pairs.all() else []
            continue
        first = pairs.argmax(axis=1)
        groups = [np.array(factor.columns)[first == place] for place in np.unique(first)]
        found += [" and ".join(group) for group in groups if len(group) > 1]
    return found


def _variants(factor: Factor) -> list[NDArray[np.float64]]:
    """Sets of values (variants, columns) of a factor: of a composition and of levels one for each column.

    Species are compared in equal parts with the first one, and with the second, since a pure one may differ
    from a mixture by the number of its species alone.
    """
    if len(factor.columns) == 1:
        return [np.unique(factor.sample(VALUES, np.random.default_rng(0)), axis=0)]
    one = np.eye(len(factor.columns))
    return [(one + one[partner]) / 2 for partner in range(2)] if factor.is_composition else [one]


def _replaced(
    bases: NDArray[np.float64], places: slice, variants: NDArray[np.float64]
) -> NDArray[np.float64]:
    """The bases with some columns replaced by each of the variants, (bases * variants, columns)."""
    rows = np.repeat(bases, len(variants), axis=0)
    rows[:, places] = np.tile(variants, (len(bases), 1))
    return rows


def _by_base(alike: NDArray[np.bool_], bases: int) -> list[NDArray[np.bool_]]:
    """Which variants are alike, (variants, variants), of each base."""
    count = len(alike) // bases
    return [alike[k * count : (k + 1) * count, k * count : (k + 1) * count] for k in range(bases)]


def _read(inputs: Inputs, x: NDArray[np.float64]) -> NDArray[np.float64]:
    with torch.no_grad():
        return inputs(torch.from_numpy(x)).double().numpy()


def _differ(values: NDArray[np.float64], row: int) -> NDArray[np.bool_]:
    """Which rows (n, inputs) differ from one of them, (n,); without a value one differs from all others."""
    scale = np.nan_to_num(np.abs(values)).max(axis=0, initial=0.0)
    same = (np.abs(values - values[row]) <= SAME * scale).all(axis=1)
    same[row] = True
    return ~same
