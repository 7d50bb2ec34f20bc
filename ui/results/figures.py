"""The figures of a run, each by a function of its own, and all of them for the downloads."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ui.figures import classes, depth, labels, layers, membership, training
from ui.figures.confusion import changed_classes, confusion, drawn_classes, mean_by_class
from ui.figures.drawn import Drawn
from ui.figures.thresholds import ATTACKS, MEASURES, best_threshold, edges_of
from ui.results.summary import standing_of
from ui.shell.formatting import first_epoch
from ui.shell.words import STAGES

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from ui.results.reference import Reference
    from ui.results.run_view import View

    Array = NDArray[Any]

WHEN = ("before", "after")


def classes_of(view: View, peers: Sequence[View] = ()) -> Drawn | None:
    """Draw the accuracy of each class; None where no class is graded. Peers are runs whose pictures show the same."""
    known = view.result["before"]["acc_per_class"]
    if known and all(value is None for value in known):
        return None
    drawn = sorted({k for peer in peers or [view] for k in _changed(peer) if k < len(view.names)})
    before, after = view.result["before"]["acc_per_class"], (view.after or {}).get("acc_per_class")
    return classes.accuracy_by_class(before, after, view.names, view.forget, drawn)


def predictions_of(view: View, peers: Sequence[View] = ()) -> Drawn | None:
    """Draw what is read as what; None where the run left no outputs."""
    matrices = matrices_of(view)
    if not matrices:
        return None
    found = [drawn_classes(list(matrices_of(peer).values()), peer.forget) for peer in peers or [view]
             if matrices_of(peer)]  # fmt: skip
    drawn = sorted({k for part in found for k in part if k < len(view.names)})
    return classes.predictions(matrices, view.names, view.forget, drawn, stacked=len(peers) > 1)


def matrices_of(view: View) -> dict[str, Array]:
    """Return what is read as what, "before" and maybe "after", (K, K) in percent; empty without outputs."""
    arrays = view.grading or {}
    return {
        when: confusion(arrays["test.labels"], arrays[f"test.{when}"])
        for when in WHEN
        if len(arrays.get(f"test.{when}", ()))
    }


def groups_of(
    view: View, when: str, measure: str, wanted: Sequence[str] = tuple(membership.GROUPS)
) -> dict[str, Array]:
    """Return the values of a measure for some groups of images; empty where they are not known.

    Args:
        view: the run.
        when: "before" or "after".
        measure: "entropy", "confidence" or "loss".
        wanted: keys of ui.figures.membership.GROUPS.
    """
    arrays = view.grading or {}
    names = {group: f"mia.{when}.{group}.{measure}" for group in wanted}
    return {group: arrays[name] for group, name in names.items() if name in arrays and len(arrays[name])}


def moments_of(view: View) -> list[str]:
    """Return when the run's outputs are known: "before" and maybe "after"."""
    return [when for when in WHEN if groups_of(view, when, "loss")]


def layers_of(view: View) -> Sequence[Mapping[str, Any]]:
    """Return the records of the layers; empty where the method protects none."""
    return (view.result.get("subspace") or {}).get("layers") or ()


def taught_of(view: View) -> list[Drawn]:
    """Draw what the forgotten classes were taught to be, and the influences behind it where there are some."""
    if view.labels is None:
        return []
    taught = mean_by_class(view.labels["labels"], view.labels["truth"], view.forget)
    drawn = labels.taught_classes(taught)
    figures = [labels.taught_labels(taught, view.names, view.forget, drawn)]
    if "influences" in view.labels:
        means = mean_by_class(view.labels["influences"], view.labels["truth"], view.forget)
        figures.append(labels.label_influence(means, view.names, view.forget, drawn))
    return figures


def history_of(view: View, last: int = 0) -> Drawn | None:
    """Draw accuracy by epoch, or estimates where there are no test images; None where no epoch ended.

    Args:
        view: the run.
        last: last epoch of the axis, so that pictures can be compared; 0 for the run's own.
    """
    history = view.result.get("history") or []
    if not history:
        return None
    epochs = [first_epoch(view.result), *history]
    names = {name: None for row in epochs for name in row}
    rows = [{name: row.get(name) for name in names} for row in epochs]
    if training.without_tests(epochs):
        figure, words = (
            training.estimate_figure(epochs, last or history[-1]["epoch"]),
            training.describe_estimates(epochs),
        )
        return Drawn("epochs", "Estimates by epoch", figure, words, rows)
    mask = (view.result.get("mask") or {}).get("acc_rt")
    figure = training.accuracy_figure(epochs, last or history[-1]["epoch"], mask)
    return Drawn("epochs", "Accuracy by epoch", figure, training.describe_accuracy(epochs), rows, grading=True)


def gallery(view: View, reference: Reference) -> list[Drawn]:
    """Draw everything there is of a run, in the order of the page."""
    found: list[Drawn | None] = [
        standing_of(view, reference),
        history_of(view),
        classes_of(view),
        predictions_of(view),
        *_membership(view),
    ]
    rows = layers_of(view)
    if rows:
        found += [layers.ranks(rows), layers.drifts(rows)]
    if known := view.result.get("depth"):
        found += [*depth.by_stage(known), depth.likeness(known)]
    found += [layers.free_gradient(view.result.get("history") or []), *taught_of(view)]
    found.append(layers.stage_seconds(view.result["seconds"], STAGES))
    return [drawn for drawn in found if drawn is not None]


def tables(view: View, reference: Reference) -> dict[str, Sequence[Mapping[str, Any]]]:
    """Return the data of every figure: name -> records; the histograms with all groups."""
    found: dict[str, Sequence[Mapping[str, Any]]] = {}
    found |= {drawn.name: drawn.rows for drawn in gallery(view, reference)}
    for when in moments_of(view):
        for measure in MEASURES:
            groups = groups_of(view, when, measure)
            drawn = membership.scores(groups, edges_of(groups, measure), measure, when)
            found[drawn.name] = drawn.rows
    return found


def _membership(view: View) -> list[Drawn]:
    """Draw the attack on the forgotten classes by loss, and the one taught by the remaining classes by entropy."""
    moments = moments_of(view)
    figures = []
    for attack, measure in ((ATTACKS["same"], "loss"), (ATTACKS["across"], "entropy")):
        wanted = [group for group in (attack.members, attack.strangers, attack.asked) if group]
        for when in moments[-1:]:
            groups = groups_of(view, when, measure, wanted)
            if set(wanted) - set(groups):
                continue
            edges = edges_of(groups, measure)
            line = None
            if attack.members in groups and attack.strangers in groups:
                line = best_threshold(groups[attack.members], groups[attack.strangers], edges, measure)
            figures.append(membership.scores(groups, edges, measure, when, threshold=line))
    return figures


def _changed(view: View) -> list[int]:
    """Return the classes that changed most."""
    before = view.result["before"]["acc_per_class"]
    after = (view.after or {}).get("acc_per_class") or before
    return changed_classes(before, after, view.forget)
