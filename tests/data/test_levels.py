from __future__ import annotations

import tracemalloc

import numpy as np
import pytest

from zspag_core.data.levels import Levels, levels_of_fractions, levels_of_whole

EVERY_BYTE = np.arange(256, dtype=np.uint8).reshape(16, 16)


@pytest.mark.parametrize("dtype", ["f2", "f4", "f8", ">f4"])
@pytest.mark.parametrize(
    ("scale", "levels"),
    [
        (lambda x: x / 255, Levels(0, 1)),
        (lambda x: x, Levels(0, 255)),
        (lambda x: x / 127.5 - 1, Levels(-1, 1)),
    ],
)
def test_every_byte_comes_back(dtype, scale, levels):
    pixels = levels.apply(scale(EVERY_BYTE.astype("f8")).astype(dtype))
    assert pixels.dtype == np.uint8
    assert np.array_equal(pixels, EVERY_BYTE)


@pytest.mark.parametrize("factor", [1, 257])
@pytest.mark.parametrize("dtype", ["u2", "i4", "i8"])
def test_every_byte_comes_back_from_whole_numbers(factor, dtype):
    assert np.array_equal(Levels(0, 255 * factor).apply(EVERY_BYTE.astype(dtype) * factor), EVERY_BYTE)


def test_what_lies_outside_is_cut_off():
    assert Levels(0, 1).apply(np.array([-0.01, 0.4 / 255, 0.6 / 255, 1.01])).tolist() == [0, 0, 1, 255]


def test_a_single_value_is_black():
    assert Levels(7, 7).apply(np.full((2, 2), 7.0)).tolist() == [[0, 0], [0, 0]]


def test_no_second_copy_in_floats_is_made():
    given = np.full((20_000, 16, 16), 0.5)
    tracemalloc.start()
    Levels(0, 1).apply(given)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < given.nbytes / 3


@pytest.mark.parametrize(
    ("low", "high", "levels"),
    [
        (0, 1, (0, 1)),
        (0, 255, (0, 255)),
        (3, 200, (0, 255)),
        (0, 256, (0, 1023)),
        (0, 4080, (0, 4095)),
        (0, 16383, (0, 16383)),
        (0, 65535, (0, 65535)),
        (100, 70_000, (100, 70_000)),
        (-5, 10, (-5, 10)),
    ],
)
def test_whole_numbers_have_the_fewest_bits_that_hold_them(low, high, levels):
    assert levels_of_whole(low, high) == Levels(*levels)


@pytest.mark.parametrize(
    ("low", "high", "levels"),
    [
        (0, 1, (0, 1)),
        (0.2, 0.3, (0, 1)),
        (-0.005, 1.005, (0, 1)),
        (-1, 1, (-1, 1)),
        (-0.2, 0.9, (-1, 1)),
        (-0.25, 0.5, None),
        (0, 254.5, (0, 255)),
        (0, 255, (0, 255)),
        (0, 16.5, None),
        (0, 256, None),
        (-2.1, 2.6, None),
    ],
)
def test_fractions_lie_in_one_of_the_usual_ranges(low, high, levels):
    assert levels_of_fractions(low, high) == (levels and Levels(*levels))


def test_levels_say_themselves():
    assert str(Levels(0, 4095)) == "0 is black and 4095 is white"
