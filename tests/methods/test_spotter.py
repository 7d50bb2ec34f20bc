from __future__ import annotations

import copy
from functools import partial

import pytest
import torch
from torch.nn import functional as F

from zspag_core import batching
from zspag_core.data import to_pixels
from zspag_core.methods.spotter import Scattering, Spotter, StepOutputs, alikeness
from zspag_core.methods.training_loop import Pair, TrainingSamples, spread
from zspag_core.runs.context import RunContext

pytestmark = pytest.mark.usefixtures("exact")


def scattering(model, forget, **settings):
    return Scattering(
        model,
        TrainingSamples.only(forget, (3,)),
        settings=Spotter(**settings),
        optimizer=partial(torch.optim.SGD, lr=0.01),
        order=partial(spread, len(forget), 0, 100),
    )


def test_alikeness_is_the_mean_cosine_within_a_class():
    """Cosines 0.6 and 0 by hand: pairs (0, 1) of class 1 and (2, 3) of class 2; the last image is alone."""
    features = torch.tensor([[1.0, 0.0], [3.0, 4.0], [2.0, 0.0], [0.0, 5.0], [1.0, 1.0]])
    assert float(alikeness(features, torch.tensor([1, 1, 2, 2, 0]))) == pytest.approx(0.3)
    assert float(alikeness(features[:2], torch.tensor([0, 1]))) == 0.0


def test_the_objective_weighs_three_terms(digits_model, forget, generator):
    work = scattering(digits_model, forget, share=0.6, dispersion=2.0)
    said = StepOutputs(*(torch.randn(4, n, generator=generator) for n in (16, 10, 10)))
    told, near = (torch.randn(4, 10, generator=generator).softmax(1) for _ in range(2))
    labels = torch.tensor([3, 3, 3, 8])
    kl = [(p * (p.log() - q.log_softmax(1))).sum(1).mean() for p, q in ((told, said.logits), (near, said.near))]
    rows = F.normalize(said.features[:3], dim=1)
    cosine = sum(rows[i] @ rows[j] for i in range(3) for j in range(3) if i != j) / 6
    torch.testing.assert_close(work.objective(said, told, near, labels), 0.6 * kl[0] + 0.4 * kl[1] + 2 * cosine)


def test_near_images_stay_near_and_lead_away_from_the_runner_up(digits_model, forget):
    work = scattering(digits_model, forget, nearness=0.2, attack_step=0.05, attack_steps=6)
    pixels = to_pixels(forget.images)
    near = work.nearby(pixels, forget.labels, torch.Generator().manual_seed(0))
    apart = (near - pixels) / digits_model.std
    assert 0.15 < float(apart.abs().max()) <= 0.2 + 1e-5
    assert float(near.min()) >= 0
    assert float(near.max()) <= 1
    with torch.no_grad():
        before, after = digits_model(pixels), digits_model(near)
    second = before.clone()
    second[:, 3] = -torch.inf
    aim = second.argmax(1)
    assert float(F.cross_entropy(after, aim)) > float(F.cross_entropy(before, aim)) + 0.1


def test_without_its_own_terms_it_is_deletes_first_step(digits_model, forget, generator):
    found = Spotter(epochs=1, batch_size=100, learning_rate=0.01, share=1.0, dispersion=0.0, weight_decay=0.0).unlearn(
        digits_model, forget, (3,), RunContext(generator)
    )
    model = copy.deepcopy(digits_model)
    logits = model(to_pixels(forget.images))
    masked = logits.detach().clone()
    masked[:, 3] = -torch.inf
    loss = -(masked.softmax(1) * logits.log_softmax(1)).sum(1).mean()
    slopes = torch.autograd.grad(loss, list(model.parameters()))
    for now, before, slope in zip(found.model.parameters(), model.parameters(), slopes, strict=True):
        torch.testing.assert_close(now, before - 0.01 * slope, atol=1e-5, rtol=1e-3)


def test_images_that_do_not_fit_together_have_the_same_gradients(digits_model, forget, monkeypatch):
    pair, found = Pair(torch.arange(10), torch.zeros(0, dtype=torch.int64)), []
    for budget in (batching.CPU_BYTES, 4 * batching.bytes_of_one(digits_model, forget.images)):
        monkeypatch.setattr(batching, "CPU_BYTES", budget)
        work = scattering(digits_model, forget, nearness=0.0)
        loss, logits = work.descend(forget.images[:10], pair, torch.Generator().manual_seed(0))
        found.append([torch.tensor(loss), logits, *(weight.grad for weight in work.model.parameters())])
    for one, two in zip(*found, strict=True):
        torch.testing.assert_close(one, two, atol=1e-5, rtol=1e-3)
