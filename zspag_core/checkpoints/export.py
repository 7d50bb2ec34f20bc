"""Write a network back as it came: in its owner's names, dtypes and container.

What is not the network goes back too where it is small (arguments, an epoch, an accuracy); what may still hold the
class does not: optimizer states, averages and other networks' weights.
"""

from __future__ import annotations

import copy
import json
import shutil
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from zspag_core.checkpoints.harmless import TooMuch, emptied, small_copy
from zspag_core.errors import some_of
from zspag_core.files import replace_file

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

Place = tuple[object, ...]  # where in memory the values of a tensor lie, and how
OURS = ("num_batches_tracked",)  # counters that a network may do without


@dataclass(frozen=True, kw_only=True)
class Container:
    """How a network came.

    Attributes:
        suffix: ending of the file's name, with the dot.
        tensors: every tensor of the dictionary that the network was taken from, by its name in the file.
        names: name in the file -> name in the network, for the network's tensors and for copies of it beside them.
        dropped: what is not written back, in a sentence or two.
        taken: names in the file of the network itself, without copies.
    """

    suffix: str
    tensors: Mapping[str, Tensor]
    names: Mapping[str, str] = field(default_factory=dict)
    dropped: tuple[str, ...] = ()
    taken: frozenset[str] = frozenset()

    @property
    def notes(self) -> tuple[str, ...]:
        """Say what a file that is written leaves out, and what becomes of the tensors beside the network."""
        twins = [name for name in self.names if name not in self.taken]
        others = [name for name, tensor in self.tensors.items() if name not in self.names and tensor.ndim > 1]
        notes = list(self.dropped)
        if twins:
            notes.append(
                f"a copy of the network, which may still hold the class, gets the same weights: {_firsts(twins)}"
            )
        if others:
            notes.append(f"beside the network, and unchanged: {_firsts(others)}")
        return tuple(notes)

    def write(self, folder: Path, stem: str, weights: Mapping[str, Tensor]) -> Path:
        """Write the network with other weights.

        Args:
            folder: where to write; made where it is missing.
            stem: name of the file without its ending.
            weights: every tensor of the network by its name in `Contents.weights`, of the same shape; the dtype
                becomes the file's. Counters of batches may be missing and stay as they were.

        Returns:
            The file or folder that was written; the same weights give the same bytes.

        Raises:
            ValueError: a tensor is missing, surplus or of another shape.
        """
        tensors, path = self.filled(weights), folder / f"{stem}{self.suffix}"
        with replace_file(path) as partial:
            self.save(partial, tensors)
        return path

    def filled(self, weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Return the file's tensors with the network's replaced, in the file's order."""
        self._check(weights)
        ready: dict[Place, Tensor] = {}
        return {name: self._tensor(name, tensor, weights, ready) for name, tensor in self.tensors.items()}

    def _tensor(self, name: str, like: Tensor, weights: Mapping[str, Tensor], ready: dict[Place, Tensor]) -> Tensor:
        """Return what stands under one name; tensors that were one object stay one object."""
        given = weights.get(self.names.get(name, ""), like)
        key = _place(like)
        if key in ready and torch.equal(ready[key], given.detach().to("cpu", like.dtype)):
            return ready[key]
        ready[key] = _as_it_was(given, like)
        return ready[key]

    def _check(self, weights: Mapping[str, Tensor]) -> None:
        """Refuse weights that are not those of the network."""
        shapes = {short: tuple(self.tensors[name].shape) for name, short in self.names.items()}
        missing = [short for short in shapes if short not in weights and not short.endswith(OURS)]
        surplus = [short for short in weights if short not in shapes]
        if missing or surplus:
            raise ValueError(
                f"expected the tensors of the file, got {some_of(missing, 3)} missing, {some_of(surplus, 3)} surplus"
            )
        for short, tensor in weights.items():
            if tuple(tensor.shape) != shapes[short]:
                raise ValueError(f"tensor {short!r}: expected shape {shapes[short]}, got {tuple(tensor.shape)}")

    def save(self, path: Path, tensors: dict[str, Tensor]) -> None:
        """Write the tensors, named and shaped as in the file, to a path."""
        raise NotImplementedError


def _firsts(names: list[str]) -> str:
    """Return the first words of names."""
    return some_of(sorted({name.partition(".")[0] for name in names}), 6)


def _place(tensor: Tensor) -> Place:
    """Return what that two tensors share where they are the same values in memory."""
    return tensor.untyped_storage().data_ptr(), tensor.storage_offset(), tensor.shape, tensor.stride(), tensor.dtype


def _as_it_was(given: Tensor, like: Tensor) -> Tensor:
    """Return values on the CPU, contiguous, in storage of their own, of the file's dtype and class."""
    values = given.detach().to("cpu", like.dtype).clone(memory_format=torch.contiguous_format)
    return nn.Parameter(values, requires_grad=like.requires_grad) if isinstance(like, nn.Parameter) else values


@dataclass(frozen=True, kw_only=True)
class TorchContainer(Container):
    """A file of torch.save.

    Attributes:
        payload: what the file held, without large tensors; empty at the place of the network.
        route: the way to the network in it.
        shell: the network's own dictionary, empty, with its attributes (`_metadata`) and entries that are no tensors.
        old: the file was written in the format of torch before 1.6.
    """

    payload: Any = None
    route: tuple[str, ...] = ()
    shell: dict[str, Any] = field(default_factory=dict)
    old: bool = False

    def save(self, path: Path, tensors: dict[str, Tensor]) -> None:
        """Write as torch.save does; to an open file, because it writes a path's name into the archive."""
        network = emptied(self.shell)
        network.update({name: tensors.get(name, value) for name, value in self.shell.items()})
        with path.open("wb") as file:
            torch.save(_placed(self.payload, self.route, network), file, _use_new_zipfile_serialization=not self.old)


def _placed(payload: Any, route: tuple[str, ...], network: dict[str, Any]) -> Any:  # noqa: ANN401 - any payload
    """Return a payload with the network in its place, without changing the given one."""
    if not route:
        return network
    changed = copy.copy(payload)
    changed[route[0]] = _placed(payload[route[0]], route[1:], network)
    return changed


def without_weights(payload: object, route: tuple[str, ...]) -> tuple[Any, list[str]]:
    """Return a payload without what may still hold a class, and the names of what was dropped.

    Args:
        payload: what torch.load returned.
        route: the way to the network, whose place stays and is emptied.
    """
    if not route or not isinstance(payload, dict):
        return {}, []
    fresh, dropped = emptied(payload), []
    for name, value in payload.items():
        if name == route[0]:
            fresh[name], below = without_weights(value, route[1:])
            dropped += [f"{name}.{word}" for word in below]
            continue
        try:
            fresh[name] = small_copy(value)
        except TooMuch:
            dropped.append(str(name))
            if "pytorch-lightning_version" in payload:
                fresh[name] = type(value)()  # Lightning asks for these entries, not for what is in them
    return fresh, dropped


@dataclass(frozen=True, kw_only=True)
class SafetensorsContainer(Container):
    """A safetensors file.

    Attributes:
        header: its JSON header, byte for byte: metadata, names, dtypes, shapes and places, which all stay.
    """

    header: bytes = b"{}"

    def save(self, path: Path, tensors: dict[str, Tensor]) -> None:
        """Write the same header and the tensors at the places that it names."""
        entries = {name: entry for name, entry in json.loads(self.header).items() if name != "__metadata__"}
        with path.open("wb") as file:
            file.write(len(self.header).to_bytes(8, "little") + self.header)
            for name in sorted(entries, key=lambda name: entries[name]["data_offsets"]):
                file.write(_bytes(tensors[name]))


def _bytes(tensor: Tensor) -> bytes:
    """Return the values of a contiguous tensor as bytes."""
    return tensor.reshape(-1).view(torch.uint8).numpy().tobytes()


@dataclass(frozen=True, kw_only=True)
class FolderContainer(Container):
    """A model folder of transformers or timm.

    Attributes:
        parts: the weight files by their names.
        others: the small files beside them that go along (config.json, preprocessor_config.json, …).
    """

    parts: Mapping[str, Container] = field(default_factory=dict)
    others: Mapping[str, bytes] = field(default_factory=dict)

    def write(self, folder: Path, stem: str, weights: Mapping[str, Tensor]) -> Path:
        """Write a folder; see Container.write."""
        tensors, target = self.filled(weights), folder / stem
        partial = folder / f".{stem}.partial"
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir(parents=True)
        for name, content in self.others.items():
            (partial / name).write_bytes(content)
        for name, part in self.parts.items():
            part.save(partial / name, {key: tensors[key] for key in part.tensors})
        shutil.rmtree(target, ignore_errors=True)
        partial.rename(target)
        return target
