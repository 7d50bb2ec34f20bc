"""The points of a run's map: real test images and proxies, before and after, in one order."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from numpy.typing import NDArray

    Array = NDArray[Any]
    Arrays = Mapping[str, Array]
    Span = tuple[float, float, float, float]

REMAINING, FORGOTTEN, PROXY = 0, 1, 2
UNKNOWN = -1
MARGIN = 0.03
TOP = 0.9
NEAREST = 6
"""So many classes next to the forgotten ones get a colour where there are too many classes to colour all."""


@dataclass(frozen=True)
class Cloud:
    """N points, the R real images first, then the proxies.

    Attributes:
        before: (N, 2) places by the original model's features.
        after: (N, 2) places by the unlearned model's features, on the same axes.
        zero: (R, 2) places of the real images by the original's features once more, as `after` was computed: how far
            they are from `before` is what the computation alone moves.
        kinds: (N,) REMAINING, FORGOTTEN or PROXY.
        labels: (N,) the true class of a real image, the class that a proxy stands for.
        sources: (N,) the class that a proxy was made from; UNKNOWN for real images and where nobody wrote it down.
        read_before: (N,) the class that the original model answers.
        read_after: (N,) the class that the unlearned model answers; UNKNOWN where nobody asked it.
        images: (N, C, H, W) uint8.
        proxy_rows: (P,) the proxies' rows in the run's file of proxies.
    """

    before: Array
    after: Array
    zero: Array
    kinds: Array
    labels: Array
    sources: Array
    read_before: Array
    read_after: Array
    images: Array
    proxy_rows: Array

    def __len__(self) -> int:
        """Return the number of points."""
        return len(self.kinds)


def make_cloud(chart: Arrays, proxies: Arrays | None, forgotten: Collection[int], truth: Array | None = None) -> Cloud:
    """Join a map's arrays with the proxies that it shows.

    Args:
        chart: the arrays of a run's file "map_pca" or "map_umap".
        proxies: the arrays of its file "proxies"; None where the method makes none.
        forgotten: the forgotten classes.
        truth: the true classes of the forget samples, which the proxies' sources count in; None if unknown.
    """
    real = chart["real_labels"]
    kinds = np.where(np.isin(real, list(forgotten)), FORGOTTEN, REMAINING)
    unknown = np.full(len(real), UNKNOWN)
    parts = {
        "before": chart["real_before"],
        "after": chart["real_after"],
        "kinds": kinds,
        "labels": real,
        "sources": unknown,
        "read_before": chart["real_predicted_before"],
        "read_after": chart["real_predicted_after"],
        "images": chart["real_images"],
    }
    rows = chart.get("proxy_index", np.zeros(0, np.int64)) if proxies is not None else np.zeros(0, np.int64)
    if proxies is not None and len(rows):
        added = _proxy_parts(chart, proxies, rows, forgotten, truth)
        parts = {name: np.concatenate([part, added[name]]) for name, part in parts.items()}
    return Cloud(**parts, zero=chart["real_zero"], proxy_rows=rows)


def same_real_images(one: Cloud, two: Cloud) -> bool:
    """Tell whether two clouds hold the same real images in the same order."""
    first, second = one.images[: len(one.zero)], two.images[: len(two.zero)]
    return bool(np.array_equal(first, second))


def _proxy_parts(
    chart: Arrays, proxies: Arrays, rows: Array, forgotten: Collection[int], truth: Array | None
) -> dict[str, Array]:
    """Return what a cloud holds of the proxies in some rows of their file."""
    unknown = np.full(len(rows), UNKNOWN)
    sources = unknown
    if truth is not None:
        sources = truth[proxies["sources"][rows]]
    elif len(forgotten) == 1:
        sources = np.full(len(rows), next(iter(forgotten)))
    after = proxies["logits_after"][rows].argmax(1) if "logits_after" in proxies else unknown
    return {
        "before": chart["proxy_before"],
        "after": chart["proxy_after"],
        "kinds": np.full(len(rows), PROXY),
        "labels": proxies["labels"][rows],
        "sources": sources,
        "read_before": proxies["labels"][rows],
        "read_after": after,
        "images": (proxies["images"][rows].astype(np.float32) * 255).round().clip(0, 255).astype(np.uint8),
    }


def span_of(*clouds: Cloud) -> Span:
    """Return left, right, low and high ends that hold all points before and after, with a margin."""
    points = np.concatenate([part for cloud in clouds for part in (cloud.before, cloud.after)])
    points = points[np.isfinite(points).all(1)]
    if not len(points):
        return (-1.0, 1.0, -1.0, 1.0)
    low, high = points.min(0), points.max(0)
    room = np.maximum(MARGIN * (high - low), 1e-6)
    (left, bottom), (right, top) = (low - room).tolist(), (high + room).tolist()
    return (left, right, bottom, top)


@dataclass(frozen=True)
class Drift:
    """How far real images move on a map, on average, in its own units.

    Attributes:
        zero: through the computation alone.
        remaining: images of the remaining classes, through unlearning.
        forgotten: images of the forgotten classes, through unlearning.
        width: of the map.
    """

    zero: float
    remaining: float | None
    forgotten: float | None
    width: float


def drift_of(cloud: Cloud) -> Drift:
    """Measure how far the real images of a map move; from the zero line, so that like is compared with like."""
    count = len(cloud.zero)
    moved = np.linalg.norm(cloud.after[:count] - cloud.zero, axis=1)
    kinds = cloud.kinds[:count]
    means = [float(moved[kinds == kind].mean()) if (kinds == kind).any() else None for kind in (REMAINING, FORGOTTEN)]
    left, right, _, _ = span_of(cloud)
    zero = float(np.linalg.norm(cloud.zero - cloud.before[:count], axis=1).mean()) if count else 0.0
    return Drift(zero, *means, right - left)


def middles(cloud: Cloud, places: Array) -> dict[int, tuple[float, float]]:
    """Return the middle (by median) of the real images of every class."""
    real = cloud.labels[: len(cloud.zero)]
    found = {}
    for label in np.unique(real).tolist():
        x, y = np.median(places[: len(real)][real == label], axis=0).tolist()
        found[label] = (x, y)
    return found


def tops(cloud: Cloud, places: Array) -> dict[int, tuple[float, float]]:
    """Return where the name of every class stands: over its middle, as high as nine tenths of its real images."""
    real = cloud.labels[: len(cloud.zero)]
    return {
        label: (x, float(np.quantile(places[: len(real)][real == label, 1], TOP)))
        for label, (x, _) in middles(cloud, places).items()
    }


def nearest_classes(cloud: Cloud, forgotten: Collection[int], count: int = NEAREST) -> list[int]:
    """Return the remaining classes whose middles lie nearest to a forgotten class before unlearning, nearest first."""
    places = middles(cloud, cloud.before)
    centres = [np.array(places[k]) for k in forgotten if k in places]
    if not centres:
        return []
    distance = {
        k: min(float(np.linalg.norm(np.array(place) - centre)) for centre in centres)
        for k, place in places.items()
        if k not in forgotten
    }
    return sorted(distance, key=lambda k: distance[k])[:count]


def describe_points(cloud: Cloud, names: Sequence[str]) -> list[str]:
    """Say of every point what it is and what the models read in it."""

    def name(k: int) -> str:
        return names[k] if 0 <= k < len(names) else "?"

    lines = []
    columns = (cloud.kinds, cloud.labels, cloud.sources, cloud.read_before, cloud.read_after)
    for kind, label, source, before, after in zip(*(column.tolist() for column in columns), strict=True):
        if kind == PROXY:
            origin = f", made from {name(source)}" if source != UNKNOWN else ""
            first = f"Proxy for {name(label)}{origin}"
        else:
            first = f"{'Forgotten' if kind == FORGOTTEN else 'Remaining'} class {name(label)}"
        last = "" if after == UNKNOWN else f"\nread after: {name(after)}"
        lines.append(f"{first}\nread before: {name(before)}{last}")
    return lines
