"""Read a checkpoint, file or model folder, as the tensors of one network and what is known about them."""

from __future__ import annotations

import math
import os
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from zspag_core.checkpoints.folders import open_folder
from zspag_core.checkpoints.networks import below, beside, copies, left_aside, plain_names, readings, several, shapes_of
from zspag_core.checkpoints.opening import open_file
from zspag_core.checkpoints.side_by_side import Shape, equal_parts, hosts, large_parts
from zspag_core.errors import CheckpointError, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from zspag_core.checkpoints.export import Container
    from zspag_core.checkpoints.networks import Reading

LIMIT_MB = 2000  # of the weights taken: ViT-L/16 has 1,217 MB, ConvNeXt-XL 1,400 MB, VGG-16 553 MB


@dataclass(frozen=True)
class Contents:
    """What a file or folder holds.

    Attributes:
        weights: tensors by their names in the network (without what wrappers put before them), all backed by as many
            bytes as they declare; not compared with any model yet.
        header: architecture, config and about as the file states them, where it is ours; else None.
        container: how the network came; `container.write(folder, stem, weights)` writes it back that way.
        notes: what was chosen, left aside or assumed: plain sentences.
        hints: plain facts beside the weights, see `hints.hints`; for a model folder also `hf_config` or `timm_config`
            (config.json) and `preprocessor` (preprocessor_config.json); for a Lightning checkpoint `hyper_parameters`.
        others: other ways to name the tensors, for a recogniser to try when `weights` fits nothing; see `readings`.
        entry: words before the names of the tensors that were asked for, None for nothing.
    """

    weights: dict[str, Tensor]
    header: dict[str, Any] | None
    container: Container
    notes: tuple[str, ...] = ()
    hints: dict[str, Any] = field(default_factory=dict)
    others: tuple[Reading, ...] = ()
    entry: str | None = None

    def readings(self) -> Iterator[Contents]:
        """Yield these contents, then the same tensors under other names: without a first word that all share
        (`backbone.`), with the wrappers' words that were dropped (`model.` may be the owner's own), or the part below
        one first word. Each has its own container, so that what it names goes back to the right place.
        """  # noqa: D205
        yield replace(self, others=())
        for reading in self.others:
            yield self._of(reading)

    def of_network(self, expected: Mapping[str, Shape | None]) -> Contents | None:
        """Return the part of these contents that a known network's tensors are, wherever it stands; None without one.

        Args:
            expected: shapes of the network's tensors by name; None where any shape will do.

        Raises:
            CheckpointError: there are several of them.
        """
        tensors = self.container.tensors
        found = [prefix for prefix in hosts(shapes_of(tensors), expected) if self._is_asked(prefix)]
        if not found:
            return None
        if len(found) > 1 and "" not in found:
            raise CheckpointError(several(found))
        prefix = "" if "" in found else found[0]
        others = [other for other in found if other != prefix]
        part = self._of(below(tensors, prefix, others))
        notes = beside(others) if others else left_aside(part.beside(prefix))
        return replace(part, notes=tuple(notes), entry=prefix)

    def large_parts(self) -> Iterator[Contents]:
        """Yield the parts that may be networks by their size, the largest first."""
        for prefix in large_parts(shapes_of(self.container.tensors)):
            if self._is_asked(prefix):
                yield replace(self._of(below(self.container.tensors, prefix, [])), entry=prefix)

    def equals_of(self, prefix: str) -> list[str]:
        """Return the prefixes of the parts with equal names and shapes of which one holds what is below a prefix."""
        parts = equal_parts(shapes_of(self.container.tensors))
        return next((alike for alike in parts if any(f"{prefix}.".startswith(f"{one}.") for one in alike)), [prefix])

    def _of(self, reading: Reading) -> Contents:
        """Return these contents with other names for the tensors, or fewer of them."""
        weights = {short: self.container.tensors[name] for name, short in reading.items()}
        return replace(self, weights=weights, container=_named(self.container, reading), others=())

    def _is_asked(self, prefix: str) -> bool:
        """Tell whether what stands below a prefix is among what the caller asked for."""
        return self.entry is None or f"{prefix}.".startswith(f"{self.entry}.")

    def beside(self, prefix: str) -> list[str]:
        """Return what stands beside a network, with as many words of the names as tell it from the network's."""
        tensors, taken = self.container.tensors, self.container.taken
        others = [short for name, short in plain_names(tensors).items() if name not in taken and tensors[name].ndim]
        mine = prefix.split(".")
        return list(dict.fromkeys(".".join(_until_they_differ(name.split("."), mine)) for name in others))


def _until_they_differ(words: list[str], others: list[str]) -> list[str]:
    """Return the words of a name up to the first that others do not have at its place."""
    same = next((place for place, word in enumerate(words) if others[place : place + 1] != [word]), len(words))
    return words[: same + 1]


def default_limit_mb() -> float:
    """Return the most megabytes of weights that are taken: ZSPAG_LIMIT_MB, else 2,000.

    Raises:
        UsageError: the variable is no positive number.
    """
    text = os.environ.get("ZSPAG_LIMIT_MB") or str(LIMIT_MB)
    try:
        limit = float(text)
    except ValueError:
        limit = math.nan
    if not 0 < limit < math.inf:
        raise UsageError(f"ZSPAG_LIMIT_MB: expected a number of megabytes, got {text!r}")
    return limit


def read_contents(path: Path, limit_mb: float, *, entry: str | None = None) -> Contents:
    """Read a file of torch.save or safetensors, by its content and whatever its ending, or a model folder.

    Args:
        path: the file, or a folder of transformers or timm.
        limit_mb: most megabytes of the weights that are taken; what else a file holds is not read into memory.
        entry: which network is meant where there are several: an entry of the dictionary ("state_dict_ema"), the first
            word of its tensors' names ("net"), or both ("state_dict.net").

    Raises:
        CheckpointError: missing, too large, of another kind, damaged, or more than one network without `entry`.
    """
    opened = open_folder(path, limit_mb, entry) if path.is_dir() else open_file(path, limit_mb, entry)
    tensors = opened.container.tensors
    _check_backed(tensors)
    ours = opened.header is not None
    found, notes = ([{name: name for name in tensors}], []) if ours else readings(tensors, opened.entry)
    weights = {short: tensors[name] for name, short in found[0].items()}
    _check_size(weights, limit_mb)
    container = _named(opened.container, found[0])
    notes = [*opened.notes, *notes]
    return Contents(weights, opened.header, container, tuple(notes), opened.hints, tuple(found[1:]), opened.entry)


def _named(container: Container, reading: Reading) -> Container:
    """Return a container that knows which of its tensors are the network's, or copies of them."""
    return replace(container, names={**copies(container.tensors, reading), **reading}, taken=frozenset(reading))


def _check_backed(weights: Mapping[str, Tensor]) -> None:
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


def _check_size(weights: Mapping[str, Tensor], limit_mb: float) -> None:
    """Refuse more weights than the limit."""
    total = sum(_declared_bytes(tensor) for tensor in weights.values())
    if total > limit_mb * 1e6:
        raise CheckpointError(
            f"declares {total / 1e6:.0f} MB of tensors, more than the limit of {limit_mb:g} MB, which the environment "
            "variable ZSPAG_LIMIT_MB raises"
        )


def _declared_bytes(tensor: Tensor) -> int:
    """Return the size that the shape stands for, in whole numbers that cannot overflow."""
    return math.prod(tensor.shape) * tensor.element_size()
