from __future__ import annotations

import numpy as np
import pytest

from nestmat.interpretation.embedding import pca_map, umap_map


def test_pca_map_equals_scikit_learn():
    from sklearn.decomposition import PCA

    x = np.random.default_rng(5).normal(size=(50, 4)) @ np.diag([3.0, 2.0, 1.0, 0.5])
    xy, share = pca_map(x)
    peer = PCA(2).fit(x)
    np.testing.assert_allclose(np.abs(xy), np.abs(peer.transform(x)), atol=1e-10)
    np.testing.assert_allclose(share, peer.explained_variance_ratio_)


def test_pca_map_of_one_latent():
    x = np.linspace(-1, 2, 10)[:, None]
    xy, share = pca_map(x)
    np.testing.assert_allclose(xy[:, 0], x[:, 0] - 0.5)
    np.testing.assert_array_equal(xy[:, 1], 0.0)
    np.testing.assert_allclose(share, [1.0, 0.0])


@pytest.mark.slow
def test_umap_map_separates_clusters_and_repeats():
    rng = np.random.default_rng(6)
    x = np.concatenate([rng.normal(size=(20, 3)), 30 + rng.normal(size=(20, 3))])
    xy = umap_map(x, seed=0, neighbours=10)
    np.testing.assert_array_equal(xy, umap_map(x, seed=0, neighbours=10))
    within = np.linalg.norm(xy[:20] - xy[:20].mean(0), axis=1).max()
    assert np.linalg.norm(xy[:20].mean(0) - xy[20:].mean(0)) > 2 * within
    assert umap_map(x[:6], seed=0).shape == (6, 2)
