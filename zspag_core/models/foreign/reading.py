"""How an owner's network wants its images: what its files say, what its library usually does, what is only assumed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from zspag_core.errors import CheckpointError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import nn

IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
GREY_MEAN, GREY_STD = (0.449,), (0.226,)
FIELDS = ("image_size", "channels", "mean", "std", "shorter_side", "interpolation")
RESAMPLINGS = {0: "nearest", 2: "bilinear", 3: "bicubic"}
"""Pillow's numbers, which Hugging Face's preprocessors use."""
SIZES_TRIED = (224, 32, 28, 64, 96, 128, 160, 256, 299, 384)


@dataclass(frozen=True)
class InputPreparation:
    """The preparation of images, as far as it is known.

    Attributes:
        said: fields of :class:`ForeignConfig` that the owner's files or the caller state.
        assumed: the others, with the usual value.
    """

    said: dict[str, Any] = field(default_factory=dict)
    assumed: dict[str, Any] = field(default_factory=dict)

    def with_said(self, more: Mapping[str, Any]) -> InputPreparation:
        """Return a reading in which more is stated; it wins over what was."""
        said = {**self.said, **more}
        return InputPreparation(said, {name: value for name, value in self.assumed.items() if name not in said})

    @property
    def fields(self) -> dict[str, Any]:
        """Return all fields, stated or assumed."""
        return {**self.assumed, **self.said}


def usual(channels: int, image_size: int) -> dict[str, Any]:
    """Return what is assumed where nobody says anything: ImageNet's normalisation, images stretched to the square."""
    mean, std = (GREY_MEAN, GREY_STD) if channels == 1 else (IMAGENET_MEAN, IMAGENET_STD)
    return {"image_size": image_size, "mean": mean, "std": std, "shorter_side": 0, "interpolation": "bilinear"}


def timm_reading(stated: Mapping[str, Any] | None) -> dict[str, Any]:
    """Return the fields that a `pretrained_cfg` of timm states.

    Raises:
        CheckpointError: it states what cannot be.
    """
    stated = _table("pretrained_cfg", stated)
    fields: dict[str, Any] = {}
    if size := stated.get("input_size"):
        channels, side, *_ = _numbers("input_size", size, 3)
        fields |= {"channels": int(channels), "image_size": int(side)}
    for name in ("mean", "std"):
        if stated.get(name) is not None:
            fields[name] = tuple(_numbers(name, stated[name]))
    if stated.get("interpolation") in list(RESAMPLINGS.values()):
        fields["interpolation"] = str(stated["interpolation"])
    if "image_size" in fields and isinstance(crop := stated.get("crop_pct"), int | float) and 0 < crop <= 1:
        fields["shorter_side"] = 0 if stated.get("crop_mode") == "squash" else int(fields["image_size"] / crop)
    return fields


def hf_reading(stated: Mapping[str, Any] | None) -> dict[str, Any]:
    """Return the fields that a preprocessor_config.json states.

    Raises:
        CheckpointError: it states what cannot be.
    """
    stated = _table("preprocessor_config.json", stated)
    fields: dict[str, Any] = {}
    if stated.get("do_normalize", True):
        for ours, theirs in (("mean", "image_mean"), ("std", "image_std")):
            if stated.get(theirs) is not None:
                fields[ours] = tuple(_numbers(theirs, stated[theirs]))
    else:
        fields |= {"mean": (0.0, 0.0, 0.0), "std": (1.0, 1.0, 1.0)}
    if stated.get("resample") in list(RESAMPLINGS):
        fields["interpolation"] = RESAMPLINGS[stated["resample"]]
    size, crop = _side(stated.get("size")), _side(stated.get("crop_size"))
    shortest = _whole(stated["size"].get("shortest_edge")) if isinstance(stated.get("size"), dict) else None
    if stated.get("do_center_crop") and crop:
        fields |= {"image_size": crop, "shorter_side": int(shortest or size or crop)}
    elif shortest and isinstance(share := stated.get("crop_pct"), int | float) and 0 < share <= 1:  # ConvNeXt
        fields |= {"image_size": int(shortest), "shorter_side": int(shortest / share) if shortest < 384 else 0}
    elif side := size or shortest:
        fields |= {"image_size": int(side), "shorter_side": 0}
    return fields


def _side(size: object) -> int | None:
    """Return the side of a square that a preprocessor names in one of its ways."""
    return _whole(size.get("height") if isinstance(size, dict) else size)


def _whole(value: object) -> int | None:
    """Return a whole number above 0 that a file states, None where it states none."""
    return value if type(value) is int and value > 0 else None


def _table(name: str, stated: object) -> Mapping[str, Any]:
    """Return what a file states as names and values; nothing where it states nothing.

    Raises:
        CheckpointError: it is something else.
    """
    if not isinstance(stated, Mapping | None):
        raise CheckpointError(f"{name}: expected names and values, got {str(stated)[:60]}")
    return stated or {}


def _numbers(name: str, values: object, count: int | None = None) -> list[float]:
    """Return numbers that a file states.

    Raises:
        CheckpointError: they are none.
    """
    listed = list(values) if isinstance(values, list | tuple) else []
    if not listed or not all(isinstance(v, int | float) for v in listed) or (count and len(listed) != count):
        raise CheckpointError(f"{name}: expected {count or 'some'} numbers, got {str(values)[:60]}")
    return [float(v) for v in listed]


def channels_of(network: nn.Module) -> int:
    """Return the number of colour channels that the first convolution takes; 3 where there is none."""
    from torch import nn as modules

    for module in network.modules():
        if isinstance(module, modules.Conv2d):
            return module.in_channels
    return 3


def sizes_to_try(network: nn.Module, first: int | None) -> Sequence[int]:
    """Return image sizes to try where nobody states one: what the library says, then small or large by the stem."""
    from torch import nn as modules

    stem = next((m for m in network.modules() if isinstance(m, modules.Conv2d)), None)
    small = stem is not None and stem.stride == (1, 1)
    usual_first = (32, 28, 224) if small else (224, 32)
    return tuple(dict.fromkeys([*([first] if first else []), *usual_first, *SIZES_TRIED]))
