from __future__ import annotations

import pytest
import torch

from zspag_core.data.dataset import DataSet, Split, to_pixels
from zspag_core.devices import memory_format
from zspag_core.errors import UsageError

PETS = "it has images of cat, Dog, dog, out of the classes cat, Dog, dog, 10, bird"


@pytest.fixture
def split():
    labels = torch.tensor([0, 1, 2, 1, 0, 2, 2])
    images = torch.arange(7, dtype=torch.uint8).view(7, 1, 1, 1).expand(7, 3, 2, 2).clone()
    return Split(images, labels)


def positions(split: Split) -> list[int]:
    return split.images[:, 0, 0, 0].tolist()


def test_classes_are_picked_and_left_out_in_order(split):
    assert len(split) == 7
    assert positions(split.of_classes((0, 2))) == [0, 2, 4, 5, 6]
    assert positions(split.without_classes((0, 2))) == [1, 3]
    assert split.of_classes((0, 2)).labels.tolist() == [0, 2, 0, 2, 2]
    assert len(split.of_classes(())) == 0
    assert len(split.without_classes(())) == 7


def test_masks_and_indices_select_images_with_their_labels(split):
    assert positions(split[split.labels == 1]) == [1, 3]
    assert positions(split[torch.tensor([6, 0])]) == [6, 0]
    assert split[torch.tensor([6, 0])].labels.tolist() == [2, 0]


def test_images_and_labels_move_to_a_device_together(split):
    moved = split.to(torch.device("meta"))
    assert {moved.images.device.type, moved.labels.device.type} == {"meta"}
    assert moved.images.shape == split.images.shape


def test_a_sample_is_drawn_without_replacement_and_by_seed(split):
    def draw(count, seed):
        return positions(split.sample(count, torch.Generator().manual_seed(seed)))

    assert len(set(draw(4, 0))) == 4
    assert draw(4, 0) == draw(4, 0)
    assert sorted(draw(99, 1)) == list(range(7))
    assert len({tuple(draw(99, seed)) for seed in range(5)}) > 1


def test_classes_are_counted_by_their_names(split):
    assert DataSet("x", ("a", "b", "c"), split, split).num_classes == 3


@pytest.fixture
def pets(split):
    return DataSet("pets", ("cat", "Dog", "dog", "10", "bird"), split, split)


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ((4, 0), (0, 4)),
        (("1", "cat"), (0, 1)),
        (("BIRD",), (4,)),
        (("dog", "Dog"), (1, 2)),
        (("10",), (3,)),
        (("index:3", "name:cat"), (0, 3)),
        (("name:10", "name:bird"), (3, 4)),
        ((4, 3), (3, 4)),
    ],
)
def test_classes_are_found_by_number_and_by_name(pets, asked, found):
    assert pets.find_classes(asked, "forget") == found


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ((), "forget: expected at least one class, got none"),
        (("5",), "forget: expected classes 0 to 4, got 5"),
        (("index:5",), "forget: expected classes 0 to 4, got 5"),
        (("index:x",), "forget: pets has no class 'index:x'; {PETS}"),
        (("name:eel",), "forget: pets has no class 'name:eel'; {PETS}"),
        (("brid",), "forget: pets has no class 'brid' ('bird' is meant?); {PETS}"),
        ((-1,), "forget: expected classes 0 to 4, got -1"),
        (("-1",), "forget: pets has no class '-1'; {PETS}"),
        (
            ("DOG",),
            "forget: 'DOG' could be any of 2 classes of pets; expected one of index:1 ('Dog'), index:2 ('dog')",
        ),
        (("cat", 0), "forget: expected every class once, got cat, 0"),
        (range(5), "forget: expected at least one class to remain, got all 5"),
    ],
)
def test_classes_that_are_not_there_or_stand_twice_are_refused(pets, asked, said):
    with pytest.raises(UsageError) as caught:
        pets.find_classes(asked, "forget")
    assert str(caught.value) == said.replace("{PETS}", PETS)


def test_a_name_that_is_another_class_s_number_must_be_told_apart(split):
    numbered = DataSet("mine", ("1", "2", "3"), split, split)
    with pytest.raises(UsageError) as caught:
        numbered.find_class("1", "forget")
    assert str(caught.value) == (
        "forget: 1 is the name of class 0 and the number of class '2'; expected name:1 or index:1"
    )
    assert numbered.find_class("name:1", "forget") == 0
    assert numbered.find_class("index:1", "forget") == 1
    assert numbered.find_class("3", "forget") == 2
    assert numbered.find_class(1, "forget") == 1
    assert DataSet("digits", ("0", "1", "2"), split, split).find_class("1", "forget") == 1


def test_names_may_have_commas_and_prefixes(split):
    fish = DataSet("fish", ("tench, Tinca tinca", "cat", "index:0", "Tinca tinca"), split, split)
    assert fish.find_classes(("tench", "Tinca tinca"), "forget") == (0,)
    assert fish.find_classes(("tench, Tinca tinca", "cat"), "forget") == (0, 1)
    assert fish.find_classes(("cat", "Tinca tinca"), "forget") == (1, 3)
    assert fish.find_class("index:0", "forget") == 2
    with pytest.raises(UsageError, match="no class 'tench'"):
        fish.find_classes(("tench", "cat"), "forget")


def test_a_refusal_names_no_more_classes_than_fit(split):
    many = DataSet("many", tuple(f"c{k}" for k in range(100)), split, split)
    with pytest.raises(UsageError, match=r"it has images of c0, c1, c2, out of the classes c0, .*, c11, …$"):
        many.find_class("cat", "forget")


def test_pixels_lie_in_0_to_1_in_the_layout_of_the_device():
    images = torch.randint(0, 256, (5, 3, 4, 6), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    kept = images.clone()
    pixels = to_pixels(images)
    assert pixels.dtype == torch.float32
    assert pixels.is_contiguous(memory_format=memory_format(torch.device("cpu")))
    torch.testing.assert_close(pixels, images.double().div(255).float())
    assert torch.equal(images, kept)


def test_channel_statistics_by_hand():
    images = torch.tensor([[0, 255], [51, 102]], dtype=torch.uint8).view(2, 1, 1, 2)
    images = torch.cat([images, torch.full_like(images, 255)], dim=1)
    mean, std = Split(images, torch.tensor([0, 1])).channel_statistics()
    assert mean == (0.4, 1.0)
    assert std == (round((((0.4**2) + 0.6**2 + 0.2**2 + 0) / 3) ** 0.5, 4), 0.001)


def test_a_fingerprint_tells_images_and_labels_apart(split):
    same = Split(split.images.clone(), split.labels.clone())
    assert split.fingerprint() == same.fingerprint()
    assert Split(split.images, split.labels.roll(1)).fingerprint() != split.fingerprint()
    assert Split(split.images + 1, split.labels).fingerprint() != split.fingerprint()
