from __future__ import annotations

import io
import struct
import zlib

import numpy as np
import pytest
import torch
from PIL import Image

from zspag_core.data import decode
from zspag_core.data.decode import fit
from zspag_core.errors import DataError


def decode_one(content, image_size=8, channels=3):
    return decode.decode([("picture.png", lambda: content)], image_size, channels)[0]


def encoded(image, form="PNG", **options):
    buffer = io.BytesIO()
    image.save(buffer, form, **options)
    return buffer.getvalue()


@pytest.fixture
def colour():
    generator = np.random.default_rng(0)
    return generator.integers(0, 256, (20, 12, 3), dtype=np.uint8)


def test_pixels_of_the_right_size_are_unchanged(colour, png):
    square = colour[:12]
    assert np.array_equal(decode_one(png(square), 12).permute(1, 2, 0), square)


def test_order_is_kept_over_many_batches(png):
    shades = [value % 256 for value in range(200)]
    files = [(str(shade), lambda shade=shade: png(np.full((4, 4), shade, np.uint8))) for shade in shades]
    assert decode.decode(files, 4, 1)[:, 0, 0, 0].tolist() == shades


@pytest.mark.parametrize("channels", [1, 3])
def test_fit_agrees_with_pillow(colour, png, channels):
    raw = torch.from_numpy(colour).permute(2, 0, 1)[None]
    difference = fit(raw, 8, channels)[0].int() - decode_one(png(colour), 8, channels).int()
    assert difference.abs().max() <= 2


def test_shrinking_is_antialiased():
    stripes = torch.zeros(1, 1, 32, 32, dtype=torch.uint8)
    stripes[..., ::2] = 255
    assert fit(stripes, 8, 1).float().sub(127.5).abs().max() < 20


def test_fit_over_more_images_than_one_chunk(monkeypatch):
    monkeypatch.setattr(decode, "_CHUNK", 3)
    images = torch.arange(8, dtype=torch.uint8).view(8, 1, 1, 1).expand(8, 1, 4, 4)
    assert torch.equal(fit(images, 2, 3), images[..., :2, :2].expand(8, 3, 2, 2))


def test_grey_becomes_luma():
    red = torch.tensor([255, 0, 0], dtype=torch.uint8).view(1, 3, 1, 1)
    assert fit(red, 1, 1).item() == 76  # 0.299 x 255


def test_grey_is_repeated(png):
    pixels = decode_one(png(np.full((8, 8), 77, np.uint8)))
    assert pixels.shape == (3, 8, 8)
    assert pixels.unique().tolist() == [77]


def test_sixteen_bits_keep_their_upper_half(png):
    assert decode_one(png(np.full((8, 8), 0x8001, np.uint16))).unique().tolist() == [0x80]


@pytest.mark.parametrize("mode", ["1", "L", "P", "RGBA", "LA", "CMYK"])
def test_every_mode_is_decoded(mode):
    form = "TIFF" if mode == "CMYK" else "PNG"
    white = Image.new("RGB", (8, 8), "white").convert(mode)
    assert decode_one(encoded(white, form)).unique().tolist() == [255]


def test_palette_with_transparency_gives_no_warning():
    image = Image.new("P", (8, 8))
    assert decode_one(encoded(image, transparency=bytes(range(256)))).shape == (3, 8, 8)


def test_camera_orientation_is_left_alone_as_in_image_folder():
    image = Image.new("RGB", (8, 8), "black")
    image.paste("white", (0, 0, 8, 4))  # the upper half
    exif = Image.Exif()
    exif[0x0112] = 3  # upside down
    pixels = decode_one(encoded(image, exif=exif))
    assert pixels[:, :4].min() == 255
    assert pixels[:, 4:].max() == 0


@pytest.mark.parametrize("damage", [b"", b"no picture", "half"])
def test_unreadable_image_is_named(damage, colour, png):
    content = png(colour)
    content = content[: len(content) // 2] if damage == "half" else damage
    with pytest.raises(DataError, match=r"picture\.png is not an image that can be read"):
        decode_one(content)


def test_file_that_cannot_be_opened_is_named(tmp_path):
    with pytest.raises(DataError, match=r"gone\.png is not an image"):
        decode.decode([("gone.png", (tmp_path / "gone.png").read_bytes)], 8, 3)


@pytest.mark.parametrize("side", [7_100, 11_000, 60_000])
def test_decompression_bomb_is_refused_by_its_header(side):
    """Over our limit, over Pillow's warning, over Pillow's error."""
    header = struct.pack(">IIBBBBB", side, side, 8, 0, 0, 0, 0)
    chunk = b"IHDR" + header
    content = b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + chunk + struct.pack(">I", zlib.crc32(chunk))
    content += struct.pack(">I", 0) + b"IDAT" + struct.pack(">I", zlib.crc32(b"IDAT"))
    with pytest.raises(DataError, match=r"picture\.png is too large to decode; expected at most 50 million pixels"):
        decode_one(content)
