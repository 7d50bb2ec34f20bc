"""Where a run or a model falls short; light, so that pages may ask without loading the engine."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


GUESSING = 1.5  # times the accuracy of blind guessing
MATCHED = "under the best matching of outputs to classes"
"""How answers are counted where only the preparation of images is asked about, not which output is which class."""
HARDLY = 10.0  # percent of the test images of the forgotten classes that the original reads: no loss can be seen


def hardly_read(before: float | None) -> bool:
    """Tell whether the original reads so little of the forgotten classes that what is left cannot tell of success."""
    return before is not None and before <= HARDLY


def only_guesses(right: float, num_classes: int) -> bool:
    """Tell whether a model that reads `right` percent of its images hardly does more than guess."""
    return right <= GUESSING * 100 / num_classes


def guessing(right: float | None, num_classes: int) -> str | None:
    """Say so in one sentence where a model hardly reads the test images of the remaining classes, else None."""
    if right is None or not only_guesses(right, num_classes):
        return None
    return (
        f"the model reads {right:.1f} % of the test images of the remaining classes, hardly more than guessing; do "
        "model and data belong together?"
    )


def unread(result: Mapping[str, Any]) -> str | None:
    """Say in one sentence that a run cannot show anything, for its model hardly read the images; None where it did.

    Args:
        result: the content of result.json.
    """
    before = result.get("before") or {}
    known, rest, classes = before.get("acc_ut"), before.get("acc_rt"), len(before.get("acc_per_class") or ())
    seen = ((result.get("estimates") or {}).get("forget_accuracy") or {}).get("before")
    if hardly_read(known):
        what = f"{known:.1f} % of the forgotten classes' test images"
    elif known is None and hardly_read(seen):
        what = f"{seen:.1f} % of the images to forget as their class"
    elif rest is not None and classes and only_guesses(rest, classes):
        what = f"{rest:.1f} % of the remaining classes' test images, hardly more than guessing"
    else:
        return None
    return (
        f"This run shows nothing, and may have cost another class: before it the model read only {what}. Are size, "
        "normalisation and order of the classes those that it was trained with, or has it forgotten them already?"
    )


def _after(result: Mapping[str, Any]) -> float | None:
    """Return the percentage of the images to forget that the model still recognises after a run, where it is known."""
    known: float | None = ((result.get("estimates") or {}).get("forget_accuracy") or {}).get("after")
    return known


def _still(result: Mapping[str, Any], history: Sequence[Mapping[str, Any]]) -> float | None:
    """Return the same, or else what was counted while the last epoch went, each image before its own step."""
    after = _after(result)
    return after if after is not None else history[-1].get("forget_accuracy")


def shortfall(result: Mapping[str, Any]) -> str | None:
    """Say in one sentence why a run with a stopping rule ended before its goal; None where it did not.

    Args:
        result: the content of result.json.
    """
    config, history = result.get("config") or {}, result.get("history") or []  # a run's brief answer has no config
    goal = config.get("stop_forget")
    if goal is None or not config.get("stop_rule") or config.get("deep") or not history:
        return None
    still = _still(result, history)
    if still is None or still <= goal or result["stopped"] == "cancelled":
        return None
    if result["stopped"] == "epochs":
        known = _after(result) is not None
        when = (
            "are still recognised" if known else "were still recognised in the last one, each counted before its step"
        )
        return (
            f"All epochs were made; {still:.3g} % of the forget samples {when}. More epochs or a larger learning rate "
            "would go on."
        )
    counts = ((result.get("proxies") or {}).get("per_class") or {}).values()
    bare = sum(count == 0 for count in counts)
    way = (
        f"{bare} of {len(counts)} remaining classes have none, so little is known of the rest: a larger epsilon or "
        "another attack makes more."
        if bare
        else "Less energy or a larger stop_margin leaves more room to move."
    )
    return (
        f"The run ended with {still:.3g} % of the forget samples still recognised: every further step would have cost "
        f"the proxies too much. {way}"
    )


def reached(result: Mapping[str, Any]) -> str | None:
    """Say in one sentence that the stopping rule ended a run at its goal; None where something else did.

    Args:
        result: the content of result.json.
    """
    config, history = result.get("config") or {}, result.get("history") or []
    if result["stopped"] != "rule" or not history or config.get("stop_forget") is None:
        return None
    still = _still(result, history)
    if still is None or still > config["stop_forget"]:
        return None
    return (
        f"The stopping rule ended it in epoch {len(history)} of at most {config['epochs']}: {still:.2g} % of the "
        f"forget samples are still recognised, {config['stop_forget']:g} % are enough."
    )
