"""The depth of forgetting in lines of text; free of torch."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from zspag_core.metrics.catalogue import BY_STAGE, OF_WHOLE, PROTOTYPES, U_LIRA

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from zspag_core.metrics.catalogue import Measure

CLOSE = "not said, for original and Retrain lie too close to each other"
ROLES = ("original", "unlearned", "retrained")
NO_REFERENCES = f"{U_LIRA.name}: not measured, there are no references for this model and these images"


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
    for title, figures in whole_rows(depth):
        known = [f"{role} {figure}" for role, figure in zip(ROLES, figures, strict=True) if figure]
        lines.append(f"{title}: {', '.join(known)}")
    if lacks_references(depth):
        lines.append(f"{NO_REFERENCES} (train --references, evaluate --references)")
    return [*lines, *filter(None, [reach_words(depth)]), *_ends(depth)]


def whole_rows(depth: Mapping[str, Any]) -> list[tuple[str, tuple[str, str, str]]]:
    """Return the figures of the whole models: title, then those of original, unlearned and retrained, written.

    Args:
        depth: the part "depth" of result.json. What was not measured is empty, and left out where no model has it.
    """
    models = [depth["models"].get(role, {}) for role in ROLES]
    rows = [
        (f"{PROTOTYPES.name}, {shots} {'image' if shots == '1' else 'images'}", _shots(models, shots))
        for shots in _known_shots(models)
    ]
    rows += [(measure.title, _written(models, measure)) for measure in OF_WHOLE]
    return [(title, figures) for title, figures in rows if any(figures)]


def lacks_references(depth: Mapping[str, Any]) -> bool:
    """Tell whether everything was to be measured and there were no references for that."""
    return "references" in depth and depth["references"] is None


def reach_words(depth: Mapping[str, Any]) -> str:
    """Say how much references find in each other, which nobody made forget; empty where that is not known."""
    figure = (depth.get("references") or {}).get("reach")
    return "" if figure is None else f"{U_LIRA.name}, every reference asked by the others: {figure:.1f} {U_LIRA.unit}"


def _known_shots(models: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return for how many images the head was rebuilt, fewest first: a record's keys stand in any order."""
    return sorted(next((model["prototypes"] for model in models if model), {}), key=int)


def _shots(models: Sequence[Mapping[str, Any]], shots: str) -> tuple[str, str, str]:
    """Write how much of the forgotten classes a rebuilt head reads right."""
    found = [model["prototypes"][shots]["forget"] if model else None for model in models]
    one, two, three = ("" if figure is None else f"{figure:.1f} %" for figure in found)
    return one, two, three


def _written(models: Sequence[Mapping[str, Any]], measure: Measure) -> tuple[str, str, str]:
    """Write a measure's figure of every model."""
    one, two, three = (_one(model, measure) for model in models)
    return one, two, three


def _one(model: Mapping[str, Any], measure: Measure) -> str:
    """Write a measure's figure of one model; steps that did not suffice as such."""
    found: Any = model
    for name in measure.path:
        found = (found or {}).get(name)
    if found is None:
        return ""
    over = measure.path[0] == "kept" and not model["kept"]["reached"]
    return f"{'over ' if over else ''}{found:.{measure.digits}f} {measure.unit}{_interval(model, measure)}"


def _interval(model: Mapping[str, Any], measure: Measure) -> str:
    """Write behind a figure of few images its 95 % interval."""
    if measure is not U_LIRA:
        return ""
    low, high = model["u_lira"]["auc_ci"]
    return f" ({low:.0f} to {high:.0f})"


def _ends(depth: Mapping[str, Any]) -> list[str]:
    """Say what is left between Retrain (0 %) and Original (100 %)."""
    if not depth.get("left"):
        return ["without a retrained model nothing can be said of how much of the way to it is left (--retrained)"]
    titles = {measure.path[0]: measure.name for measure in BY_STAGE}
    lines = [
        f"left of {titles[key]}, mean over stages (0 as Retrain, 100 as the original): "
        + (CLOSE if share is None else f"{share:.0f} %")
        for key, share in depth["left"].items()
    ]
    if depth.get("idi") is not None:
        lines.append(f"IDI (0 as Retrain, 1 as the original): {depth['idi']:.2f}")
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
