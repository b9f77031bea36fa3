"""The search of a first study: a space around the materials of a table, targets to fill in, judges."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from nestmat.commands.new_inputs import Materials
from nestmat.config.spaces import DesignSpace
from nestmat.errors import InputError
from nestmat.materials.formulas import Formula
from nestmat.materials.ions import ion

FEWEST_MATERIALS = 3
"""Materials that a species or a number of species must occur in: what fewer show is rare in a domain."""
METALLIC = 0.8
"""Least share of metals in the atoms of an alloy."""
ALLOYS = 0.9
"""Least share of alloys among the formulas of a table of alloys; the space follows from them alone."""
RANKED = 1_000_000
"""Largest number of materials that a first search ranks, which takes a minute or so."""
SITE_GRID, VARIABLE_GRID = 8, 11
"""Steps of the shares on a site, and values of a variable between its ends."""
_ROUNDING = 1e-9


class Variable(NamedTuple):
    """A variable of the space beside the composition.

    Attributes:
        name: Column of the study.
        setting: What the search takes of it.
        comment: What else could be chosen.
    """

    name: str
    setting: dict[str, Any]
    comment: str


class Goal(NamedTuple):
    """A target of the study as the search could ask for it.

    Attributes:
        quantity: Its name in the search.
        enough: Value from which on a material is a hit: that which a tenth of the labelled rows exceed.
        low: Value which a quarter of the labelled rows do not reach.
        high: Value which a quarter of them exceed.
    """

    quantity: str
    enough: float
    low: float
    high: float


@dataclass(frozen=True)
class FirstSearch:
    """The search of a first study.

    Attributes:
        composition: Part of the space that is the composition: ``sites`` or ``elements`` with what it holds;
            empty without formulas.
        variables: Its other variables.
        goals: Targets: the first is searched for, the others are proposed as constraints.
        materials: Number of materials of the space; None where a variable has no grid.
    """

    composition: dict[str, Any]
    variables: Sequence[Variable]
    goals: Sequence[Goal]
    materials: int | None

    @property
    def is_ranked(self) -> bool:
        """Whether every material of the space can be predicted."""
        return self.materials is not None and self.materials <= RANKED

    @property
    def ranking_budget(self) -> int:
        """Number of materials of the space, rounded up, which a ranking may have predicted."""
        assert self.materials is not None
        return max(math.ceil(self.materials / 1000) * 1000, 1000)


def first_search(
    materials: Materials | None,
    columns: Mapping[str, Sequence[Any]],
    targets: Mapping[str, Sequence[float]],
    data: Path,
) -> FirstSearch:
    """The search of a first study, in the space that its table spans.

    Args:
        materials: What the formulas of the table have in common; None where there are none.
        columns: Numbers or classes (rows) of each column that is learned from.
        targets: Labels (rows) of each target that is a number or one of two classes.
        data: The table, for messages.

    Raises:
        InputError: No target can be searched for, or no rule tells which other materials could be made.
    """
    if not targets:
        raise InputError(
            "A search needs a target that is a number or one of two classes.",
            file=data,
            remedy="give such a --target, or leave --search out.",
        )
    composition = {} if materials is None else _composition(materials, data)
    variables = _fixed(columns) if composition else [_varied(name, cells) for name, cells in columns.items()]
    # Designs know how many materials they have; they load torch, which no other first study waits for.
    from nestmat.design.spaces import design_space

    space = DesignSpace.model_validate({**composition, "variables": {v.name: v.setting for v in variables}})
    goals = [_goal(name, np.asarray(labels, dtype=np.float64)) for name, labels in targets.items()]
    return FirstSearch(composition, variables, goals, design_space(space).n_materials)


def _goal(name: str, labels: np.ndarray) -> Goal:
    if set(labels.tolist()) <= {0.0, 1.0}:
        return Goal(f"materials.{name}", 0.5, 0.0, 0.5)
    low, high, enough = (_three_digits(np.quantile(labels, q)) for q in (0.25, 0.75, 0.9))
    return Goal(f"materials.{name}", enough, low, high)


def _three_digits(value: float) -> float:
    return float(f"{value:.3g}")


def _composition(materials: Materials, data: Path) -> dict[str, Any]:
    formulas = materials.formulas
    if materials.sites is not None:
        return {"sites": {site: _site([f.sites()[site] for f in formulas]) for site in ("A", "B", "X")}}
    alloys = [formula for formula in formulas if _is_metallic(formula)]
    if not alloys or len(alloys) < ALLOYS * len(formulas):
        raise InputError(
            f"The formulas are not all ABX3 halides, and {len(alloys)} of {len(formulas)} are alloys, "
            "of metals to four fifths: no rule tells which other compounds could be made.",
            file=data,
            remedy="leave --search out, and rank a list of formulas by `nestmat predict`.",
        )
    return {"elements": _elements([_shares(formula) for formula in alloys])}


def _shares(formula: Formula) -> dict[str, float]:
    composition = formula.composition.fractional_composition
    return {element.symbol: float(share) for element, share in composition.items()}


def _is_metallic(formula: Formula) -> bool:
    shares = formula.composition.fractional_composition
    return sum(share for element, share in shares.items() if element.is_metal) >= METALLIC


def _site(shares: Sequence[Mapping[str, float]]) -> dict[str, Any]:
    """A site with the ions that it often has, of the charge that most of them have."""
    species = _frequent(Counter(name for material in shares for name in material))
    charge = Counter(ion(name).charge for name in species).most_common(1)[0][0]
    species = [name for name in species if ion(name).charge == charge]
    most = min(max(_frequent(Counter(len(material) for material in shares))), len(species))
    return {"species": species, "grid": SITE_GRID if most > 1 else 1, "most": most}


def _elements(shares: Sequence[Mapping[str, float]]) -> dict[str, Any]:
    """Alloys of as many elements, in such shares, as the table has."""
    species = _frequent(Counter(name for material in shares for name in material))
    numbers = _frequent(Counter(len(material) for material in shares))
    present = np.array([share for material in shares for share in material.values()])
    smallest = float(np.quantile(present, 0.05))
    grid = 100 if smallest >= 0.01 - _ROUNDING else 1000
    fewest, most = min(min(numbers), len(species)), min(max(numbers), len(species))
    least = min(_rounded(smallest, grid, math.floor), math.floor(grid / most) / grid)
    simplex: dict[str, Any] = {
        "species": species,
        "grid": grid,
        "fewest": fewest,
        "most": most,
        "least": max(least, 1 / grid),
    }
    always = [name for name in species if all(name in material for material in shares)]
    if always:
        return {**simplex, "least": 1 / grid, "bounds": _bounds(shares, species, always, grid, most)}
    greatest = _rounded(float(present.max()), grid, math.ceil)
    return {**simplex, **({"greatest": greatest} if greatest < 1 else {})}


def _bounds(
    shares: Sequence[Mapping[str, float]], species: Sequence[str], always: Sequence[str], grid: int, most: int
) -> dict[str, list[float]]:
    """Ranges of shares where elements occur in every material; what has most of the atoms takes the rest."""
    bounds = {}
    for name in species:
        stated = [material[name] for material in shares if name in material]
        low = max(_rounded(min(stated), grid, math.floor), 1 / grid) if name in always else 0.0
        bounds[name] = [low, max(_rounded(max(stated), grid, math.ceil), 1 / grid)]
    base = max(always, key=lambda name: sum(material[name] for material in shares))
    others = sorted(high for name, (_, high) in bounds.items() if name not in always)[: most - len(always)]
    if sum(bounds[name][1] for name in always) + sum(others) < 1:
        bounds[base][1] = 1.0
    return bounds


def _rounded(share: float, grid: int, towards: Any) -> float:
    inwards = _ROUNDING if towards is math.floor else -_ROUNDING
    return towards(share * grid + inwards) / grid


def _frequent(counts: Counter) -> list[Any]:
    """What occurs in `FEWEST_MATERIALS` or more, sorted; in a small table all."""
    frequent = [name for name, count in counts.items() if count >= FEWEST_MATERIALS]
    return sorted(frequent or counts)


def _fixed(columns: Mapping[str, Sequence[Any]]) -> list[Variable]:
    """Variables that stay as in a typical row, which a search of compositions leaves alone."""
    if not columns:
        return []
    row = _typical_row(columns)
    variables = []
    for name, cells in columns.items():
        free = _varied(name, cells)
        value = cells[row]
        setting = {"levels": [value]} if isinstance(value, str) else {"value": float(value)}
        choices = ", ".join(f"{key}: {choice}" for key, choice in free.setting.items()).replace("'", "")
        variables.append(Variable(name, setting, f"or {choices}" if free.setting != setting else ""))
    return variables


def _typical_row(columns: Mapping[str, Sequence[Any]]) -> int:
    """The first row of the most frequent combination, of classes and numbers in tenths of their range."""
    binned = []
    for cells in columns.values():
        if isinstance(cells[0], str):
            binned.append(list(cells))
            continue
        numbers = np.asarray(cells, dtype=np.float64)
        width = (numbers.max() - numbers.min()) / 10 or 1.0
        binned.append(np.floor((numbers - numbers.min()) / width).tolist())
    rows = [*zip(*binned, strict=True)]
    return rows.index(Counter(rows).most_common(1)[0][0])


def _varied(name: str, cells: Sequence[Any]) -> Variable:
    """A variable between the ends of its column, or with its levels."""
    if isinstance(cells[0], str):
        return Variable(name, {"levels": sorted(set(cells))}, "")
    values = sorted(set(cells))
    if len(values) == 1:
        return Variable(name, {"value": float(values[0])}, "")
    steps = np.diff(values)
    even = len(values) <= VARIABLE_GRID and np.allclose(steps, steps[0])
    setting = {
        "between": [float(values[0]), float(values[-1])],
        "grid": len(values) if even else VARIABLE_GRID,
    }
    return Variable(name, setting, "")
