"""Composition featurizers of matminer, chosen by class name in the configuration."""

from __future__ import annotations

import difflib
import functools
import inspect
import logging
import math
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import joblib
import numpy as np
from matminer.featurizers import composition as available
from matminer.featurizers.base import BaseFeaturizer
from matminer.featurizers.composition import alloy
from numpy.typing import NDArray
from pymatgen.core import Composition

from nestmat.errors import InputError
from nestmat.features.block import BlockColumns, Fault, Gap, compute_by_formula
from nestmat.features.composition import PRESETS, composition_table
from nestmat.features.elemental_gaps import beyond_the_last, find_gaps
from nestmat.features.matminer_cache import Result, Store
from nestmat.materials.formulas import Formula

_LOG = logging.getLogger(__name__)
AS_WRITTEN: Mapping[str, Sequence[str]] = {"WenAlloys": ("Total weight",)}
"""Columns by featurizer that change with how a formula is written: Ni2Al2 is twice as heavy as NiAl."""


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
            f"matminer has no composition featurizer {name!r}.",
            key="matminer",
            value=name,
            remedy=f"{f'did you mean {near[0]}? ' if near else ''}There are {', '.join(names())}.",
        )
    options = dict(arguments)
    make: Callable[..., BaseFeaturizer] = kind
    positional = []
    if "preset" in options:
        if not hasattr(kind, "from_preset"):
            raise InputError(f"{name} of matminer has no presets.", key="matminer", value=options["preset"])
        make, positional = kind.from_preset, [options.pop("preset")]
    if "impute_nan" in inspect.signature(make).parameters:
        options.setdefault("impute_nan", True)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            built = make(*positional, **options)
    except Exception as error:
        raise InputError(
            f"{name} of matminer refuses its arguments: {type(error).__name__}: {error}.",
            key="matminer",
            value=dict(arguments),
            remedy=f"its signature is {name}{inspect.signature(kind)}.",
        ) from error
    # matminer's own pool starts a new process every ten rows.
    built.set_n_jobs(1)
    return built


def matminer_features(
    formulas: Sequence[Formula | None],
    featurizers: Mapping[str, Mapping[str, Any]],
    *,
    threads: int = 1,
    cache: str | Path | None = None,
) -> BlockColumns:
    """Columns of matminer's composition featurizers, with its own labels.

    A row on which a featurizer fails has a fault with the featurizer's message, and one of
    `nestmat.features.elemental_gaps` where too little is known of an element; organic ions count by their
    atoms. Each composition is computed once, and what is in the cache not again. Columns of text are left
    out, and those of `AS_WRITTEN`; a column that two featurizers give alike comes once.

    Args:
        formulas: One a row; a row of None stays NaN.
        featurizers: Arguments by class name.
        threads: Processes that share the work.
        cache: Folder of what was computed before, which new results are added to; none by default.

    Raises:
        InputError: A featurizer is unknown or refuses its arguments, or two give different columns of one
            name.
    """
    gaps, faults = _gaps(formulas, featurizers)
    formulas = [None if position in faults else formula for position, formula in enumerate(formulas)]
    blocks = [_block(formulas, name, arguments, threads, cache) for name, arguments in featurizers.items()]
    columns: dict[str, NDArray[np.float64]] = {}
    for block in blocks:
        faults = {**block.faults, **faults}
        for column, values in zip(block.columns, block.values.T, strict=True):
            are_finite = np.isfinite(values) & np.isfinite(columns.get(column, values))
            if not np.array_equal(columns.get(column, values)[are_finite], values[are_finite]):
                raise InputError(
                    f"The featurizers have the column {column!r} twice, with different values.",
                    key="matminer",
                    remedy="leave out one of the featurizers.",
                )
            columns.setdefault(column, values)
    values = np.column_stack(list(columns.values()))
    return BlockColumns(list(columns), values, [""] * len(columns), faults, gaps=gaps)


def _gaps(
    formulas: Sequence[Formula | None], featurizers: Mapping[str, Mapping[str, Any]]
) -> tuple[list[Gap], dict[int, Fault]]:
    """Elements that an ElementProperty lacks properties of, and faults where too little is known of one."""
    faults = {
        position: fault
        for position, formula in enumerate(formulas)
        if formula is not None and (fault := beyond_the_last(formula))
    }
    arguments = featurizers.get("ElementProperty", {})
    if arguments.get("preset") not in PRESETS or not arguments.get("impute_nan", True):
        return [], faults
    table = composition_table(arguments["preset"])
    gaps, further_faults = find_gaps(formulas, table.properties, table.invented)
    return gaps, faults | further_faults


def _block(
    formulas: Sequence[Formula | None],
    name: str,
    arguments: Mapping[str, Any],
    threads: int,
    cache: str | Path | None,
) -> BlockColumns:
    labels = list(featurizer(name, arguments).feature_labels())
    texts = {f.text: _amounts(f) for f in formulas if f is not None}
    results = _results(name, arguments, labels, list(dict.fromkeys(texts.values())), threads, cache)
    text = {label for result in results.values() for label in result.text}
    left_out = [label for label in labels if label in text or label in AS_WRITTEN.get(name, ())]
    if left_out:
        _LOG.info(
            "%s of matminer: left out %s: text, or not of the composition alone", name, ", ".join(left_out)
        )
    places = [place for place, label in enumerate(labels) if label not in left_out]

    def numbers(formula: Formula) -> list[float]:
        result = results[texts[formula.text]]
        if result.fault:
            raise InputError(result.fault, column="formula", value=formula.text)
        return [result.values[place] for place in places]

    return compute_by_formula(formulas, [labels[place] for place in places], [""] * len(places), numbers)


def _amounts(formula: Formula) -> str:
    """The composition of a formula, each element with its amount, in the order of the alphabet."""
    amounts = {element.symbol: amount for element, amount in formula.composition.items()}
    return " ".join(f"{symbol}={amounts[symbol]!r}" for symbol in sorted(amounts))


def _results(
    name: str,
    arguments: Mapping[str, Any],
    labels: Sequence[str],
    compositions: Sequence[str],
    threads: int,
    cache: str | Path | None,
) -> dict[str, Result]:
    """Results by composition: of the cache, or computed, in chunks that go into the cache."""
    store = None if cache is None else Store(cache, name, arguments, labels)
    stored = store.read() if store else {}
    results = {text: stored[text] for text in compositions if text in stored}
    new = [text for text in compositions if text not in stored]
    size = min(max(len(new) // 200, 128), 2048)
    calls = [
        joblib.delayed(_compute)(name, dict(arguments), new[start : start + size])
        for start in range(0, len(new), size)
    ]
    processes = max(1, min(threads, len(calls)))
    for computed in joblib.Parallel(processes, return_as="generator_unordered")(calls):
        if store:
            store.add(computed)
        results |= computed
        _LOG.info("%s of matminer: %d of %d compositions", name, len(results), len(compositions))
    return results


@contextmanager
def _packing_once() -> Iterator[None]:
    """Let WenAlloys make its AtomicPackingEfficiency once: for every row again it takes 19/20 of the time."""
    original = alloy.AtomicPackingEfficiency
    alloy.AtomicPackingEfficiency = functools.cache(original)
    try:
        yield
    finally:
        alloy.AtomicPackingEfficiency = original


def _compute(name: str, arguments: Mapping[str, Any], texts: Sequence[str]) -> dict[str, Result]:
    """Results of some compositions, in a process of its own or not."""
    instance = featurizer(name, arguments)
    labels = list(instance.feature_labels())
    results = {}
    with warnings.catch_warnings(), _packing_once():
        warnings.simplefilter("ignore")
        for text in texts:
            amounts = dict(part.split("=") for part in text.split(" "))
            composition = Composition({symbol: float(amount) for symbol, amount in amounts.items()})
            try:
                values = list(instance.featurize(composition))
                words = [label for label, value in zip(labels, values, strict=True) if isinstance(value, str)]
                numbers = [math.nan if isinstance(value, str) else float(value) for value in values]
                results[text] = Result(numbers, words, "")
            except (MemoryError, OSError):
                # Of the machine, not of the composition: not to be kept.
                raise
            except Exception as error:
                # A featurizer may fail in any way on a composition outside its domain.
                fault = f"{name} of matminer fails on it: {type(error).__name__}: {error}"
                results[text] = Result([math.nan] * len(labels), [], fault)
    return results
