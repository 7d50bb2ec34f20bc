"""What rebuilds a network that is not ours: where its class comes from, and how its input is prepared."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from zspag_core.data.resizing import INTERPOLATIONS, Resizing, Size
from zspag_core.errors import UsageError
from zspag_core.models.base import ModelConfig

KINDS = ("torchvision", "timm", "hf", "python", "module")
"""What may stand before the colon of a source; "module" is a network that Python code handed over."""


@dataclass(frozen=True, kw_only=True)
class ForeignConfig(ModelConfig):
    """A network of another library or of the owner's own code.

    Attributes:
        source: "torchvision:NAME", "timm:NAME", "hf:MODEL_TYPE", "python:FILE.py:CALLABLE" or "module:CLASS".
        arguments: what the library's builder is given beside the number of classes, as plain JSON values.
        changes: what was built otherwise than the library does it, so that the weights fit (see
            :mod:`zspag_core.models.foreign.surgery`), as plain JSON values.
        shorter_side: images are resized so that the shorter side has so many pixels, and the middle is cut out; 0
            stretches them to the square.
        interpolation: how they are resized.
    """

    source: str = ""
    arguments: dict[str, Any] = field(default_factory=dict)
    changes: dict[str, Any] = field(default_factory=dict)
    shorter_side: int = 0
    interpolation: str = "bilinear"

    def __post_init__(self) -> None:
        """Check the source and the way of resizing."""
        super().__post_init__()
        parse_source(self.source)
        if self.interpolation not in INTERPOLATIONS:
            raise ValueError(f"interpolation: expected one of {', '.join(INTERPOLATIONS)}, got {self.interpolation!r}")
        if self.shorter_side and not self.image_size <= self.shorter_side <= 4096:
            raise ValueError(f"shorter_side: expected 0 or {self.image_size} to 4096 pixels, got {self.shorter_side}")

    @property
    def size(self) -> Size:
        """How an image becomes the input, as the owner does it."""
        return Resizing(self.image_size, self.shorter_side or None, self.interpolation)

    @property
    def source_name(self) -> str:
        """Return the source."""
        return self.source

    @property
    def kind(self) -> str:
        """Return what stands before the colon of the source."""
        return parse_source(self.source)[0]


def parse_source(source: str) -> tuple[str, str]:
    """Return kind and name of a source such as "timm:resnet18d".

    Raises:
        UsageError: it has another form.
    """
    kind, colon, name = source.partition(":")
    if kind not in KINDS or not colon or not name:
        raise UsageError(
            "model: expected torchvision:NAME, timm:NAME, hf:FOLDER or python:FILE.py:CALLABLE, such as "
            f"timm:resnet18d, got {source!r}"
        )
    return kind, name
