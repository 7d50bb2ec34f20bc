"""Panels of the Compare page: answers, table, figures, and how far the runs are."""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING

import streamlit as st

from ui.compare.comparisons import MOST_RUNS, comparison_of
from ui.compare.summary import answers
from ui.compare.table import KINDS, ORDERS, records, table_html
from ui.figures.compare import inside, kept_and_forgotten, mean_of, membership, named_with_kinds, seconds
from ui.figures.sweeps import sweeps
from ui.shell.charts import draw
from ui.shell.engine_words import said_of
from ui.shell.follow import follow_all, progress_of
from ui.shell.formatting import NEAR, duration, escape, worked
from ui.shell.jobs import job_store
from ui.shell.methods import method_card, method_summary
from ui.shell.selection import chosen_model
from ui.shell.words import GRADING_NOTE, MASK_NOTE
from zspag_core.jobs import State
from zspag_core.metrics.catalogue import ENTROPY, FORGOTTEN_UP_TO, IN_COMPARISONS, PROBE, RELEARNING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from zspag_core.jobs import Job
    from zspag_core.reproduce.comparison import Comparison

DEEPER = (
    "What every stage of the networks still knows was not measured. Open a run and press *Measure the depth* under "
    "*Depth* of its results: its figures then stand here."
)
DEEPER_ANEW = (
    "What every stage of the networks still knows was not measured here: `python -m zspag_core reproduce` does so with "
    "`--depth`."
)
ENDED_EARLY = (State.FAILED, State.CANCELLED, State.INTERRUPTED)


def comparison_panel(comparison: Comparison, jobs: Mapping[str, Sequence[Job]]) -> None:
    """Draw a comparison: the picture of it, three answers, the table, the other figures, and words to open.

    Args:
        comparison: the rows, as far as they have figures.
        jobs: the runs of each row, by its key; none for a comparison that ships with the app.
    """
    named = named_with_kinds(comparison)
    drawable = any(mean_of(row, "acc_ut") is not None and mean_of(row, "acc_rt") is not None for row in comparison.rows)
    if drawable:
        _picture(named)
    for answer, place in zip(answers(named), st.columns(3, gap="small"), strict=True):
        with place, st.container(border=True, height="stretch", gap="xsmall"):
            st.markdown(f"**{answer.question}**")
            st.markdown(answer.text)
    _table(comparison, jobs)
    if drawable:
        _figures(named)
    _words(comparison)


def _picture(comparison: Comparison) -> None:
    """Draw what was kept against what was forgotten, whole or its good corner."""
    place = st.container()
    near = st.toggle("Only the good corner", key="compare-near", help="Where marks stand close together.")
    with place:
        draw(kept_and_forgotten(comparison, near=near), comparison.name)


def _table(comparison: Comparison, jobs: Mapping[str, Sequence[Job]]) -> None:
    """Draw the table with its order and its download."""
    with st.container(horizontal=True, vertical_alignment="bottom", horizontal_alignment="distribute"):
        st.markdown("**Mean ± standard deviation over seeds** :gray-badge[for grading only]", help=GRADING_NOTE)
        with st.container(horizontal=True, vertical_alignment="bottom", width="content", gap="small"):
            pinned = _pick_pinned(comparison)
            order = st.selectbox("Order by", list(ORDERS), key="compare-order", width=190, label_visibility="collapsed")
            st.download_button(
                "Table as CSV",
                lambda: as_csv(comparison),
                f"{comparison.name}.csv",
                "text/csv",
                key="compare-csv",
                icon=":material/download:",
                on_click="ignore",
            )
    st.html(table_html(comparison, jobs, order, pinned))
    st.caption(
        "A **tinted** figure is the best of its column among methods that forget. "
        f"**Bold** figures reach their goal: at most {FORGOTTEN_UP_TO:.0f} % recognised, or within {NEAR:.0f} points "
        "of what Retrain has over its seeds where the original is further off."
    )
    if not comparison.knows_depth:
        st.caption(DEEPER if jobs else DEEPER_ANEW)


def _pick_pinned(comparison: Comparison) -> str | None:
    """Draw which row stays at the top, whatever the order; return its key."""
    names = {row.key: f"{row.label} {row.kind if row.kind in KINDS else ''}".strip() for row in comparison.rows}
    return st.selectbox(
        "Pin a row",
        list(names),
        index=None,
        format_func=lambda key: f":material/keep: {names[key]}",
        placeholder="Pin a row",
        key=f"compare-pin-{comparison.name}",
        width=190,
        label_visibility="collapsed",
    )


def as_csv(comparison: Comparison) -> str:
    """Return every outcome of a comparison as CSV."""
    rows, text = records(comparison), io.StringIO()
    writer = csv.DictWriter(text, list(rows[0]) if rows else ["row"])
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def _figures(comparison: Comparison) -> None:
    """Draw the other figures, two abreast; rows are named with their kind."""
    swept = sweeps(comparison)
    for first in range(0, len(swept), 2):
        for drawn, place in zip(swept[first : first + 2], st.columns(2, gap="large"), strict=False):
            with place:
                draw(drawn, comparison.name)
    left, right = st.columns(2, gap="large")
    with left:
        draw(inside(comparison), comparison.name)
    with right:
        draw(membership(comparison), comparison.name)
    with st.expander("How long it took", icon=":material/timer:"):
        times = seconds(comparison)
        draw(times if times.rows else None, comparison.name, "How long the methods took was not measured here.")


def _words(comparison: Comparison) -> None:
    """Draw what the methods do, and how to read the table, folded."""
    lines = dict.fromkeys(
        f"- **{'ZS-PAG' if row.method == 'zspag' else escape(row.label)}**: "
        f"{method_summary(str(row.method)) or 'the model as it was trained.'}"
        for row in comparison.rows
    )
    with st.expander("What the methods do, and how to read the table", icon=":material/menu_book:"):
        st.markdown("\n".join(lines))
        st.caption(MASK_NOTE)
        explained = (ENTROPY, PROBE, RELEARNING, *(IN_COMPARISONS if comparison.knows_depth else ()))
        st.caption(" ".join(measure.definition for measure in explained))
    cards = {str(row.method): row.label for row in reversed(comparison.rows) if row.method is not None}
    with st.expander("Where they come from, and what differs here"):
        for key, label in reversed(cards.items()):
            st.markdown(f"**{escape(label)}**\n\n{method_card(key)}")


def live_panel(name: str) -> None:
    """Draw a comparison of the visitor's own runs; it fills in as they finish."""
    jobs = runs_of(name)
    comparison = comparison_of(name, jobs)
    st.markdown(f"#### {escape(comparison.title)}\n{escape(comparison.question)}")
    st.caption(_facts(comparison, jobs))
    _progress(name, jobs)
    by_row: dict[str, list[Job]] = {}
    for job in jobs:
        by_row.setdefault(str(job.config["comparison"]["key"]), []).append(job)
    comparison_panel(comparison, by_row)


def runs_of(name: str) -> list[Job]:
    """Return the runs of a comparison in the order of their submission."""
    return list(reversed(job_store().latest(limit=MOST_RUNS, kind="unlearn", comparison=name)))


def _facts(comparison: Comparison, jobs: Sequence[Job]) -> str:
    """Say what was compared on what."""
    names = ", ".join(comparison.class_names[label] for label in comparison.forget)
    seeds = sorted({int(job.config["seed"]) for job in jobs})
    which = f"seed{'s' * (len(seeds) > 1)} {', '.join(map(str, seeds))}"
    return f"Forget :orange[{escape(names)}] in {chosen_model(jobs[-1])} on {escape(comparison.data)} · {which}"


def _progress(name: str, jobs: Sequence[Job]) -> None:
    """Say how far the runs are, again every second while some are under way; draw the page anew when one ends."""

    def line(now: Sequence[Job]) -> None:
        share, words = progress_words(now)
        with st.container(horizontal=True, vertical_alignment="center", gap="small"):
            st.progress(share, text=words)
            st.button(
                "Cancel all",
                key="compare-cancel",
                icon=":material/stop:",
                on_click=cancel_all,
                args=(name,),
                disabled=all(job.command == "cancel" for job in now if job.active),
            )

    follow_all(lambda: runs_of(name), line)
    if not any(job.active for job in jobs):
        _endings(name, jobs)


def _endings(name: str, jobs: Sequence[Job]) -> None:
    """Say what ended early, and offer to run it again."""
    early = [job for job in jobs if job.state in ENDED_EARLY]
    if not early:
        return
    counts = [
        f"{sum(job.state == state for job in early)} {state}"
        for state in ENDED_EARLY
        if any(job.state == state for job in early)
    ]
    with st.container(border=True, horizontal=True, vertical_alignment="center"):
        done = sum(job.state == State.DONE for job in jobs)
        reasons = dict.fromkeys(f"Run {job.number}: {escape(said_of(job, job.error))}" for job in early if job.error)
        st.markdown(
            f"**{done} of {len(jobs)} runs came to their end**, {', '.join(counts)}. " + "  \n".join(list(reasons)[:3]),
            width="stretch",
        )
        st.button("Run those again", key="compare-again", icon=":material/replay:", on_click=again, args=(name,))


def progress_words(jobs: Sequence[Job]) -> tuple[float, str]:
    """Return how far a comparison is: the share that has ended, and that in words with the time left."""
    ended = [job for job in jobs if not job.active]
    running = next((job for job in jobs if job.state == State.RUNNING), None)
    text = f"{len(ended)} of {len(jobs)} runs have ended"
    if running is not None:
        stage, _ = progress_of(running)
        text += f" · now {running.config['comparison']['label']}, seed {running.config['seed']}: {stage}"
    else:
        waiting = next((job for job in jobs if job.active), None)
        text += f" · {progress_of(waiting)[0]}" if waiting is not None else ""
    spent = [seconds for job in ended if job.state == State.DONE and (seconds := worked(job)) is not None]
    if spent and len(ended) < len(jobs):
        text += f" · about {duration(sum(spent) / len(spent) * (len(jobs) - len(ended)))} left"
    return len(ended) / max(1, len(jobs)), text


def cancel_all(name: str) -> None:
    """Stop every run of a comparison that waits or runs."""
    for job in reversed(runs_of(name)):  # the last first: else the worker takes the next while we are at it
        if job.active:
            job_store().cancel(job.id)


def again(name: str) -> None:
    """Queue the runs of a comparison that ended early once more."""
    for job in runs_of(name):
        if job.state in ENDED_EARLY:
            job_store().resume(job.id)
