from __future__ import annotations

import copy

import pytest
import torch
from torch.nn import functional as F

from zspag_core.data import to_pixels
from zspag_core.methods import salun
from zspag_core.methods.salun import MaskedSteps, SalUn, SalUnZS, forget_gradient, salient
from zspag_core.runs.context import RunContext

pytestmark = pytest.mark.usefixtures("exact")


def gradient_of(model, forget):
    """The gradient of the forget loss from one whole batch."""
    model = copy.deepcopy(model)
    loss = F.cross_entropy(model(to_pixels(forget.images)), forget.labels)
    names, weights = zip(*model.named_parameters(), strict=True)
    return dict(zip(names, torch.autograd.grad(loss, weights), strict=True))


def test_the_gradient_is_that_of_the_forget_loss(digits_model, forget, monkeypatch, state_of, assert_untouched):
    monkeypatch.setattr(salun, "MASK_BATCH", 16)
    before = state_of(digits_model)
    found = forget_gradient(digits_model, forget)
    assert_untouched(digits_model, before)
    for name, expected in gradient_of(digits_model, forget).items():
        torch.testing.assert_close(found[name], expected, atol=1e-6, rtol=1e-4)


@pytest.mark.parametrize("share", [0.0, 0.3, 0.5, 1.0])
def test_the_mask_is_the_top_share_over_all_weights_together(digits_model, forget, share):
    gradient = gradient_of(digits_model, forget)
    found = salient(gradient, share)
    sizes = sorted((abs(value) for part in gradient.values() for value in part.flatten().tolist()), reverse=True)
    count = round(share * len(sizes))
    assert sum(int(mask.sum()) for mask in found.values()) == count
    chosen = [abs(v) for name, part in gradient.items() for v in part[found[name]].tolist()]
    assert sorted(chosen, reverse=True) == sizes[:count]
    if share == 0.3:
        shares = [float(mask.float().mean()) for mask in found.values()]
        assert max(shares) - min(shares) > 0.4, "ranked over the network, not layer by layer"


@pytest.mark.slow
@pytest.mark.parametrize("kind", [SalUn, SalUnZS])
def test_weights_outside_the_mask_are_the_same_bits_after_every_step(
    digits_model, forget, retain, generator, monkeypatch, kind
):
    """In spite of momentum and weight decay."""
    method = kind(epochs=2, batch_size=32, learning_rate=0.001, momentum=0.9, weight_decay=0.1)
    mask = salient(forget_gradient(digits_model, forget), method.mask_share)
    before, seen = dict(digits_model.named_parameters()), []

    def check(self):
        update(self)
        for name, now in self.model.named_parameters():
            assert torch.equal(now[~mask[name]], before[name][~mask[name]]), name
        seen.append(sum(int((now != before[name]).sum()) for name, now in self.model.named_parameters()))

    update = MaskedSteps.update
    monkeypatch.setattr(MaskedSteps, "update", check)
    data = [forget, retain] if kind is SalUn else [forget]
    method.unlearn(digits_model, *data, (3,), RunContext(generator))
    assert len(seen) == 2 * (5 if kind is SalUn else 2)
    total = sum(int(part.sum()) for part in mask.values())
    assert total >= seen[-1] > 0.9 * total


def test_random_labels_are_never_a_forgotten_class(digits_model, small_digits, generator):
    forget = small_digits.train.of_classes((3, 4))[torch.arange(80)]
    found = SalUnZS(epochs=1).unlearn(digits_model, forget, (3, 4), RunContext(generator))
    assert found.labels.mode == "random"
    assert not {3, 4} & set(found.labels.labels.argmax(1).tolist())
