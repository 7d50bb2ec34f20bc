"""The table of a comparison, as HTML that fits both themes: mean and deviation over seeds, each run one click away."""

from __future__ import annotations

import html
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ui.figures.compare import ENTROPY, mean_of, reference, span
from ui.figures.looks import MASK, ORIGINAL, RETRAIN, looks, role_of
from ui.methods import GONE, method_summary
from ui.results import duration, near, setting_text
from ui.runs import page_of
from ui.words import STATES, help_for
from zspag_core.jobs import State

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ui.figures.looks import Look
    from zspag_core.jobs import Job
    from zspag_core.reproduce.comparison import Comparison, Row

ABSENT = "–"
GOALS = ("acc_ut", ENTROPY, "probe")
ROLES = {
    ORIGINAL: "the model before",
    MASK: "the original with the forgotten outputs blocked: nothing is learned",
    RETRAIN: "trained anew without the classes: the honest reference",
}
ORDERS = {
    "As listed": None,
    "Remaining accuracy": ("acc_rt", -1),
    "Forgotten accuracy": ("acc_ut", 1),
    "Probe": ("probe", 1),
    "Time": ("seconds", 1),
}
"""How the table can be ordered: figure, and 1 for the least first."""


@dataclass(frozen=True)
class Column:
    """One column of figures.

    Attributes:
        name: of the figure.
        title: heading.
        good: which way is good.
        help: what it is.
    """

    name: str
    title: str
    good: str
    help: str


COLUMNS = (
    Column("acc_rt", "Acc_rt, %", "higher", help_for("Acc_rt")),
    Column("lead", "over mask", "above 0", "Acc_rt less what blocking the outputs alone gives, in points."),
    Column("acc_ut", "Acc_ut, %", "0", help_for("Acc_ut")),
    Column(ENTROPY, "Membership · entropy, %", "near Retrain", help_for("Membership inference")),
    Column("probe", "Probe, %", "lower", help_for("Probe")),
    Column("relearning", "Relearning, steps", "more", help_for("Relearning")),
    Column("seconds", "Time", "lower", "The method alone, without grading."),
)


def in_order(rows: Sequence[Row], order: str) -> list[Row]:
    """Return the rows in an order, a key of `ORDERS`: references first, rows without the figure last."""
    found = ORDERS[order]
    if found is None:
        return list(rows)
    name, sign = found

    def place(row: Row) -> tuple[int, float]:
        mean = mean_of(row, name)
        return (0 if role_of(row) else 1 if mean is not None else 2, sign * mean[0] if mean and not role_of(row) else 0)

    return sorted(rows, key=place)


def table_html(comparison: Comparison, jobs: Mapping[str, Sequence[Job]], order: str = "As listed") -> str:
    """Return the table.

    Args:
        comparison: the rows.
        jobs: the runs of each row, by its key; none for a comparison that ships with the app.
        order: a key of `ORDERS`.
    """
    paper = any(row.paper for row in comparison.rows)
    heads = [("Method", "", ""), ("Sees", "", "What the method is given beside the model and the forget samples.")]
    heads += [(column.title, f"good: {column.good}", column.help) for column in COLUMNS]
    heads += [("Paper", "Acc_rt, Acc_ut", "The paper's own figures, on its own models.")] if paper else []
    heads += [("Runs" if jobs else "Seeds", "", "Each number opens its run." if jobs else "Seeds behind the mean.")]
    head = "".join(
        f'<th scope="col" title="{html.escape(words)}">{html.escape(title)}<br><small>{html.escape(good)}</small></th>'
        for title, good, words in heads
    )
    look = looks(comparison.rows)
    body = "".join(
        _row(row, comparison, look[row.key], jobs.get(row.key, ()), paper=paper)
        for row in in_order(comparison.rows, order)
    )
    label = f"{comparison.title}: mean and standard deviation of every method"
    return (
        f'<div class="zs-wide"><table class="zs-compare" aria-label="{html.escape(label)}">'
        f"<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>"
    )


def _row(row: Row, comparison: Comparison, look: Look, jobs: Sequence[Job], *, paper: bool) -> str:
    """Return one line of the table."""
    role = role_of(row)
    mark = f'<span aria-hidden="true" style="color:{look.colour}">{look.glyph}</span>'
    settings = ", ".join(f"{name} {setting_text(value)}" for name, value in sorted(row.settings.items()))
    about = ROLES.get(role) or method_summary(str(row.method))
    title = html.escape(f"{about} Settings: {settings or 'defaults'}.")
    kind = f" <small>{html.escape(row.kind)}</small>" if row.kind in {"official", "tuned"} else ""
    cells = [
        f'<th scope="row" title="{title}">{mark} {html.escape(row.label)}{kind}</th>',
        f"<td>{_sees(row)}</td>",
        *_figures(row, comparison),
    ]
    if paper:
        cells.append(f"<td>{_paper(row)}</td>")
    cells.append(f"<td>{_runs(row, jobs)}</td>")
    return f"<tr{' class=zs-reference' if role else ''}>{''.join(cells)}</tr>"


def _figures(row: Row, comparison: Comparison) -> list[str]:
    """Return the cells with figures; one cell with the reason where every run failed."""
    errors = [outcome.error for outcome in row.seeds if outcome.error]
    if errors and len(errors) == len(row.seeds):
        return [f'<td class="zs-failed" colspan="{len(COLUMNS)}">failed: {html.escape(errors[0])}</td>']
    return [f"<td{_class(column, row, comparison)}>{_figure(column.name, row, comparison)}</td>" for column in COLUMNS]


def _sees(row: Row) -> str:
    """Say on which side of the zero-shot fence a method stands."""
    if row.method is None:
        return ""
    if row.needs_retain:
        return '<span class="zs-badge zs-needs">remaining data</span>'
    return '<span class="zs-badge">zero-shot</span>'


def _figure(name: str, row: Row, comparison: Comparison) -> str:
    """Write a figure of a row as mean ± deviation."""
    if name == "lead":
        return _lead(row, comparison)
    mean = mean_of(row, name)
    if mean is None or (name == "seconds" and row.method is None):
        return ABSENT
    value, deviation = mean
    if name == "seconds":
        return duration(value)
    if name == "relearning":
        never = any(outcome.relearned is False for outcome in row.seeds)
        return f"{'over ' if never else ''}{value:.0f}"
    spread = "" if deviation is None else f" <small>± {deviation:.1f}</small>"
    return f"{value:.1f}{spread}"


def _lead(row: Row, comparison: Comparison) -> str:
    """Write what a row has over the mask, in points."""
    mask, kept = mean_of(reference(comparison, MASK), "acc_rt"), mean_of(row, "acc_rt")
    if mask is None or kept is None or role_of(row) == MASK:
        return ABSENT
    return f"{round(kept[0] - mask[0], 1) + 0.0:+.1f}".replace("-", "−")


def _class(column: Column, row: Row, comparison: Comparison) -> str:
    """Mark a cell that reaches its goal: the class is gone, or the figure is Retrain's and was not so before."""
    mean = mean_of(row, column.name) if column.name in GOALS and not role_of(row) else None
    if mean is None:
        return ""
    if column.name == "acc_ut":
        return ' class="zs-good"' if mean[0] <= GONE else ""
    band = span(reference(comparison, RETRAIN), column.name)
    before = mean_of(reference(comparison, ORIGINAL), column.name)
    if band is None or (before is not None and near(before[0], band)):
        return ""
    return ' class="zs-good"' if near(mean[0], band) else ""


def _paper(row: Row) -> str:
    """Write the paper's figures of a row."""
    if not row.paper:
        return ABSENT
    return ", ".join(f"{row.paper[name]:.1f}" for name in ("acc_rt", "acc_ut") if row.paper.get(name) is not None)


def _runs(row: Row, jobs: Sequence[Job]) -> str:
    """Return a link to every run of a row with its state, or the number of seeds behind the mean."""
    if not jobs:
        good = len([outcome for outcome in row.seeds if not outcome.error])
        return f"{good} of {len(row.seeds)}" if good < len(row.seeds) else str(good or ABSENT)
    return " · ".join(_link(job) for job in jobs)


def _link(job: Job) -> str:
    """Return the link to a run, with a word for its state unless it is done."""
    word = "" if job.state == State.DONE else f" <small>{STATES[job.state][2].lower()}</small>"
    title = html.escape(f"Run {job.number}, seed {job.config.get('seed', 0)}. {job.error}".strip())
    return f'<a href="/{page_of(job)}?job={job.id}" target="_self" title="{title}">{job.number}</a>{word}'


def records(comparison: Comparison) -> list[dict[str, Any]]:
    """Return every outcome as one line of a table: row, method, settings, seed and figures."""
    return [
        {"row": row.label, "kind": row.kind, "method": row.method or "", "needs_remaining_data": row.needs_retain}
        | {"settings": " ".join(f"{name}={value}" for name, value in sorted(row.settings.items()))}
        | {"seed": outcome.seed}
        | {
            name.rpartition(".")[2]: outcome.value(name)
            for name in ("acc_rt", "acc_ut", ENTROPY, "mia.confidence_svc", "probe", "relearning", "seconds")
        }
        | {"ended": outcome.error or outcome.stopped}
        for row in comparison.rows
        for outcome in row.seeds
    ]
