from __future__ import annotations

import json
from types import SimpleNamespace

import pytest

from zspag_core.checkpoints import save_checkpoint
from zspag_core.cli import main
from zspag_core.commands.evaluate import _class_names, _steps
from zspag_core.metrics.accuracy import accuracy
from zspag_core.metrics.deep import relearn
from zspag_core.metrics.grade import grade
from zspag_core.metrics.predictions import logits_of
from zspag_core.models import build, initialise


def evaluate(checkpoint, *extra, forget="3"):
    return main(["evaluate", "--data", "digits", "--checkpoint", str(checkpoint), "--forget", forget, "--device", "cpu",
                 *extra])  # fmt: skip


@pytest.mark.slow
def test_json_holds_the_figures_of_grade(digits_checkpoint, digits_model, small_digits, capsys):
    assert evaluate(digits_checkpoint, "--json", forget="5,3") == 0
    record = json.loads(capsys.readouterr().out)
    expected = grade(digits_model, small_digits, (3, 5), seed=0)
    assert record["forget"] == [3, 5]
    assert record["num_classes"] == 10
    assert record["mask"]["acc_rt"] == pytest.approx(expected.mask_acc_rt)
    for name, value in expected.to_dict().items():
        if name not in {"mia", "loss_rt"}:
            assert record[name] == pytest.approx(value), name
    assert "relearning" not in record
    assert record["backdoor"] is None


@pytest.mark.slow
def test_what_makes_the_figures_doubtful_is_noted(digits_checkpoint, digits_model, digits_config, tmp_path, capsys):
    other, untrained = tmp_path / "other.safetensors", tmp_path / "untrained.safetensors"
    save_checkpoint(other, digits_model, {"class_names": [f"digit {k}" for k in range(10)]})
    save_checkpoint(untrained, initialise(digits_config, 0), {})
    notes = {}
    for path in (digits_checkpoint, other, untrained):
        assert evaluate(path) == 0
        notes[path] = [line for line in capsys.readouterr().err.splitlines() if "note: " in line]
    assert not notes[digits_checkpoint]
    assert ["digits's '0' is the model's class 0, 'digit 0'" in line for line in notes[other]] == [True]
    assert ["hardly more than guessing" in line for line in notes[untrained]] == [True]


@pytest.mark.slow
def test_the_text_says_every_figure_with_its_direction(digits_checkpoint, capsys):
    assert evaluate(digits_checkpoint) == 0
    text = capsys.readouterr().out
    for words in ("accuracy on remaining classes: ", "accuracy on forgotten classes: ", "50 is ideal",
                  "linear probe", "masked", "nearer to Retrain is better"):  # fmt: skip
        assert words in text


@pytest.mark.slow
def test_relearning_is_told_for_every_model_with_what_is_left_of_the_rest(
    digits_checkpoint, digits_model, small_digits, tmp_path, capsys
):
    other = tmp_path / "never3.safetensors"
    save_checkpoint(other, digits_model, {"excluded": [3]})
    extra = ("--original", str(digits_checkpoint), "--retrained", str(other))
    assert evaluate(digits_checkpoint, "--json", *extra) == 0
    found = json.loads(capsys.readouterr().out)["relearning"]
    known = accuracy(logits_of(digits_model, small_digits.test.images), small_digits.test.labels, (3,)).acc_ut
    expected = relearn(digits_model, small_digits, (3,), known, seed=0)
    assert set(found["steps"]) == set(found["acc_rt"]) == {"model", "original", "retrained"}
    assert set(found["steps"].values()) == {expected.steps}
    assert set(found["acc_rt"].values()) == {expected.acc_rt}
    assert found["anamnesis_index"] == 1.0
    assert evaluate(digits_checkpoint, *extra) == 0
    said = capsys.readouterr().out
    until = "steps from a neutral last layer until retrained knows the classes"
    assert f"{until}: {expected.steps} (remaining classes by then:" in said
    assert "Anamnesis Index (1 is ideal): 1" in said


@pytest.mark.slow
def test_a_planted_backdoor_is_tried(backdoored_checkpoint, capsys):
    assert evaluate(backdoored_checkpoint, "--json", forget="1") == 0
    record = json.loads(capsys.readouterr().out)["backdoor"]
    assert record == {"source": 1, "target": 8, "attack": record["attack"]}
    assert record["attack"] > 80
    assert evaluate(backdoored_checkpoint, forget="1") == 0
    words = f"backdoor: images of class 1 with the trigger read as class 8: {record['attack']:.4g} %"
    assert words in capsys.readouterr().out


@pytest.fixture
def another(tmp_path, digits_config):
    """Return what writes a checkpoint of an untrained model with a header."""

    def write(about, **sizes):
        path = tmp_path / "another.safetensors"
        save_checkpoint(path, build(type(digits_config)(**(digits_config.to_dict() | sizes))), about)
        return str(path)

    return write


@pytest.mark.parametrize(
    ("about", "sizes", "words"),
    [
        (
            {"class_names": list("abcdefghij")},
            {},
            "expected a model of the classes 0, 1, 2, 3, …, got one of a, b, c, d, …",
        ),
        ({}, {"num_classes": 4}, "expected a model of the classes 0, 1, 2, 3, …, got one of 0, 1, 2, 3"),
    ],
)
def test_a_model_of_other_classes_cannot_stand_beside(digits_checkpoint, another, capfd, about, sizes, words):
    assert evaluate(digits_checkpoint, "--original", another(about, **sizes)) == 2
    assert f"--original: {words}" in capfd.readouterr().err


@pytest.mark.parametrize(
    ("about", "count", "names"),
    [
        ({"class_names": ["x", "y"]}, 2, ["x", "y"]),
        ({}, 2, ["cat", "dog"]),
        ({}, 3, ["0", "1", "2"]),
    ],
)
def test_a_file_without_class_names_has_those_of_the_data(about, count, names):
    checkpoint = SimpleNamespace(about=about, model=SimpleNamespace(config=SimpleNamespace(num_classes=count)))
    assert _class_names(checkpoint, SimpleNamespace(class_names=("cat", "dog"), num_classes=2)) == names


def test_a_model_that_saw_the_classes_is_no_retrained_one(digits_checkpoint, another, capfd):
    both = ["--original", str(digits_checkpoint), "--retrained", another({"excluded": [5]})]
    assert evaluate(digits_checkpoint, *both, forget="3,5") == 2
    assert "--retrained: expected a model that never saw class 3" in capfd.readouterr().err


@pytest.mark.parametrize(
    ("steps", "target", "words"),
    [(28, 90.0, "28"), (None, 90.0, "not within 500"), (None, 0.0, "undefined, the original knows none of them")],
)
def test_steps_of_relearning_are_told_or_why_there_are_none(steps, target, words):
    assert _steps(steps, target) == words


@pytest.mark.parametrize(
    ("forget", "extra", "culprit"),
    [
        ("12", [], "--forget: expected classes 0 to 9, got 12"),
        ("3,3", [], "--forget: expected every class once"),
        ("", [], "--forget: expected classes by number or name"),
        ("cat", [], "--forget: digits has no class 'cat'; its classes are 0, 1, 2"),
        ("3", ["--retrained", "x"], "--retrained: expected --original"),
        ("3", ["--original", "missing.safetensors"], "missing.safetensors"),
        ("3", ["--seed", "x"], "--seed: expected a whole number"),
    ],
)
def test_bad_use_is_answered_with_one_line(digits_checkpoint, capfd, forget, extra, culprit):
    assert evaluate(digits_checkpoint, *extra, forget=forget) == 2
    err = capfd.readouterr().err
    assert err.count("\n") == 1
    assert culprit in err
