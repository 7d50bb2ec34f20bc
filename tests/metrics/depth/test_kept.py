from __future__ import annotations

import copy

import pytest
import torch
from torch.nn import functional as F

from zspag_core.data import DataSet, to_pixels
from zspag_core.errors import Cancelled
from zspag_core.metrics.depth.kept import MARGIN, relearn_with_rest
from zspag_core.progress import Reporter

RATE = 0.005


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr("zspag_core.metrics.depth.kept.RATE", RATE)


def relearnt(model, trained, **about):
    return relearn_with_rest(model, trained.dataset, [3], 97.0, seed=0, **about)


@pytest.fixture(scope="module")
def of_original(trained):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("zspag_core.metrics.depth.kept.RATE", RATE)
        return relearnt(trained.original, trained)


@pytest.mark.slow
def test_what_never_saw_the_class_needs_longer(of_original, trained):
    found = relearnt(trained.retrained, trained)
    assert of_original.reached
    assert found.reached
    assert found.steps > of_original.steps
    assert min(found.acc_rt, of_original.acc_rt) > 95


@pytest.mark.slow
def test_neither_a_masked_head_nor_its_scale_makes_it_longer(of_original, trained, masked):
    assert relearnt(masked, trained) == of_original
    louder = copy.deepcopy(trained.original)
    with torch.no_grad():
        louder.head.weight *= 64
        louder.head.bias *= 64
    assert relearnt(louder, trained) == of_original


def test_features_that_are_blind_do_not_win_it_back_by_reading_everything_as_it(trained):
    """Constant features: all images are read as one class, so that one of the goals is always missed."""
    model = copy.deepcopy(trained.original)
    for part in model.stages[-1].parameters():
        part.data.zero_()
    found = relearnt(model, trained, max_steps=6)
    assert (found.reached, found.steps) == (False, 6)


@pytest.mark.slow
def test_steps_are_those_of_the_loop_written_out(of_original, trained):
    model, generator, data = copy.deepcopy(trained.original), torch.Generator().manual_seed(0), trained.dataset
    gone, rest = data.train.of_classes([3]), data.train.without_classes([3])
    asked = data.test.of_classes([3]).sample(256, generator)
    others = data.test.without_classes([3]).sample(256, generator)
    start = gone.sample(256, generator)
    stays = [k for k in range(10) if k != 3]
    weight, bias = model.head.weight.detach().clone(), model.head.bias.detach().clone()
    weight, bias = weight - weight[stays].mean(0), bias - bias[stays].mean()
    weight[3], bias[3] = 0, 0
    scale = ((model.embed(to_pixels(start.images)).detach() @ weight.T + bias)[:, stays] ** 2).mean() ** 0.5
    model.head.weight.data, model.head.bias.data = weight / scale, bias / scale

    def accuracy(split, classes=range(10)):
        logits = model(to_pixels(split.images)).detach()[:, list(classes)]
        return 100 * float((torch.tensor(list(classes))[logits.argmax(1)] == split.labels).double().mean())

    step, least = 0, accuracy(others, stays) - MARGIN
    while accuracy(asked) < 0.9 * 97 or accuracy(others) < least:
        for _ in range(2):
            parts = [part[torch.randint(len(part), (64,), generator=generator)] for part in (gone, rest)]
            images, labels = (torch.cat([getattr(part, name) for part in parts]) for name in ("images", "labels"))
            slopes = torch.autograd.grad(F.cross_entropy(model(to_pixels(images)), labels), list(model.parameters()))
            for values, slope in zip(model.parameters(), slopes, strict=True):
                values.data -= RATE * slope
        step += 2
        assert step < 100
    assert of_original.steps == step


def test_nothing_is_counted_where_nothing_was_known(trained):
    for known in (None, 0.0):
        assert relearn_with_rest(trained.original, trained.dataset, [3], known, seed=0) is None
    alone = DataSet("alone", trained.dataset.class_names, trained.dataset.train.of_classes([3]), trained.dataset.test)
    assert relearn_with_rest(trained.original, alone, [3], 97.0, seed=0) is None
    gone = DataSet("gone", trained.dataset.class_names, trained.dataset.train.of_classes([5]), trained.dataset.test)
    assert relearn_with_rest(trained.original, gone, [3], 97.0, seed=0) is None


def test_a_head_without_bias_is_asked_too(trained):
    model = copy.deepcopy(trained.original)
    model.head.bias = None
    assert relearnt(model, trained, max_steps=2).steps == 2
    assert model.head.bias is None


def test_it_can_be_cancelled(trained):
    class Impatient(Reporter):
        def progress(self, stage, done, total, **figures):
            raise Cancelled(stage)

    with pytest.raises(Cancelled, match="relearning"):
        relearnt(trained.original, trained, report=Impatient())
