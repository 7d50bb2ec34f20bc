from __future__ import annotations

import numpy as np
import torch
from sklearn.datasets import load_digits as sklearn_digits

from zspag_core.data.digits import load_digits


def test_at_their_own_size_the_pixels_are_scikit_learns():
    data = load_digits(8, 1)
    ours = torch.cat([data.train.images, data.test.images])[:, 0].flatten(1)
    theirs = torch.from_numpy(np.round(sklearn_digits().data * 255 / 16)).to(torch.uint8)
    assert sorted(ours.tolist()) == sorted(theirs.tolist())


def test_shapes_and_split():
    data = load_digits(32, 3)
    assert data.class_names == tuple("0123456789")
    assert data.train.images.shape == (1438, 3, 32, 32)
    assert data.test.images.shape == (359, 3, 32, 32)
    assert data.train.images.dtype == torch.uint8
    assert data.train.labels.dtype == torch.int64
    assert data.test.labels.bincount().min() >= 35


def test_the_split_is_always_the_same():
    assert torch.equal(load_digits(8, 1).test.images, load_digits(8, 1).test.images)
