from __future__ import annotations

from dataclasses import replace

import pytest

from zspag_core.checkpoints import Checkpoint, save_checkpoint
from zspag_core.errors import UsageError
from zspag_core.runs.assumptions import check_assumptions
from zspag_core.runs.forgotten import already_forgotten, forgotten_before


@pytest.mark.parametrize(
    ("about", "expected"),
    [
        ({}, ()),
        ({"unlearned": {"forget": [5, 3]}}, (3, 5)),
        ({"unlearned": {"forget": [3], "before": [7, 3]}}, (3, 7)),
        ({"unlearned": {"forget": "3"}}, ()),
        ({"unlearned": "yes"}, ()),
    ],
)
def test_a_checkpoint_says_what_was_forgotten(about, expected):
    assert forgotten_before(about) == expected


def test_an_owner_s_file_is_known_by_ours_beside_it(digits_model, tmp_path):
    save_checkpoint(tmp_path / "model.safetensors", digits_model, {"unlearned": {"forget": [3]}})
    assert forgotten_before({}, tmp_path / "unlearned.pth.tar") == (3,)
    assert forgotten_before({}, tmp_path / "other.pth") == ()
    assert forgotten_before({}, tmp_path / "elsewhere" / "unlearned.pth") == ()


def test_a_class_that_is_gone_is_refused_and_one_that_is_still_read_is_noted(digits_model, small_digits):
    foreign = Checkpoint(digits_model, {"assumed": {"heads": 1}}, "")

    def notes(dataset, forget, forgotten):
        return check_assumptions(foreign, dataset, "mine", "", forget=forget, forgotten=forgotten).notes

    assert notes(small_digits, (3,), (3,))[-1] == "this model has already forgotten 3"
    assert not any("already forgotten" in note for note in notes(small_digits, (3,), (4,)))
    threes = small_digits.train.of_classes((3,))
    wrong = replace(small_digits, train=replace(threes, labels=threes.labels + 4), test=threes[threes.labels == 0])
    with pytest.raises(UsageError, match=r"^this model has already forgotten 7; name other classes, or the model as"):
        notes(wrong, (7,), (7,))
    with pytest.raises(UsageError, match="may have forgotten that class already"):
        notes(wrong, (7,), ())


def test_a_few_of_many_classes_are_named():
    assert already_forgotten((2, 0), ("wolf", "bear", "fox")) == "this model has already forgotten wolf, fox"
