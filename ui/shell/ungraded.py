"""Runs made with images to forget and nothing else: why figures are missing, and the estimates beside them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ui.shell.formatting import percent
from zspag_core.diagnosis import hardly_read
from zspag_core.groups import GROUPS, ungraded
from zspag_core.metrics.catalogue import ESTIMATES, FORGET_IMAGES

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from zspag_core.metrics.catalogue import Measure

    Result = Mapping[str, Any]

ESTIMATE = ":violet-badge[estimate]"


def lacks_of(result: Result) -> Sequence[str]:
    """Return the groups of images that grading lacked; none for runs of earlier versions, whose data was whole."""
    return tuple(result.get("lacks") or ())


def why_ungraded(result: Result) -> str:
    """Return the sentence that says what is not graded and why; empty where everything is."""
    return ungraded(lacks_of(result)) or ""


def missing_for(result: Result, measure: Measure) -> str:
    """Say in a few words what a measure could not be computed without; empty where nothing was lacking."""
    gone = [GROUPS[group] for group in measure.needs if group in lacks_of(result)]
    return f"Not graded: the data lacks {' and '.join(gone)}." if gone else ""


def estimates_of(result: Result) -> Mapping[str, Any]:
    """Return a run's estimates; empty where it has none."""
    return result.get("estimates") or {}


def estimate_rows(result: Result) -> list[tuple[str, float, float | None, str]]:
    """Return the estimates that there are: title, before, after (None for a run that was stopped), what it is."""
    estimates = estimates_of(result)
    rows = []
    for estimate in ESTIMATES:
        found = estimates.get(estimate.key) or {}
        if found.get("before") is not None:
            rows.append((estimate.title, float(found["before"]), found.get("after"), estimate.meaning))
    attack = estimates.get("same_class") or {}
    if (attack.get("before") or {}).get("accuracy") is not None:
        meaning = (
            "forget images told from held-out ones by their loss; 50 is a coin toss, and the original may know both"
        )
        rows.append(
            ("Same-class attack", attack["before"]["accuracy"], (attack.get("after") or {}).get("accuracy"), meaning)
        )
    return rows


def estimate_table(result: Result) -> str:
    """Return the estimates before and after as Markdown; empty where there are none."""
    rows = estimate_rows(result)
    if not rows:
        return ""
    lines = ["| Estimate | Before | After | What it is |", "|:--|--:|--:|:--|"]
    lines += [f"| {title} | {percent(then)} | **{percent(now)}** | {words} |" for title, then, now, words in rows]
    return "\n".join(lines)


def misread(result: Result) -> str:
    """Say so where the original hardly read the images to forget as their class; empty where it did."""
    found = estimates_of(result).get(FORGET_IMAGES.key) or {}
    if not hardly_read(found.get("before")):
        return ""
    return (
        f"The original read only {percent(found['before'])} of the images to forget as their class: maybe the names do "
        "not belong to its outputs in this order, and another class was forgotten."
    )


def short_estimate(result: Result) -> str:
    """Say in a few words, for strips and lists, what a run that is not graded came to."""
    now = (estimates_of(result).get(FORGET_IMAGES.key) or {}).get("after")
    return "not graded" if now is None else f"not graded · forget images {percent(now)}"


def is_ungraded(result: Result) -> bool:
    """Tell whether neither of the two headline accuracies is known."""
    after = result.get("after") or {}
    return bool(lacks_of(result)) and after.get("acc_rt") is None and after.get("acc_ut") is None


def image_words(lacks: Sequence[str]) -> str:
    """Return what the images are called that pages show: test images, or those to forget where there are no others."""
    return "Forget image" if {"retain_test", "forget_test"} <= set(lacks) else "Test image"
