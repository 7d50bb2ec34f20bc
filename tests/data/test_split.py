from __future__ import annotations

import pytest
import torch

from zspag_core.data.split import (
    absent,
    check_classes,
    check_filled,
    check_pairs,
    check_range,
    split_by_class,
    stratified_split,
)
from zspag_core.errors import DataError


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
    split_by_class(torch.arange(10) % 2, ("a", "b"), 0.5)
    assert torch.equal(torch.get_rng_state(), before)


def test_another_share():
    assert stratified_split(torch.zeros(10, dtype=torch.long), share=0.5)[1].numel() == 5


def test_what_is_kept_of_a_class_depends_on_that_class_alone():
    alone = split_by_class(torch.full((20,), 2), ("a", "b", "c"), 0.25)[1]
    beside = split_by_class(torch.tensor([0] * 9 + [2] * 20), ("x", "b", "c"), 0.25)[1]
    assert len(alone) == 5
    assert (beside[beside >= 9] - 9).tolist() == alone.tolist()
    assert len(beside) == 2 + 5
    other = split_by_class(torch.full((20,), 2), ("a", "b", "d"), 0.25)[1]
    assert other.tolist() != alone.tolist()


def test_one_image_of_each_class_stays():
    train, test = split_by_class(torch.tensor([0, 1, 1]), ("a", "b"), 0.9)
    assert train.tolist()[0] == 0
    assert len(test) == 1


def test_absent_classes():
    assert absent(torch.tensor([0, 2, 2]), 4) == [1, 3]
    assert absent(torch.arange(3), 3) == []


@pytest.mark.parametrize(
    ("check", "message"),
    [
        (lambda: check_classes("mine", 1), "mine has only one class; expected 2 to 1,000 .images to forget alone need"),
        (lambda: check_classes("mine", 1001), "mine has 1,001 classes; expected 2 to 1,000"),
        (lambda: check_range("x", torch.tensor([0, 2]), 2), "^A label of x is 2; expected 0 to 1"),
        (lambda: check_range("x", torch.tensor([-2, 1]), 2), "^A label of x is -2; expected 0 to 1"),
        (lambda: check_filled("x", torch.tensor([0, 0]), "ab"), "^Class 'b' is empty in x; expected at least one"),
        (lambda: check_filled("x", torch.tensor([0, 0]), "abcd"), r"^Class 'b' is empty in x \(as are 2 others\)"),
        (lambda: check_pairs("x", torch.tensor([0, 0, 1]), "ab"), "^Class 'b' of x has one image; two are needed"),
    ],
)
def test_what_cannot_be_used_is_refused(check, message):
    with pytest.raises(DataError, match=message):
        check()


def test_what_can_be_used_is_not_refused():
    labels = torch.tensor([0, 0, 1, 1])
    check_classes("mine", 2)
    check_classes("mine", 1000)
    check_range("x", labels, 2)
    check_filled("x", labels, "ab")
    check_pairs("x", labels, "ab")
