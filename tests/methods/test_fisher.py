from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from zspag_core.data import Split, to_pixels
from zspag_core.errors import Cancelled, UnlearningError
from zspag_core.methods import fisher
from zspag_core.methods.fisher import Fisher, fisher_diagonal
from zspag_core.models import Classifier, ModelConfig
from zspag_core.progress import Reporter
from zspag_core.runs.context import RunContext
from zspag_core.runs.stage_cache import FileStageCache


class Linear(Classifier):
    """A softmax regression on pixels."""

    architecture = "linear"

    def __init__(self, config):
        super().__init__(config)
        self.head = nn.Linear(config.image_size**2, config.num_classes)

    def embed(self, images):
        return self.normalise(images).flatten(1)

    @property
    def cam_layers(self):
        return {}


@pytest.fixture
def linear():
    config = ModelConfig(num_classes=4, channels=1, image_size=32, mean=(0.5,), std=(0.5,))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return Linear(config).eval()


@pytest.fixture
def images():
    return torch.randint(256, (40, 1, 32, 32), generator=seeded(), dtype=torch.uint8)


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def test_the_information_of_a_softmax_regression_has_a_closed_form(linear, images):
    """Σ_y p_y (1[y = k] - p_k)² = p_k (1 - p_k)."""
    found = fisher_diagonal(linear, images)
    x = (to_pixels(images).flatten(1) - 0.5) / 0.5
    p = (x @ linear.head.weight.T + linear.head.bias).softmax(1).detach()
    torch.testing.assert_close(found["head.bias"], (p * (1 - p)).mean(0))
    torch.testing.assert_close(found["head.weight"], (p * (1 - p)).T @ x.square() / len(x), atol=1e-6, rtol=1e-4)


def test_the_information_is_the_mean_square_of_every_samples_own_gradient(odd_model, state_of, assert_untouched):
    images = torch.randint(256, (5, 1, 8, 8), generator=seeded(), dtype=torch.uint8)
    before = state_of(odd_model)
    found = fisher_diagonal(odd_model, images)
    assert_untouched(odd_model, before)
    weights = dict(odd_model.named_parameters())
    expected = {name: torch.zeros_like(weight) for name, weight in weights.items()}
    for image in to_pixels(images):
        log_p = odd_model(image[None])[0].log_softmax(0)
        for label in range(5):
            slopes = torch.autograd.grad(log_p[label], list(weights.values()), retain_graph=True)
            for name, slope in zip(weights, slopes, strict=True):
                expected[name] += log_p[label].detach().exp() * slope.square() / 5
    assert set(found) == set(expected)
    for name, value in expected.items():
        torch.testing.assert_close(found[name], value, atol=1e-7, rtol=1e-3)


def test_attention_has_information_too(small_vit):
    images = torch.randint(256, (3, 1, 8, 8), generator=seeded(), dtype=torch.uint8)
    found = fisher_diagonal(small_vit, images)
    (slope,) = torch.autograd.grad(small_vit(to_pixels(images[:1])).log_softmax(1)[0, 2], small_vit.positions)
    assert found["positions"].shape == slope.shape
    assert all(float(value.sum()) > 0 for name, value in found.items() if ".k.bias" not in name)


def test_batches_change_nothing(linear, images, monkeypatch):
    whole = fisher_diagonal(linear, images)
    monkeypatch.setitem(fisher.NUMBERS_AT_ONCE, "cpu", 7 * 4100)
    for name, value in fisher_diagonal(linear, images).items():
        torch.testing.assert_close(value, whole[name])


@pytest.mark.parametrize(("exponent", "clamp"), [(0.5, 1e3), (1.0, 1e3), (0.5, 5.0)])
def test_the_noise_has_the_stated_variance(linear, images, exponent, clamp):
    """4,096 weights whose information is known: their noise, in units of its deviation, is standard normal."""
    method = Fisher(alpha=1e-3, exponent=exponent, clamp=clamp, reset_head=False, fisher_images=0)
    retain = Split(images, torch.arange(40) % 3)
    found = method.unlearn(linear, retain, retain, (3,), RunContext(seeded()))
    x = (to_pixels(images).flatten(1) - 0.5) / 0.5
    p = (x @ linear.head.weight.T + linear.head.bias).softmax(1).detach()
    information = (p * (1 - p)).T @ x.square() / len(x)
    variance = 1e-3 * (1 / information**exponent).clamp(max=clamp)
    noise = ((found.model.head.weight - linear.head.weight) / variance.sqrt()).detach()
    assert float(noise.mean()) == pytest.approx(0.0, abs=4 / 64)
    assert float(noise.square().mean()) == pytest.approx(1.0, abs=4 * (2 / 4096) ** 0.5)
    assert noise.argmax() != noise.argmin()


def test_weights_that_nothing_uses_get_the_largest_variance():
    method = Fisher(alpha=1e-6, clamp=1e3)
    found = method.variance(torch.tensor([0.0, 1e-12, 1e-4, 4.0]))
    torch.testing.assert_close(found, torch.tensor([1e-3, 1e-3, 1e-4, 5e-7]))


def test_forgotten_rows_of_the_last_layer_start_from_zero(linear, images):
    retain = Split(images, torch.arange(40) % 3)
    found = Fisher(alpha=0.0).unlearn(linear, retain, retain, (3,), RunContext(seeded()))
    row = found.model.head.weight[3].detach()
    assert float(row.square().mean().sqrt()) == pytest.approx(0.01, rel=0.15)
    assert torch.equal(found.model.head.weight[:3], linear.head.weight[:3])
    kept = Fisher(alpha=0.0, reset_head=False).unlearn(linear, retain, retain, (3,), RunContext(seeded()))
    assert torch.equal(kept.model.head.weight, linear.head.weight)


def test_only_remaining_images_are_looked_at(linear, images, monkeypatch):
    seen = []
    monkeypatch.setattr(fisher, "fisher_diagonal", lambda model, given, report: seen.append(given) or {
        name: torch.ones_like(value) for name, value in model.named_parameters()})  # fmt: skip
    forget, retain = Split(images[:10], torch.full((10,), 3)), Split(images[10:], torch.zeros(30).long())
    for count, expected in ((0, 30), (7, 7), (1000, 30)):
        Fisher(fisher_images=count).unlearn(linear, forget, retain, (3,), RunContext(seeded()))
        assert len(seen[-1]) == expected
        assert all(any(torch.equal(image, other) for other in retain.images) for image in seen[-1])


class Stop(Reporter):
    def progress(self, stage, done, total, **figures):
        assert (stage, total) == ("unlearn", 8)
        if done == 2:
            raise Cancelled("stop")


def test_cancelling_leaves_the_model_as_it_was(linear, images):
    retain = Split(images, torch.arange(40) % 3)
    found = Fisher().unlearn(linear, retain, retain, (3,), RunContext(seeded(), Stop()))
    assert (found.stopped, found.history) == ("cancelled", [])


def test_what_was_measured_is_not_measured_again(linear, images, tmp_path, monkeypatch):
    retain, cache = Split(images, torch.arange(40) % 3), FileStageCache(tmp_path, "a")
    run = (linear, retain, retain, (3,))
    whole = Fisher(fisher_images=9).unlearn(*run, RunContext(seeded()))
    Fisher(fisher_images=9).unlearn(*run, RunContext(seeded(), cache=cache))
    monkeypatch.setattr(fisher, "fisher_diagonal", None)
    again = Fisher(fisher_images=9).unlearn(*run, RunContext(seeded(), cache=cache))
    assert torch.equal(again.model.head.weight, whole.model.head.weight)


def test_outputs_that_are_no_numbers_end_in_a_sentence(linear, images):
    retain = Split(images, torch.arange(40) % 3)
    with torch.no_grad():
        linear.head.bias[0] = torch.nan
    with pytest.raises(UnlearningError, match=r"the Fisher information of head\.weight is no number"):
        Fisher().unlearn(linear, retain, retain, (3,), RunContext(seeded()))


def test_softmax_is_that_of_torch(linear, images):
    """The posterior in the expectation sums to one: the information of all biases is that of a categorical."""
    p = F.softmax(linear(to_pixels(images)), 1).detach()
    assert float(fisher_diagonal(linear, images)["head.bias"].sum()) == pytest.approx(
        float((1 - p.square().sum(1)).mean()), rel=1e-4
    )
