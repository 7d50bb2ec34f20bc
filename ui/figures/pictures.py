"""Arrays as pictures that a browser shows, made without torch."""

from __future__ import annotations

import base64
import io
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    Array = NDArray[Any]

VISIBLE_PIXELS = 96
SHEET_COLUMNS = 50
BLEND = 0.65


def data_url(image: Array, pixels: int = VISIBLE_PIXELS) -> str:
    """Return an image as the data URL of a PNG, its pixels enlarged so that small images can be seen.

    Args:
        image: (C, H, W) or (H, W); uint8, or float in [0, 1].
        pixels: least length of the longer side; larger images stay as they are.
    """
    picture = to_picture(image)
    factor = -(-pixels // max(picture.size))
    if factor > 1:
        size = (picture.width * factor, picture.height * factor)
        picture = picture.resize(size, Image.Resampling.NEAREST)
    return _encode(picture)


def from_data_url(url: str) -> NDArray[np.uint8]:
    """Return the picture of a data URL as an image (C, H, W) of one or three channels."""
    picture = Image.open(io.BytesIO(base64.b64decode(url.partition(",")[2])))
    pixels = np.asarray(picture if picture.mode == "L" else picture.convert("RGB"))
    return pixels[None] if pixels.ndim == 2 else pixels.transpose(2, 0, 1)


def to_picture(image: Array) -> Image.Image:
    """Return an image as PIL holds it: grey for one channel, RGB for three.

    Args:
        image: (C, H, W) or (H, W); uint8, or float in [0, 1].

    Raises:
        ValueError: it has neither one nor three channels.
    """
    levels = to_levels(image)
    if levels.ndim == 2:
        levels = levels[None]
    if levels.ndim != 3 or len(levels) not in {1, 3}:
        raise ValueError(f"image: expected (1 or 3, H, W) or (H, W), got {image.shape}")
    pixels = levels[0] if len(levels) == 1 else levels.transpose(1, 2, 0)
    return Image.fromarray(np.ascontiguousarray(pixels))


def to_levels(image: Array) -> NDArray[np.uint8]:
    """Return an image in grey levels from 0 to 255, whether it was in levels or in [0, 1]."""
    if image.dtype == np.uint8:
        return image
    return (image.astype(np.float32).clip(0, 1) * 255).round().astype(np.uint8)


def noise_of(proxies: Array, originals: Array) -> tuple[Array, float]:
    """Return what an attack added, amplified by one factor for all and centred on grey.

    Args:
        proxies: (N, C, H, W) float in [0, 1].
        originals: (N, C, H, W) uint8.

    Returns:
        The amplified noise (N, C, H, W) in [0, 1], where 0.5 is no change; and the factor, as large as it can be
        without clipping.
    """
    noise = proxies.astype(np.float32) - originals.astype(np.float32) / 255
    largest = float(np.abs(noise).max(initial=0.0))
    factor = 0.5 / largest if largest > 0 else 1.0
    return 0.5 + factor * noise, factor


def sheet(images: Array, columns: int = SHEET_COLUMNS) -> str:
    """Return many images of one size side by side, row by row, as the data URL of one WebP picture.

    Args:
        images: (N, C, H, W); uint8, or float in [0, 1].
        columns: images in a row.
    """
    count, channels, height, width = images.shape
    rows = max(1, -(-count // columns))
    cells = np.zeros((rows * columns, channels, height, width), np.uint8)
    cells[:count] = to_levels(images)
    grid = cells.reshape(rows, columns, channels, height, width).transpose(2, 0, 3, 1, 4)
    picture = to_picture(grid.reshape(channels, rows * height, columns * width))
    return _encode(picture, "WEBP", quality=80, method=0)


def overlay(image: Array, values: Array, colours: Sequence[str], low: float, high: float, blend: float = BLEND) -> str:
    """Return a map laid over the grey picture that it belongs to, as the data URL of a PNG.

    Args:
        image: (C, H, W); uint8, or float in [0, 1].
        values: (h, w) the map, stretched over the picture.
        colours: "#rrggbb" from the low to the high end, evenly spaced.
        low: value that gets the first colour.
        high: value that gets the last colour.
        blend: share of the colour, the rest is the picture.
    """
    grey = to_picture(image).convert("L")
    side = max(VISIBLE_PIXELS, *grey.size)
    size = (side * grey.width // max(grey.size), side * grey.height // max(grey.size))
    stretched = Image.fromarray(values.astype(np.float32)).resize(size, Image.Resampling.BILINEAR)
    paint = colour_of(np.asarray(stretched), colours, low, high)
    under = np.asarray(grey.resize(size, Image.Resampling.NEAREST), np.float32)[..., None]
    mixed = blend * paint + (1 - blend) * under
    return _encode(Image.fromarray(mixed.round().astype(np.uint8)))


def colour_of(values: Array, colours: Sequence[str], low: float, high: float) -> NDArray[np.float32]:
    """Return the colour (..., 3), from 0 to 255, of every value (...) on a scale; what lies outside gets its end."""
    stops = np.array([[int(colour[i : i + 2], 16) for i in (1, 3, 5)] for colour in colours], np.float32)
    span = high - low
    place = (values - low) / span if span > 0 else np.zeros_like(values)
    place = np.clip(place, 0, 1) * (len(stops) - 1)
    grid = np.arange(len(stops))
    return np.stack([np.interp(place, grid, stops[:, part]) for part in range(3)], axis=-1).astype(np.float32)


def _encode(picture: Image.Image, form: str = "PNG", **settings: int) -> str:
    """Return a picture as a data URL."""
    buffer = io.BytesIO()
    picture.save(buffer, format=form, **settings)
    return f"data:image/{form.lower()};base64," + base64.b64encode(buffer.getvalue()).decode()
