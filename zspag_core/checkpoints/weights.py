"""Compare weights from a file with our own model, and load them only when all of them fit."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from zspag_core.errors import CheckpointError
from zspag_core.models import build

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from torch import Tensor

    from zspag_core.models import Classifier

FLOATING = {torch.float16, torch.bfloat16, torch.float32, torch.float64}
WHOLE = {torch.int32, torch.int64}
QUANTISED = {torch.int8, torch.uint8, torch.qint8, torch.quint8}


def restore(blueprint: Classifier, weights: Mapping[str, Tensor]) -> Classifier:
    """Return the real classifier that a blueprint describes, with these weights, in eval mode.

    Args:
        blueprint: our own model on the meta device.
        weights: tensors under our names; half precision becomes float32.

    Raises:
        CheckpointError: a tensor is missing, surplus, of another shape or kind, or not finite.
    """
    expected = blueprint.state_dict()
    check_fit_of_weights(expected, weights)
    ready = {name: converted(name, weights[name], like) for name, like in expected.items()}
    with torch.random.fork_rng(devices=[]):  # the first values are drawn in vain and must disturb nobody's sequence
        model = build(blueprint.config)
    model.load_state_dict(ready, strict=True)
    return model.eval()


def check_fit_of_weights(expected: Mapping[str, Tensor], weights: Mapping[str, Tensor]) -> None:
    """Refuse weights that are not, one by one, those of a network.

    Args:
        expected: the network's state_dict; may be on the meta device.
        weights: what a file holds.

    Raises:
        CheckpointError: a tensor is missing, surplus, or of another shape or kind.
    """
    _check_names(expected.keys(), weights.keys())
    for name, like in expected.items():
        _check_form(name, weights[name], like)


def _check_names(expected: Iterable[str], given: Iterable[str]) -> None:
    """Refuse missing and surplus tensors."""
    if missing := sorted(set(expected) - set(given)):
        raise CheckpointError(f"lacks {_some(missing)}")
    if surplus := sorted(set(given) - set(expected)):
        raise CheckpointError(f"holds {_some(surplus)}, which the architecture does not have")


def _some(names: list[str]) -> str:
    """Name the first of some tensors and count the others."""
    others = f" and {len(names) - 1} more" if len(names) > 1 else ""
    return f"tensor {names[0]!r}{others}"


def _check_form(name: str, given: Tensor, like: Tensor) -> None:
    """Refuse a tensor of another shape or kind of number."""
    if given.shape != like.shape:
        raise CheckpointError(f"tensor {name!r}: expected shape {tuple(like.shape)}, got {tuple(given.shape)}")
    allowed = FLOATING if like.is_floating_point() else {*WHOLE, like.dtype}
    if given.dtype not in allowed:
        kinds = ", ".join(sorted(str(dtype).removeprefix("torch.") for dtype in allowed))
        got = str(given.dtype).removeprefix("torch.")
        advice = "; quantised weights are not read: give those from before" if given.dtype in QUANTISED else ""
        raise CheckpointError(f"tensor {name!r}: expected {kinds}, got {got}{advice}")


def converted(name: str, given: Tensor, like: Tensor) -> Tensor:
    """Return the values in our dtype.

    Raises:
        CheckpointError: infinities or NaN, or variances below 0.
    """
    values = given.detach().to(like.dtype)
    if not torch.isfinite(values).all():
        count = int((~torch.isfinite(values)).sum())
        raise CheckpointError(
            f"tensor {name!r}: {count} of {values.numel()} values are NaN or infinite; where training broke down, give "
            "an earlier checkpoint"
        )
    if name.endswith("running_var") and (values < 0).any():
        raise CheckpointError(f"tensor {name!r}: expected variances of at least 0, got {values.min().item():g}")
    return values
