"""Composition featurizers of matminer, chosen by class name in the configuration."""

from __future__ import annotations

import difflib
import inspect
import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from matminer.featurizers import composition as available
from matminer.featurizers.base import BaseFeaturizer

from nestmat.errors import InputError
from nestmat.features.block import Block, by_formula
from nestmat.materials.formulas import Formula


def names() -> list[str]:
    """Class names of the composition featurizers that matminer has."""
    return sorted(name for name, kind in vars(available).items() if _is_featurizer(kind))


def _is_featurizer(kind: Any) -> bool:
    return inspect.isclass(kind) and issubclass(kind, BaseFeaturizer)


def featurizer(name: str, arguments: Mapping[str, Any]) -> BaseFeaturizer:
    """A featurizer of matminer.

    Args:
        name: Class in `matminer.featurizers.composition`.
        arguments: Its arguments; with ``preset`` those of its ``from_preset``. ``impute_nan`` is True unless
            given: matminer's own default has changed between versions.

    Raises:
        InputError: There is no such featurizer, or it does not take these arguments.
    """
    kind: Any = getattr(available, name, None)
    if not _is_featurizer(kind):
        near = difflib.get_close_matches(name, names(), n=1)
        raise InputError(
            "is not a composition featurizer of matminer.",
            column="matminer",
            value=name,
            remedy=f"{f'did you mean {near[0]}? ' if near else ''}There are {', '.join(names())}.",
        )
    given = dict(arguments)
    make: Callable[..., BaseFeaturizer] = kind
    positional = []
    if "preset" in given:
        if not hasattr(kind, "from_preset"):
            raise InputError(f"{name} of matminer has no presets.", column="matminer", value=given["preset"])
        make, positional = kind.from_preset, [given.pop("preset")]
    if "impute_nan" in inspect.signature(make).parameters:
        given.setdefault("impute_nan", True)
    try:
        made = make(*positional, **given)
    except Exception as error:
        raise InputError(
            f"{name} of matminer refuses its arguments: {type(error).__name__}: {error}.",
            column="matminer",
            value=dict(arguments),
            remedy=f"its signature is {name}{inspect.signature(kind)}.",
        ) from error
    # matminer's own pool starts a new process every ten rows.
    made.set_n_jobs(1)
    return made


def matminer_features(
    formulas: Sequence[Formula | None], featurizers: Mapping[str, Mapping[str, Any]]
) -> Block:
    """Columns of matminer's composition featurizers, with its own labels.

    A row on which a featurizer fails has a fault with the featurizer's message; organic ions count by their
    atoms.

    Args:
        formulas: One a row; a row of None stays NaN.
        featurizers: Arguments by class name.

    Raises:
        InputError: A featurizer is unknown or refuses its arguments, or two give the same column.
    """
    blocks = [_block(formulas, name, arguments) for name, arguments in featurizers.items()]
    columns = [column for block in blocks for column in block.columns]
    if twice := sorted({column for column in columns if columns.count(column) > 1}):
        raise InputError(
            f"gives the columns {twice} twice.", column="matminer", remedy="leave out one of the featurizers."
        )
    faults = {position: fault for block in reversed(blocks) for position, fault in block.faults.items()}
    values = np.hstack([block.values for block in blocks])
    return Block(columns, values, [""] * len(columns), faults)


def _block(formulas: Sequence[Formula | None], name: str, arguments: Mapping[str, Any]) -> Block:
    made = featurizer(name, arguments)
    labels = list(made.feature_labels())

    def compute(formula: Formula) -> list[float]:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                return [float(value) for value in made.featurize(formula.composition)]
            except Exception as error:
                # A featurizer may fail in any way on a composition outside its domain.
                raise InputError(
                    f"{name} of matminer fails on it: {type(error).__name__}: {error}",
                    column="formula",
                    value=formula.text,
                ) from error

    return by_formula(formulas, labels, [""] * len(labels), compute)
