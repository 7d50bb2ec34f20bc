"""Carlini and Wagner's attack against linear models, where the least perturbation is known."""

from __future__ import annotations

import math

import pytest
import torch

from zspag_core.attacks import CarliniWagner, DeepFool
from zspag_core.attacks.base import l2_norm

THOROUGH = {"steps": 200, "searches": 8, "learning_rate": 0.05, "epsilon_l2": 10.0}


@pytest.mark.slow
@pytest.mark.parametrize("confidence", [0.0, 0.9])
def test_two_linear_classes_come_near_the_formula(linear, generator, confidence):
    model, images = linear(2)
    logits = model(images)
    targets = 1 - logits.argmax(1)
    attacked = CarliniWagner(confidence=confidence, **THOROUGH).perturb(model, images, targets, generator=generator)
    margin = (logits[:, 0] - logits[:, 1]).abs() + (math.log(confidence / (1 - confidence)) if confidence else 0)
    ratio = l2_norm(attacked.images - images) / (margin / (model.weight[1] - model.weight[0]).norm())
    assert attacked.success.all()
    assert (attacked.confidence >= confidence).all()
    assert ratio.min() >= 1 - 1e-6
    assert ratio.max() < 1.03


@pytest.mark.slow
def test_many_linear_classes_come_near_the_least(linear, least_perturbation, generator):
    model, images = linear(5)
    targets = model(images).argmin(1)
    attacked = CarliniWagner(confidence=0.0, **THOROUGH).perturb(model, images, targets, generator=generator)
    least = torch.stack(
        [least_perturbation(model, image, int(aim)) for image, aim in zip(images, targets, strict=True)]
    )
    ratio = l2_norm(attacked.images - images) / least
    assert attacked.success.all()
    assert ratio.min() >= 1 - 1e-6
    assert ratio.mean() < 1.03


@pytest.mark.slow
def test_shorter_than_deepfool_on_digits(trained, sample, generator):
    images, targets = sample
    lengths = [
        l2_norm(
            attack(confidence=0.9, epsilon_l2=8.0).perturb(trained, images, targets, generator=generator).images
            - images
        )
        for attack in (CarliniWagner, DeepFool)
    ]
    assert lengths[0].mean() < lengths[1].mean()


def test_a_sample_out_of_reach_keeps_the_nearest_point(trained, sample, generator):
    images, targets = sample
    attacked = CarliniWagner(epsilon_l2=0.3, steps=20).perturb(trained, images, targets, generator=generator)
    with torch.no_grad():
        before = trained(images).softmax(1).gather(1, targets[:, None]).squeeze(1)
    assert attacked.success.float().mean() < 0.5
    assert (attacked.confidence >= before - 1e-6).all()


@pytest.mark.slow
def test_more_searches_are_never_worse(trained, sample, generator):
    images, targets = sample
    few, many = (
        CarliniWagner(searches=count, confidence=0.5, epsilon_l2=8.0).perturb(
            trained, images, targets, generator=generator
        )
        for count in (2, 6)
    )
    reached = few.success
    lengths = [l2_norm(run.images - images)[reached] for run in (few, many)]
    assert many.success[reached].all()
    assert (lengths[1] <= lengths[0] + 1e-5).all()
    assert lengths[1].mean() < lengths[0].mean()


def test_scale_of_the_logits_does_not_matter(linear, generator):
    model, images = linear(4)
    targets = model(images).argmin(1)
    louder = type(model)(1000 * model.weight, 1000 * model.bias)
    attack = CarliniWagner(confidence=0.0)
    one, two = (attack.perturb(scaled, images, targets, generator=generator) for scaled in (model, louder))
    assert one.success.all()
    torch.testing.assert_close(one.images, two.images, atol=1e-4, rtol=0)


def test_images_that_are_there_already_stay(linear, generator):
    model, images = linear(4)
    attacked = CarliniWagner(confidence=0.0).perturb(model, images, model(images).argmax(1), generator=generator)
    assert torch.equal(attacked.images, images)
    assert attacked.passes == 0


def test_the_first_search_counts(trained, sample, generator):
    attacked = CarliniWagner(searches=1, initial_c=2.0).perturb(trained, *sample, generator=generator)
    assert attacked.success.float().mean() > 0.9
    assert attacked.passes > 8 * len(sample[0])
