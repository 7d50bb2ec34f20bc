"""A whole run on an owner's own network: with all data, with the images to forget alone, and back to the owner."""

import importlib.util
import json
from dataclasses import replace
from textwrap import dedent

import numpy as np
import pytest
import torch
from torch import nn

from zspag_core.cli import main
from zspag_core.data import load_dataset
from zspag_core.errors import UsageError
from zspag_core.runs.config import RunConfig
from zspag_core.runs.prepare import read_for

CODE = """
    from torch import nn

    class Net(nn.Module):
        def __init__(self, num_classes=10):
            super().__init__()
            self.features = nn.Sequential(
                nn.Conv2d(1, 16, 3, padding=1), nn.BatchNorm2d(16), nn.LeakyReLU(0.1), nn.MaxPool2d(2),
                nn.Conv2d(16, 32, 3, padding=1), nn.BatchNorm2d(32), nn.LeakyReLU(0.1), nn.MaxPool2d(2),
                nn.Conv2d(32, 64, 3, padding=1), nn.BatchNorm2d(64), nn.LeakyReLU(0.1), nn.AdaptiveAvgPool2d(1),
            )
            self.classifier = nn.Linear(64, num_classes)

        def forward(self, x):
            return {"logits": self.classifier(self.features(x).reshape(len(x), -1))}  # takes no empty batch
"""
MEAN, STD = 0.3, 0.35


@pytest.fixture(scope="module")
def owner(tmp_path_factory):
    """An owner's folder: code, weights that were really trained on the digits, and the digits as arrays."""
    folder = tmp_path_factory.mktemp("owner")
    code = folder / "mine.py"
    code.write_text(dedent(CODE))
    digits = load_dataset("digits", image_size=16, channels=1)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = _network(code)
        optimiser = torch.optim.Adam(network.parameters(), 3e-3)
        pixels, labels = _pixels(digits.train.images), digits.train.labels
        for _ in range(12):
            for index in torch.randperm(len(labels)).split(64):
                loss = nn.functional.cross_entropy(network.train()(pixels[index])["logits"], labels[index])
                optimiser.zero_grad()
                loss.backward()
                optimiser.step()
    torch.save({"epoch": 12, "model_state": network.eval().state_dict()}, folder / "mine.pth")
    parts = {"train": digits.train, "test": digits.test}
    arrays = {
        f"{part}_{what[0]}": getattr(split, what).numpy()
        for part, split in parts.items()
        for what in ("images", "labels")
    }
    names = {"train_i": "train_x", "train_l": "train_y", "test_i": "test_x", "test_l": "test_y"}
    whole = {names[key]: value[:, 0] if key.endswith("_i") else value for key, value in arrays.items()}
    np.savez(folder / "whole.npz", **whole)
    threes = whole["train_y"] == 3
    np.savez(folder / "threes.npz", train_x=whole["train_x"][threes], train_y=whole["train_y"][threes])
    return folder


def _network(code):
    spec = importlib.util.spec_from_file_location("owners_code", code)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.Net()


def _pixels(images):
    return (images.float() / 255 - MEAN) / STD


def _unlearn(owner, data, out):
    source = f"python:{owner / 'mine.py'}:Net"
    line = ["unlearn", "--data", str(owner / data), "--checkpoint", str(owner / "mine.pth"), "--model", source]
    line += ["--image-size", "16", "--mean", str(MEAN), "--std", str(STD), "--forget", "3", "--no-relearning"]
    assert main([*line, "--device", "cpu", "--out", str(out)]) == 0
    return json.loads((out / "result.json").read_text())


@pytest.mark.slow
def test_a_run_gives_the_owner_the_same_network_without_the_class(owner, tmp_path):
    result = _unlearn(owner, "whole.npz", tmp_path / "run")
    assert result["before"]["acc_rt"] > 90
    assert result["after"]["acc_ut"] <= 3
    assert result["after"]["acc_rt"] >= result["before"]["acc_rt"] - 1
    assert all(layer["leak"] <= 1e-5 for layer in result["subspace"]["layers"])
    assert result["model"]["origin"] == "python:mine.py:Net"
    assert result["model"]["returned"] == "unlearned.pth"
    assert result["model"]["told"].keys() == {"image_size", "mean", "std"}
    back = torch.load(tmp_path / "run" / "unlearned.pth", weights_only=True)
    assert back["epoch"] == 12
    network = _network(owner / "mine.py")
    network.load_state_dict(back["model_state"], strict=True)
    test = load_dataset("digits", image_size=16, channels=1).test
    with torch.no_grad():
        answers = network.eval()(_pixels(test.images))["logits"].argmax(1)
    threes = test.labels == 3
    read = 100 * float((answers == test.labels)[~threes].double().mean())
    assert read == pytest.approx(result["after"]["acc_rt"], abs=1e-6)
    assert 100 * float((answers == 3)[threes].double().mean()) == pytest.approx(result["after"]["acc_ut"], abs=1e-6)
    original = torch.load(owner / "mine.pth", weights_only=True)["model_state"]
    moved = {name for name, value in original.items() if not torch.equal(value, back["model_state"][name])}
    assert moved
    assert all(name.endswith("weight") and original[name].ndim > 1 for name in moved)


@pytest.mark.slow
def test_images_to_forget_alone_give_the_same_bytes(owner, tmp_path):
    _unlearn(owner, "whole.npz", tmp_path / "whole")
    result = _unlearn(owner, "threes.npz", tmp_path / "alone")
    for name in ("model.safetensors", "unlearned.pth"):
        assert (tmp_path / "alone" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()
    assert result["before"]["acc_rt"] is None
    assert result["after"]["acc_ut"] is None
    assert result["estimates"]["forget_accuracy"]["after"] <= 3


@pytest.mark.slow
def test_the_run_s_own_file_is_measured_with_the_owner_s_code(owner, tmp_path, capsys):
    _unlearn(owner, "whole.npz", tmp_path / "run")
    capsys.readouterr()
    line = ["evaluate", "--data", str(owner / "whole.npz"), "--forget", "3", "--json", "--device", "cpu"]
    ours = ["--checkpoint", str(tmp_path / "run" / "model.safetensors")]
    assert main([*line, *ours]) == 2
    assert "never run on a file's word" in capsys.readouterr().err
    assert main([*line, *ours, "--model", f"python:{owner / 'mine.py'}:Net"]) == 0
    assert json.loads(capsys.readouterr().out)["acc_ut"] <= 3
    reading = {"image_size": 16, "mean": (MEAN,), "std": (STD,)}
    asked = RunConfig(str(owner / "threes.npz"), "", ("3",), model=f"python:{owner / 'mine.py'}:Net", reading=reading)
    for file in ("model.safetensors", "unlearned.pth"):
        assert _said_last(replace(asked, checkpoint=str(tmp_path / "run" / file))).startswith(
            "this model has already forgotten 3"
        )


def _said_last(asked):
    """Return the last note on what is asked, or why it is refused, where the threes are read as one class by now."""
    try:
        return read_for(asked)[1].notes[-1]
    except UsageError as error:
        return str(error)


@pytest.mark.slow
def test_what_is_wrong_is_said_in_one_line(owner, tmp_path, capsys):
    line = ["unlearn", "--data", str(owner / "whole.npz"), "--checkpoint", str(owner / "mine.pth"), "--forget", "3"]
    out = ["--out", str(tmp_path / "run")]
    for more, said in (
        ([], "--model"),
        (["--model", "timm:no_such"], "timm has no network"),
        (["--model", "resnet18"], "expected torchvision:NAME"),
        (["--model", f"python:{owner / 'mine.py'}:Other"], "defines no 'Other'"),
        (["--model", f"python:{owner / 'mine.py'}:Net", "--mean", "x"], "--mean: expected R,G,B"),
        (["--model", f"python:{owner / 'mine.py'}:Net", "--image-size", "17", "--entry", "ema"], "ema"),
    ):
        assert main([*line, *more, *out]) == 2
        err = capsys.readouterr().err
        assert said in err
        assert err.strip().count("\n") == 0
        assert not (tmp_path / "run").exists()
