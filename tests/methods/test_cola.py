from __future__ import annotations

import copy
import math

import pytest
import torch
from torch.nn import functional as F

from zspag_core import batching
from zspag_core.data import to_pixels
from zspag_core.errors import Cancelled
from zspag_core.methods.cola import Cola, contrast
from zspag_core.progress import Reporter
from zspag_core.runs.context import RunContext
from zspag_core.runs.stage_cache import FileStageCache

pytestmark = pytest.mark.usefixtures("exact")
STEPS = {"batch_size": 100, "learning_rate": 0.02, "collapse_rate": 0.01, "momentum": 0.9, "weight_decay": 0.01}


def unlearn(model, forget, retain, **settings):
    context = RunContext(torch.Generator().manual_seed(0))
    return Cola(**(STEPS | settings)).unlearn(model, forget, retain, (3,), context)


def written_out(features, labels, temperature):
    """The loss of a batch, image by image."""
    z = [row / row.norm() for row in features]
    losses = []
    for i in range(len(z)):
        told = {a: math.exp(float(z[i] @ z[a]) / temperature) for a in range(len(z)) if a != i}
        own = [told[p] for p in told if labels[p] == labels[i]]
        if own:
            losses.append(-sum(math.log(one / sum(told.values())) for one in own) / len(own))
    return sum(losses) / len(losses)


def test_the_contrast_is_khoslas_image_by_image(generator):
    features, labels = torch.randn(7, 5, generator=generator).double(), torch.tensor([0, 0, 1, 2, 1, 0, 4])
    assert float(contrast(features, labels, 0.3)) == pytest.approx(written_out(features, labels.tolist(), 0.3))


def test_a_batch_without_two_of_a_class_has_no_contrast_and_no_slope():
    for labels in ([0, 1, 2], [0]):
        features = torch.ones(len(labels), 4, requires_grad=True)
        loss = contrast(features, torch.tensor(labels), 0.1)
        loss.backward()
        assert float(loss.detach()) == 0.0
        assert not features.grad.any()


def test_encoder_and_then_all_weights_take_steps_of_their_own_loss(digits_model, forget, retain):
    """One epoch of one step each, whose momentum does not go on from the first into the second, beside a loop here."""
    found = unlearn(digits_model, forget, retain, epochs=2, collapse_epochs=1, temperature=0.5).model
    model, pixels = copy.deepcopy(digits_model), to_pixels(retain.images)
    weights = list(model.parameters())
    moved = [weight for weight in weights if all(weight is not one for one in model.head.parameters())]
    slopes = torch.autograd.grad(contrast(model.embed(pixels), retain.labels, 0.5), moved)
    with torch.no_grad():
        for weight, slope in zip(moved, slopes, strict=True):
            weight.sub_(0.01 * (slope + 0.01 * weight))
    slopes = torch.autograd.grad(F.cross_entropy(model(pixels), retain.labels), weights)
    with torch.no_grad():
        for weight, slope in zip(weights, slopes, strict=True):
            weight.sub_(0.02 * (slope + 0.01 * weight))
    for one, two in zip(found.parameters(), weights, strict=True):
        torch.testing.assert_close(one, two, atol=1e-5, rtol=1e-3)


def test_the_collapse_leaves_the_head_and_draws_classes_together(digits_model, forget, retain):
    found = unlearn(digits_model, forget, retain, epochs=4, collapse_epochs=4, collapse_rate=0.05, temperature=0.1)
    for name, value in digits_model.head.state_dict().items():
        assert torch.equal(found.model.head.state_dict()[name], value)

    def mixed(model):
        """How many times likelier another image of the class is than any by chance, image by image, as a loss."""
        with torch.no_grad():
            return written_out(model.embed(to_pixels(retain.images)), retain.labels.tolist(), 0.1)

    assert mixed(found.model) < mixed(digits_model) - 0.05
    assert all(set(row) == {"epoch", "loss"} for row in found.history), "forget samples take no part"


def test_images_that_do_not_fit_together_take_the_same_steps(digits_model, forget, retain, monkeypatch):
    settings = {"epochs": 2, "collapse_epochs": 1, "weight_decay": 0.0}
    whole = unlearn(digits_model, forget, retain, **settings)
    monkeypatch.setattr(batching, "CPU_BYTES", 7 * batching.bytes_of_one(digits_model, retain.images))
    parts = unlearn(digits_model, forget, retain, **settings)
    assert [row["loss"] for row in parts.history] == pytest.approx([row["loss"] for row in whole.history], rel=1e-4)
    for one, two in zip(parts.model.parameters(), whole.model.parameters(), strict=True):
        torch.testing.assert_close(one, two, atol=2e-5, rtol=1e-3)


class Stop(Reporter):
    def epoch(self, number, total, model, **figures):
        if number == 2:
            raise Cancelled("stop")


def test_an_interrupted_run_goes_on_in_its_part(digits_model, forget, retain, tmp_path):
    method = Cola(epochs=3, collapse_epochs=1, **STEPS)

    def run(**rest):
        return method.unlearn(digits_model, forget, retain, (3,), RunContext(torch.Generator().manual_seed(0), **rest))

    whole, cache = run(), FileStageCache(tmp_path, "a")
    assert run(cache=cache, report=Stop()).stopped == "cancelled"
    rest = run(cache=cache)
    assert rest.history == whole.history
    assert all(
        torch.equal(a, b)
        for a, b in zip(rest.model.state_dict().values(), whole.model.state_dict().values(), strict=True)
    )
