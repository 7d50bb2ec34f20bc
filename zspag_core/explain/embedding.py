"""Flat maps of features: fitted once on what the original sees in real images; all else is laid onto them."""

from __future__ import annotations

import warnings
from abc import ABC, abstractmethod
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    Features = NDArray[np.float32]  # (N, D)
    Positions = NDArray[np.float32]  # (N, 2)

NEIGHBOURS = 15
APART = 0.8
"""UMAP's min_dist: with its own 0.1 each class of a good model shrinks to one spot, with proxies unseen in it."""
EXTENT = 10.0
FEWEST = 3


class FlatMap(ABC):
    """A map that was fitted on some features.

    Attributes:
        fitted: (N, 2) float32, where those features lie.
    """

    fitted: Positions

    @abstractmethod
    def place(self, features: Features) -> Positions:
        """Return where further features (M, D) lie on this map, (M, 2) float32; equal input gives equal output."""


class PCAMap(FlatMap):
    """The plane in which the features spread most. Placing the fitted features again gives their positions exactly."""

    def __init__(self, features: Features) -> None:
        """Fit the plane to features (N, D), N at least 3."""
        from sklearn.decomposition import PCA

        _check(features)
        self._plane: Any = PCA(2, svd_solver="full").fit(features.astype(np.float64))
        self.fitted = self.place(features)

    def place(self, features: Features) -> Positions:
        """Project the features onto the plane."""
        positions: Positions = self._plane.transform(features.astype(np.float64)).astype(np.float32)
        return positions


class UMAPMap(FlatMap):
    """A map that keeps neighbours together (McInnes et al., 2018). Placing moves points a little, also the fitted ones.

    It starts from the plane of the PCA, which keeps the large shape and does not depend on chance. UMAP is given
    distances in place of features: its own way of computing them calls Python once a pair and took 80 % of the time.
    Measured on one core, 2,000 points of 128 dimensions: 2 s to fit, 0.6 to 0.9 s to place as many more; in a new
    process another 3.5 s in which umap is imported, and once per installation 24 s in which it is compiled.
    """

    def __init__(self, features: Features, seed: int = 0) -> None:
        """Fit the map to features (N, D), N at least 3."""
        start = PCAMap(features).fitted
        start = start / max(float(np.abs(start).max()), 1e-12) * EXTENT
        with _quiet():
            from umap import UMAP

            _keep_compiled()
            neighbours = min(NEIGHBOURS, len(features) - 1)
            self._umap: Any = UMAP(
                n_neighbors=neighbours,
                min_dist=APART,
                metric="precomputed",
                init=start,
                random_state=seed,
                n_jobs=1,
            )
            self._umap.fit(_distances(features, features))
        self._features = features
        self.fitted = self._umap.embedding_.astype(np.float32)

    def place(self, features: Features) -> Positions:
        """Let the features find their place among the fitted ones, which stay."""
        if not len(features):
            return np.zeros((0, 2), dtype=np.float32)
        rows = np.concatenate([features, features[:1]])  # one too many: UMAP answers the very input of its fit unplaced
        with _quiet():
            placed = self._umap.transform(_distances(rows, self._features))
        positions: Positions = placed[:-1].astype(np.float32)
        return positions


MAPS: dict[str, type[PCAMap | UMAPMap]] = {"pca": PCAMap, "umap": UMAPMap}


def _distances(rows: Features, columns: Features) -> NDArray[np.float32]:
    """Return Euclidean distances (N, M), computed in float64."""
    from sklearn.metrics import euclidean_distances

    distances: NDArray[np.float64] = euclidean_distances(rows.astype(np.float64), columns.astype(np.float64))
    return distances.astype(np.float32)


def _check(features: Features) -> None:
    """Refuse features that make no map."""
    if features.ndim != 2 or len(features) < FEWEST or not np.isfinite(features).all():
        raise ValueError(f"features: expected at least {FEWEST} rows of finite numbers, got {features.shape}")


def _keep_compiled() -> None:
    """Let numba keep on disk what it compiles for umap, which asks for that in some of its modules only.

    To import umap and to make a first map of 600 points cost every new process 26.5 s of processor time; so it is
    5.4 s from the second process on, with the same map to the byte. Where no folder can be written, nothing is kept.
    """
    from numba.core.dispatcher import Dispatcher
    from umap import layouts, umap_, utils

    for module in (layouts, umap_, utils):
        for function in vars(module).values():
            if isinstance(function, Dispatcher):
                with suppress(RuntimeError):  # numba found no folder for it
                    function.enable_caching()


@contextmanager
def _quiet() -> Iterator[None]:
    """Silence what umap says of precomputed distances, of TensorFlow that is not there, and of numba."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield
