"""The table of a comparison, as HTML that fits both themes: mean and deviation over seeds, each run one click away."""

from __future__ import annotations

import html
from typing import TYPE_CHECKING, Any

from ui.figures.compare import mean_of, reference, span
from ui.figures.markers import MASK, ORIGINAL, RETRAIN, looks, role_of
from ui.shell.engine_words import said_of
from ui.shell.formatting import duration, near, page_of, setting_text
from ui.shell.methods import method_summary
from ui.shell.words import STATES
from zspag_core.jobs import State
from zspag_core.metrics.catalogue import (
    ACC_RT,
    ACC_UT,
    CONFIDENCE,
    ENTROPY,
    IN_COMPARISONS,
    LEAD,
    PROBE,
    RELEARNING,
    SECONDS,
    is_forgotten,
)
from zspag_core.reproduce.comparison import BLIND

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ui.figures.markers import Marker
    from zspag_core.jobs import Job
    from zspag_core.metrics.catalogue import Measure
    from zspag_core.reproduce.comparison import Comparison, Row

ABSENT = "–"
KINDS = ("official", "tuned", BLIND)
"""Kinds of rows that the table names: two of a method may stand in it."""
MOST_BEST = 3
"""Where more rows share the best figure of a column, none of them stands out."""
GOALS = (ACC_UT, ENTROPY, PROBE)
ROLES = {
    ORIGINAL: "the model before",
    MASK: "the original with the forgotten outputs blocked: nothing is learned",
    RETRAIN: "trained anew without the classes: the honest reference",
}
COLUMNS = (ACC_RT, LEAD, ACC_UT, ENTROPY, PROBE, RELEARNING, SECONDS)
"""Measures that every comparison has a column for; see :func:`columns_of`."""
ORDERS = {"As listed": None} | {measure.name: measure for measure in (ACC_RT, ACC_UT, PROBE, SECONDS)}
"""How the table can be ordered: by which measure, the best first."""


def columns_of(comparison: Comparison) -> tuple[Measure, ...]:
    """Return the measures that a comparison's table has: those of depth where any row was asked stage by stage."""
    return (*COLUMNS[:-1], *IN_COMPARISONS, COLUMNS[-1]) if comparison.knows_depth else COLUMNS


def in_order(rows: Sequence[Row], order: str) -> list[Row]:
    """Return the rows in an order, a key of `ORDERS`: references first, rows without the figure last."""
    found = ORDERS[order]
    if found is None:
        return list(rows)
    sign = -1 if found.better == "higher" else 1

    def place(row: Row) -> tuple[int, float]:
        mean = mean_of(row, found.key)
        return (0 if role_of(row) else 1 if mean is not None else 2, sign * mean[0] if mean and not role_of(row) else 0)

    return sorted(rows, key=place)


def best_rows(comparison: Comparison) -> dict[str, set[str]]:
    """Return by a measure's key the rows that are best in it, of the methods that forget; others win by breaking.

    Where the aim is Retrain's figure, the best is nearest to it; of the original, the mask and Retrain nothing is said.
    """
    rows = [row for row in comparison.rows if not role_of(row) and _forgets(row)]
    found: dict[str, set[str]] = {}
    for measure in columns_of(comparison):
        badness = {row.key: bad for row in rows if (bad := _badness(measure, row, comparison)) is not None}
        least = min(badness.values(), default=None)
        best = {key for key, bad in badness.items() if bad == least}
        if len(badness) > 1 and len(best) <= MOST_BEST:
            found[measure.key] = best
    return found


def _forgets(row: Row) -> bool:
    """Tell whether a row's classes count as forgotten."""
    mean = mean_of(row, ACC_UT.key)
    return mean is not None and is_forgotten(mean[0])


def _badness(measure: Measure, row: Row, comparison: Comparison) -> float | None:
    """Return how far a figure is from its aim, as the table writes it; None where that cannot be told."""
    mean = mean_of(row, ACC_RT.key if measure is LEAD else measure.key)
    if mean is None or measure is RELEARNING:
        return None  # steps that were never reached are no number
    value = round(mean[0], _decimals(measure))
    if measure.better != "near":
        return -value if measure.better == "higher" else value
    aim = mean_of(reference(comparison, RETRAIN), measure.key)
    return None if aim is None else abs(value - round(aim[0], _decimals(measure)))


def _decimals(measure: Measure) -> int:
    """Return with how many decimals the table writes a measure: one, but bits run from 0 to 1."""
    return measure.digits if measure.unit == "bits" else 1


def table_html(
    comparison: Comparison, jobs: Mapping[str, Sequence[Job]], order: str = "As listed", pinned: str | None = None
) -> str:
    """Return the table.

    Args:
        comparison: the rows.
        jobs: the runs of each row, by its key; none for a comparison that ships with the app.
        order: a key of `ORDERS`.
        pinned: key of the row that stands first whatever the order, if any.
    """
    paper = any(row.paper for row in comparison.rows)
    heads = [("Method", "", ""), ("Sees", "", "What the method is given beside the model and the forget samples.")]
    heads += [(_heading(measure), f"good: {measure.good}", measure.definition) for measure in columns_of(comparison)]
    heads += [("Paper", "Acc_rt, Acc_ut", "The paper's own figures, on its own models.")] if paper else []
    heads += [("Runs" if jobs else "Seeds", "", "Each number opens its run." if jobs else "Seeds behind the mean.")]
    head = "".join(
        f'<th scope="col" title="{html.escape(words)}">{html.escape(title)}<br><small>{html.escape(good)}</small></th>'
        for title, good, words in heads
    )
    look = looks(comparison.rows)
    best = best_rows(comparison)
    rows = sorted(in_order(comparison.rows, order), key=lambda row: row.key != pinned)
    body = "".join(
        _row(row, comparison, look[row.key], jobs.get(row.key, ()), best, paper=paper, pinned=row.key == pinned)
        for row in rows
    )
    label = f"{comparison.title}: mean and standard deviation of every method"
    return (
        f'<div class="zs-wide"><table class="zs-compare" aria-label="{html.escape(label)}">'
        f"<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>"
    )


def _row(
    row: Row,
    comparison: Comparison,
    look: Marker,
    jobs: Sequence[Job],
    best: Mapping[str, set[str]],
    *,
    paper: bool,
    pinned: bool,
) -> str:
    """Return one line of the table."""
    role = role_of(row)
    mark = f'<span aria-hidden="true" style="color:{look.colour}">{look.glyph}</span>'
    settings = ", ".join(f"{name} {setting_text(value)}" for name, value in sorted(row.settings.items()))
    about = ROLES.get(role) or method_summary(str(row.method))
    title = html.escape(f"{about} Settings: {settings or 'defaults'}.")
    kind = f" <small>{html.escape(row.kind)}</small>" if row.kind in KINDS else ""
    cells = [
        f'<th scope="row" title="{title}">{mark} {html.escape(row.label)}{kind}</th>',
        f"<td>{_sees(row)}</td>",
        *_figures(row, comparison, best),
    ]
    if paper:
        cells.append(f"<td>{_paper(row)}</td>")
    cells.append(f"<td>{_runs(row, jobs)}</td>")
    kinds = " ".join(["zs-reference"] * bool(role) + ["zs-pinned"] * pinned)
    return f"<tr class='{kinds}'>{''.join(cells)}</tr>"


def _figures(row: Row, comparison: Comparison, best: Mapping[str, set[str]]) -> list[str]:
    """Return the cells with figures; one cell with the reason where every run failed."""
    errors = [outcome.error for outcome in row.seeds if outcome.error]
    if errors and len(errors) == len(row.seeds):
        return [f'<td class="zs-failed" colspan="{len(columns_of(comparison))}">failed: {html.escape(errors[0])}</td>']
    return [
        f"<td{_class(measure, row, comparison)}>"
        f"{_tinted(_figure(measure, row, comparison), best=row.key in best.get(measure.key, ()))}</td>"
        for measure in columns_of(comparison)
    ]


def _tinted(figure: str, *, best: bool) -> str:
    """Write a figure so that the best of its column stands out."""
    return f'<span class="zs-best" title="the best of the methods that forget">{figure}</span>' if best else figure


def _heading(measure: Measure) -> str:
    """Return the heading of a column; a lead and a time carry sign or unit in every cell."""
    return measure.short if measure in {LEAD, SECONDS} else measure.column


def _sees(row: Row) -> str:
    """Say on which side of the zero-shot fence a method stands."""
    if row.method is None:
        return ""
    if row.needs_retain:
        return '<span class="zs-badge zs-needs">remaining data</span>'
    return '<span class="zs-badge">zero-shot</span>'


def _figure(measure: Measure, row: Row, comparison: Comparison) -> str:
    """Write a measure of a row as mean ± deviation."""
    if measure is LEAD:
        return _lead(row, comparison)
    mean = mean_of(row, measure.key)
    if mean is None or (measure is SECONDS and row.method is None):
        return ABSENT
    value, deviation = mean
    if measure is SECONDS:
        return duration(value)
    if measure is RELEARNING:
        never = any(outcome.relearned is False for outcome in row.seeds)
        return f"{'over ' if never else ''}{value:.0f}"
    digits = _decimals(measure)
    spread = "" if deviation is None else f" <small>± {deviation:.{digits}f}</small>"
    return f"{value:.{digits}f}{spread}"


def _lead(row: Row, comparison: Comparison) -> str:
    """Write what a row has over the mask, in points."""
    mask, kept = mean_of(reference(comparison, MASK), ACC_RT.key), mean_of(row, ACC_RT.key)
    if mask is None or kept is None or role_of(row) == MASK:
        return ABSENT
    return f"{round(kept[0] - mask[0], 1) + 0.0:+.1f}".replace("-", "−")


def _class(measure: Measure, row: Row, comparison: Comparison) -> str:
    """Mark a cell that reaches its goal: the class is gone, or the figure is Retrain's and was not so before."""
    mean = mean_of(row, measure.key) if measure in GOALS and not role_of(row) else None
    if mean is None:
        return ""
    if measure is ACC_UT:
        return ' class="zs-good"' if is_forgotten(mean[0]) else ""
    band = span(reference(comparison, RETRAIN), measure.key)
    before = mean_of(reference(comparison, ORIGINAL), measure.key)
    if band is None or (before is not None and near(before[0], band)):
        return ""
    return ' class="zs-good"' if near(mean[0], band) else ""


def _paper(row: Row) -> str:
    """Write the paper's figures of a row."""
    if not row.paper:
        return ABSENT
    return ", ".join(f"{row.paper[name]:.1f}" for name in (ACC_RT.key, ACC_UT.key) if row.paper.get(name) is not None)


def _runs(row: Row, jobs: Sequence[Job]) -> str:
    """Return a link to every run of a row with its state, or the number of seeds behind the mean."""
    if not jobs:
        good = len([outcome for outcome in row.seeds if not outcome.error])
        return f"{good} of {len(row.seeds)}" if good < len(row.seeds) else str(good or ABSENT)
    return " · ".join(_link(job) for job in jobs)


def _link(job: Job) -> str:
    """Return the link to a run, with a word for its state unless it is done."""
    word = "" if job.state == State.DONE else f" <small>{STATES[job.state][2].lower()}</small>"
    title = html.escape(f"Run {job.number}, seed {job.config.get('seed', 0)}. {said_of(job, job.error)}".strip())
    return f'<a href="/{page_of(job)}?job={job.id}" target="_self" title="{title}">{job.number}</a>{word}'


def records(comparison: Comparison) -> list[dict[str, Any]]:
    """Return every outcome as one line of a table: row, method, settings, seed and figures."""
    depth = IN_COMPARISONS if comparison.knows_depth else ()
    return [
        {"row": row.label, "kind": row.kind, "method": row.method or "", "needs_remaining_data": row.needs_retain}
        | {"settings": " ".join(f"{name}={value}" for name, value in sorted(row.settings.items()))}
        | {"seed": outcome.seed}
        | {
            measure.key.rpartition(".")[2]: outcome.value(measure.key)
            for measure in (ACC_RT, ACC_UT, ENTROPY, CONFIDENCE, PROBE, RELEARNING, SECONDS)
        }
        | {measure.key.replace(".", "_"): outcome.value(measure.key) for measure in depth}
        | {"ended": outcome.error or outcome.stopped}
        for row in comparison.rows
        for outcome in row.seeds
    ]
