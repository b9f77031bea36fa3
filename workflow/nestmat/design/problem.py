"""A design problem of a study with the trained members that are searched."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from nestmat import tables
from nestmat.config import problems
from nestmat.config.study import Study
from nestmat.data.quantities import quantity_columns
from nestmat.design.domain import DesignDomain, distance_to_training
from nestmat.design.members import Members
from nestmat.design.recommended import SpacePredictor, read_features
from nestmat.design.spaces import design_space
from nestmat.errors import InputError
from nestmat.evaluation.recommended import RecommendedPredictor
from nestmat.features.differentiable import feature_map
from nestmat.features.feature_map import FeatureMap
from nestmat.materials.perovskites import PROBABILITY_MIDDLE, PROBABILITY_WIDTH
from nestmat.models.keys import ModelKey
from nestmat.physics.detailed_balance import limit
from nestmat.scales.chain import Chain
from nestmat.search import quantities
from nestmat.search.distilled import DistilledPredictor
from nestmat.search.problem import Constraint, Problem, Target
from nestmat.search.spaces.alloys import SITES
from nestmat.search.spaces.product import Product
from nestmat.search.surrogate import PredictedSurrogate, Surrogate

TABULATED_GAPS_EV = np.linspace(0.3, 4.0, 371)
"""Gaps in eV at which the limit of detailed balance is tabulated, to be linear between them."""


def feature_maps(
    study: Study, model_keys: Mapping[str, ModelKey], features: Mapping[str, str | Path], space: Product
) -> dict[str, FeatureMap]:
    """Maps from the numbers of a material to the features that a chain reads, by scale.

    Args:
        study: The study.
        model_keys: The models of the chain by scale; see `Study.chain`.
        features: Features that each scale was trained on.
        space: The space.

    Raises:
        InputError: A block cannot be computed from the numbers of the space.
    """
    maps = {}
    for scale, key in model_keys.items():
        config = study.scales[scale]
        inputs = config.models[key.model].specification.inputs
        trained = tables.provenance(features[scale])["blocks"]
        blocks = {name: config.features[name] for name in inputs if name in config.features}
        columns = {name: trained[name]["columns"] for name in blocks}
        maps[scale] = feature_map(blocks, columns, space.columns)
    return maps


@dataclass(frozen=True)
class Design:
    """A design problem of a study with trained members of its chain.

    Attributes:
        study: The study.
        name: Name of the problem.
        members: The members.
        space: The materials that may be proposed.
        surrogate: Predictions for these materials: of the recommended predictors, of the network that stands
            for them where a screen reads it alone, or of the members.
        problem: Targets and constraints, with these predictions.
        searched: The same with the network that stands for the recommended predictors, where there is one.
        data: Data set of each scale that predicts, read, where candidates are judged.
    """

    study: Study
    name: str
    members: Members
    space: Product
    surrogate: Surrogate
    problem: Problem
    searched: Problem
    data: Mapping[str, str | Path] = field(default_factory=dict)

    @property
    def config(self) -> problems.DesignProblem:
        """Configuration of the problem."""
        return self.study.search[self.name]

    @functools.cached_property
    def domain(self) -> DesignDomain:
        """Verdicts on materials of the space, by the rows that the members were trained on."""
        return DesignDomain(self.study, self.members, self.space)

    @property
    def scales(self) -> list[str]:
        """Scales of the chain that predict, finer ones first."""
        return [name for name in self.study.lineage(self.config.scale) if self.study.scales[name].targets]

    @property
    def units(self) -> dict[str, str]:
        """Unit of every quantity."""
        return {key: column.unit for key, column in quantity_columns(self.study, self.name).items()}


def surrogate_of(
    study: Study,
    model_keys: Mapping[str, ModelKey],
    members: Members,
    space: Product,
    extras: Mapping[str, quantities.Extra] | None = None,
) -> Surrogate:
    """Predictions of members for the materials of a space.

    Args:
        study: The study.
        model_keys: Models of the chain by scale; see `Study.chain`.
        members: The members.
        space: The space.
        extras: Quantities that follow from the predictions or from the material.

    Raises:
        InputError: A scale reads a feature that the space does not have.
    """
    maps = feature_maps(
        study, {scale: model_keys[scale] for scale in members.weights}, members.features, space
    )
    return Surrogate(Chain(members.weights, fold=members.fold), maps, extras)


@dataclass(frozen=True)
class Recommended:
    """The recommended predictors in a design problem.

    Attributes:
        results: Folder of the results of the study that they are read from; None where the network alone
            predicts.
        student: Weights of the network that stands for them in a search; None where they predict themselves.
    """

    results: Path | None = None
    student: str | Path | None = None


def build_design(study: Study, name: str, members: Members, recommended: Recommended | None = None) -> Design:
    """A design problem of a study with trained members of its chain.

    Args:
        study: The study.
        name: Name of the problem.
        members: Members of the chain of the problem's model.
        recommended: The recommended predictors, where they predict in place of the members.

    Raises:
        InputError: The parts of the configuration do not fit each other or the trained models.
    """
    config = study.search[name]
    space = design_space(config.space)
    model_keys = study.chain(config.scale, config.model, members.protocol)
    ranks_outside_last = config.ranks_outside_last(recommended is not None)
    uses_domain = ranks_outside_last or any(quantity.domain for quantity in config.quantities.values())
    domain = DesignDomain(study, members, space) if uses_domain else None
    extras = {
        key: _derived_quantity(quantity, space, members, domain)
        for key, quantity in config.quantities.items()
    }
    surrogate = surrogate_of(study, model_keys, members, space, extras)
    stated = surrogate
    if recommended and recommended.student:
        features = functools.partial(read_features, maps=surrogate.maps)
        student = DistilledPredictor.load(recommended.student, features)
        stated = PredictedSurrogate(surrogate, student)
    searched = Problem(
        space,
        stated,
        [_target(target, 1.0 if recommended else 0.0) for target in config.targets],
        [
            Constraint(bound.quantity, bound.low, bound.high, bound.sigmas, bound.tolerance, bound.of)
            for bound in config.constraints
        ],
        domain.outside if domain and ranks_outside_last else None,
    )
    if recommended and recommended.results:
        protocol = None if members.fold < 0 else members.protocol
        # A job has one thread.
        predictors = RecommendedPredictor(study, recommended.results, config.scale, protocol, threads=1)
        stated = PredictedSurrogate(surrogate, SpacePredictor(predictors, space))
    problem = dataclasses.replace(searched, predict=stated) if stated is not searched.predict else searched
    return Design(study, name, members, space, stated, problem, searched)


def _target(config: problems.Target, sigmas: float) -> Target:
    """A target, with this margin where it states none."""
    margin = sigmas if config.sigmas is None else config.sigmas
    if config.value is not None:
        return Target(config.quantity, "value", config.value, tolerance=config.tolerance, sigmas=margin)
    if config.between is not None:
        low, high = config.between
        return Target(config.quantity, "range", low, high, tolerance=config.tolerance, sigmas=margin)
    assert config.goal is not None
    return Target(
        config.quantity, config.goal, tolerance=config.tolerance, enough=config.enough, sigmas=margin
    )


def _derived_quantity(
    config: problems.Quantity, space: Product, members: Members, domain: DesignDomain | None
) -> quantities.Extra:
    if config.detailed_balance is not None:
        return quantities.interpolated(
            config.detailed_balance, TABULATED_GAPS_EV, limit(TABULATED_GAPS_EV).pce
        )
    if config.perovskite is not None:
        return quantities.logistic("tau", PROBABILITY_MIDDLE, PROBABILITY_WIDTH)
    if config.training_distance is not None:
        return distance_to_training(config.training_distance, space, members)
    if config.domain is not None:
        assert domain is not None
        return domain.quantity
    return quantities.weighted(_column_weights(config.weights or {}, space))


def _column_weights(by_species: Mapping[str, float], space: Product) -> list[float]:
    """Weight of each column: that of its species times the atoms of its site in a formula unit."""
    ratio = {column: SITES.get(f.site, 1) for f in space.composition_factors for column in f.columns}
    species = {column: column.rpartition(":")[2] for column in ratio}
    if unknown := sorted(set(by_species) - set(species.values())):
        raise InputError(
            f"The design space has no species {unknown[0]!r}.",
            key="quantities.weights",
            value=unknown[0],
            remedy=f"choose from {', '.join(dict.fromkeys(species.values()))}.",
        )
    return [by_species.get(species.get(column, ""), 0.0) * ratio.get(column, 0) for column in space.columns]
