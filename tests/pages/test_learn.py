from __future__ import annotations

import json

import pytest

from ui.learn.lessons import LESSONS
from zspag_core.jobs import State

PAGE = "8_Learn.py"


def texts(at):
    return " ".join(str(part.value) for part in [*at.markdown, *at.caption, *at.info])


def open_lesson(open_page, overview, number, **knobs):
    overview.query_params["lesson"] = str(number)
    for name, value in knobs.items():
        overview.query_params[name] = value
    return open_page(PAGE)


def predict(page, number, value, option):
    """Choose an option by its place."""
    radio = page.radio(key=f"prediction-{number}-{value}")
    radio.set_value(radio.options[option]).run()


@pytest.mark.slow
@pytest.mark.parametrize("number", range(1, len(LESSONS) + 1))
def test_every_lesson_asks_first_and_then_answers_at_once(open_page, overview, store, number):
    lesson = LESSONS[number - 1]
    page = open_lesson(open_page, overview, number)
    assert lesson.title in texts(page)
    assert "Predict first. Then" in texts(page)
    assert page.button(key="reveal").disabled
    assert page.button(key="run-lesson").disabled
    assert len(page.get("plotly_chart")) == 1, "what is known before the run"
    assert "what is known so far" in texts(page)
    predict(page, number, lesson.knob.default, 0)
    page.button(key="reveal").click().run()
    assert not page.exception
    assert "s you predicted" in texts(page)
    assert "Pre-run on" in texts(page)
    assert len(page.get("plotly_chart")) == 1
    assert not store.latest(kind="unlearn"), "nothing was run"


def test_link_opens_a_lesson_with_its_setting(open_page, overview, store):
    page = open_lesson(open_page, overview, 3, epsilon="16")
    assert page.select_slider(key="knob-3").value == "16"
    assert "With ε at 16/255" in page.radio(key="prediction-3-16").label
    page.select_slider(key="knob-3").set_value("4").run()
    assert page.query_params["epsilon"] in ("4", ["4"])
    assert page.query_params["lesson"] in ("3", ["3"])


def test_another_lesson_leaves_the_setting_of_the_first_out_of_the_address(open_page, overview, store):
    page = open_lesson(open_page, overview, 3, epsilon="16")
    page.get("button_group")[0].set_value(4).run()
    assert LESSONS[3].title in texts(page)
    assert "epsilon" not in page.query_params
    assert page.query_params["subspace"] in ("estimated", ["estimated"])


@pytest.mark.slow
def test_curve_grows_with_what_was_tried(open_page, overview, store):
    page = open_lesson(open_page, overview, 3)
    for value in ("8", "32"):
        page.select_slider(key="knob-3").set_value(value).run()
        predict(page, 3, value, 0)
        page.button(key="reveal").click().run()
    spec = json.loads(page.get("plotly_chart")[0].proto.spec)
    assert spec["data"][0]["x"] == ["8/255", "32/255"]
    assert "preview" in {job.kind for job in store.latest("interactive")}, "the proxies themselves are shown"


@pytest.mark.slow
def test_answer_is_read_from_the_run_just_made(open_page, overview, store, result):
    page = open_lesson(open_page, overview, 2)
    predict(page, 2, "0.001", 0)
    page.button(key="run-lesson").click().run()
    assert not page.exception
    (job,) = store.latest(kind="unlearn")
    assert job.config["settings"] == dict(LESSONS[1].arm("0.001").settings)
    assert job.config["forget"] == [3]
    assert "is under way" in texts(page)
    store.heartbeats.beat("worker", "worker", ("runs",), "cpu")
    part = {"acc_per_class": [99.0] * 10}
    answer = result | {"forget": [3], "before": result["before"] | part, "after": result["after"] | part}
    store.finish(store.claim("runs", "worker", "cpu"), State.DONE, answer=answer)
    page.run()
    assert not page.exception
    assert "As you predicted" in texts(page)
    assert "**99.4 %**" in texts(page)
    assert f"Run {job.number}, made here" in texts(page)


@pytest.mark.slow
def test_nothing_is_told_before_it_was_predicted(open_page, overview, store, result):
    """Somebody who comes with a finished run, from the demo or by a link, is asked first, too."""
    page = open_lesson(open_page, overview, 2)
    predict(page, 2, "0.001", 0)
    page.button(key="run-lesson").click().run()
    store.heartbeats.beat("worker", "worker", ("runs",), "cpu")
    part = {"acc_per_class": [99.0] * 10}
    answer = result | {"forget": [3], "before": result["before"] | part, "after": result["after"] | part}
    job = store.claim("runs", "worker", "cpu")
    store.finish(job, State.DONE, answer=answer)
    again = open_lesson(open_page, overview, 2, job=job.id)
    again.session_state["prediction-2-0.001"] = None
    again.run()
    assert "predicted" not in texts(again)
    assert "Predict first. Then" in again.info[0].value
    predict(again, 2, "0.001", 0)
    assert "As you predicted" in texts(again)


@pytest.mark.slow
def test_run_of_a_lesson_is_found_again_by_its_address(open_page, overview, store):
    page = open_lesson(open_page, overview, 2)
    predict(page, 2, "0.001", 0)
    page.button(key="run-lesson").click().run()
    (job,) = store.latest(kind="unlearn")
    overview.session_state["lesson-run-2-0.001"] = None  # as after a reload, when only the address is left
    again = open_lesson(open_page, overview, 2, job=job.id)
    assert f"Run {job.number} is under way" in texts(again)
    again.select_slider(key="knob-2").set_value("0.01").run()
    assert "Predict first. Then" in again.info[0].value, "that run answers another question"


def test_run_that_broke_down_is_an_answer_too(open_page, overview, store):
    page = open_lesson(open_page, overview, 2, learning_rate="0.01")
    predict(page, 2, "0.01", 2)
    page.button(key="run-lesson").click().run()
    store.heartbeats.beat("worker", "worker", ("runs",), "cpu")
    job = store.claim("runs", "worker", "cpu")
    store.finish(job, State.FAILED, error="the loss became nan in epoch 2")
    page.run()
    assert not page.exception
    assert "As you predicted" in texts(page)
    assert "The run broke down: the loss became nan in epoch 2." in texts(page)


def test_lessons_need_the_digits_model(open_page, overview, store, monkeypatch):
    monkeypatch.setattr("ui.shell.demo.shipped_checkpoints", list)
    assert "need the digits model" in " ".join(error.value for error in open_page(PAGE).error)
