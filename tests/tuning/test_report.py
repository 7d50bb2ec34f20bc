from __future__ import annotations

import csv
import io
import shlex
from dataclasses import replace

import pytest

from zspag_core.cli import parse
from zspag_core.tuning.report import (
    as_csv,
    as_table,
    best_rows,
    command_of,
    history_of_best,
    predicted_words,
    summarise,
    used_up,
)
from zspag_core.tuning.space import Axis


@pytest.fixture
def rows(row):
    return [
        row(0, {"n_adv": 4, "label_mode": "posterior"}, retain_free=80.0, acc_rt=90.0, acc_ut=3.0, graded=90.0),
        row(1, {"n_adv": 8, "label_mode": "posterior"}, retain_free=95.0, acc_rt=88.0, acc_ut=1.0, graded=88.0),
        row(2, {"n_adv": 4, "label_mode": "second_best"}, state="failed"),
        row(3, {"n_adv": 8, "label_mode": "second_best"}, retain_free=93.0, acc_rt=87.0, acc_ut=2.0, graded=87.0),
    ]


def test_the_best_of_one_objective(sweep, rows):
    assert [row["number"] for row in best_rows(sweep, rows)] == [1]
    assert [row["number"] for row in best_rows(replace(sweep, objectives=("acc_ut",)), rows)] == [1]
    assert best_rows(sweep, rows[2:3]) == []


def test_the_front_of_several_leaves_out_what_another_beats(sweep, rows):
    front = best_rows(replace(sweep, objectives=("acc_rt", "acc_ut")), rows)
    assert [row["number"] for row in front] == [0, 1]


def test_a_point_stands_on_the_front_once(sweep, rows, row):
    again = row(4, rows[1]["point"], retain_free=95.0, acc_rt=88.0, acc_ut=1.0, graded=88.0)
    front = best_rows(replace(sweep, objectives=("acc_rt", "acc_ut")), [*rows, again])
    assert [row["number"] for row in front] == [0, 1]


def test_a_space_is_used_up_once_every_point_was_tried(sweep, rows):
    assert used_up(sweep, rows)
    assert not used_up(sweep, [*rows[:3], rows[0] | {"number": 3}])
    assert not used_up(replace(sweep, space=(Axis(name="epsilon", low=0.1, high=0.2),), sampler="random"), rows)


def test_the_best_so_far(sweep, rows):
    assert history_of_best(sweep, rows) == [80.0, 95.0, 95.0]
    assert history_of_best(replace(sweep, objectives=("acc_ut",)), rows) == [3.0, 1.0, 1.0]


def test_a_summary_has_everything(sweep, rows):
    found = summarise(sweep, rows)
    assert found["best"] == [1]
    assert "n_adv=8" in found["command"]
    assert found["predicted"][0]["figure"] == "retain_free"
    assert found["predicted"][0]["regret"] == 2.0
    assert summarise(sweep, [])["command"] is None


def test_the_command_is_one_that_unlearn_takes(sweep, rows):
    run = sweep.run | {"forget": [1, 3], "hold_out": 20.0, "order": "natural", "model": "timm:x",
                       "reading": {"mean": (0.1, 0.2), "image_size": 8}}  # fmt: skip
    remembered = {"class_names": ["a, b", "3"], "trial": "something else"}
    words = shlex.split(command_of(replace(sweep, run=run, seeds=(7,)), rows[1] | {"seeds": [7]}, remembered))[3:]
    asked = parse(words)
    assert (asked.forget, asked.seed, asked.hold_out, asked.order) == ('"a, b",3', "7", "20", "natural")
    assert (asked.model, asked.mean, asked.image_size) == ("timm:x", "0.1,0.2", "8")
    assert asked.settings == ["epochs=2", "energy=0.8", "n_adv=8", "label_mode=posterior"]


def test_the_command_says_with_how_many_threads_the_trial_was_computed(sweep, rows, monkeypatch):
    monkeypatch.setattr("zspag_core.runs.command_line.usable_cores", lambda: 4)
    assert " --threads 2 unlearn " in command_of(sweep, rows[1] | {"threads": 2})
    assert "--threads" not in command_of(sweep, rows[1]), "a trial of an earlier version does not say it"


def test_csv_has_a_line_a_trial_and_marks_what_is_graded(sweep, rows):
    lines = list(csv.DictReader(io.StringIO(as_csv(sweep, rows))))
    assert [line["n_adv"] for line in lines] == ["4", "8", "4", "8"]
    assert lines[2]["error"] == "it broke"
    assert lines[0]["acc_rt (grading only)"] == "90.0"
    assert lines[0]["retain_free"] == "80.0"


def test_the_table_begins_with_the_best(sweep, rows):
    lines = as_table(sweep, rows)
    assert lines[1].split()[:3] == ["1", "8", "posterior"]
    assert "Acc_rt*" in lines[0]
    assert "grading only" in lines[-1]
    assert as_table(sweep, []) == []


def test_prediction_in_words(sweep, rows):
    words = predicted_words(summarise(sweep, rows)["predicted"][0])
    assert "rank correlation with the graded score -0.50 over 3 trials" in words
    assert "trial 1, is 2.00 points below the best, trial 0" in words


def test_numbers_in_the_table_are_short(sweep, row):
    sweep = replace(sweep, space=(Axis(name="epsilon", low=0.1, high=0.2),))
    assert "0.1235" in as_table(sweep, [row(0, {"epsilon": 0.12345678}, retain_free=1.0)])[1]
