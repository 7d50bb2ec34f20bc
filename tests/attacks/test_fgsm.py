"""FGSM against a second version, written plainly, and against the sign of a linear model's weights."""

from __future__ import annotations

import copy

import torch
from torch.nn import functional as F

from zspag_core.attacks import FGSM


def test_agrees_with_one_sample_at_a_time(trained, sample, generator):
    model = copy.deepcopy(trained).double()
    images, targets = sample[0].double(), sample[1]
    attacked = FGSM(epsilon=0.1).perturb(model, images, targets, generator=generator)
    for image, target, result in zip(images, targets, attacked.images, strict=True):
        point = image[None].clone().requires_grad_()
        F.cross_entropy(model(point), target[None]).backward(inputs=[point])
        expected = torch.clip(image - 0.1 * torch.sign(point.grad[0]), 0, 1)
        torch.testing.assert_close(result, expected, atol=1e-12, rtol=0)
    assert attacked.passes == len(images)


def test_two_linear_classes_follow_the_weights(linear, generator):
    model, images = linear(2)
    targets = 1 - model(images).argmax(1)
    attacked = FGSM(epsilon=0.05).perturb(model, images, targets, generator=generator)
    towards = (model.weight[targets] - model.weight[1 - targets]).sign().view_as(images)
    torch.testing.assert_close(attacked.images, images + 0.05 * towards)
