"""Statistics of elemental properties over compositions, vectorised.

Equal to matminer's ``ElementProperty`` (Ward et al., npj Comput. Mater. 2, 16028 (2016)), which computes them
in a Python loop over rows, elements, properties and statistics, but for numbers, masses, groups and periods
that its source lacks, see `nestmat.features.elemental_gaps`.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from pymatgen.core import Composition, Element

from nestmat.errors import InputError
from nestmat.features.elemental_gaps import EXACT

if TYPE_CHECKING:
    from matminer.utils.data import AbstractData

Floats = NDArray[np.float64]
PRESETS = ("magpie", "deml", "matminer", "matscholar_el", "megnet_el")
_UNITS = {
    "magpie": {
        "AtomicWeight": "u",
        "MeltingT": "K",
        "CovalentRadius": "pm",
        "GSvolume_pa": "Å³",
        "GSbandgap": "eV",
        "GSmagmom": "µB",
    },
    "matminer": {
        "atomic_mass": "u",
        "atomic_radius": "Å",
        "electrical_resistivity": "Ω m",
        "velocity_of_sound": "m/s",
        "thermal_conductivity": "W/(m K)",
        "melting_point": "K",
        "bulk_modulus": "GPa",
        "coefficient_of_linear_thermal_expansion": "1/K",
    },
}
_BLOCK_ELEMENTS = 16384


class _Block:
    """Some compositions of the same number of elements k, with what several statistics share.

    Attributes:
        x: Property values, k x properties x rows.
        w: Amounts, k x rows.
    """

    def __init__(self, x: Floats, w: Floats):
        self.x, self.w = x, w
        self.total = _sum(w)
        self.minimum = x.min(axis=0)
        self.maximum = x.max(axis=0)
        self.mean = _sum(x * w[:, None]) / self.total
        self._deviation: Floats | None = None

    @property
    def deviation(self) -> Floats:
        if self._deviation is None:
            self._deviation = self.x - self.mean
        return self._deviation


def _sum(terms: Floats) -> Floats:
    """Sum over the first axis in the order that numpy sums a vector, to agree to the last bit."""
    count = len(terms)
    if count < 8:
        return terms.sum(axis=0)
    lanes = terms[:8].copy()
    whole = count - count % 8
    for start in range(8, whole, 8):
        lanes += terms[start : start + 8]
    total = ((lanes[0] + lanes[1]) + (lanes[2] + lanes[3])) + ((lanes[4] + lanes[5]) + (lanes[6] + lanes[7]))
    for term in terms[whole:]:
        total += term
    return total


def _avg_dev(block: _Block) -> Floats:
    return _sum(np.abs(block.deviation) * block.w[:, None]) / block.total


def _std_dev(block: _Block) -> Floats:
    if len(block.w) == 1:
        return np.zeros_like(block.mean)
    beta = block.total / (block.total**2 - _sum(block.w**2))
    return np.sqrt(beta * _sum(block.deviation**2 * block.w[:, None]))


def _mode(block: _Block) -> Floats:
    """The smallest value among the elements whose amount is close to the largest."""
    largest = block.w.max(axis=0)
    frequent = np.abs(block.w - largest) <= 1e-8 + 1e-5 * largest
    return np.where(frequent[:, None], block.x, np.inf).min(axis=0)


_STATISTICS: dict[str, Callable[[_Block], Floats]] = {
    "minimum": lambda block: block.minimum,
    "maximum": lambda block: block.maximum,
    "range": lambda block: block.maximum - block.minimum,
    "mean": lambda block: block.mean,
    "avg_dev": _avg_dev,
    "std_dev": _std_dev,
    "mode": _mode,
}


class CompositionTable:
    """Elemental properties of a preset and their statistics over compositions.

    Args:
        preset: Preset of matminer's ``ElementProperty``: one of `PRESETS`.
        impute_nan: Replace a property that an element lacks by the mean over all elements, as matminer 0.10
            does by default; otherwise statistics that involve it are NaN. Never left to the default of the
            version installed, because that changed. Number, mass, group and period are exact either way.

    Attributes:
        properties: Names of the elemental properties.
        statistics_names: Names of the statistics.
        columns: Name of every feature, as matminer labels it.
        units: Unit of every feature; empty where the source states none.
        values: Properties by atomic number, 119 x properties; row 0 is NaN.
        invented: Which of them the source lacks, so that they are means or NaN, 119 x properties.

    Raises:
        InputError: The preset is unknown.
    """

    def __init__(self, preset: str = "magpie", impute_nan: bool = True):
        if preset not in PRESETS:
            raise InputError(
                f"There is no preset {preset!r} of composition statistics.",
                key="composition",
                value=preset,
                remedy=f"use one of {', '.join(PRESETS)}.",
            )
        # matminer takes seconds to import, which studies without it should not pay.
        from matminer.featurizers.composition import ElementProperty

        featurizer = ElementProperty.from_preset(preset, impute_nan=impute_nan)
        self.preset, self.impute_nan = preset, impute_nan
        self.properties = list(featurizer.features)
        self.statistics_names = list(featurizer.stats)
        self.columns = list(featurizer.feature_labels())
        units = _UNITS.get(preset, {})
        self.units = [units.get(name, "") for name in self.properties for _ in self.statistics_names]
        self.values = np.full((119, len(self.properties)), np.nan)
        self.invented = np.zeros(self.values.shape, dtype=bool)
        tabulated = ElementProperty.from_preset(preset, impute_nan=False).data_source
        with warnings.catch_warnings():
            # pymatgen warns of every property that an element lacks; here it becomes NaN.
            warnings.simplefilter("ignore")
            for element in Element:
                for column, name in enumerate(self.properties):
                    value = _property(featurizer.data_source, element, name)
                    if is_absent := not _has_property(tabulated, element, name):
                        value = float(getattr(element, EXACT[name])) if name in EXACT else value
                    self.values[element.Z, column] = value
                    self.invented[element.Z, column] = is_absent and name not in EXACT
        self._by_property = np.ascontiguousarray(self.values.T)

    def statistics(self, indices: NDArray[np.integer], weights: Floats, threads: int = 1) -> Floats:
        """Statistics of compositions given as arrays.

        Args:
            indices: Atomic numbers, n x k, in any order; anything where the weight is 0.
            weights: Amounts, n x k, not necessarily normalised; 0 for no element. An element that comes
                twice in a row counts once, with the sum.
            threads: Threads that share the work.

        Returns:
            n x features, ordered as `columns`, in float64.

        Raises:
            InputError: An amount is negative or not finite, a row is empty, or an atomic number is unknown.
        """
        indices, weights = _checked(np.asarray(indices), np.asarray(weights, dtype=np.float64))
        result = np.empty((len(weights), len(self.columns)))
        counts = (weights > 0).sum(axis=1)
        size = max(64, _BLOCK_ELEMENTS // len(self.properties))
        pieces = []
        for count in np.unique(counts):
            rows = np.flatnonzero(counts == count)
            pieces += [(count, rows[start : start + size]) for start in range(0, len(rows), size)]

        def fill(piece: tuple[int, NDArray[np.intp]]) -> None:
            count, rows = piece
            chosen = indices[rows, :count].T
            x = np.empty((count, len(self.properties), len(rows)))
            for position in range(count):
                np.take(self._by_property, chosen[position], axis=1, out=x[position], mode="clip")
            block = _Block(x, np.ascontiguousarray(weights[rows, :count].T))
            block_statistics = np.stack([_STATISTICS[name](block) for name in self.statistics_names], axis=1)
            result[rows] = block_statistics.reshape(len(self.columns), len(rows)).T

        if threads > 1:
            with ThreadPoolExecutor(threads) as pool:
                list(pool.map(fill, pieces))
        else:
            for piece in pieces:
                fill(piece)
        return result

    def featurize(self, compositions: Sequence[Composition], threads: int = 1) -> Floats:
        """Statistics of pymatgen compositions, n x features."""
        return self.statistics(*composition_arrays(compositions), threads=threads)


@cache
def composition_table(preset: str, impute_nan: bool = True) -> CompositionTable:
    """The table of a preset, built once a process."""
    return CompositionTable(preset, impute_nan)


def composition_arrays(compositions: Sequence[Composition]) -> tuple[NDArray[np.int64], Floats]:
    """Atomic numbers and amounts, n x k and padded with zeros, where k is the largest number of elements."""
    rows = [composition.element_composition for composition in compositions]
    width = max((len(row) for row in rows), default=0)
    indices = np.zeros((len(rows), width), dtype=np.int64)
    weights = np.zeros((len(rows), width))
    for position, row in enumerate(rows):
        indices[position, : len(row)] = [element.Z for element in row]
        weights[position, : len(row)] = list(row.values())
    return indices, weights


def _property(source: AbstractData, element: Element, name: str) -> float:
    try:
        return float(source.get_elemental_property(element, name))
    except KeyError:
        return np.nan


def _has_property(source: AbstractData, element: Element, name: str) -> bool:
    """Whether a source without imputation has a property of an element, and not that of a dummy."""
    has_element = not hasattr(source, "all_element_data") or element.symbol in source.all_element_data
    return has_element and not np.isnan(_property(source, element, name))


def _checked(indices: NDArray, weights: Floats) -> tuple[NDArray, Floats]:
    """Each element once a row and the elements of a row first, in the order given."""
    if indices.shape != weights.shape or indices.ndim != 2:
        raise InputError(f"The compositions have indices {indices.shape} but weights {weights.shape}.")
    bad = ~(np.isfinite(weights) & (weights >= 0)).all(axis=1) | ~(weights > 0).any(axis=1)
    bad |= ((weights > 0) & ((indices < 1) | (indices > 118))).any(axis=1)
    if bad.any():
        row = int(np.flatnonzero(bad)[0])
        raise InputError(
            f"Composition {row} of {len(weights)} has atomic numbers {indices[row]}, amounts {weights[row]}.",
            remedy="give atomic numbers from 1 to 118 with finite amounts >= 0, at least one of them > 0.",
        )
    present = np.where(weights > 0, indices, 0)
    ordered = np.sort(present, axis=1)
    twice = ((ordered[:, 1:] == ordered[:, :-1]) & (ordered[:, 1:] > 0)).any(axis=1)
    if twice.any():
        weights = weights.copy()
        weights[twice] = _merged(present[twice], weights[twice])
    empty = weights == 0
    if (empty[:, :-1] & ~empty[:, 1:]).any():
        order = np.argsort(empty, axis=1, kind="stable")
        indices, weights = np.take_along_axis(indices, order, 1), np.take_along_axis(weights, order, 1)
    return indices, weights


def _merged(present: NDArray, weights: Floats) -> Floats:
    """The amounts of elements that come more than once, all at their first place."""
    merged = weights.copy()
    for later in range(1, present.shape[1]):
        for first in range(later):
            is_repeated = (
                (present[:, later] == present[:, first]) & (merged[:, first] > 0) & (merged[:, later] > 0)
            )
            merged[is_repeated, first] += merged[is_repeated, later]
            merged[is_repeated, later] = 0
    return merged
