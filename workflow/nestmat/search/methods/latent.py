"""Search in the latent space of one scale of a trained chain."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from nestmat.errors import InputError
from nestmat.search.candidates import Candidates
from nestmat.search.methods.descent import Descent
from nestmat.search.methods.registry import METHODS
from nestmat.search.problem import Problem
from nestmat.search.spaces.base import Factor
from nestmat.search.spaces.product import Product
from nestmat.search.spaces.simplex import SMALLEST_FRACTION
from nestmat.search.surrogate import Surrogate

LEAST_VARIANCE = 1e-6
"""Directions of less variance than this share of the largest one are no directions of the latent space."""


class LatentSpace:
    """Materials of a space by the whitened latents of one scale, and by free numbers of what else varies.

    The first of the members encodes and decodes. Whitened latents have mean 0 and covariance 1 over the
    materials of the space. Site shares are decoded from the latents and then kept to the rules of the space
    as its own free numbers are; factors of the space that the scale does not decode have free numbers of
    their own beside the latents.

    Args:
        problem: Its space and what predicts its materials.
        scale: The scale; by default the first that decodes the shares of every site of the space.
        shell: Share of the normal distribution of that many latents that lies in the ball to search in.
        sample: Random materials that mean and covariance are taken from.
        seed: Seed of these materials.

    Attributes:
        scale: The scale.
        dimensions: Number of whitened latents.
        radius: Radius of the ball.
        seen: The random materials that have latents, (n, columns).

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
        if not isinstance(problem.space, Product) or not isinstance(problem.predict, Surrogate):
            raise InputError(
                "has latents only where a trained chain predicts the materials of a product of factors.",
                column="search",
                remedy="search with the models of a study, or with another method.",
            )
        self.space, self.surrogate = problem.space, problem.predict
        self.scale = self._choose(scale)
        blocks = self.surrogate.chain.fractions(self.scale)
        self._decoded = [self._place(factor, blocks) for factor in self.space.factors]
        z = self._encode(torch.from_numpy(seen := self.space.sample(sample, seed)))
        known = torch.isfinite(z).all(dim=1)
        z, self.seen = z[known], seen[known.numpy()]
        if len(z) < 2 or z.std(dim=0).max() < 1e-6:
            raise InputError(
                "latents are the same for all materials of the space.",
                column=f"scales.{self.scale}",
                remedy="choose another scale.",
            )
        self._mean = z.mean(dim=0)
        variance, directions = torch.linalg.eigh(torch.cov(z.T).reshape(z.shape[1], z.shape[1]))
        kept = variance > LEAST_VARIANCE * variance[-1]
        self._directions, self._spread = directions[:, kept], variance[kept].sqrt()
        self.dimensions = int(kept.sum())
        self.radius = math.sqrt(chi_square_quantile(shell, self.dimensions))

    def _choose(self, scale: str | None) -> str:
        chain = self.surrogate.chain
        if scale is not None and scale not in chain.scales:
            raise InputError(
                "is not a scale of the chain.",
                column="scale",
                value=scale,
                remedy=f"choose from {', '.join(chain.scales)}.",
            )
        sites = [factor for factor in self.space.composition_factors if factor.n_grid_points > 1]
        for name in chain.scales if scale is None else [scale]:
            blocks = chain.fractions(name)
            if sites and all(self._place(site, blocks) for site in sites):
                return name
        raise InputError(
            "decodes no shares for the sites of the space.",
            column="scale",
            value=scale or chain.scales,
            remedy="give a scale heads with the loss cross_entropy for the blocks of all sites.",
        )

    @staticmethod
    def _place(factor: Factor, blocks: Mapping[str, Sequence[str]]) -> tuple[str, list[int]] | None:
        """Block that a factor is decoded from, and the places of its columns there."""
        for name, columns in blocks.items():
            if factor.is_composition and set(factor.columns) <= set(columns):
                return name, [list(columns).index(column) for column in factor.columns]
        return None

    def _encode(self, x: Tensor) -> Tensor:
        """Latents (n, latents), float64, of materials (n, columns)."""
        return self.surrogate.encode(self.scale, x)[0].double()

    def whiten(self, x: Tensor) -> Tensor:
        """Whitened latents (n, dimensions) of materials (n, columns); NaN where a feature is not defined."""
        return (self._encode(x) - self._mean) @ self._directions / self._spread

    def known(self, x: NDArray[np.float64]) -> Tensor:
        """Coordinates of those of the materials (n, columns) that have latents."""
        with torch.no_grad():
            kept = torch.isfinite(self.whiten(torch.from_numpy(x))).all(dim=1).numpy()
        return torch.from_numpy(self.to_free(x[kept]))

    def shares(self, w: Tensor) -> list[Tensor | None]:
        """What whitened latents (n, dimensions) are decoded to, for each factor of the space.

        Returns:
            Shares (n, species) of the species that the space has, of sum 1; they need not keep its other
            rules. None for a factor that is not decoded.
        """
        z = self._mean + (w * self._spread) @ self._directions.T
        blocks = self.surrogate.chain.decode(self.scale, z[None])
        found: list[Tensor | None] = []
        for place in self._decoded:
            if place is None:
                found.append(None)
            else:
                part = blocks[place[0]][0][:, place[1]].clamp_min(SMALLEST_FRACTION)
                found.append(part / part.sum(dim=1, keepdim=True))
        return found

    def from_free(self, u: Tensor) -> Tensor:
        """Materials (n, columns) of whitened latents and other free numbers, (n, dimensions + others)."""
        w, rest = u[:, : self.dimensions], u[:, self.dimensions :]
        parts = []
        for factor, shares in zip(self.space.factors, self.shares(w), strict=True):
            if shares is None:
                parts.append(rest[:, : factor.n_free])
                rest = rest[:, factor.n_free :]
            else:
                parts.append(shares.log())
        return self.space.from_free(torch.cat(parts, dim=1))

    def to_free(self, x: NDArray[np.float64]) -> NDArray[np.float64]:
        """Coordinates (n, dimensions + others) of materials (n, columns); latents not defined are 0."""
        with torch.no_grad():
            w = torch.nan_to_num(self.whiten(torch.from_numpy(x)), nan=0.0).numpy()
        return np.concatenate([w, self._rest(x)], axis=1)

    def _rest(self, x: NDArray[np.float64]) -> NDArray[np.float64]:
        """Free numbers (n, others) of the factors that are not decoded."""
        factors = zip(self.space.factors, self.space.split(x), self._decoded, strict=True)
        free = [factor.to_free(part) for factor, part, place in factors if not place]
        return np.concatenate([np.empty((len(x), 0)), *free], axis=1)

    def draw(self, n: int, seed: Sequence[int]) -> NDArray[np.float64]:
        """Normal whitened latents, and other numbers of random materials, (n, dimensions + others)."""
        w = np.random.default_rng([*seed, 0]).normal(size=(n, self.dimensions))
        return np.concatenate([w, self._rest(self.space.sample(n, [*seed, 1]))], axis=1)

    def beyond(self, u: Tensor) -> Tensor:
        """How far the whitened latents are outside the ball, (n, 1)."""
        return torch.relu(u[:, : self.dimensions].norm(dim=1, keepdim=True) - self.radius)

    @torch.no_grad()
    def consistency(self, u: Tensor) -> dict[str, float]:
        """Whether latents are those of the materials that they are decoded to.

        Args:
            u: Coordinates, (n, dimensions + others).

        Returns:
            ``mean`` and 95th percentile ``p95`` of the distance ||enc(dec(w)) - w|| of whitened latents, and
            the share of them ``inside`` the ball; of those whose materials have latents, none without any.
        """
        w = u[:, : self.dimensions]
        error = (self.whiten(self.from_free(u)) - w).norm(dim=1)
        known = torch.isfinite(error)
        if not known.any():
            return {}
        return {
            "mean": float(error[known].mean()),
            "p95": float(error[known].quantile(0.95)),
            "inside": float((self.beyond(u)[known] == 0).double().mean()),
        }

    @torch.no_grad()
    def replace_sites(self, x: NDArray[np.float64], w: NDArray[np.float64]) -> NDArray[np.float64]:
        """Materials ``x`` (n, columns) with the sites that latents ``w`` (n, dimensions) are decoded to."""
        made = self.from_free(torch.from_numpy(np.concatenate([w, self._rest(x)], axis=1))).numpy()
        parts = zip(self.space.split(x), self.space.split(made), self._decoded, strict=True)
        return np.concatenate([new if place else old for old, new, place in parts], axis=1)

    def site_distance(self, a: NDArray[np.float64], b: NDArray[np.float64]) -> NDArray[np.float64]:
        """Sum of |a - b| over the shares of a site, 0 to 2, mean over the sites, (n,)."""
        parts = zip(self.space.split(a), self.space.split(b), self._decoded, strict=True)
        return np.mean([np.abs(one - other).sum(axis=-1) for one, other, place in parts if place], axis=0)


@METHODS.register("latent")
@dataclass(frozen=True)
class Latent(Descent):
    """Descent in the whitened latents of one scale, inside the ball that holds most of a normal distribution.

    The decoder gives the shares of the sites, which are kept to the rules of the space exactly; the trained
    chain then predicts what it decodes. The starts are the latents of the best of a random sample and normal
    latents; outside the ball the decoder has learned nothing, and the way out counts as a violation. The
    latents of random materials that the whitening needs are no predictions and do not count as evaluations.

    The details say how far a decoded material is from its latents (`LatentSpace.consistency`): where the
    descent came to rest, of what is proposed, and of normal latents and random materials beside them; and the
    mean `LatentSpace.site_distance` between random materials and what their latents are decoded to.

    Attributes:
        scale: The scale; by default the first that decodes the shares of every site of the space.
        shell: Share of the normal distribution of the whitened latents that the ball holds.
        sample: Random materials that mean and covariance of the latents are taken from.
    """

    scale: str | None = None
    shell: float = 0.95
    sample: int = 2000

    def propose(self, problem: Problem, budget: int, seed: int) -> Candidates:
        """Search; as `SearchMethod.propose`.

        Raises:
            InputError: As `LatentSpace`, or the budget is too small for two materials to move.
        """
        latents = LatentSpace(problem, self.scale, shell=self.shell, sample=self.sample, seed=seed)
        found, rest = self.descend(problem, latents, budget, seed)
        best = found.candidates()
        points = {
            "rest": rest,
            "proposed": latents.known(best.x),
            "normal": torch.from_numpy(latents.draw(self.sample, [seed, 2])),
            "random": latents.known(latents.seen),
        }
        again = latents.from_free(points["random"]).numpy()
        return found.candidates(
            scale=latents.scale,
            dimensions=latents.dimensions,
            radius=latents.radius,
            consistency={name: latents.consistency(u) for name, u in points.items()},
            site_error=float(latents.site_distance(latents.seen, again).mean()),
        )


def chi_square_quantile(share: float, degrees: int) -> float:
    """Quantile of the chi-square distribution, by halving."""
    if not 0 < share < 1:
        raise InputError("is not a share between 0 and 1.", column="shell", value=share)
    low, high = 0.0, 1.0
    half = torch.tensor(degrees / 2, dtype=torch.float64)

    def below(value: float) -> bool:
        return float(torch.special.gammainc(half, torch.tensor(value / 2, dtype=torch.float64))) < share

    while below(high):
        high *= 2
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if below(middle) else (low, middle)
    return high
