from __future__ import annotations

import pytest
import torch

from zspag_core.data.dataset import Split
from zspag_core.data.split import assemble, assemble_unsplit, stratified_split
from zspag_core.errors import DataError


def split_of(labels):
    return Split(torch.arange(len(labels), dtype=torch.uint8).view(-1, 1, 1, 1), torch.tensor(labels))


def test_every_class_is_shared_out_alike():
    labels = torch.tensor([0] * 50 + [1] * 10 + [2] * 2)
    train, test = stratified_split(labels)
    assert labels[test].bincount().tolist() == [10, 2, 1]
    assert torch.cat([train, test]).sort().values.tolist() == list(range(62))


def test_the_split_depends_on_the_seed_alone():
    labels = torch.arange(100) % 4
    first, again, other = (stratified_split(labels, seed)[1] for seed in (0, 0, 1))
    torch.manual_seed(5)
    assert torch.equal(first, again)
    assert torch.equal(first, stratified_split(labels, 0)[1])
    assert not torch.equal(first, other)


def test_the_global_generator_is_left_alone():
    before = torch.get_rng_state()
    stratified_split(torch.arange(10) % 2)
    assert torch.equal(torch.get_rng_state(), before)


def test_images_stay_with_their_labels():
    data = assemble_unsplit("mine", ["even", "odd"], split_of([0, 1] * 20))
    for split in (data.train, data.test):
        assert torch.equal(split.images.flatten().long() % 2, split.labels)


@pytest.mark.parametrize(
    ("names", "train", "test", "message"),
    [
        (["a"], [0, 0], [0], "mine has only one class; expected 2 to 1,000"),
        ([str(n) for n in range(1001)], [0], [0], "mine has 1,001 classes; expected 2 to 1,000"),
        (["a", "b"], [0, 1, 2], [0, 1], "label of the training images of mine is 2; expected 0 to 1"),
        (["a", "b"], [0, 1], [0, 1, -1], "label of the test images of mine is -1; expected 0 to 1"),
        (["a", "b"], [0, 0], [0, 1], "Class 'b' is empty in the training images of mine"),
        (["a", "b"], [0, 1], [1], "Class 'a' is empty in the test images of mine"),
    ],
)
def test_what_cannot_be_used_is_refused(names, train, test, message):
    with pytest.raises(DataError, match=message):
        assemble("mine", names, split_of(train), split_of(test))


def test_a_class_of_one_image_cannot_be_split():
    with pytest.raises(DataError, match="Class 'b' is empty in the training images"):
        assemble_unsplit("mine", ["a", "b"], split_of([0, 0, 0, 1]))
