from __future__ import annotations

import copy

import pytest
import torch
from torch.nn import functional as F

from zspag_core.data import to_pixels
from zspag_core.errors import UnlearningError
from zspag_core.methods.neggrad import NegGrad, NegGradZS
from zspag_core.runs.context import RunContext

pytestmark = pytest.mark.usefixtures("exact")


def after_one_step(model, loss_of, rate, decay):
    """Return the weights after one step of SGD, whose momentum has nothing to repeat yet."""
    model = copy.deepcopy(model)
    weights = list(model.parameters())
    slope = torch.autograd.grad(loss_of(model), weights)
    return [weight.detach() - rate * (g + decay * weight.detach()) for weight, g in zip(weights, slope, strict=True)]


def assert_same(model, weights):
    for now, expected in zip(model.parameters(), weights, strict=True):
        torch.testing.assert_close(now.detach(), expected, atol=1e-6, rtol=1e-5)


@pytest.mark.parametrize("alpha", [0.9999, 0.6, 0.0])
def test_the_first_step_weighs_descent_against_ascent(digits_model, forget, retain, generator, alpha):
    method = NegGrad(epochs=1, batch_size=200, learning_rate=0.01, alpha=alpha)
    found = method.unlearn(digits_model, forget, retain[torch.arange(40)], (3,), RunContext(generator))

    def loss(model):
        kept = F.cross_entropy(model(to_pixels(retain.images[:40])), retain.labels[:40])
        return alpha * kept - (1 - alpha) * F.cross_entropy(model(to_pixels(forget.images)), forget.labels)

    assert_same(found.model, after_one_step(digits_model, loss, 0.01, 5e-4))
    assert found.history[0]["loss"] == pytest.approx(loss(digits_model).item(), rel=1e-4, abs=1e-6)


def test_ascent_alone_climbs_the_forget_loss(digits_model, forget, generator):
    method = NegGradZS(epochs=1, batch_size=200, learning_rate=0.003, weight_decay=0.0)
    found = method.unlearn(digits_model, forget, (3,), RunContext(generator))

    def loss(model):
        return -F.cross_entropy(model(to_pixels(forget.images)), forget.labels)

    assert_same(found.model, after_one_step(digits_model, loss, 0.003, 0.0))
    assert loss(found.model) < loss(digits_model)


def test_ascent_stops_with_a_sentence_where_numbers_end(digits_model, forget, generator):
    with pytest.raises(UnlearningError, match=r"the loss became (nan|-inf) in epoch \d+; try a learning_rate below 1$"):
        NegGradZS(epochs=100, learning_rate=1.0).unlearn(digits_model, forget, (3,), RunContext(generator))
