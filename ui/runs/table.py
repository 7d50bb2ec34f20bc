"""The list of all runs: rows, filters, table."""

from __future__ import annotations

import datetime
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import streamlit as st

from ui.shell.engine_words import said_of
from ui.shell.formatting import counted, duration, find, headline, page_of, percent, worked
from ui.shell.methods import method_name, way_name
from ui.shell.paths import plain_name, title_of
from ui.shell.ungraded import is_ungraded, short_estimate
from ui.shell.words import STATES
from zspag_core.jobs import State
from zspag_core.methods.catalogue import references
from zspag_core.metrics.catalogue import ACC_RT, ACC_UT, FORGOTTEN_UP_TO, LEAD, PROBE, is_forgotten

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from zspag_core.jobs import Job

HEIGHT, ROW_PIXELS, MOST_ROWS = 38, 35, 12
REASONS = {State.CANCELLED: "stopped on request", State.INTERRUPTED: "its worker went away", State.FAILED: "no reason"}


@dataclass(frozen=True)
class RunRow:
    """What the list says of one run.

    Attributes:
        job: the run.
        forgets: names of the forgotten classes.
        method: short name of the method.
        way: the same with the first settings that were given.
        model: name of the checkpoint's file.
        data: name of the data set.
        state: word for the state.
        reason: why a run ended early; empty for all others.
        acc_rt: accuracy on the remaining classes in percent, None without a result; acc_ut, probe: likewise.
        lead: acc_rt less what masking alone gives, in points.
        settings: what was set, as one text.
        estimate: what stands in for the accuracies of a run that is not graded; empty for all others.
    """

    job: Job
    forgets: str
    method: str
    way: str
    model: str
    data: str
    state: str
    reason: str
    acc_rt: float | None
    lead: float | None
    acc_ut: float | None
    probe: float | None
    settings: str
    estimate: str = ""

    @property
    def line(self) -> str:
        """Return the run in one line."""
        title = f" {self.job.title}," if self.job.title else ""
        return f"Run {self.job.number},{title} forget {self.forgets}, {self.way}"

    @property
    def text(self) -> str:
        """Return everything that a search looks through, in small letters."""
        words = (self.line, self.model, self.data, self.state, self.reason, self.settings, self.job.note)
        return " ".join(words).casefold()


def row_of(job: Job) -> RunRow:
    """Return what the list says of a run."""
    config, result = job.config, headline(job) or {}
    after, mask = result.get("after") or {}, find(result, ("mask", "acc_rt"))
    kept = find(after, ACC_RT.path)
    path = str(config.get("checkpoint", "")).replace("\\", "/")
    model = title_of(Path(path)).removesuffix(".safetensors")
    return RunRow(
        job=job,
        forgets=", ".join(config.get("class_names") or map(str, config.get("forget", ()))),
        method=method_name(config),
        way=way_name(config),
        model=model,
        data=plain_name(str(config.get("data", ""))),
        state=f"{STATES[job.state][2]}{', not graded' if is_ungraded(result) else ''}",
        reason=_reason(job),
        acc_rt=kept,
        lead=None if kept is None or mask is None else kept - mask,
        acc_ut=find(after, ACC_UT.path),
        probe=find(after, PROBE.path),
        settings=settings_text(config),
        estimate=short_estimate(result) if is_ungraded(result) else "",
    )


def _reason(job: Job) -> str:
    """Return why a run ended early; nothing for all others."""
    return "" if job.active or job.state == State.DONE else said_of(job, job.error) or REASONS[job.state]


def settings_text(config: Mapping[str, Any]) -> str:
    """Return the settings of a run as one text, as the command line takes them."""
    parts = [f"{name}={_short(value)}" for name, value in sorted(dict(config.get("settings", {})).items())]
    return " ".join([*parts, f"seed={config.get('seed', 0)}"])


def _short(value: object) -> str:
    """Write a value with as many digits as a person reads."""
    return f"{value:.4g}" if isinstance(value, float) else str(value)


@dataclass(frozen=True)
class Filters:
    """What the list is narrowed down to; an empty part lets everything through."""

    words: str = ""
    data: tuple[str, ...] = ()
    methods: tuple[str, ...] = ()
    states: tuple[str, ...] = ()

    def lets(self, row: RunRow) -> bool:
        """Tell whether a run stays in the list; every word of a search must be found."""
        return (
            all(word in row.text for word in self.words.casefold().split())
            and (not self.data or row.data in self.data)
            and (not self.methods or row.method in self.methods)
            and (not self.states or row.job.state in self.states)
        )


def pick_filters(rows: Sequence[RunRow]) -> Filters:
    """Draw the filters, offering what occurs."""
    words, data, methods, states = st.columns([3, 2, 2, 2], vertical_alignment="bottom")
    typed = words.text_input("Search", key="runs-words", placeholder="class, title, note, setting, reason …")
    return Filters(
        typed,
        tuple(data.multiselect("Data", sorted({row.data for row in rows}), key="runs-data", placeholder="All")),
        tuple(
            methods.multiselect("Method", sorted({row.method for row in rows}), key="runs-method", placeholder="All")
        ),
        tuple(
            states.multiselect(
                "State",
                [state for state in STATES if any(row.job.state == state for row in rows)],
                format_func=lambda state: STATES[state][2],
                key="runs-state",
                placeholder="All",
            )
        ),
    )


def runs_table(rows: Sequence[RunRow], letters: Mapping[str, str]) -> list[str]:
    """Draw the table and return the ids of the rows ticked, in the table's order.

    Args:
        rows: the runs.
        letters: "A" or "B" by the id of a run that is looked at.
    """
    event: Any = st.dataframe(
        table(rows, letters),
        hide_index=True,
        height=HEIGHT + ROW_PIXELS * min(MOST_ROWS, len(rows)),
        placeholder="–",
        on_select="rerun",
        selection_mode="multi-row",
        key=f"runs-{hash(tuple(row.job.id for row in rows))}",  # other rows, other ticks
        alt=f"A table of {len(rows)} runs with their configuration and figures",
        column_config=_columns(),
    )
    return [rows[place].job.id for place in event.selection.rows if place < len(rows)]


def table(rows: Sequence[RunRow], letters: Mapping[str, str]) -> dict[str, list[Any]]:
    """Return the columns of the table."""
    marks = {"": [letters.get(row.job.id, "") for row in rows]} if letters else {}
    return marks | {
        "Run": [row.job.number for row in rows],
        **({"Title": [row.job.title for row in rows]} if any(row.job.title for row in rows) else {}),
        "Forgets": [row.forgets for row in rows],
        "Method": [row.way for row in rows],
        "Acc_rt": [row.acc_rt for row in rows],
        "Lead": [row.lead for row in rows],
        "Acc_ut": [row.acc_ut for row in rows],
        "Probe": [row.probe for row in rows],
        "State": [row.state for row in rows],
        **({"Reason": [row.reason for row in rows]} if any(row.reason for row in rows) else {}),
        "Link": [f"/{page_of(row.job)}?job={row.job.id}" for row in rows],
        "Model": [row.model for row in rows],
        "Data": [row.data for row in rows],
        "Took": [_took(row.job) for row in rows],
        "Asked for": [datetime.datetime.fromtimestamp(row.job.created).astimezone() for row in rows],
        "Settings": [row.settings for row in rows],
        "Note": [row.job.note for row in rows],
    }


def _took(job: Job) -> str:
    """Return how long a run took."""
    return duration(spent) if job.finished is not None and (spent := worked(job)) is not None else ""


def _columns() -> dict[str, Any]:
    """Say how columns are written, and what they mean."""
    number = st.column_config.NumberColumn
    return {
        "": st.column_config.TextColumn(width=30, help="The runs that the other pages show"),
        "Run": number(width=50),
        "Title": st.column_config.TextColumn(width=100),
        "Forgets": st.column_config.TextColumn(width=90),
        "Method": st.column_config.TextColumn(width=150),
        "Acc_rt": number(ACC_RT.column, format="%.1f", width=75, help=ACC_RT.definition),
        "Lead": number(LEAD.short, format="%+.1f", width=75, help=LEAD.definition),
        "Acc_ut": number(ACC_UT.column, format="%.1f", width=75, help=ACC_UT.definition),
        "Probe": number(PROBE.column, format="%.1f", width=70, help=PROBE.definition),
        "State": st.column_config.TextColumn(width=115),
        "Reason": st.column_config.TextColumn(width=220, help="Why a run ended early"),
        "Link": st.column_config.LinkColumn(display_text="Open", width=55, help="In a new tab; the link can be shared"),
        "Asked for": st.column_config.DatetimeColumn(format="D MMM, HH:mm", width=100),
        "Settings": st.column_config.TextColumn(width=260),
    }


def summary(rows: Sequence[RunRow], shown: Sequence[RunRow]) -> str:
    """Return how many runs there are, and how the best of those shown did."""
    count = f"{len(shown)} of {len(rows)} runs" if len(shown) < len(rows) else counted(len(rows), "run")
    graded = [row for row in shown if row.acc_rt is not None]
    if not graded:
        ended = any(row.estimate for row in shown)
        return f"{count}; {'none of them is graded' if ended else 'none of them has come to its end'}."
    methods = [row for row in graded if row.job.config.get("method") not in references()]
    gone = [row for row in methods if is_forgotten(row.acc_ut or 0.0)]
    if not gone:
        return f"{count}; no method has brought Acc_ut to {percent(FORGOTTEN_UP_TO)} or less."
    best = max(gone, key=lambda row: row.acc_rt or 0.0)
    return f"{count}; of the methods that forget, most is kept by run {best.job.number}: Acc_rt {percent(best.acc_rt)}."
