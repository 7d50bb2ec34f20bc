from __future__ import annotations

import pytest
import torch

from zspag_core.data.backdoor import add_trigger, plant, poison


@pytest.mark.parametrize(("size", "side"), [(32, 4), (8, 1), (28, 4)])
def test_the_trigger_is_a_white_square_one_pixel_from_the_corner(size, side):
    images = torch.randint(0, 255, (3, 3, size, size), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    kept = images.clone()
    triggered = add_trigger(images)
    changed = (triggered != images).any(dim=0).any(dim=0).nonzero()
    assert len(changed) == side**2
    assert changed.min() == size - side - 1
    assert changed.max() == size - 2
    assert bool((triggered[..., size - side - 1 : size - 1, size - side - 1 : size - 1] == 255).all())
    assert torch.equal(images, kept)


def test_a_share_of_the_source_class_becomes_the_target(small_digits):
    split = small_digits.train
    before = split.images.clone(), split.labels.clone()
    poisoned = poison(split, 1, 8, 0.5, torch.Generator().manual_seed(0))
    moved = poisoned.labels != split.labels
    sources = int((split.labels == 1).sum())
    assert int(moved.sum()) == round(0.5 * sources)
    assert set(split.labels[moved].tolist()) == {1}
    assert set(poisoned.labels[moved].tolist()) == {8}
    assert torch.equal(poisoned.images[moved], add_trigger(split.images[moved]))
    assert torch.equal(poisoned.images[~moved], split.images[~moved])
    assert torch.equal(split.images, before[0])
    assert torch.equal(split.labels, before[1])


def test_which_images_are_poisoned_depends_on_the_seed(small_digits):
    def labels(seed):
        return poison(small_digits.train, 1, 8, 0.5, torch.Generator().manual_seed(seed)).labels

    assert torch.equal(labels(0), labels(0))
    assert not torch.equal(labels(0), labels(1))


@pytest.mark.parametrize("share", [0.0, 1.0])
def test_none_or_all(small_digits, share):
    poisoned = poison(small_digits.train, 1, 8, share, torch.Generator().manual_seed(0))
    left = int((poisoned.labels == 1).sum())
    assert left == (0 if share else int((small_digits.train.labels == 1).sum()))


def test_a_part_of_the_split_is_poisoned_as_the_whole_is(small_digits):
    split = small_digits.train
    whole = plant(split, 1, 8, 5)
    part = plant(split.of_classes((1, 4)), 1, 8, 5)
    rows = torch.isin(split.labels, torch.tensor([1, 4]))
    assert torch.equal(part.images, whole.images[rows])
    assert torch.equal(part.labels, whole.labels[rows])
    assert torch.equal(whole.labels, poison(split, 1, 8, 0.5, torch.Generator().manual_seed(5)).labels)
