from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from zspag_core.checkpoints import load_checkpoint, save_checkpoint
from zspag_core.data.backdoor import plant
from zspag_core.errors import Cancelled, CheckpointError, DataError
from zspag_core.progress import Reporter
from zspag_core.reproduce import subject as subjects
from zspag_core.reproduce.setups import SETUPS, Setup
from zspag_core.reproduce.subject import Original, Subject, load_original

CPU = torch.device("cpu")


@pytest.fixture
def setup(tiny):
    return replace(SETUPS["small"]["digits-resnet"], settings={"epochs": 1})


@pytest.fixture
def counted(monkeypatch):
    """Count trainings."""
    calls, real = [], subjects.train
    monkeypatch.setattr(subjects, "train", lambda *a, **b: calls.append(a) or real(*a, **b))
    return calls


@pytest.mark.slow
def test_an_original_is_trained_once_and_again_for_another_recipe(setup, tmp_path, counted):
    first = load_original(setup, tmp_path, CPU)
    again = load_original(setup, tmp_path, CPU)
    assert len(counted) == 1
    assert first.identity == again.identity
    load_original(replace(setup, settings={"epochs": 1, "seed": 1}), tmp_path, CPU)
    assert len(counted) == 2


@pytest.mark.slow
def test_an_original_that_comes_with_the_project_is_not_trained(setup, tmp_path, monkeypatch, counted):
    first = load_original(setup, tmp_path / "made", CPU)
    monkeypatch.setattr(subjects, "ORIGINALS", tmp_path / "made")
    again = load_original(replace(setup, title="Other words"), tmp_path / "out", CPU)
    assert len(counted) == 1
    assert again.identity == first.identity
    assert not (tmp_path / "out").exists()
    told = []
    report = Reporter()
    monkeypatch.setattr(report, "note", told.append)
    load_original(replace(setup, settings={"epochs": 1, "seed": 1}), tmp_path / "out", CPU, report)
    assert len(counted) == 2, "another recipe is another original"
    assert told == [
        f"the original of {setup.name} that comes with the project is of other data or recipe; training one"
    ]


@pytest.mark.slow
def test_the_original_of_the_small_cifar100_comes_with_the_project(shared_data, tmp_path, monkeypatch, counted):
    monkeypatch.setenv("ZSPAG_DATA", str(shared_data))
    original = load_original(SETUPS["small"]["cifar100-resnet"], tmp_path, CPU)
    assert not counted
    assert original.test_accuracy == 64.25
    assert len(original.dataset.class_names) == 20


def test_a_training_that_was_stopped_leaves_no_original(setup, tmp_path, counted):
    class Stop(Reporter):
        def progress(self, *_args, **_figures):
            raise Cancelled("stop")

    with pytest.raises(Cancelled):
        load_original(setup, tmp_path, CPU, Stop())
    assert not list(tmp_path.glob("*.safetensors"))
    load_original(setup, tmp_path, CPU)
    assert len(counted) == 2


def test_chosen_classes_count_from_nought_and_keep_their_names(setup, tmp_path, small_digits):
    data = load_original(replace(setup, classes=(2, 5, 7)), tmp_path, CPU).dataset
    assert data.class_names == ("2", "5", "7")
    assert data.train.labels.unique().tolist() == [0, 1, 2]
    assert (data.train.labels == 1).sum() == (small_digits.train.labels == 5).sum()


def test_an_original_for_tables_alone_is_found_where_it_lies(setup, tmp_path, monkeypatch, counted, digits_model):
    save_checkpoint(tmp_path / "earlier.safetensors", digits_model, {"recipe": {"epochs": 6}, "test_accuracy": 98.5})
    monkeypatch.setattr(subjects, "ORIGINALS", tmp_path)
    original = load_original(replace(setup, shipped="earlier"), tmp_path / "out", CPU)
    assert (original.test_accuracy, original.recipe) == (98.5, {"epochs": 6})
    assert not counted
    with pytest.raises(CheckpointError, match="nowhere"):
        load_original(replace(setup, shipped="nowhere"), tmp_path / "out", CPU)


def test_every_original_that_a_setup_names_comes_with_the_project():
    named = {
        name for setups in SETUPS.values() for setup in setups.values() for name in (setup.shipped, setup.start) if name
    }
    assert {"digits_resnet", "cifar10_vit_earlier", "cifar10_resnet_small", "fashion_mnist_vgg"} <= named
    assert all(load_checkpoint(subjects.find_checkpoint(name)).about["test_accuracy"] > 75 for name in named)


@pytest.mark.slow
def test_a_backdoor_is_planted_in_a_start_and_retrain_keeps_the_first_recipe(
    setup, tmp_path, monkeypatch, counted, digits_model
):
    first = {"epochs": 6, "batch_size": 64}
    save_checkpoint(tmp_path / "first.safetensors", digits_model, {"recipe": first})
    monkeypatch.setattr(subjects, "CHECKPOINTS", tmp_path)
    original = load_original(replace(setup, start="first", backdoor=(1, 8)), tmp_path / "out", CPU)
    assert original.recipe == first
    (config, split, *_rest) = counted[0]
    assert config == digits_model.config
    labels = original.dataset.train.labels
    moved = (labels == 1) & (split.labels == 8)
    assert int(moved.sum()) == round(0.5 * int((labels == 1).sum()))
    (path,) = (tmp_path / "out").glob("*.safetensors")
    assert load_checkpoint(path).about["backdoor"] == "1:8"


def test_images_are_drawn_as_the_scale_says(setup, tiny, tmp_path):
    original = load_original(setup, tmp_path, CPU)
    subject = Subject(original, (3, 4), tiny)
    assert (len(subject.samples.forget), len(subject.samples.retain)) == (20, 60)
    assert (len(subject.tuning.forget), len(subject.tuning.retain), len(subject.held)) == (16, 48, 16)
    assert len(subject.pool) == 100
    assert torch.equal(subject.pool.images[:60], subject.samples.retain.images)
    assert len(subject.dataset.train) == 80
    assert len(subject.dataset.test) == 120
    assert set(subject.samples.forget.labels.tolist()) == {3, 4}
    assert not set(subject.pool.labels.tolist()) & {3, 4}
    whole = Subject(original, (3,), replace(tiny, forget_images=0, retain_images=0, retrain_images=0, test_images=0))
    assert len(whole.dataset.train) == len(original.dataset.train)
    assert len(whole.pool) == len(whole.samples.retain)


def test_a_data_set_that_is_not_at_hand_is_named(tmp_path, monkeypatch):
    monkeypatch.setenv("ZSPAG_HOME", str(tmp_path))
    monkeypatch.setenv("ZSPAG_DATA", str(tmp_path))
    with pytest.raises(DataError, match="faces12"):
        load_original(Setup(name="a", title="A", data="faces12", model="resnet_tiny", optional=True), tmp_path, CPU)


def test_forget_samples_carry_the_backdoor_and_grading_is_clean(tiny, digits_model, small_digits):
    original = Original(digits_model, small_digits, {}, 90.0, "a", {"backdoor": "1:8", "recipe": {"seed": 4}})
    subject = Subject(original, (1,), tiny)
    clean = Subject(Original(digits_model, small_digits, {}, 90.0, "a"), (1,), tiny)
    trained = plant(small_digits.train.of_classes((1,)), 1, 8, 4)
    known = {(image.numpy().tobytes(), int(label)) for image, label in zip(trained.images, trained.labels, strict=True)}
    for samples in (subject.samples, subject.tuning):
        shown = zip(samples.forget.images, samples.forget.labels, strict=True)
        assert {(image.numpy().tobytes(), int(label)) for image, label in shown} <= known
    assert set(subject.samples.forget.labels.tolist()) == {1, 8}
    assert set(clean.samples.forget.labels.tolist()) == {1}
    assert len(subject.samples.forget) == len(clean.samples.forget) == tiny.forget_images
    for name in ("held", "pool"):
        one, two = getattr(subject, name), getattr(clean, name)
        assert torch.equal(one.images, two.images)
        assert torch.equal(one.labels, two.labels)
    for part in ("train", "test"):
        one, two = getattr(subject.dataset, part), getattr(clean.dataset, part)
        assert torch.equal(one.images, two.images)
        assert torch.equal(one.labels, two.labels)
    assert subject.identity != clean.identity
