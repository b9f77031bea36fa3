"""From the configuration of a design problem to the space, the problem and the methods that search it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pydantic import ConfigDict, ValidationError, validate_call

from nestmat import config_search, tables
from nestmat.config import Study
from nestmat.errors import InputError
from nestmat.features.design import feature_map
from nestmat.materials import ions
from nestmat.materials.formulas import parse_many
from nestmat.materials.perovskites import PROBABILITY_MIDDLE, PROBABILITY_WIDTH
from nestmat.physics.detailed_balance import limit
from nestmat.scales.chain import Chain
from nestmat.search import quantities
from nestmat.search.candidates import SearchMethod
from nestmat.search.features import FeatureMap
from nestmat.search.methods import METHODS
from nestmat.search.problem import Constraint, Problem, Target
from nestmat.search.simplex import Simplex
from nestmat.search.space import SITES, ABX3Alloy, Alloy, Box, Choice, Factor, Fixed, Interval, Product
from nestmat.search.surrogate import Surrogate

LIMIT_GAPS = np.linspace(0.3, 4.0, 371)
"""Gaps in eV at which the limit of detailed balance is tabulated; finer than its tables of the spectrum tell."""


def design_space(given: config_search.Space) -> Product:
    """The space of a configuration.

    Raises:
        InputError: Its parts contradict each other, or an ion is unknown.
    """
    others = [_variable(name, variable) for name, variable in given.variables.items()]
    if given.sites is not None:
        sites: dict[str, Simplex] = {site: _shares(shares, site) for site, shares in given.sites.items()}
        charges = {name: ions.ion(name).charge for site in sites.values() for name in site.species}
        return ABX3Alloy(sites, charges, others)
    if given.elements is not None:
        return Alloy(_shares(given.elements), others)
    intervals = [part for part in others if isinstance(part, Interval)]
    return Box(intervals, given.symmetries) if len(intervals) == len(others) else Product(others)


def _shares(given: config_search.Shares, site: str = "") -> Simplex:
    return Simplex(
        given.species,
        given.grid,
        site=site,
        fewest=given.fewest,
        most=given.most,
        least=given.least,
        bounds=given.bounds,
    )


def _variable(name: str, given: config_search.Variable) -> Factor:
    if given.levels is not None:
        return Choice(name, given.levels)
    if given.between is not None:
        return Interval(name, *given.between, given.grid, periodic=given.periodic)
    assert given.value is not None
    return Fixed(name, given.value)


def method(given: config_search.Method) -> SearchMethod:
    """A method with its settings.

    Raises:
        InputError: A setting is unknown or of another type.
    """
    try:
        return validate_call(config=ConfigDict(strict=True))(METHODS[given.kind])(**given.options)
    except ValidationError as error:
        fault = error.errors()[0]
        option = str(fault["loc"][0])
        raise InputError(
            f"does not fit method {given.kind!r}: {fault['msg'][0].lower()}{fault['msg'][1:]}.",
            column=f"options.{option}",
            value=given.options.get(option),
            remedy="see docs/search.md for the settings.",
        ) from error


def feature_maps(
    study: Study, stems: Mapping[str, str], features: Mapping[str, str | Path], space: Product
) -> dict[str, FeatureMap]:
    """How the features that a chain reads follow from the numbers of a material, by scale.

    Args:
        study: The study.
        stems: ``<scale>/<protocol>/<model>`` of the chain's models by scale; see `Study.chain`.
        features: Features that each scale was trained on.
        space: The space.

    Raises:
        InputError: A block cannot be computed of the numbers of the space.
    """
    found = {}
    for scale, stem in stems.items():
        config = study.scales[scale]
        inputs = config.models[stem.rpartition("/")[2]].specification.inputs
        trained = tables.provenance(features[scale])["blocks"]
        blocks = {name: config.features[name] for name in inputs if name in config.features}
        columns = {name: trained[name]["columns"] for name in blocks}
        found[scale] = feature_map(blocks, columns, space.columns)
    return found


def shares_of(formulas: Sequence[str], space: Product) -> dict[str, NDArray[np.float64]]:
    """Shares of formulas on the columns of a space.

    Args:
        formulas: Formulas (n) that the reader of data sets has accepted.
        space: A space of sites or of elements.

    Returns:
        (n,) by column. What the space lacks is left out, so that the shares of a site may add up to less
        than 1.
    """
    found = {
        name: np.zeros(len(formulas)) for f in space.factors if isinstance(f, Simplex) for name in f.columns
    }
    for row, formula in enumerate(parse_many(list(formulas)).formulas):
        assert formula is not None
        parts = (
            {f"{site}:{ion}": share for site, mine in formula.sites().items() for ion, share in mine.items()}
            if isinstance(space, ABX3Alloy)
            else {name: float(n / sum(formula.amounts.values())) for name, n in formula.amounts.items()}
        )
        for name, share in parts.items():
            if name in found:
                found[name][row] = share
    return found


def training_formulas(
    features: str | Path, folds: str | Path | None, protocol: str, *, fold: int, held_out: bool = False
) -> list[str]:
    """Formulas of the materials that members of a fold were trained on, each once.

    Args:
        features: Features of the scale.
        folds: Folds of the scale.
        protocol: Protocol of the members.
        fold: Their fold; -1 for those trained on every row.
        held_out: The materials that the fold held out instead.
    """
    frame = tables.read(features, columns=["row_id", "formula", "material"])
    if fold >= 0 and folds is not None:
        mine = tables.read(folds, columns=["row_id", "fold"], protocol=protocol, repeat=0).set_index("row_id")
        out = mine["fold"].loc[frame["row_id"]].to_numpy() == fold
        frame = frame[out == held_out]
    return frame.drop_duplicates("material")["formula"].tolist()


def build_problem(
    study: Study,
    name: str,
    *,
    protocol: str,
    fold: int,
    weights: Mapping[str, str | Path],
    features: Mapping[str, str | Path],
    folds: Mapping[str, str | Path],
) -> Problem:
    """A design problem of a study with the members of a fold of its chain.

    Args:
        study: The study.
        name: Name of the problem.
        protocol: Protocol of the members.
        fold: Fold that the members left out; -1 for those trained on every row.
        weights: Weights of the chain's models by scale, parents first.
        features: Features that each scale of the chain was trained on.
        folds: Folds of each scale.

    Raises:
        InputError: The parts of the configuration do not fit each other or the trained models.
    """
    given = study.search[name]
    space = design_space(given.space)
    stems = study.chain(given.scale, given.model, protocol)
    chain = Chain(weights, fold=fold)
    maps = feature_maps(study, {scale: stems[scale] for scale in weights}, features, space)
    extras = {
        key: _extra(quantity, space, features, folds, protocol, fold)
        for key, quantity in given.quantities.items()
    }
    return Problem(
        space,
        Surrogate(chain, maps, extras),
        [_target(wanted) for wanted in given.targets],
        [Constraint(b.quantity, b.low, b.high, b.sigmas, b.tolerance, b.of) for b in given.constraints],
    )


def _target(given: config_search.Wanted) -> Target:
    if given.value is not None:
        return Target(given.quantity, "value", given.value, tolerance=given.tolerance)
    if given.between is not None:
        return Target(given.quantity, "range", *given.between, tolerance=given.tolerance)
    assert given.goal is not None
    return Target(given.quantity, given.goal, tolerance=given.tolerance, enough=given.enough)


def _extra(
    given: config_search.Quantity,
    space: Product,
    features: Mapping[str, str | Path],
    folds: Mapping[str, str | Path],
    protocol: str,
    fold: int,
) -> quantities.Extra:
    if given.detailed_balance is not None:
        return quantities.interpolated(given.detailed_balance, LIMIT_GAPS, limit(LIMIT_GAPS).pce)
    if given.perovskite is not None:
        return quantities.logistic("tau", PROBABILITY_MIDDLE, PROBABILITY_WIDTH)
    if given.training_distance is not None:
        scale = given.training_distance
        if scale not in features:
            raise InputError(
                "is not a scale of the searched chain.",
                column="quantities.training_distance",
                value=scale,
                remedy=f"choose one of {', '.join(features)}.",
            )
        known = training_formulas(features[scale], folds[scale], protocol, fold=fold)
        return quantities.Distance(space, shares_of(known, space))
    return quantities.weighted(_weights(given.weights or {}, space))


def _weights(given: Mapping[str, float], space: Product) -> list[float]:
    """A weight of each column: that of its species times the atoms of its site."""
    ratio = {
        column: SITES.get(f.site, 1) for f in space.factors if isinstance(f, Simplex) for column in f.columns
    }
    species = {column: column.rpartition(":")[2] for column in ratio}
    if unknown := sorted(set(given) - set(species.values())):
        raise InputError(
            "is not a species of the space.",
            column="quantities.weights",
            value=unknown[0],
            remedy=f"choose from {', '.join(dict.fromkeys(species.values()))}.",
        )
    return [given.get(species.get(column, ""), 0.0) * ratio.get(column, 0) for column in space.columns]


def candidate_table(problem: Problem, x: NDArray[np.float64], table: pd.DataFrame) -> pd.DataFrame:
    """Materials with formula, numbers and what is predicted, a row a material.

    Args:
        problem: The problem.
        x: Materials (n, columns).
        table: What `Problem.evaluate` says of them.
    """
    numbers = pd.DataFrame(x, columns=list(problem.space.columns))
    return pd.concat([pd.Series(problem.space.formulas(x), name="formula"), numbers, table], axis=1)
