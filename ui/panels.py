"""Panels that pages draw about a run: stepper, live charts, result, and what went wrong."""

from __future__ import annotations

import html
import time
from typing import TYPE_CHECKING, Any, Literal

import streamlit as st

from ui.figures import training as figures
from ui.jobs import POLL_SECONDS, job_store, leave_run, worker_ready
from ui.results import duration, epochs_of, percent, result_table, steps
from ui.words import GRADING_NOTE, MASK_NOTE, STAGE_HELP, STAGES, STATES
from zspag_core.jobs import Lane, State, Wish

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from streamlit.delta_generator import DeltaGenerator

    from ui.results import Step
    from zspag_core.jobs import Event, Job

MARKS = {"done": "✓", "running": "▶", "waiting": "○", "stopped": "■"}
REMEDIES = {
    State.FAILED: "Change the setting that the sentence names and press Forget again, or run the same once more.",
    State.INTERRUPTED: "Nothing is half done: the model on disk is as it was. Run it again from the start.",
    State.CANCELLED: "It was stopped on request. Change what you like and press Forget, or run the same once more.",
}


def run_panel(job: Job) -> None:
    """Draw one run from its place in the queue to its result, again every second while the run is active."""
    live = job.active

    @st.fragment(run_every=POLL_SECONDS if live else None)
    def panel() -> None:
        now = job_store().get(job.id) or job
        events = job_store().events(now.id)
        if live and not now.active:
            st.rerun()
        _heading(now)
        if now.state == State.QUEUED:
            _queue_line(now)
        if now.active or events:
            st.html(stepper_html(steps(now, [event.body["stage"] for event in events if event.kind == "stage"])))
        _charts(now, events)
        if now.active:
            _controls(now)

    panel()
    if job.state == State.DONE:
        _result(job)
    elif not job.active:
        _ending(job)


def stepper_html(stages: Sequence[Step]) -> str:
    """Return the row of stages as HTML that fits the light and the dark theme."""
    cells = []
    for step in stages:
        strength = "opacity:.55" if step.status == "waiting" else "font-weight:600"
        bar = f"linear-gradient(90deg,#2F8FCB {100 * step.share:.0f}%,rgba(128,128,128,.25) {100 * step.share:.0f}%)"
        title = html.escape(STAGES.get(step.name, step.name.capitalize()))
        cells.append(
            f'<li title="{html.escape(STAGE_HELP.get(step.name, ""))}" style="flex:1 1 4.5rem;list-style:none">'
            f'<div style="height:4px;border-radius:2px;background:{bar}"></div>'
            f'<div style="{strength};font-size:.9rem;margin-top:.35rem">{MARKS[step.status]} {title}</div>'
            f'<div style="opacity:.7;font-size:.8rem;min-height:1.2rem">{html.escape(step.note)}</div></li>'
        )
    return f'<ol style="display:flex;flex-wrap:wrap;gap:.5rem;padding:0;margin:0">{"".join(cells)}</ol>'


def _heading(job: Job) -> None:
    """Say what runs, and its state."""
    names = ", ".join(job.config.get("class_names") or map(str, job.config["forget"]))
    colour, icon, word = STATES[job.state]
    if job.wish == Wish.PAUSE:
        colour, icon, word = "orange", ":material/pause_circle:", "Paused"
    if job.wish == Wish.CANCEL:
        word = "Stopping"
    took = ""
    if job.started is not None:
        took = f" · {duration((job.finished or time.time()) - job.started)}"
    st.markdown(f"#### Forget :orange[{names}] &nbsp; :{colour}-badge[{icon} {word}] :small[run {job.number}{took}]")


def _queue_line(job: Job) -> None:
    """Say who is ahead, or that the worker is on its way."""
    ahead = job_store().ahead(job)
    if ahead:
        first = ahead[0]
        st.info(
            f"Position {len(ahead)} in the queue, behind run {first.number}, which is {first.state}. "
            "This one starts by itself.",
            icon=":material/schedule:",
        )
    elif not worker_ready(Lane.RUNS):
        st.info("The worker is starting: about five seconds.", icon=":material/hourglass_top:")


def _charts(job: Job, events: Sequence[Event]) -> None:
    """Draw accuracy and loss by epoch, once there is an epoch."""
    result = job.answer if isinstance(job.answer, dict) else None
    epochs = epochs_of(events, result)
    if not epochs and not job.active:
        return
    planned = int(job.config.get("settings", {}).get("epochs", 1)) if job.active else 1
    total = max([planned] + [int(row["epoch"]) for row in epochs])
    mask = (result or {}).get("mask") or {}
    left, right = st.columns(2)
    with left:
        st.markdown("**Accuracy on test images** :gray-badge[for grading only]")
        figure = figures.accuracy_figure(epochs, total, mask.get("acc_rt"))
        st.plotly_chart(figure, key="accuracy", alt=figures.describe_accuracy(epochs))
    with right:
        st.markdown("**Loss on the forget samples' new labels**")
        st.plotly_chart(figures.loss_figure(epochs, total), key="loss", alt=figures.describe_loss(epochs))


def _controls(job: Job) -> None:
    """Draw what can be done to a run that is not over."""
    with st.container(horizontal=True):
        stopping = job.wish == Wish.CANCEL
        st.button("Cancel", key="cancel", on_click=job_store().cancel, args=(job.id,), disabled=stopping)
        if job.wish == Wish.PAUSE:
            st.button("Continue", key="continue", on_click=job_store().unpause, args=(job.id,))
        elif job.state == State.RUNNING:
            st.button("Pause", key="pause", on_click=job_store().pause, args=(job.id,), disabled=bool(job.wish))


def _result(job: Job) -> None:
    """Draw the headline numbers and the before/after table."""
    result: Mapping[str, Any] = job.answer
    before, after, mask = result["before"], result["after"], result.get("mask") or {}
    reference = f"Higher is better; mask alone gives {percent(mask.get('acc_rt'))}."
    remaining, forgotten, probe = st.columns(3)
    _card(remaining, "Remaining accuracy", "acc_rt", before, after, "normal", reference)
    goal = "Lower is better; the goal is 0\N{NO-BREAK SPACE}%."
    _card(forgotten, "Forgotten accuracy", "acc_ut", before, after, "inverse", goal)
    _card(probe, "Probe", "probe", before, after, "inverse", "Deep forgetting: lower is deeper.")
    st.markdown("##### Before and after :gray-badge[for grading only]")
    st.markdown(result_table(result))
    st.caption(MASK_NOTE)
    st.caption(GRADING_NOTE)
    st.button("Start over", key="leave", on_click=leave_run)


def _run_again(job_id: str) -> None:
    """Queue a run that ended early once more."""
    job_store().resume(job_id)


def _card(
    place: DeltaGenerator,
    title: str,
    name: str,
    before: Mapping[str, Any],
    after: Mapping[str, Any],
    colour: Literal["normal", "inverse"],
    note: str,
) -> None:
    """Draw one headline figure with its change; the plain minus is what a metric card reads as down."""
    then, now = before.get(name), after.get(name)
    change = None if then is None or now is None else round(now - then, 1)
    words = None if change is None else f"{change:+.1f} points" if change else "unchanged"
    with place, st.container(border=True):
        st.metric(
            title,
            percent(now),
            words,
            delta_color=colour if change else "off",
            delta_arrow="auto" if change else "off",
        )
        st.caption(note)


def _ending(job: Job) -> None:
    """Draw a card for a run that ended early: what happened, what to change, details to copy."""
    with st.container(border=True):
        st.markdown(f"**What happened.** {job.error or 'The run was cancelled.'}")
        st.markdown(f"**What to do.** {REMEDIES[job.state]}")
        with st.container(horizontal=True):
            st.button("Run again", key="again", icon=":material/replay:", on_click=_run_again, args=(job.id,))
            st.button("Start over", key="leave", on_click=leave_run)
        if job.details:
            with st.expander("Details to copy into a report"):
                st.code(job.details, language=None)
