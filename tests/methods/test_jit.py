from __future__ import annotations

import copy
from functools import partial

import pytest
import torch

from zspag_core.data import to_pixels
from zspag_core.methods.jit import JiT, Smoothing
from zspag_core.methods.training_loop import TrainingSamples, spread
from zspag_core.runs.context import RunContext

pytestmark = pytest.mark.usefixtures("exact")


def smoothing(model, forget, **settings):
    return Smoothing(
        model,
        TrainingSamples.only(forget, (3,)),
        settings=JiT(**settings),
        optimizer=partial(torch.optim.SGD, lr=0.01),
        order=partial(spread, len(forget), 0, 100),
    )


def expected_loss(model, images, sigma, copies, generator):
    """Σ_x mean_ξ ‖f(x) - f(x + ξ)‖ / ‖ξ‖ with normalised pixels, image by image."""
    mean, std = model.mean, model.std
    clean = (images - mean) / std
    total = torch.zeros(())
    for _ in range(copies):
        noised = (clean + sigma * torch.randn(clean.shape, generator=generator)).clamp(clean.min(), clean.max())
        with torch.no_grad():
            there = model(noised * std + mean)
        here = model(images)
        for k in range(len(images)):
            length = (noised[k] - clean[k]).square().sum().sqrt()
            total = total + (here[k] - there[k]).square().sum().sqrt() / length / copies
    return total


def test_the_step_is_down_the_sensitivity_of_the_clean_outputs(digits_model, forget):
    some = forget[torch.arange(12)]
    found = JiT(epochs=1, learning_rate=1e-4, sigma=0.4, copies=3, batch_size=12).unlearn(
        digits_model, some, (3,), RunContext(torch.Generator().manual_seed(5))
    )
    generator = torch.Generator().manual_seed(5)
    order = torch.randperm(12, generator=generator)
    torch.randperm(0, generator=generator)
    model = copy.deepcopy(digits_model)
    loss = expected_loss(model, to_pixels(some.images[order]), 0.4, 3, generator)
    slopes = torch.autograd.grad(loss, list(model.parameters()))
    for now, before, slope in zip(found.model.parameters(), model.parameters(), slopes, strict=True):
        torch.testing.assert_close(now, before - 1e-4 * slope, atol=1e-6, rtol=1e-3)
    assert found.history[0]["loss"] == pytest.approx(loss.item(), rel=1e-4)


def test_noised_copies_stay_within_the_steps_own_range(digits_model, forget, monkeypatch):
    work, seen = smoothing(digits_model, forget, sigma=5.0, copies=1), []
    monkeypatch.setattr(work, "read", lambda pixels: seen.append(pixels) or digits_model(pixels))
    images = forget.images[:6].clamp(60, 200)
    work.descend(images, None, torch.Generator().manual_seed(0))
    noised = seen[1] * 255
    assert float(noised.min()) == pytest.approx(60, abs=0.01)
    assert float(noised.max()) == pytest.approx(200, abs=0.01)


def test_an_image_that_noise_cannot_move_says_nothing(digits_model, forget):
    """All pixels alike: the range has no width."""
    work = smoothing(digits_model, forget, copies=2)
    loss, logits = work.descend(torch.full((3, 1, 8, 8), 90, dtype=torch.uint8), None, torch.Generator())
    assert loss == pytest.approx(0.0, abs=1e-4)
    assert logits.shape == (3, 10)
