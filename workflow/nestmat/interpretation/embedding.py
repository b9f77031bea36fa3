"""Two-dimensional maps of latents."""

from __future__ import annotations

import warnings

import numpy as np


def pca_map(latents: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """First two principal components.

    Args:
        latents: (n, k).

    Returns:
        Coordinates (n, 2), oriented so that the largest loading of each axis is positive, zero along an axis
        that one latent leaves empty; and the share of the variance along each axis, (2,).
    """
    mean, axes, share = principal_axes(latents)
    return (np.asarray(latents, dtype=np.float64) - mean) @ axes.T, share


def principal_axes(latents: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Mean (k,), first two principal axes (2, k) and shares of the variance (2,); see `pca_map`.

    An axis that one latent leaves empty is zero.
    """
    values = np.asarray(latents, dtype=np.float64)
    mean = values.mean(axis=0)
    _, spread, axes = np.linalg.svd(values - mean, full_matrices=False)
    largest = np.abs(axes).argmax(axis=1)
    axes = axes * np.where(axes[np.arange(len(axes)), largest] < 0, -1.0, 1.0)[:, None]
    first, share = np.zeros((2, values.shape[1])), np.zeros(2)
    count = min(2, len(axes))
    first[:count] = axes[:count]
    share[:count] = spread[:count] ** 2 / max((spread**2).sum(), np.finfo(float).tiny)
    return mean, first, share


def umap_map(latents: np.ndarray, seed: int, neighbours: int = 50, min_dist: float = 0.3) -> np.ndarray:
    """UMAP embedding (McInnes, Healy and Melville, arXiv:1802.03426).

    Args:
        latents: (n, k).
        seed: Seed; with it the map is the same on every run.
        neighbours: Neighbours a row, at most n - 1; 50 and the distance 0.3 are those of the NestedAE
            follow-up.
        min_dist: Least distance of points in the map.

    Returns:
        Coordinates, (n, 2).
    """
    # Importing umap compiles for some seconds: only for those who draw a map.
    from umap import UMAP

    mapper = UMAP(
        n_neighbors=max(2, min(neighbours, len(latents) - 1)),
        min_dist=min_dist,
        n_components=2,
        random_state=seed,
        n_jobs=1,
        # The spectral start needs more rows than it has dimensions.
        init="spectral" if len(latents) > 4 else "random",
    )
    with warnings.catch_warnings():
        # Copies of a row make a graph of several parts, which umap handles and reports every time.
        warnings.filterwarnings("ignore", message="Graph is not fully connected")
        return np.asarray(mapper.fit_transform(np.asarray(latents, dtype=np.float64)), dtype=np.float64)
