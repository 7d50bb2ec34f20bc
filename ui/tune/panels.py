"""A sweep as it goes on: its figures, its trials' table, and what can be done to it."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import combinations
from pathlib import Path
from typing import TYPE_CHECKING, Any

import streamlit as st

from ui.figures.heat_map import heat_figure
from ui.figures.parallel import parallel_figure
from ui.figures.tuning import (
    axis_text,
    curves_figure,
    front_figure,
    history_figure,
    importance_figure,
    kept_and_forgotten,
    knob_text,
    point_text,
    predicted_and_graded,
    slices,
)
from ui.shell.charts import BADGE, draw, picking_chart
from ui.shell.engine_words import said_of
from ui.shell.follow import follow, progress_of
from ui.shell.formatting import counted, duration, escape
from ui.shell.job_controls import controls
from ui.shell.jobs import job_store, may_change, worker_ready
from ui.shell.methods import method_name
from ui.shell.number_field import meant, number_field
from ui.shell.paths import title_of
from ui.shell.url_params import UrlWord
from ui.shell.words import GRADING_NOTE, STAGES, knob_label
from ui.tune.form import LIKE, copy_into_form
from zspag_core.jobs import Lane, State
from zspag_core.metrics.catalogue import ACC_RT, ACC_UT, FORGET_IMAGES, PROXY_AGREEMENT
from zspag_core.tuning import queue
from zspag_core.tuning.agreement import agreements
from zspag_core.tuning.objectives import BY_KEY, OBJECTIVES
from zspag_core.tuning.pace import time_left
from zspag_core.tuning.report import as_csv, best_rows, command_of, predicted_words, used_up
from zspag_core.tuning.sweep import Sweep

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from ui.figures.drawn import Drawn
    from zspag_core.jobs import Job

    Row = dict[str, Any]

PICKING = "tune-"
"""How the keys of the figures begin that trials can be picked in."""
PINS = UrlWord("pin", "tune-pinned")
MOST_PINNED = 8
CURVES = (PROXY_AGREEMENT.per_epoch, FORGET_IMAGES.per_epoch, "loss", ACC_RT.key, ACC_UT.key)
"""What is drawn of the epochs of pinned trials; the last two are for grading only."""
TWO = 2
"""Objectives that one figure shows."""
MOST_SHOWN = 8
"""Trials under way of which it is said where they are."""
HEAD_PIXELS, ROW_PIXELS, MOST_ROWS = 38, 35, 12


def sweep_panel(sweep_id: str) -> None:
    """Draw a sweep; while it goes on, again every second."""
    job = job_store().get(sweep_id)
    if job is None or job.kind != queue.KIND:
        st.error("There is no sweep of this name: the link is old, or of another machine.", icon=":material/link_off:")
        return
    sweep, rows = Sweep.from_dict(job.config), queue.rows_of(job_store(), job.id)

    def head(now: Job) -> None:
        if now.active and queue.count_rows(job_store(), job.id) != len(rows):
            st.rerun()  # figures are drawn anew when a trial has ended, not at every look
        _head(now, sweep, rows)

    follow(job, head)
    _figures(job, sweep, rows)


def _figures(job: Job, sweep: Sweep, rows: Sequence[Row]) -> None:
    """Draw what the trials came to."""
    if not any(row["state"] == "done" for row in rows):
        if job.active:
            st.info("Figures appear here when the first trial has ended.", icon=":material/hourglass_top:")
        return
    chosen = _chosen()
    _best(job, sweep, rows)
    _front(sweep, rows, chosen)
    left, right = st.columns(2, gap="large")
    with left:
        draw(history_figure(sweep, rows), "")
        if set(sweep.objectives) != {ACC_RT.key, ACC_UT.key}:  # their front shows the same
            _pick(kept_and_forgotten(sweep, rows, chosen))
    with right:
        _maps(sweep, rows, chosen)
        _pick(predicted_and_graded(sweep, rows, chosen))
    _predictions(rows)
    _pick(parallel_figure(sweep, rows, chosen))
    _many(slices(sweep, rows, chosen), job)
    _pinned(rows, chosen)
    _table(sweep, [row for row in rows if not chosen or row["number"] in chosen], rows)


def _head(job: Job, sweep: Sweep, rows: Sequence[Row]) -> None:
    """Say what the sweep is and where it stands, with the buttons that it takes now."""
    axes = " · ".join(f"{knob_label(axis.name)} {axis_text(axis)}" for axis in sweep.space)
    names = ", ".join(map(str, job.config.get("class_names", sweep.run["forget"])))
    model, data = (title_of(Path(str(sweep.run[name]))) for name in ("checkpoint", "data"))
    whose = f"{method_name(sweep.run)}, {model} on {data}"
    st.markdown(f"#### Sweep {job.number}: forget :orange[{escape(names)}]\n{escape(whose)}  \n{escape(axes)}")
    left, done = _left(job, sweep, rows), used_up(sweep, rows)
    end = "; every point of the space has been tried" if done and len(rows) < sweep.trials else ""
    st.progress(
        min(1.0, len(rows) / sweep.trials), f"{len(rows)} of {counted(sweep.trials, 'trial')}, {job.state}{left}{end}"
    )
    if job.error:
        st.error(escape(said_of(job, job.error)))
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
        if job.active:
            controls(job, "Stops the sweep; what is finished is kept, and it can be gone on with.", key="tune")
        else:
            _again(job, sweep, done=done)
        if st.button("Clone", key="tune-clone", icon=":material/content_copy:", help="The form with what this one has"):
            copy_into_form(job, sweep)
            _leave()
        if st.button("New sweep", key="tune-new", icon=":material/add:"):
            st.session_state.pop(LIKE, None)
            _leave()
    if job.active:
        _under_way(job)  # below the buttons, which must not move when a trial begins


def _under_way(job: Job) -> None:
    """Say which trials are being carried out, and where each is."""
    going = queue.under_way(job_store(), job.id)
    for trial, run in going[:MOST_SHOWN]:
        st.caption(f"Trial {trial['number']} ({escape(point_text(trial['point']))}): {_stage_words(run)}")
    if len(going) > MOST_SHOWN:
        st.caption(f"and {len(going) - MOST_SHOWN} more")
    if not going:
        ready = job.state == State.RUNNING and worker_ready(Lane.TRIALS)
        st.caption("The next trial is about to begin." if ready else "The worker is starting: about five seconds.")


def _stage_words(run: Job) -> str:
    """Return the stage that a run is at, and the epoch where there are some."""
    if not run.progress:
        return "begins"
    epoch = queue.epoch_reached(job_store(), run.id) if run.progress.get("stage") == "unlearn" else None
    return progress_of(run)[0] if epoch is None else f"{STAGES['unlearn']}: epoch {epoch[0]:,} of {epoch[1]:,}"


def _leave() -> None:
    """Go from a sweep to the form."""
    st.query_params.pop("sweep", None)
    PINS.clear()
    st.session_state.pop("tune-pins", None)
    st.rerun(scope="app")


def _left(job: Job, sweep: Sweep, rows: Sequence[Row]) -> str:
    """Say how long the rest will take."""
    left = time_left(rows, sweep.trials, queue.workers(job_store())) if job.active else None
    return "" if left is None else f", {left.about} {duration(left.seconds)} left"


def _again(job: Job, sweep: Sweep, *, done: bool) -> None:
    """Draw what a sweep that has ended can be told: go on, with more trials."""
    if not may_change(job):
        return
    ended = job.state == State.DONE
    more = number_field("Trials", 1, 100_000, sweep.trials, key="tune-more", width=140)
    pressed = st.button(
        "Extend" if ended else "Go on",
        key="tune-go-on",
        icon=":material/play_arrow:",
        disabled=ended and (int(more) <= sweep.trials or done),
        help="Every point has been tried: there is no further one." if done else None,
    )
    if meant(pressed):
        queue.go_on(job_store(), job, trials=int(more))
        st.rerun(scope="app")


def _best(job: Job, sweep: Sweep, rows: Sequence[Row]) -> None:
    """Say which trial to choose, with the command that repeats it."""
    best = best_rows(sweep, rows)
    if not best:
        return
    front = "Pareto front" if len(sweep.objectives) > 1 else "Best"
    steer = " and ".join(BY_KEY[key].title for key in sweep.objectives)
    badge = BADGE if any(BY_KEY[key].graded for key in sweep.objectives) else ""
    st.markdown(f"**{front} by {steer}: trial {', '.join(str(row['number']) for row in best)}** {badge}")
    st.code(command_of(sweep, best[0], job.config), language="bash", wrap_lines=True)


def _front(sweep: Sweep, rows: Sequence[Row], chosen: Collection[int]) -> None:
    """Draw two objectives against each other; of more, those that are chosen."""
    if len(sweep.objectives) < TWO:
        return
    pair = sweep.objectives[:TWO]
    if len(sweep.objectives) > TWO:
        pairs = list(combinations(sweep.objectives, TWO))
        named = {f"{BY_KEY[one].short} and {BY_KEY[other].short}": (one, other) for one, other in pairs}
        picked = st.segmented_control("Pareto front of", list(named), default=next(iter(named)), key="tune-front-of")
        pair = named.get(str(picked), pairs[0])
    _pick(front_figure(sweep, rows, *pair, chosen))


def _chosen() -> set[int]:
    """Return the numbers of the trials that are drawn around in any figure; none for all."""
    found: set[int] = set()
    for key, state in st.session_state.items():
        if str(key).startswith(PICKING) and isinstance(state, Mapping) and "selection" in state:
            for point in state["selection"].get("points", ()):
                found |= {int(number) for number in str(point["customdata"]).split(",")}
    return found


def _pick(drawn: Drawn) -> None:
    """Draw a figure whose points choose trials everywhere."""
    st.markdown(f"**{drawn.title}** {BADGE if drawn.grading else ''}")
    picking_chart(drawn.figure, key=drawn.name, alt=drawn.alt)
    if drawn.note:
        st.caption(drawn.note)


def _maps(sweep: Sweep, rows: Sequence[Row], chosen: Collection[int]) -> None:
    """Draw the map over the first two knobs that have several values; one knob alone has none."""
    if len(sweep.space) < 2:
        st.caption("A map over two knobs appears when two or more are varied.")
        return
    shown = list(dict.fromkeys((*sweep.objectives, "retain_free", "acc_rt", "acc_ut")))
    key = st.segmented_control(
        "Map of", shown, default=shown[0], key="tune-map-of", format_func=lambda one: BY_KEY[one].short
    )
    _pick(heat_figure(sweep, rows, sweep.space[0], sweep.space[1], str(key or shown[0]), chosen))


def _predictions(rows: Sequence[Row]) -> None:
    """Say how well the figures that see no remaining data predicted the graded score."""
    found = agreements([row for row in rows if row["state"] == "done"])
    if not found:
        return
    st.markdown(f"**How well did figures without remaining data predict the graded one?** {BADGE}", help=GRADING_NOTE)
    st.dataframe(
        {
            "Figure": [BY_KEY[one["figure"]].title for one in found],
            "Rank correlation": [one["rank_correlation"] for one in found],
            "Regret of its choice, points": [one["regret"] for one in found],
            "Its choice": [one["chosen"] for one in found],
        },
        hide_index=True,
        placeholder="–",
        key="tune-agreement",
        column_config={
            "Rank correlation": st.column_config.NumberColumn(format="%.2f"),
            "Regret of its choice, points": st.column_config.NumberColumn(format="%.2f"),
        },
    )
    st.caption(predicted_words(found[0]) + ".")


def _many(drawn: Sequence[Drawn], job: Job) -> None:
    """Draw slices and importance side by side."""
    shares = (job.answer or {}).get("importance") or {}
    figures = [*drawn, *([importance_figure(shares)] if shares else [])]
    for first in range(0, len(figures), 3):
        for one, place in zip(figures[first : first + 3], st.columns(3, gap="medium"), strict=False):
            with place:
                draw(one, "") if one.name == "tune-importance" else _pick(one)


def _pinned(rows: Sequence[Row], chosen: Collection[int]) -> None:
    """Let trials be pinned, which the address keeps, and draw their epochs over each other."""
    done = {row["number"]: row for row in rows if row["state"] == "done"}
    pinned = (PINS.read() or "").split(",")
    st.session_state.setdefault("tune-pins", [int(n) for n in pinned if n.isdecimal() and int(n) in done][:MOST_PINNED])
    left, right = st.columns([4, 1], vertical_alignment="bottom")
    pins = left.multiselect(
        "Pinned trials",
        sorted(done),
        key="tune-pins",
        max_selections=MOST_PINNED,
        format_func=lambda number: f"{number}: {point_text(done[number]['point'])}",
        placeholder="Pin trials to compare their epochs",
    )
    right.button(
        "Pin the picked ones",
        key="tune-pin",
        icon=":material/push_pin:",
        disabled=not set(chosen) & done.keys(),
        on_click=_pin,
        args=(sorted(set(chosen) & done.keys())[:MOST_PINNED],),
        help="Draw around points in any figure above.",
        width="stretch",
    )
    PINS.write(",".join(map(str, pins))) if pins else PINS.clear()
    if not pins:
        return
    name = str(st.segmented_control("Epochs", CURVES, default=CURVES[0], key="tune-curve", format_func=_curve_title))
    epochs = {f"trial {number}": queue.epochs_of(job_store(), done[number]["jobs"][0]) for number in pins}
    name = name if name in CURVES else CURVES[0]
    unit, graded = "" if name == "loss" else "%", name in {ACC_RT.key, ACC_UT.key}
    draw(curves_figure(epochs, name, _curve_title(name), unit, grading=graded), "")
    links = (f"[trial {number}](/Results?job={done[number]['jobs'][0]})" for number in pins)
    st.caption(f"Open {', '.join(links)}.")


def _pin(numbers: list[int]) -> None:
    """Pin trials in place of those that were."""
    st.session_state["tune-pins"] = numbers


def _curve_title(name: str) -> str:
    """Return what people call a figure of an epoch."""
    titles = {measure.key: measure.title for measure in (ACC_RT, ACC_UT)}
    titles |= {estimate.per_epoch: estimate.title for estimate in (PROXY_AGREEMENT, FORGET_IMAGES)}
    return titles.get(name, name.capitalize())


def _table(sweep: Sweep, shown: Sequence[Row], rows: Sequence[Row]) -> None:
    """Draw the trials that are chosen, each with the way to its pages."""
    with st.container(horizontal=True, horizontal_alignment="distribute", vertical_alignment="bottom"):
        st.markdown(f"**{counted(len(shown), 'trial')}** of {len(rows)}")
        st.download_button(
            "Trials as CSV", lambda: as_csv(sweep, rows), "sweep.csv", "text/csv", key="tune-csv", on_click="ignore"
        )
    st.dataframe(
        table(sweep, shown),
        hide_index=True,
        placeholder="–",
        height=HEAD_PIXELS + ROW_PIXELS * min(MOST_ROWS, len(shown)),
        key="tune-table",
        column_config={"Open": st.column_config.LinkColumn(display_text="Open", help="The first run's pages")},
    )


def table(sweep: Sweep, rows: Sequence[Row]) -> dict[str, list[Any]]:
    """Return the columns of the trials' table; figures for grading only are marked with a star, unknown ones left out.

    The way to the runs stands first: at the end of many columns it would be out of sight.
    """
    links = [f"/Results?job={row['jobs'][0]}" if row["state"] == "done" else None for row in rows]
    columns: dict[str, list[Any]] = {"Trial": [row["number"] for row in rows], "Open": links}
    columns |= {
        knob_label(axis.name): [knob_text(axis.name, row["point"][axis.name]) for row in rows] for axis in sweep.space
    }
    columns |= {
        f"{o.short}{' *' if o.graded else ''}": [_rounded(row["figures"].get(o.key)) for row in rows]
        for o in OBJECTIVES
        if any(row["figures"].get(o.key) is not None for row in rows)
    }
    return columns | {"State": [row["error"] or row["state"] for row in rows]}


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 2)


def known_sweeps(jobs: Collection[Job]) -> None:
    """Draw the sweeps there are, newest first, each as a link."""
    if not jobs:
        st.info("No sweep yet: choose knobs above. Every trial becomes a run with pages of its own.")
        return
    st.markdown("**Sweeps**")
    for job in jobs:
        sweep = Sweep.from_dict(job.config)
        axes = ", ".join(knob_label(axis.name) for axis in sweep.space)
        if st.button(f"Sweep {job.number}: {axes} · {sweep.trials} trials · {job.state}", key=f"tune-open-{job.id}"):
            st.query_params["sweep"] = job.id
            st.rerun()
