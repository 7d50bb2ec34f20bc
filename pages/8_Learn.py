from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from ui.frame import frame
from ui.jobs import job_store
from ui.lessons import LESSONS, lesson_number, verdict
from ui.overview import DEMO_CLASS, demo_choice, submit_own
from ui.results import headline
from ui.states import stand_in

if TYPE_CHECKING:
    from ui.choice import Choice
    from ui.lessons import Lesson
    from zspag_core.jobs import Job


def begin(number: int, lesson: Lesson, choice: Choice) -> None:
    """Queue the lesson's run and remember which it is."""
    forget = [choice.class_names.index(DEMO_CLASS)]
    st.session_state[f"lesson-run-{number}"] = submit_own(choice, forget, settings=dict(lesson.settings)).id


def run_of(number: int) -> Job | None:
    """Return the visitor's run of a lesson."""
    job_id = st.session_state.get(f"lesson-run-{number}")
    return job_store().get(job_id) if job_id else None


def show_answer(lesson: Lesson, job: Job, predicted: str | None) -> None:
    """Draw what the finished run says, and whether it was predicted."""
    right, text = verdict(lesson, job.answer, predicted)
    with st.container(border=True):
        words = {None: "The run's answer", True: "As you predicted", False: "Not as you predicted"}
        st.markdown(f"#### {words[right]}")
        st.markdown(text)
        st.page_link("pages/2_Forget.py", label="See the run", icon=":material/ink_eraser:")
        st.page_link("pages/5_Results.py", label="Every figure of it", icon=":material/monitoring:")


frame("Learn", "Five short lessons, each with a real run.")
if "lesson" not in st.session_state:
    st.session_state["lesson"] = lesson_number(st.query_params.get("lesson"))
number = st.pills(
    "Lesson",
    range(1, len(LESSONS) + 1),
    key="lesson",
    required=True,
    format_func=lambda place: f"{place} · {LESSONS[place - 1].title}",
    label_visibility="collapsed",
    persist_state="session",
)
st.query_params["lesson"] = str(number)
lesson = LESSONS[number - 1]
left, right = st.columns([1, 1], gap="large")
job = run_of(number)
with left:
    st.markdown(f"### {lesson.title}")
    st.markdown(lesson.path.read_text(encoding="utf-8"))
    predicted = st.radio(
        lesson.question, lesson.options, index=None, key=f"prediction-{number}", persist_state="session"
    )
    choice = demo_choice()
    if choice is None:
        st.error("The lessons need the digits model in assets/checkpoints, which is not there.")
        st.stop()
    busy = job is not None and job.active
    if st.button("Run the lesson", type="primary", key="run-lesson", disabled=predicted is None or busy):
        begin(number, lesson, choice)
        st.rerun()
    if predicted is None:
        st.caption("Predict first: then the run can surprise you.")
with right:
    if job is not None and headline(job) is not None:
        show_answer(lesson, job, predicted)
    elif job is not None:
        stand_in(job, "The answer", "lesson")
    else:
        st.info("The answer will stand here, read from your run: about 15 seconds.", icon=":material/school:")
