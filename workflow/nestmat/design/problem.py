"""From the configuration of a design problem to the space, the problem and the methods that search it."""

from __future__ import annotations

import inspect
import json
import logging
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pydantic.dataclasses
from numpy.typing import NDArray
from pydantic import ConfigDict, ValidationError

from nestmat import tables
from nestmat.config import problems
from nestmat.config.study import Study
from nestmat.data.quantities import quantity_columns
from nestmat.errors import InputError
from nestmat.features.differentiable import feature_map
from nestmat.materials import ions
from nestmat.materials.formulas import parse_many
from nestmat.materials.perovskites import PROBABILITY_MIDDLE, PROBABILITY_WIDTH
from nestmat.physics.detailed_balance import limit
from nestmat.scales.chain import Chain
from nestmat.search import quantities
from nestmat.search.candidates import Candidates, SearchMethod
from nestmat.search.feature_map import FeatureMap
from nestmat.search.generators.network import GenerativeModel
from nestmat.search.methods.conditional_decoder import ROUNDED, Inversion
from nestmat.search.methods.generative import Generative
from nestmat.search.methods.registry import METHODS
from nestmat.search.problem import Constraint, Problem, Target
from nestmat.search.spaces.product import (
    SITES,
    ABX3Alloy,
    Alloy,
    Box,
    Choice,
    Factor,
    Fixed,
    Interval,
    Product,
)
from nestmat.search.spaces.simplex import Simplex
from nestmat.search.surrogate import Surrogate

_LOG = logging.getLogger(__name__)
_SETTINGS = ConfigDict(extra="forbid", strict=True)

LIMIT_GAPS = np.linspace(0.3, 4.0, 371)
"""Gaps in eV at which the limit of detailed balance is tabulated, to be linear between them."""


@dataclass(frozen=True)
class Members:
    """Which trained members search, and where their files are.

    Attributes:
        protocol: Protocol that they were trained in.
        fold: Fold that they left out; -1 for those trained on every row.
        weights: Weights of the chain's models by scale, parents first.
        features: Features of each of these scales.
        folds: Folds of each of these scales.
    """

    protocol: str
    fold: int
    weights: Mapping[str, str | Path]
    features: Mapping[str, str | Path]
    folds: Mapping[str, str | Path]


def members_of(given: Mapping[str, Any], files: Sequence[str]) -> Members:
    """The members that a rule names.

    Args:
        given: Protocol, fold and scales.
        files: Weights, features and folds of each scale in turn.
    """
    weights, features, folds = (dict(zip(given["scales"], files[k::3], strict=True)) for k in range(3))
    return Members(given["protocol"], given["fold"], weights, features, folds)


def design_space(given: problems.Space) -> Product:
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


def _shares(given: problems.Shares, site: str = "") -> Simplex:
    bounds = dict(given.bounds)
    if given.greatest < 1:
        own = {name: given.bounds.get(name, (0.0, 1.0)) for name in given.species}
        bounds |= {name: (low, min(high, given.greatest)) for name, (low, high) in own.items()}
    return Simplex(
        given.species,
        given.grid,
        site=site,
        fewest=given.fewest,
        most=given.most,
        least=given.least,
        bounds=bounds,
    )


def _variable(name: str, given: problems.Variable) -> Factor:
    if given.levels is not None:
        return Choice(name, given.levels)
    if given.between is not None:
        return Interval(name, *given.between, given.grid, periodic=given.periodic)
    assert given.value is not None
    return Fixed(name, given.value)


def settings_of(settings: type, options: Mapping[str, Any], what: str) -> Any:
    """Settings with some that differ from the defaults.

    Args:
        settings: Dataclass of the settings.
        options: Those that differ.
        what: Of what, for messages.

    Raises:
        InputError: A setting is unknown or of another type.
    """
    try:
        checked: Any = pydantic.dataclasses.dataclass(settings, frozen=True, config=_SETTINGS)
        found = checked(**{k: tuple(v) if isinstance(v, list) else v for k, v in options.items()})
    except ValidationError as error:
        fault = error.errors()[0]
        option = str(fault["loc"][0])
        raise InputError(
            f"does not fit {what}: {fault['msg'][0].lower()}{fault['msg'][1:]}.",
            column=f"options.{option}",
            value=options.get(option),
            remedy=f"its settings are {', '.join(inspect.signature(settings).parameters) or 'none'}.",
        ) from error
    return found


def method(
    given: problems.Method,
    models: Sequence[GenerativeModel] | None = None,
    known: Callable[[], NDArray[np.float64]] | None = None,
) -> SearchMethod:
    """A method with its settings.

    Args:
        given: Its configuration.
        models: Trained models of a generative one.
        known: Gives the known materials (n, columns) that an inversion starts from.

    Raises:
        InputError: A setting is unknown or of another type.
    """
    search = settings_of(METHODS[given.kind], given.options, f"method {given.kind!r}")
    if isinstance(search, Inversion):
        return search.bind(known() if known else np.empty((0, 0)))
    return search.bind(models or []) if isinstance(search, Generative) else search


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
    found = {name: np.zeros(len(formulas)) for site in space.shares for name in site.columns}
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


def training_rows(
    scale: str, members: Members, columns: Sequence[str], *, each: bool = False
) -> pd.DataFrame:
    """Rows that members were trained on at a scale, some columns of its features.

    Args:
        scale: The scale.
        members: The members.
        columns: The columns.
        each: Whether to take every row; by default the first of each material.

    Raises:
        InputError: The features lack a column.
    """
    file = members.features[scale]
    if lacking := [name for name in columns if name not in tables.schema(file)]:
        raise InputError(
            "is a number of the design space that the features lack.",
            file=file,
            column=lacking[0],
            remedy=f"add a block of `columns` that holds it to scales.{scale}.features.",
        )
    frame = tables.read(file, columns=[*dict.fromkeys(["row_id", "material", *columns])])
    if members.fold >= 0:
        mine = tables.read(
            members.folds[scale], columns=["row_id", "fold"], protocol=members.protocol, repeat=0
        )
        frame = frame.merge(mine[mine["fold"] != members.fold], on="row_id", validate="one_to_one")
    return (frame if each else frame.drop_duplicates("material"))[list(columns)]


def training_formulas(scale: str, members: Members) -> list[str]:
    """Formulas of the materials that members were trained on at a scale, each once."""
    return training_rows(scale, members, ["formula"])["formula"].tolist()


def known_materials(design: Design) -> NDArray[np.float64]:
    """Materials that the members were trained on at the finest scale that predicts, moved into the space.

    Returns:
        (n, columns), each once: those of which grid and rules of the space change `ROUNDED` of the atoms or
        less.
    """
    space = design.space
    shares = shares_of(training_formulas(design.scales[0], design.members), space)
    parts = []
    for factor in space.factors:
        if isinstance(factor, Simplex):
            parts.append(np.stack([shares[column] for column in factor.columns], axis=1))
        else:
            parts.append(factor.sample(len(parts[0]), np.random.default_rng(0)))
    given = np.concatenate(parts, axis=1)
    x = space.canonical(given)
    near = np.ones(len(x), dtype=bool)
    for factor, old, new in zip(space.factors, space.split(given), space.split(x), strict=True):
        if isinstance(factor, Simplex):
            # What the space lacks is missing from the sum as well.
            near &= (factor.distance(old, new) <= ROUNDED) & np.isclose(old.sum(axis=1), 1)
    return np.unique(x[near], axis=0)


@dataclass(frozen=True)
class Design:
    """A design problem of a study with trained members of its chain.

    Attributes:
        study: The study.
        name: Name of the problem.
        members: The members.
        space: The materials that may be proposed.
        surrogate: What the members predict of them.
        problem: What is wanted of them.
    """

    study: Study
    name: str
    members: Members
    space: Product
    surrogate: Surrogate
    problem: Problem

    @property
    def given(self) -> problems.DesignProblem:
        """Configuration of the problem."""
        return self.study.search[self.name]

    @property
    def scales(self) -> list[str]:
        """Scales of the chain that predict, finer ones first."""
        return [s for s in self.study.lineage(self.given.scale) if self.study.scales[s].targets]

    @property
    def units(self) -> dict[str, str]:
        """Unit of every quantity."""
        return {key: column.unit for key, column in quantity_columns(self.study, self.name).items()}


def surrogate_of(
    study: Study,
    stems: Mapping[str, str],
    members: Members,
    space: Product,
    extras: Mapping[str, quantities.Extra] | None = None,
) -> Surrogate:
    """What members predict of the materials of a space.

    Args:
        study: The study.
        stems: Models of the chain by scale; see `Study.chain`.
        members: The members.
        space: The space.
        extras: Further quantities.

    Raises:
        InputError: A scale reads what the space does not give.
    """
    maps = feature_maps(study, {scale: stems[scale] for scale in members.weights}, members.features, space)
    return Surrogate(Chain(members.weights, fold=members.fold), maps, extras)


def build_design(study: Study, name: str, members: Members) -> Design:
    """A design problem of a study with trained members of its chain.

    Raises:
        InputError: The parts of the configuration do not fit each other or the trained models.
    """
    given = study.search[name]
    space = design_space(given.space)
    stems = study.chain(given.scale, given.model, members.protocol)
    extras = {key: _extra(quantity, space, members) for key, quantity in given.quantities.items()}
    surrogate = surrogate_of(study, stems, members, space, extras)
    problem = Problem(
        space,
        surrogate,
        [_target(wanted) for wanted in given.targets],
        [Constraint(b.quantity, b.low, b.high, b.sigmas, b.tolerance, b.of) for b in given.constraints],
    )
    return Design(study, name, members, space, surrogate, problem)


def _target(given: problems.Wanted) -> Target:
    if given.value is not None:
        return Target(given.quantity, "value", given.value, tolerance=given.tolerance)
    if given.between is not None:
        return Target(given.quantity, "range", *given.between, tolerance=given.tolerance)
    assert given.goal is not None
    return Target(given.quantity, given.goal, tolerance=given.tolerance, enough=given.enough)


def _extra(given: problems.Quantity, space: Product, members: Members) -> quantities.Extra:
    if given.detailed_balance is not None:
        return quantities.interpolated(given.detailed_balance, LIMIT_GAPS, limit(LIMIT_GAPS).pce)
    if given.perovskite is not None:
        return quantities.logistic("tau", PROBABILITY_MIDDLE, PROBABILITY_WIDTH)
    if given.training_distance is not None:
        return distance_to_training(given.training_distance, space, members)
    return quantities.weighted(_weights(given.weights or {}, space))


def distance_to_training(scale: str, space: Product, members: Members) -> quantities.Distance:
    """Distance of a material to the nearest that the members of a scale were trained on.

    Raises:
        InputError: The scale is not one of the searched chain.
    """
    if scale not in members.features:
        raise InputError(
            "is not a scale of the searched chain.",
            column="quantities.training_distance",
            value=scale,
            remedy=f"choose one of {', '.join(members.features)}.",
        )
    return quantities.Distance(space, shares_of(training_formulas(scale, members), space))


def _weights(given: Mapping[str, float], space: Product) -> list[float]:
    """A weight of each column: that of its species times the atoms of its site."""
    ratio = {column: SITES.get(f.site, 1) for f in space.shares for column in f.columns}
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


RUNS: tables.Schema = {
    "method": tables.Column("string"),
    "seed": tables.Column("int32"),
    "evaluations": tables.Column(
        "int64", description="materials that were predicted; a gradient counts twice"
    ),
    "seconds": tables.Column("float64", unit="s", description="of the search, without loading the models"),
    "details": tables.Column("string", description="what the method says of its work, as JSON"),
}


def candidate_schema(design: Design, columns: Iterable[str]) -> dict[str, tables.Column]:
    """Schema of a table of candidates, of its columns."""
    units = design.units
    plain = {
        "method": tables.Column("string"),
        "seed": tables.Column("int32", description="seed of the search"),
        "rank": tables.Column("int32", description="place among the candidates of the search, from 1"),
        "formula": tables.Column("string"),
    }
    found: dict[str, tables.Column] = {}
    for column in columns:
        stem, _, what = column.rpartition(".")
        if column in plain:
            found[column] = plain[column]
        elif "hit" in (column, what) or column in ("in_domain", "known"):
            found[column] = tables.Column("bool")
        elif what in ("mean", "std"):
            quantity = next((q for q in units if stem == q or stem.endswith(f".{q}")), "")
            found[column] = tables.Column("float64", unit=units.get(quantity, ""))
        else:
            found[column] = tables.Column("float64")
    return found


def proposed(problem: Problem, found: Candidates, count: int) -> NDArray[np.int64]:
    """Rows of candidates to propose: with one target the best; with several the front first.

    Where the front has more than ``count``, it is thinned evenly along the first target.

    Args:
        problem: What is wanted, with the predictor that was searched.
        found: What was found, best first.
        count: How many to propose.

    Returns:
        At most ``count``, best first.
    """
    rows = np.arange(len(found.x))
    if len(problem.targets) > 1:
        front = problem.front(found.table)
        ranked = rows[front][np.argsort(problem.distances(found.table)[front, 0], kind="stable")]
        if len(ranked) > count:
            ranked = ranked[np.linspace(0, len(ranked) - 1, count).round().astype(int)]
        rows = np.concatenate([ranked, rows[~front]])
    return np.sort(rows[:count])


def search_candidates(
    design: Design,
    method_name: str,
    candidates: str | Path,
    runs: str | Path,
    problem: Problem | None = None,
    models: Sequence[GenerativeModel] | None = None,
) -> None:
    """Search with one method, once a seed, and write the best candidates of each search.

    Args:
        design: The problem with the members that are searched.
        method_name: Name of the method in the problem.
        candidates: Table to write, `candidate_schema`.
        runs: Table to write, `RUNS`.
        problem: The problem with another predictor than the members; they are asked about what it finds.
        models: Trained models of a generative method.

    Raises:
        InputError: As `method` and the method itself.
    """
    given, chosen = design.given, design.given.methods[method_name]
    search = method(chosen, models, lambda: known_materials(design))
    parts, records = [], []
    for seed in range(chosen.seeds or given.seeds):
        start = time.perf_counter()
        found = search.propose(problem or design.problem, chosen.budget or given.budget, seed)
        seconds = time.perf_counter() - start
        best = found.x[proposed(problem or design.problem, found, given.proposals)]
        part = candidate_table(design.problem, best, design.problem.evaluate(best))
        _LOG.info(
            "%s, seed %d: %d materials predicted in %.1f s; %d of the best %d are hits",
            *(method_name, seed, found.evaluations, seconds, part["hit"].sum(), len(part)),
        )
        parts.append(part.assign(method=method_name, seed=seed, rank=np.arange(1, len(part) + 1)))
        records.append((method_name, seed, found.evaluations, seconds, json.dumps(found.details)))
    frame = pd.concat(parts, ignore_index=True)
    facts = {"problem": design.name}
    tables.write(candidates, frame, candidate_schema(design, frame.columns), facts)
    tables.write(runs, pd.DataFrame(records, columns=list(RUNS)), RUNS, facts)
