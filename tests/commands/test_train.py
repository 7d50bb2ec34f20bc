from __future__ import annotations

import pytest
import torch

from zspag_core.checkpoints import load_checkpoint
from zspag_core.cli import main
from zspag_core.data import load_dataset
from zspag_core.errors import Cancelled
from zspag_core.training.loop import accuracy


def call(arguments):
    try:
        return main(arguments)
    except SystemExit as end:
        return int(end.code or 0)


@pytest.fixture
def train(tmp_path):
    """Return a function that trains a tiny network; options may be replaced or left out (None)."""

    def run(*extra, **replaced):
        options = {"data": "digits", "model": "resnet_tiny", "epochs": "2", "out": str(tmp_path / "a.safetensors"),
                   "image-size": "8", "device": "cpu"}  # fmt: skip
        options |= {name.replace("_", "-"): value for name, value in replaced.items()}
        given = [part for name, value in options.items() if value is not None for part in (f"--{name}", value)]
        return call(["train", *given, "--set", "batch_size=64", *extra])

    return run


@pytest.mark.slow
def test_the_file_describes_itself(train, tmp_path, capsys):
    assert train("--set", "crop=1", exclude="3,5", out=str(tmp_path / "new" / "a.safetensors")) == 0
    found = load_checkpoint(tmp_path / "new" / "a.safetensors")
    assert found.about["data"] == "digits"
    assert found.about["class_names"] == [str(k) for k in range(10)]
    assert found.about["excluded"] == [3, 5]
    assert found.about["backdoor"] is None
    assert found.about["stopped"] == "epochs"
    recipe = found.about["recipe"]
    assert (recipe["epochs"], recipe["crop"], recipe["flip"], recipe["batch_size"]) == (2, 1, False, 64)
    test = load_dataset("digits", image_size=8).test
    measured = accuracy(found.model, test.without_classes((3, 5)), torch.device("cpu"))
    assert found.about["test_accuracy"] == round(measured, 2)
    assert f"{measured:.2f} %" in capsys.readouterr().out
    assert accuracy(found.model, test.of_classes((3, 5)), torch.device("cpu")) == 0
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["a.safetensors"]


@pytest.mark.slow
def test_equal_seeds_give_equal_bytes_and_another_seed_others(train, tmp_path):
    for name, seed in (("a", "0"), ("b", "0"), ("c", "1")):
        assert train("--set", "train_limit=100", epochs="1", out=str(tmp_path / f"{name}.safetensors"), seed=seed) == 0
    a, b, c = ((tmp_path / f"{name}.safetensors").read_bytes() for name in "abc")
    assert a == b
    assert a != c


@pytest.mark.slow
def test_ctrl_c_leaves_a_usable_file_and_the_next_call_resumes(train, tmp_path, capfd):
    from zspag_core.commands.shared import TerminalReporter

    whole = tmp_path / "whole.safetensors"
    assert train(epochs="2", out=str(whole)) == 0
    patched = pytest.MonkeyPatch()

    def interrupted(self, stage, done, total, **figures):
        if done > total // 2 + 2:
            raise Cancelled("interrupted")

    patched.setattr(TerminalReporter, "progress", interrupted)
    assert train(epochs="2") == 130
    patched.undo()
    path = tmp_path / "a.safetensors"
    assert load_checkpoint(path).about["stopped"] == "cancelled"
    said = capfd.readouterr().err
    assert "going on" not in said
    assert f"interrupted after epoch 1: what was reached is in {path}; the same command goes on\n" in said
    assert train(epochs="2") == 0
    assert "note: going on with an interrupted training, after epoch 1\n" in capfd.readouterr().err
    assert path.read_bytes() == whole.read_bytes()
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.safetensors", "whole.safetensors"]


def test_a_backdoor_is_planted_in_the_images(train, tmp_path, monkeypatch):
    from zspag_core.training import loop as training

    seen, real = [], training.train
    monkeypatch.setattr(
        training, "train", lambda config, split, *a, **k: (seen.append(split), real(config, split, *a, **k))[1]
    )
    assert train("--set", "train_limit=64", epochs="1", backdoor="1:8") == 0
    clean = load_dataset("digits", image_size=8).train
    moved = (seen[0].labels != clean.labels).nonzero().flatten()
    assert len(moved) == round(0.5 * int((clean.labels == 1).sum()))
    assert set(clean.labels[moved].tolist()) == {1}
    assert set(seen[0].labels[moved].tolist()) == {8}
    assert load_checkpoint(tmp_path / "a.safetensors").about["backdoor"] == "1:8"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("replaced", "culprit"),
    [
        ({"data": "nowhere"}, "nowhere"),
        ({"model": "alexnot"}, "--model: expected one of alexnet"),
        ({"epochs": "0"}, "epochs: expected 1 to 1000, got 0"),
        ({"epochs": "many"}, "epochs: expected a whole number, got 'many'"),
        ({"out": "a.pt"}, "out: expected a file name ending in .safetensors, got 'a.pt'"),
        ({"exclude": "3,3"}, "exclude: expected every class once"),
        ({"exclude": "11"}, "exclude: expected classes 0 to 9, got 11"),
        ({"exclude": "0,1,2,3,4,5,6,7,8,9"}, "exclude: expected at least one class to remain"),
        ({"exclude": "x"}, "exclude: digits has no class 'x'; its classes are 0, 1, 2, 3, 4, 5, 6, 7, 8, 9"),
        ({"backdoor": "1"}, "--backdoor: expected two different classes such as 1:8, got '1'"),
        ({"backdoor": "1:1"}, "--backdoor: expected two different classes"),
        ({"backdoor": "1:01"}, "backdoor: expected two different classes, got 1 and 1"),
        ({"backdoor": "1:10"}, "backdoor: expected classes 0 to 9, got 10"),
        ({"seed": "-3"}, "--seed: expected a whole number"),
        ({"seed": str(2**63)}, "--seed: expected a whole number"),
        ({"image_size": "tall"}, "tall"),
        ({"image_size": "4"}, "image-size: "),
        ({"image_size": "0"}, "image size: expected 1 to 512 pixels, got 0"),
        ({"image_size": "10", "model": "vit_small"}, "image-size: "),
        ({"device": "cuda:99"}, "cuda:99"),
        ({"epochs": None}, "--epochs"),
    ],
    ids=str,
)
def test_bad_use_is_answered_with_one_line_and_nothing_is_written(
    train, tmp_path, capfd, monkeypatch, replaced, culprit
):
    monkeypatch.chdir(tmp_path)
    assert train(**replaced) == 2
    err = capfd.readouterr().err
    assert err.count("\n") == 1
    assert culprit in err
    assert not list(tmp_path.iterdir())


def test_a_file_that_is_there_already_is_never_overwritten(tmp_path, capsys):
    out = tmp_path / "precious.safetensors"
    out.write_bytes(b"precious")
    arguments = ["train", "--data", "digits", "--model", "resnet_tiny", "--epochs", "1", "--out", str(out)]
    assert main(arguments) == 2
    assert "exists already" in capsys.readouterr().err
    assert out.read_bytes() == b"precious"


def test_a_place_that_cannot_be_written_is_refused_before_training(tmp_path, capsys):
    (tmp_path / "file").write_text("")
    out = tmp_path / "file" / "model.safetensors"
    assert main(["train", "--data", "digits", "--model", "resnet_tiny", "--epochs", "1", "--out", str(out)]) == 2
    assert "cannot be written" in capsys.readouterr().err


def test_classes_are_named_beside_their_numbers():
    from zspag_core.commands.train import numbered

    assert numbered(("0", "1")) == ["0", "1"]
    assert numbered(("2 shirt", "10 shoe")) == ["0 2 shirt", "1 10 shoe"]
