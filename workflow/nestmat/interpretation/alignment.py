"""Bring the latents of several members into one order and orientation.

A permutation of the latents, or a change of their sign, does not change the loss of an autoencoder, so that
z0 of one member is not z0 of the next. Members are compared only after each is matched to one of them.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.optimize import linear_sum_assignment


@dataclass(frozen=True)
class Alignment:
    """How the latents of every member match those of the reference member.

    Attributes:
        reference: Index of the member that gives the order and the signs.
        order: Latent of each member that matches latent j of the reference, (members, latents).
        sign: +1 or -1, that latent's orientation, (members, latents).
        correlation: |Pearson r| of each matched pair, (members, latents).

    Example:
        >>> z = np.array([[0.0, 1.0], [1.0, 3.0], [2.0, 0.0]])
        >>> alignment = align_latents(np.stack([z, -z[:, ::-1]]), reference=0)
        >>> alignment.order[1].tolist(), alignment.sign[1].tolist()
        ([1, 0], [-1.0, -1.0])
    """

    reference: int
    order: np.ndarray
    sign: np.ndarray
    correlation: np.ndarray

    def apply(self, values: np.ndarray) -> np.ndarray:
        """Reorder and orient the last axis of one array a member, (members, ..., latents)."""
        inner_axes = (1,) * (values.ndim - 2)
        shape = (len(self.order), *inner_axes, self.order.shape[1])
        return np.take_along_axis(values, self.order.reshape(shape), axis=-1) * self.sign.reshape(shape)

    @property
    def stability(self) -> np.ndarray:
        """Mean |r| of each latent of the reference with its matches, (latents,); NaN for one member alone."""
        correlation = np.delete(self.correlation, self.reference, axis=0)
        return correlation.mean(axis=0) if len(correlation) else np.full(self.order.shape[1], np.nan)


def standardised(values: np.ndarray, axis: int = -2) -> np.ndarray:
    """Values minus their mean, divided by their root sum of squares along an axis; NaN where constant."""
    centred = values - values.mean(axis=axis, keepdims=True)
    norm = np.sqrt((centred**2).sum(axis=axis, keepdims=True))
    level = np.abs(values).max(axis=axis, keepdims=True) * np.sqrt(values.shape[axis])
    constant = norm <= 1e-12 * level
    return np.where(constant, np.nan, centred / np.where(constant, 1.0, norm))


def align_latents(latents: np.ndarray, reference: int | None = None) -> Alignment:
    """Match the latents of every member to those of a reference, by the largest sum of |Pearson r|.

    Args:
        latents: Latents of the same rows by each member, (members, n, latents).
        reference: The member to match to; by default the one that all others match best, the medoid.

    Returns:
        The alignment; a latent that is constant over the rows correlates 0 with everything.
    """
    members, _, count = latents.shape
    z = np.nan_to_num(standardised(np.asarray(latents, dtype=np.float64)))
    flat = z.transpose(0, 2, 1).reshape(members * count, -1)
    r = (flat @ flat.T).reshape(members, count, members, count).transpose(0, 2, 1, 3)
    candidates = range(members) if reference is None else [reference]
    matches = {c: [linear_sum_assignment(-np.abs(r[c, m]))[1] for m in range(members)] for c in candidates}
    rows = np.arange(count)

    def matched(c: int) -> np.ndarray:
        return np.stack([r[c, m][rows, matches[c][m]] for m in range(members)])

    best = max(candidates, key=lambda c: np.abs(matched(c)).sum())
    pairs = matched(best)
    return Alignment(best, np.stack(matches[best]), np.where(pairs < 0, -1.0, 1.0), np.abs(pairs))
