from __future__ import annotations

import tracemalloc

import numpy as np
import pytest

from zspag_core.data.floats import to_bytes
from zspag_core.errors import DataError

EVERY_BYTE = np.arange(256, dtype=np.uint8).reshape(1, 16, 16, 1)
WANTED = "; expected uint8, or floats that are all in 0 to 1 or all whole in 0 to 255.$"


def images(*values):
    """Return 200 images of 2 x 2 pixels: black, save the first pixels of the last image."""
    pixels = np.zeros((200, 2, 2), np.float32)
    pixels[-1].flat[: len(values)] = values
    return pixels


@pytest.mark.parametrize("dtype", ["f2", "f4", "f8", ">f4"])
@pytest.mark.parametrize("scale", [1, 255])
def test_every_byte_comes_back(dtype, scale):
    pixels = to_bytes("x", (EVERY_BYTE / scale).astype(dtype))
    assert pixels.dtype == np.uint8
    assert np.array_equal(pixels, EVERY_BYTE)


def test_shades_between_two_bytes_are_rounded():
    pixels = to_bytes("x", images(0.4 / 255, 0.6 / 255, 1.0, 0.5))
    assert pixels.shape == (200, 2, 2, 1)
    assert pixels[-1].ravel().tolist() == [0, 1, 255, 128]
    assert not pixels[:-1].any()


def test_ones_are_white():
    assert to_bytes("x", np.ones((1, 2, 2, 3))).tolist() == [[[[255] * 3] * 2] * 2]


def test_other_dtypes_are_left_alone():
    for dtype in (np.uint8, np.int64, bool):
        given = np.ones((2, 3), dtype)
        assert to_bytes("x", given) is given


@pytest.mark.parametrize(
    ("values", "found"),
    [
        ([np.nan, 0.5], "with values that are not finite"),
        ([np.inf], "with values that are not finite"),
        ([-np.inf, 200], "with values that are not finite"),
        ([-1, 1], "from -1.0 to 1.0"),
        ([-0.25, 0.5], "from -0.25 to 0.5"),
        ([256], "from 0.0 to 256.0"),
        ([254.5, 3], "from 0.0 to 254.5 with fractions"),
        ([200, 0.5], "from 0.0 to 200.0 with fractions"),
        ([1.0000001], "from 0.0 to 1.0000001 with fractions"),
    ],
)
def test_what_is_no_pixel_is_refused(values, found):
    with pytest.raises(DataError, match=f"^train_x of mine.npz is float32 {found}{WANTED}"):
        to_bytes("train_x of mine.npz", images(*values))


def test_extremes_are_finite():
    with pytest.raises(DataError, match=r"from -1e\+308 to 1e\+308"):
        to_bytes("x", np.resize([1e308, -1e308], (1, 2, 2)))


@pytest.mark.parametrize("shape", [(), (3,), (2, 64), (0, 8, 8), (2, 8, 8, 4), (1, 2, 8, 8, 3)])
def test_wrong_shapes_are_refused_before_any_value_is_read(shape):
    with pytest.raises(DataError, match=r"x has shape \(.*\); expected \(N, H, W\)"):
        to_bytes("x", np.zeros(shape))


@pytest.mark.parametrize("white", [1.0, 255.0])
def test_no_second_copy_in_floats_is_made(white):
    given = np.full((20_000, 16, 16), white)
    tracemalloc.start()
    to_bytes("x", given)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < given.nbytes / 3
