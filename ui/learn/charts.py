"""Pictures of the lessons: what a run did, beside the runs that the visitor has seen before."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import plotly.graph_objects as go

from ui.figures.classes import accuracy_by_class
from ui.figures.drawn import Drawn, lay_out
from ui.figures.dumbbell import bands
from ui.figures.lines import ACCURACIES, ATTACKS
from ui.figures.palette import FORGOTTEN, REFERENCE, REMAINING
from ui.figures.training import accuracy_figure, describe_accuracy
from ui.learn.answers import COMPARED, retrained
from ui.shell.formatting import between, find, percent

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from ui.learn.lessons import LessonKnob
    from zspag_core.metrics.catalogue import Measure

    Record = Mapping[str, Any]
    Records = Mapping[str, Record]

HEIGHT = 320
DASHES = {"none": "dot", "random": "dashdot", "estimated": "solid"}
SYMBOLS = {"mask": "square", "zspag": "circle", "careless": "diamond"}


def classes(value: str, records: Records, _knob: LessonKnob) -> Drawn:
    """Draw the accuracy of each class before and after."""
    record = records[value]
    names = [str(k) for k in range(len(record["before"]["acc_per_class"]))]
    drawn = accuracy_by_class(
        record["before"]["acc_per_class"],
        record["after"].get("acc_per_class"),
        names,
        record["forget"],
        range(len(names)),
    )
    when = "before and after" if record["after"] else "before"
    return Drawn("classes", f"Accuracy of each digit, {when}", drawn.figure, drawn.alt)


def epochs(value: str, records: Records, knob: LessonKnob) -> Drawn:
    """Draw both accuracies by epoch."""
    rows = history_of(records[value])
    figure = accuracy_figure(rows, max(int(row["epoch"]) for row in rows) if rows else 1)
    if not rows:
        figure.layout.annotations = []
        _say(figure, "the training broke down: the loss is no number any more")
    title = f"Accuracy by epoch, {knob.label.lower()} {knob.say(value)}"
    return Drawn("epochs", title, figure, describe_accuracy(rows) if rows else "The training broke down.")


def budgets(value: str, records: Records, knob: LessonKnob) -> Drawn:
    """Draw, for every budget seen so far, how many attacks succeed and what the run makes of it."""
    seen = [budget for budget in knob.values if budget in records]
    figure = go.Figure()
    for name, title, colour in (ATTACKS, *ACCURACIES):
        points = [(knob.say(budget), _figure(name, records[budget])) for budget in seen]
        points = [(x, y) for x, y in points if y is not None]
        figure.add_scatter(
            x=[x for x, _ in points],
            y=[y for _, y in points],
            name=title,
            mode="lines+markers",
            line={"color": colour, "width": 3},
            marker={"size": 9, "symbol": "circle-open" if name == ATTACKS[0] else "circle", "line": {"width": 2}},
        )
    for budget in seen:
        if "error" in records[budget]:
            figure.add_annotation(
                x=knob.say(budget), y=4, text="no way found", showarrow=False, font={"color": REFERENCE}
            )
    figure.add_vline(x=knob.say(value), line={"color": REFERENCE, "width": 1, "dash": "dot"})
    _finish(figure, "share, %")
    figure.update_xaxes(title="ε", type="category", categoryorder="array")
    figure.update_xaxes(categoryarray=[knob.say(budget) for budget in knob.values])
    figure.update_xaxes(range=[-0.4, len(knob.values) - 0.6])
    rate = _figure("asr", records[value])
    known = "the run found no way." if "error" in records[value] else "nothing is known yet."
    alt = f"At ε {knob.say(value)} " + (known if rate is None else f"{rate:.0f} percent of attacks succeed.")
    return Drawn("budgets", "Attacks that succeed, and accuracies after the run, by ε", figure, alt)


def protections(value: str, records: Records, knob: LessonKnob) -> Drawn:
    """Draw the remaining accuracy by epoch, one line for every protection seen so far."""
    figure = go.Figure()
    last = 1
    for kind in knob.values:
        rows = history_of(records.get(kind, {}))
        if not rows:
            continue
        last = max(last, int(rows[-1]["epoch"]))
        shared = {"x": [row["epoch"] for row in rows], "mode": "lines+markers"}
        width, strength = (3, 1.0) if kind == value else (2, 0.6)
        for name, title, colour in ACCURACIES:
            figure.add_scatter(
                y=[row[name] for row in rows],
                name=f"{title}, {knob.say(kind)}",
                line={"color": colour, "width": width, "dash": DASHES[kind]},
                opacity=strength,
                **shared,
            )
    _finish(figure, "accuracy, %")
    figure.update_xaxes(title="epoch", range=[-0.2, last + 0.2], dtick=1)
    after = records[value].get("after") or {}
    alt = f"Directions protected: {knob.say(value)}. Remaining accuracy ends at {after.get('acc_rt', 0):.0f} percent."
    return Drawn("protections", "Accuracy by epoch, by what is protected", figure, alt)


def methods(value: str, records: Records, knob: LessonKnob) -> Drawn:
    """Draw the figures of every model seen so far on one scale, the range of the retrained ones as a grey band."""
    figure = go.Figure()
    titles = list(COMPARED.values())
    known = [(title, *retrained(measure, records)) for measure, title in COMPARED.items()]
    bands(figure, known, "trained anew")
    for kind in knob.values:
        if kind in records:
            marker = {"symbol": SYMBOLS[kind], "size": 13, "color": FORGOTTEN if kind == value else REMAINING}
            x = [_compared(measure, records[kind]) for measure in COMPARED]
            figure.add_scatter(x=x, y=titles, name=knob.say(kind), mode="markers", marker=marker)
    _finish(figure, "")
    figure.update_xaxes(title="%", range=[-4, 104])
    figure.update_yaxes(range=[len(COMPARED) - 0.4, -0.6], title=None)
    said = (
        f"{title} {percent(_compared(measure, records[value]))}, trained anew {between(low, high)}"
        for measure, (title, low, high) in zip(COMPARED, known, strict=True)
    )
    alt = f"{knob.say(value)}: {'; '.join(said)}."
    return Drawn("methods", "Four figures, beside models trained anew", figure, alt)


CHARTS: dict[str, Callable[[str, Records, LessonKnob], Drawn]] = {
    "classes": classes,
    "epochs": epochs,
    "budgets": budgets,
    "protections": protections,
    "methods": methods,
}


def history_of(record: Record) -> list[dict[str, Any]]:
    """Return one row an epoch, the model before being epoch 0; nothing for a run that failed."""
    if "history" not in record:
        return []
    before = record["before"]
    return [{"epoch": 0, "acc_rt": before["acc_rt"], "acc_ut": before["acc_ut"]}, *map(dict, record["history"])]


def _figure(name: str, record: Record) -> float | None:
    """Return a figure of a record in percent, None where the run failed or is not answered yet."""
    return find(record, ("proxies", "asr") if name == ATTACKS[0] else ("after", name))


def _compared(measure: Measure, record: Record) -> float | None:
    """Return a measure of the model after, None where the run failed."""
    return find(record.get("after") or {}, measure.path)


def _finish(figure: go.Figure, title: str) -> None:
    """Set what these pictures share."""
    lay_out(figure, HEIGHT)
    figure.update_yaxes(title=title, range=[-3, 104])


def _say(figure: go.Figure, words: str) -> None:
    """Write a sentence into an empty picture."""
    figure.add_annotation(text=words, x=0.5, y=0.5, xref="paper", yref="paper", showarrow=False)
