"""What is seen of a run, as plain values that a browser can draw: arrays are base64 of their bytes."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any

import torch

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

    from zspag_core.data.dataset import LoadedSplit
    from zspag_core.plane.trails import Trails
    from zspag_core.proxies import ProxySet

FINE = 65535
"""A place in [0, 1] on a way is told as so many parts."""
MOST_PLACES = 16
"""Places of a way that are told; of more, some evenly spread ones and the last."""
STAYED, PROXY, SPARE = 0, 1, 2
"""What became of an attacked point: over no boundary, one of the proxies, one more than was wanted."""


def packed(numbers: Tensor) -> str:
    """Return the bytes of numbers, uint8 or uint16 (low byte first), row by row."""
    return base64.b64encode(numbers.contiguous().numpy().tobytes()).decode("ascii")


def pack_points(split: LoadedSplit) -> str:
    """Return points as three bytes each: across, up, class."""
    return packed(torch.cat([split.images.flatten(1), split.labels[:, None].to(torch.uint8)], 1))


def pack_shares(shares: Tensor) -> str:
    """Return shares in [0, 1] as bytes, 255 for all."""
    return packed((shares * 255).round().to(torch.uint8))


def pack_trails(trails: Trails, barred: Sequence[int], proxies: ProxySet | None) -> dict[str, Any]:
    """Return the ways of all attacked points, and what became of each.

    Args:
        trails: as noted.
        barred: the forgotten classes, which no proxy stands for.
        proxies: those that were kept; None where the run ended before.

    Returns:
        {"steps": places a way, "places": (n, steps, 2) packed, "aimed", "reached", "fate": (n,) packed}
    """
    if not trails.ended:
        return {"steps": 0, "places": "", "aimed": "", "reached": "", "fate": ""}
    places = torch.cat([_thinned(trail.places) for trail in trails.ended])
    aimed, reached = (torch.cat([getattr(trail, name) for trail in trails.ended]) for name in ("aimed", "reached"))
    fate = torch.where(torch.isin(reached, torch.tensor(list(barred))), STAYED, SPARE)
    if proxies is not None:
        known = {_key(image, k) for image, k in zip(proxies.images, proxies.labels.tolist(), strict=True)}
        ends = torch.cat([trail.places[:, -1] for trail in trails.ended])
        taken = torch.tensor([_key(end, k) in known for end, k in zip(ends, reached.tolist(), strict=True)])
        fate = torch.where(taken & (fate == SPARE), PROXY, fate)
    numbers = {"aimed": aimed, "reached": reached, "fate": fate}
    fine = (places * FINE).round().to(torch.int32).numpy().astype("<u2")
    return {
        "steps": places.shape[1],
        "places": base64.b64encode(fine.tobytes()).decode("ascii"),
        **{name: packed(part.to(torch.uint8)) for name, part in numbers.items()},
    }


def _thinned(places: Tensor) -> Tensor:
    """Return MOST_PLACES places of every way, (n, MOST_PLACES, 2), the first and the last among them."""
    return places[:, torch.linspace(0, places.shape[1] - 1, MOST_PLACES).round().long()]


def _key(image: Tensor, label: int) -> tuple[bytes, int]:
    """Return what tells one end of a way from another."""
    return image.flatten().numpy().tobytes(), label
