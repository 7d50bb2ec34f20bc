from __future__ import annotations

import base64
import io

import numpy as np
import pytest
from PIL import Image

from ui.figures.pictures import colour_of, data_url, from_data_url, noise_of, overlay, sheet, to_picture


def read(url):
    kind, _, text = url.partition(";base64,")
    assert kind in {"data:image/png", "data:image/webp"}
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(text))))


def test_small_images_are_enlarged_in_whole_pixels():
    image = np.array([[[0, 255], [128, 64]]], np.uint8)
    pixels = read(data_url(image, 5))
    assert pixels.shape == (6, 6)
    assert (pixels[:3, :3] == 0).all()
    assert (pixels[:3, 3:] == 255).all()
    assert (pixels[3:, :3] == 128).all()


def test_large_images_stay_as_they_are():
    assert read(data_url(np.zeros((3, 120, 100), np.uint8))).shape == (120, 100, 3)


def test_floats_and_levels_give_the_same_picture():
    levels = np.random.default_rng(0).integers(0, 256, (3, 4, 4)).astype(np.uint8)
    floats = (levels / 255).astype(np.float16)
    assert np.abs(np.asarray(to_picture(floats)).astype(int) - np.asarray(to_picture(levels))).max() <= 1


def test_colours_keep_their_channels():
    red = np.zeros((3, 2, 2), np.uint8)
    red[0] = 255
    assert np.asarray(to_picture(red))[0, 0].tolist() == [255, 0, 0]


@pytest.mark.parametrize("channels", [1, 3])
def test_pictures_are_read_back_as_they_were(channels):
    image = np.random.default_rng(0).integers(0, 256, (channels, 5, 7)).astype(np.uint8)
    assert (from_data_url(data_url(image, 1)) == image).all()


def test_other_numbers_of_channels_are_refused():
    with pytest.raises(ValueError, match=r"expected \(1 or 3, H, W\)"):
        to_picture(np.zeros((2, 4, 4), np.uint8))


def test_noise_is_centred_on_grey_and_as_strong_as_it_can_be():
    originals = np.full((2, 1, 2, 2), 51, np.uint8)  # 0.2
    proxies = np.full((2, 1, 2, 2), 0.2, np.float32)
    proxies[0, 0, 0, 0], proxies[1, 0, 0, 0] = 0.3, 0.15
    noise, factor = noise_of(proxies, originals)
    assert factor == pytest.approx(5)
    assert noise[0, 0, 0, 0] == pytest.approx(1)
    assert noise[1, 0, 0, 0] == pytest.approx(0.25)
    assert noise[1, 0, 1, 1] == pytest.approx(0.5)


def test_no_noise_is_grey():
    noise, factor = noise_of(np.zeros((1, 1, 2, 2), np.float16), np.zeros((1, 1, 2, 2), np.uint8))
    assert (noise == 0.5).all()
    assert factor == 1
    assert noise_of(np.zeros((0, 1, 2, 2), np.float16), np.zeros((0, 1, 2, 2), np.uint8))[0].shape == (0, 1, 2, 2)


def test_sheet_holds_every_image_in_its_cell():
    images = np.zeros((5, 3, 4, 4), np.uint8)
    for number in range(5):
        images[number] = 50 * number
    pixels = read(sheet(images, columns=3)).astype(int)
    assert pixels.shape == (8, 12, 3)
    for number in range(5):
        row, column = divmod(number, 3)
        cell = pixels[4 * row : 4 * row + 4, 4 * column : 4 * column + 4]
        assert np.abs(cell - 50 * number).max() < 12, number


def test_colours_are_read_off_a_scale():
    colours = colour_of(np.array([-1.0, 0.0, 1.0, 2.0, 9.0]), ("#000000", "#FF0000", "#FFFFFF"), 0, 4)
    assert colours.tolist() == [[0, 0, 0], [0, 0, 0], [127.5, 0, 0], [255, 0, 0], [255, 255, 255]]


def test_scale_without_length_gives_its_first_colour():
    assert colour_of(np.ones((2, 2)), ("#000000", "#FFFFFF"), 0, 0).max() == 0


def test_map_is_stretched_over_the_picture_and_the_same_value_has_the_same_colour():
    black = np.zeros((1, 8, 8), np.uint8)
    strong, weak = np.array([[0.0, 0.0], [0.0, 2.0]]), np.array([[0.0, 0.0], [0.0, 1.0]])
    first, second = (read(overlay(black, part, ("#000000", "#FFFFFF"), 0, 2)) for part in (strong, weak))
    assert first.shape == second.shape == (96, 96, 3)
    assert first[-1, -1, 0] == pytest.approx(255 * 0.65, abs=2)
    assert second[-1, -1, 0] == pytest.approx(255 * 0.65 / 2, abs=2)
    assert first[0, 0, 0] == 0
