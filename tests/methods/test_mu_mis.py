from __future__ import annotations

import copy

import pytest
import torch

from zspag_core.data import to_pixels
from zspag_core.methods import mu_mis
from zspag_core.methods.mu_mis import MuMis
from zspag_core.methods.training_loop import Pair
from zspag_core.runs.context import RunContext

pytestmark = pytest.mark.usefixtures("exact")


def sensitivity(model, image, label):
    """‖∇x f_label(x)‖² of one image (C, H, W), which weights can be derived through."""
    image = image.clone().requires_grad_()
    (slope,) = torch.autograd.grad(model(image[None])[0, label], image, create_graph=True)
    return slope.square().sum()


def test_the_first_step_is_down_the_difference_of_sensitivities(digits_model, forget, generator, monkeypatch):
    some = forget[torch.arange(8)]
    others = torch.tensor([0, 1, 2, 4, 5, 6, 7, 8])

    def drawn(barred, _generator):
        assert barred.any(0).nonzero().flatten().tolist() == [3]
        return torch.nn.functional.one_hot(others, 10).float()

    monkeypatch.setattr(mu_mis, "random_labels", drawn)
    monkeypatch.setattr(mu_mis, "spread", lambda *_: [Pair(torch.arange(8), torch.zeros(0, dtype=torch.int64))])
    found = MuMis(epochs=1, batch_size=8, learning_rate=1e-4).unlearn(digits_model, some, (3,), RunContext(generator))
    model, pixels = copy.deepcopy(digits_model), to_pixels(some.images)
    loss = torch.stack(
        [sensitivity(model, x, 3) - sensitivity(model, x, int(k)) for x, k in zip(pixels, others, strict=True)]
    ).mean()
    slopes = torch.autograd.grad(loss, list(model.parameters()), allow_unused=True)
    for now, before, slope in zip(found.model.parameters(), model.parameters(), slopes, strict=True):
        step = 0 if slope is None else 1e-4 * slope
        torch.testing.assert_close(now, before - step, atol=1e-5, rtol=1e-3)
    assert found.history[0]["loss"] == pytest.approx(loss.item(), rel=1e-3)


@pytest.mark.slow
def test_the_gap_closes(digits_model, forget, generator):
    found = MuMis(epochs=8, batch_size=20, learning_rate=3e-6).unlearn(
        digits_model, forget, (3,), RunContext(generator)
    )
    losses = [row["loss"] for row in found.history]
    assert losses[-1] < 0.9 * losses[0]
