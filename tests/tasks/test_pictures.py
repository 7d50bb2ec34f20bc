from __future__ import annotations

import base64
import io

import torch
from PIL import Image

from zspag_core.tasks.pictures import rounded, to_data_url


def read(url):
    head, _, body = url.partition(",")
    assert head == "data:image/png;base64"
    return Image.open(io.BytesIO(base64.b64decode(body)))


def test_small_images_are_kept_pixel_by_pixel():
    image = torch.arange(27, dtype=torch.uint8).reshape(3, 3, 3)
    picture = read(to_data_url(image))
    assert picture.getpixel((1, 2)) == tuple(image[:, 2, 1].tolist())
    grey = read(to_data_url(image[:1]))
    assert (grey.mode, grey.getpixel((2, 0))) == ("L", 2)


def test_large_images_shrink_to_the_side_asked_for():
    image = torch.zeros(1, 100, 200, dtype=torch.uint8)
    assert read(to_data_url(image)).size == (48, 24)
    assert read(to_data_url(image, longest=300)).size == (200, 100)


def test_numbers_keep_four_significant_digits():
    assert rounded(torch.tensor([[0.123456, 1234567.0], [0.0, -1e-9]])) == [[0.1235, 1235000.0], [0.0, -1e-9]]
    assert rounded(torch.tensor(2.0)) == 2.0
