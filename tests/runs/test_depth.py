"""The depth of a finished run, by the function and by the command line; a run of the digits with a blocked output."""

from __future__ import annotations

import json
import re
import shutil

import pytest
import torch

from tests.runs.test_references import made
from zspag_core.checkpoints import save_checkpoint
from zspag_core.cli import main
from zspag_core.errors import UsageError
from zspag_core.files import read_json, write_json
from zspag_core.metrics.depth.references import save_references
from zspag_core.metrics.depth.words import depth_lines
from zspag_core.runs.depth import measure, measure_depth, retrained_model


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
    own = before.pop("depth")
    result = measure_depth(folder, "digits", "quick", device="cpu")
    assert read_json(folder / "result.json") == result
    assert {name: value for name, value in result.items() if name != "depth"} == before
    depth = result["depth"]
    assert (depth["extent"], depth["data"]) == ("quick", "digits")
    assert depth["models"]["original"] == depth["models"]["unlearned"], "a blocked output changes no stage"
    assert depth["left"] is None
    assert depth.keys() - own.keys() == {"seconds"}
    assert own["models"]["unlearned"]["probe"] == pytest.approx(depth["models"]["unlearned"]["probe"], abs=3)


@pytest.fixture
def short(monkeypatch):
    """What takes long in measuring everything, kept short."""
    monkeypatch.setattr("zspag_core.metrics.depth.information.STEPS", 5)
    monkeypatch.setattr("zspag_core.metrics.depth.full.relearn_with_rest", lambda *_, **__: None)


def test_references_are_found_given_or_said_to_be_lacking(folder, short, small_digits, digits_config, tmp_path, capsys):
    arguments = ["evaluate", "--run", str(folder), "--data", "digits", "--depth", "all", "--device", "cpu"]
    assert main(arguments) == 0
    assert "Membership against references: not measured" in capsys.readouterr().out
    assert read_json(folder / "result.json")["depth"]["references"] is None
    path = tmp_path / "r.npz"
    save_references(path, made(small_digits, digits_config))
    assert main([*arguments, "--references", str(path)]) == 0
    said, depth = capsys.readouterr(), read_json(folder / "result.json")["depth"]
    assert "references are of another network or recipe" in said.err
    assert (
        "Membership against references · U-LiRA, AUC: original 50.0 % (50 to 50), unlearned 50.0 % (50 to 50)"
        in said.out
    )
    about = {"count": 4, "data": "digits", "model": "resnet_tiny", "image_size": 8, "epochs": 6}
    assert depth["references"] == about | {"reach": None}, "without one of four there are too few"
    assert depth["models"]["unlearned"]["u_lira"] == {"auc": 50.0, "auc_ci": [50.0, 50.0], "found": None}


def test_a_model_alone_is_asked_by_given_references(
    digits_checkpoint, short, small_digits, digits_config, tmp_path, capsys
):
    path = tmp_path / "r.npz"
    save_references(path, made(small_digits, digits_config))
    alone = ["evaluate", "--data", "digits", "--checkpoint", str(digits_checkpoint), "--forget", "3", "--depth", "all"]
    assert main([*alone, "--references", str(path), "--device", "cpu"]) == 0
    assert "U-LiRA, AUC: unlearned 50.0 %" in capsys.readouterr().out


def test_references_of_other_images_are_refused_before_anything_is_measured(
    folder, small_digits, digits_config, tmp_path, capsys
):
    path, before = tmp_path / "r.npz", read_json(folder / "result.json")
    save_references(path, made(small_digits, digits_config, images={}))
    arguments = ["evaluate", "--run", str(folder), "--data", "digits", "--device", "cpu", "--references", str(path)]
    assert main([*arguments, "--depth", "all"]) == 2
    assert "references: expected those of the images of digits at 8 px" in capsys.readouterr().err
    assert read_json(folder / "result.json") == before
    for depth in ([], ["--depth", "quick"]):
        assert main([*arguments, *depth]) == 2
        assert "--references: expected --depth all beside it" in capsys.readouterr().err


def test_an_unknown_extent_is_refused(small_digits):
    with pytest.raises(ValueError, match="extent: expected one of quick, all, got 'some'"):
        measure("some", {}, small_digits, (3,), {}, seed=0)


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
    before = read_json(folder / "result.json")
    with pytest.raises(UsageError, match=said):
        measure_depth(folder, "digits", "quick", retrained=str(silent), device="cpu")
    assert read_json(folder / "result.json") == before
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
    before = read_json(folder / "result.json")
    code = main(["evaluate", "--run", str(folder), "--data", str(path), "--depth", "--device", "cpu"])
    assert code == 2
    assert "expected training and test images of all classes" in capsys.readouterr().err
    assert read_json(folder / "result.json") == before


def test_what_is_no_run_is_refused(tmp_path, capsys):
    assert main(["evaluate", "--run", str(tmp_path), "--data", "digits", "--depth"]) == 2
    assert "expected the folder of a run" in capsys.readouterr().err


@pytest.mark.slow
def test_retrained_beside_a_run_needs_depth(folder, retrained, capsys):
    code = main(["evaluate", "--run", str(folder), "--data", "digits", "--retrained", str(retrained)])
    assert code == 2
    assert "expected no --retrained beside it" in capsys.readouterr().err


CODE = """
from pathlib import Path

Path(__file__).with_name("ran").touch()


def network():
    raise RuntimeError("this is no network")
"""


@pytest.mark.parametrize("depth", [["--depth"], []])
def test_code_that_a_runs_folder_names_is_not_run(depth, folder, capsys):
    """A folder may be anybody's: what it says of itself must not start a program."""
    (folder / "payload.py").write_text(CODE)
    source, record = f"python:{folder / 'payload.py'}:network", read_json(folder / "config.json")
    write_json(folder / "config.json", record | {"model": source})
    arguments = ["evaluate", "--run", str(folder), "--data", "digits", *depth, "--device", "cpu"]
    before = read_json(folder / "result.json")
    for more in ([], ["--model", "python:mine.py:Other"]):
        assert main([*arguments, *more]) == 2
        assert f"run: its network is {source}, code that is never run on a file's word: say --model" in (
            capsys.readouterr().err
        )
    assert not (folder / "ran").exists()
    assert read_json(folder / "result.json") == before
    assert main([*arguments, "--model", source]) == 0  # named, it might be run; this model's own file says what it is
