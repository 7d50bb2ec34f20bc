"""How many proxies a remaining class gets."""

from __future__ import annotations


def proxies_per_class(n_adv: int, full_classes: int, remaining: int) -> int:
    """Return how many proxies each remaining class gets.

    `n_adv` up to `full_classes` remaining classes; of more, all together get as many as that many classes would, and
    each at least one. So proxies, the time that their attack takes and, at 224 pixels, 0.3 to 0.6 MB for each, do not
    grow with the number of classes; where there are more than 20 the subspace is pooled by default: each class adds to
    one moment and needs not span its own.
    """
    return max(1, n_adv * min(full_classes, remaining) // remaining) if remaining else n_adv
