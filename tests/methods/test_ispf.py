from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from zspag_core.data import Split
from zspag_core.errors import Cancelled, UnlearningError
from zspag_core.methods.ispf import ISPF, Filtering, apart, filtered, synthesis_loss
from zspag_core.progress import Reporter
from zspag_core.runs.context import RunContext
from zspag_core.runs.stage_cache import FileStageCache

TINY = {"epochs": 1, "rounds": 2, "batch_size": 16, "student_steps": 2, "warmup": 1}
NOTHING = Split(torch.zeros(0, 1, 8, 8, dtype=torch.uint8), torch.zeros(0).long())


class Ear(Reporter):
    def __init__(self, stop_at=0):
        self.heard, self.stop_at = [], stop_at

    def progress(self, stage, done, total, **figures):
        self.heard.append((stage, done, total))

    def epoch(self, number, total, model, **figures):
        assert not model.training
        if number == self.stop_at:
            raise Cancelled("stop")


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def same(one, two):
    return all(torch.equal(a, b) for a, b in zip(one.state_dict().values(), two.state_dict().values(), strict=True))


def test_an_answer_is_filtered_by_sharing_out_what_it_says_of_forgotten_classes():
    """Two forgotten classes of five, worked by hand: only the first is likely, and leads the least logit by 6."""
    logits = torch.tensor([[4.0, -2.0, 1.0, 0.0, -1.0], [-9.0, -8.0, 1.0, 0.0, 2.0]])
    found = filtered(logits, [0, 1], 0.01)
    assert found[0].tolist() == [-2.0, -2.0, 3.0, 2.0, 1.0]
    assert torch.equal(found[1], logits[1])


def test_synthesis_seeks_disagreement_on_remaining_classes_and_agreement_on_forgotten_ones(generator):
    told, answer = (2 * torch.randn(6, 4, generator=generator) for _ in range(2))
    t, s = told.softmax(1), answer.softmax(1)
    sure = -(t.max(1).values.log()).mean()
    share = t.mean(0)
    apart_ = t * (t / s).log()
    expected = sure + (share * share.log()).sum() + (apart_[:, 1] - apart_[:, [0, 2, 3]].sum(1)).mean()
    torch.testing.assert_close(synthesis_loss(told, answer, [1]), expected)


def test_layers_tell_how_strange_their_inputs_are():
    norm = nn.BatchNorm2d(2).eval()
    norm.running_mean.copy_(torch.tensor([1.0, 0.0]))
    norm.running_var.copy_(torch.tensor([4.0, 1.0]))
    values = torch.tensor([[[[1.0, 3.0]], [[0.0, 2.0]]]])
    with apart(norm) as found:
        norm(values)
    assert float(found[0]) == pytest.approx(math.sqrt(1 + 1) + 3.0)
    assert not norm._forward_hooks


@pytest.mark.slow
def test_no_image_is_seen(digits_model, small_digits):
    runs = [
        ISPF(**TINY).unlearn(digits_model, some, (3,), RunContext(seeded())) for some in (small_digits.train, NOTHING)
    ]
    assert same(runs[0].model, runs[1].model)
    other = ISPF(**TINY).unlearn(digits_model, NOTHING, (3,), RunContext(seeded(1)))
    assert not same(other.model, runs[0].model)


def test_the_student_learns_only_after_the_warmup(digits_model):
    work = Filtering(ISPF(**TINY), digits_model, (3,), seeded())
    fresh = {name: value.clone() for name, value in work.model.state_dict().items()}
    invented = [weight.clone() for weight in work.inventor.parameters()]
    told = type("Told", (), {"step": lambda *_: None})()
    work.epoch(1, seeded(), told)
    assert all(torch.equal(value, fresh[name]) for name, value in work.model.state_dict().items())
    assert not all(torch.equal(a, b) for a, b in zip(work.inventor.parameters(), invented, strict=True))
    work.epoch(2, seeded(), told)
    assert not torch.equal(work.model.head.weight, fresh["head.weight"])


def test_the_students_steps_get_shorter_by_a_cosine(digits_model):
    work = Filtering(ISPF(), digits_model, (3,), seeded())
    rates = {}
    for number in (-1, 1, 101, 201, 500):
        work._slow_down(number)
        rates[number] = work.optimizers["student"].param_groups[0]["lr"]
    assert rates == pytest.approx({-1: 0.05, 1: 0.05, 101: 0.0251, 201: 2e-4, 500: 2e-4})


@pytest.mark.slow
def test_student_and_original_come_to_agree(digits_model):
    settings = {"epochs": 3, "rounds": 3, "student_steps": 5, "batch_size": 64, "warmup": 1}
    found = ISPF(**settings).unlearn(digits_model, NOTHING, (3,), RunContext(seeded()))
    losses = [row["loss"] for row in found.history[1:]]
    assert losses[-1] < losses[0]


def test_numbers_that_are_none_are_said(digits_config):
    from zspag_core.models import build

    broken = build(digits_config).eval()
    nn.init.constant_(broken.head.bias, math.nan)
    with pytest.raises(UnlearningError, match=r"the loss became nan in epoch 1; try a learning_rate below 0\.05"):
        ISPF(**TINY).unlearn(broken, NOTHING, (3,), RunContext(seeded()))


@pytest.mark.slow
def test_cancelled_and_resumed_is_the_same_as_uninterrupted(digits_model, tmp_path):
    memory, ear = FileStageCache(tmp_path, "a"), Ear()
    whole = ISPF(**TINY).unlearn(digits_model, NOTHING, (3,), RunContext(seeded(), ear))
    assert ear.heard == [("unlearn", done, 4) for done in range(1, 5)]
    cut = ISPF(**TINY).unlearn(digits_model, NOTHING, (3,), RunContext(seeded(), Ear(1), cache=memory))
    assert (cut.stopped, len(cut.history)) == ("cancelled", 1)
    rest = ISPF(**TINY).unlearn(digits_model, NOTHING, (3,), RunContext(seeded(), cache=memory))
    assert (rest.stopped, rest.history) == ("epochs", whole.history)
    assert same(rest.model, whole.model)
