"""What came of a sweep: table, best trials, how well retain-free figures predicted the graded one; without torch."""

from __future__ import annotations

import csv
import io
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from zspag_core.runs.command_line import CLASSES_FILE, unlearn_line
from zspag_core.tuning.agreement import agreements, distinct
from zspag_core.tuning.objectives import BY_KEY, OBJECTIVES, Objective, find_objectives

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from zspag_core.tuning.sweep import Sweep

Row = dict[str, Any]
NOTHING: Mapping[str, Any] = MappingProxyType({})
IN_TABLE = ("retain_free", "forgotten", "agreement", "confidence", "graded", "acc_rt", "acc_ut", "probe", "seconds")


def finished(rows: Sequence[Row], objectives: Sequence[Objective]) -> list[Row]:
    """Return the trials that came to their end and have every objective."""
    return [
        row for row in rows if row["state"] == "done" and all(row["figures"].get(o.key) is not None for o in objectives)
    ]


def best_rows(sweep: Sweep, rows: Sequence[Row]) -> list[Row]:
    """Return the trials that none is better than: one for one objective, the Pareto front for several.

    A point that was tried twice, as sweeps of earlier versions did, stands there once.
    """
    objectives = find_objectives(sweep.objectives)
    known = distinct(finished(rows, objectives))
    points = [[good(row, objective) for objective in objectives] for row in known]
    if len(objectives) == 1:
        return [max(known, key=lambda row: good(row, objectives[0]))] if known else []
    return [row for row, point in zip(known, points, strict=True) if not any(_beats(other, point) for other in points)]


def used_up(sweep: Sweep, rows: Sequence[Row]) -> bool:
    """Tell whether every point that can be tried has been."""
    most = sweep.points()
    return most is not None and len(distinct(rows)) >= most


def history_of_best(sweep: Sweep, rows: Sequence[Row]) -> list[float]:
    """Return the first objective of the best trial so far, after every finished one."""
    objective = find_objectives(sweep.objectives[:1])[0]
    best: list[float] = []
    pick = max if objective.better == "higher" else min
    for row in finished(rows, [objective]):
        value = row["figures"][objective.key]
        best.append(pick(best[-1], value) if best else value)
    return best


def summarise(sweep: Sweep, rows: Sequence[Row], remembered: Mapping[str, Any] = NOTHING) -> dict[str, Any]:
    """Return a sweep as plain values; `remembered` is what its job says beside it, as for :func:`command_of`.

    Returns:
        {"sweep", "trials": the rows, "best": numbers of the best trials (several on a Pareto front), "command": the
        best (or the front's first) as a line that repeats its run, "predicted": see
        :func:`zspag_core.tuning.agreement.agreements`}
    """
    best = best_rows(sweep, rows)
    done = [row for row in rows if row["state"] == "done"]
    return {
        "sweep": sweep.to_dict(),
        "trials": sorted(rows, key=lambda row: int(row["number"])),
        "best": [row["number"] for row in best],
        "command": command_of(sweep, best[0], remembered) if best else None,
        "predicted": agreements(done),
    }


def command_of(sweep: Sweep, row: Row, remembered: Mapping[str, Any] = NOTHING) -> str:
    """Return the line that makes a trial's first run again.

    Args:
        sweep: whose trial it is.
        row: the trial; with how many threads it was computed is said where it was not with all of this machine.
        remembered: what the sweep's job says of it: "class_names", "classes_file"; see
            :func:`zspag_core.runs.command_line.unlearn_line`.
    """
    known = {name: remembered[name] for name in ("class_names", CLASSES_FILE) if name in remembered}
    known["threads"] = row.get("threads")
    return unlearn_line(sweep.config_at(row["point"], row["seeds"][0]) | known, f"runs/trial-{row['number']}")


def as_csv(sweep: Sweep, rows: Sequence[Row]) -> str:
    """Return every trial with its knobs and figures as CSV; columns of figures for grading only are marked so."""
    names = [axis.name for axis in sweep.space]
    marked = {o.key: f"{o.key} (grading only)" if o.graded else o.key for o in OBJECTIVES}
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(["trial", "state", *names, *marked.values(), "took", "jobs", "error"])
    for row in sorted(rows, key=lambda one: int(one["number"])):
        figures = [row["figures"].get(key) for key in marked]
        knobs = [row["point"].get(name) for name in names]
        cost = [round(row["took"], 2), " ".join(row["jobs"]), row["error"]]
        writer.writerow([row["number"], row["state"], *knobs, *figures, *cost])
    return text.getvalue()


def as_table(sweep: Sweep, rows: Sequence[Row], most: int = 20) -> list[str]:
    """Return the best trials as lines of text, the best first by the first objective."""
    objective = find_objectives(sweep.objectives[:1])[0]
    ranked = sorted(finished(rows, [objective]), key=lambda row: -good(row, objective))[:most]
    names = [axis.name for axis in sweep.space]
    shown = [BY_KEY[key] for key in dict.fromkeys((*sweep.objectives, *IN_TABLE))]
    head = ["trial", *names, *(f"{o.short}{'*' if o.graded else ''}" for o in shown)]
    body = [
        [str(row["number"]), *(plain(row["point"][name]) for name in names), *(_cell(row, o) for o in shown)]
        for row in ranked
    ]
    widths = [max(len(line[place]) for line in [head, *body]) for place in range(len(head))]
    lines = ["  ".join(cell.rjust(width) for cell, width in zip(line, widths, strict=True)) for line in [head, *body]]
    return [*lines, "* for grading only: a zero-shot method may not see it"] if body else []


def predicted_words(found: Mapping[str, Any]) -> str:
    """Say how well one figure predicted the graded one."""
    figure, graded = BY_KEY[found["figure"]], BY_KEY[found["graded"]]
    rank = "undefined" if found["rank_correlation"] is None else f"{found['rank_correlation']:+.2f}"
    return (
        f"{figure.title}: rank correlation with the {graded.title.lower()} {rank} over {found['trials']} trials; "
        f"its choice, trial {found['chosen']}, is {found['regret']:.2f} points below the best, trial {found['best']}"
    )


def plain(value: object) -> str:
    """Return a knob's value, short."""
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _cell(row: Row, objective: Objective) -> str:
    value = row["figures"].get(objective.key)
    return "–" if value is None else f"{value:.2f}"


def good(row: Row, objective: Objective) -> float:
    """Return a figure so that more is better."""
    value = float(row["figures"][objective.key])
    return value if objective.better == "higher" else -value


def _beats(other: Sequence[float], point: Sequence[float]) -> bool:
    """Tell whether a point is nowhere worse than another, and somewhere better."""
    return all(a >= b for a, b in zip(other, point, strict=True)) and any(
        a > b for a, b in zip(other, point, strict=True)
    )
