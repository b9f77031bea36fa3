"""Search in the latent space of one scale of a trained chain."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from nestmat.deferred import no_grad, torch
from nestmat.errors import InputError
from nestmat.search.candidates import Candidates
from nestmat.search.methods.descent import Descent
from nestmat.search.methods.registry import METHODS
from nestmat.search.problem import Problem
from nestmat.search.spaces.base import Factor
from nestmat.search.spaces.simplex import SMALLEST_FRACTION

if TYPE_CHECKING:
    from torch import Tensor

LEAST_VARIANCE = 1e-6
"""Share of the largest variance below which a direction is no direction of the latent space."""


class LatentSpace:
    """Materials of a space by the whitened latents of one scale and unconstrained reals of other variables.

    The first of the members encodes and decodes. Whitened latents have mean 0 and covariance 1 over the
    materials of the space. Site fractions are decoded from the latents, and then mapped to the rules of the
    space as its own unconstrained reals are; factors of the space that the scale does not decode have
    unconstrained reals of their own, after the latents.

    Args:
        problem: A problem that a trained chain predicts.
        scale: The scale; by default the first that decodes the fractions of every site of the space.
        shell: Share of the normal distribution of that many latents that lies in the ball to search in.
        sample: Number of random materials for mean and covariance.
        seed: Seed of these materials.

    Attributes:
        scale: The scale.
        dimensions: Number of whitened latents.
        radius: Radius of the ball.
        reference: The random materials that have latents, (n, columns).

    Raises:
        InputError: The problem has no trained chain or no product of factors, the scale does not decode the
            sites, or the latents do not vary.
    """

    def __init__(
        self,
        problem: Problem,
        scale: str | None = None,
        *,
        shell: float = 0.95,
        sample: int = 2000,
        seed: int = 0,
    ):
        # The chain of networks imports torch.
        from nestmat.search.surrogate import chain_and_space

        self.surrogate, self.space = chain_and_space(problem)
        self.scale = self._choose(scale)
        blocks = self.surrogate.chain.fractions(self.scale)
        self._decoded = [self._place(factor, blocks) for factor in self.space.factors]
        materials = self.space.sample(sample, seed)
        z = self._encode(torch.from_numpy(materials))
        defined = torch.isfinite(z).all(dim=1)
        z, self.reference = z[defined], materials[defined.numpy()]
        if len(z) < 2 or z.std(dim=0).max() < 1e-6:
            raise InputError(
                f"The latents of {self.scale!r} are the same for all materials of the space.",
                key=f"scales.{self.scale}",
                remedy="choose another scale.",
            )
        self._mean = z.mean(dim=0)
        variance, directions = torch.linalg.eigh(torch.cov(z.T).reshape(z.shape[1], z.shape[1]))
        varies = variance > LEAST_VARIANCE * variance[-1]
        self._directions, self._std = directions[:, varies], variance[varies].sqrt()
        self.dimensions = int(varies.sum())
        self.radius = math.sqrt(chi_square_quantile(shell, self.dimensions))

    def _choose(self, scale: str | None) -> str:
        chain = self.surrogate.chain
        if scale is not None and scale not in chain.scales:
            raise InputError(
                f"Unknown scale {scale!r} of the latent search.",
                key="scale",
                remedy=f"choose from {', '.join(chain.scales)}.",
            )
        sites = [factor for factor in self.space.composition_factors if factor.n_grid_points > 1]
        for name in chain.scales if scale is None else [scale]:
            blocks = chain.fractions(name)
            if sites and all(self._place(site, blocks) for site in sites):
                return name
        raise InputError(
            f"No head of {scale or ', '.join(chain.scales)} decodes the site fractions of the space.",
            key="scale",
            remedy="give a scale heads with the loss cross_entropy for the blocks of all sites.",
        )

    @staticmethod
    def _place(factor: Factor, blocks: Mapping[str, Sequence[str]]) -> tuple[str, list[int]] | None:
        """Block from which a factor is decoded, and the places of its columns there."""
        for name, columns in blocks.items():
            if factor.is_composition and set(factor.columns) <= set(columns):
                return name, [list(columns).index(column) for column in factor.columns]
        return None

    def _encode(self, x: Tensor) -> Tensor:
        """Latents (n, latents), float64, of materials (n, columns)."""
        return self.surrogate.encode(self.scale, x)[0].double()

    def whiten(self, x: Tensor) -> Tensor:
        """Whitened latents (n, dimensions) of materials (n, columns); NaN where a feature is not defined."""
        return (self._encode(x) - self._mean) @ self._directions / self._std

    def coordinates(self, x: NDArray[np.float64]) -> Tensor:
        """Coordinates of those of the materials (n, columns) that have latents."""
        with torch.no_grad():
            defined = torch.isfinite(self.whiten(torch.from_numpy(x))).all(dim=1).numpy()
        return torch.from_numpy(self.to_free(x[defined]))

    def decode_fractions(self, w: Tensor) -> list[Tensor | None]:
        """Site fractions of whitened latents (n, dimensions), for each factor of the space.

        Returns:
            Fractions (n, species) of the species of the space, of sum 1; they need not keep its other rules.
            None for a factor that is not decoded.
        """
        z = self._mean + (w * self._std) @ self._directions.T
        blocks = self.surrogate.chain.decode(self.scale, z[None])
        fractions: list[Tensor | None] = []
        for place in self._decoded:
            if place is None:
                fractions.append(None)
            else:
                part = blocks[place[0]][0][:, place[1]].clamp_min(SMALLEST_FRACTION)
                fractions.append(part / part.sum(dim=1, keepdim=True))
        return fractions

    def from_free(self, u: Tensor) -> Tensor:
        """Materials (n, columns) of whitened latents and other coordinates, (n, dimensions + others)."""
        w, free = u[:, : self.dimensions], u[:, self.dimensions :]
        parts = []
        for factor, fractions in zip(self.space.factors, self.decode_fractions(w), strict=True):
            if fractions is None:
                parts.append(free[:, : factor.n_free])
                free = free[:, factor.n_free :]
            else:
                parts.append(fractions.log())
        return self.space.from_free(torch.cat(parts, dim=1))

    def to_free(self, x: NDArray[np.float64]) -> NDArray[np.float64]:
        """Coordinates (n, dimensions + others) of materials (n, columns); latents not defined are 0."""
        with torch.no_grad():
            w = torch.nan_to_num(self.whiten(torch.from_numpy(x)), nan=0.0).numpy()
        return np.concatenate([w, self._other_coordinates(x)], axis=1)

    def _other_coordinates(self, x: NDArray[np.float64]) -> NDArray[np.float64]:
        """Unconstrained reals (n, others) of the factors that are not decoded."""
        factors = zip(self.space.factors, self.space.split(x), self._decoded, strict=True)
        free = [factor.to_free(part) for factor, part, place in factors if not place]
        return np.concatenate([np.empty((len(x), 0)), *free], axis=1)

    def draw(self, n: int, seed: Sequence[int]) -> NDArray[np.float64]:
        """Normal whitened latents, and other coordinates of random materials, (n, dimensions + others)."""
        w = np.random.default_rng([*seed, 0]).normal(size=(n, self.dimensions))
        return np.concatenate([w, self._other_coordinates(self.space.sample(n, [*seed, 1]))], axis=1)

    def violations(self, u: Tensor) -> Tensor:
        """Distance of the whitened latents from the ball, 0 inside of it, (n, 1)."""
        return torch.relu(u[:, : self.dimensions].norm(dim=1, keepdim=True) - self.radius)

    @no_grad
    def consistency(self, u: Tensor) -> dict[str, float]:
        """Agreement of latents with the latents of the materials to which they are decoded.

        Args:
            u: Coordinates, (n, dimensions + others).

        Returns:
            ``mean`` and 95th percentile ``p95`` of the distance ||enc(dec(w)) - w|| of whitened latents, and
            the share of them ``inside`` the ball, over those whose materials have latents; empty without any.
        """
        w = u[:, : self.dimensions]
        error = (self.whiten(self.from_free(u)) - w).norm(dim=1)
        defined = torch.isfinite(error)
        if not defined.any():
            return {}
        return {
            "mean": float(error[defined].mean()),
            "p95": float(error[defined].quantile(0.95)),
            "inside": float((self.violations(u)[defined] == 0).double().mean()),
        }

    @no_grad
    def replace_sites(self, x: NDArray[np.float64], w: NDArray[np.float64]) -> NDArray[np.float64]:
        """Materials ``x`` (n, columns) with the sites decoded from latents ``w`` (n, dimensions)."""
        decoded = self.from_free(
            torch.from_numpy(np.concatenate([w, self._other_coordinates(x)], axis=1))
        ).numpy()
        parts = zip(self.space.split(x), self.space.split(decoded), self._decoded, strict=True)
        return np.concatenate([new if place else old for old, new, place in parts], axis=1)

    def site_distance(self, a: NDArray[np.float64], b: NDArray[np.float64]) -> NDArray[np.float64]:
        """Sum of |a - b| over the fractions of a site, 0 to 2, mean over the sites, (n,)."""
        parts = zip(self.space.split(a), self.space.split(b), self._decoded, strict=True)
        return np.mean([np.abs(p - q).sum(axis=-1) for p, q, place in parts if place], axis=0)


@METHODS.register("latent")
@dataclass(frozen=True)
class Latent(Descent):
    """Gradient descent in whitened latents of one scale, within the ball of most of a normal distribution.

    The decoder returns site fractions, which are mapped to the rules of the space exactly; the trained chain
    then predicts the decoded materials. The starts are the latents of the best of a random sample and normal
    latents; outside of the ball the decoder has learned nothing, and the distance from the ball counts as a
    violation. The latents of random materials that the whitening needs are no predictions and do not count
    as evaluations.

    The details report how far decoded materials are from their latents (`LatentSpace.consistency`): at the
    ``rest`` of the descent, of the ``proposed`` materials, and for comparison of ``normal`` latents and
    ``random`` materials; and the mean `LatentSpace.site_distance` between random materials and those that
    are decoded from their latents.

    Attributes:
        scale: The scale; by default the first that decodes the fractions of every site of the space.
        shell: Share of the normal distribution of the whitened latents inside the ball.
        sample: Number of random materials for mean and covariance of the latents.
    """

    scale: str | None = None
    shell: float = field(default=0.95, metadata={"gt": 0, "lt": 1})
    sample: int = field(default=2000, metadata={"ge": 2})

    def propose(self, problem: Problem, budget: int, seed: int) -> Candidates:
        """Search; as `SearchMethod.propose`.

        Raises:
            InputError: As `LatentSpace`, or the budget is too small for two materials to move.
        """
        latents = LatentSpace(problem, self.scale, shell=self.shell, sample=self.sample, seed=seed)
        archive, endpoints = self.descend(problem, latents, budget, seed)
        points = {
            "rest": endpoints,
            "proposed": latents.coordinates(archive.candidates().x),
            "normal": torch.from_numpy(latents.draw(self.sample, [seed, 2])),
            "random": latents.coordinates(latents.reference),
        }
        decoded = latents.from_free(points["random"]).numpy()
        return archive.candidates(
            scale=latents.scale,
            dimensions=latents.dimensions,
            radius=latents.radius,
            consistency={name: latents.consistency(u) for name, u in points.items()},
            site_error=float(latents.site_distance(latents.reference, decoded).mean()),
        )


def chi_square_quantile(share: float, degrees: int) -> float:
    """Quantile of the chi-square distribution, by bisection.

    Own code, since searches run without scipy, whose quantile differs in the last digit.

    Example:
        >>> round(chi_square_quantile(0.95, 1), 4)
        3.8415
    """
    if not 0 < share < 1:
        raise InputError(
            "The share of a distribution is not between 0 and 1.",
            key="shell",
            value=share,
            remedy="give a number between 0 and 1.",
        )
    low, high = 0.0, 1.0
    half = torch.tensor(degrees / 2, dtype=torch.float64)

    def is_below(value: float) -> bool:
        return float(torch.special.gammainc(half, torch.tensor(value / 2, dtype=torch.float64))) < share

    while is_below(high):
        high *= 2
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if is_below(middle) else (low, middle)
    return high
