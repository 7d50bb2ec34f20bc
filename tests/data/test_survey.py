from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from zspag_core.data.decode import decode
from zspag_core.data.survey import HEAD, Survey, eight_bits, head_of, survey
from zspag_core.errors import DataError

SHADES = np.arange(64, dtype=np.uint8).reshape(8, 8) * 4


def encoded(image, form="PNG", **options):
    buffer = io.BytesIO()
    image.save(buffer, form, **options)
    return buffer.getvalue()


def pixels_of(*contents, size=8, channels=1):
    items = [(f"{k}.png", lambda content=content: content) for k, content in enumerate(contents)]
    (surveyed,), notes = survey("mine", [items])
    return decode(surveyed, size, channels)[:, 0].numpy(), notes


def wide(values, form):
    return encoded(Image.fromarray(values), form)


@pytest.mark.parametrize(
    ("values", "form", "white"),
    [
        (SHADES.astype(np.uint16) * 257, "PNG", 65535),
        (SHADES.astype(np.uint16) * 257, "TIFF", 65535),
        (SHADES.astype(np.uint16) * 16, "PNG", 4095),
        (SHADES.astype(np.uint16) * 4, "PNG", 1023),
        (SHADES.astype(np.uint16), "PNG", 255),
        (SHADES.astype(np.int32) * 257, "TIFF", 65535),
        (SHADES.astype(np.float32) / 255, "TIFF", 1),
        (SHADES.astype(np.float32) + 0.25, "TIFF", 255),
        (SHADES.astype(np.float32) / 127.5 - 1, "TIFF", 1),
    ],
)
def test_more_than_eight_bits_are_scaled_by_the_range_of_the_set(values, form, white):
    pixels, notes = pixels_of(wide(values, form))
    assert np.abs(pixels[0].astype(int) - SHADES).max() <= 1
    assert len(notes) == 1
    assert notes[0].startswith("1 images of mine have more than 8 bits a pixel, values ")
    assert notes[0].endswith(f"{white} is white")


def test_a_range_of_its_own_goes_from_black_to_white():
    pixels, notes = pixels_of(wide((SHADES.astype(np.float32) - 100) * 3, "TIFF"))
    assert (pixels.min(), pixels.max()) == (0, 255)
    assert "-300 is black and 456 is white" in notes[0]


def test_one_range_serves_all_groups():
    bright, dark = (wide(SHADES.astype(np.uint16) * factor, "PNG") for factor in (16, 1))
    groups = [[("a", lambda: bright)], [("b", lambda: dark)]]
    surveyed, notes = survey("mine", groups)
    assert decode(surveyed[1], 8, 1).max() == 16
    assert "2 images of mine" in notes[0]


def test_values_that_are_not_finite_do_not_spoil_the_range():
    values = SHADES.astype(np.float32) / 255
    values[0, 0], values[0, 1] = np.nan, np.inf
    pixels, _ = pixels_of(wide(values, "TIFF"))
    assert pixels[0, 0, :2].tolist() == [0, 255]
    assert np.abs(pixels[0, 1:].astype(int) - SHADES[1:]).max() <= 1


def turned(form, orientation=6):
    exif = Image.Exif()
    exif[0x0112] = orientation
    return encoded(Image.fromarray(np.stack([SHADES] * 3, -1)), form, exif=exif)


def test_photos_that_a_camera_says_to_turn_are_counted():
    contents = [
        turned("JPEG"),
        turned("PNG", 3),
        turned("WEBP", 8),
        turned("JPEG", 1),
        encoded(Image.fromarray(SHADES)),
    ]
    _, notes = pixels_of(*contents)
    assert notes == [
        "3 photos of mine carry a camera's orientation (EXIF): as in torchvision's ImageFolder they are not turned"
    ]


@pytest.mark.parametrize("mode", ["1", "L", "P", "RGB", "RGBA", "LA", "CMYK"])
def test_eight_bits_are_left_alone(mode):
    image = Image.fromarray(np.stack([SHADES] * 3, -1)).convert(mode)
    content = encoded(image, "TIFF" if mode == "CMYK" else "PNG")
    (((_, read),),), notes = survey("mine", [[("x", lambda: content)]])
    assert read() == content
    assert notes == []


@pytest.mark.parametrize("content", [b"", b"no picture", encoded(Image.fromarray(SHADES.astype(np.uint16)))[:60]])
def test_what_cannot_be_read_is_left_for_decoding_to_name(content):
    items, notes = survey("mine", [[("x.png", lambda: content)]])
    assert notes == []
    with pytest.raises(DataError, match=r"x\.png is not an image"):
        decode(items[0], 8, 1)


def test_of_most_files_only_the_beginning_is_read():
    class File:
        def __call__(self):
            raise AssertionError("read as a whole")

        def head(self, count):
            return encoded(Image.fromarray(SHADES), "JPEG")[:count]

    assert len(head_of(File(), 5)) == 5
    assert Survey().look([("x", File())]) == [False]
    assert head_of(lambda: b"x" * 9999) == b"x" * HEAD


def test_a_file_that_has_changed_to_eight_bits_is_returned_as_it_is():
    content = encoded(Image.fromarray(SHADES))
    assert eight_bits(lambda: content, Survey(low=0, high=1).levels()) == content
