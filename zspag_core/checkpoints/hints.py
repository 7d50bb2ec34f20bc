"""Plain facts that stand beside the weights: class names, the name of the network, its input."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from torch import Tensor

from zspag_core.checkpoints.harmless import plain
from zspag_core.class_names import CLASS_NAMES, CLASS_NUMBERS, class_names

if TYPE_CHECKING:
    from collections.abc import Iterator

ARCHITECTURE = ("arch", "architecture", "model_name", "model_arch", "backbone", "model", "net", "network")
COUNT = ("num_classes", "n_classes", "nb_classes", "num_labels")
SIZE = ("image_size", "img_size", "input_size", "crop_size", "imgsz")
DEEPEST = 3
MOST_ITEMS = 100_000  # entries looked at; the facts stand near the top


def hints(payload: object) -> dict[str, Any]:
    """Return the plain facts that a payload states beside the weights; only what has one reading.

    Args:
        payload: whatever was saved, or the settings of a folder.

    Returns:
        Any of: `class_names` (list of different texts, in the order of the outputs), `arch` (text), `num_classes`
        (int), `image_size` (int), `mean` and `std` (lists of floats for pixels in [0, 1]).
    """
    facts: dict[str, list[Any]] = {}
    for name, value in _entries(payload):
        for key, fact in _facts(name, value):
            facts.setdefault(key, []).append(fact)
    return {key: values[0] for key, values in facts.items() if all(value == values[0] for value in values)}


def _entries(payload: object) -> Iterator[tuple[str, Any]]:
    """Go through the names and plain values of a payload, the outermost first."""
    level, seen = [plain(payload)], 0
    for _ in range(DEEPEST):
        below = []
        for holder in level:
            for name, value in holder.items() if isinstance(holder, dict) else ():
                seen += 1
                if seen > MOST_ITEMS:
                    return
                if isinstance(name, str) and not isinstance(value, Tensor):
                    yield name.rpartition(".")[2].lower(), plain(value)
                    below.append(plain(value))
        level = below


def _facts(name: str, value: Any) -> Iterator[tuple[str, Any]]:  # noqa: ANN401 - any plain value
    """Return what one entry states, in one form."""
    if name in CLASS_NAMES + CLASS_NUMBERS and (names := class_names(value)):
        yield "class_names", names
    if name in ARCHITECTURE and isinstance(value, str) and value.strip():
        yield "arch", value.strip()
    if name in COUNT and type(value) is int and value > 0:
        yield "num_classes", value
    if name in SIZE and (size := _size(value)):
        yield "image_size", size
    if name in {"mean", "image_mean", "std", "image_std"} and (numbers := _channels(value)):
        yield name.removeprefix("image_"), numbers


def _size(value: Any) -> int:  # noqa: ANN401 - any plain value
    """Return the side of a square input out of 224, (224, 224), (3, 224, 224) or {"height": 224, "width": 224}."""
    if isinstance(value, dict):
        value = list(value.values())
    sides = list(value)[-2:] if isinstance(value, (list, tuple)) else [value]
    if not sides or not all(type(side) is int and side == sides[0] for side in sides):
        return 0
    return int(sides[0]) if 4 <= sides[0] <= 4096 else 0


def _channels(value: Any) -> list[float]:  # noqa: ANN401 - any plain value
    """Return one or three finite numbers, one a channel, for pixels in [0, 1]; nothing for other values."""
    numbers = list(value) if isinstance(value, (list, tuple)) else [value]
    if len(numbers) not in {1, 3} or not all(type(number) in {int, float} for number in numbers):
        return []
    return [float(number) for number in numbers] if all(abs(number) <= 1 for number in numbers) else []
