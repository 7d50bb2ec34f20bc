"""Read a `.safetensors` file or a file of torch.save, refusing what lies about its size or would run code."""

from __future__ import annotations

import json
import math
import pickle
import pickletools
import re
import struct
import tempfile
import zipfile
from contextlib import ExitStack, contextmanager, suppress
from itertools import islice, takewhile
from pathlib import Path
from typing import IO, TYPE_CHECKING, TypeGuard

import torch
from safetensors import SafetensorError, safe_open

from zspag_core.checkpoints.harmless import harmless_globals
from zspag_core.checkpoints.kinds import (
    MAX_HEADER_BYTES,
    is_zip,
    newer_pickle,
    other_zip,
    pickled_model,
    runs_code,
)
from zspag_core.errors import CheckpointError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from torch import Tensor

OLD_PICKLES = 4  # magic number, protocol, kind of machine, and the object; the values of the tensors follow
FIRST_OPERATIONS = 8  # of a pickle; the class of the outermost object is named by then
LONG_PICKLE = f"its pickle alone is over {MAX_HEADER_BYTES / 1e6:g} MB, far more than a state_dict needs"
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


def safetensors_header(path: Path) -> bytes:
    """Return the JSON header of a file whose header has been checked."""
    with path.open("rb") as file:
        return file.read(int.from_bytes(file.read(8), "little"))


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
    """Return what a file of torch.save holds, read without running any code of the file.

    A zip archive is mapped into memory, so that what is not used is not read. A file of before torch 1.6 is read whole.

    Args:
        path: file written by torch.save.
        limit_mb: most megabytes of a file of before torch 1.6.

    Raises:
        CheckpointError: the archive is damaged, compressed, TorchScript, or its pickle needs more than tensors, plain
            values and the listed harmless globals.
    """
    old = not is_zip(path)
    if old:
        _check_old_format(path, limit_mb)
    else:
        _check_archive(path)
    try:
        with _without_safetensors_ending(path) as named, harmless_globals():
            # Mapped, because a storage then cannot reach outside the file, whatever size the pickle declares for it.
            return torch.load(named, map_location="cpu", weights_only=True, mmap=not old)
    except UNREADABLE as error:
        raise CheckpointError(_refusal(str(error), path)) from None


@contextmanager
def _without_safetensors_ending(path: Path) -> Iterator[Path]:
    """Yield a name of the file that does not end in .safetensors, by which torch.load would judge it."""
    if path.suffix != ".safetensors":
        yield path
        return
    with tempfile.TemporaryDirectory() as folder:
        link = Path(folder) / "weights.pt"
        link.symlink_to(path.absolute())
        yield link


def _check_archive(path: Path) -> None:
    """Refuse an archive that is compressed, lies about its sizes, or is no state_dict."""
    try:
        with zipfile.ZipFile(path) as archive:
            parts = archive.infolist()
            protocol = _protocol(archive)
    except UNREADABLE:
        raise CheckpointError("damaged: its zip directory cannot be read") from None
    if protocol > 2:
        raise CheckpointError(newer_pickle(path.name, protocol))
    if other := other_zip(path, [part.filename for part in parts]):
        raise CheckpointError(other)
    if any(part.compress_type != zipfile.ZIP_STORED for part in parts):
        raise CheckpointError("a compressed archive; torch.save writes uncompressed ones")
    if any(part.file_size != part.compress_size for part in parts):
        raise CheckpointError("damaged: its zip directory declares sizes that the archive does not have")
    if any(part.filename.endswith(".pkl") and part.file_size > MAX_HEADER_BYTES for part in parts):
        raise CheckpointError(LONG_PICKLE)


def _protocol(archive: zipfile.ZipFile) -> int:
    """Return the pickle protocol of an archive; torch reads 2 without running code, newer ones not."""
    name = _pickle_name(archive)
    if not name or archive.getinfo(name).compress_type != zipfile.ZIP_STORED:
        return 2
    with archive.open(name) as file:
        first = file.read(2)
    return first[1] if first[:1] == b"\x80" and len(first) == 2 else 2


def _pickle_name(archive: zipfile.ZipFile) -> str:
    """Return the name of the part that holds the pickle; nothing where there is none."""
    return next((name for name in archive.namelist() if name.endswith("data.pkl")), "")


def _check_old_format(path: Path, limit_mb: float) -> None:
    """Refuse a file of before torch 1.6 that is too large to be read whole, or declares more than it has."""
    size = path.stat().st_size
    if size > limit_mb * 1e6:
        raise CheckpointError(
            f"{size / 1e6:.0f} MB in the format of torch before 1.6, more than the limit of {limit_mb:g} MB; save it "
            f'again: `weights = torch.load("{path.name}", map_location="cpu")` and `torch.save(weights, "weights.pth")`'
        )
    try:
        with path.open("rb") as file:
            for _ in range(OLD_PICKLES):
                _pass_pickle(file)
    except UNREADABLE:
        raise CheckpointError("not a readable PyTorch file (damaged, in the format of torch before 1.6)") from None


def _pass_pickle(file: IO[bytes]) -> None:
    """Read past one pickle without building anything; refuse one without end."""
    start = file.tell()
    for _, _, position in pickletools.genops(file):
        if position is not None and position - start > MAX_HEADER_BYTES:
            raise CheckpointError(LONG_PICKLE)


def _refusal(message: str, path: Path) -> str:
    """Turn torch's paragraphs into one sentence."""
    if named := re.search(r"GLOBAL ([\w.]+)", message):
        whole = _outermost(path).endswith(f".{named[1]}" if "." not in named[1] else named[1])
        return pickled_model(path.name, named[1]) if whole else runs_code(path.name, named[1])
    first = message.strip().splitlines()[0] if message.strip() else "no reason given"
    return f"not a readable PyTorch file ({first[:200]})"


def _outermost(path: Path) -> str:
    """Return the class of the outermost object of a file of torch.save; nothing for a dictionary or a broken file."""
    with suppress(*UNREADABLE), path.open("rb") as file, ExitStack() as opened:
        pickled: IO[bytes] = file
        if is_zip(path):
            archive = opened.enter_context(zipfile.ZipFile(path))
            pickled = opened.enter_context(archive.open(_pickle_name(archive)))
        else:
            for _ in range(OLD_PICKLES - 1):
                _pass_pickle(file)
        first = list(islice(pickletools.genops(pickled), FIRST_OPERATIONS))
        before = takewhile(lambda operation: operation[0].name != "EMPTY_DICT", first)
        return next((str(value).replace(" ", ".") for code, value, _ in before if code.name == "GLOBAL"), "")
    return ""
