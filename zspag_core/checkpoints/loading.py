"""Read a checkpoint: our own format, or another program's weights of an architecture that we know."""

from __future__ import annotations

import hashlib
import json
import reprlib
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zspag_core.checkpoints.configs import blueprint, checked_config
from zspag_core.checkpoints.contents import Contents, read_contents
from zspag_core.checkpoints.weights import restore
from zspag_core.errors import CheckpointError
from zspag_core.models import ARCHITECTURES
from zspag_core.models.convert import recognise

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping, Sequence

    from torch import Tensor

    from zspag_core.models import Classifier, ModelConfig


@dataclass(frozen=True)
class Checkpoint:
    """A classifier read from a file.

    Attributes:
        model: the classifier in eval mode, on the CPU, float32.
        about: what the file says about it; for a bare state_dict its `origin`, and what had to be `assumed`.
        sha256: hash of the file's bytes, in hexadecimal.
    """

    model: Classifier
    about: dict[str, Any]
    sha256: str


def load_checkpoint(
    path: str | os.PathLike[str],
    *,
    config: ModelConfig | None = None,
    image_size: int | None = None,
    mean: Sequence[float] | None = None,
    std: Sequence[float] | None = None,
    heads: int | None = None,
    limit_mb: float = 400,
) -> Checkpoint:
    """Read a classifier without running code of the file and without trusting the sizes that it declares.

    Accepted are our own `.safetensors`, bare state_dicts (`.safetensors`, `.pt`, `.pth`; also inside {"state_dict": …},
    {"model": …}, {"net": …} or behind "module.") of torchvision's ResNet, VGG and ViT or of our own networks, and
    {"architecture", "config", "state_dict"} dictionaries of our own networks.

    Args:
        path: the file.
        config: the config of a bare state_dict of one of our own networks.
        image_size: side of the input in pixels; else what the file says, or 224 (ImageNet stem) or 32.
        mean: per-channel mean of pixels in [0, 1]; else what the file says, or ImageNet's.
        std: per-channel standard deviation of pixels in [0, 1]; else what the file says, or ImageNet's.
        heads: attention heads of a ViT; else what the file says, or width / 64 as in torchvision.
        limit_mb: most megabytes of the file and of what it unpacks to.

    Raises:
        CheckpointError: the file is refused; the message says why in one sentence.
    """
    path = Path(path)
    given = {"image_size": image_size, "mean": mean, "std": std, "heads": heads}
    given = {name: value for name, value in given.items() if value is not None}
    try:
        contents = read_contents(path, limit_mb)
        identified = _identify(contents, config, given)
        plan = blueprint(checked_config(identified.architecture, identified.settings | given), limit_mb * 1e6 / 2)
        about = _checked_about(identified.about, plan.config.num_classes)
        model = restore(plan, identified.weights)
    except CheckpointError as error:
        raise CheckpointError(f"{path.name}: {error}") from None
    with path.open("rb") as file:
        return Checkpoint(model, about, hashlib.file_digest(file, "sha256").hexdigest())


@dataclass(frozen=True)
class _Identified:
    """Weights under our names, and everything needed to build their network."""

    architecture: object
    settings: dict[str, Any]
    weights: Mapping[str, Tensor]
    about: object


def _identify(contents: Contents, config: ModelConfig | None, given: Mapping[str, Any]) -> _Identified:
    """Find out which network the weights belong to: by the header, by the caller's word, or by names and shapes."""
    if contents.header is not None:
        header = contents.header
        settings = header.get("config")
        if not isinstance(settings, dict):
            raise CheckpointError(f"config: expected names and values, got {type(settings).__name__}")
        return _Identified(header.get("architecture"), settings, contents.weights, header.get("about", {}))
    if config is not None:
        return _Identified(_architecture_of(config), asdict(config), contents.weights, {"origin": "state_dict"})
    found = recognise(contents.weights, heads_given="heads" in given)
    assumed = {name: value for name, value in found.assumed.items() if name not in given}
    about = {"origin": found.origin, "assumed": assumed}
    return _Identified(found.architecture, found.settings | found.assumed, found.weights, about)


def _architecture_of(config: ModelConfig) -> str | None:
    """Return the name of the architecture that a config belongs to."""
    return next((name for name, (_, kind) in ARCHITECTURES.items() if type(config) is kind), None)


def _checked_about(about: object, num_classes: int) -> dict[str, Any]:
    """Return what the file says about the model as plain JSON values."""
    try:
        plain = json.loads(json.dumps(about, allow_nan=False))
    except (TypeError, ValueError, RecursionError):
        raise CheckpointError("about: expected plain JSON values") from None
    if not isinstance(plain, dict):
        raise CheckpointError(f"about: expected names and values, got {type(about).__name__}")
    names = plain.get("class_names")
    if names is not None and not (
        isinstance(names, list) and len(names) == num_classes and all(isinstance(name, str) for name in names)
    ):
        raise CheckpointError(f"class_names: expected {num_classes} names, one per logit, got {reprlib.repr(names)}")
    return plain
