"""The two ends of every scale of depth, Original and Retrain, and how much of the way is left; free of torch."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from zspag_core.metrics.depth.gap import ShareLeft, least_gap, mean_left, share_left, worst

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    Figures = dict[str, Any]

ORIGINAL, UNLEARNED, RETRAINED = "original", "unlearned", "retrained"
CHANCE = 50.0
SAME = ("stages", "images", "precision", "extent", "data", "seed")


def conclude(found: Figures) -> Figures:
    """Add how much of the way from Retrain to Original is left, for every measure that has both ends."""
    models = found["models"]
    if not {ORIGINAL, UNLEARNED, RETRAINED} <= models.keys():
        return found | {"left": None, "worst": None}
    by_stage = [key for key in ("probe", "knn", "bits", "information") if key in models[UNLEARNED]]
    left = {
        key: mean_left(models[UNLEARNED][key], models[ORIGINAL][key], models[RETRAINED][key], least_gap(key))
        for key in by_stage
    }
    most = worst(_shares(found, by_stage))
    return found | {"left": left, "worst": most and most._asdict()}


def _shares(found: Figures, by_stage: Sequence[str]) -> list[ShareLeft]:
    """Return what is left of every measure at every stage, where that can be said."""
    models, shares = found["models"], list[ShareLeft]()

    def add(key: str, stage: str, figure: Callable[[Figures], float | None]) -> None:
        after, original, retrained = (figure(models[role]) for role in (UNLEARNED, ORIGINAL, RETRAINED))
        share = share_left(after, original, retrained, least_gap(key))
        if share is not None:
            shares.append(ShareLeft(key, stage, share))

    for key in by_stage:
        for place, stage in enumerate(found["stages"]):
            add(key, stage, lambda part, key=key, place=place: part[key][place])  # type: ignore[misc]
    for shots in models[UNLEARNED]["prototypes"]:
        add(f"prototypes_{shots}", "", lambda part, shots=shots: part["prototypes"].get(shots, {}).get("forget"))  # type: ignore[misc]
    add("rates", "", lambda part: part.get("rates", {}).get("1"))
    add("kept", "", _steps_back)
    share = share_left(models[UNLEARNED].get("class_attack"), models[ORIGINAL].get("class_attack"), CHANCE)
    if share is not None:
        shares.append(ShareLeft("class_attack", "", share))
    return shares


def _steps_back(part: Figures) -> float | None:
    """Return the steps of relearning with the rest kept, all that were allowed where they did not suffice."""
    back = part.get("kept")
    return back and float(back["steps"])


def with_retrained(depth: Mapping[str, Any], retrained: Mapping[str, Any]) -> Figures | None:
    """Return a run's depth with what a retraining run says of its own model as the other end.

    Args:
        depth: of a run, without a retrained model.
        retrained: of a run of `retrain` on the same model, data and classes.

    Returns:
        None where the two looked at other images (by another seed, of other data), in another way, or at other stages.
    """
    if any(depth.get(key) != retrained.get(key) for key in SAME):
        return None
    return conclude({**depth, "models": {**depth["models"], RETRAINED: retrained["models"][UNLEARNED]}})
