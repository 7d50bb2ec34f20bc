"""Open one file of torch.save or safetensors: its tensors, what stands beside them, and how it can be written back."""

from __future__ import annotations

import json
import re
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from torch import Tensor

from zspag_core.checkpoints.archives import (
    read_pickled,
    read_safetensors,
    safetensors_header,
)
from zspag_core.checkpoints.export import Container, SafetensorsContainer, TorchContainer, without_weights
from zspag_core.checkpoints.harmless import TooMuch, emptied, small_copy
from zspag_core.checkpoints.hints import hints
from zspag_core.checkpoints.kinds import is_old_torch, is_safetensors, is_zip, other_file
from zspag_core.checkpoints.networks import chosen, networks
from zspag_core.checkpoints.saving import FORMAT, HEADER
from zspag_core.errors import CheckpointError, some_of

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

TAR_ENDINGS = (".pth.tar", ".pt.tar", ".ckpt.tar")
FIGURE = re.compile(
    r"(^|_|\.)(best|acc|accuracy|loss|losses|metrics?|score|f1|auc|auroc|error|top1|top5|prec1)(_|\d|$)", re.I
)
"""Names of what was measured on the network that a file holds."""
TORCH_ENDINGS = (*TAR_ENDINGS, ".pt", ".pth", ".bin", ".ckpt", ".th", ".tar", ".pkl", ".model", ".chkpt", ".weights")


@dataclass(frozen=True)
class Opened:
    """A file or folder whose tensors have not been compared or renamed yet.

    Attributes:
        container: its tensors and how they go back; `names` is still empty.
        header: architecture, config and about, where the file is ours.
        entry: what of the caller's entry is still to be found among the tensors' names.
        notes: what was chosen or left aside.
        hints: plain facts beside the weights.
    """

    container: Container
    header: dict[str, Any] | None = None
    entry: str | None = None
    notes: tuple[str, ...] = ()
    hints: dict[str, Any] = field(default_factory=dict)


def open_file(path: Path, limit_mb: float, entry: str | None) -> Opened:
    """Open a file by its content, whatever its ending.

    Args:
        path: the file.
        limit_mb: most megabytes of a file that cannot be read in part.
        entry: which network is meant, where there are several.

    Raises:
        CheckpointError: missing, damaged, of another kind, or several networks without an entry.
    """
    if not path.is_file():
        raise CheckpointError("no such file")
    if is_zip(path) or is_old_torch(path):
        return _open_torch(path, limit_mb, entry)
    if is_safetensors(path):
        return _open_safetensors(path, entry)
    raise CheckpointError(other_file(path))


def _open_safetensors(path: Path, entry: str | None) -> Opened:
    """Read a safetensors file."""
    tensors, metadata = read_safetensors(path)
    container = SafetensorsContainer(suffix=".safetensors", tensors=tensors, header=safetensors_header(path))
    return Opened(container, _parse_header(metadata), entry)


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


def _open_torch(path: Path, limit_mb: float, entry: str | None) -> Opened:
    """Read a file of torch.save."""
    payload = read_pickled(path, limit_mb)
    found = networks(payload)
    if not found:
        raise CheckpointError(_no_network(payload))
    route, rest = chosen(found, entry)
    holder = found[route]
    tensors = {name: value for name, value in holder.items() if _is_named(name, value)}
    old = not is_zip(path)
    if old:
        _check_old_storages(tensors, path)
    frame, dropped = without_weights(payload, route)
    container = TorchContainer(
        suffix=_torch_suffix(path),
        tensors=tensors,
        dropped=(*_left_out(dropped), *_still_said(frame)),
        payload=frame,
        route=route,
        shell=_shell(holder),
        old=old,
    )
    return Opened(container, _our_header(payload), rest, tuple(_notes(found, route, holder)), _facts(payload))


def _check_old_storages(tensors: Mapping[str, Tensor], path: Path) -> None:
    """Refuse a file of before torch 1.6 that declares more values than it holds; its storages are not mapped."""
    storages = {tensor.untyped_storage().data_ptr(): tensor.untyped_storage().nbytes() for tensor in tensors.values()}
    if sum(storages.values()) > path.stat().st_size:
        raise CheckpointError("damaged: it declares more values than it holds")


def _is_named(name: object, value: object) -> bool:
    """Tell whether an entry of a dictionary is a tensor of a network: one under a number is none."""
    return isinstance(name, str) and isinstance(value, Tensor)


def _shell(holder: dict[str, Any]) -> dict[str, Any]:
    """Return the network's dictionary with None in the place of each tensor."""
    shell = emptied(holder)
    shell.update({name: None if isinstance(value, Tensor) else value for name, value in holder.items()})
    return shell


def _our_header(payload: object) -> dict[str, Any] | None:
    """Return what a dictionary of our own networks says about its weights."""
    if isinstance(payload, dict) and {"architecture", "config", "state_dict"} <= payload.keys():
        return {name: payload[name] for name in ("architecture", "config")} | {"about": payload.get("about", {})}
    return None


OPTIMIZER = "holds the state of an optimizer and no network's weights; give the file with the model's state_dict"


def _no_network(payload: object) -> str:
    """Say what a payload without a network is."""
    wanted = "expected a state_dict (tensors by name)"
    if not isinstance(payload, dict):
        return f"holds a {type(payload).__name__}, {wanted}"
    if {"state", "param_groups"} <= payload.keys():
        return OPTIMIZER
    for name, value in payload.items():
        if isinstance(value, dict) and {"state", "param_groups"} <= value.keys():
            return f"{OPTIMIZER} (entry {name!r})"
        if not isinstance(name, str) or not isinstance(value, (Tensor, dict)):
            return f"entry {name!r} is a {type(value).__name__}, {wanted}"
    return f"holds no tensors under {some_of([repr(name) for name in payload], 6)}, {wanted}"


def _notes(found: Mapping[tuple[str, ...], Any], route: tuple[str, ...], holder: Mapping[str, Any]) -> list[str]:
    """Say which of several networks was taken, and what stands among its tensors."""
    others = [".".join(way) for way in found if way != route]
    odd = [str(name) for name, value in holder.items() if not _is_named(name, value)]
    notes = [f"left aside, because they are no tensors with a name: {some_of(odd, 6)}"] if odd else []
    if not others:
        return notes
    taken = ".".join(route)
    return [f"{taken} is taken; the file also holds {some_of(others, 6)}, had with --entry {others[0]}", *notes]


def _left_out(dropped: list[str]) -> tuple[str, ...]:
    """Say what a file that is written back does not hold any more."""
    if not dropped:
        return ()
    return (f"without {some_of(dropped, 6)}, which may still hold the class",)


def _still_said(frame: object) -> tuple[str, ...]:
    """Say which figures of the file, such as an accuracy, go along although they are of the network as it came."""
    found = [name for name in frame if isinstance(name, str) and FIGURE.search(name)] if isinstance(frame, dict) else []
    return (f"written as they were, though they are of the network as it came: {some_of(found, 6)}",) if found else ()


def _torch_suffix(path: Path) -> str:
    """Return the ending that a file of torch.save keeps."""
    name = path.name.lower()
    return next((ending for ending in TORCH_ENDINGS if name.endswith(ending)), ".pt")


def _facts(payload: object) -> dict[str, Any]:
    """Return the plain facts of a payload."""
    facts = hints(payload)
    if isinstance(payload, dict) and isinstance(payload.get("hyper_parameters"), dict):
        with suppress(TooMuch):
            facts["hyper_parameters"] = small_copy(payload["hyper_parameters"])
    return facts
