from __future__ import annotations

import torch

from zspag_core.data import to_pixels
from zspag_core.methods.mask import Mask


def test_exactly_the_forgotten_logits_change(digits_model, small_digits, generator):
    images = to_pixels(small_digits.test.images[:100])
    found = Mask().unlearn(digits_model, small_digits.train.of_classes((2, 5)), (2, 5), generator=generator)
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
    found = Mask().unlearn(digits_model, small_digits.train.of_classes((2,)), (2,), generator=generator)
    after = found.model.state_dict()
    changed = [name for name, value in digits_model.state_dict().items() if not torch.equal(after[name], value)]
    assert changed == ["head.weight", "head.bias"]
    assert found.history == []
    assert found.proxies is None
