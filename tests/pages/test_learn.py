from __future__ import annotations

import pytest

from ui.lessons import LESSONS, lesson_number, verdict
from zspag_core.jobs import State

PAGE = "8_Learn.py"


def texts(at):
    return " ".join(str(part.value) for part in [*at.markdown, *at.caption, *at.info])


def test_link_opens_a_lesson_and_a_prediction_frees_the_run(open_page, overview, store):
    overview.query_params["lesson"] = "3"
    page = open_page(PAGE)
    assert LESSONS[2].title in texts(page)
    assert page.button(key="run-lesson").disabled
    page.radio(key="prediction-3").set_value(LESSONS[2].options[0]).run()
    page.button(key="run-lesson").click().run()
    assert not page.exception
    (job,) = store.latest(kind="unlearn")
    assert job.config["settings"] == dict(LESSONS[2].settings)
    assert "is under way" in texts(page)


def test_answer_is_read_from_the_finished_run(open_page, overview, store, result):
    page = open_page(PAGE)
    page.radio(key="prediction-1").set_value(LESSONS[0].options[0]).run()
    page.button(key="run-lesson").click().run()
    store.beats.beat("worker", "worker", ("runs",), "cpu")
    store.finish(store.claim("runs", "worker", "cpu"), State.DONE, answer=result)
    page.run()
    assert not page.exception
    assert "As you predicted" in texts(page)
    assert "**99.4 %**" in texts(page)


def test_words_in_an_address_that_name_no_lesson_open_the_first():
    assert [lesson_number(text) for text in ("3", "9", "x", None)] == [3, 1, 1, 1]


@pytest.mark.parametrize("lesson", LESSONS)
def test_every_lesson_has_a_text_and_settings_that_the_method_knows(lesson, result):
    from zspag_core.methods.zspag import ZSPAG

    assert "**Try it.**" in lesson.path.read_text(encoding="utf-8")
    assert ZSPAG(**lesson.settings)
    right, text = verdict(lesson, result, None)
    assert right is None
    assert text.startswith("**")
