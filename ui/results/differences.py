"""Two runs beside each other: what was set differently, and what came out differently."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from ui.results.run_view import listed
from ui.results.summary import steps_text
from ui.shell.formatting import duration, escape, figure_text, find, glue, percent, setting_text
from ui.shell.paths import title_of
from ui.shell.ungraded import estimate_rows
from ui.shell.words import knob_label
from zspag_core.metrics.catalogue import ACC_RT, ASR, GRADED, LEAD, RELEARNING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ui.results.run_view import View

Row = tuple[str, ...]
ABSENT = "–"


def setting_differences(one: View, two: View) -> list[tuple[str, str, str]]:
    """Return what was set differently: name, value in A, value in B. Settings that only one method has are not told."""
    first, second = (_about(view) for view in (one, two))
    return [(name, first[name], second[name]) for name in first if first[name] != second.get(name, first[name])]


def own_settings(one: View, two: View) -> list[str]:
    """Return a sentence for each method that has settings which the other has not."""
    first, second = (_about(view) for view in (one, two))
    sentences = []
    for view, mine, other in ((one, first, second), (two, second, first)):
        own = [name for name in mine if name not in other]
        if own:
            sentences.append(f"Only {view.result['method']} has: {', '.join(own)}.")
    return sentences


def figure_differences(one: View, two: View) -> list[Row]:
    """Return the figures of two runs: name, A, B, and B less A."""
    rows: list[Row] = []
    for measure in GRADED:
        first, second = (find(view.after or {}, measure.path) for view in (one, two))
        if first is not None or second is not None:
            written = [figure_text(value, measure) for value in (first, second)]
            rows.append((measure.title, *written, figure_text(_difference(first, second), measure, sign=True)))
        if measure is ACC_RT:
            rows += _leads(one, two)
    rows += _estimates(one, two)
    rows.append((RELEARNING.title, *(steps_text((view.after or {}).get("relearning")) for view in (one, two)), ""))
    rows.append((ASR.title, *_percentages("proxies", "asr", one, two)))
    rows.append(("Epochs made", *(str(len(view.result.get("history") or ())) for view in (one, two)), ""))
    rows.append(("Time", *(duration(_seconds(view)) for view in (one, two)), ""))
    return [row for row in rows if row[1:3] not in {(ABSENT, ABSENT), ("0", "0")}]


def markdown_table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a table in Markdown, the first column to the left and all others to the right."""
    lines = ["| " + " | ".join(head) + " |", "|:--|" + "--:|" * (len(head) - 1)]
    lines += ["| " + " | ".join(row) + " |" for row in rows]
    return glue("\n".join(lines))


def _about(view: View) -> dict[str, str]:
    """Return everything that was set for a run, as texts."""
    result, config = view.result, view.job.config
    path = str(config["checkpoint"]).replace("\\", "/")
    settings: dict[str, Any] = {
        "Model": title_of(Path(path)).removesuffix(".safetensors"),
        "Data": config["data"],
        "Forgotten": listed(view.names, view.forget),
        "Held out, % of the images to forget": f"{config.get('hold_out') or 0:g}",
        "Method": result["method"],
        "Seed": result["seed"],
        "Device": result["device"],
    }
    settings |= {knob_label(name): value for name, value in result["config"].items()}
    return {name: escape(setting_text(value)) for name, value in settings.items()}


def _leads(one: View, two: View) -> list[Row]:
    """Return the lead over masking."""
    leads = []
    for view in (one, two):
        after, mask = (view.after or {}).get("acc_rt"), (view.result.get("mask") or {}).get("acc_rt")
        leads.append(None if after is None or mask is None else after - mask)
    return [(f"{LEAD.title}, {LEAD.unit}", *(percent(lead, sign=True) for lead in leads), _change(leads[0], leads[1]))]


def _estimates(one: View, two: View) -> list[Row]:
    """Return the estimates of runs that are not graded."""
    first, second = ({title: now for title, _, now, _ in estimate_rows(view.result)} for view in (one, two))
    return [
        (f"{title} · estimate", *(percent(found.get(title)) for found in (first, second)),
         _change(first.get(title), second.get(title)))
        for title in dict.fromkeys([*first, *second])
    ]  # fmt: skip


def _percentages(part: str, name: str, one: View, two: View) -> tuple[str, str, str]:
    """Return a percentage of a part of the record, and its change."""
    first, second = (find(view.result, (part, name)) for view in (one, two))
    return percent(first), percent(second), _change(first, second)


def _change(first: float | None, second: float | None) -> str:
    """Write B less A, of percentages."""
    return percent(_difference(first, second), sign=True)


def _difference(first: float | None, second: float | None) -> float | None:
    """Return B less A; None where either is unknown."""
    return None if first is None or second is None else second - first


def _seconds(view: View) -> float:
    """Return how long a run took altogether."""
    return float(sum(spent or 0.0 for spent in view.result["seconds"].values()))
