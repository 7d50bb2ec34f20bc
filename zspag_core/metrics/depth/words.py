"""The depth of forgetting in lines of text; free of torch."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from zspag_core.metrics.catalogue import BY_STAGE

if TYPE_CHECKING:
    from collections.abc import Mapping

ROLES = ("original", "unlearned", "retrained")


def depth_lines(depth: Mapping[str, Any]) -> list[str]:
    """Return one line a measure and model, its figures from the input to the output, and what is left over all.

    Args:
        depth: the part "depth" of result.json.
    """
    lines = [f"stages, from input to output: {', '.join(depth['stages'])}"]
    for measure in BY_STAGE:
        for role in ROLES:
            figures = depth["models"].get(role, {}).get(measure.path[0])
            if figures is not None:
                lines.append(f"{measure.name}, {role}: {_row(figures, measure.digits)} {measure.unit}")
    for pair, kinds in depth["cka"].items():
        one, two = pair.split("_")
        lines += [f"CKA of {one} and {two}, {kind} images: {_row(row, 2)}" for kind, row in kinds.items()]
    return lines + _ends(depth)


def _ends(depth: Mapping[str, Any]) -> list[str]:
    """Say what is left between Retrain (0 %) and Original (100 %)."""
    if not depth.get("left"):
        return ["without a retrained model nothing can be said of how much of the way to it is left (--retrained)"]
    titles = {measure.path[0]: measure.name for measure in BY_STAGE}
    lines = [
        f"left of {titles[key]}, mean over stages (0 as Retrain, 100 as the original): {_figure(share, 0)} %"
        for key, share in depth["left"].items()
    ]
    if worst := depth.get("worst"):
        where = f" at {worst['stage']}" if worst["stage"] else ""
        lines.append(f"most is left of {titles.get(worst['measure'], worst['measure'])}{where}: {worst['share']:.0f} %")
    return lines


def _row(figures: list[float | None], digits: int) -> str:
    """Write the figures of the stages."""
    return ", ".join(_figure(figure, digits) for figure in figures)


def _figure(figure: float | None, digits: int) -> str:
    """Write one figure."""
    return "undefined" if figure is None else f"{figure:.{digits}f}"
