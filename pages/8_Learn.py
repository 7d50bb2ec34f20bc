from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from ui.learn.charts import CHARTS
from ui.learn.class_panel import class_panel
from ui.learn.lessons import LESSONS, lesson_number
from ui.learn.progress import (
    adopt_run,
    begin,
    go_on,
    held_value,
    own_run,
    pick_value,
    record_for,
    records_seen,
    records_so_far,
    show_answer_of,
    show_source,
)
from ui.shell.charts import chart
from ui.shell.class_bar import note_answer, note_lesson
from ui.shell.demo import lesson_choice
from ui.shell.formatting import glue
from ui.shell.frame import frame
from ui.shell.jobs import saying_refusals
from ui.shell.placeholders import stand_in
from ui.shell.presenting import presenting
from ui.shell.preview import preview_panel, preview_question
from ui.shell.shipped_records import shipped_runs
from ui.shell.visitor import is_teacher
from ui.shell.words import PIXEL_LEVELS

if TYPE_CHECKING:
    from ui.learn.lessons import Lesson
    from ui.shell.selection import Choice

SHARE = ":material/link: The address of this page opens this lesson with this choice: copy it to share."


def pick_lesson() -> int:
    """Draw the lessons in a row; return the number of the one that is open."""
    if "lesson" not in st.session_state:
        st.session_state["lesson"] = lesson_number(st.query_params.get("lesson"))
    number = st.pills(
        "Lesson",
        range(1, len(LESSONS) + 1),
        key="lesson",
        required=True,
        format_func=lambda place: f"{place} · {LESSONS[place - 1].short}",
        label_visibility="collapsed",
        persist_state="session",
    )
    return int(number)


def show_question(number: int, lesson: Lesson, value: str, choice: Choice) -> str | None:
    """Draw the prediction and the buttons that it frees; return what was predicted."""
    said = lesson.knob.say(value)
    options = [option.format(said) for option in lesson.options]
    question = f"**Predict first.** {lesson.question.format(said)}"
    predicted = st.radio(question, options, index=None, key=f"prediction-{number}-{value}", persist_state="session")
    if predicted is not None:
        note_answer(number, value, options.index(predicted))
    job = own_run(number, value)
    busy = job is not None and job.active
    ready = value in shipped_runs(lesson.runs).records
    with st.container(horizontal=True, gap="small"):
        if ready and st.button("Show the answer", type="primary", key="reveal", disabled=predicted is None):
            show_answer_of(number, value)
            st.rerun()
        kind = "secondary" if ready else "primary"
        if st.button("Run it here", type=kind, key="run-lesson", disabled=predicted is None or busy):
            with saying_refusals():
                begin(number, lesson, value, choice)
                st.rerun()
    waits = "The answer is there at once, from a run made before; a run of your own takes 20 to 40 seconds."
    st.caption(waits if ready else "A run takes 20 to 40 seconds.")
    return predicted


def show_answer(number: int, lesson: Lesson, value: str, predicted: str) -> None:
    """Draw what the run says, whether it was predicted, and the chart."""
    records = records_seen(number, lesson)
    answer = lesson.answer(value, records)
    right = lesson.options[answer.option].format(lesson.knob.say(value))
    with st.container(border=True, gap="small"):
        st.markdown("#### As you predicted" if predicted == right else "#### Not as you predicted")
        st.markdown(glue(f"**{right}.** {answer.text}"))
        drawn = CHARTS[lesson.chart](value, records, lesson.knob)
        st.markdown(f"**{drawn.title}** :gray-badge[for grading only]")
        chart(drawn.figure, key=f"chart-{number}", alt=drawn.alt)
        show_source(number, lesson, value)
        go_on(number)


def show_before(number: int, lesson: Lesson, value: str) -> None:
    """Draw the answer's chart with what is known before the run, where the answer will be drawn into it."""
    records = records_so_far(number, lesson, value)
    if records is not None:
        drawn = CHARTS[lesson.chart](value, records, lesson.knob)
        st.markdown(f"**{drawn.title}** :gray-badge[what is known so far]")
        chart(drawn.figure, key=f"chart-{number}", alt=drawn.alt)


def show_lesson(number: int, lesson: Lesson, choice: Choice) -> None:
    """Draw the lesson on the left; on the right the knob, the question, and below the buttons the answer."""
    adopt_run(number, lesson, choice)
    if presenting():
        show_to_room(number, lesson, choice)
        return
    if is_teacher():
        class_panel(number, lesson, held_value(number, lesson), choice)
    left, right = st.columns([2, 3], gap="large")
    with left:
        st.markdown(f"#### {lesson.title}")
        st.markdown(lesson.path.read_text(encoding="utf-8"))
        st.caption(SHARE)
    with right:
        value = pick_value(number, lesson)
        predicted = show_question(number, lesson, value, choice)
        job = own_run(number, value)
        record = record_for(number, lesson, value)
        if record is not None and predicted is not None:
            show_answer(number, lesson, value, predicted)
            if lesson.chart == "budgets":
                preview = {"attack": "pgd", "epsilon": int(value) / PIXEL_LEVELS}
                preview_panel(preview_question(choice, lesson.arm(value).forget, preview, 0), choice.class_names)
        elif job is not None and record is None:
            stand_in(job, "The answer", "lesson")
        else:
            st.info("Predict first. Then the answer and its chart stand here.", icon=":material/school:")
            show_before(number, lesson, value)


def show_to_room(number: int, lesson: Lesson, choice: Choice) -> None:
    """Draw one panel for a projector: what the class predicts, or what is known of the answer."""
    value = held_value(number, lesson)
    st.markdown(f"#### {number} · {lesson.title}")
    if is_teacher():
        class_panel(number, lesson, value, choice)
    record = record_for(number, lesson, value)
    if record is None:
        show_before(number, lesson, value)
        return
    records = records_seen(number, lesson)
    drawn = CHARTS[lesson.chart](value, records, lesson.knob)
    st.markdown(glue(lesson.answer(value, records).text))
    chart(drawn.figure, key=f"chart-{number}", alt=drawn.alt)


frame("Learn", "Five short lessons: predict, run, and see whether you were right.")
if not presenting():
    lesson_zero = "Lesson 0 · In the plane: see every step move"
    st.page_link("pages/0_Playground.py", label=lesson_zero, icon=":material/joystick:")
number = pick_lesson()
note_lesson(number)
lesson, choice = LESSONS[number - 1], lesson_choice()
if choice is None:
    st.error("The lessons need the digits model in assets/checkpoints, which is not there.")
else:
    show_lesson(number, lesson, choice)
