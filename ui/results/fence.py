"""The zero-shot fence of one run in words: what the method saw, and what is for grading only."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ui.results.run_view import listed
from ui.shell.formatting import escape
from ui.shell.ungraded import estimates_of, lacks_of, why_ungraded
from zspag_core.methods.catalogue import method_entries

if TYPE_CHECKING:
    from ui.results.run_view import View

GROUP_WORDS = (
    ("retain_train", "training images of the remaining classes: members, for membership inference"),
    ("retain_test", "test images of the remaining classes: non-members"),
    ("forget_train", "training images of the forgotten classes: asked about"),
    ("forget_test", "test images of the forgotten classes: asked about"),
)


def needs_retain(view: View) -> bool:
    """Tell whether the run's method was given remaining data."""
    entry = method_entries().get(view.result["method"])
    return entry is not None and entry.needs_retain


def seen_by_method(view: View) -> list[str]:
    """Return what the method was given, one thing a line."""
    names = escape(listed(view.names, view.forget))
    count = f"{len(view.labels['truth']):,} " if view.labels is not None else ""
    lines = [
        "the original model",
        f"{count}training images of :orange[{names}]: the forget samples",
    ]
    proxies = view.result.get("proxies")
    if proxies:
        made = sum(proxies["per_class"].values())
        lines.append(f"{made:,} proxies, made from those two: nothing new from outside")
    if needs_retain(view):
        lines.append("**all training images of the remaining classes**: this method is not zero-shot")
    return lines


def _part_of_grading(view: View) -> list[str]:
    """Return what judged a run whose data lacked some of what grading needs, and what it could not."""
    arrays = view.grading or {}
    sizes = {group: len(arrays.get(f"mia.before.{group}.loss", ())) for group, _ in GROUP_WORDS}
    tested = len(arrays.get("test.labels", ()))
    lines = [f"{tested:,} test images: accuracy"] if tested else []
    lines += [f"{sizes[group]:,} {words}" for group, words in GROUP_WORDS if sizes[group] and group != "forget_train"]
    held = estimates_of(view.result).get("held_out") or 0
    lines += [f"{held:,} held-out images of the forgotten classes: estimates"] if held else []
    return [*(lines or ["nothing: the data has no image that the method did not see"]), why_ungraded(view.result)]


def kept_for_grading(view: View) -> list[str]:
    """Return what judged the models and never reached the method, one thing a line."""
    lines = []
    if lacks_of(view.result) and view.grading is not None:
        return _part_of_grading(view)
    if view.grading is not None:
        lines.append(f"{len(view.grading['test.labels']):,} test images: accuracy, per class and as a matrix")
        sizes = {group: len(view.grading.get(f"mia.before.{group}.loss", ())) for group, _ in GROUP_WORDS}
        lines += [f"{sizes[group]:,} {words}" for group, words in GROUP_WORDS if sizes[group]]
    else:
        lines.append("the test images: accuracy, per class")
        lines.append("a draw of training and test images of all classes: membership inference")
    return [*lines, "a draw of training images of all classes: the probe that looks inside"]
