"""What every stage of a network still knows of the forgotten classes: lines from input to output, one a model."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import plotly.graph_objects as go

from ui.figures.drawn import Drawn, lay_out
from ui.figures.palette import FORGOTTEN, REFERENCE, REMAINING
from zspag_core.metrics.catalogue import BY_STAGE, CKA_BY_STAGE, in_sentence

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from zspag_core.metrics.catalogue import Measure

    Depth = Mapping[str, Any]
    Figures = Sequence[float | None]

HEIGHT = 300
BAND = "rgba(140,140,140,0.18)"
STAGES = {"title": "from input to output", "type": "category"}
PERCENT, BITS, LIKENESS = (0.0, 102.0), (0.0, 1.02), (-0.1, 1.03)
TITLES = {"original": "before · Original", "unlearned": "after", "retrained": "Retrain"}
LINES: dict[str, dict[str, Any]] = {
    "original": {"color": FORGOTTEN, "width": 2, "dash": "dash"},
    "retrained": {"color": REFERENCE, "width": 2},
    "unlearned": {"color": FORGOTTEN, "width": 3},
}
"""In the order in which they are drawn: the band lies between the first two."""
KINDS = {"forget": ("forgotten images", FORGOTTEN), "rest": ("remaining images", REMAINING)}
PAIRS = {
    "original_unlearned": ("with Original", "dash"),
    "unlearned_retrained": ("with Retrain", "solid"),
}


def by_stage(depth: Depth) -> list[Drawn]:
    """Draw a figure for every measure that was taken at every stage.

    Args:
        depth: the part "depth" of result.json.
    """
    known = [measure for measure in BY_STAGE if measure.path[0] in depth["models"]["unlearned"]]
    return [_lines(depth, measure) for measure in known]


def _lines(depth: Depth, measure: Measure) -> Drawn:
    """Draw one measure: the model before dashed, after solid, Retrain grey, and a band between the two ends."""
    key, stages, figure = measure.path[0], depth["stages"], go.Figure()
    models = {role: depth["models"][role][key] for role in LINES if role in depth["models"]}
    for role, figures in models.items():
        filled = role == "retrained"
        figure.add_scatter(
            x=stages,
            y=figures,
            mode="lines+markers",
            name=TITLES[role],
            line=LINES[role],
            fill="tonexty" if filled else None,
            fillcolor=BAND if filled else None,
            hovertemplate=f"%{{x}}: %{{y:.{measure.digits}f}} {measure.unit}<extra>{TITLES[role]}</extra>",
        )
    reach = PERCENT if measure.unit == "%" else BITS
    lay_out(figure, HEIGHT, xaxis=STAGES, yaxis={"title": measure.unit, "range": reach})
    rows = [
        {"stage": stage} | {role: figures[place] for role, figures in models.items()}
        for place, stage in enumerate(stages)
    ]
    return Drawn(f"depth_{key}", measure.title, figure, _alt(measure, models), rows, _note(depth, key), grading=True)


def _alt(measure: Measure, models: Mapping[str, Figures]) -> str:
    """Say what a figure shows."""
    parts = [f"{TITLES[role]} {_ends(figures, measure)}" for role, figures in models.items()]
    return f"{measure.title}, from the first stage to the last: {'; '.join(parts)}."


def _ends(figures: Figures, measure: Measure) -> str:
    """Say a line's first and last figure."""
    first, last = (
        "undefined" if figure is None else f"{figure:.{measure.digits}f}" for figure in (figures[0], figures[-1])
    )
    return f"{first} to {last} {measure.unit}"


def _note(depth: Depth, key: str) -> str:
    """Say how much of the way from Retrain to Original is left over all stages; nothing where that is not known."""
    share = (depth.get("left") or {}).get(key)
    if share is None:
        return ""
    return f"Over all stages {share:.0f} % of what the original knows beyond Retrain is left."


def likeness(depth: Depth) -> Drawn:
    """Draw how alike the unlearned model sees images to Original (dashed) and to Retrain (solid), stage by stage.

    Args:
        depth: the part "depth" of result.json.
    """
    stages, figure, rows = depth["stages"], go.Figure(), [{"stage": stage} for stage in depth["stages"]]
    for pair, (with_whom, dash) in PAIRS.items():
        for kind, figures in depth["cka"].get(pair, {}).items():
            name, colour = KINDS[kind]
            figure.add_scatter(
                x=stages,
                y=figures,
                mode="lines+markers",
                name=f"{name}, {with_whom}",
                line={"color": colour, "width": 2, "dash": dash},
                hovertemplate=f"%{{x}}: %{{y:.2f}}<extra>{name}, {with_whom}</extra>",
            )
            for row, value in zip(rows, figures, strict=True):
                row[f"{kind}_{pair}"] = value
    lay_out(figure, HEIGHT, xaxis=STAGES, yaxis={"title": "CKA", "range": LIKENESS})
    alt = f"{CKA_BY_STAGE.title} of the unlearned model, {len(stages)} stages, with {_whom(depth)}."
    note = f"1: alike but for a rotation. Good: {in_sentence(CKA_BY_STAGE.good)}."
    return Drawn("depth_cka", CKA_BY_STAGE.title, figure, alt, rows, note, grading=True)


def _whom(depth: Depth) -> str:
    """Name the models that the unlearned one is compared with."""
    return "Original and Retrain" if "unlearned_retrained" in depth["cka"] else "Original"
