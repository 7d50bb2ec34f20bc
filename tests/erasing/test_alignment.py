from __future__ import annotations

import pytest
import torch
from torch.nn import functional as F

from tests.methods.networks import NETWORKS
from zspag_core.data import to_pixels
from zspag_core.erasing.alignment import MEMORY, RIDGE, Alignment, _Stage
from zspag_core.models import build

CHANNELS, ANSWERS = 6, 3


@pytest.fixture
def generator():
    return torch.Generator().manual_seed(0)


@pytest.fixture
def stand_ins(generator):
    """Features of stand-ins with a spread of their own in every channel, and how each is answered."""
    answers = torch.rand(400, ANSWERS, generator=generator).mul(8).softmax(1)
    centres = 3 * torch.randn(ANSWERS, CHANNELS, generator=generator)
    spread = torch.tensor([0.5, 1.0, 2.0, 1.0, 0.1, 5.0])
    return answers @ centres + torch.randn(400, CHANNELS, generator=generator) * spread, answers


def stage_of(features, answers):
    stage = _Stage(None)
    stage.learn(features, answers)
    return stage


def by_hand(features, answers, others, how):
    """Return the same distance written out: class by class, image by image, in float64."""
    features, answers, others, how = (part.double() for part in (features, answers, others, how))
    means = torch.stack(
        [sum(a[k] * x for a, x in zip(how, others, strict=True)) / how[:, k].sum() for k in range(ANSWERS)]
    )
    rest = torch.stack([x - sum(a[k] * means[k] for k in range(ANSWERS)) for a, x in zip(how, others, strict=True)])
    covariance = sum(torch.outer(x, x) for x in rest) / len(rest)
    ridged = covariance + RIDGE * torch.diag(covariance.diagonal())
    half, found = len(features) // 2, 0.0
    for k in range(ANSWERS):
        one, two = (
            sum(answers[i, k] * (features[i] - means[k]) for i in part) / half
            for part in (range(half), range(half, 2 * half))
        )
        found += float(one @ torch.linalg.inv(ridged) @ two) / float(answers[:, k].mean())
    return found


def test_the_distance_is_that_written_out(stand_ins, generator):
    features = torch.randn(41, CHANNELS, generator=generator) + 1
    answers = torch.rand(41, ANSWERS, generator=generator).softmax(1)
    found = stage_of(*stand_ins).distance(features, answers)
    assert float(found) == pytest.approx(by_hand(features, answers, *stand_ins), rel=1e-3)


def test_images_like_stand_ins_are_at_no_distance_in_the_mean(stand_ins, generator):
    stage, found = stage_of(*stand_ins), []
    for _ in range(300):
        drawn = torch.randint(400, (20,), generator=generator)
        found.append(float(stage.distance(stand_ins[0][drawn], stand_ins[1][drawn])))
    mean, error = torch.tensor(found).mean(), torch.tensor(found).std() / len(found) ** 0.5
    assert abs(mean) < 4 * error, "the square of a batch's error is not taken for a distance"
    away = stage.distance(stand_ins[0][:40] + 2, stand_ins[1][:40])
    assert away > 20 * abs(mean)


def test_scale_of_a_channel_changes_nothing(stand_ins, generator):
    features = torch.randn(40, CHANNELS, generator=generator)
    answers = torch.rand(40, ANSWERS, generator=generator).softmax(1)
    scale = torch.tensor([1e3, 1e-3, 1.0, 50.0, 0.02, 7.0])
    plain = stage_of(*stand_ins).distance(features, answers)
    scaled = stage_of(stand_ins[0] * scale, stand_ins[1]).distance(features * scale, answers)
    torch.testing.assert_close(scaled, plain, rtol=1e-2, atol=1e-3)


def test_a_channel_that_says_nothing_and_too_few_images_are_no_fault(stand_ins):
    features, answers = stand_ins
    dead = features * torch.tensor([1.0, 0.0, 1.0, 1.0, 1.0, 1.0])
    assert bool(stage_of(dead, answers).distance(dead[:10], answers[:10]).isfinite())
    silent = torch.zeros_like(features)
    assert float(stage_of(silent, answers).distance(silent[:10], answers[:10])) == 0
    for count in (0, 1):
        assert float(stage_of(*stand_ins).distance(features[:count], answers[:count])) == 0


def test_what_stand_ins_were_like_fades(stand_ins):
    features, answers = stand_ins
    stage = stage_of(features, answers)
    for _ in range(200):
        stage.learn(features + 4, answers)
    assert 400 * MEMORY**200 < 0.1
    torch.testing.assert_close(stage.means(), stage_of(features + 4, answers).means(), rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("kind", ["resnet", "vgg"])
def test_only_stages_above_are_watched_and_forget_images_come_nearer(kind, small_digits):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = build(NETWORKS[kind]).eval()
    names = list(model.cam_layers)
    alignment = Alignment(model, names[-2])
    assert list(alignment.stages) == names[-1:]
    assert not Alignment(model, names[-1]).stages
    train = small_digits.train
    rest, mine = (train.images[train.labels == k].float() for k in (1, 3))
    answers = F.one_hot(torch.zeros(len(rest), dtype=torch.int64), 2).float()
    alignment.begin(model, rest.to(torch.uint8), answers)
    both = torch.cat([mine[:40], rest[:40]]).to(torch.uint8)
    stays, told = torch.arange(80) >= 40, torch.cat([answers[:40], answers[:40]])
    optimizer, found = torch.optim.Adam(model.parameters(), 1e-3), []
    for _ in range(15):
        with alignment.watching():
            model(to_pixels(both, torch.device("cpu")))
        loss = alignment.loss(told, stays)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        found.append(float(loss.detach()))
    assert found[-1] < found[0] / 2
    assert not model.cam_layers[names[-1]]._forward_hooks
