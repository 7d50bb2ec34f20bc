"""The panel of one run: its place in the queue, stages, live charts, watched images, controls, and how it ended."""

from __future__ import annotations

import html
from typing import TYPE_CHECKING, Any

import streamlit as st

from ui.figures import training as figures
from ui.forget.result_card import show_early, show_ending, show_result
from ui.forget.watched_images import frame_html, watched_from_arrays, watched_from_events
from ui.shell.artifacts import load_arrays
from ui.shell.charts import chart
from ui.shell.class_names import names_of
from ui.shell.engine_words import said_of
from ui.shell.follow import follow, queue_line
from ui.shell.formatting import (
    between_words,
    epochs_of,
    glue,
    log_lines,
    state_words,
    steps,
    worked_words,
)
from ui.shell.job_controls import controls
from ui.shell.jobs import job_store
from ui.shell.live_chart import live_chart
from ui.shell.methods import method_name
from ui.shell.presenting import presenting
from ui.shell.questions import show_questions
from ui.shell.streamlit_fragments import redrawn
from ui.shell.ungraded import ESTIMATE
from ui.shell.words import ESTIMATE_NOTE, STAGE_HELP, STAGES, help_for
from zspag_core.jobs import State
from zspag_core.metrics.catalogue import FORGET_IMAGES, sample_words

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from streamlit.delta_generator import DeltaGenerator

    from ui.forget.watched_images import Watched
    from ui.shell.formatting import StageStep
    from zspag_core.jobs import Event, Job

MARKS = {"done": "✓", "running": "▶", "waiting": "○", "stopped": "■", "skipped": "–"}
FAINT = ("waiting", "skipped")
NOTE_STYLE = "opacity:.7;font-size:.8rem;line-height:1.25;min-height:2.5em"  # two lines, so that nothing below moves
LOG_STYLE = "margin:0;font-size:.85rem;line-height:1.5;white-space:pre-wrap"


def run_panel(job: Job) -> None:
    """Draw one run from its place in the queue to its result, again every second while the run is active."""
    if job.active:
        _follow(job)
    else:
        _ended(job)
    if not presenting():
        _log(job)


def _follow(job: Job) -> None:
    """Draw a run that goes on."""
    events: list[Event] = []  # lives as long as the page: a look reads what is new, a long run has thousands of them

    def panel(now: Job) -> None:
        events.extend(job_store().events(now.id, after=events[-1].sequence if events else 0))
        course, early = st.container(), st.empty()  # emptied at once at the end, when the same stands below
        with course:
            with st.container():  # what comes and goes in it moves no chart: one that is moved is built anew
                _head(now, events)
            _pictures(now, events)
        graded = _graded(events)
        if graded is not None and now.active:
            with early.container():
                show_early(graded)

    follow(job, panel)


def _graded(events: Sequence[Event]) -> Mapping[str, Any] | None:
    """Return what a run has come to; nothing where it was stopped after that and has begun again."""
    last: Mapping[str, Any] | None = None
    for event in events:
        if event.kind == "graded":
            last = event.body
        elif event.kind == "stage" and event.body["stage"] == "load":
            last = None
    return last


def _ended(job: Job) -> None:
    """Draw a run that is over: one that ended early says why before anything else."""
    events = job_store().events(job.id)
    _head(job, events)
    if job.state == State.DONE:
        _pictures(job, events)
        show_result(job)
    else:
        show_ending(job)
        _pictures(job, events)


def _head(job: Job, events: Sequence[Event]) -> None:
    """Draw what a run is, what can be done to it, its stages, and what it asks."""
    _heading(job)
    if job.active and not presenting():
        controls(job, "Ends the run; the chosen model stays as it was.", key="run", by_epoch=True)
    if job.state == State.QUEUED:
        queue_line(job)
    if job.active or events:
        st.html(stepper_html(steps(job, [event.body["stage"] for event in events if event.kind == "stage"])))
    show_questions(job, events)


def _pictures(job: Job, events: Sequence[Event]) -> None:
    """Draw how a run goes, or went: its epochs and watched images."""
    _charts(job, events)
    _watched(job, events)


def stepper_html(stages: Sequence[StageStep]) -> str:
    """Return the row of stages as HTML that fits the light and the dark theme."""
    cells = []
    for step in stages:
        strength = "opacity:.55" if step.status in FAINT else "font-weight:600"
        bar = f"linear-gradient(90deg,#2F8FCB {100 * step.share:.0f}%,rgba(128,128,128,.25) {100 * step.share:.0f}%)"
        title = html.escape(STAGES.get(step.name, step.name.capitalize()))
        cells.append(
            f'<li title="{html.escape(STAGE_HELP.get(step.name, ""))}" style="flex:1 1 4.5rem;list-style:none">'
            f'<div style="height:4px;border-radius:2px;background:{bar}"></div>'
            f'<div style="{strength};font-size:.9rem;margin-top:.35rem">{MARKS[step.status]} {title}</div>'
            f'<div style="{NOTE_STYLE}">{html.escape(glue(step.note))}</div></li>'
        )
    return f'<ol style="display:flex;flex-wrap:wrap;gap:.5rem;padding:0;margin:0">{"".join(cells)}</ol>'


def _heading(job: Job) -> None:
    """Say what runs, and its state."""
    names = ", ".join(job.config.get("class_names") or map(str, job.config["forget"]))
    colour, icon, word = state_words(job)
    how = f"{method_name(job.config)} · run {job.number}{worked_words(job)}{between_words(job)}"
    st.markdown(f"#### Forget :orange[{names}] &nbsp; :{colour}-badge[{icon} {word}] :small[{how}]")


def _charts(job: Job, events: Sequence[Event]) -> None:
    """Draw accuracy, loss and the same-class membership attack by epoch."""
    result = job.answer if isinstance(job.answer, dict) else None
    epochs = epochs_of(events, result)
    if not epochs and not job.active:
        return
    total = figures.planned_epochs(epochs, job.config.get("settings", {}).get("epochs"), active=job.active)
    mask = (result or {}).get("mask") or {}
    left, right = st.columns(2)
    draw = live_chart if job.active else chart
    if figures.without_tests(epochs):
        _estimates(epochs, total, left, right, draw)
        return
    with left:
        st.markdown("**Accuracy on test images** :gray-badge[for grading only]", help=help_for("For grading only"))
        figure = figures.accuracy_figure(epochs, total, mask.get("acc_rt"))
        draw(figure, key="accuracy", alt=figures.describe_accuracy(epochs))
    with right:
        _loss(epochs, total, draw)


def _estimates(
    epochs: Sequence[Mapping[str, Any]],
    total: int,
    left: DeltaGenerator,
    right: DeltaGenerator,
    draw: Callable[..., None],
) -> None:
    """Draw estimates and loss by epoch, for data without test images."""
    with left:
        st.markdown(f"**On forget images and proxies** {ESTIMATE}", help=ESTIMATE_NOTE)
        draw(figures.estimate_figure(epochs, total), key="accuracy", alt=figures.describe_estimates(epochs))
        sampled = sample_words(FORGET_IMAGES.per_epoch, epochs[-1])
        st.caption(
            "The data has no test images, so accuracy by epoch is not graded."
            + (f" Forget images by epoch:{sampled[:-1].replace('(', '')}." if sampled else "")
        )
    with right:
        _loss(epochs, total, draw)


def _loss(epochs: Sequence[Mapping[str, Any]], total: int, draw: Callable[..., None]) -> None:
    """Draw the loss by epoch and, where epochs know of it, the same-class attack; those of a sweep's trials do not."""
    if any(row.get("mia") is not None for row in epochs):
        st.markdown("**Loss and same-class attack**", help=f"{help_for('Loss')} {help_for('Same class')}")
        figure = figures.loss_figure(epochs, total)
    else:
        st.markdown("**Loss**", help=help_for("Loss"))
        figure = figures.plain_loss_figure(epochs, total)
    draw(figure, key="loss", alt=figures.describe_loss(epochs))


def _watched(job: Job, events: Sequence[Event]) -> None:
    """Draw the watched images: the newest frame while the run is active, any frame afterwards."""
    arrays = None if job.active else load_arrays(job.folder, "watch")
    watched = watched_from_arrays(arrays) if arrays is not None else watched_from_events(events)
    if watched is None:
        return
    alone = figures.without_tests(epochs_of(events, job.answer if isinstance(job.answer, dict) else None))
    badge = ":violet-badge[images to forget]" if alone else ":gray-badge[for grading only]"
    st.markdown(f"**Where the model looks** {badge}", help=help_for("GradCAM"))
    if job.active or len(watched.epochs) == 1:
        st.html(_frame(job, watched, len(watched.epochs) - 1))
        return

    @redrawn()
    def scrub() -> None:
        epoch = st.select_slider("Epoch", watched.epochs, value=watched.epochs[-1], key=f"frame-{job.id}")
        st.html(_frame(job, watched, watched.epochs.index(epoch)))

    scrub()


def _frame(job: Job, watched: Watched, place: int) -> str:
    """Return one frame as HTML."""
    last = max([*watched.labels, *map(int, watched.predicted.flat), *job.config["forget"]])
    return frame_html(watched, place, job.config["forget"], names_of(job.config, last + 1))


def _log(job: Job) -> None:
    """Draw what happened, folded; it grows with the run only when opened anew, so that reading is not disturbed."""
    with st.expander("Log", icon=":material/notes:"):
        lines = [said_of(job, line) for line in log_lines(job_store().events(job.id))]
        said = "\n".join(lines) or "Nothing has happened yet."
        with st.container(height=240, border=False):  # a block of code took a browser 0.2 s on each run
            st.html(f'<pre style="{LOG_STYLE}">{html.escape(said)}</pre>')
