"""The teacher's view: who is at which lesson, what the class predicts, and what is opened for all."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import streamlit as st

from ui.learn.answer_bars import answers_html
from ui.learn.progress import begin, own_run
from ui.shell.class_bar import lead, presence
from ui.shell.formatting import duration
from ui.shell.jobs import current_run, saying_refusals
from ui.shell.presenting import begin_presenting, presenting
from ui.shell.streamlit_fragments import redrawn
from ui.shell.visitor import is_teacher, present_visitor
from zspag_core.visitors.presence import HERE_SECONDS

if TYPE_CHECKING:
    from ui.learn.lessons import Lesson
    from ui.shell.selection import Choice
    from zspag_core.visitors.presence import Place

LOOK_SECONDS = 2.0
PAGE = "pages/8_Learn.py"


def class_panel(number: int, lesson: Lesson, value: str, choice: Choice) -> None:
    """Draw the teacher's view of the lesson that is open, for teachers alone."""
    if not is_teacher():
        return
    with st.container(border=True, key="class-panel"):
        who, said = st.columns([2, 3], gap="large")
        with who:
            _who()
        with said:
            _answers(number, lesson, value)
        if not presenting():
            _buttons(number, lesson, value, choice)


def _who() -> None:
    """Draw who is here, and where, again every two seconds."""

    @redrawn(LOOK_SECONDS)
    def table() -> None:
        pupils = [place for place in presence().places(present_visitor()) if not place.teacher]
        here = [place for place in pupils if place.ago < HERE_SECONDS]
        away = f", {len(pupils) - len(here)} away" if len(pupils) > len(here) else ""
        st.markdown(f"**The class** · {len(here)} here{away}")
        if not pupils:
            st.caption("Nobody has joined yet. The join code stands in your terminal.")
        elif presenting():
            st.markdown(" · ".join(f"lesson {lesson}: {count}" for lesson, count in _by_lesson(here)))
        else:
            st.dataframe([_row(place) for place in pupils], hide_index=True, height=min(38 + 35 * len(pupils), 248))

    table()


def _by_lesson(here: list[Place]) -> list[tuple[int, int]]:
    """Return how many are at each lesson."""
    lessons = [place.lesson for place in here if place.lesson]
    return [(lesson, lessons.count(lesson)) for lesson in sorted(set(lessons))]


def _row(place: Place) -> dict[str, Any]:
    """Return a visitor's line in the table."""
    away = place.ago >= HERE_SECONDS
    return {
        "Name": place.name,
        "Lesson": str(place.lesson or "–"),
        "Page": f"away for {duration(place.ago)}" if away else place.page,
    }


def _answers(number: int, lesson: Lesson, value: str) -> None:
    """Draw what the class predicts, again every two seconds."""
    said = lesson.knob.say(value)
    options = [option.format(said) for option in lesson.options]

    @redrawn(LOOK_SECONDS)
    def bars() -> None:
        counts = presence().counts(present_visitor(), number, value)
        st.markdown(f"**{lesson.question.format(said)}** · {sum(counts.values())} answered")
        st.html(answers_html(options, counts))

    bars()


def _buttons(number: int, lesson: Lesson, value: str, choice: Choice) -> None:
    """Draw what can be done for all."""
    there = {"lesson": number, f"knob-{number}": value}
    query = {"lesson": str(number), lesson.knob.name: value}
    with st.container(horizontal=True, gap="small"):
        if st.button("Open this lesson for all", key="lead-lesson", icon=":material/school:"):
            lead(PAGE, query=query, **there)
        if st.button("Run it for all", key="lead-run", icon=":material/groups:", help=ONE_RUN):
            with saying_refusals():
                if own_run(number, value) is None:
                    begin(number, lesson, value, choice)
                lead(PAGE, job=own_run(number, value), query=query, **there)
        run = current_run()
        if run is not None:
            words = f"Open run {run.number} for all"
            if st.button(words, key="lead-open", icon=":material/ink_eraser:"):
                lead("pages/2_Forget.py", job=run)
        st.button("Present", key="present", icon=":material/present_to_all:", help=LARGE, on_click=begin_presenting)
        if st.button("Clear the answers", key="clear-answers", icon=":material/restart_alt:"):
            presence().forget_answers(present_visitor())


ONE_RUN = "One run of yours, which opens on everybody's page; each still predicts before the answer is shown."
LARGE = "Large type for a projector, without forms."
