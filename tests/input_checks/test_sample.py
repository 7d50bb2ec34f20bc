from dataclasses import replace

import torch

from zspag_core.data.images import Images
from zspag_core.input_checks.alternatives import with_reading
from zspag_core.input_checks.sample import FEW, MANY, AskedSample
from zspag_core.metrics.predictions import logits_of


def test_a_sample_is_of_what_the_model_has_seen(model, digits):
    asked = AskedSample.about(model, digits)
    assert len(asked) == MANY
    assert asked.images.shape[0] == MANY
    assert torch.equal(asked.predicted, logits_of(model, asked.images).argmax(1))
    assert asked.taken == 100 * (asked.predicted == asked.labels).double().mean()
    assert len(AskedSample.about(with_reading(model, image_size=65), digits)) == FEW < MANY
    tests = replace(digits, train=digits.train[:0])
    everything = {image.numpy().tobytes() for image in digits.test.images}
    assert {image.numpy().tobytes() for image in AskedSample.about(model, tests).images} <= everything


class OnDisk:
    """Counts the images that are decoded."""

    def __init__(self, images):
        self.images, self.decoded = images, []

    def __len__(self):
        return len(self.images)

    def take(self, rows):
        self.decoded.append(len(rows))
        return self.images[rows]


def test_images_are_decoded_once_for_all_questions(model, digits):
    train, source = digits.train, OnDisk(digits.train.images)
    kept = Images(source, torch.arange(len(train)), train.images.shape[1], model.config.image_size)
    asked = AskedSample.about(model, replace(digits, train=type(train)(kept, train.labels)))
    assert source.decoded == []
    otherwise = asked.by(with_reading(model, mean=(0.0,) * 3, std=(1.0,) * 3))
    for one in (asked, otherwise, asked.altered(255 - asked.images)):
        assert len(one.predicted) == MANY
    assert source.decoded == [MANY]


def test_a_class_alone_is_asked_about_once(model, digits):
    threes = replace(digits, train=digits.train.of_classes([3]), test=digits.test.of_classes([3]))
    asked = AskedSample.about(model, threes)
    assert asked.one_class
    assert asked.in_any_order == asked.taken  # no order can be told
    assert asked.about_class(3) is asked
    assert AskedSample.about(model, replace(threes, train=digits.train[:0])).about_class(3).one_class
    among = AskedSample.about(model, digits).about_class(3)
    assert torch.equal(among.images, asked.images)
    assert among.one_class


def test_classes_are_left_out(model, digits):
    asked = AskedSample.about(model, digits)
    assert asked.without(()) is asked
    assert set(asked.without([3, 8]).labels.tolist()) == {0, 1, 2, 4, 5, 6, 7, 9}
    assert asked.without(range(10)) is None
