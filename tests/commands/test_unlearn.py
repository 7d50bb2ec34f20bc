from __future__ import annotations

import json

import pytest

from zspag_core.cli import main
from zspag_core.commands.unlearn import attack_line, classes_line, headline
from zspag_core.files import read_json
from zspag_core.runs.folder import FILES


def test_the_headline_says_both_accuracies_before_and_after():
    result = {
        "before": {"acc_rt": 90.0, "acc_ut": 80.0},
        "after": {"acc_rt": 91.234, "acc_ut": None},
        "mask": {"acc_rt": 91.0},
    }
    assert headline(result) == (
        "test images: remaining 90.00 % -> 91.23 % (masking alone: 91.00 %), forgotten 80.00 % -> undefined"
    )


def test_the_classes_are_named_as_a_person_knows_them():
    assert classes_line([5, 0], ["3", "b", "c", "d", "e", "tiger"]) == "to be forgotten: tiger (output 5), 3 (output 0)"
    assert classes_line([3], [str(k) for k in range(10)]) == "to be forgotten: 3"


def test_the_headline_says_nothing_of_what_is_not_graded():
    nothing = {"acc_rt": None, "acc_ut": 80.0}
    result = {"before": nothing, "after": nothing | {"acc_ut": 0.0}, "mask": {"acc_rt": None}}
    assert headline(result) == "test images: forgotten 80.00 % -> 0.00 %"


def test_a_backdoor_has_a_line_of_its_own():
    assert attack_line({"source": 1, "target": 8, "before": 98.2, "after": 0.0}) == (
        "backdoor: images of class 1 with the trigger read as class 8 98.20 % -> 0.00 %"
    )


@pytest.fixture
def unlearn(digits_checkpoint, tmp_path):
    def run(*extra, forget="3"):
        out = tmp_path / "run"
        code = main(["unlearn", "--data", "digits", "--checkpoint", str(digits_checkpoint), "--forget", forget,
                     "--device", "cpu", "--out", str(out), "--no-relearning", *extra])  # fmt: skip
        return code, json.loads((out / "result.json").read_text())

    return run


@pytest.mark.slow
def test_settings_reach_the_method_over_a_preset(unlearn):
    code, result = unlearn("--preset", "random labels", "--set", "epochs=1", "--set", "n_adv=4", "--set", "epsilon=0.3",
                           "--seed", "7")  # fmt: skip
    assert code == 0
    assert result["config"]["label_mode"] == "random"
    assert result["config"]["epochs"] == 1
    assert result["seed"] == 7


@pytest.mark.slow
def test_other_methods_and_several_classes_in_any_order(unlearn):
    code, result = unlearn("--method", "mask", forget="7, 2")
    assert code == 0
    assert result["method"] == "mask"
    assert result["forget"] == [2, 7]
    assert result["after"]["acc_ut"] == 0


@pytest.fixture
def command(digits_checkpoint, tmp_path):
    """Return a function that starts, or goes on with, one run of two epochs."""

    def command(*extra):
        return main(["unlearn", "--data", "digits", "--checkpoint", str(digits_checkpoint), "--forget", "3",
                     "--device", "cpu", "--out", str(tmp_path / "run"), "--set", "epochs=2", "--set", "n_adv=4",
                     "--set", "epsilon=0.3", "--no-relearning", "--resume", *extra])  # fmt: skip

    return command


@pytest.mark.slow
def test_what_was_reached_before_ctrl_c_is_replaced_when_the_run_goes_on(command, tmp_path, monkeypatch, capfd):
    from zspag_core.commands.shared import TerminalReporter

    epoch = TerminalReporter.epoch

    def interrupted(self, number, *told, **figures):
        self.interrupted = number == 1
        epoch(self, number, *told, **figures)

    run = tmp_path / "run"
    with monkeypatch.context() as patch:
        patch.setattr(TerminalReporter, "epoch", interrupted)
        assert command() == 130
    assert "interrupted after epoch 1: what was reached is in" in capfd.readouterr().err
    assert read_json(run / "result.json")["after"] is None
    assert {path.name for path in run.iterdir()} <= FILES
    (run / "mine.txt").write_text("keep me")
    capfd.readouterr()
    assert command() == 2
    assert "which already holds something" in capfd.readouterr().err
    (run / "mine.txt").unlink()
    assert command() == 0
    assert "note: going on with an interrupted run, after epoch 1\n" in capfd.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["run"]
    result = read_json(run / "result.json")
    assert result["after"] is not None
    assert len(result["history"]) >= 2


@pytest.mark.slow
def test_an_interrupted_run_is_resumed_by_the_same_command(command, tmp_path, monkeypatch, capfd):
    from zspag_core.commands.shared import TerminalReporter

    seen = []
    progress = TerminalReporter.progress

    def interrupted(self, stage, *counts, **figures):
        seen.append(stage)
        self.interrupted = stage == "unlearn"
        progress(self, stage, *counts, **figures)

    with monkeypatch.context() as patch:
        patch.setattr(TerminalReporter, "progress", interrupted)
        assert command() == 130
    assert [path.name for path in tmp_path.iterdir()] == [".run.state"]
    assert "going on" not in capfd.readouterr().err
    assert command() == 0
    assert "note: going on with an interrupted run, after its last finished stage\n" in capfd.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["run"]


@pytest.mark.slow
def test_a_finished_run_is_not_resumed(unlearn, tmp_path, capfd):
    _, result = unlearn("--method", "mask", "--resume")
    capfd.readouterr()
    assert unlearn("--method", "mask", "--resume") == (2, result)
    out, err = capfd.readouterr()
    assert (out, err.count("\n")) == ("", 1)
    assert err.endswith(f"got {tmp_path / 'run'}, which holds a run that is finished already\n")
    assert [path.name for path in tmp_path.iterdir()] == ["run"]
