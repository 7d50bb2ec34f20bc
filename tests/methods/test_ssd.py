from __future__ import annotations

import math

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from tests.methods.test_fisher import Linear
from zspag_core import batching
from zspag_core.data import Split, to_pixels
from zspag_core.errors import Cancelled, UnlearningError
from zspag_core.methods.ssd import SSD, Importances, in_order
from zspag_core.models import ModelConfig
from zspag_core.progress import SILENT, Reporter
from zspag_core.runs.context import RunContext
from zspag_core.runs.stage_cache import FileStageCache


@pytest.fixture
def linear():
    """A softmax regression whose gradient is known: (p - y) x."""
    config = ModelConfig(num_classes=3, channels=1, image_size=8, mean=(0.5,), std=(0.5,))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return Linear(config).eval()


@pytest.fixture
def samples():
    images = torch.randint(256, (20, 1, 8, 8), generator=torch.Generator().manual_seed(0), dtype=torch.uint8)
    return Split(images, torch.arange(20) % 3)


def by_hand(model, batches):
    """The squares of each batch's mean gradient, mean over batches, without autograd."""
    weight, bias = model.head.weight.detach(), model.head.bias.detach()
    found = {"head.weight": torch.zeros_like(weight), "head.bias": torch.zeros_like(bias)}
    for batch in batches:
        x = (to_pixels(batch.images).flatten(1) - 0.5) / 0.5
        wrong = (x @ weight.T + bias).softmax(1) - F.one_hot(batch.labels, 3)
        found["head.weight"] += (wrong.T @ x / len(x)).square() / len(batches)
        found["head.bias"] += wrong.mean(0).square() / len(batches)
    return found


def test_importance_is_the_square_of_each_batchs_mean_gradient(linear, samples, monkeypatch):
    batches = [samples[part] for part in torch.arange(20).split(8)]
    expected = by_hand(linear, batches)
    for budget in (batching.CPU_BYTES, 3 * batching.bytes_of_one(linear, samples.images)):
        monkeypatch.setattr(batching, "CPU_BYTES", budget)
        found = Importances(linear, 8, SILENT, 20).of(samples)
        for name, value in expected.items():
            torch.testing.assert_close(found[name], value, atol=1e-7, rtol=1e-4)


def test_batches_are_drawn_class_by_class(samples):
    found = in_order(samples)
    assert found.labels.tolist() == sorted(samples.labels.tolist())
    assert torch.equal(found.images[:7], samples.images[samples.labels == 0])


def test_a_weight_is_dampened_where_it_matters_more_to_the_forget_samples():
    """Selection I_f > α I_D, then min(λ I_D / I_f, 1); worked by hand."""
    forget = torch.tensor([8.0, 2.0, 1.0, 0.0, 5.0])
    every = torch.tensor([1.0, 1.0, 1.0, 0.0, 0.0])
    found = SSD(alpha=1.5, dampening=4.0).factors(forget, every)
    assert found.tolist() == [0.5, 1.0, 1.0, 1.0, 0.0]


def test_the_network_that_comes_out_is_the_hand_worked_one(linear, samples, generator, state_of, assert_untouched):
    before = state_of(linear)
    forget, retain = samples.of_classes((1,)), samples.without_classes((1,))
    found = SSD(alpha=1.2, dampening=0.7, batch_size=4).unlearn(linear, forget, retain, (1,), RunContext(generator))
    assert_untouched(linear, before)
    order = torch.cat([torch.where(samples.labels == k)[0] for k in (0, 2, 1)])
    every = by_hand(linear, [samples[part] for part in order.split(4)])
    gone = by_hand(linear, [forget[part] for part in torch.arange(len(forget)).split(4)])
    chosen = 0
    for name, weight in linear.named_parameters():
        factor = (0.7 * every[name] / gone[name]).clamp(max=1.0)
        factor[gone[name] <= 1.2 * every[name]] = 1.0
        chosen += int((factor < 1).sum())
        torch.testing.assert_close(dict(found.model.named_parameters())[name], weight * factor, atol=1e-6, rtol=1e-3)
    assert 0 < chosen < sum(weight.numel() for weight in linear.parameters())


def test_a_model_without_numbers_is_refused(linear, samples, generator):
    nn.init.constant_(linear.head.bias, math.nan)
    with pytest.raises(UnlearningError, match=r"the importance of head\.\w+ is no number"):
        SSD().unlearn(linear, samples.of_classes((1,)), samples, (1,), RunContext(generator))


def test_cancelled_or_remembered(linear, samples, tmp_path):
    class Stop(Reporter):
        heard: list[tuple[str, int, int]] = []  # noqa: RUF012 - one test
        at = 14

        def progress(self, stage, done, total, **figures):
            self.heard.append((stage, done, total))
            if done == self.at:
                raise Cancelled("stop")

    def unlearn(report=SILENT, memory=FileStageCache(tmp_path, "a")):  # noqa: B008 - one folder
        parts = samples.of_classes((1,)), samples.without_classes((1,))
        return SSD(batch_size=7, alpha=1.0).unlearn(
            linear, *parts, (1,), RunContext(torch.Generator(), report, cache=memory)
        )

    cut = unlearn(Stop())
    assert (cut.stopped, cut.model) == ("cancelled", linear)
    assert Stop.heard == [("unlearn", 7, 27), ("unlearn", 14, 27)]
    whole, Stop.at = unlearn(), None
    Stop.heard.clear()
    again = unlearn(Stop())
    assert Stop.heard == [("unlearn", 1, 1)], "importances are remembered"
    assert torch.equal(again.model.head.weight, whole.model.head.weight)
    assert not torch.equal(again.model.head.weight, linear.head.weight)
