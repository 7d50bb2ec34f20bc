from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image
from torchvision.transforms import InterpolationMode
from torchvision.transforms import functional as theirs

from zspag_core.data.resizing import Resizing, resize_picture, resize_pixels

SHAPES = ((40, 30), (30, 41), (16, 16), (9, 23))
MODES = {
    "bilinear": InterpolationMode.BILINEAR,
    "bicubic": InterpolationMode.BICUBIC,
    "nearest": InterpolationMode.NEAREST,
}


def noise(height: int, width: int, channels: int = 3) -> torch.Tensor:
    generator = torch.Generator().manual_seed(height * width)
    return torch.randint(256, (channels, height, width), dtype=torch.uint8, generator=generator)


def as_picture(pixels: torch.Tensor) -> Image.Image:
    return Image.fromarray(pixels.permute(1, 2, 0).squeeze(-1).numpy())


def as_pixels(picture: Image.Image) -> torch.Tensor:
    return torch.from_numpy(np.array(picture)).reshape(*picture.size[::-1], -1).permute(2, 0, 1)


def assert_within_a_level(found: torch.Tensor, wanted: torch.Tensor) -> None:
    """Weights in whole numbers are not quite those in floats."""
    assert found.shape == wanted.shape
    assert (found.int() - wanted.int()).abs().max() <= 1


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("shorter_side", [None, 20])
def test_pixels_are_what_torchvision_makes_of_them(shape, mode, shorter_side):
    size = shorter_side or [16, 16]
    if mode == "nearest":
        wanted = theirs.resize(noise(*shape), size, MODES[mode])
    else:  # of tensors it computes in floats and rounds once; Pillow and torch round after each direction
        wanted = as_pixels(theirs.resize(as_picture(noise(*shape)), size, MODES[mode]))
    found = resize_pixels(noise(*shape)[None], Resizing(16, shorter_side, mode))[0]
    assert_within_a_level(found, theirs.center_crop(wanted, [16, 16]))


@pytest.mark.slow
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("shorter_side", [None, 20])
def test_pictures_are_what_torchvision_makes_of_them(shape, mode, shorter_side, channels):
    picture = as_picture(noise(*shape, channels))
    wanted = theirs.center_crop(theirs.resize(picture, shorter_side or [16, 16], MODES[mode]), [16, 16])
    found = resize_picture(picture, Resizing(16, shorter_side, mode))
    assert found.size == (16, 16)
    assert torch.equal(as_pixels(found), as_pixels(wanted))


@pytest.mark.parametrize("channels", [1, 3])
def test_without_antialias_a_picture_is_treated_as_pixels_are(channels):
    pixels, how = noise(40, 30, channels), Resizing(16, 20, "bilinear", antialias=False)
    wanted = theirs.center_crop(theirs.resize(pixels, 20, MODES["bilinear"], antialias=False), [16, 16])
    assert_within_a_level(as_pixels(resize_picture(as_picture(pixels), how)), wanted)


def test_a_side_alone_stretches():
    assert torch.equal(resize_pixels(noise(40, 30)[None], 16), resize_pixels(noise(40, 30)[None], Resizing(16)))
    assert torch.equal(resize_pixels(noise(16, 16)[None], 16)[0], noise(16, 16))


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"image_size": 0}, "image_size: expected at least 1 pixel, got 0"),
        ({"image_size": 32, "shorter_side": 31}, "shorter_side: expected at least 32 pixels, got 31"),
        ({"image_size": 32, "interpolation": "lanczos"}, "expected one of bilinear, bicubic, nearest, got 'lanczos'"),
    ],
)
def test_what_cannot_be_done_is_refused(fields, message):
    with pytest.raises(ValueError, match=message):
        Resizing(**fields)
