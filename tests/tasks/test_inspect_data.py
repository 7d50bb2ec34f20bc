from __future__ import annotations

import base64
import io
import json

import numpy as np
import pytest
import torch

from tests.asking import job_for
from zspag_core.checkpoints import save_checkpoint
from zspag_core.data import to_pixels
from zspag_core.data.dataset import DataSet, Split
from zspag_core.errors import DataError, UsageError
from zspag_core.models import build, named_config
from zspag_core.tasks.inspect_data import doubt, inspect_data
from zspag_core.tasks.model_report import layers_of, model_report


def empty(*names):
    none = Split(torch.zeros(0, 1, 8, 8, dtype=torch.uint8), torch.zeros(0, dtype=torch.int64))
    return DataSet("set", names, none, none)


@pytest.fixture
def pets(tmp_path):
    """A data set of three classes in an .npz file."""
    rng = np.random.default_rng(0)
    parts = {}
    for part, count in (("train", 30), ("test", 12)):
        parts[f"{part}_x"] = rng.integers(0, 255, (count, 10, 10), dtype=np.uint8)
        parts[f"{part}_y"] = np.arange(count) % 3
    np.savez(tmp_path / "pets.npz", **parts, class_names=np.array(["cat", "dog", "fish"]))
    return str(tmp_path / "pets.npz")


def test_a_data_set_is_described_without_a_model(pets):
    answer = inspect_data(job_for({"data": pets}))
    assert (answer["name"], answer["num_classes"], answer["train"], answer["test"]) == ("pets.npz", 3, 30, 12)
    assert answer["class_names"] == ["cat", "dog", "fish"]
    assert [(found["train"], found["test"]) for found in answer["classes"]] == [(10, 4)] * 3
    assert "fits" not in answer
    json.dumps(answer)


def test_pictures_have_the_size_that_the_model_sees(digits_checkpoint):
    from PIL import Image

    answer = inspect_data(job_for({"data": "digits", "checkpoint": str(digits_checkpoint)}))
    assert (answer["fits"], answer["doubt"], answer["image_size"], answer["model_classes"]) == (None, None, 8, 10)
    assert answer["summary"] == "ResNet, 8 × 8 pixels"
    assert (answer["open"], answer["assumed"]) == ({}, [])
    picture = base64.b64decode(answer["classes"][3]["picture"].partition(",")[2])
    assert Image.open(io.BytesIO(picture)).size == (8, 8)


def test_more_classes_than_the_model_has_is_said_before_anything_runs(pets, digits_checkpoint):
    answer = inspect_data(job_for({"data": pets, "checkpoint": str(digits_checkpoint)}))
    assert answer["fits"].startswith(
        "The model tells 10 classes apart, pets.npz has 3, of which the model does not name "
    )
    with pytest.raises(UsageError, match="do not fit"):
        model_report(job_for({"data": pets, "checkpoint": str(digits_checkpoint)}))


def test_images_of_one_class_are_refused_as_long_as_the_model_does_not_name_its_classes(digits_model, tmp_path):
    save_checkpoint(tmp_path / "nameless.safetensors", digits_model, {})
    np.savez(tmp_path / "one.npz", x=np.zeros((4, 8, 8), np.uint8), y=np.zeros(4, int), class_names=np.array(["cat"]))
    with pytest.raises(DataError, match="does not name its classes"):
        inspect_data(job_for({"data": str(tmp_path / "one.npz"), "checkpoint": str(tmp_path / "nameless.safetensors")}))


def test_labels_without_names_are_some_of_the_models_classes(digits_checkpoint, tmp_path):
    images, labels = np.zeros((6, 8, 8), np.uint8), np.arange(6) % 3
    np.savez(tmp_path / "few.npz", train_x=images, train_y=labels, test_x=images, test_y=labels)
    answer = inspect_data(job_for({"data": str(tmp_path / "few.npz"), "checkpoint": str(digits_checkpoint)}))
    assert answer["fits"] is None
    assert answer["num_classes"] == 10
    assert [found["train"] for found in answer["classes"]] == [2] * 3 + [0] * 7


def test_nothing_is_downloaded_unless_asked(monkeypatch, tmp_path):
    monkeypatch.setenv("ZSPAG_HOME", str(tmp_path))
    monkeypatch.delenv("ZSPAG_DATA", raising=False)
    with pytest.raises(DataError):
        inspect_data(job_for({"data": "cifar100"}))


@pytest.mark.parametrize(
    ("about", "sentence"),
    [
        ({"class_names": ["a", "b"]}, None),
        ({}, "does not name its classes"),
        ({"class_names": ["a", "b"], "excluded": [1]}, "trained without b"),
    ],
)
def test_odd_pairs_are_doubted(about, sentence):
    found = doubt(about, empty("a", "b"))
    assert found is None if sentence is None else sentence in found


def test_a_model_without_names_takes_those_of_the_data_in_their_order_and_says_so():
    assert "The data do, and their order is taken: output 0 is a, output 1 is b. Check" in doubt({}, empty("a", "b"))
    assert "output 2 is c, … output 4 is e. Check" in doubt({}, empty(*"abcde"))
    assert "label 0 is taken for output 0, and so on" in doubt({}, empty("0", "1"))


def test_names_taken_by_their_order_are_a_doubt_and_no_second_note(digits_model, tmp_path):
    path = tmp_path / "named.safetensors"
    save_checkpoint(path, digits_model, {"data": "digits", "class_names": [f"digit {k}" for k in range(10)]})
    answer = inspect_data(job_for({"data": "digits", "checkpoint": str(path)}))
    assert answer["fits"] is None
    assert answer["doubt"] == (
        "Names of classes differ: they are taken in order, so that digits's '0' is the model's class 0, 'digit 0'."
    )
    assert not answer["notes"]


def test_report_agrees_with_an_independent_count(digits_checkpoint, digits_model, small_digits):
    answer = model_report(job_for({"data": "digits", "checkpoint": str(digits_checkpoint)}))
    test = small_digits.test
    with torch.no_grad():
        predicted = digits_model(to_pixels(test.images)).argmax(1)
    expected = [100 * float((predicted[test.labels == k] == k).float().mean()) for k in range(10)]
    assert answer["acc_per_class"] == pytest.approx(expected)
    assert answer["test_accuracy"] == pytest.approx(100 * float((predicted == test.labels).float().mean()))
    assert answer["graded"] == len(test)
    assert answer["parameters"] == sum(p.numel() for p in digits_model.parameters())
    assert sum(layer["parameters"] for layer in answer["layers"]) == answer["parameters"]
    json.dumps(answer)


def test_samples_begin_with_the_surest_mistakes_and_show_every_class(digits_checkpoint):
    samples = model_report(job_for({"data": "digits", "checkpoint": str(digits_checkpoint)}))["samples"]
    assert len(samples) == 12
    wrong = [sample for sample in samples if sample["label"] != sample["predicted"]]
    assert samples[: len(wrong[:4])] == wrong[:4]
    assert [s["probability"] for s in wrong[:4]] == sorted((s["probability"] for s in wrong[:4]), reverse=True)
    assert all(0 < sample["probability"] <= 100 for sample in samples)
    assert {sample["picture"][:22] for sample in samples} == {"data:image/png;base64,"}


def test_layers_come_in_the_order_of_the_images_way(small_digits):
    model = build(named_config("resnet_tiny", image_size=8, channels=1, mean=(0.5,), std=(0.2,))).eval()
    layers = layers_of(model, small_digits.test.images[:1])
    assert (layers[0].kind, layers[0].shape) == ("convolution 3 × 3", (16, 8, 8))
    assert (layers[-1].name, layers[-1].kind, layers[-1].shape) == ("head", "linear", (10,))
    assert layers[-1].parameters == 650
    assert not any(module._forward_hooks for module in model.modules())


def test_weights_outside_any_layer_are_listed_too(small_vit, small_digits):
    layers = layers_of(small_vit, small_digits.test.images[:1])
    assert {layer.name for layer in layers if layer.kind == "learnt values"} >= {"positions"}
    assert sum(layer.parameters for layer in layers) == sum(p.numel() for p in small_vit.parameters())


def test_a_model_that_does_not_say_what_it_was_trained_on_is_inspected(tmp_path, pets):
    path = tmp_path / "bare.safetensors"
    save_checkpoint(path, build(named_config("resnet_tiny", num_classes=3, image_size=16)), {})
    answer = inspect_data(job_for({"data": pets, "checkpoint": str(path)}))
    assert (answer["fits"], answer["trained_on"], answer["test_accuracy"]) == (None, None, None)
    assert "does not name" in answer["doubt"]


def test_what_a_bare_state_dict_leaves_open_is_listed(tmp_path, pets):
    model = build(named_config("resnet_tiny", num_classes=3))
    torch.save(model.state_dict(), tmp_path / "bare.pt")
    answer = inspect_data(job_for({"data": pets, "checkpoint": str(tmp_path / "bare.pt")}))
    assert answer["assumed"] == ["image_size", "mean", "std"]
    assert answer["open"]["image_size"] == 32
    json.dumps(answer)
