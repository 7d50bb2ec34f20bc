"""Read the tensors of a `.safetensors` file or of a zip-based `.pt` file, refusing what lies about its size."""

from __future__ import annotations

import json
import math
import pickle
import re
import struct
import zipfile
from typing import TYPE_CHECKING, TypeGuard

import torch
from safetensors import SafetensorError, safe_open

from zspag_core.errors import CheckpointError

if TYPE_CHECKING:
    from pathlib import Path

    from torch import Tensor

MAX_HEADER_BYTES = 10_000_000  # of JSON or pickle; a network of a thousand tensors needs 0.1 MB
BYTES_PER_VALUE = {"F64": 8, "F32": 4, "F16": 2, "BF16": 2, "I64": 8, "I32": 4, "I16": 2, "I8": 1, "U8": 1, "BOOL": 1}
UNREADABLE = (
    *(pickle.UnpicklingError, zipfile.BadZipFile, struct.error, RuntimeError, ValueError, TypeError, LookupError),
    *(AttributeError, AssertionError, ArithmeticError, EOFError, MemoryError, OSError),
)


def read_safetensors(path: Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    """Return the tensors of a `.safetensors` file and its metadata.

    Raises:
        CheckpointError: the header is damaged, or declares sizes that the file does not have.
    """
    _check_safetensors_header(path)
    try:
        with safe_open(str(path), framework="pt") as file:
            return {name: file.get_tensor(name) for name in file.keys()}, file.metadata() or {}  # noqa: SIM118
    except (SafetensorError, ValueError, RuntimeError) as error:
        raise CheckpointError(f"not a valid safetensors file ({str(error).splitlines()[0]})") from None


def _check_safetensors_header(path: Path) -> None:
    """Compare every size that the header declares with the file."""
    size = path.stat().st_size
    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        if not 2 <= length <= min(MAX_HEADER_BYTES, size - 8):
            raise CheckpointError(f"not a safetensors file: it declares a header of {length} bytes in {size} bytes")
        text = file.read(length)
    try:
        header = json.loads(text)
    except (ValueError, RecursionError):
        raise CheckpointError("not a safetensors file: its header is not JSON") from None
    if not isinstance(header, dict):
        raise CheckpointError("not a safetensors file: its header is not a JSON object")
    for name, entry in header.items():
        if name != "__metadata__" and (wrong := _wrong_entry(entry, size - 8 - length)):
            raise CheckpointError(f"tensor {name!r} in the header: {wrong}")


def _wrong_entry(entry: object, available: int) -> str:
    """Say what is wrong with the header's entry of one tensor; nothing when all is well."""
    fields = entry if isinstance(entry, dict) else {}
    dtype, shape, span = fields.get("dtype"), fields.get("shape"), fields.get("data_offsets")
    if dtype not in list(BYTES_PER_VALUE):
        return f"expected dtype {', '.join(BYTES_PER_VALUE)}, got {dtype!r}"
    if not _sizes(shape) or not _sizes(span) or len(span) != 2:
        return f"expected a shape and two data_offsets, got {shape!r} and {span!r}"
    needed = math.prod(shape) * BYTES_PER_VALUE[dtype]
    if not span[0] <= span[1] <= available or span[1] - span[0] != needed:
        return f"shape {tuple(shape)} needs {needed} bytes, the header points at {span[0]} to {span[1]} of {available}"
    return ""


def _sizes(value: object) -> TypeGuard[list[int]]:
    """Return whether a value is a list of whole numbers from 0."""
    return isinstance(value, list) and all(type(item) is int and item >= 0 for item in value)


def read_pickled(path: Path, limit_mb: float) -> object:
    """Return what a zip-based `.pt` file holds, read without running any code of the file.

    Args:
        path: file written by torch.save.
        limit_mb: most megabytes that its parts may come to.

    Raises:
        CheckpointError: the archive is damaged, compressed or too large, or its pickle needs more than tensors and
            plain values.
    """
    _check_archive(path, limit_mb)
    try:
        # Mapped, because a storage then cannot reach outside the file, whatever size the pickle declares for it.
        return torch.load(path, map_location="cpu", weights_only=True, mmap=True)
    except UNREADABLE as error:
        raise CheckpointError(_refusal(str(error))) from None


def _check_archive(path: Path, limit_mb: float) -> None:
    """Refuse an archive that is compressed, declares more than the limit, or is no state_dict."""
    try:
        with zipfile.ZipFile(path) as archive:
            parts = archive.infolist()
    except (zipfile.BadZipFile, ValueError, NotImplementedError, struct.error):
        raise CheckpointError("damaged: its zip directory cannot be read") from None
    total = sum(part.file_size for part in parts)
    if total > limit_mb * 1e6:
        raise CheckpointError(f"unpacks to {total / 1e6:.0f} MB, more than the limit of {limit_mb:g} MB")
    if any(part.compress_type != zipfile.ZIP_STORED for part in parts):
        raise CheckpointError("a compressed archive; torch.save writes uncompressed ones")
    if any(part.filename.endswith(".pkl") and part.file_size > MAX_HEADER_BYTES for part in parts):
        raise CheckpointError(
            f"its pickle alone is over {MAX_HEADER_BYTES / 1e6:g} MB, far more than a state_dict needs"
        )
    if any(part.filename.endswith("constants.pkl") for part in parts):
        raise CheckpointError("a TorchScript program, which is code; save its state_dict() instead")


def _refusal(message: str) -> str:
    """Turn torch's paragraphs into one sentence."""
    if named := re.search(r"GLOBAL ([\w.]+)", message):
        return f"refused, because it would run code ({named[1]}); save model.state_dict() instead of the model"
    first = message.strip().splitlines()[0] if message.strip() else "no reason given"
    return f"not a readable PyTorch file ({first[:200]})"
