from __future__ import annotations

import json

import pytest

from ui.learn.answers import APART, COMPARED, gap, how_many_attacks, how_many_kept, how_read, what_gives_it_away
from ui.learn.charts import CHARTS
from ui.learn.lessons import LESSONS, knob_value, lesson_number
from ui.shell.checkpoints import recipe_of
from ui.shell.shipped_records import RETRAINED, YARDSTICK, shipped_runs
from zspag_core.checkpoints import load_checkpoint
from zspag_core.hyperparameters import configure
from zspag_core.methods import find_method
from zspag_core.shipped import LESSON_MODEL


def record(acc_rt, acc_ut=0.0, probe=95.0, mia=40.0, **more):
    before = {"acc_rt": 99.0, "acc_ut": 98.0, "acc_per_class": [99.0] * 10}
    after = {"acc_rt": acc_rt, "acc_ut": acc_ut, "acc_per_class": [acc_rt] * 10, "probe": probe}
    return {"before": before, "after": after | {"mia": {"entropy_svc": mia}}, "forget": [3], "history": []} | more


def test_words_in_an_address_that_name_no_lesson_open_the_first():
    assert [lesson_number(text) for text in ("3", "9", "x", None)] == [3, 1, 1, 1]


def test_address_names_the_nearest_value():
    epsilon, subspace = LESSONS[2].knob, LESSONS[3].knob
    assert [knob_value(epsilon, text) for text in ("16", "15", "1000", "x", None)] == ["16", "16", "64", "8", "8"]
    assert [knob_value(subspace, text) for text in ("none", "x", "1")] == ["none", "estimated", "estimated"]


@pytest.mark.parametrize("lesson", LESSONS)
def test_every_lesson_has_a_text_and_runs_that_the_engine_takes(lesson):
    assert "**Try it.**" in lesson.path.read_text(encoding="utf-8")
    assert lesson.knob.default in lesson.knob.values
    for value in (*lesson.knob.values, *lesson.references):
        arm = lesson.arm(value)
        assert configure(find_method(arm.method), arm.settings)


@pytest.mark.slow
@pytest.mark.parametrize("lesson", LESSONS)
def test_every_shipped_run_has_an_answer_and_a_picture(lesson):
    shipped = shipped_runs(lesson.runs)
    assert set(shipped.records) == {*lesson.knob.values, *lesson.references}
    assert shipped.made
    assert "cores" in shipped.machine
    for value in lesson.knob.values:
        answer = lesson.answer(value, shipped.records)
        assert 0 <= answer.option < len(lesson.options)
        assert answer.text.endswith(".")
        drawn = CHARTS[lesson.chart](value, shipped.records, lesson.knob)
        assert drawn.title
        assert drawn.alt.endswith(".")


@pytest.mark.parametrize("lesson", LESSONS)
def test_every_lesson_has_more_than_one_answer_to_find(lesson):
    records = shipped_runs(lesson.runs).records
    assert len({lesson.answer(value, records).option for value in lesson.knob.values}) > 1


@pytest.mark.parametrize(
    ("counts", "option"), [({"3": 30, "8": 6}, 0), ({"8": 33, "9": 3}, 1), ({"8": 15, "9": 12, "3": 9}, 2)]
)
def test_what_a_forgotten_digit_is_read_as(counts, option):
    answer = how_read("3", {"3": record(99.0, read_as=counts)})
    assert answer.option == option
    assert "Of 36 test images of a 3" in answer.text


@pytest.mark.parametrize(("acc_rt", "option"), [(97.0, 0), (60.0, 1), (20.0, 2)])
def test_how_many_digits_are_kept(acc_rt, option):
    answer = how_many_kept("0.1", {"0.1": record(acc_rt)})
    assert answer.option == option
    assert f"**{acc_rt:.1f} %**" in answer.text


def test_a_run_that_broke_down_kept_nothing():
    answer = how_many_kept("0.1", {"0.1": {"error": "the loss became nan in epoch 2"}})
    assert answer.option == 2
    assert "the loss became nan in epoch 2." in answer.text


@pytest.mark.parametrize(("rate", "option"), [(5.0, 0), (58.0, 1), (100.0, 2)])
def test_how_many_attacks_succeed(rate, option):
    assert how_many_attacks("8", {"8": record(99.0, proxies={"asr": rate, "attempted": 281})}).option == option
    assert how_many_attacks("8", {"8": {"error": "no step was small enough"}}).option == 0


@pytest.mark.parametrize(
    ("judged", "option"),
    [
        (record(60.0), 0),
        (record(98.0, acc_ut=40.0), 0),
        (record(98.0, probe=60.0), 1),
        (record(98.0, mia=0.0), 2),
        (record(95.0, mia=45.0), 3),
    ],
)
def test_which_number_gives_a_model_away(judged, option):
    answer = what_gives_it_away("mask", {"mask": judged, "retrain": record(98.0)})
    assert answer.option == option
    assert "membership" in answer.text


def test_a_figure_within_the_spread_of_retrained_models_gives_nothing_away():
    records = {"mask": record(98.0, mia=30.0), "retrain": record(98.0, mia=5.0)}
    assert what_gives_it_away("mask", records).option == 2
    answer = what_gives_it_away("mask", records | {"retrain_2": record(97.0, mia=60.0)})
    assert answer.option == 3
    assert "membership 30.0 % (trained anew 5.0 to 60.0 %)" in answer.text


def test_no_verdict_of_the_shipped_runs_hangs_on_a_hair():
    lesson = LESSONS[-1]
    records = shipped_runs(lesson.runs).records
    gaps = [gap(measure, value, records) for value in lesson.knob.values for measure in COMPARED]
    assert len(gaps) == 12
    assert not [found for found in gaps if APART / 1.5 < found < 1.5 * APART]


def test_retrained_models_have_a_seed_each_and_the_recipe_of_the_model():
    (yardstick,) = (lesson for lesson in LESSONS if lesson.references)
    assert yardstick.runs == YARDSTICK
    arms = [yardstick.arm(name) for name in yardstick.references]
    assert [(arm.method, arm.seed) for arm in arms] == [("retrain", seed) for seed in range(len(RETRAINED))]
    assert all(arm.settings == recipe_of(str(LESSON_MODEL)) for arm in arms)


@pytest.mark.parametrize("lesson", LESSONS, ids=lambda lesson: lesson.file)
def test_shipped_runs_are_of_the_model_that_ships(lesson):
    told = json.loads(lesson.runs.read_text(encoding="utf-8")).get("sha256")
    assert told in {None, load_checkpoint(LESSON_MODEL).sha256}
    assert told is not None or lesson.runs != YARDSTICK, "the Results page rests on it"
