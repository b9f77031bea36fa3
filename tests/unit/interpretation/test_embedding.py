from __future__ import annotations

import numpy as np

from nestmat.interpretation.embedding import pca_map, tsne_map


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


def test_tsne_map_separates_clusters_and_repeats():
    rng = np.random.default_rng(6)
    x = np.concatenate([rng.normal(size=(20, 3)), 30 + rng.normal(size=(20, 3))])
    xy = tsne_map(x, seed=0)
    np.testing.assert_array_equal(xy, tsne_map(x, seed=0))
    within = np.linalg.norm(xy[:20] - xy[:20].mean(0), axis=1).max()
    assert np.linalg.norm(xy[:20].mean(0) - xy[20:].mean(0)) > 2 * within


def test_tsne_map_keeps_neighbours_better_than_principal_components():
    from sklearn.manifold import trustworthiness

    x = np.random.default_rng(7).normal(size=(150, 5))
    tsne, pca = tsne_map(x, seed=0), pca_map(x)[0]
    assert trustworthiness(x, tsne, n_neighbors=15) > trustworthiness(x, pca, n_neighbors=15)


def test_tsne_map_of_few_equal_or_flat_rows():
    x = np.random.default_rng(8).normal(size=(6, 3))
    assert np.isfinite(tsne_map(x[:2], seed=0)).all()
    assert np.isfinite(tsne_map(x[:, :1], seed=0)).all()
    assert np.isfinite(tsne_map(np.ones((6, 3)), seed=0)).all()
