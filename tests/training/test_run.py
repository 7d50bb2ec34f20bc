from __future__ import annotations

import pytest
import torch

from zspag_core.checkpoints import load_checkpoint
from zspag_core.data import load_dataset
from zspag_core.errors import Cancelled, UsageError
from zspag_core.progress import Reporter
from zspag_core.training.loop import accuracy
from zspag_core.training.run import TrainConfig, check_out, execute

CPU = torch.device("cpu")


def quick(**changed):
    settings = {"epochs": 2, "batch_size": 64, "train_limit": 300}
    return TrainConfig(**{"data": "digits", "model": "resnet_tiny", "settings": settings, "image_size": 8} | changed)


class Ear(Reporter):
    """Remembers what is said, and cancels at one step."""

    def __init__(self, stop_at=None):
        self.stages, self.epochs, self.stop_at = [], [], stop_at

    def progress(self, stage, done, total, **figures):
        self.stages.append(stage)
        if self.stop_at in {done if stage == "train" else 0, stage}:
            raise Cancelled("stop")

    def epoch(self, number, total, model, **figures):
        self.epochs.append((number, total, figures))


@pytest.mark.slow
def test_file_and_record_agree_and_epochs_are_graded(tmp_path):
    ear, out = Ear(), tmp_path / "new" / "a.safetensors"
    about = execute(quick(exclude=(3,)), out, ear)
    found = load_checkpoint(out)
    assert found.about == about
    assert (about["excluded"], about["backdoor"], about["stopped"]) == ([3], None, "epochs")
    test = load_dataset("digits", image_size=8).test.without_classes([3])
    assert about["test_accuracy"] == round(accuracy(found.model, test, CPU), 2)
    assert list(dict.fromkeys(ear.stages)) == ["load", "train", "evaluate"]
    assert [number for number, _, _ in ear.epochs] == [1, 2]
    assert set(ear.epochs[0][2]) == {"loss", "train_accuracy", "test_accuracy"}
    assert ear.epochs[1][2]["test_accuracy"] == pytest.approx(about["test_accuracy"], abs=0.01)
    assert about["history"][1]["test_accuracy"] == ear.epochs[1][2]["test_accuracy"]


@pytest.mark.slow
@pytest.mark.parametrize("stop_at", [2, 7, "evaluate"])
def test_cancelled_training_leaves_a_usable_file_and_resumes_to_the_same_bytes(tmp_path, stop_at):
    whole, part = tmp_path / "whole.safetensors", tmp_path / "part.safetensors"
    execute(quick(), whole)
    assert execute(quick(), part, Ear(stop_at))["stopped"] == "cancelled"
    assert load_checkpoint(part).about["test_accuracy"] is None
    ear = Ear()
    assert execute(quick(), part, ear)["stopped"] == "epochs"
    assert part.read_bytes() == whole.read_bytes()
    assert [number for number, _, _ in ear.epochs] == [1, 2]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["part.safetensors", "whole.safetensors"]


@pytest.mark.slow
def test_a_training_can_go_on_from_a_checkpoint(tmp_path):
    first, second = tmp_path / "first.safetensors", tmp_path / "second.safetensors"
    told = execute(quick(), first)
    still = {"learning_rate": 1e-6, "warmup": 0.0, "crop": 0}  # too small to undo or to add what two epochs have taught
    about = execute(quick(start=(str(first),), settings=dict(quick().settings) | still), second)
    (before,) = about["started_from"]
    assert before["recipe"] == told["recipe"]
    assert before["sha256"] == load_checkpoint(first).sha256
    for name, value in load_checkpoint(first).model.state_dict().items():
        if name.endswith("weight") and value.ndim > 1:
            assert torch.allclose(value, load_checkpoint(second).model.state_dict()[name], atol=1e-4)


@pytest.mark.slow
def test_several_starts_are_averaged(tmp_path):
    paths = [tmp_path / f"{seed}.safetensors" for seed in (0, 1)]
    for seed, path in enumerate(paths):
        execute(quick(settings=dict(quick().settings) | {"epochs": 1, "seed": seed}), path)
    still = {"learning_rate": 1e-6, "warmup": 0.0}
    settings = dict(quick().settings) | {"epochs": 1} | still
    about = execute(quick(start=tuple(map(str, paths)), settings=settings), tmp_path / "mean.safetensors")
    assert [told["recipe"]["seed"] for told in about["started_from"]] == [0, 1]
    one, two, mean = (load_checkpoint(path).model.state_dict() for path in (*paths, tmp_path / "mean.safetensors"))
    assert torch.allclose(mean["head.weight"], (one["head.weight"] + two["head.weight"]) / 2, atol=1e-4)


@pytest.mark.slow
def test_a_killed_training_of_another_start_is_not_gone_on_with(tmp_path):
    first, other, out = (tmp_path / f"{name}.safetensors" for name in ("first", "other", "out"))
    execute(quick(), first)
    execute(quick(settings=dict(quick().settings) | {"seed": 1}), other)
    execute(quick(start=(str(first),)), out, Ear(stop_at=7))
    execute(quick(start=(str(other),)), out)
    execute(quick(start=(str(other),)), tmp_path / "fresh.safetensors")
    assert out.read_bytes() == (tmp_path / "fresh.safetensors").read_bytes()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("changed", "sentence"),
    [
        ({"model": "vit_small"}, "start: expected a vit_small for 10 classes and 8 pixels, got another network in "),
        ({"image_size": 16}, "start: expected a resnet_tiny for 10 classes and 16 pixels, got another network in "),
        ({"exclude": (3, 4)}, "start: expected a model that never saw class 4, got .*, which may have"),
    ],
    ids=str,
)
def test_a_start_that_does_not_fit_is_refused(tmp_path, changed, sentence):
    first = tmp_path / "first.safetensors"
    execute(quick(exclude=(3,)), first)
    with pytest.raises(UsageError, match=sentence):
        execute(quick(start=(str(first),), **changed), tmp_path / "a.safetensors")
    assert not (tmp_path / "a.safetensors").exists()


@pytest.mark.parametrize(
    ("changed", "sentence"),
    [
        ({"model": "alexnot"}, "model: expected one of alexnet"),
        ({"exclude": (11,)}, "exclude: expected classes 0 to 9, got 11"),
        ({"exclude": (3, 3)}, "exclude: expected every class once, got 3, 3"),
        ({"exclude": tuple(range(10))}, "exclude: expected at least one class to remain, got all 10"),
        ({"backdoor": (1, 10)}, "backdoor: expected classes 0 to 9, got 10"),
        ({"backdoor": (1, 8), "exclude": (8,)}, "backdoor: expected classes that are not left out, got 1 and 8"),
        ({"settings": {"epochs": 0}}, "epochs: expected 1 to 1000"),
        ({"model": "vit_small", "image_size": 10}, "image-size: "),
    ],
    ids=str,
)
def test_impossible_requests_are_refused_before_anything_is_written(tmp_path, changed, sentence):
    with pytest.raises(UsageError, match=sentence):
        execute(quick(**changed), tmp_path / "a.safetensors")
    assert not list(tmp_path.iterdir())


def test_only_new_or_unfinished_files_are_written(tmp_path):
    out = tmp_path / "a.safetensors"
    assert check_out(out) == tmp_path / ".a.safetensors.state"
    out.write_bytes(b"precious")
    with pytest.raises(UsageError, match="exists already"):
        check_out(out)
    (tmp_path / ".a.safetensors.state").touch()
    assert check_out(out)
    with pytest.raises(UsageError, match=r"ending in \.safetensors"):
        check_out(tmp_path / "a.pt")
    with pytest.raises(UsageError, match="cannot be written"):
        check_out(out / "b.safetensors")
