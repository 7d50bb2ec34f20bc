"""Whether a model and a data set belong together."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from zspag_core.checkpoints import load_checkpoint, save_checkpoint
from zspag_core.compatibility import check_fit, other_names, why_not
from zspag_core.data import load_dataset
from zspag_core.data.dataset import DataSet, Split
from zspag_core.errors import UsageError


def empty(*names):
    none = Split(torch.zeros(0, 1, 8, 8, dtype=torch.uint8), torch.zeros(0, dtype=torch.int64))
    return DataSet("set", names, none, none)


@pytest.mark.parametrize(
    ("names", "sentence"),
    [
        (None, None),
        (["a", "b", "c"], None),
        (["x", "y", "z"], None),
        (["a", "c", "b"], "class 1 is 'c' to the model, 'b' in set"),
    ],
)
def test_labels_in_another_order_do_not_fit(names, sentence):
    found = why_not(3, names, empty("a", "b", "c"))
    assert found is None if sentence is None else sentence in found


def test_names_that_were_taken_by_their_order_are_told(tmp_path):
    images = np.zeros((4, 8, 8), np.uint8)
    np.savez(tmp_path / "set.npz", train_x=images, train_y=np.arange(4) % 2, class_names=np.array(["a", "b"]))

    def told(*names):
        return other_names(load_dataset(str(tmp_path / "set.npz"), image_size=8, channels=1, class_names=names))

    assert told("a", "b") is None
    assert told("B", "A") is None
    assert told("x", "b").endswith("set.npz's 'a' is the model's class 0, 'x'")


def test_a_model_that_counts_the_same_classes_otherwise_is_refused(digits_checkpoint, tmp_path):
    digits = load_dataset("digits", image_size=8, channels=1)
    loaded = load_checkpoint(digits_checkpoint)
    check_fit(loaded, digits)
    turned = tmp_path / "turned.safetensors"
    names = list(loaded.about["class_names"])
    save_checkpoint(turned, loaded.model, dict(loaded.about) | {"class_names": [names[1], names[0], *names[2:]]})
    with pytest.raises(
        UsageError,
        match=r"do not fit: the classes are numbered differently: class 0 is '1' to the model, '0' in digits",
    ):
        check_fit(load_checkpoint(turned), digits)
