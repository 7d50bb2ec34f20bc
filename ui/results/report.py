"""A run as one HTML file that needs nothing else: figures and their library inside, readable on paper."""

from __future__ import annotations

import re
import time
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import plotly.graph_objects as go
import plotly.io
from jinja2 import Environment, StrictUndefined
from markupsafe import Markup, escape
from plotly.offline import get_plotlyjs

from ui.figures.drawn import TEMPLATE
from ui.results.differences import figure_differences, own_settings, setting_differences
from ui.results.fence import kept_for_grading, seen_by_method
from ui.results.figures import gallery
from ui.results.run_view import listed
from ui.results.summary import steps_text, tell
from ui.shell.charts import FEW_BUTTONS
from ui.shell.formatting import figure_text, find, percent, setting_text, worked_words
from ui.shell.methods import method_name
from ui.shell.paths import title_of
from ui.shell.ungraded import estimate_rows, is_ungraded, why_ungraded
from ui.shell.words import ESTIMATE_NOTE, GRADING_NOTE, MASK_NOTE, knob_label
from zspag_core.metrics.catalogue import ACC_RT, ACC_UT, GRADED, PROBE, RELEARNING
from zspag_core.shipped import ASSETS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from jinja2 import Template

    from ui.figures.drawn import Drawn
    from ui.results.reference import Reference
    from ui.results.run_view import View
from zspag_core.metrics.catalogue import Measure

PAGE = ASSETS / "report.html"
PAPER_PIXELS = 680  # the width of A4 between its margins


@dataclass(frozen=True)
class ReportedRun:
    """One run that a report is about.

    Attributes:
        view: the run.
        reference: its Retrain reference.
        repeat: the command line that repeats it, empty where it is not known.
    """

    view: View
    reference: Reference
    repeat: str

    @property
    def title(self) -> str:
        """Return the run's name and what it forgets."""
        return f"{self.view.title} · forget {listed(self.view.names, self.view.forget)}"


def html_report(subjects: Sequence[ReportedRun]) -> str:
    """Return story, figures, settings and command line of a run as one HTML page; of two runs, their differences too.

    Args:
        subjects: run A, or run A and run B.
    """
    two = len(subjects) > 1
    return _template().render(
        title=" and ".join(subject.title for subject in subjects),
        width=PAPER_PIXELS,
        library=get_plotlyjs(),
        differences=_differences(*(subject.view for subject in subjects)) if two else None,
        runs=[_run(subject, f"{subject.view.letter} · " if two else "") for subject in subjects],
        notes={"mask": MASK_NOTE, "grading": GRADING_NOTE, "estimate": ESTIMATE_NOTE},
    )


@cache
def _template() -> Template:
    """Read the page; whatever is put into it is escaped, but for what the filters return."""
    surroundings = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True)
    surroundings.filters |= {"inline": inline, "picture": _picture}
    return surroundings.from_string(PAGE.read_text(encoding="utf-8"))


def _differences(one: View, two: View) -> dict[str, Any]:
    """Return what was set differently in two runs, and what came out."""
    settings, figures = (
        [[_plain(cell) for cell in row] for row in rows]
        for rows in (setting_differences(one, two), figure_differences(one, two))
    )
    return {"settings": settings, "figures": figures, "own": own_settings(one, two)}


def _run(subject: ReportedRun, mark: str) -> dict[str, Any]:
    """Return what the part of a report says that is about one run."""
    view, reference = subject.view, subject.reference
    used = {"seed": view.result["seed"], **view.result["config"]}
    return {
        "title": mark + subject.title,
        "origin": _origin(view),
        "story": tell(view, reference),
        "ungraded": why_ungraded(view.result),
        "figures": _figures(view, reference),
        "estimates": [[title, percent(then), percent(now), words]
                      for title, then, now, words in estimate_rows(view.result)],
        "seen": seen_by_method(view),
        "graded_with": kept_for_grading(view),
        "pictures": gallery(view, reference),
        "settings": [[knob_label(name), setting_text(value)] for name, value in used.items()],
        "repeat": subject.repeat,
    }  # fmt: skip


def _origin(view: View) -> str:
    """Say what ran, on what, when and for how long."""
    job, result = view.job, view.result
    model, data = (title_of(Path(job.config[name])).removesuffix(".safetensors") for name in ("checkpoint", "data"))
    when = "" if job.finished is None else time.strftime(" · %Y-%m-%d %H:%M", time.localtime(job.finished))
    return f"Model {model} · data {data} · method {method_name(result)} · {result['device']}{when}{worked_words(job)}"


def _figures(view: View, reference: Reference) -> list[list[str]] | None:
    """Return all figures with their references and meanings; None where there is nothing to grade with."""
    if is_ungraded(view.result):
        return None
    after = view.after or {}
    rows, masked = [], _masked(view)
    for measure in GRADED:
        values = [find(view.result["before"], measure.path), find(after, measure.path)]
        if values == [None, None]:
            continue
        band = reference.band(measure.path)
        values += [masked.get(measure), None if band is None else sum(band) / 2]
        words = f"{measure.meaning}. Good: {measure.good}."
        rows.append([measure.title, *("" if value is None else figure_text(value, measure) for value in values), words])
    steps = [steps_text(part.get("relearning")) for part in (view.result["before"], after)]
    if steps != ["–", "–"]:
        rows.append([RELEARNING.title, *steps, "", "", f"{RELEARNING.meaning}. Good: {RELEARNING.good}."])
    return rows


def _masked(view: View) -> dict[Measure, float | None]:
    """Return what masking the outputs gives, as far as that is known without computing it: its features stay."""
    before, mask = view.result["before"], (view.result.get("mask") or {}).get("acc_rt")
    if mask is None:
        return {}
    gone = None if before["acc_ut"] is None else 0.0
    return {ACC_RT: mask, ACC_UT: gone, PROBE: before.get("probe")}


def _plain(text: str) -> str:
    """Take the escapes of Markdown out of a text."""
    return re.sub(r"\\(.)", r"\1", text)


def inline(text: str) -> Markup:
    """Turn the little Markdown that our sentences use (bold, orange, escapes) into HTML."""
    text = re.sub(r"\\(.)", lambda found: f"&#{ord(found[1])};", str(escape(text)).replace("\\&lt;", "&lt;"))
    text = re.sub(r":orange\[(.*?)\]", r'<span class="forgotten">\1</span>', text)
    return Markup(re.sub(r"\*\*(.*?)\*\*", r"<b>\1</b>", text))  # noqa: S704 - it was escaped above


def _picture(drawn: Drawn) -> Markup:
    """Return one figure as it stands on paper."""
    figure = go.Figure(drawn.figure).update_layout(template=f"plotly_white+{TEMPLATE}", width=PAPER_PIXELS)
    code = plotly.io.to_html(figure, full_html=False, include_plotlyjs=False, config=FEW_BUTTONS)
    return Markup(code)  # noqa: S704 - plotly writes it
