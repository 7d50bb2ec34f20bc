"""A run as one HTML file that needs nothing else: figures and their library inside, readable on paper."""

from __future__ import annotations

import html
import re
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import plotly.graph_objects as go
import plotly.io
from plotly.offline import get_plotlyjs

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

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ui.figures.drawn import Drawn
    from ui.results.reference import Reference
    from ui.results.run_view import View
    from zspag_core.metrics.catalogue import Measure

PAPER_PIXELS = 680  # the width of A4 between its margins
STYLE = f"""
body {{ font: 16px/1.5 system-ui, sans-serif; color: #1f2933; max-width: {PAPER_PIXELS}px; margin: 2rem auto; }}
h1 {{ margin-bottom: 0; }} h2 {{ margin-top: 2.5rem; }}
table {{ border-collapse: collapse; width: 100%; font-size: .9rem; }}
td, th {{ border-bottom: 1px solid #d5dbe1; padding: .3rem .5rem; text-align: right; vertical-align: top; }}
td {{ white-space: nowrap; }}
td:first-child, th:first-child, th:last-child, td.words {{ text-align: left; white-space: normal; }}
.forgotten {{ color: #B24A00; font-weight: 600; }}
.badge {{ font-size: .75rem; background: #e7ebef; border-radius: .3rem; padding: .1rem .4rem; font-weight: 400; }}
.small {{ color: #5a6672; font-size: .9rem; }}
pre {{ white-space: pre-wrap; overflow-wrap: anywhere; background: #f3f5f7; padding: .7rem; border-radius: .3rem; }}
figure {{ margin: 1.5rem 0; break-inside: avoid; }} figcaption {{ font-weight: 600; }} tr {{ break-inside: avoid; }}
@media print {{ body {{ margin: 0; }} .modebar {{ display: none !important; }} }}
"""


@dataclass(frozen=True)
class Subject:
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


def html_report(subjects: Sequence[Subject]) -> str:
    """Return story, figures, settings and command line of a run as one HTML page; of two runs, their differences too.

    Args:
        subjects: run A, or run A and run B.
    """
    title = " and ".join(subject.title for subject in subjects)
    body = "".join(_run(subject, f"{subject.view.letter} · " if len(subjects) > 1 else "") for subject in subjects)
    if len(subjects) > 1:
        body = f"<h1>{html.escape(title)}</h1>{_differences(*(subject.view for subject in subjects))}{body}"
    library = f"<script>{get_plotlyjs()}</script>"
    head = f'<meta charset="utf-8"><title>{html.escape(title)}</title><style>{STYLE}</style>{library}'
    return f'<!doctype html><html lang="en"><head>{head}</head><body>{body}</body></html>'


def _differences(one: View, two: View) -> str:
    """Return what was set differently in two runs, and what came out."""
    rows = setting_differences(one, two)
    same = "<p>Nothing: the two runs had the same settings, seed and device.</p>"
    parts = [
        "<h2>What was set differently</h2>",
        _table(["", "A", "B"], [[_plain(cell) for cell in row] for row in rows]) if rows else same,
        *(f'<p class="small">{_inline(sentence)}</p>' for sentence in own_settings(one, two)),
        '<h2>What came out <span class="badge">for grading only</span></h2>',
        _table(["", "A", "B", "B − A"], [[_plain(cell) for cell in row] for row in figure_differences(one, two)]),
    ]
    return "".join(parts)


def _run(subject: Subject, mark: str) -> str:
    """Return the part of a report that is about one run."""
    view, reference, repeat = subject.view, subject.reference, subject.repeat
    parts = [
        f"<h1>{html.escape(mark + subject.title)}</h1>",
        f'<p class="small">{html.escape(_origin(view))}</p>',
        *(f"<p>{_inline(sentence)}</p>" for sentence in tell(view, reference)),
        "<h2>Figures before and after</h2>",
        *_figures(view, reference),
        "<h2>What the method saw</h2>",
        _list(seen_by_method(view)),
        "<h2>What is for grading only</h2>",
        _list(kept_for_grading(view)),
        "<h2>Pictures</h2>",
        *(_figure(drawn) for drawn in gallery(view, reference)),
        "<h2>Settings</h2>",
        _settings_table(view),
    ]
    parts += ["<h2>The same run again</h2>", f"<pre>{html.escape(repeat)}</pre>"] if repeat else []
    return "".join(parts)


def _figures(view: View, reference: Reference) -> list[str]:
    """Return the tables of figures and of estimates; a sentence where there is nothing to grade with."""
    why, rows = why_ungraded(view.result), estimate_rows(view.result)
    parts = [f"<p>{html.escape(why)}</p>"] if why else []
    if not is_ungraded(view.result):
        parts += [_figures_table(view, reference)]
        parts += [f'<p class="small">{_inline(MASK_NOTE)} {html.escape(GRADING_NOTE)}</p>']
    if rows:
        cells = [[title, percent(then), percent(now), words] for title, then, now, words in rows]
        parts += [_table(["Estimate", "Before", "After", "What it is"], cells)]
        parts += [f'<p class="small">{html.escape(ESTIMATE_NOTE)}</p>']
    return parts


def _origin(view: View) -> str:
    """Say what ran, on what, when and for how long."""
    job, result = view.job, view.result
    model, data = (title_of(Path(job.config[name])).removesuffix(".safetensors") for name in ("checkpoint", "data"))
    when = "" if job.finished is None else time.strftime(" · %Y-%m-%d %H:%M", time.localtime(job.finished))
    return f"Model {model} · data {data} · method {method_name(result)} · {result['device']}{when}{worked_words(job)}"


def _figures_table(view: View, reference: Reference) -> str:
    """Return all figures with their references and meanings."""
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
    return _table(["", "Before", "After", "Mask", "Retrain", "What it is"], rows)


def _masked(view: View) -> dict[Measure, float | None]:
    """Return what masking the outputs gives, as far as that is known without computing it: its features stay."""
    before, mask = view.result["before"], (view.result.get("mask") or {}).get("acc_rt")
    if mask is None:
        return {}
    gone = None if before["acc_ut"] is None else 0.0
    return {ACC_RT: mask, ACC_UT: gone, PROBE: before.get("probe")}


def _settings_table(view: View) -> str:
    """Return every hyper-parameter used."""
    rows = [[knob_label(name), setting_text(value)]
            for name, value in {"seed": view.result["seed"], **view.result["config"]}.items()]  # fmt: skip
    return _table(["Setting", "Value"], rows)


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return an HTML table; texts of several words stand to the left."""
    top = "".join(f"<th>{html.escape(cell)}</th>" for cell in head)
    lines = "".join(f"<tr>{''.join(map(_cell, row))}</tr>" for row in rows)
    return f"<table><thead><tr>{top}</tr></thead><tbody>{lines}</tbody></table>"


def _cell(text: str) -> str:
    """Return one cell."""
    kind = ' class="words"' if len(text) > 20 else ""
    return f"<td{kind}>{html.escape(text)}</td>"


def _list(lines: Sequence[str]) -> str:
    """Return a list of lines written in the Markdown of the pages."""
    return f"<ul>{''.join(f'<li>{_inline(line)}</li>' for line in lines)}</ul>"


def _plain(text: str) -> str:
    """Take the escapes of Markdown out of a text."""
    return re.sub(r"\\(.)", r"\1", text)


def _inline(text: str) -> str:
    """Turn the little Markdown that our sentences use (bold, orange, escapes) into HTML."""
    text = re.sub(r"\\(.)", lambda found: f"&#{ord(found[1])};", html.escape(text).replace("\\&lt;", "&lt;"))
    text = re.sub(r":orange\[(.*?)\]", r'<span class="forgotten">\1</span>', text)
    return re.sub(r"\*\*(.*?)\*\*", r"<b>\1</b>", text)


def _figure(drawn: Drawn) -> str:
    """Return one figure with heading, words for screen readers and note."""
    figure = go.Figure(drawn.figure).update_layout(template="plotly_white", width=PAPER_PIXELS)
    picture = plotly.io.to_html(figure, full_html=False, include_plotlyjs=False, config=FEW_BUTTONS)
    badge = ' <span class="badge">for grading only</span>' if drawn.grading else ""
    note = f'<p class="small">{html.escape(drawn.note)}</p>' if drawn.note else ""
    caption = f"<figcaption>{html.escape(drawn.title)}{badge}</figcaption>"
    return f'<figure role="img" aria-label="{html.escape(drawn.alt)}">{caption}{picture}{note}</figure>'
