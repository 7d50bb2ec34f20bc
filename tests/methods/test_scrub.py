from __future__ import annotations

import copy

import pytest
import torch
from torch.nn import functional as F

from zspag_core.data import to_pixels
from zspag_core.methods import scrub
from zspag_core.methods.scrub import Scrub, divergence, one_kind_a_step
from zspag_core.progress import Reporter
from zspag_core.runs.context import RunContext

pytestmark = pytest.mark.usefixtures("exact")


def seeded():
    return torch.Generator().manual_seed(0)


def test_divergence_is_of_softened_answers_times_temperature_squared(generator):
    mine, theirs = torch.randn(5, 4, generator=generator), torch.randn(5, 4, generator=generator)
    p, q = (theirs / 3).softmax(1), (mine / 3).softmax(1)
    expected = 9 * (p * (p / q).log()).sum(1).mean()
    torch.testing.assert_close(divergence(mine, theirs, 3.0), expected)


def test_a_pass_over_forget_samples_comes_before_one_over_remaining_samples():
    pairs = one_kind_a_step(70, 300, 32, 128, seeded())
    assert [(len(pair.forget), len(pair.retain)) for pair in pairs] == [
        (32, 0),
        (32, 0),
        (6, 0),
        (0, 128),
        (0, 128),
        (0, 44),
    ]
    assert sorted(torch.cat([pair.forget for pair in pairs]).tolist()) == list(range(70))
    assert sorted(torch.cat([pair.retain for pair in pairs]).tolist()) == list(range(300))


def test_a_max_step_climbs_the_divergence_and_a_min_step_descends_both_terms(digits_model, forget, retain, monkeypatch):
    """An epoch of one step each, whose momentum goes on from the first into the second, beside a loop written here."""
    settings = {"alpha": 0.5, "gamma": 0.9, "temperature": 2.0, "weight_decay": 0.01, "learning_rate": 0.003}
    start = copy.deepcopy(digits_model)
    with torch.no_grad():  # where model and original agree the divergence has no slope
        start.head.weight.mul_(0.7)
    known = [digits_model(to_pixels(part.images)).detach() for part in (forget, retain)]
    answers = iter(known)
    monkeypatch.setattr(scrub, "outputs_of", lambda *_, **__: type("Told", (), {"logits": next(answers)}))
    found = Scrub(epochs=1, max_epochs=1, batch_size=100, forget_batch=100, **settings).unlearn(
        start, forget, retain, (3,), RunContext(seeded())
    )

    def kl(logits, told):
        p, log_q = (told / 2).softmax(1), (logits / 2).log_softmax(1)
        return 4 * (p * (p.log() - log_q)).sum(1).mean()

    model, weights = start, [weight.detach() for weight in start.parameters()]
    speed = [torch.zeros_like(weight) for weight in weights]
    for loss in (
        lambda: -kl(model(to_pixels(forget.images)), known[0]),
        lambda: (
            0.9 * F.cross_entropy(logits := model(to_pixels(retain.images)), retain.labels) + 0.5 * kl(logits, known[1])
        ),
    ):
        slopes = torch.autograd.grad(loss(), list(model.parameters()))
        speed = [0.9 * v + g + 0.01 * w for v, g, w in zip(speed, slopes, weights, strict=True)]
        for weight, step in zip(weights, speed, strict=True):
            weight.sub_(step, alpha=0.003)
    for one, two in zip(found.model.parameters(), model.parameters(), strict=True):
        torch.testing.assert_close(one, two, atol=1e-5, rtol=1e-3)


def test_only_the_first_epochs_have_a_pass_over_forget_samples(digits_model, forget, retain):
    class Ear(Reporter):
        heard: list[tuple[int, int]] = []  # noqa: RUF012 - one test

        def progress(self, stage, done, total, **figures):
            if stage == "unlearn":
                self.heard.append((done, total))

    found = Scrub(epochs=2, max_epochs=1, batch_size=45, forget_batch=20).unlearn(
        digits_model, forget, retain, (3,), RunContext(seeded(), Ear())
    )
    assert [set(row) for row in found.history] == [{"epoch", "loss", "forget_accuracy"}, {"epoch", "loss"}]
    assert Ear.heard == [(1, 8), (2, 8), (3, 8), (4, 8), (7, 8), (8, 8)]


def test_without_max_epochs_it_only_stays_near(digits_model, forget, retain):
    found = Scrub(epochs=1, max_epochs=0, batch_size=90).unlearn(
        digits_model, forget, retain, (3,), RunContext(seeded())
    )
    with torch.no_grad():
        logits = digits_model(to_pixels(retain.images))
    assert found.history == [
        {"epoch": 1.0, "loss": pytest.approx(0.99 * F.cross_entropy(logits, retain.labels).item(), rel=1e-3)}
    ]
