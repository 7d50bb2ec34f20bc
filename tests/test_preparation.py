from __future__ import annotations

import json

import pytest
import torch

from zspag_core.checkpoints import load_checkpoint, save_checkpoint
from zspag_core.data.backdoor import poison
from zspag_core.errors import CheckpointError, DataError, UsageError
from zspag_core.hyperparameters import values
from zspag_core.models import build
from zspag_core.preparation import RunConfig, as_trained, forget_samples, prepare
from zspag_core.recipes import recipe_for


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


def test_a_model_of_another_number_of_classes_is_refused(config, digits_config, tmp_path):
    other = tmp_path / "other.safetensors"
    save_checkpoint(other, build(type(digits_config)(**(digits_config.to_dict() | {"num_classes": 4}))), {})
    with pytest.raises(UsageError, match="model and data do not fit: the model has 4 classes, digits has 10"):
        prepare(config(checkpoint=str(other)))


def test_images_that_a_limited_training_left_out_are_left_out(small_digits, digits_config):
    from zspag_core.training import _Session

    recipe = recipe_for("digits", "resnet_tiny", {"train_limit": 300, "seed": 4})
    about = {"data": "digits", "recipe": values(recipe), "excluded": [], "backdoor": None}
    seen = as_trained(small_digits, about)
    trained = _Session(digits_config, small_digits.train, recipe, torch.device("cpu"), None).split
    assert len(seen.train) == 300
    assert sorted(map(bytes, seen.train.images.numpy())) == sorted(map(bytes, trained.images.numpy()))
    assert seen.test is small_digits.test

    seen = as_trained(small_digits, about | {"excluded": [3, 7]})
    assert len(seen.train) == 300 + len(small_digits.train.of_classes((3, 7))), (
        "others are asked about classes left out"
    )
    rest = seen.train.without_classes((3, 7))
    trained = _Session(
        digits_config, small_digits.train.without_classes((3, 7)), recipe, torch.device("cpu"), None
    ).split
    assert sorted(map(bytes, rest.images.numpy())) == sorted(map(bytes, trained.images.numpy()))


@pytest.mark.parametrize(
    "changes",
    [
        {"recipe": {"train_limit": 0, "seed": 0}},
        {"recipe": {"train_limit": "many", "seed": 0}},
        {"recipe": {"train_limit": 300}},
        {"recipe": None},
        {"data": "mnist"},
        {"started_from": [{}]},
        {"backdoor": "1:8"},
    ],
)
def test_elsewhere_all_images_stay(small_digits, changes):
    about = {"data": "digits", "recipe": {"train_limit": 300, "seed": 0}} | changes
    assert as_trained(small_digits, about) is small_digits


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
