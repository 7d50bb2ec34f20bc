from __future__ import annotations

import pytest
import torch
from torch import nn

from zspag_core.checkpoints.foreign import adapt
from zspag_core.data import to_pixels
from zspag_core.errors import UsageError
from zspag_core.methods.mask import Mask
from zspag_core.runs.context import RunContext


def test_exactly_the_forgotten_logits_change(digits_model, small_digits, generator):
    images = to_pixels(small_digits.test.images[:100])
    found = Mask().unlearn(digits_model, small_digits.train.of_classes((2, 5)), (2, 5), RunContext(generator))
    with torch.no_grad():
        before, after = digits_model(images), found.model(images)
    kept = [k for k in range(10) if k not in (2, 5)]
    assert torch.equal(after[:, kept], before[:, kept])
    assert bool((after[:, [2, 5]] == -1e4).all())
    assert bool((after.softmax(1)[:, [2, 5]] == 0).all())
    masked = before.clone()
    masked[:, [2, 5]] = -torch.inf
    assert torch.equal(after.argmax(1), masked.argmax(1))


def test_only_the_head_changes(digits_model, small_digits, generator):
    found = Mask().unlearn(digits_model, small_digits.train.of_classes((2,)), (2,), RunContext(generator))
    after = found.model.state_dict()
    changed = [name for name, value in digits_model.state_dict().items() if not torch.equal(after[name], value)]
    assert changed == ["head.weight", "head.bias"]
    assert found.history == []
    assert found.proxies is None


@pytest.mark.parametrize(
    ("network", "said"),
    [
        (
            nn.Sequential(nn.Conv2d(3, 6, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(6, 4, bias=False)),
            "has a bias",
        ),
        (
            nn.Sequential(nn.Conv2d(3, 6, 3), nn.Conv2d(6, 4, 1), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten()),
            "ends in",
        ),
    ],
)
def test_heads_whose_outputs_are_no_logits_are_refused(network, said):
    with pytest.raises(UsageError, match=said):
        Mask().check(adapt(network, image_size=16), (1,))
