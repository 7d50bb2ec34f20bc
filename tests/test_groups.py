from __future__ import annotations

import pytest
import torch

from zspag_core.data.dataset import DataSet, Split
from zspag_core.groups import GROUPS, lacking, lacking_words, ungraded, without_parts


def dataset(train, test):
    parts = [
        Split(
            torch.arange(len(labels), dtype=torch.uint8)[:, None, None, None], torch.tensor(labels, dtype=torch.int64)
        )
        for labels in (train, test)
    ]
    return DataSet("set", ("a", "b", "c"), *parts)


@pytest.mark.parametrize(
    ("train", "test", "lacks"),
    [
        ([0, 1, 2], [0, 1, 2], ()),
        ([2, 2], [], ("retain_train", "retain_test", "forget_test")),
        ([2, 2], [2], ("retain_train", "retain_test")),
        ([0, 2], [0, 2], ("retain_train", "retain_test")),
        ([2], [0, 1, 2], ("retain_train",)),
        ([0, 1, 2], [], ("retain_test", "forget_test")),
    ],
)
def test_a_group_lacks_where_one_of_its_classes_does(train, test, lacks):
    assert lacking(dataset(train, test), (2,)) == lacks


def test_groups_that_are_there_in_part_are_left_out():
    left = without_parts(dataset([0, 2, 2], [0, 2]), (2,))
    assert left.train.labels.tolist() == [2, 2]
    assert left.train.images.flatten().tolist() == [1, 2]
    assert left.test.labels.tolist() == [2]
    assert len(without_parts(dataset([0, 1, 2], [0, 2]), (0, 2)).test) == 2
    assert not len(without_parts(dataset([0, 1, 2], [2]), (1, 2)).test)


def test_whole_data_stay_as_they_are():
    whole = dataset([0, 1, 2], [0, 1, 2])
    assert without_parts(whole, (2,)) is whole


def test_what_is_not_graded_is_said_with_the_reason():
    assert ungraded([]) is None
    assert ungraded(GROUPS) == (
        "The data lacks images of remaining classes and test images, so accuracy on the remaining classes, "
        "test accuracy on the forgotten ones, the probe, membership inference and relearning are not graded."
    )
    of_training = "The data lacks training images of remaining classes, so the probe and membership inference are"
    assert ungraded(["retain_train"]) == f"{of_training} not graded."
    assert "accuracy on the remaining classes" in ungraded(["retain_test"])
    assert "relearning" not in ungraded(["retain_test"])


def test_what_is_lacking_is_said_before_a_run_in_a_few_words():
    assert lacking_words([]) is None
    assert lacking_words(GROUPS) == (
        "the data lacks images of remaining classes and test images: what needs them is not graded"
    )
    assert "lacks training images of remaining classes:" in lacking_words(["retain_train"])
