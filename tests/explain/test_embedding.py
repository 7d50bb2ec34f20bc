from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from sklearn.manifold import trustworthiness

from zspag_core.explain.embedding import MAPS, PCAMap, UMAPMap

CLASSES = 5


def clouds(count, seed):
    """Noise around five fixed centres in 20 dimensions, and which centre each row belongs to."""
    centres = np.random.default_rng(0).normal(scale=2.0, size=(CLASSES, 20))
    generator = np.random.default_rng(seed)
    labels = generator.integers(CLASSES, size=count)
    return (centres[labels] + generator.normal(size=(count, 20))).astype(np.float32), labels


@pytest.fixture(scope="module")
def fitted():
    features, labels = clouds(300, seed=1)
    return features, labels, {name: kind(features) for name, kind in MAPS.items()}


@pytest.mark.slow
def test_pca_is_the_two_largest_singular_directions(fitted):
    features, _, maps = fitted
    centred = features.astype(np.float64) - features.mean(0, dtype=np.float64)
    _, _, directions = np.linalg.svd(centred, full_matrices=False)
    expected = centred @ directions[:2].T
    assert np.abs(np.abs(maps["pca"].fitted) - np.abs(expected)).max() < 1e-4
    assert np.array_equal(maps["pca"].place(features), maps["pca"].fitted)


@pytest.mark.slow
def test_umap_keeps_neighbours_together(fitted):
    features, labels, maps = fitted
    positions = maps["umap"].fitted
    assert positions.shape == (300, 2)
    assert trustworthiness(features, positions, n_neighbors=10) > 0.85
    distances = np.linalg.norm(positions[:, None] - positions[None], axis=2)
    np.fill_diagonal(distances, np.inf)
    assert (labels[distances.argmin(1)] == labels).mean() > 0.95


@pytest.mark.slow
def test_new_points_land_among_their_own_kind(fitted):
    _, labels, maps = fitted
    new, kinds = clouds(80, seed=2)
    for flat in maps.values():
        placed = flat.place(new)
        nearest = np.linalg.norm(placed[:, None] - flat.fitted[None], axis=2).argmin(1)
        assert placed.dtype == np.float32
        assert (labels[nearest] == kinds).mean() > 0.7


@pytest.mark.slow
def test_umap_truly_places_the_fitted_points_again_and_moves_them_little(fitted):
    features, _, maps = fitted
    again = maps["umap"].place(features)
    moved = np.linalg.norm(again - maps["umap"].fitted, axis=1)
    assert 0 < moved.mean() < 0.25 * maps["umap"].fitted.std(0).max()
    assert np.array_equal(maps["umap"].place(features), again)


@pytest.mark.slow
def test_a_map_does_not_depend_on_the_day(fitted):
    features, _, maps = fitted
    assert np.array_equal(UMAPMap(features).fitted, maps["umap"].fitted)
    assert np.array_equal(PCAMap(features).fitted, maps["pca"].fitted)


@pytest.mark.slow
@pytest.mark.parametrize("name", MAPS)
def test_few_and_no_points_are_placed_too(fitted, name):
    flat = fitted[2][name]
    assert flat.place(fitted[0][:1]).shape == (1, 2)
    assert MAPS[name](fitted[0][:4]).fitted.shape == (4, 2)
    if name == "umap":
        assert flat.place(fitted[0][:0]).shape == (0, 2)


@pytest.mark.parametrize("features", [np.zeros((2, 5)), np.full((9, 5), np.nan), np.zeros(9)])
@pytest.mark.parametrize("name", MAPS)
def test_features_that_make_no_map_are_refused(features, name):
    with pytest.raises(ValueError, match="features: expected at least 3 rows of finite numbers"):
        MAPS[name](features.astype(np.float32))


@pytest.mark.slow
def test_what_is_compiled_for_umap_lies_on_disk(fitted):
    from umap.utils import fast_knn_indices

    stats = fast_knn_indices.stats
    assert list(Path(stats.cache_path).glob("utils.fast_knn_indices-*.nbi"))
    assert stats.cache_hits or stats.cache_misses


@pytest.mark.slow
def test_a_map_is_made_where_nothing_can_be_kept(fitted, monkeypatch):
    from umap.utils import fast_knn_indices

    def no_folder():
        raise RuntimeError("cannot cache function: no locator available")

    monkeypatch.setattr(fast_knn_indices, "enable_caching", no_folder)
    features, _, maps = fitted
    assert np.array_equal(UMAPMap(features).fitted, maps["umap"].fitted)
