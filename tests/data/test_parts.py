from __future__ import annotations

import pytest
import torch

from zspag_core.data.parts import FoundSource, Part, finish
from zspag_core.data.reading import ClassReading
from zspag_core.data.split import stratified_split
from zspag_core.errors import DataError

PETS = ("cat", "dog", "eel")


def source(train, test=None, class_names=None, **options):
    """Return a source whose every image is of the shade of its row, those of the test part from 100."""

    def make(rows, size, channels):
        shades = [some + 100 * number for number, some in enumerate(rows)]
        images = [one.to(torch.uint8).view(-1, 1, 1, 1).expand(-1, channels, size, size) for one in shades]
        return images, ["seen", "seen"]

    parts = [None if part is None else Part(f"part {k}", torch.tensor(part)) for k, part in enumerate((train, test))]
    return FoundSource("mine", *parts, make, class_names, **options)


def pairs(split):
    return list(zip(split.images[:, 0, 0, 0].tolist(), split.labels.tolist(), strict=True))


def test_two_parts_stay_as_they_are():
    data = finish(source([0, 1, 0], [1, 0], notes=("said",)), 2, 3)
    assert pairs(data.train) == [(0, 0), (1, 1), (2, 0)]
    assert pairs(data.test) == [(100, 1), (101, 0)]
    assert data.class_names == ("0", "1")
    assert data.train.images.shape == (3, 3, 2, 2)
    assert data.notes == ("said", "seen")


@pytest.mark.parametrize("reading", [ClassReading(), ClassReading(num_classes=2), ClassReading(("0", "1"))])
def test_a_whole_set_without_a_test_part_is_split_as_ever(reading):
    labels = [k % 2 for k in range(30)]
    data = finish(source(labels), 1, 1, reading)
    train, test = stratified_split(torch.tensor(labels))
    assert [shade for shade, _ in pairs(data.train)] == train.tolist()
    assert [shade for shade, _ in pairs(data.test)] == test.tolist()


def test_of_some_classes_nothing_is_held_out_unless_asked_for():
    data = finish(source([2] * 10, class_names=PETS), 1, 1, ClassReading(PETS))
    assert (len(data.train), len(data.test)) == (10, 0)
    assert data.class_names == PETS
    assert data.notes == ("mine has images of 1 of the model's 3 classes: eel", "seen")
    held = finish(source([2] * 10, class_names=PETS), 1, 1, ClassReading(PETS, held_out=0.2))
    assert (len(held.train), len(held.test)) == (8, 2)
    assert sorted(pairs(held.train) + pairs(held.test)) == [(k, 2) for k in range(10)]


def test_nothing_held_out_of_a_whole_set():
    data = finish(source([0, 1, 0, 1]), 1, 1, ClassReading(held_out=0))
    assert (len(data.train), len(data.test)) == (4, 0)


def test_labels_become_the_models_outputs():
    reading = ClassReading(("eel", "fox", "cat", "dog"))
    data = finish(source([0, 1, 2, 0], [1], class_names=PETS), 1, 1, reading)
    assert data.train.labels.tolist() == [2, 3, 0, 2]
    assert data.test.labels.tolist() == [3]
    assert data.notes[1] == "the test part of mine has no image of eel, cat: that is not graded"


def test_labels_may_be_numbers_of_customers():
    """Their table of two billion places ended the process."""
    data = finish(source([2_000_000_000, 1, 30, 1], [30]), 1, 1, ClassReading(num_classes=3))
    assert data.train.labels.tolist() == [2, 0, 1, 0]
    assert data.test.labels.tolist() == [1]


def test_halves_of_characters_in_names_are_written_out():
    assert finish(source([0, 1, 0, 1], class_names=("\ud83d", "eel")), 1, 1).class_names == ("\\ud83d", "eel")


def test_names_that_no_label_uses_need_no_output():
    data = finish(source([1, 1], class_names=("ant", "dog"), numbered=True), 1, 1, ClassReading(PETS))
    assert data.train.labels.tolist() == [1, 1]


def test_more_outputs_than_a_classifier_is_trained_with_are_fine_for_a_model():
    names = tuple(f"c{k}" for k in range(21_000))
    assert finish(source([20_999]), 1, 1, ClassReading(names)).num_classes == 21_000


@pytest.mark.parametrize("unlabelled", [[-1, -1, 0, 1, 0, 1], [0, 1, -1, 0, 1, -1]])
def test_images_without_a_label_are_left_aside(unlabelled):
    data = finish(source(unlabelled, [-1, -1]), 1, 1, ClassReading(held_out=0))
    assert [shade for shade, _ in pairs(data.train)] == [row for row, label in enumerate(unlabelled) if label >= 0]
    assert data.notes[:2] == (
        "2 of part 0 have no label and are left aside",
        "2 of part 1 have no label and are left aside",
    )


@pytest.mark.parametrize(
    ("found", "reading", "message"),
    [
        (source([-1, -1], [0, 1]), ClassReading(), "^Part 0 have no labels; expected the class of each"),
        (source([0, 0], [0]), ClassReading(), "^mine has only one class; expected 2 to 1,000"),
        (source([0, 1], [1, 1]), ClassReading(), "^Class '0' is empty in part 1"),
        (source([0, 0, 1]), ClassReading(), "^Class '1' of mine has one image; two are needed"),
        (source([0, 0, 1]), ClassReading(num_classes=2), "^Class '1' of mine has one image; two are needed"),
        (source([0, 3], class_names=PETS), ClassReading(PETS), "^A label of part 0 is 3; expected 0 to 2"),
        (source([0, -2], class_names=PETS), ClassReading(PETS), "^A label of part 0 is -2; expected 0 to 2"),
        (source([0, -2]), ClassReading(), "^A label of mine is -2; expected 0 or above"),
        (source([0, 1], class_names=("cat", "fox")), ClassReading(PETS), "the model does not name 'fox'"),
        (
            source([0, 1], class_names=("cat", "fox")),
            ClassReading(num_classes=3),
            "the model does not name its classes",
        ),
        (source([0, 1], count=4), ClassReading(PETS), r"tells 3 classes apart, mine has 4 \(one-hot columns\)"),
    ],
)
def test_what_cannot_be_used_is_refused(found, reading, message):
    with pytest.raises(DataError, match=message):
        finish(found, 1, 1, reading)
