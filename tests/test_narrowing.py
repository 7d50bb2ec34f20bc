"""Features that carry only what tells the remaining classes apart."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.linear_model import Ridge

from tests.methods.networks import GREY, NETWORKS
from zspag_core.data.dataset import Split, to_pixels
from zspag_core.errors import Cancelled, UsageError
from zspag_core.methods.zspag import ZSPAG
from zspag_core.metrics.accuracy import accuracy
from zspag_core.metrics.deep import probe
from zspag_core.metrics.predictions import outputs_of
from zspag_core.models import build
from zspag_core.models.resnet import ResNetConfig
from zspag_core.models.vit import ViTConfig
from zspag_core.narrowing import narrow
from zspag_core.narrowing.regression import RIDGE
from zspag_core.progress import Reporter
from zspag_core.runs.context import RunContext

WHOLE = ResNetConfig(widths=(4, 8), blocks=(1, 3), **GREY)  # its last blocks hand their input on as it is
NETS = NETWORKS | {"resnet of whole blocks": WHOLE}
SUPPORTED = ("alexnet", "vgg", "resnet", "resnet of whole blocks", "vit")
CPU = torch.device("cpu")


def seeded():
    return torch.Generator().manual_seed(0)


def network(name):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = build(NETS[name])
        for module in model.modules():  # as if it were trained: strong weights, statistics that are not 0 and 1
            if isinstance(module, (torch.nn.Linear, torch.nn.Conv2d)):
                torch.nn.init.kaiming_normal_(module.weight)
            if isinstance(module, torch.nn.BatchNorm2d):
                module.running_mean.normal_(std=0.2)
                module.running_var.uniform_(0.5, 2.0)
                torch.nn.init.uniform_(module.weight, 0.5, 1.5)
        torch.nn.init.normal_(model.head.weight)
        return model.eval()


def noise(count=60):
    return torch.randint(256, (count, 1, 8, 8), generator=seeded(), dtype=torch.uint8)


class Counting(Reporter):
    def __init__(self, stop_at=None):
        self.seen, self.stop_at = [], stop_at

    def progress(self, stage, done, total, **_figures):
        self.seen.append((stage, done, total))
        if self.stop_at is not None and stage == "narrow" and done >= self.stop_at:
            raise Cancelled("enough")


@pytest.mark.slow
@pytest.mark.parametrize("passes", [0, 2])
@pytest.mark.parametrize("name", SUPPORTED)
def test_features_vary_in_as_many_directions_as_remaining_logits_differ(name, passes):
    model = network(name)
    narrowed = narrow(model, [noise()], (1,), passes=passes, generator=seeded())
    features = outputs_of(narrowed.model, noise(200)[60:]).features.double()  # images that it was not fitted to
    lengths = torch.linalg.svdvals(features - features.mean(0))
    assert narrowed.width == 3  # four remaining classes
    assert narrowed.rewritten[-1] == "head"
    assert 2 <= len(narrowed.rewritten) <= 4  # the writers, the head, and the layer before where it is refined
    width = 3 if model.stream is None else 4  # a LayerNorm sees how long the written part is: one direction more
    assert lengths[2] > 1e-2 * lengths[0]
    assert lengths[width:].max() < 1e-4 * lengths[0]


@pytest.mark.parametrize("name", SUPPORTED)
def test_forgotten_logits_are_the_mean_of_the_remaining_ones(name):
    model = narrow(network(name), [noise()], (1, 4), passes=0, generator=seeded()).model
    logits = outputs_of(model, noise(200)).logits
    rest = logits[:, [0, 2, 3]]
    torch.testing.assert_close(logits[:, [1, 4]], rest.mean(1, keepdim=True).expand(-1, 2), atol=1e-4, rtol=0)
    assert not torch.isin(logits.argmax(1), torch.tensor([1, 4])).any()


def test_the_fit_equals_a_ridge_regression_of_the_differences_of_logits():
    model, images = network("alexnet"), noise()
    entered = []
    handle = model.hidden[-1].register_forward_pre_hook(lambda _, inputs: entered.append(inputs[0].double()))
    logits = model(to_pixels(images, CPU)).detach()[:, [0, 2, 3, 4]].double()
    handle.remove()
    inputs, wanted = entered[0].detach().numpy(), (logits - logits.mean(1, keepdim=True)).numpy()
    alpha = RIDGE * float(np.var(inputs, axis=0).mean()) * len(inputs)
    expected = Ridge(alpha=alpha).fit(inputs, wanted).predict(inputs)
    result = narrow(model, [images], (1,), passes=0, generator=seeded())
    found = outputs_of(result.model, images).logits[:, [0, 2, 3, 4]].numpy()
    np.testing.assert_allclose(found, expected, atol=2e-4 * np.abs(wanted).max())
    explained = 1 - np.square(expected - wanted).sum() / np.square(wanted - wanted.mean(0)).sum()
    assert result.fit == pytest.approx(explained, abs=1e-6)


@pytest.mark.slow
def test_a_trained_network_keeps_the_rest(small_digits, digits_model):
    images = [small_digits.train.without_classes((3,)).images, small_digits.train.of_classes((3,)).images]
    model = narrow(digits_model, images, (3,), passes=5, generator=seeded()).model
    test = small_digits.test
    before, after = (
        accuracy(outputs_of(network, test.images).logits, test.labels, (3,)) for network in (digits_model, model)
    )
    assert after.acc_ut == 0
    assert after.acc_rt >= before.acc_rt - 2


def test_a_probe_finds_no_more_than_the_remaining_logits_give_away(small_digits, digits_model):
    train, test = small_digits.train, small_digits.test
    model = narrow(digits_model, [train.images], (3,), passes=0, generator=seeded()).model
    seen, asked = (outputs_of(model, split.images) for split in (train, test))
    given = [outputs.logits - outputs.logits[:, [3]] for outputs in (seen, asked)]  # remaining logits less their mean
    by_features = probe(seen.features, train.labels, asked.features, test.labels, (3,), 0)
    by_logits = probe(given[0], train.labels, given[1], test.labels, (3,), 0)
    assert by_features == pytest.approx(by_logits, abs=8)  # the same information, standardised along other axes


@pytest.mark.slow
def test_more_passes_bring_the_fit_nearer(small_digits, digits_model):
    images = [small_digits.train.images[:500]]
    few, many = (narrow(digits_model, images, (0,), passes=passes, generator=seeded()).fit for passes in (1, 40))
    assert few < many < 1


def test_the_same_seed_gives_the_same_weights_and_leaves_the_model_as_it_was(
    digits_model, small_digits, state_of, assert_untouched
):
    before, images = state_of(digits_model), small_digits.train.images[:200]
    groups = [images[:100], to_pixels(images[100:], CPU)]
    first, second = (narrow(digits_model, groups, (3,), passes=2, generator=seeded()).model for _ in range(2))
    assert all(
        torch.equal(a, b) for a, b in zip(first.state_dict().values(), second.state_dict().values(), strict=True)
    )
    assert_untouched(digits_model, before)


def test_progress_is_counted_to_its_end():
    report = Counting()
    narrow(network("vgg"), [noise(), noise(30)], (1,), passes=3, generator=seeded(), report=report)
    done = [count for _, count, _ in report.seen]
    assert done == sorted(done)
    assert report.seen[-1] == ("narrow", 450, 450)


def test_a_cancelled_fit_leaves_no_hooks(state_of, assert_untouched):
    model = network("resnet")
    before = state_of(model)
    with pytest.raises(Cancelled):
        narrow(model, [noise()], (1,), passes=1, generator=seeded(), report=Counting(stop_at=70))
    assert_untouched(model, before)


def test_what_comes_down_the_stream_of_a_transformer_is_rounded_away():
    model = narrow(network("vit"), [noise()], (1,), passes=0, generator=seeded()).model
    entered = []
    handle = model.blocks[-1].down.register_forward_pre_hook(lambda _, inputs: entered.append(inputs[0][:, 0].double()))
    features = model.embed(to_pixels(noise(200), CPU)).double()
    handle.remove()
    written = entered[0] @ model.blocks[-1].down.weight.double().T + model.blocks[-1].down.bias.double()
    alone = torch.nn.functional.layer_norm(written, written.shape[1:])
    torch.testing.assert_close(features, alone, atol=3e-6, rtol=0)


def test_what_the_stream_told_the_head_goes_on_through_pairs_of_hidden_units():
    model = build(ViTConfig(width=16, depth=1, heads=2, hidden=32, **GREY)).eval()
    torch.nn.init.normal_(model.head.weight, generator=seeded())
    torch.nn.init.zeros_(model.blocks[0].up.weight)  # the hidden units tell nothing: all is in the stream
    narrowed = narrow(model, [noise(400)], (1,), passes=0, generator=seeded())
    assert narrowed.fit > 0.9
    assert "blocks.0.up" in narrowed.rewritten


def test_more_classes_than_features_are_refused_where_a_norm_follows():
    model = build(ViTConfig(width=8, depth=1, heads=2, hidden=16, **(GREY | {"num_classes": 10}))).eval()
    with pytest.raises(UsageError, match=r"expected fewer remaining classes than the 8 features .* got 9"):
        narrow(model, [noise()], (1,), passes=0, generator=seeded())


def test_blocks_that_hand_on_what_was_narrowed_add_nothing():
    narrowed = narrow(network("resnet of whole blocks"), [noise()], (1,), passes=0, generator=seeded())
    model, pixels = narrowed.model, to_pixels(noise(200), CPU)
    before = model.embed(pixels)
    model.stages[-1] = model.stages[-1][:1]
    assert torch.equal(model.embed(pixels), before)
    assert narrowed.rewritten == ("stages.1.0.convs.1.0", "stages.1.0.shortcut.0", "head")


def whole_stage():
    """A ResNet no block of whose last stage has a projection."""
    return build(ResNetConfig(widths=(8,), blocks=(2,), **GREY)).eval()


def test_a_network_whose_features_are_written_otherwise_is_refused():
    with pytest.raises(UsageError, match=r"narrow: expected a network .* got resnet; leave the preset 'deep' aside"):
        narrow(whole_stage(), [noise()], (1,), passes=1, generator=seeded())


def test_one_remaining_class_is_refused():
    with pytest.raises(UsageError, match="expected at least two remaining classes, got 1"):
        narrow(network("vgg"), [noise()], (0, 1, 2, 3), passes=1, generator=seeded())


@pytest.mark.slow
def test_zspag_narrows_after_its_descent(small_digits, digits_model):
    method = ZSPAG(narrow=2, epochs=3, n_adv=20)
    run = method.unlearn(digits_model, small_digits.train.of_classes((3,)), (3,), RunContext(seeded()))
    features = outputs_of(run.model, small_digits.test.images).features.double()
    lengths = torch.linalg.svdvals(features - features.mean(0))
    assert lengths[8:].max() < 1e-4 * lengths[0]
    assert run.seconds["narrow"] > 0
    assert "head" in run.rewritten


@pytest.mark.slow
def test_zspag_cancelled_while_narrowing_is_cancelled(small_digits, digits_model):
    method, forget = ZSPAG(narrow=2, epochs=3, n_adv=20), small_digits.train.of_classes((3,))
    run = method.unlearn(digits_model, forget, (3,), RunContext(seeded(), Counting(stop_at=1)))
    assert run.stopped == "cancelled"
    assert run.history


def test_zspag_refuses_such_a_network_before_any_work():
    seen = Counting()
    forget = Split(noise(20), torch.full((20,), 1))
    with pytest.raises(UsageError, match="got resnet; leave the preset 'deep' aside"):
        ZSPAG(narrow=2).unlearn(whole_stage(), forget, (1,), RunContext(seeded(), seen))
    assert not seen.seen
