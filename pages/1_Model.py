from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from ui.model import panels
from ui.model.doubts import asked_about, doubts_panel, names_file_panel, try_assumptions
from ui.model.input_panel import UploadState, names_panel, readable
from ui.model.notes import carried, notes_panel, unmoved_panel
from ui.model.sources import NEW, UPLOADED, pick_data, pick_model, pick_source
from ui.model.training import current_training, leave_training, show_training, training_form, training_panel
from ui.shell.formatting import escape
from ui.shell.frame import frame
from ui.shell.jobs import ask, checkpoint_question, current_run, engine_question, job_store, leave_run, saying_refusals
from ui.shell.number_field import meant
from ui.shell.paths import BUILT_IN
from ui.shell.selection import choice_of, current_choice, inspect_question, use
from zspag_core.jobs import Job, Lane, State
from zspag_core.visitors.belongings import uploads

if TYPE_CHECKING:
    from pathlib import Path

    from ui.shell.selection import Choice

EMPTY = {  # why the right side is empty -> what it says
    "": "Choose a model and its data on the left: what they are appears here.",
    "data": "Choose data for this model on the left: what it is, and what it does with them, appears here.",
    "refused": "This file cannot be used; the reason stands on the left. Choose another one.",
    "misfit": "Nothing can be shown of this model with these data; the reason stands on the left.",
    "waiting": "What the model is and does appears here once what is asked on the left has been told.",
}
NOT_HERE = "downloads are off"  # what the engine says of a set that only the network has


def look_into(data: str, path: Path | None) -> Job:
    """Ask the worker what is in the data and whether the model fits; say how far it is, or why it cannot be used."""
    question = inspect_question(data, path)
    job = ask("inspect_data", question | ({"download": True} if st.session_state.get("fetch") == data else {}))
    if job.active:
        panels.wait(job, "Reading model and data")
    elif "download" in job.config and job.state == State.DONE:
        st.session_state.pop("fetch")
        st.rerun()
    elif job.state == State.FAILED:
        panels.refusal(job, data, *([path] if path else []))
        if data in BUILT_IN and NOT_HERE in job.error:
            st.button("Download it", key="fetch-data", icon=":material/download:", on_click=fetch, args=(job, data))
    return job


def fetch(job: Job, data: str) -> None:
    """Let the worker use the network for one data set; that it was not here before is forgotten."""
    job_store().delete(job.id)
    st.session_state["fetch"] = data


def use_button(path: Path, data: str, *, possible: bool) -> None:
    """Draw the button that makes a model and its data the visitor's own."""
    if st.button("Use this model", type="primary", key="use", width="stretch", disabled=not possible):
        leave_training()
        run = current_run()
        if run is not None and (run.config["checkpoint"], run.config["data"]) != (str(path), data):
            leave_run()
        use(choice_of(path, data))
        st.switch_page("pages/2_Forget.py")


def train_side(choice: Choice | None) -> None:
    """Draw data and settings of a training, and the button that starts it."""
    data = pick_data(None, choice)
    job = look_into(data, None) if data else None
    engine = ask("engine", engine_question())
    if engine.active:
        panels.wait(engine, "Starting the engine")
    elif engine.state != State.DONE:
        st.error(f"The engine does not start. {escape(engine.error)}", icon=":material/error:")
    elif data and job is not None and job.state == State.DONE:
        config = training_form(data, job.answer, engine.answer)
        pressed = st.button("Train", type="primary", key="train", width="stretch", disabled=config is None)
        if meant(pressed) and config:
            with saying_refusals():
                show_training(job_store().submit("train", config, lane=Lane.RUNS).id)
                st.rerun()


def model_side(path: Path, choice: Choice | None) -> tuple[Job | None, Job | None, Job | None, str]:
    """Draw data, checks and the button.

    Returns:
        What the worker said about the pair, the model and its assumptions, and why the right side is empty if it is.
    """
    reading = readable(path)
    if reading == UploadState.REFUSED:
        return None, None, None, "refused"
    data = pick_data(path, choice)
    if not data:
        st.caption("Choose its data, too: they are compared with it before anything runs.")
        return None, None, None, "data"
    about = look_into(data, path) if reading != UploadState.WAITING else None
    if about is None or about.state != State.DONE:
        if about is not None and about.state == State.FAILED:
            name_classes(path, about)
        use_button(path, data, possible=False)
        return about, None, None, "waiting" if about is None else "misfit"
    possible = not about.answer["fits"]
    report = ask("model_report", checkpoint_question(path) | {"data": data}) if possible else None
    tried = try_assumptions(path, data, about.answer) if possible else None
    panels.checks(about.answer, report, data, asked_about(tried))
    planted = carried(path, about.answer["class_names"])
    if planted:
        st.warning(planted, icon=":material/door_back:")
    possible = possible and doubts_panel(path, data, about.answer, tried)
    notes_panel(about.answer.get("notes", ()), path, data)
    name_classes(path, about)
    if reading == UploadState.CHANGED:
        st.caption("What you changed above is not applied yet: press **Use these** first, or put it back.")
    use_button(path, data, possible=possible and reading == UploadState.OPEN)
    return about, report, tried, ""


def name_classes(path: Path, about: Job) -> None:
    """Draw the boxes for the names of an upload's outputs: to be typed where nothing fits without, and for a file."""
    if path.parent != uploads():
        return
    names_panel(path, about)
    done = about.state == State.DONE
    if done or "class" in about.error:
        names_file_panel(path, about.answer["model_classes"] if done else None)


def show(about: Job, report: Job | None) -> None:
    """Draw what the model is and does."""
    if report is None:
        st.info("Choose data that fits this model: what it does with it appears here.", icon=":material/info:")
    elif report.active:
        panels.wait(report, "Grading on test images")
    elif report.state == State.DONE:
        panels.headline(about.answer, report.answer)
        left, right = st.columns(2, gap="large")
        with left:
            panels.accuracy_panel(about.answer, report.answer)
        with right:
            panels.samples_panel(about.answer, report.answer)
        panels.layers_panel(report.answer)
        unmoved_panel(about.answer.get("unmoved", {}), len(report.answer["layers"]))
    else:
        panels.refusal(report, report.config["checkpoint"], report.config["data"])


frame("Model", "Choose a trained classifier or train one, and see that it fits its data before anything runs.")
choice, training = current_choice(), current_training()
controls, stage = st.columns([1, 2], gap="large")
with controls:
    source = pick_source(choice, training=training is not None)
    if source == NEW:
        train_side(choice)
    else:
        path = pick_model(source, choice)
        refused = source == UPLOADED and st.session_state.get("upload-model") is not None
        about, report, tried, empty = (
            model_side(path, choice) if path else (None, None, None, "refused" if refused else "")
        )
        if about is not None and about.state == State.DONE:
            known = tried is not None and tried.state == State.DONE
            panels.classes_panel(about.answer, tried.answer["order"] if known and tried else None)
with stage:
    if source == NEW and training is not None:
        training_panel(training)
    elif source == NEW:
        st.markdown("#### Nothing is being trained")
        st.markdown(
            "Choose data and a network on the left and press **Train**. Here you will see accuracy and loss move "
            "epoch by epoch; you can stop at any time and use what was learnt so far.\n\n"
            "Handwritten digits with the tiny ResNet take about half a minute on two cores."
        )
    elif about is not None and about.state == State.DONE:
        show(about, report)
    elif about is not None and about.active:
        st.skeleton(height=420)
    else:
        st.info(EMPTY[empty], icon=":material/info:")
