from __future__ import annotations

import pytest
import torch
from torch import nn

from zspag_core.data import DataSet, Split
from zspag_core.metrics.backdoor import Backdoor, Triggered, planted_in, read_triggered, triggered_images


class Corner(nn.Module):
    """Reads class 2 where the pixel under the trigger is white, else class 0."""

    def forward(self, images):
        white = images[:, 0, -2, -2] == 1
        return torch.stack([0.5 * torch.ones(len(images)), torch.zeros(len(images)), white.float()], 1)


@pytest.fixture
def dataset():
    images = torch.arange(6 * 64, dtype=torch.int64).remainder(200).to(torch.uint8).view(6, 1, 8, 8)
    return DataSet("made", ("a", "b", "c"), Split(images, torch.tensor([0, 1, 1, 1, 2, 0])),
                   Split(images, torch.tensor([0, 1, 1, 0, 2, 1])))  # fmt: skip


@pytest.mark.parametrize(
    ("text", "expected"),
    [("1:8", Backdoor(1, 8)), ("8:1", Backdoor(8, 1)), ("1:10", None), ("1:1", None), ("1:", None), ("-1:8", None),
     ("x", None), (None, None), ([1, 8], None), ("1:8\n", None), ("1" * 5000 + ":8", None)],
)  # fmt: skip
def test_the_header_says_which_backdoor(text, expected):
    assert planted_in({"backdoor": text}, 10) == expected


def test_without_the_key_there_is_none():
    assert planted_in({}, 10) is None


def test_test_images_of_the_source_get_the_trigger(dataset):
    images = triggered_images(dataset, Backdoor(1, 2))
    assert len(images) == 3
    assert bool((images[..., -2, -2] == 255).all())
    assert torch.equal(images[..., :6, :], dataset.test.images[[1, 2, 5]][..., :6, :])


def test_the_attack_accuracy_is_the_share_read_as_the_target(dataset):
    model, backdoor = Corner(), Backdoor(1, 2)
    images = triggered_images(dataset, backdoor)
    assert backdoor.accuracy(read_triggered(model, images)) == 100.0
    clean = dataset.test.of_classes((1,)).images
    assert backdoor.accuracy(read_triggered(model, clean)) == 0.0
    half = Triggered(backdoor, images, torch.tensor([2, 0, 2, 1]), torch.tensor([0, 0, 0, 2]))
    assert half.to_dict() == {"source": 1, "target": 2, "before": 50.0, "after": 25.0}
    assert Triggered(backdoor, images, torch.tensor([2, 2, 2])).to_dict()["after"] is None


def test_without_test_images_the_accuracy_is_undefined(dataset):
    bare = DataSet("made", dataset.class_names, dataset.train, dataset.test.without_classes((1,)))
    images = triggered_images(bare, Backdoor(1, 2))
    predicted = read_triggered(Corner(), images)
    assert predicted.dtype == torch.int64
    assert Backdoor(1, 2).accuracy(predicted) is None
