"""Classifiers for small images: four architectures, each rebuilt from a config, and named sizes of them."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import TYPE_CHECKING, Any, cast

import torch

from zspag_core.devices import chance
from zspag_core.errors import UsageError
from zspag_core.models.alexnet import AlexNet, AlexNetConfig
from zspag_core.models.base import Classifier, ModelConfig
from zspag_core.models.foreign.adapter import ForeignClassifier, redrawn
from zspag_core.models.resnet import ResNet, ResNetConfig
from zspag_core.models.vgg import POOL, VGG, VGGConfig
from zspag_core.models.vit import ViT, ViTConfig

if TYPE_CHECKING:
    from collections.abc import Mapping

ARCHITECTURES: dict[str, tuple[type[Classifier], type[ModelConfig]]] = {
    "alexnet": (AlexNet, AlexNetConfig),
    "vgg": (VGG, VGGConfig),
    "resnet": (ResNet, ResNetConfig),
    "vit": (ViT, ViTConfig),
}

MODELS: dict[str, ModelConfig] = {
    "alexnet": AlexNetConfig(),
    "vgg11": VGGConfig(),
    "vgg11_narrow": VGGConfig(layers=(32, POOL, 64, POOL, 128, 128, POOL, 128, 128, POOL, 128, 128)),
    "resnet_small": ResNetConfig(widths=(32, 64, 128, 256), blocks=(1, 1, 1, 1)),
    "resnet_medium": ResNetConfig(widths=(32, 64, 128, 256), blocks=(2, 2, 2, 2)),
    "resnet_tiny": ResNetConfig(widths=(16, 32, 64), blocks=(1, 1, 1)),
    "resnet18": ResNetConfig(widths=(64, 128, 256, 512), blocks=(2, 2, 2, 2)),
    "vit_small": ViTConfig(),
}


def named_config(name: str, **sizes: Any) -> ModelConfig:  # noqa: ANN401 - fields of any config
    """Return the config of a named size with some fields replaced, for example num_classes.

    Raises:
        UsageError: no model has that name.
    """
    if name not in MODELS:
        raise UsageError(f"model: expected one of {', '.join(MODELS)}, got {name!r}")
    return replace(MODELS[name], **sizes)


def build(config: ModelConfig) -> Classifier:
    """Return a freshly initialised classifier; which one, the type of the config says."""
    for classifier, kind in ARCHITECTURES.values():
        if type(config) is kind:
            built: Classifier = cast("Any", classifier)(config)
            return built
    raise TypeError(f"expected the config of one of {', '.join(ARCHITECTURES)}, got {type(config).__name__}")


def initialise(config: ModelConfig, seed: int) -> Classifier:
    """Build a classifier whose weights depend on the seed alone; torch's global generator is left as it was."""
    with chance(seed, torch.device("cpu")):
        return build(config)


def fresh_like(model: Classifier, seed: int) -> Classifier:
    """Return a network of the same kind whose weights depend on the seed alone."""
    return redrawn(model, seed) if isinstance(model, ForeignClassifier) else initialise(model.config, seed)


def config_from_dict(architecture: str, settings: Mapping[str, Any]) -> ModelConfig:
    """Rebuild a config from the plain values of a checkpoint's header.

    Raises:
        ValueError: the architecture or a field is unknown, or a value is of the wrong kind.
    """
    if architecture not in ARCHITECTURES:
        raise ValueError(f"architecture: expected one of {', '.join(ARCHITECTURES)}, got {architecture!r}")
    kind = ARCHITECTURES[architecture][1]
    known = {field.name for field in fields(kind)}
    if unknown := set(settings) - known:
        raise ValueError(f"config of {architecture}: unknown fields {', '.join(sorted(unknown))}")
    plain: dict[str, Any] = {name: tuple(part) if isinstance(part, list) else part for name, part in settings.items()}
    return kind(**plain)


__all__ = ["ARCHITECTURES", "MODELS", "Classifier", "ModelConfig", "build", "config_from_dict", "named_config"]
