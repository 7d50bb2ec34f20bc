from __future__ import annotations

import numpy as np
import pytest
import torch

from zspag_core.data.augment import crop_and_flip, cut_out


def images_of(count: int, dtype: torch.dtype = torch.uint8) -> torch.Tensor:
    generator = torch.Generator().manual_seed(1)
    return torch.randint(1, 256, (count, 2, 5, 7), generator=generator).to(dtype)


def shifted(image: torch.Tensor, down: int, right: int, mirrored: bool) -> torch.Tensor:
    """Move one image (C, H, W) pixel by pixel; what comes from outside is black."""
    _, height, width = image.shape
    out = torch.zeros_like(image)
    for i in range(height):
        for j in range(width):
            row, column = i + down, (width - 1 - j if mirrored else j) + right
            if 0 <= row < height and 0 <= column < width:
                out[:, i, j] = image[:, row, column]
    return out


@pytest.mark.parametrize(("padding", "flip"), [(2, True), (2, False), (0, True), (1, True)])
def test_every_image_is_one_of_the_possible_shifts_and_all_of_them_occur(padding, flip):
    images = images_of(1).expand(300, -1, -1, -1)
    moved = crop_and_flip(images, padding=padding, flip=flip, generator=torch.Generator().manual_seed(0))
    span = range(-padding, padding + 1)
    allowed = torch.stack([shifted(images[0], d, r, m) for d in span for r in span for m in {False, flip}])
    matches = (moved[:, None] == allowed[None]).flatten(2).all(2)
    assert bool(matches.any(1).all())
    assert bool(matches.any(0).all())
    share = matches.float().mean(0)
    assert float(share.max()) < 2.5 * float(share.mean())


def test_beyond_the_edge_an_image_may_be_reflected():
    images = images_of(40, torch.float32)
    moved = crop_and_flip(images, padding=2, flip=False, generator=torch.Generator().manual_seed(0), beyond="reflect")
    for before, after in zip(images.numpy(), moved.numpy(), strict=True):
        around = np.pad(before, ((0, 0), (2, 2), (2, 2)), mode="reflect")
        windows = [around[:, i : i + 5, j : j + 7] for i in range(5) for j in range(5)]
        assert any(np.array_equal(window, after) for window in windows)


def test_without_shift_and_mirror_nothing_changes():
    images = images_of(6)
    assert torch.equal(crop_and_flip(images, padding=0, flip=False, generator=torch.Generator()), images)


@pytest.mark.parametrize("dtype", [torch.uint8, torch.float32])
def test_type_and_original_are_kept(dtype):
    images = images_of(4, dtype)
    kept = images.clone()
    moved = crop_and_flip(images, padding=3, flip=True, generator=torch.Generator().manual_seed(0))
    assert moved.dtype == dtype
    assert moved.shape == images.shape
    assert torch.equal(images, kept)


def test_the_seed_decides():
    def move(seed):
        return crop_and_flip(images_of(20), padding=2, flip=True, generator=torch.Generator().manual_seed(seed))

    assert torch.equal(move(3), move(3))
    assert not torch.equal(move(3), move(4))


def test_cut_out_blackens_one_square_and_nothing_else():
    images = torch.full((64, 3, 16, 16), 7, dtype=torch.uint8)
    cut = cut_out(images, side=4, generator=torch.Generator().manual_seed(0))
    for image in cut:
        dark = (image == 0).all(0)
        assert ((image == 0) == dark).all()  # the same square in every channel
        rows, columns = dark.any(1).nonzero().flatten(), dark.any(0).nonzero().flatten()
        assert dark[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1].all()  # a full rectangle
        assert dark.sum() == len(rows) * len(columns)
        assert 2 <= len(rows) <= 4  # cut off at the edge at most by half
        assert 2 <= len(columns) <= 4


def test_cut_out_of_side_zero_changes_nothing():
    images = torch.ones(2, 1, 8, 8)
    assert cut_out(images, side=0, generator=torch.Generator()) is images
