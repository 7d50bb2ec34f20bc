"""What a comparison says, in sentences: which methods forget, at what cost, and how much is more than masking."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ui.figures.compare import mean_of, reference, span
from ui.figures.markers import MASK, ORIGINAL, RETRAIN, role_of
from ui.shell.formatting import escape, glue, near, percent
from zspag_core.metrics.catalogue import FORGOTTEN_UP_TO, is_forgotten

if TYPE_CHECKING:
    from collections.abc import Sequence

    from zspag_core.reproduce.comparison import Comparison, Row

KEPT = 2.0  # points that a method may lose and still count as keeping the rest
CLEAR = 0.5  # points over mask below which a lead is no lead
NAMED = 4


@dataclass(frozen=True)
class ReaderAnswer:
    """One question that a stranger has, and what the figures say to it.

    Attributes:
        question: in a few words.
        text: the answer, in Markdown.
    """

    question: str
    text: str


def answers(comparison: Comparison) -> list[ReaderAnswer]:
    """Return the three answers, as far as rows have figures."""
    own = [row for row in comparison.rows if not role_of(row)]
    rows = [row for row in own if mean_of(row, "acc_ut") is not None and mean_of(row, "acc_rt") is not None]
    if not rows:
        waiting = "No run has come to its end yet, so there is nothing to read off."
        if any(not outcome.error for row in own for outcome in row.seeds):
            waiting = (
                "These runs are not graded: their data has too few images for that, so there is nothing to read off."
            )
        return [
            ReaderAnswer(question, waiting) for question in ("Which forgets?", "At what cost?", "More than masking?")
        ]
    forgetting = [row for row in rows if is_forgotten(_value(row, "acc_ut"))]
    return [
        ReaderAnswer("Which forgets?", glue(_which(rows, forgetting) + _failed(comparison))),
        ReaderAnswer("At what cost?", glue(_cost(comparison, forgetting))),
        ReaderAnswer("More than masking?", glue(_over_mask(comparison, forgetting))),
    ]


def _which(rows: Sequence[Row], forgetting: Sequence[Row]) -> str:
    """Say how many methods forget, and which do not."""
    rest = sorted((row for row in rows if row not in forgetting), key=lambda row: _value(row, "acc_ut"))
    count = f"{len(forgetting)} of {len(rows)}" if rest else (f"All {len(rows)}" if len(rows) > 1 else "It does")
    if not rest:
        return f"**{count}**: at most {percent(FORGOTTEN_UP_TO)} of the forgotten test images are still recognised."
    left = _list([f"{escape(row.label)} ({percent(_value(row, 'acc_ut'))})" for row in rest])
    return f"**{count}** leave at most {percent(FORGOTTEN_UP_TO)} of the forgotten test images recognised. Not: {left}."


def _failed(comparison: Comparison) -> str:
    """Name the rows that came to nothing, with every seed or with some."""
    every, some = (
        [escape(row.label) for row in comparison.rows if row.seeds and how(bool(one.error) for one in row.seeds)]
        for how in (all, any)
    )
    partly = [label for label in some if label not in every]
    text = f" Failed: {_list(every)}." if every else ""
    return f"{text} Failed with some seeds: {_list(partly)}." if partly else text


def _cost(comparison: Comparison, forgetting: Sequence[Row]) -> str:
    """Say which of those that forget keeps the most of the rest and which the least, against the original."""
    before = mean_of(reference(comparison, ORIGINAL), "acc_rt")
    if not forgetting or before is None:
        return "No method forgets here, so there is nothing to weigh." if before else "The original is not known yet."
    ranked = sorted(forgetting, key=lambda row: -_value(row, "acc_rt"))
    free = [row for row in ranked if not row.needs_retain] or ranked
    level = [row for row in free if percent(_value(row, "acc_rt")) == percent(_value(free[0], "acc_rt"))]
    names = _list([f"**{escape(row.label)}**" for row in level])
    verb = "keeps" if len(level) == 1 else "keep"
    best = f"Of those that forget, {names} {verb} most{_without(free[0])}: {_change(free[0], before)}."
    lost = [row for row in ranked if _value(row, "acc_rt") < before[0] - KEPT]
    if not lost:
        return f"{best} None loses more than {KEPT:.0f} points."
    worst = _list([f"{escape(row.label)} ({_change(row, before)})" for row in reversed(lost)])
    return f"{best} Costly: {worst}."


def _without(row: Row) -> str:
    """Say that a method is a zero-shot one."""
    return "" if row.needs_retain else " without remaining data"


def _change(row: Row, before: tuple[float, float | None]) -> str:
    """Write a row's remaining accuracy with its change against the original."""
    kept = _value(row, "acc_rt")
    return f"{percent(kept)}, {percent(kept - before[0], sign=True)}"


def _over_mask(comparison: Comparison, forgetting: Sequence[Row]) -> str:
    """Say what exceeds masking the outputs: in accuracy, and inside."""
    mask = mean_of(reference(comparison, MASK), "acc_rt")
    if mask is None:
        return "The mask is not known yet."
    ahead = sorted(
        (row for row in forgetting if _value(row, "acc_rt") - mask[0] >= CLEAR), key=lambda row: -_value(row, "acc_rt")
    )
    text = f"Blocking the outputs alone gives {percent(mask[0])}. "
    if any(not row.needs_retain for row in ahead) or (ahead and all(row.needs_retain for row in forgetting)):
        text += f"Clearly above: {_leads(ahead, mask[0])}"
    elif ahead:
        text += f"No zero-shot method is {CLEAR} points above that; with remaining data {_leads(ahead, mask[0])}"
    else:
        text += f"None is {CLEAR} points above that, so accuracy shows no more"
    return f"{text}. {_inside(comparison, forgetting, mask[0])}"


def _leads(ahead: Sequence[Row], mask: float) -> str:
    """Write what rows have over the mask, and which of them had more to learn from."""
    return _list(
        [
            f"{escape(row.label)} ({percent(_value(row, 'acc_rt') - mask, sign=True)}"
            + (", remaining data)" if row.needs_retain else ")")
            for row in ahead
        ]
    )


def _inside(comparison: Comparison, forgetting: Sequence[Row], mask: float) -> str:
    """Say how deep the deepest of those methods forgets that keep the rest."""
    before, after = (mean_of(reference(comparison, role), "probe") for role in (ORIGINAL, RETRAIN))
    known = [row for row in forgetting if mean_of(row, "probe") is not None and _value(row, "acc_rt") >= mask - KEPT]
    if before is None or not known:
        return ""
    deepest = min(known, key=lambda row: _value(row, "probe"))
    found, band = _value(deepest, "probe"), span(reference(comparison, RETRAIN), "probe")
    ends = f"original {percent(before[0])}" + (f", Retrain {percent(after[0])}" if after is not None else "")
    if band is not None and near(before[0], band) and near(found, band):
        return f"**Inside** the probe cannot tell: models that never saw the class show about as much ({ends})."
    if before[0] - found < CLEAR:
        return f"**Inside**, the probe finds the class as before in every one that keeps the rest ({ends})."
    who = f"{escape(deepest.label)} is deepest among those that keep the rest"
    return f"**Inside**, {who}: probe {percent(found)} ({ends})."


def _value(row: Row, name: str) -> float:
    """Return the mean of a figure that is known."""
    mean = mean_of(row, name)
    if mean is None:
        return float("nan")
    return mean[0]


def _list(parts: Sequence[str]) -> str:
    """Join the first few parts, and count the others."""
    more = f" and {len(parts) - NAMED} more" if len(parts) > NAMED else ""
    return ", ".join(parts[:NAMED]) + more
