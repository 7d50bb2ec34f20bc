from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from importlib import import_module
from pathlib import Path

import pytest

from zspag_core.checkpoints import save_checkpoint
from zspag_core.cli import COMMANDS, main
from zspag_core.models import build

ROOT = Path(__file__).parents[1]
FAST = ["--device", "cpu", "--set", "epochs=1", "--set", "n_adv=4", "--set", "epsilon=0.3"]


def call(arguments: list[str]) -> int:
    """Run the command line in this process; return its exit code however it ends."""
    try:
        return main(arguments)
    except SystemExit as end:
        return int(end.code or 0)


@pytest.fixture
def unlearn(digits_checkpoint, tmp_path):
    def arguments(*extra: str, **replaced: str | None) -> list[str]:
        options = {"data": "digits", "checkpoint": str(digits_checkpoint), "forget": "3", "out": str(tmp_path / "run")}
        options |= replaced
        given = [part for name, value in options.items() if value is not None for part in (f"--{name}", value)]
        return ["unlearn", *given, *extra]

    return arguments


@pytest.mark.slow
def test_a_reader_that_has_read_enough_is_no_fault():
    command = [sys.executable, "-m", "zspag_core", "methods"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=ROOT) as listing:
        listing.stdout.close()
        assert listing.stderr.read() == b""
    assert listing.returncode == 0


BAD = [
    ({"data": "nowhere"}, [], "nowhere"),
    ({"data": ""}, [], "''"),
    ({"checkpoint": "missing.safetensors"}, [], "missing.safetensors"),
    ({"forget": "10"}, [], "0 to 9, got 10"),
    ({"forget": "0,1,2,3,4,5,6,7,8,9"}, [], "at least one class to remain"),
    ({"forget": "3,3"}, [], "got 3, 3"),
    ({"forget": "cat"}, [], "'cat'"),
    ({"forget": "-1"}, [], "'-1'"),
    ({"forget": "1.5"}, [], "'1.5'"),
    ({"forget": ""}, [], "''"),
    ({"method": "magic"}, [], "'magic'"),
    ({}, ["--set", "volume=3"], "volume: no such setting"),
    ({}, ["--set", "epsilon=3"], "epsilon: expected 0 to 1, got 3"),
    ({}, ["--set", "epsilon=nan"], "epsilon: expected a finite number"),
    ({}, ["--set", "n_adv=many"], "n_adv: expected a whole number, got 'many'"),
    ({}, ["--set", "attack=laser"], "attack: expected one of pgd"),
    ({}, ["--set", "epsilon"], "expected key=value, got 'epsilon'"),
    ({}, ["--set", "=3"], "expected key=value, got '=3'"),
    ({}, ["--set", "epsilon=0.1", "--set", "epsilon=0.2"], "epsilon is given twice"),
    ({}, ["--preset", "magic"], "'magic'"),
    ({"seed": "-1"}, [], "--seed: expected a whole number"),
    ({"seed": "x"}, [], "--seed: expected a whole number"),
    ({"device": "tpu"}, [], "device: expected auto, cpu, mps, cuda or cuda:N, got 'tpu'"),
    ({"device": "cuda:99"}, [], "cuda:99"),
    ({}, ["--loud"], "--loud"),
    ({}, ["more"], "more"),
    ({"data": None}, [], "--data"),
    ({"out": None}, [], "--out"),
    ({"forget": None}, [], "--forget"),
]


@pytest.mark.slow
@pytest.mark.parametrize(("replaced", "extra", "culprit"), BAD, ids=[f"{r}{e}" for r, e, _ in BAD])
def test_bad_use_is_answered_with_one_line_and_nothing_is_written(unlearn, tmp_path, capfd, replaced, extra, culprit):
    assert call(unlearn(*extra, **replaced)) == 2
    out, err = capfd.readouterr()
    assert out == ""
    assert err.count("\n") == 1
    assert err.endswith("\n")
    assert culprit in err
    assert "Traceback" not in err
    assert not list(tmp_path.iterdir())


def test_a_folder_that_holds_something_is_refused(unlearn, tmp_path, capfd):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "mine.txt").write_text("kept")
    assert call(unlearn()) == 2
    assert capfd.readouterr().err.count("\n") == 1
    assert [path.name for path in (tmp_path / "run").iterdir()] == ["mine.txt"]


def test_a_model_for_other_data_is_refused(unlearn, digits_config, tmp_path_factory, tmp_path, capfd):
    other = tmp_path_factory.mktemp("other") / "other.safetensors"
    save_checkpoint(other, build(type(digits_config)(**(digits_config.to_dict() | {"num_classes": 4}))), {})
    assert call(unlearn(checkpoint=str(other))) == 2
    err = capfd.readouterr().err
    assert err.count("\n") == 1
    assert "the model tells 4 classes apart, digits has 10" in err
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("arguments", [[], ["dance"], ["--loud"]])
def test_an_unknown_command_is_answered_with_one_line(arguments, capfd):
    assert call(arguments) == 2
    assert capfd.readouterr().err.count("\n") == 1


@pytest.mark.parametrize("command", COMMANDS)
def test_help_teaches(command, capsys):
    assert call([command, "--help"]) == 0
    text = capsys.readouterr().out
    assert len(text.splitlines()) > 5
    assert "--help" in text


def test_the_help_of_the_whole_names_every_command(capsys):
    assert call(["--help"]) == 0
    text = capsys.readouterr().out
    assert all(name in text for name in COMMANDS)


def test_a_library_that_is_missing_is_named(monkeypatch, capfd):
    monkeypatch.setitem(sys.modules, "zspag_core.methods", None)
    with pytest.raises(ModuleNotFoundError):
        main(["methods"])
    monkeypatch.setattr("zspag_core.commands.methods.run", lambda _chosen: import_module("nowhere"))
    assert main(["methods"]) == 1
    assert capfd.readouterr().err == "zspag_core methods: nowhere is not installed: pip install -r requirements.txt\n"


@pytest.mark.slow
def test_a_run_that_fails_ends_with_1(unlearn, tmp_path, capfd):
    assert call(unlearn("--set", "energy=1", "--set", "tolerance=0", "--set", "epsilon=0", "--device", "cpu")) == 1
    err = capfd.readouterr().err
    assert err.splitlines()[-1].startswith("zspag_core unlearn: ")
    assert "Traceback" not in err
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
def test_a_run_writes_its_folder_and_says_its_headline(unlearn, tmp_path, capfd):
    assert call(unlearn(*FAST)) == 0
    out, err = capfd.readouterr()
    assert out.startswith("to be forgotten: 3\n")
    assert "remaining " in out
    assert "masking alone" in out
    assert "Traceback" not in err
    result = json.loads((tmp_path / "run" / "result.json").read_text())
    assert result["config"]["n_adv"] == 4
    assert result["config"]["epsilon"] == 0.3
    assert f"{result['after']['acc_rt']:.2f} %" in out


def process(arguments: list[str], home: Path) -> subprocess.Popen:
    environment = os.environ | {"ZSPAG_HOME": str(home), "OMP_NUM_THREADS": "1"}
    return subprocess.Popen(
        [sys.executable, "-m", "zspag_core", *arguments], cwd=ROOT, env=environment, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip


@pytest.mark.slow
def test_a_whole_run_as_its_own_process_gives_the_bytes_of_this_one(unlearn, tmp_path, tmp_path_factory):
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    assert call(unlearn(*FAST)) == 0
    started = process(unlearn(*FAST, out=str(elsewhere / "run")), elsewhere)
    _, err = started.communicate(timeout=200)
    assert started.returncode == 0, err
    one, two = (folder / "run" / "model.safetensors" for folder in (tmp_path, elsewhere))
    assert one.read_bytes() == two.read_bytes()


@pytest.mark.slow
def test_ctrl_c_ends_with_130_and_a_usable_file(tmp_path):
    out = tmp_path / "model.safetensors"
    arguments = ["train", "--data", "digits", "--model", "resnet_tiny", "--epochs", "1000", "--image-size", "8",
                 "--out", str(out), "--device", "cpu", "--set", "train_limit=200"]  # fmt: skip
    started = process(arguments, tmp_path)
    state, deadline = tmp_path / ".model.safetensors.state", time.monotonic() + 150
    while not state.exists() and time.monotonic() < deadline and started.poll() is None:
        time.sleep(0.2)
    started.send_signal(signal.SIGINT)
    _, err = started.communicate(timeout=100)
    assert started.returncode == 130, err
    assert "Traceback" not in err
    from zspag_core.checkpoints import load_checkpoint

    assert load_checkpoint(out).about["stopped"] == "cancelled"
    assert state.exists()
