from __future__ import annotations

import copy
from dataclasses import replace

import pytest
import torch
from torch.nn import functional as F

from zspag_core.data import to_pixels
from zspag_core.errors import Cancelled, UnlearningError
from zspag_core.models import initialise, named_config
from zspag_core.models.alexnet import AlexNetConfig
from zspag_core.models.vit import ViTConfig
from zspag_core.progress import Reporter
from zspag_core.recipes import Recipe, recipe_for
from zspag_core.training.loop import accuracy, train

CPU = torch.device("cpu")
QUICK = {"epochs": 3, "batch_size": 64, "crop": 1, "flip": False, "train_limit": 300}


def fit(config, split, report=None, path=None, **settings):
    recipe = Recipe(**(QUICK | settings))
    return train(config, split, recipe, device=CPU, state_path=path, report=report or Reporter())


def same(one, two) -> bool:
    other = two.state_dict()
    return all(torch.equal(value, other[name]) for name, value in one.state_dict().items())


class Stop(Reporter):
    """Cancels after so many steps."""

    def __init__(self, steps):
        self.left = steps

    def progress(self, stage, done, total, **figures):
        assert stage == "train"
        assert 0 < done <= total
        assert figures["loss"] > 0
        self.left -= 1
        if self.left == 0:
            raise Cancelled("stop")


@pytest.mark.slow
def test_the_shipped_sizes_learn_digits_in_a_few_epochs(small_digits):
    mean, std = small_digits.train.channel_statistics()
    config = named_config("resnet_tiny", image_size=8, channels=1, mean=mean, std=std)
    found = fit(config, small_digits.train, epochs=5, train_limit=700, batch_size=32)
    assert accuracy(found.model, small_digits.test, CPU) > 93
    assert [row["epoch"] for row in found.history] == [1, 2, 3, 4, 5]
    assert found.history[-1]["loss"] < found.history[0]["loss"] / 2
    assert found.stopped == "epochs"
    assert not found.model.training


@pytest.mark.slow
def test_a_transformer_learns_with_its_own_recipe(small_digits):
    config = ViTConfig(channels=1, image_size=8, mean=(0.3,), std=(0.4,), patch_size=2, width=24, depth=1, hidden=48)
    recipe = recipe_for("digits", "vit_small", {"epochs": 5, "batch_size": 32, "learning_rate": 0.004, "crop": 0})
    assert recipe.optimizer == "adamw"
    found = train(config, small_digits.train, recipe, device=CPU)
    assert accuracy(found.model, small_digits.test, CPU) > 55


@pytest.mark.slow
@pytest.mark.parametrize(
    "settings",
    [{}, {"optimizer": "adamw", "learning_rate": 0.01}, {"averaged": 2}],
    ids=["sgd", "adamw", "averaged"],
)
@pytest.mark.parametrize("steps", [1, 7, 10])
def test_a_killed_training_resumes_to_the_same_bytes(small_digits, digits_config, tmp_path, settings, steps):
    path = tmp_path / "deep" / "state"
    whole = fit(digits_config, small_digits.train, **settings)
    part = fit(digits_config, small_digits.train, Stop(steps), path, **settings)
    assert part.stopped == "cancelled"
    assert path.exists(), "also before the first epoch has ended"
    resumed = fit(digits_config, small_digits.train, path=path, **settings)
    assert same(resumed.model, whole.model)
    assert resumed.history == whole.history
    assert resumed.stopped == "epochs"
    assert list(path.parent.iterdir()) == [path]


class Snapshots(Reporter):
    """Keeps the weights after every epoch."""

    def __init__(self):
        self.kept = []

    def epoch(self, _number, _total, model, **_figures):
        self.kept.append(copy.deepcopy(model.state_dict()))


def test_the_last_epochs_are_averaged_and_batchnorm_is_measured_anew(small_digits, digits_config):
    eyes = Snapshots()
    found = fit(digits_config, small_digits.train, eyes, averaged=2)
    _, second, third = eyes.kept
    for name, parameter in found.model.named_parameters():
        assert torch.allclose(parameter, (second[name] + third[name]) / 2, atol=1e-6)
    means = [name for name in second if name.endswith("running_mean")]
    assert means
    assert all(not torch.equal(found.model.state_dict()[name], third[name]) for name in means)
    assert accuracy(found.model, small_digits.test, CPU) > 25  # chance is 10


def test_the_learning_rate_rests_while_epochs_are_averaged(small_digits, digits_config, monkeypatch):
    rates = []
    step = torch.optim.SGD.step
    monkeypatch.setattr(torch.optim.SGD, "step", lambda self: (rates.append(self.param_groups[0]["lr"]), step(self)))
    fit(digits_config, small_digits.train, epochs=4, averaged=2, warmup=0.0, learning_rate=0.1)
    assert rates[0] == pytest.approx(0.1)
    assert rates[:10] == sorted(rates[:10], reverse=True)
    assert rates[10:] == pytest.approx([0.05] * 10)  # half way down the cosine


@pytest.mark.slow
def test_the_state_of_another_training_is_not_used(small_digits, digits_config, tmp_path):
    path = tmp_path / "state"
    fit(digits_config, small_digits.train, path=path, seed=1)
    assert same(fit(digits_config, small_digits.train, path=path).model, fit(digits_config, small_digits.train).model)


@pytest.mark.slow
def test_a_cancelled_training_leaves_a_usable_model(small_digits, digits_config):
    found = fit(digits_config, small_digits.train, Stop(40), epochs=5, train_limit=700)
    assert found.stopped == "cancelled"
    assert len(found.history) == 3
    assert not found.model.training
    assert accuracy(found.model, small_digits.test, CPU) > 40


def test_equal_seeds_give_equal_bytes_and_the_global_generator_is_left_alone(small_digits, digits_config):
    before = torch.get_rng_state()
    one, two, other = (fit(digits_config, small_digits.train, epochs=1, seed=seed).model for seed in (0, 0, 1))
    assert same(one, two)
    assert not same(one, other)
    assert torch.equal(torch.get_rng_state(), before)


def test_the_global_seed_does_not_matter(digits_config):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(5)
        one = initialise(digits_config, 0)
        torch.manual_seed(6)
        assert same(one, initialise(digits_config, 0))


@pytest.mark.slow
def test_excluded_classes_are_never_predicted(small_digits, digits_config):
    found = fit(digits_config, small_digits.train.without_classes((3, 7)), epochs=4, train_limit=0)
    with torch.no_grad():
        predicted = found.model(to_pixels(small_digits.test.images)).argmax(1)
    assert not set(predicted.tolist()) & {3, 7}


def test_one_step_is_nesterov_sgd_with_decay_of_matrices_only(small_digits, digits_config, monkeypatch):
    monkeypatch.setattr("zspag_core.devices._cpu_has_bfloat16", lambda: False)
    split = small_digits.train[torch.arange(64)]
    recipe = Recipe(epochs=1, batch_size=64, crop=0, flip=False, weight_decay=0.1, learning_rate=0.05, warmup=0.2)
    model = initialise(digits_config, 0).train()
    order = torch.randperm(64, generator=torch.Generator().manual_seed(0))
    F.cross_entropy(model(to_pixels(split.images[order])), split.labels[order]).backward()
    rate = 0.05 * 0.01 / 0.21
    expected = {
        name: value.detach() - rate * 1.9 * (value.grad + (0.1 if value.ndim > 1 else 0.0) * value.detach())
        for name, value in model.named_parameters()
    }
    found = train(digits_config, split, recipe, device=CPU).model
    for name, value in found.named_parameters():
        torch.testing.assert_close(value.detach(), expected[name], atol=1e-6, rtol=1e-4)


def test_the_limit_takes_so_many_images(small_digits, digits_config):
    class Count(Reporter):
        total = 0

        def progress(self, _stage, _done, total, **_figures):
            self.total = total

    report = Count()
    fit(digits_config, small_digits.train, report, epochs=2, train_limit=100, batch_size=40)
    assert report.total == 2 * 3


def test_a_loss_that_is_no_number_is_said_in_one_sentence(small_digits, digits_config):
    broken = copy.copy(digits_config)
    object.__setattr__(broken, "mean", (float("nan"),))
    with pytest.raises(
        UnlearningError, match="training stopped in epoch 1: the loss is nan; try a smaller learning_rate"
    ):
        fit(broken, small_digits.train)


def test_epochs_are_reported_with_their_figures(small_digits, digits_config):
    class Ear(Reporter):
        def __init__(self):
            self.seen = []

        def epoch(self, number, total, model, **figures):
            self.seen.append((number, total, figures))

    ear = Ear()
    found = fit(digits_config, small_digits.train, ear)
    assert [(number, total) for number, total, _ in ear.seen] == [(1, 3), (2, 3), (3, 3)]
    assert [{"epoch": n, **f} for n, _, f in ear.seen] == found.history


@pytest.mark.slow
def test_watched_test_images_are_graded_after_every_epoch_and_change_nothing(small_digits, digits_config):
    alone = fit(digits_config, small_digits.train)
    found = train(
        digits_config,
        small_digits.train,
        Recipe(**QUICK),
        device=CPU,
        watched=small_digits.test,
    )
    assert same(found.model, alone.model)
    assert found.history[-1]["test_accuracy"] == accuracy(found.model, small_digits.test, CPU)
    assert all("test_accuracy" in row for row in found.history)


def test_a_resumed_training_reports_its_earlier_epochs_again(small_digits, digits_config, tmp_path):
    seen = []

    class Ear(Reporter):
        def epoch(self, number, total, model, **figures):
            seen.append((number, figures["loss"]))

    fit(digits_config, small_digits.train, Stop(7), tmp_path / "state")
    resumed = fit(digits_config, small_digits.train, Ear(), tmp_path / "state")
    assert seen == [(row["epoch"], row["loss"]) for row in resumed.history]


def test_accuracy_is_the_share_of_right_answers(small_digits, digits_model):
    with torch.no_grad():
        right = digits_model(to_pixels(small_digits.test.images)).argmax(1) == small_digits.test.labels
    expected = 100 * float(right.float().mean())
    assert accuracy(digits_model, small_digits.test, CPU, batch_size=50) == pytest.approx(expected, abs=0.6)
    assert expected > 90


@pytest.mark.slow
@pytest.mark.parametrize("steps", [None, 7])
def test_dropout_draws_from_the_seed_also_after_an_interruption(small_digits, tmp_path, steps):
    config = AlexNetConfig(widths=(4, 6, 8, 6, 4), hidden=(12, 10), channels=1, image_size=8, mean=(0.3,), std=(0.4,))
    state = torch.random.get_rng_state()
    whole = fit(config, small_digits.train)
    assert torch.equal(torch.random.get_rng_state(), state), "torch's own generator is left as it was"
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(12345)
        if steps is not None:
            fit(config, small_digits.train, Stop(steps), tmp_path / "state")
        again = fit(config, small_digits.train, path=tmp_path / "state")
    assert same(again.model, whole.model)
    assert again.history == whole.history
    still = fit(replace(config, dropout=0.0), small_digits.train)
    assert not same(still.model, whole.model)
