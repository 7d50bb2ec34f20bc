"""The line that repeats a run: read by the command line's own parser it asks for the very same run."""

from __future__ import annotations

import shlex
import subprocess
from dataclasses import replace

import numpy as np
import pytest

from zspag_core.cli import parse
from zspag_core.commands.unlearn import config_of
from zspag_core.data.dataset import DataSet, Split
from zspag_core.runs import command_line
from zspag_core.runs.command_line import forgotten, unlearn_line, written
from zspag_core.runs.config import RunConfig
from zspag_core.runs.samples import find_forget
from zspag_core.shipped import CHECKPOINTS, ROOT


def asked_by(line):
    """Return the run that a line asks for."""
    return config_of(parse(shlex.split(line)[3:]))


@pytest.fixture
def everything(tmp_path):
    """A run with everything that can be said of one, its classes still numbers."""
    (tmp_path / "the names.txt").write_text("fox\nwolf\na, b\n10\n")
    return RunConfig(
        data="my data.zip",
        checkpoint="it's.pt",
        forget=(1, 2),
        method="posterior",
        settings={"epochs": 2, "stop_rule": False, "attack": "cw", "epsilon": 32 / 255},
        seed=7,
        device="cpu",
        relearning=False,
        model_classes=("fox", "wolf", "a, b", "10"),
        hold_out=12.5,
        model="python:my net.py:make",
        reading={"image_size": 8, "mean": (0.1, 0.2, 1 / 3), "std": (1.0, 0.5, 0.25), "shorter_side": 9,
                 "interpolation": "bicubic", "heads": 3, "entry": "state_dict_ema", "limit_mb": 12.5},
        order="natural",
    )  # fmt: skip


def test_a_run_with_everything_is_asked_for_again(everything, tmp_path):
    remembered = {"class_names": ["wolf", "a, b"], "classes_file": str(tmp_path / "the names.txt")}
    again = asked_by(unlearn_line(everything.to_dict() | remembered, "new"))
    assert again.forget == ("wolf", "a, b")
    assert replace(again, forget=everything.forget, settings={}) == replace(everything, settings={})
    assert again.settings == {name: written(value) for name, value in everything.settings.items()}


def test_threads_are_said_where_the_machine_would_take_others(monkeypatch):
    monkeypatch.setattr(command_line, "usable_cores", lambda: 4)
    run = RunConfig("digits", "model", (3,)).to_dict()
    words = shlex.split(unlearn_line(run | {"threads": 2}, "new"))
    assert words[:6] == ["python", "-m", "zspag_core", "--threads", "2", "unlearn"]
    assert parse(words[3:]).threads == 2
    for same in ({"threads": 4}, {"threads": None}, {}):
        assert "--threads" not in unlearn_line(run | same, "new")


def test_every_field_of_a_run_is_looked_at(everything):
    plain = RunConfig("digits", "model", (3,))
    for name in vars(plain).keys() - {"data", "checkpoint", "forget"}:
        assert getattr(everything, name) != getattr(plain, name), f"{name}: the test above says nothing of it"


def test_defaults_are_not_written():
    line = unlearn_line(RunConfig("digits", "a/m.safetensors", (3,)).to_dict(), "again")
    assert line == "python -m zspag_core unlearn --data digits --checkpoint a/m.safetensors --forget 3 --out again"
    assert asked_by(line) == RunConfig("digits", "a/m.safetensors", ("3",))


def test_names_without_a_file_are_written_for_the_shell(everything):
    line = unlearn_line(replace(everything, model_classes=("a 'fox'", "wolf")).to_dict(), "new")
    printed = line.partition("<(")[2].partition(") --out")[0]
    said = subprocess.run(["sh", "-c", printed], capture_output=True, text=True, check=True).stdout
    assert said == "a 'fox'\nwolf\n"


@pytest.mark.parametrize(
    "names",
    [
        ("0", "1", "2", "3"),
        ("1", "10", "2", "3"),  # as folders are sorted: number 2 is called 2, number 1 is called 10
        ("fox", "wolf", "a, b", 'say "no"'),
        ("Fox", "fox", " wolf", "1"),
        ("index:3", "name:4", "-fox", "2"),
        ("", "a\nb", "c", "4"),
    ],
)
def test_classes_as_they_are_typed_mean_the_same_classes(names):
    split = Split(np.zeros((4, 1, 2, 2), np.uint8), np.arange(4))
    dataset = DataSet("mine", names, split, split)
    for classes in [(k,) for k in range(4)] + [(0, 2), (1, 3), (0, 1, 3)]:
        text = forgotten(classes, [names[k] for k in classes])
        line = unlearn_line({"data": "d", "checkpoint": "c", "forget": classes,
                             "class_names": [names[k] for k in classes]}, "o")  # fmt: skip
        assert find_forget(asked_by(line).forget, dataset) == classes, text


def test_files_of_the_program_are_named_from_its_folder():
    line = unlearn_line({"data": str(ROOT / "my.zip"), "checkpoint": str(ROOT / "some" / "m.pt"), "forget": [3]}, "o")
    assert (asked_by(line).data, asked_by(line).checkpoint) == ("my.zip", "some/m.pt")


def test_a_shipped_model_is_named_so_that_it_is_found_from_every_folder():
    shipped = str(CHECKPOINTS / "digits_resnet.safetensors")
    assert asked_by(unlearn_line({"data": "digits", "checkpoint": shipped, "forget": [3]}, "o")).checkpoint == (
        "digits_resnet"
    )


@pytest.mark.parametrize("value", [0.1, 1 / 3, 1e-7, 12, True, False, "cw"])
def test_settings_are_read_back_as_they_were(value):
    from zspag_core.hyperparameters import _parse

    assert _parse("x", type(value), written(value)) == value
