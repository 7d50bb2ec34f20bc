"""What Python code calls its preprocessing, in any of its forms -> size, crop, mean and deviation of a config."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from zspag_core.errors import CheckpointError
from zspag_core.models.foreign.reading import hf_reading, timm_reading

EXPECTED = (
    "None (the network takes pixels in [0, 1]), a dictionary with mean, std, size and interpolation, the transforms() "
    "of torchvision's weights, a data config of timm, an image processor of Hugging Face, or a Compose of Resize, "
    "CenterCrop, ToTensor and Normalize"
)
UNCHANGED = {"mean": 0.0, "std": 1.0}
"""What is done to pixels where no normalisation is stated."""

OWN_KEYS = {"mean", "std", "size", "interpolation", "shorter_side"}
TIMM_KEYS = {"input_size", "crop_pct", "crop_mode"}
HF_KEYS = {"image_mean", "image_std", "do_normalize", "do_resize", "size", "resample", "crop_size", "do_center_crop"}
PASSING = {
    "ToTensor", "PILToTensor", "ToImage", "ToPureTensor", "ConvertImageDtype", "ToDtype", "ToImageTensor",
    "MaybeToTensor", "MaybePILToTensor", "Grayscale", "Identity",
}  # fmt: skip
"""Steps of a Compose that change nothing which is not done here, too."""


def fields_of(preprocess: object, channels: int) -> dict[str, Any]:
    """Return fields of :class:`zspag_core.models.foreign.ForeignConfig` that a preprocessing states.

    Args:
        preprocess: one of the forms of `EXPECTED`.
        channels: 1 or 3; a mean or deviation of one number stands for every channel.

    Raises:
        ValueError: another form, or values that cannot be; "expected …, got …".
    """
    if preprocess is None:
        return _checked(UNCHANGED, channels)
    try:
        return _checked({**UNCHANGED, **_read(preprocess)}, channels)
    except CheckpointError as error:
        raise ValueError(f"preprocess: {error}") from None


def _read(preprocess: object) -> dict[str, Any]:
    """Return what is stated, as it is stated."""
    if isinstance(preprocess, Mapping):
        return _read_mapping(dict(preprocess))
    if all(hasattr(preprocess, name) for name in ("crop_size", "resize_size", "mean", "std")):
        return _read_preset(preprocess)
    if callable(stated := getattr(preprocess, "to_dict", None)):
        return hf_reading(stated())
    steps = getattr(preprocess, "transforms", None)
    if steps is None and isinstance(preprocess, Iterable):  # an nn.Sequential of transforms
        steps = list(preprocess)
    return _read_steps(list(steps) if isinstance(steps, Iterable) else [preprocess])


def _read_mapping(stated: dict[str, Any]) -> dict[str, Any]:
    """Read a dictionary: timm's, Hugging Face's or our own."""
    if stated.keys() & TIMM_KEYS:
        return timm_reading(stated)
    if stated.keys() & (HF_KEYS - OWN_KEYS):
        return hf_reading(stated)
    if unknown := stated.keys() - OWN_KEYS:
        raise ValueError(f"preprocess: expected {', '.join(sorted(OWN_KEYS))}, got {sorted(map(str, unknown))[0]!r}")
    found = {name: value for name, value in stated.items() if name != "size" and value is not None}
    if stated.get("size") is not None:
        found["image_size"] = _side(stated["size"])
    return found


def _read_preset(preset: Any) -> dict[str, Any]:  # noqa: ANN401 - torchvision's ImageClassification
    """Read what torchvision's weights bring with them."""
    return {
        "image_size": _side(preset.crop_size),
        "shorter_side": _side(preset.resize_size),
        "mean": preset.mean,
        "std": preset.std,
        "interpolation": preset.interpolation,
    }


def _read_steps(steps: list[Any]) -> dict[str, Any]:
    """Read the steps of a Compose, which must do the same to an image every time."""
    found: dict[str, Any] = {}
    for step in steps:
        name = type(step).__name__
        if name in STEPS:
            found |= STEPS[name](step, found)
        elif name not in PASSING:
            raise ValueError(f"preprocess: expected {EXPECTED}; got {name}")
    return found


def _resized(step: Any, _found: Mapping[str, Any]) -> dict[str, Any]:  # noqa: ANN401 - torchvision's Resize
    size = step.size
    pair = list(size) if isinstance(size, Iterable) else [size]
    how = {"interpolation": step.interpolation, "image_size": _side(size)}
    return how | {"shorter_side": pair[0] if len(pair) == 1 else 0}


def _cropped(step: Any, found: Mapping[str, Any]) -> dict[str, Any]:  # noqa: ANN401 - torchvision's CenterCrop
    side = _side(step.size)
    return {"image_size": side, "shorter_side": found.get("shorter_side") or found.get("image_size") or side}


def _normalised(step: Any, _found: Mapping[str, Any]) -> dict[str, Any]:  # noqa: ANN401 - torchvision's Normalize
    return {"mean": step.mean, "std": step.std}


STEPS: dict[str, Callable[[Any, Mapping[str, Any]], dict[str, Any]]] = {
    "Resize": _resized,
    "CenterCrop": _cropped,
    "Normalize": _normalised,
}


def _side(size: Any) -> int:  # noqa: ANN401 - a number, a pair or a dictionary
    """Return the side of a square that is given as a number, a list of one or two, or height and width.

    Raises:
        ValueError: it is none.
    """
    if isinstance(size, Mapping):
        size = [size.get("height"), size.get("width")]
    parts = list(size) if isinstance(size, Iterable) and not isinstance(size, str) else [size]
    sides = {part for part in parts[-2:] if isinstance(part, int) and not isinstance(part, bool)}
    if len(parts) not in {1, 2, 3} or len(sides) != 1:
        raise ValueError(f"preprocess: expected the side of a square in pixels as size, got {size!r}")
    return int(sides.pop())


def _checked(stated: Mapping[str, Any], channels: int) -> dict[str, Any]:
    """Return the fields in the types of a config.

    Raises:
        ValueError: not one positive deviation and one mean of pixels in [0, 1] for every channel.
    """
    fields = {name: value for name, value in stated.items() if name != "channels"}  # the network shows its own
    for name in ("mean", "std"):
        if name in fields:
            fields[name] = _per_channel(name, fields[name], channels)
    if any(value <= 0 for value in fields.get("std", ())):
        raise ValueError(f"preprocess: expected positive numbers as std, got {fields['std']}")
    if any(abs(value) > 2 for value in fields.get("mean", ())):
        raise ValueError(f"preprocess: expected the mean of pixels in [0, 1], got {fields['mean']}; divide by 255")
    if "interpolation" in fields:
        word = fields["interpolation"]
        fields["interpolation"] = str(getattr(word, "value", word)).lower()
    return fields


def _per_channel(name: str, values: Any, channels: int) -> tuple[float, ...]:  # noqa: ANN401 - numbers in any form
    """Return one number for every channel."""
    values = values.tolist() if hasattr(values, "tolist") else values
    listed = list(values) if isinstance(values, Iterable) and not isinstance(values, str) else [values]
    listed = [part[0] if isinstance(part, list) and len(part) == 1 else part for part in listed]
    if len(listed) == 1:
        listed *= channels
    if len(listed) != channels or not all(isinstance(part, int | float) for part in listed):
        raise ValueError(f"preprocess: expected {channels} numbers as {name}, one a channel, got {values!r}")
    return tuple(float(part) for part in listed)
