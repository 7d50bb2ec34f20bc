from __future__ import annotations

import copy

import pytest
import torch

from zspag_core.data import Split, to_pixels
from zspag_core.methods.delete import Delete, distillation_loss, masked_answers
from zspag_core.methods.relabel import Posterior
from zspag_core.methods.training_loop import Pair, TrainingSamples
from zspag_core.runs.context import RunContext

pytestmark = pytest.mark.usefixtures("exact")
NOTHING = torch.zeros(0, dtype=torch.int64)


def expected_targets(model, split, classes):
    """e^z over the outputs that are neither forgotten nor the sample's own label, divided by their sum."""
    with torch.no_grad():
        powers = model(to_pixels(split.images)).double().exp()
    for row, label in zip(powers, split.labels.tolist(), strict=True):
        row[[*classes, label]] = 0.0
    return powers / powers.sum(1, keepdim=True)


@pytest.mark.parametrize("classes", [(3,), (3, 5)], ids=str)
def test_targets_are_the_originals_answers_with_the_forgotten_outputs_masked(digits_model, forget, classes):
    planted = Split(forget.images, torch.where(torch.arange(len(forget)) % 4 == 0, 8, 3))
    for split in (forget, planted):
        found = masked_answers(digits_model, TrainingSamples.only(split, classes))
        torch.testing.assert_close(found.double(), expected_targets(digits_model, split, classes), atol=1e-6, rtol=1e-4)


def test_they_are_those_of_posterior_labels(digits_model, forget):
    runs = [
        kind(epochs=1).unlearn(digits_model, forget, (3,), RunContext(torch.Generator().manual_seed(0)))
        for kind in (Delete, Posterior)
    ]
    torch.testing.assert_close(runs[0].labels.labels, runs[1].labels.labels, atol=1e-6, rtol=1e-4)


def test_the_loss_is_the_divergence_from_the_targets():
    """Two samples of three classes, worked by hand."""
    targets = torch.tensor([[0.5, 0.5, 0.0], [0.25, 0.75, 0.0]])
    logits = torch.tensor([[0.0, 0.0, 0.0], [0.0, 0.0, 0.0]])
    third = torch.tensor(1 / 3)
    expected = (torch.log(0.5 / third) + 0.25 * torch.log(0.25 / third) + 0.75 * torch.log(0.75 / third)) / 2
    found = distillation_loss(targets)(logits, Pair(torch.arange(2), NOTHING))
    assert float(found) == pytest.approx(float(expected), rel=1e-5)


def test_the_first_step_is_one_of_sgd_on_the_divergence_and_moves_every_weight(digits_model, forget, generator):
    found = Delete(epochs=1, batch_size=100, learning_rate=0.01).unlearn(
        digits_model, forget, (3,), RunContext(generator)
    )
    model = copy.deepcopy(digits_model)
    told = expected_targets(digits_model, forget, (3,)).float()
    log_q = model(to_pixels(forget.images)).log_softmax(1)
    loss = (torch.xlogy(told, told) - told * log_q).sum(1).mean()
    slopes = torch.autograd.grad(loss, list(model.parameters()))
    for now, before, slope in zip(found.model.parameters(), model.parameters(), slopes, strict=True):
        torch.testing.assert_close(now, before - 0.01 * slope, atol=1e-6, rtol=1e-4)
    assert found.history[0]["loss"] == pytest.approx(loss.item(), rel=1e-4)
