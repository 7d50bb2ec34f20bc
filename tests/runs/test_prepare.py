from __future__ import annotations

import json
from dataclasses import replace

import pytest
import torch

from zspag_core.checkpoints import Checkpoint, load_checkpoint, save_checkpoint
from zspag_core.data.backdoor import poison
from zspag_core.errors import CheckpointError, DataError, UsageError
from zspag_core.hyperparameters import values
from zspag_core.input_checks.alternatives import with_reading
from zspag_core.models import build
from zspag_core.models.resnet import ResNetConfig
from zspag_core.recipes import recipe_for
from zspag_core.runs.assumptions import check_assumptions
from zspag_core.runs.config import RunConfig
from zspag_core.runs.prepare import prepare
from zspag_core.runs.samples import as_trained, describe_images, forget_samples


@pytest.fixture
def config(digits_checkpoint):
    def make(**changes):
        base = {"data": "digits", "checkpoint": str(digits_checkpoint), "forget": (3,), "device": "cpu"}
        return RunConfig(**(base | changes))

    return make


def test_everything_is_loaded_and_configured(config, digits_checkpoint, small_digits):
    prepared = prepare(config(settings={"epochs": "7"}))
    assert (prepared.method.name, prepared.method.epochs) == ("zspag", 7)
    assert prepared.dataset.test.images.shape == small_digits.test.images.shape
    assert prepared.checkpoint.sha256 == load_checkpoint(digits_checkpoint).sha256
    assert prepared.device.type == "cpu"


@pytest.mark.parametrize(
    ("changes", "error", "said"),
    [
        ({"forget": ()}, UsageError, "forget: expected at least one class, got none"),
        ({"forget": (10,)}, UsageError, "forget: expected classes 0 to 9, got 10"),
        ({"forget": (-1,)}, UsageError, "forget: expected classes 0 to 9, got -1"),
        ({"forget": (2, 2)}, UsageError, "forget: expected every class once, got 2, 2"),
        ({"forget": tuple(range(10))}, UsageError, "forget: expected at least one class to remain, got all 10"),
        ({"method": "magic"}, UsageError, "method: expected one of zspag"),
        ({"settings": {"epsilon": 2}}, UsageError, "epsilon: expected 0 to 1, got 2"),
        ({"data": "nowhere"}, DataError, "There is no data set 'nowhere'"),
        ({"checkpoint": "missing.safetensors"}, CheckpointError, "missing.safetensors"),
        ({"device": "tpu"}, UsageError, "device: expected auto"),
    ],
)
def test_what_cannot_be_done_is_refused(config, changes, error, said):
    with pytest.raises(error) as caught:
        prepare(config(**changes))
    assert said in str(caught.value)


def test_a_network_that_a_method_cannot_work_on_is_refused(config, tmp_path):
    path = tmp_path / "whole.safetensors"
    save_checkpoint(path, build(ResNetConfig(widths=(8,), blocks=(2,), image_size=8)), {})
    with pytest.raises(UsageError, match=r"narrow: expected a network .* got resnet; leave the preset 'deep' aside"):
        prepare(config(checkpoint=str(path), settings={"narrow": 1}))
    assert prepare(config(checkpoint=str(path))).method.narrow == 0


def test_a_model_of_another_number_of_classes_is_refused(config, digits_config, tmp_path):
    other = tmp_path / "other.safetensors"
    save_checkpoint(other, build(type(digits_config)(**(digits_config.to_dict() | {"num_classes": 4}))), {})
    with pytest.raises(UsageError, match="model and data do not fit: the model tells 4 classes apart, digits has 10"):
        prepare(config(checkpoint=str(other)))


def header(split, **changes):
    recipe = values(recipe_for("digits", "resnet_tiny", {"train_limit": 300, "seed": 4}))
    about = {"data": "digits", "recipe": recipe, "excluded": [], "backdoor": None, "images": describe_images(split)}
    return about | changes


def pictures(split):
    return sorted(map(bytes, split.images.numpy()))


def trained_on(config, split, about):
    from zspag_core.recipes import Recipe
    from zspag_core.training.loop import _Session

    return _Session(config, split, Recipe(**about["recipe"]), torch.device("cpu"), None).split


def test_images_that_a_limited_training_left_out_are_left_out(small_digits, digits_config):
    about = header(small_digits.train)
    seen = as_trained(small_digits, about, [3])
    assert len(seen.train) == 300
    assert pictures(seen.train) == pictures(trained_on(digits_config, small_digits.train, about))
    assert seen.test is small_digits.test


def test_excluded_classes_are_strangers_where_they_are_asked_about_and_else_left_out(small_digits, digits_config):
    about = header(small_digits.train, excluded=[3, 7])
    seen = as_trained(small_digits, about, [3])
    assert len(seen.train) == 300 + len(small_digits.train.of_classes((3,)))
    rest = seen.train.without_classes((3,))
    assert pictures(rest) == pictures(trained_on(digits_config, small_digits.train.without_classes((3, 7)), about))
    whole = as_trained(small_digits, about | {"recipe": {}}, [3])
    assert set(whole.train.labels.tolist()) == set(range(10)) - {7}


@pytest.mark.parametrize(
    "changes",
    [
        {"recipe": {"train_limit": 0, "seed": 0}},
        {"recipe": {"train_limit": "many", "seed": 0}},
        {"recipe": {"train_limit": 300}},
        {"recipe": {"train_limit": 300, "seed": 2**70}},
        {"recipe": {"train_limit": 300, "seed": -1}},
        {"recipe": None},
        {"data": "mnist"},
        {"started_from": [{}]},
        {"backdoor": "1:8"},
        {"images": {"count": 1438, "fingerprint": 1}},
        {"images": None},
        {"excluded": None},
        {"excluded": 3},
        {"excluded": ["3"]},
    ],
)
def test_elsewhere_all_images_stay(small_digits, changes):
    assert as_trained(small_digits, header(small_digits.train, **changes), [3]) is small_digits


def test_the_same_images_in_another_order_all_stay(small_digits):
    turned = replace(small_digits, train=small_digits.train[torch.arange(len(small_digits.train)).flip(0)])
    assert as_trained(turned, header(small_digits.train), [3]) is turned


def test_a_class_of_which_nothing_was_drawn_is_refused(small_digits):
    about = header(small_digits.train)
    about["recipe"]["train_limit"] = 1
    (drawn,) = as_trained(small_digits, about, []).train.labels.tolist()
    other = (drawn + 1) % 10
    with pytest.raises(UsageError, match=f"some images of digits, none of class {other}"):
        as_trained(small_digits, about, [drawn, other])


def test_configurations_survive_json():
    config = RunConfig("digits", "a.safetensors", (1, 2), "mask", {"epochs": 3}, 7, "cpu")
    assert RunConfig.from_dict(json.loads(json.dumps(config.to_dict()))) == config


@pytest.mark.parametrize("forget", [(1,), (8, 1)])
def test_forget_samples_of_a_backdoor_are_those_of_the_training(small_digits, forget):
    clean = small_digits.train
    trained = poison(clean, 1, 8, 0.5, torch.Generator().manual_seed(7))
    rows = torch.isin(clean.labels, torch.tensor(forget))
    found = forget_samples(small_digits, forget, {"backdoor": "1:8", "recipe": {"seed": 7}})
    assert torch.equal(found.images, trained.images[rows])
    assert torch.equal(found.labels, trained.labels[rows])
    assert int((found.labels != clean.labels[rows]).sum()) == round(0.5 * int((clean.labels == 1).sum()))
    unknown = forget_samples(small_digits, forget, {"backdoor": "1:8"})
    first = poison(clean, 1, 8, 0.5, torch.Generator().manual_seed(0))
    assert torch.equal(unknown.labels, first.labels[rows]), "seed 0, as in training"


@pytest.mark.parametrize("about", [{}, {"backdoor": None}, {"backdoor": "8:1", "recipe": {"seed": 7}}])
def test_forget_samples_without_a_backdoor_of_theirs_are_clean(small_digits, about):
    found, clean = forget_samples(small_digits, (1, 3), about), small_digits.train.of_classes((1, 3))
    assert torch.equal(found.images, clean.images)
    assert torch.equal(found.labels, clean.labels)


def test_an_order_that_was_chosen_against_the_model_s_answers_is_noted(digits_model, small_digits):
    turned = torch.tensor([3, 4, 5, 6, 7, 8, 9, 0, 1, 2])
    split = type(small_digits.train)
    wrong = replace(small_digits, train=split(small_digits.train.images, turned[small_digits.train.labels]))
    foreign = Checkpoint(digits_model, {"assumed": {"heads": 1}}, "")
    with pytest.raises(UsageError, match="order of the classes looks wrong"):
        check_assumptions(foreign, wrong, "digits", "")
    assert "that was chosen the model reads" in check_assumptions(foreign, wrong, "digits", "given").notes[-1]
    (note,) = check_assumptions(foreign, small_digits, "digits", "").notes[len(small_digits.notes) :]
    assert note.endswith("assumed: heads 1")


@pytest.mark.slow
def test_a_wrong_order_under_a_wrong_reading_is_told_with_it(digits_model, small_digits):
    turned = torch.tensor([3, 4, 5, 6, 7, 8, 9, 0, 1, 2])
    split = type(small_digits.train)
    shuffled = replace(small_digits, train=split(small_digits.train.images, turned[small_digits.train.labels]))
    dark = with_reading(digits_model, mean=tuple(m + 3 for m in digits_model.config.mean))
    foreign = Checkpoint(dark, {"assumed": {"mean": dark.config.mean, "std": dark.config.std}}, "")
    with pytest.raises(UsageError, match=r"choose with --mean .*; then the order of the classes looks wrong") as both:
        check_assumptions(foreign, shuffled, "digits", "")
    with pytest.raises(UsageError, match="choose with --mean") as one:
        check_assumptions(foreign, small_digits, "digits", "")
    assert "order" not in str(one.value)
    assert "\n" not in str(both.value)


def test_images_of_classes_that_may_be_forgotten_say_nothing_about_the_order(digits_model, small_digits):
    threes = small_digits.train.of_classes((3,))
    alone = replace(small_digits, train=type(threes)(threes.images, torch.full_like(threes.labels, 7)))
    alone = replace(alone, test=alone.test[:0])
    foreign = Checkpoint(digits_model, {"assumed": {"heads": 1}}, "")
    with pytest.raises(UsageError, match="order of the classes looks wrong"):
        check_assumptions(foreign, alone, "digits", "")
    assert "looks wrong" not in " ".join(check_assumptions(foreign, alone, "digits", "", forgotten=(7,)).notes)
