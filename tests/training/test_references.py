from __future__ import annotations

import pytest
import torch

from zspag_core.cli import main
from zspag_core.data import load_dataset
from zspag_core.errors import Cancelled, UsageError
from zspag_core.metrics.depth.references import References, load_references
from zspag_core.progress import Reporter
from zspag_core.runs.references import describe_parts
from zspag_core.training.references import halves, make_references
from zspag_core.training.run import TrainConfig


class Ear(Reporter):
    """Remembers what is said, and cancels at one step."""

    def __init__(self, stop_at=None):
        self.done, self.epochs, self.notes, self.stop_at = [], 0, [], stop_at

    def progress(self, stage, done, total, **figures):
        if stage == "references":
            self.done.append((done, total))
            if done == self.stop_at:
                raise Cancelled("stop")

    def epoch(self, number, total, model, **figures):
        self.epochs += 1

    def note(self, sentence):
        self.notes.append(sentence)


def quick(**changed):
    settings = {"epochs": 1, "batch_size": 128}
    return TrainConfig(**{"data": "digits", "model": "resnet_tiny", "settings": settings, "image_size": 8} | changed)


def test_every_image_is_in_half_of_the_halves():
    found = halves(8, 500, torch.Generator().manual_seed(0))
    assert found.dtype == torch.bool
    assert found.shape == (8, 500)
    assert found.sum(dim=0).tolist() == [4] * 500
    assert all(200 < size < 300 for size in found.sum(dim=1).tolist())
    assert (found[0] != found[1]).any()


def test_what_is_made_is_of_all_images_and_says_what_it_is(tmp_path):
    ear, out = Ear(), tmp_path / "new" / "r.npz"
    made = make_references(quick(), 4, out, ear)
    data, found = load_dataset("digits", image_size=8), load_references(out)
    assert torch.equal(found.logits, made.logits)
    assert found.logits.shape == (4, len(data.train) + len(data.test), 10)
    assert set(found.included.sum(dim=0).tolist()) == {2}
    about = found.about
    assert (about["data"], about["model"], about["image_size"]) == ("digits", "resnet_tiny", 8)
    assert about["images"] == describe_parts(data)
    assert about["class_names"] == list(data.class_names)
    assert (about["recipe"]["seed"], about["recipe"]["epochs"], about["seeds"]) == (0, 1, [1, 2, 3, 4])
    labels = torch.cat([data.train.labels, data.test.labels])
    for said, seen, accuracy in zip(found.logits, found.included, about["accuracy"], strict=True):
        right = (said.argmax(1) == labels)[~seen].double().mean().item()
        assert accuracy == pytest.approx(100 * right, abs=0.3), "float16 may tie"
    assert ear.done[-1][0] == ear.done[-1][1]
    assert ear.done == sorted(ear.done)
    assert ear.epochs == 0
    assert len(ear.notes) == 4


def test_cancelling_the_second_one_leaves_nothing(tmp_path):
    with pytest.raises(Cancelled):
        make_references(quick(), 4, tmp_path / "r.npz", Ear(stop_at=10))
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("changed", "count", "words"),
    [
        ({}, 5, "an even number from 4 to 256, got 5"),
        ({}, 2, "an even number from 4 to 256, got 2"),
        ({"exclude": (3,), "start": ("a",)}, 4, "expected no exclude, start beside it"),
        ({"backdoor": (1, 8)}, 4, "expected no backdoor"),
        ({"model": "alexnot"}, 4, "model: expected one of alexnet"),
        ({"settings": {"epochs": 1, "train_limit": 100}}, 4, "train_limit: expected 0"),
    ],
)
def test_what_makes_no_references_is_refused(changed, count, words, tmp_path):
    with pytest.raises(UsageError, match=words):
        make_references(quick(**changed), count, tmp_path / "r.npz")
    assert not list(tmp_path.iterdir())


def test_the_file_must_be_new_and_end_in_npz(tmp_path):
    (tmp_path / "r.npz").write_bytes(b"precious")
    for name, words in (("r.npz", "exists already"), ("r.safetensors", r"ending in \.npz")):
        with pytest.raises(UsageError, match=words):
            make_references(quick(), 4, tmp_path / name)
    assert (tmp_path / "r.npz").read_bytes() == b"precious"


def test_the_command_asks_for_them(tmp_path, monkeypatch, capsys):
    asked = []

    def make(config, count, out, report):
        asked.append((config, count, out))
        included = (torch.arange(4) < 2)[:, None].expand(4, 3)
        return References(torch.zeros(4, 3, 2), included, {"accuracy": [97.04, 98.0, 99.0, 98.5]})

    monkeypatch.setattr("zspag_core.training.references.make_references", make)
    arguments = ["train", "--data", "digits", "--model", "resnet_tiny", "--image-size", "8", "--epochs", "1"]
    out = tmp_path / "r.npz"
    assert main([*arguments, "--references", "4", "--out", str(out), "--seed", "5", "--exclude", "3"]) == 0
    ((config, count, where),) = asked
    assert (config.data, config.model, config.image_size, config.exclude) == ("digits", "resnet_tiny", 8, ("3",))
    assert (config.settings["seed"], count, where) == (5, 4, out)
    assert f"{out}: 4 references, 97.0 to 99.0 % of unseen images" in capsys.readouterr().out


def test_the_command_refuses_in_a_line(tmp_path, capsys):
    arguments = ["train", "--data", "digits", "--model", "resnet_tiny", "--epochs", "1", "--references", "5"]
    assert main([*arguments, "--out", str(tmp_path / "r.npz")]) == 2
    assert "references: expected an even number" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())
