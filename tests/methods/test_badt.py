from __future__ import annotations

import pytest
import torch

from zspag_core.data import to_pixels
from zspag_core.methods.badt import BadTeaching, BadTeachingZS, ask_teachers, imitation_loss
from zspag_core.methods.training_loop import Pair, TrainingSamples
from zspag_core.models import initialise
from zspag_core.runs.context import RunContext


def divergence(teacher, pupil, temperature):
    """KL(teacher ‖ pupil) in nats, in float64 and written out."""
    p, q = ((logits.double() / temperature).softmax(0) for logits in (teacher, pupil))
    return float((p * (p / q).log()).sum())


@pytest.mark.parametrize("temperature", [1.0, 4.0])
@pytest.mark.parametrize("kept", [3, 0])
def test_the_loss_is_the_mean_divergence_from_the_two_teachers(temperature, kept):
    generator = torch.Generator().manual_seed(0)
    ignorant, known, logits = (2 * torch.randn(6, 5, generator=generator) for _ in range(3))
    pair = Pair(torch.tensor([4, 0]), torch.tensor([5, 5, 1])[:kept])
    teachers = [*ignorant[[4, 0]], *known[[5, 5, 1]]][: 2 + kept]
    found = imitation_loss(ignorant, known, temperature)(logits[: 2 + kept], pair)
    expected = [divergence(t, s, temperature) for t, s in zip(teachers, logits, strict=False)]
    assert float(found) == pytest.approx(sum(expected) / len(expected), rel=1e-4)


def test_one_teacher_is_drawn_and_the_other_is_the_original(digits_model, forget, retain):
    samples = TrainingSamples(forget, retain, (3,))
    ignorant, known = ask_teachers(digits_model, samples, torch.Generator().manual_seed(7))
    seed = int(torch.randint(2**31, (), generator=torch.Generator().manual_seed(7)))
    with torch.no_grad():
        drawn = initialise(digits_model.config, seed).eval()(to_pixels(forget.images))
        own = digits_model(to_pixels(retain.images))
    torch.testing.assert_close(ignorant, drawn, atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(known, own, atol=1e-4, rtol=1e-4)
    assert ask_teachers(digits_model, TrainingSamples.only(forget, (3,)), torch.Generator())[1].shape == (0, 10)


def test_the_first_epoch_meets_the_original_at_a_distance_of_nothing(digits_model, forget, retain, generator):
    """On remaining data the pupil is its teacher at first, so all of the loss comes from the forget data."""
    method = BadTeaching(batch_size=500, retain_share=1.0)
    found = method.unlearn(digits_model, forget, retain, (3,), RunContext(generator))
    alone = BadTeachingZS(batch_size=500).unlearn(
        digits_model, forget, (3,), RunContext(torch.Generator().manual_seed(0))
    )
    assert found.history[0]["loss"] > 0
    ignorant, _ = ask_teachers(digits_model, TrainingSamples.only(forget, (3,)), torch.Generator().manual_seed(0))
    with torch.no_grad():
        own = digits_model(to_pixels(forget.images))
    expected = sum(divergence(t, s, 1.0) for t, s in zip(ignorant, own, strict=True)) / len(forget)
    assert alone.history[0]["loss"] == pytest.approx(expected, rel=0.05)


def test_a_share_of_the_remaining_samples_is_used(digits_model, forget, retain, generator, monkeypatch):
    seen = []

    def ask(model, samples, generator, report):
        seen.append(len(samples.retain))
        return ask_teachers(model, samples, generator, report)

    monkeypatch.setattr("zspag_core.methods.badt.ask_teachers", ask)
    for share in (0.3, 1.0, 0.0):
        BadTeaching(retain_share=share).unlearn(digits_model, forget, retain, (3,), RunContext(generator))
    BadTeachingZS().unlearn(digits_model, forget, (3,), RunContext(generator))
    assert seen == [27, 90, 0, 0]


def test_adam_moves_every_weight_by_about_its_step_length(digits_model, forget, generator):
    method = BadTeachingZS(epochs=1, batch_size=500, learning_rate=1e-3)
    found = method.unlearn(digits_model, forget, (3,), RunContext(generator))
    for now, before in zip(found.model.parameters(), digits_model.parameters(), strict=True):
        moved = (now - before).detach().abs()
        assert float(moved.max()) == pytest.approx(1e-3, rel=0.05)
