"""What a run's result means, in sentences and headline cards: pure functions from a view and its reference."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ui.figures.dumbbell import Mark, standing
from ui.shell.formatting import NEAR, between, escape, find, glue, near, percent
from ui.shell.headline_cards import DOWN, Card, colour_of, measure_card
from ui.shell.ungraded import estimates_of, misread, missing_for
from zspag_core.diagnosis import hardly_read, shortfall
from zspag_core.metrics.catalogue import (
    ACC_RT,
    ACC_UT,
    ENTROPY,
    GRADED,
    NOT_FORGOTTEN,
    PROBE,
    RELEARNING,
    how_forgotten,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ui.figures.drawn import Drawn
    from ui.results.reference import Reference
    from ui.results.run_view import View
    from zspag_core.metrics.catalogue import Measure

HOLLOW = 0.25  # of the original accuracy on remaining classes
SHALLOW = 5.0  # points that the probe must fall before one may speak of forgetting inside
NARROW = "\N{NO-BREAK SPACE}%"


def tell(view: View, reference: Reference) -> list[str]:
    """Return the story of a run: forgotten or not, what it cost, whether it forgot inside."""
    if view.after is None:
        return [glue(_stopped(view))]
    before, after = view.result["before"], view.after
    short = shortfall(view.result)
    sentences = [_outside(view, before, after), *([short] if short else []), _rest(view, before, after)]
    sentences += _inside(view, before, after, reference)
    return [glue(sentence) for sentence in sentences]


def cards(view: View, reference: Reference) -> list[Card]:
    """Return the headline numbers; those of a run that was stopped are what was last seen while it ran."""
    before, mask = view.result["before"], (view.result.get("mask") or {}).get("acc_rt")
    after: Mapping[str, Any] = view.after if view.after is not None else last_epoch(view)
    lead = None if mask is None or after.get("acc_rt") is None else after["acc_rt"] - mask
    notes = {
        ACC_RT: f"Mask alone gives {percent(mask)}; lead {percent(lead, sign=True)}.",
        ACC_UT: f"The goal is 0{NARROW}.{_retrained(reference, ACC_UT)}",
        PROBE: f"Inside: lower is deeper.{_retrained(reference, PROBE)}",
        ENTROPY: f"Best: what Retrain has.{_retrained(reference, ENTROPY)}",
    }
    found = [
        measure_card(measure, before, after, missing_for(view.result, measure) or note)
        for measure, note in notes.items()
    ]
    found.insert(-1, _relearning(before, after, reference, missing_for(view.result, RELEARNING)))  # beside the probe
    return found


def last_epoch(view: View) -> Mapping[str, Any]:
    """Return what was last seen while the run ran; empty where no epoch ended."""
    history = view.result.get("history") or [{}]
    last: Mapping[str, Any] = history[-1]
    return last


def standing_of(view: View, reference: Reference) -> Drawn | None:
    """Return the figure that shows all percentages of a run on one scale; None where none is known."""
    after = view.after or {}
    mask = (view.result.get("mask") or {}).get("acc_rt")
    marks = [
        Mark(
            measure.title,
            measure.good,
            find(view.result["before"], measure.path),
            find(after, measure.path),
            mask if measure is ACC_RT else None,
            reference.band(measure.path),
            measure is ACC_RT,
        )
        for measure in GRADED
        if measure.unit == "%"
    ]
    known = [mark for mark in marks if mark.before is not None or mark.after is not None]
    return standing(known) if known else None


def steps_text(relearning: Mapping[str, Any] | None) -> str:
    """Write how many steps relearning took."""
    if not relearning:
        return "–"
    return f"{relearning['steps']} steps" if relearning["reached"] else f"over {relearning['steps']} steps"


def _stopped(view: View) -> str:
    """Say how far a run came that was stopped."""
    last = last_epoch(view)
    if not last:
        return "The run was stopped before an epoch had ended; only the original model was graded."
    seen = f"remaining classes {percent(last.get('acc_rt'))}, forgotten classes {percent(last.get('acc_ut'))}"
    if last.get("forget_images") is not None:
        seen = f"{percent(last['forget_images'])} of the images to forget read as their class"
    return (
        f"The run was stopped after epoch {last['epoch']} and not graded again. "
        f"What was last seen while it ran: {seen}."
    )


def _outside(view: View, before: Mapping[str, Any], after: Mapping[str, Any]) -> str:
    """Say whether the classes are still recognised."""
    names = ", ".join(f":orange[**{escape(view.names[k])}**]" for k in view.forget[:5])
    names += f" and {len(view.forget) - 5} more" if len(view.forget) > 5 else ""
    now = after["acc_ut"]
    if now is None:
        return _estimated(view, names)
    if hardly_read(before["acc_ut"]):
        read = f"The original hardly read {names}: {percent(before['acc_ut'])} of the test images, now {percent(now)}"
        return f"{read}. So the accuracy cannot tell whether anything was forgotten."
    verdict = f"{'is' if len(view.forget) == 1 else 'are'} {how_forgotten(now)}"
    return f"{names} {verdict}: {percent(before['acc_ut'])} of the test images were read right, now {percent(now)}."


def _estimated(view: View, names: str) -> str:
    """Say what the forget images tell of forgetting where there are no test images."""
    it = "it is" if len(view.forget) == 1 else "they are"
    found = estimates_of(view.result).get("forget_accuracy") or {}
    if found.get("before") is None or found.get("after") is None:
        return f"There are no test images of {names}, so nobody can say whether {it} still recognised."
    if warning := misread(view.result):
        return warning
    return (
        f"There are no test images of {names}. Of the images to forget themselves, which the method saw, "
        f"{percent(found['before'])} were read right, now {percent(found['after'])}: an estimate."
    )


def _rest_estimated(view: View) -> str:
    """Say what the proxies tell of the remaining classes where there are no test images of them."""
    found = estimates_of(view.result).get("proxy_agreement") or {}
    text = "The **remaining classes** are not graded: there are no test images of them"
    if found.get("before") is None or found.get("after") is None:
        return f"{text}."
    return (
        f"{text}. Of the proxies that stand in for them {percent(found['after'])} are read as their class (before "
        f"{percent(found['before'])}): an estimate."
    )


def _rest(view: View, before: Mapping[str, Any], after: Mapping[str, Any]) -> str:
    """Say what it cost, and what the lead over masking is."""
    if after["acc_rt"] is None or before["acc_rt"] is None:
        return _rest_estimated(view)
    change = percent(after["acc_rt"] - before["acc_rt"], sign=True)
    text = f"The **remaining classes** stand at {percent(after['acc_rt'])} ({change})"
    mask = (view.result.get("mask") or {}).get("acc_rt")
    if mask is None:
        return text + "."
    lead = round(after["acc_rt"] - mask, 1) + 0.0
    if lead == 0:
        return f"{text}, just what blocking the forgotten outputs of the original would give."
    word = "more" if lead > 0 else "less"
    return f"{text}: {abs(lead):.1f} points {word} than blocking the forgotten outputs of the original would give."


def _inside(view: View, before: Mapping[str, Any], after: Mapping[str, Any], reference: Reference) -> list[str]:
    """Say whether the features forgot too, measured by a model that never saw the classes, where there is one."""
    then, now = before.get("probe"), after.get("probe")
    if then is None or now is None:
        return []
    text = f"**Inside**, a fresh linear layer still finds the class in {percent(now)} of its images"
    if view.result["method"] == "retrain":
        return [f"{text}: this model never saw them, so that much its features tell by themselves."]
    band = reference.band(PROBE.path)
    if how_forgotten(after["acc_ut"] or 0.0) == NOT_FORGOTTEN or hardly_read(before["acc_ut"]):
        return [f"{text} (before {percent(then)})."]  # the answer is still there, or never was
    if band is None:
        changed = "tell it hardly less" if then - now < SHALLOW else "lost some of it too"
        return [f"{text} (before {percent(then)}): the answer is gone, the last features {changed}."]
    return [f"{text} (before {percent(then)}, retrained {between(*band)}): {_beside(then, now, band)}."]


def _beside(then: float, now: float, band: tuple[float, float]) -> str:
    """Say what the probe's way means beside that of models which never saw the class."""
    shown, low, high = (round(value, 1) for value in (now, *band))
    if near(then, band) and near(now, band):
        return "a model that never saw it shows about as much, and so did the original, so here the probe cannot tell"
    if shown <= high + NEAR:
        much = "less than" if shown < low else "as much as" if shown <= high else "hardly more than"
        return f"{much} in a model that never saw it"
    return f"the answer is gone, the knowledge is {'not' if then - now < SHALLOW else 'only in part'}"


def _relearning(before: Mapping[str, Any], after: Mapping[str, Any], reference: Reference, missing: str) -> Card:
    """Return the card of the steps until the class is back; `missing` says why there are none, where it is known."""
    words = f"{RELEARNING.definition} Until 90{NARROW} of the original accuracy are back. Good: as many as Retrain."
    then, now = before.get("relearning"), after.get("relearning")
    if not now:
        return Card(RELEARNING.name, "–", missing or "Not measured in this run.", help=words)
    note = "Inside: more steps are deeper."
    band = reference.band(RELEARNING.path)
    if band and sum(band):
        note = f"{2 * now['steps'] / sum(band):.2f} of Retrain's steps (Anamnesis Index, 1 is ideal)."
    if now.get("acc_rt") is not None:
        note += f" Remaining classes after these steps: {percent(now['acc_rt'])}{_hollow(now['acc_rt'], before)}."
    change = now["steps"] - then["steps"] if then else 0
    text = (f"{change:+d} steps".replace("-", DOWN) if change else "unchanged") if then else ""
    return Card(RELEARNING.name, steps_text(now), glue(note), text, colour_of(text, RELEARNING), words)


def _hollow(acc_rt: float, before: Mapping[str, Any]) -> str:
    """Say what it means where hardly anything else is answered rightly once the class is back."""
    known = before.get("acc_rt")
    return ": nearly all is read as the forgotten class" if known is not None and acc_rt < HOLLOW * known else ""


def _retrained(reference: Reference, measure: Measure) -> str:
    """Say the reference value of a measure, if there is one."""
    band = reference.band(measure.path)
    return "" if band is None else f" Retrain: {between(*band)}."
