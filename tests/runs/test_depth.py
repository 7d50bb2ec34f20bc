"""The depth of a finished run, by the function and by the command line; a run of the digits with a blocked output."""

from __future__ import annotations

import json
import re
import shutil

import pytest
import torch

from zspag_core.checkpoints import save_checkpoint
from zspag_core.cli import main
from zspag_core.errors import UsageError
from zspag_core.files import read_json
from zspag_core.metrics.depth.words import depth_lines
from zspag_core.runs.depth import measure_depth, retrained_model


@pytest.fixture(scope="module")
def run(digits_checkpoint, tmp_path_factory):
    """A finished run: the last layer's output of class 3 is blocked, nothing else."""
    out = tmp_path_factory.mktemp("runs") / "mask"
    arguments = [
        "unlearn",
        "--data",
        "digits",
        "--checkpoint",
        str(digits_checkpoint),
        "--forget",
        "3",
        "--method",
        "mask",
    ]
    assert main([*arguments, "--no-relearning", "--device", "cpu", "--out", str(out)]) == 0
    return out


@pytest.fixture
def folder(run, tmp_path):
    """The run in a folder of its own, to be written into."""
    return shutil.copytree(run, tmp_path / "run")


@pytest.fixture
def retrained(digits_model, tmp_path):
    """A file that says of itself that it never saw class 3."""
    path = tmp_path / "never3.safetensors"
    save_checkpoint(path, digits_model, {"excluded": [3]})
    return path


@pytest.mark.slow
def test_the_record_gains_a_part_and_nothing_else_changes(folder, digits_checkpoint):
    before = read_json(folder / "result.json")
    result = measure_depth(folder, "digits", "quick", device="cpu")
    assert read_json(folder / "result.json") == result
    assert {name: value for name, value in result.items() if name != "depth"} == before
    depth = result["depth"]
    assert (depth["extent"], depth["data"]) == ("quick", "digits")
    assert depth["models"]["original"] == depth["models"]["unlearned"], "a blocked output changes no stage"
    assert depth["left"] is None


@pytest.mark.slow
def test_the_command_line_prints_what_it_writes(folder, retrained, capsys):
    arguments = ["evaluate", "--run", str(folder), "--data", "digits", "--depth", "--retrained", str(retrained)]
    assert main([*arguments, "--device", "cpu"]) == 0
    printed, depth = capsys.readouterr().out.splitlines(), read_json(folder / "result.json")["depth"]
    assert printed == depth_lines(depth)
    assert set(depth["models"]) == {"original", "unlearned", "retrained"}
    assert main([*arguments, "--device", "cpu", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["depth"]["stages"] == depth["stages"]


@pytest.mark.slow
def test_a_model_alone_can_be_asked(digits_checkpoint, retrained, capsys):
    arguments = ["evaluate", "--data", "digits", "--checkpoint", str(digits_checkpoint), "--forget", "3", "--depth"]
    assert main([*arguments, "--device", "cpu"]) == 0
    assert "Probe, stage by stage, unlearned: " in capsys.readouterr().out
    assert main([*arguments, "--device", "cpu", "--json"]) == 0
    assert list(json.loads(capsys.readouterr().out)["depth"]["models"]) == ["unlearned"]


@pytest.mark.slow
def test_a_retraining_run_is_taken_by_its_folder(folder, digits_model):
    save_checkpoint(folder / "model.safetensors", digits_model, {"unlearned": {"method": "retrain", "forget": [3]}})
    assert retrained_model(str(folder), "", (3,)).about["unlearned"]["method"] == "retrain"
    with pytest.raises(UsageError, match="never saw class 5"):
        retrained_model(str(folder), "", (3, 5))


@pytest.mark.parametrize(
    "about", [{"excluded": [5]}, {"excluded": []}, {"unlearned": {"method": "mask", "forget": [3]}}]
)
def test_a_model_that_saw_the_class_is_no_retrained_one(about, digits_model, tmp_path):
    path = tmp_path / "saw.safetensors"
    save_checkpoint(path, digits_model, about)
    with pytest.raises(UsageError, match="expected a model that never saw class 3"):
        retrained_model(str(path), "", (3,))


def test_a_file_that_does_not_say_is_believed(digits_model, tmp_path):
    path = tmp_path / "silent.safetensors"
    save_checkpoint(path, digits_model, {})
    assert retrained_model(str(path), "", (3,)).about == {}


def test_weights_alone_are_read_as_the_run_was_told_and_a_file_of_ours_as_it_says(digits_model, tmp_path):
    weights, ours, told = (
        tmp_path / "w.pt",
        tmp_path / "ours.safetensors",
        {"image_size": 8, "mean": (0.1,), "std": (0.9,)},
    )
    torch.save(digits_model.state_dict(), weights)
    save_checkpoint(ours, digits_model, {"excluded": [3]})
    read = retrained_model(str(weights), "", (3,), told).model.config
    assert (read.mean, read.std, read.image_size) == ((0.1,), (0.9,), 8)
    assert retrained_model(str(ours), "", (3,), told).model.config == digits_model.config


@pytest.mark.slow
def test_a_silent_file_that_knows_the_class_is_no_retrained_one(
    folder, digits_model, digits_checkpoint, tmp_path, capsys
):
    silent = tmp_path / "silent.safetensors"
    save_checkpoint(silent, digits_model, {})
    said = r"never saw class 3, got .*silent\.safetensors, which reads \d+\.\d % of its test images right"
    with pytest.raises(UsageError, match=said):
        measure_depth(folder, "digits", "quick", retrained=str(silent), device="cpu")
    assert "depth" not in read_json(folder / "result.json")
    alone = ["evaluate", "--data", "digits", "--checkpoint", str(digits_checkpoint), "--forget", "3"]
    assert main([*alone, "--original", str(digits_checkpoint), "--retrained", str(silent), "--device", "cpu"]) == 2
    assert re.search(said, capsys.readouterr().err)


@pytest.mark.slow
@pytest.mark.parametrize(
    "more",
    [["--mean", "0.1", "--std", "0.5"], ["--image-size", "8"], ["--order", "given"], ["--model", "timm:resnet18"]],
)
def test_what_the_run_says_itself_is_not_said_beside_it(more, folder, capsys):
    assert main(["evaluate", "--run", str(folder), "--data", "digits", "--depth", *more, "--device", "cpu"]) == 2
    assert f"--run: expected no {more[0]}" in capsys.readouterr().err


@pytest.mark.slow
def test_data_without_all_classes_are_refused(folder, small_digits, tmp_path, capsys):
    import numpy as np

    path, train = tmp_path / "few.npz", small_digits.train.of_classes([3])
    np.savez(path, train_x=train.images[:, 0].numpy(), train_y=train.labels.numpy(),
             test_x=train.images[:2, 0].numpy(), test_y=train.labels[:2].numpy(),
             class_names=[str(k) for k in range(10)])  # fmt: skip
    code = main(["evaluate", "--run", str(folder), "--data", str(path), "--depth", "--device", "cpu"])
    assert code == 2
    assert "expected training and test images of all classes" in capsys.readouterr().err
    assert "depth" not in read_json(folder / "result.json")


def test_what_is_no_run_is_refused(tmp_path, capsys):
    assert main(["evaluate", "--run", str(tmp_path), "--data", "digits", "--depth"]) == 2
    assert "expected the folder of a run" in capsys.readouterr().err


@pytest.mark.slow
def test_retrained_beside_a_run_needs_depth(folder, retrained, capsys):
    code = main(["evaluate", "--run", str(folder), "--data", "digits", "--retrained", str(retrained)])
    assert code == 2
    assert "expected no --retrained beside it" in capsys.readouterr().err
