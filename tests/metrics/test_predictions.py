from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from zspag_core.metrics.predictions import (
    LOSS_LIMIT,
    LabelledLogits,
    evaluating,
    logits_of,
    outputs_of,
    outputs_of_pixels,
    placed,
)
from zspag_core.progress import Reporter


class Heard(Reporter):
    def __init__(self):
        self.calls = []

    def progress(self, stage, done, total, **figures):
        self.calls.append((stage, done, total))


def test_logits_are_those_of_the_model_itself(trained):
    images = trained.dataset.test.images[:50]
    with torch.no_grad():
        expected = trained.original(images.float() / 255)
    torch.testing.assert_close(logits_of(trained.original, images, batch_size=7), expected)


def test_outputs_come_from_one_pass_per_batch(trained):
    images, report = trained.dataset.test.images[:50], Heard()
    passes = []
    handle = trained.original.stem.register_forward_hook(lambda *_: passes.append(1))
    try:
        outputs = outputs_of(trained.original, images, batch_size=20, report=report)
    finally:
        handle.remove()
    assert len(passes) == 3
    assert report.calls == [("evaluate", 20, 50), ("evaluate", 40, 50), ("evaluate", 50, 50)]
    assert outputs.features.shape == (50, 32)
    torch.testing.assert_close(outputs.logits, logits_of(trained.original, images))
    torch.testing.assert_close(trained.original.head(outputs.features), outputs.logits)


def test_results_can_be_used_in_autograd(trained):
    features = outputs_of(trained.original, trained.dataset.test.images[:4]).features
    weight = torch.zeros(32, requires_grad=True)
    (features @ weight).sum().backward()
    torch.testing.assert_close(weight.grad, features.sum(dim=0))


def test_every_mode_is_restored_even_after_an_error(trained):
    model = trained.original
    model.train()
    model.stem.eval()
    before = [module.training for module in model.modules()]
    try:
        buffers = {name: value.clone() for name, value in model.named_buffers()}
        logits_of(model, trained.dataset.test.images[:9])
        with pytest.raises(ValueError, match="images"):
            logits_of(model, torch.zeros(1))
        with pytest.raises(RuntimeError, match=r"shape|channels"):
            logits_of(model, torch.zeros(1, 2, 8, 8, dtype=torch.uint8))
        assert [module.training for module in model.modules()] == before
        assert all(torch.equal(value, buffers[name]) for name, value in model.named_buffers())
    finally:
        model.eval()


def test_every_module_is_in_evaluation_mode_inside():
    model = nn.Sequential(nn.Dropout(), nn.BatchNorm1d(2))
    with evaluating(model):
        assert not any(module.training for module in model.modules())
    assert all(module.training for module in model.modules())


def test_autocast_around_does_not_change_the_result(trained):
    images = trained.dataset.test.images[:9]
    with torch.autocast("cpu", dtype=torch.bfloat16):
        logits = logits_of(trained.original, images)
    assert logits.dtype == torch.float32
    assert torch.equal(logits, logits_of(trained.original, images))


def test_no_images_give_no_rows(trained):
    outputs = outputs_of(trained.original, trained.dataset.test.images[:0])
    assert outputs.features.shape == (0, 32)
    assert outputs.logits.shape == (0, 10)


def test_a_model_elsewhere_is_copied_and_one_in_place_is_not():
    model = nn.Linear(2, 2)
    assert placed(model, None) is model
    assert placed(model, torch.device("cpu")) is model
    moved = placed(model, torch.device("meta"))
    assert moved.weight.is_meta
    assert not model.weight.is_meta


def test_a_model_without_parameters_has_logits_too():
    images = torch.full((3, 1, 2, 2), 255, dtype=torch.uint8)
    assert torch.equal(logits_of(nn.Flatten(), images), torch.ones(3, 4))


def test_pixels_need_not_be_whole_levels(trained):
    pixels = trained.dataset.test.images[:30].float() / 255 * 0.987
    with torch.no_grad():
        features = trained.original.embed(pixels)
    outputs = outputs_of_pixels(trained.original, pixels, batch_size=7)
    torch.testing.assert_close(outputs.features, features)
    torch.testing.assert_close(outputs.logits, trained.original.head(features).detach())


def test_pixels_of_another_kind_are_refused(trained):
    with pytest.raises(ValueError, match=r"pixels: expected \(N, C, H, W\) float, got \(2, 1, 8, 8\) torch.uint8"):
        outputs_of_pixels(trained.original, torch.zeros(2, 1, 8, 8, dtype=torch.uint8))


@pytest.mark.parametrize("images", [torch.zeros(2, 1, 8, 8), torch.zeros(1, 8, 8, dtype=torch.uint8)])
def test_images_of_another_kind_are_refused(trained, images):
    with pytest.raises(ValueError, match=r"images: expected \(N, C, H, W\) uint8"):
        logits_of(trained.original, images)


def test_batch_size_must_be_positive(trained):
    with pytest.raises(ValueError, match="batch_size: expected 1 or more, got 0"):
        outputs_of(trained.original, trained.dataset.test.images[:2], batch_size=0)


def test_entropy_confidence_and_loss_by_hand():
    logits = torch.tensor([[0.0, 0.0], [math.log(3), 0.0], [0.0, -torch.inf]])
    group = LabelledLogits(logits, torch.tensor([0, 1, 1]))
    quarter = -(0.75 * math.log(0.75) + 0.25 * math.log(0.25))
    assert group.entropy.tolist() == pytest.approx([math.log(2), quarter, 0.0], abs=1e-7)
    assert group.confidence.tolist() == pytest.approx([0.5, 0.25, 0.0])
    assert group.loss.tolist() == pytest.approx([math.log(2), math.log(4), LOSS_LIMIT])


def test_losses_below_float32_rounding_stay_apart():
    group = LabelledLogits(torch.tensor([[20.0, 0.0], [21.0, 0.0]]), torch.tensor([0, 0]))
    assert group.loss.tolist() == pytest.approx([math.exp(-20), math.exp(-21)], rel=1e-4)


@pytest.mark.parametrize(
    ("logits", "labels", "message"),
    [
        (torch.zeros(3), torch.zeros(3).long(), "shapes"),
        (torch.zeros(3, 2), torch.zeros(2).long(), "shapes"),
        (torch.zeros(3, 2), torch.zeros(3), "whole numbers, got torch.float32"),
        (torch.zeros(3, 2), torch.zeros(3).bool(), "whole numbers, got torch.bool"),
        (torch.zeros(2, 2), torch.tensor([0, 2]), "expected 0 to 1, got 0 to 2"),
        (torch.zeros(2, 2), torch.tensor([-1, 0]), "expected 0 to 1, got -1 to 0"),
        (torch.tensor([[0.0, torch.nan]]), torch.tensor([0]), "NaN or"),
        (torch.tensor([[0.0, torch.inf]]), torch.tensor([0]), "NaN or"),
    ],
)
def test_what_does_not_fit_is_refused(logits, labels, message):
    with pytest.raises(ValueError, match=message):
        LabelledLogits(logits, labels)
