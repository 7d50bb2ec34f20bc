"""Every attack of the table keeps the promises of the base, and bad arguments are refused in plain words."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import nn

from zspag_core.attacks import PGD, DeepFool
from zspag_core.attacks.base import into_ball, l2_norm
from zspag_core.attacks.catalogue import attack_entries
from zspag_core.batching import images_at_once
from zspag_core.errors import Cancelled
from zspag_core.hyperparameters import configure, schema, values
from zspag_core.progress import Reporter

SETTINGS = {
    "pgd": {"epsilon": 0.2, "random_start": True},
    "fgsm": {"epsilon": 0.3},
    "cw": {"epsilon_l2": 1.2, "steps": 15, "searches": 2},
    "deepfool": {"epsilon_l2": 1.2},
}


@pytest.fixture(params=list(attack_entries()))
def attack(request):
    return configure(attack_entries()[request.param].load(), SETTINGS[request.param])


class Counting(nn.Module):
    """Counts the images that go forward and backward through a model."""

    def __init__(self, model):
        super().__init__()
        self.model, self.forwards, self.backwards = model, 0, 0

    def forward(self, images):
        logits = self.model(images)
        self.forwards += len(images)
        if logits.requires_grad and images.requires_grad:
            logits.register_hook(self.count)
        return logits

    def count(self, gradient):
        self.backwards += len(gradient)


class Stopping(Reporter):
    def progress(self, stage, done, total, **figures):
        raise Cancelled("stopped")


class Listening(Reporter):
    def __init__(self):
        self.told = []

    def progress(self, stage, done, total, **figures):
        self.told.append((stage, done, total))


@torch.no_grad()
def distances(attack, attacked, images):
    """Return each perturbation's length in the attack's own norm, and its bound."""
    delta = (attacked.images - images).flatten(1)
    if hasattr(attack, "epsilon_l2"):
        return delta.norm(dim=1), attack.epsilon_l2
    return delta.abs().amax(1), attack.epsilon


@pytest.mark.slow
def test_attacks_stay_in_bounds_and_tell_the_truth(attack, trained, sample, generator):
    images, targets = sample
    before = images.clone()
    attacked = attack.perturb(trained, images, targets, generator=generator)
    lengths, bound = distances(attack, attacked, images)
    assert lengths.max() <= bound + 1e-6
    assert attacked.images.min() >= 0
    assert attacked.images.max() <= 1
    with torch.no_grad():
        logits = trained(attacked.images)
    assert torch.equal(attacked.reached, logits.argmax(1))
    assert torch.equal(attacked.success, logits.argmax(1) == targets)
    fresh = logits.softmax(1).gather(1, targets[:, None]).squeeze(1)
    torch.testing.assert_close(attacked.confidence, fresh, atol=1e-5, rtol=1e-4)
    assert attacked.success.float().mean() > 0.5
    assert torch.equal(images, before)


@pytest.mark.slow
def test_same_generator_same_images(attack, trained, sample):
    one, two = (attack.perturb(trained, *sample, generator=torch.Generator().manual_seed(3)) for _ in range(2))
    assert torch.equal(one.images, two.images)
    assert (one.passes, one.checks) == (two.passes, two.checks)


def test_random_start_follows_the_generator(trained, sample):
    attack = PGD(epsilon=0.2, random_start=True)
    one, two = (attack.perturb(trained, *sample, generator=torch.Generator().manual_seed(seed)) for seed in (3, 4))
    assert not torch.equal(one.images, two.images)


@pytest.mark.slow
def test_model_is_left_as_it_was(attack, trained, sample, generator):
    model = copy.deepcopy(trained).train()
    model.convs[1].eval()
    modes = [module.training for module in model.modules()]
    for number, values_ in enumerate(model.parameters()):
        values_.grad = torch.full_like(values_, float(number)) if number % 2 else None
    weights = copy.deepcopy(model.state_dict())
    attack.perturb(model, *sample, generator=generator)
    assert [module.training for module in model.modules()] == modes
    assert all(torch.equal(value, weights[name]) for name, value in model.state_dict().items())
    for number, values_ in enumerate(model.parameters()):
        assert values_.requires_grad
        assert (values_.grad is None) if number % 2 == 0 else bool((values_.grad == number).all())


@pytest.mark.slow
def test_frozen_model_and_no_grad_are_fine(attack, trained, sample):
    frozen = copy.deepcopy(trained).requires_grad_(requires_grad=False)
    with torch.no_grad():
        one = attack.perturb(frozen, *sample, generator=torch.Generator().manual_seed(3))
    two = attack.perturb(trained, *sample, generator=torch.Generator().manual_seed(3))
    torch.testing.assert_close(one.images, two.images)


def test_cancel_stops_and_restores_the_mode(attack, trained, sample, generator):
    model = copy.deepcopy(trained).train()
    with pytest.raises(Cancelled, match="stopped"):
        attack.perturb(model, *sample, generator=generator, report=Stopping())
    assert all(module.training for module in model.modules())


@pytest.mark.slow
def test_report_counts_up_to_all(attack, trained, sample, generator):
    report = Listening()
    attack.perturb(trained, *sample, generator=generator, report=report)
    done = [done for _, done, _ in report.told]
    assert {(stage, total) for stage, _, total in report.told} == {("attack", len(sample[0]))}
    assert done == sorted(done)
    assert done[-1] == len(sample[0])


@pytest.mark.slow
def test_passes_are_counted_exactly(attack, trained, sample, generator):
    model = Counting(trained)
    images_at_once(model, sample[0])  # measured once, by a pass of its own
    before = model.forwards
    attacked = attack.perturb(model, *sample, generator=generator)
    assert attacked.passes == model.backwards
    assert attacked.passes + attacked.checks == model.forwards - before


def test_leaving_saves_work_and_full_confidence_never_leaves(trained, sample, generator):
    images, targets = sample
    early, never = (
        PGD(epsilon=0.2, confidence=level).perturb(trained, images, targets, generator=generator) for level in (0.5, 1)
    )
    assert never.passes == 10 * len(images)
    assert early.passes < 0.8 * never.passes
    assert early.confidence.mean() < never.confidence.mean()


@pytest.mark.slow
def test_those_who_leave_have_the_confidence_asked_for(attack, trained, sample, generator):
    attacked = attack.perturb(trained, *sample, generator=generator)
    report = Listening()
    attack.perturb(trained, *sample, generator=torch.Generator().manual_seed(7), report=report)
    early = report.told[-2][1] if len(report.told) > 1 else 0
    if not hasattr(attack, "searches"):  # C&W leaves when its search is over
        assert int((attacked.success & (attacked.confidence >= attack.confidence)).sum()) >= early
    done_already = attack.perturb(trained, attacked.images, attacked.reached, generator=generator)
    assert done_already.success.float().mean() > 0.9


@pytest.mark.slow
def test_result_does_not_depend_on_the_batch(attack, trained, sample):
    model = copy.deepcopy(trained).double()
    images, targets = sample[0].double(), sample[1]
    whole = attack.perturb(model, images, targets, generator=torch.Generator().manual_seed(5))
    small = type(attack)(**(values(attack) | {"batch_size": 7}))
    parts = small.perturb(model, images, targets, generator=torch.Generator().manual_seed(5))
    torch.testing.assert_close(whole.images, parts.images, atol=1e-8, rtol=0)
    assert whole.passes + whole.checks == parts.passes + parts.checks  # a batch that leaves as one has no backward


@pytest.mark.slow
def test_result_does_not_depend_on_who_leaves(attack, trained, sample):
    model = copy.deepcopy(trained).double()
    images, targets = sample[0].double(), sample[1]
    at_once = targets.clone()
    with torch.no_grad():
        at_once[::2] = model(images[::2]).argmax(1)
    one, two = (
        attack.perturb(model, images, aim, generator=torch.Generator().manual_seed(5)) for aim in (targets, at_once)
    )
    assert two.passes < one.passes or attack.gradients == 1
    torch.testing.assert_close(one.images[1::2], two.images[1::2], atol=1e-8, rtol=0)


def test_nothing_to_do_costs_no_gradient(trained, sample, generator):
    images = sample[0]
    with torch.no_grad():
        probability, predicted = trained(images).softmax(1).max(1)
    sure = probability > 0.999
    attacked = DeepFool().perturb(trained, images[sure], predicted[sure], generator=generator)
    assert torch.equal(attacked.images, images[sure])
    assert (attacked.passes, attacked.checks) == (0, int(sure.sum()))


class NoLogits(nn.Module):
    """Gives no number for images whose first pixel is white."""

    def __init__(self, model):
        super().__init__()
        self.model = model

    def forward(self, images):
        return torch.where((images[:, 0, 0, 0] == 1)[:, None], torch.nan, self.model(images))


class NoGradient(NoLogits):
    """Gives good logits, but no gradient, for images whose first pixel is white."""

    def forward(self, images):
        white = (images[:, :1, :1, :1] == 1).detach()
        through = images.clone()
        if through.requires_grad:
            through.register_hook(lambda gradient: torch.where(white, torch.nan, gradient))
        return self.model(through)


@pytest.mark.slow
@pytest.mark.parametrize("broken", [NoLogits, NoGradient])
def test_not_a_number_harms_no_other_sample(attack, trained, sample, broken):
    attack = type(attack)(**(values(attack) | ({"random_start": False} if "random_start" in values(attack) else {})))
    images, targets = sample[0].clone(), sample[1].clone()
    images[:, 0, 0, 0] = 0.0
    images[:5, 0, 0, 0], targets[:5] = 1.0, 0
    attacked = attack.perturb(broken(trained), images, targets, generator=torch.Generator().manual_seed(5))
    assert torch.equal(attacked.images[:5], images[:5])
    assert not (attacked.success & (attacked.confidence == 0)).any()
    assert broken is NoGradient or (attacked.confidence[:5] == 0).all()
    assert attacked.confidence.isfinite().all()
    alone = attack.perturb(trained, images[5:], targets[5:], generator=torch.Generator().manual_seed(5))
    assert alone.success.any()
    torch.testing.assert_close(attacked.images[5:], alone.images, atol=1e-4, rtol=0)


@pytest.mark.parametrize(
    ("images", "targets", "words"),
    [
        (torch.zeros(2, 8, 8), torch.zeros(2).long(), r"images: expected .*\(N, C, H, W\).*got \(2, 8, 8\)"),
        (torch.zeros(2, 1, 8, 8).byte(), torch.zeros(2).long(), r"float, got \(2, 1, 8, 8\) torch.uint8"),
        (torch.zeros(0, 1, 8, 8), torch.zeros(0).long(), r"images: expected at least one"),
        (torch.full((2, 1, 8, 8), 1.5), torch.zeros(2).long(), "images: expected pixels from 0 to 1, got 1.5 to 1.5"),
        (torch.full((2, 1, 8, 8), -0.5), torch.zeros(2).long(), "images: expected pixels from 0 to 1, got -0.5"),
        (torch.full((2, 1, 8, 8), torch.nan), torch.zeros(2).long(), "images: expected pixels from 0 to 1, got nan"),
        (torch.zeros(2, 1, 8, 8), torch.zeros(3).long(), r"targets: expected \(2,\) int64, got \(3,\)"),
        (torch.zeros(2, 1, 8, 8), torch.zeros(2), r"targets: expected \(2,\) int64, got \(2,\) torch.float32"),
        (torch.zeros(2, 1, 8, 8), torch.tensor([0, 10]), "targets: expected classes below the model's 10, got .*10"),
        (torch.zeros(2, 1, 8, 8), torch.tensor([0, -1]), "targets: expected classes from 0, got -1"),
    ],
)
def test_bad_arguments_are_refused(attack, trained, generator, images, targets, words):
    with pytest.raises(ValueError, match=words):
        attack.perturb(trained, images, targets, generator=generator)


def test_model_without_class_scores_is_refused(generator):
    with pytest.raises(ValueError, match=r"logits: expected \(2, classes\), got \(2, 1, 8, 8\)"):
        PGD().perturb(nn.Identity(), torch.zeros(2, 1, 8, 8), torch.zeros(2).long(), generator=generator)


def test_shortfall_is_at_most_zero_exactly_when_done():
    generator = torch.Generator().manual_seed(0)
    logits = 4 * torch.randn(4000, 5, generator=generator, dtype=torch.float64)
    targets = torch.randint(5, (4000,), generator=generator)
    probability = logits.softmax(1).gather(1, targets[:, None]).squeeze(1)
    for level in (0.0, 0.1, 0.3, 0.5, 0.9, 0.99):
        done = (logits.argmax(1) == targets) & (probability >= level)
        assert torch.equal(PGD(confidence=level).shortfall(logits, targets) <= 0, done), level
        assert done.any()


def test_into_ball_is_inside_both():
    generator = torch.Generator().manual_seed(0)
    clean = torch.rand(50, 3, 4, 4, generator=generator)
    moved = into_ball(clean + torch.randn(clean.shape, generator=generator), clean, 0.7)
    assert l2_norm(moved - clean).max() <= 0.7 + 1e-6
    assert moved.min() >= 0
    assert moved.max() <= 1
    near = clean * 0.99
    torch.testing.assert_close(into_ball(near, clean, 5.0), near)


@pytest.mark.parametrize("name", list(attack_entries()))
def test_every_knob_explains_itself(name):
    records = schema(attack_entries()[name].load())
    assert all(record["help"].endswith(".") for record in records)
    assert configure(attack_entries()[name].load(), {}) == attack_entries()[name].load()()
