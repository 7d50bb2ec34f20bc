from __future__ import annotations

import torch

from tests.metrics.depth.constructed import CLASSES, FORGOTTEN, patches_data
from zspag_core.metrics.depth.sample import Extent, draw

SMALL = Extent(train=20, forget_train=12, forget_test=7, rest_test=9)


def test_every_purpose_has_its_images():
    found = draw(patches_data(each=30), [FORGOTTEN], SMALL, 0)
    labels = found.labels[found.train]
    assert [int((labels[found.even] == k).sum()) for k in range(CLASSES)] == [5, 5, 5, 5]
    assert found.counts() == {"forget_train": 12, "rest_train": 15, "forget_test": 7, "rest_test": 9}
    assert found.images.shape[0] == len(found.labels) == 12 + 15 + 7 + 9
    assert torch.equal(found.forgotten, found.labels == FORGOTTEN)
    rest = found.labels[found.test][~found.forgotten[found.test]]
    assert [int((rest == k).sum()) for k in range(CLASSES) if k != FORGOTTEN] == [3, 3, 3]


def test_training_images_come_first_and_none_is_of_the_test_split():
    data = patches_data(each=30)
    found = draw(data, [FORGOTTEN], SMALL, 0)
    known = {image.numpy().tobytes() for image in data.train.images}
    inside = [image.numpy().tobytes() in known for image in found.images]
    assert all(inside[: found.learnt])
    assert not any(inside[found.learnt :])


def test_places_say_where_in_the_data_the_images_stand():
    data = patches_data(each=30)
    found = draw(data, [FORGOTTEN], SMALL, 0)
    everything = torch.cat([data.train.images, data.test.images])
    assert torch.equal(everything[found.places], found.images)


def test_the_same_seed_draws_the_same():
    data = patches_data(each=30)
    one, two, other = (draw(data, [FORGOTTEN], SMALL, seed) for seed in (0, 0, 1))
    assert torch.equal(one.images, two.images)
    assert not torch.equal(one.images, other.images)
