"""Paths from one material to another: through the latents of a scale, and by mixing."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from nestmat.errors import InputError
from nestmat.search.candidate_table import CandidateTable
from nestmat.search.methods.conditional_decoder import ConditionalDecoder
from nestmat.search.methods.latent import LatentSpace
from nestmat.search.problem import Problem
from nestmat.search.spaces.product import Product
from nestmat.search.surrogate import Surrogate


class _Latents(NamedTuple):
    """Materials by their latents.

    Attributes:
        space: The space.
        encode: Materials (n, columns) to latents (n, latents), NaN where a feature is not defined.
        decode: Materials (n, columns) with the composition decoded from latents (n, latents).
        distance: Sum of the differences of the fractions of two lists of materials, 0 to 2, (n,).
    """

    space: Product
    encode: Callable[[NDArray[np.float64]], NDArray[np.float64]]
    decode: Callable[[NDArray[np.float64], NDArray[np.float64]], NDArray[np.float64]]
    distance: Callable[[NDArray[np.float64], NDArray[np.float64]], NDArray[np.float64]]


class Interpolation(NamedTuple):
    """Three paths between two materials.

    Attributes:
        points: ``path`` (line, slerp or mixing), ``step``, ``position`` from 0 to 1, the columns of the
            space, and mean and standard deviation of each quantity.
        measures: ``path``, ``measure``, ``quantity`` (empty for measures of the composition) and ``value``:
            ``monotonicity``, the share of steps that change the quantity in the direction in which the ends
            differ, NaN where they do not; ``largest_step`` of the fractions of a site and their
            ``end_error`` from the two materials, both as the sum of differences, 0 to 2, mean over the sites;
            and the share of points that is ``allowed``, that is, keeps the rules of the space for its sites.
    """

    points: pd.DataFrame
    measures: pd.DataFrame


def interpolate(
    problem: Problem,
    a: NDArray[np.float64],
    b: NDArray[np.float64],
    steps: int = 21,
    scale: str | None = None,
) -> Interpolation:
    """Interpolate between two materials by a straight line and by slerp of their latents, and by mixing.

    Slerp rotates one vector of whitened latents into the other about their mean (Shoemake, SIGGRAPH 1985;
    White, arXiv:1609.04468). Of a semi-supervised scale z is rotated, about 0, and the targets are set to
    their goals along the whole path. Decoded materials keep the rules of the space. Mixing the two materials
    is the trivial path; it may need more species at once than the space allows. Factors that the scale does
    not decode are mixed on all paths; a level changes half-way.

    Args:
        problem: A problem that a trained chain predicts.
        a: The first material, (columns,).
        b: The last, (columns,).
        steps: Points of a path, both ends among them.
        scale: Scale of the latents; by default that of the first target where its model is semi-supervised,
            else as `LatentSpace`.

    Raises:
        InputError: As `LatentSpace` or `ConditionalDecoder`, there are fewer than two steps, or a material
            has no latents.
    """
    if steps < 2:
        raise InputError(
            f"A path of {steps} steps has no two ends.", key="steps", remedy="give 2 steps or more."
        )
    latents = _latents(problem, scale)
    ends = problem.space.canonical(np.stack([a, b]))
    w = latents.encode(ends)
    if not np.isfinite(w).all():
        row = int(np.argmin(np.isfinite(w).all(axis=1)))
        formula = problem.space.formulas(ends[[row]])[0]
        raise InputError(
            f"{formula} has no latents, since one of its features is not defined.",
            key="between",
            remedy="choose another material.",
        )
    t = np.linspace(0.0, 1.0, steps)[:, None]
    mixed = _mixed(latents.space, ends, t)
    latent_paths = {"line": (1 - t) * w[0] + t * w[1], "slerp": _slerp(w[0], w[1], t)}
    paths = {name: latents.decode(mixed, path) for name, path in latent_paths.items()} | {"mixing": mixed}
    end_means = CandidateTable(problem.evaluate(ends)).means
    points, measures = [], []
    for name, x in paths.items():
        table = problem.evaluate(x)
        place = pd.DataFrame({"path": name, "step": range(steps), "position": t[:, 0]})
        numbers = pd.DataFrame(x, columns=list(problem.space.columns))
        points.append(pd.concat([place, numbers, CandidateTable(table).predictions], axis=1))
        of_composition = {
            "largest_step": latents.distance(x[1:], x[:-1]).max(),
            "end_error": latents.distance(x[[0, -1]], ends).max(),
            "allowed": _allowed(latents.space, x).mean(),
        }
        measures += [(name, measure, "", float(value)) for measure, value in of_composition.items()]
        change = CandidateTable(table).means.diff().iloc[1:]
        for quantity in map(str, end_means):
            direction = np.sign(end_means[quantity].iloc[1] - end_means[quantity].iloc[0])
            share = (np.sign(change[quantity]) == direction).mean() if direction in (-1, 1) else np.nan
            measures.append((name, "monotonicity", quantity, float(share)))
    return Interpolation(
        pd.concat(points, ignore_index=True),
        pd.DataFrame(measures, columns=["path", "measure", "quantity", "value"]),
    )


def _latents(problem: Problem, scale: str | None) -> _Latents:
    if _conditional(problem, scale):
        decoder = ConditionalDecoder(problem)
        return _Latents(
            decoder.space,
            decoder.encode,
            lambda x, z: decoder.replace_composition(x, decoder.decode(z)),
            lambda a, b: 2 * decoder.composition.distance(decoder.fractions(a), decoder.fractions(b)),
        )
    latents = LatentSpace(problem, scale)

    def encode(x: NDArray[np.float64]) -> NDArray[np.float64]:
        with torch.no_grad():
            return latents.whiten(torch.from_numpy(x)).numpy()

    return _Latents(latents.space, encode, latents.replace_sites, latents.site_distance)


def _conditional(problem: Problem, scale: str | None) -> bool:
    """Whether the scale is that of the first target, and has a semi-supervised model."""
    name = problem.targets[0].quantity.partition(".")[0]
    if not isinstance(problem.predict, Surrogate) or scale not in (None, name):
        return False
    chain = problem.predict.chain
    return name in chain.scales and chain.conditions(name) is not None


def _mixed(space: Product, ends: NDArray[np.float64], t: NDArray[np.float64]) -> NDArray[np.float64]:
    """Mixtures (steps, columns) of two materials (2, columns) at ``t`` (steps, 1); levels are not mixed."""
    parts = zip(space.factors, space.split((1 - t) * ends[0] + t * ends[1]), strict=True)
    return np.concatenate([factor.mix(part) for factor, part in parts], axis=1)


def _slerp(a: NDArray[np.float64], b: NDArray[np.float64], t: NDArray[np.float64]) -> NDArray[np.float64]:
    """Spherical interpolation of vectors (d,) at ``t`` (steps, 1), (steps, d); linear if parallel."""
    cosine = a @ b / (np.linalg.norm(a) * np.linalg.norm(b))
    angle = np.arccos(np.clip(cosine, -1.0, 1.0))
    if np.sin(angle) < 1e-6:
        return (1 - t) * a + t * b
    return (np.sin((1 - t) * angle) * a + np.sin(t * angle) * b) / np.sin(angle)


def _allowed(space: Product, x: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Whether the sites of materials (n, columns) keep the rules of the space, (n,)."""
    parts = zip(space.factors, space.split(x), strict=True)
    return np.logical_and.reduce([factor.keeps_rules(part) for factor, part in parts])
