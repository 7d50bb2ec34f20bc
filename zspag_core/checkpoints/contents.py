"""Read a checkpoint file as a flat state_dict and, where the file has one, our header."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from zspag_core.checkpoints.archives import read_pickled, read_safetensors
from zspag_core.checkpoints.saving import FORMAT, HEADER
from zspag_core.errors import CheckpointError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

WRAPPERS = ("state_dict", "model_state_dict", "model", "net")
PREFIXES = ("module.", "_orig_mod.", "model.", "net.")
ZIP_MAGIC = b"PK\x03\x04"


@dataclass(frozen=True)
class Contents:
    """What a file holds.

    Attributes:
        weights: tensors by name, all backed by as many bytes as they declare; not compared with any model yet.
        header: architecture, config and about as the file states them; None when it is a bare state_dict.
    """

    weights: dict[str, Tensor]
    header: dict[str, Any] | None


def read_contents(path: Path, limit_mb: float) -> Contents:
    """Read a `.safetensors`, `.pt` or `.pth` file.

    Args:
        path: the file; whether it is a PyTorch archive is decided by its first bytes.
        limit_mb: most megabytes of the file and of the tensors in it.

    Raises:
        CheckpointError: missing, too large, of another kind, or damaged.
    """
    if not path.is_file():
        raise CheckpointError("no such file")
    if (size := path.stat().st_size) > limit_mb * 1e6:
        raise CheckpointError(f"{size / 1e6:.0f} MB, more than the limit of {limit_mb:g} MB")
    with path.open("rb") as file:
        zipped = file.read(4) == ZIP_MAGIC
    if zipped:
        weights, header = _unwrap(read_pickled(path, limit_mb))
    elif path.suffix == ".safetensors":
        tensors, metadata = read_safetensors(path)
        weights, header = tensors, _parse_header(metadata)
    else:
        raise CheckpointError("expected a .safetensors file or a .pt file as torch.save has written it since 1.6")
    _check_backed(weights, limit_mb)
    return Contents(weights if header else _without_prefix(weights), header)


def _parse_header(metadata: Mapping[str, str]) -> dict[str, Any] | None:
    """Return our header out of safetensors metadata; None when another program wrote the file."""
    if HEADER not in metadata:
        return None
    try:
        header = json.loads(metadata[HEADER])
    except (ValueError, RecursionError):
        raise CheckpointError(f"its {HEADER!r} header is not JSON") from None
    if not isinstance(header, dict) or header.get("format") != FORMAT:
        raise CheckpointError(f"expected a header of format {FORMAT!r}")
    return header


def _unwrap(payload: object) -> tuple[dict[str, Tensor], dict[str, Any] | None]:
    """Find the state_dict in what torch.load returned."""
    header = None
    if isinstance(payload, dict) and {"architecture", "config", "state_dict"} <= payload.keys():
        header = {name: payload.get(name) for name in ("architecture", "config")} | {"about": payload.get("about", {})}
    while isinstance(payload, dict) and (inner := next((key for key in WRAPPERS if _is_dict(payload, key)), None)):
        payload = payload[inner]
    if not isinstance(payload, dict):
        raise CheckpointError(f"holds a {type(payload).__name__}, expected a state_dict (tensors by name)")
    for name, value in payload.items():
        if not isinstance(name, str) or not isinstance(value, Tensor):
            raise CheckpointError(
                f"entry {name!r} is a {type(value).__name__}, expected a state_dict (tensors by name)"
            )
    return payload, header


def _is_dict(payload: dict[Any, Any], key: str) -> bool:
    """Return whether an entry exists and is itself a dictionary."""
    return isinstance(payload.get(key), dict)


def _check_backed(weights: Mapping[str, Tensor], limit_mb: float) -> None:
    """Refuse tensors that are more than the bytes behind them, before anything copies one."""
    for name, tensor in weights.items():
        if type(tensor) not in {Tensor, nn.Parameter} or tensor.layout != torch.strided or tensor.device.type != "cpu":
            raise CheckpointError(
                f"tensor {name!r}: expected a plain dense tensor, got {tensor.layout} {tensor.device}"
            )
        if tensor.is_quantized or _declared_bytes(tensor) > tensor.untyped_storage().nbytes():
            shape = tuple(tensor.shape)
            raise CheckpointError(
                f"tensor {name!r}: declares shape {shape}, but the file does not hold that many values"
            )
    total = sum(_declared_bytes(tensor) for tensor in weights.values())
    if total > limit_mb * 1e6:
        raise CheckpointError(f"declares {total / 1e6:.0f} MB of tensors, more than the limit of {limit_mb:g} MB")


def _declared_bytes(tensor: Tensor) -> int:
    """Return the size that the shape stands for, in whole numbers that cannot overflow."""
    return math.prod(tensor.shape) * tensor.element_size()


def _without_prefix(weights: dict[str, Tensor]) -> dict[str, Tensor]:
    """Drop what DataParallel, torch.compile and wrapping modules put before every name."""
    for prefix in PREFIXES:
        if weights and all(name.startswith(prefix) for name in weights):
            return _without_prefix({name.removeprefix(prefix): tensor for name, tensor in weights.items()})
    return weights
