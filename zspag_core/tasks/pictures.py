"""Images and maps as texts that a browser or a database takes."""

from __future__ import annotations

import base64
import io
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import Tensor

THUMBNAIL_PIXELS = 48
DIGITS = 4


def to_data_url(image: Tensor, longest: int = THUMBNAIL_PIXELS) -> str:
    """Return a uint8 image (C, H, W) as the data URL of a PNG with at most `longest` pixels a side."""
    from PIL import Image

    picture = Image.fromarray(image.permute(1, 2, 0).squeeze(-1).numpy())
    if max(picture.size) > longest:
        picture.thumbnail((longest, longest))
    buffer = io.BytesIO()
    picture.save(buffer, format="PNG")
    return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode()


def rounded(values: Tensor) -> Any:  # noqa: ANN401 - lists as deep as the tensor
    """Return a float tensor as nested lists with four significant digits, which make a short text."""
    return _round(values.tolist())


def _round(values: Any) -> Any:  # noqa: ANN401
    """Round a number, or all numbers of nested lists."""
    return [_round(part) for part in values] if isinstance(values, list) else float(f"{values:.{DIGITS}g}")
