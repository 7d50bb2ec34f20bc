"""What is asked of the plane: points, classes to forget, settings of ZS-PAG. Free of torch; a page reads it, too."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from zspag_core.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping

SHAPES = ("rings", "blobs", "wedges", "moons", "spirals", "grid")
OWN = "own"
"""The plane without a shape: nothing but the visitor's points."""
BESIDE = ("original", "retrained", "mask")
"""What stands beside the unlearned network."""
FEWEST_CLASSES, MOST_CLASSES = 2, 6
LEVELS = 255
MOST_OWN = 200
MOST_EPOCHS = 60
MOST_SEED = 99
LETTERS = "ABCDEF"

Point = tuple[int, int, int]
"""Across, up (0 to 255), class."""


@dataclass(frozen=True)
class Question:
    """One state of the Playground.

    Attributes:
        shape: one of SHAPES, or OWN.
        classes: number of classes.
        own: points that the visitor has added.
        forget: classes to forget.
        settings: of ZS-PAG, those that differ from its defaults.
        seed: of the points, the network and everything random in the method.
        beside: one of BESIDE.
    """

    shape: str = SHAPES[0]
    classes: int = 5
    own: tuple[Point, ...] = ()
    forget: tuple[int, ...] = (2,)
    settings: Mapping[str, Any] = field(default_factory=dict)
    seed: int = 0
    beside: str = BESIDE[0]

    def __post_init__(self) -> None:
        """Refuse in one sentence what cannot be played."""
        _one_of("shape", self.shape, (*SHAPES, OWN))
        _one_of("beside", self.beside, BESIDE)
        _within("classes", self.classes, FEWEST_CLASSES, MOST_CLASSES)
        _within("seed", self.seed, 0, MOST_SEED)
        if len(self.own) > MOST_OWN:
            raise UsageError(f"points: expected at most {MOST_OWN} of your own, got {len(self.own)}")
        for point in self.own:
            _check_point(point, self.classes)
        for k in self.forget:
            _within("forget", k, 0, self.classes - 1)
        if self.settings.get("epochs", 1) > MOST_EPOCHS:
            raise UsageError(f"epochs: expected at most {MOST_EPOCHS} here, got {self.settings['epochs']}")

    def plain(self) -> dict[str, Any]:
        """Return the fields as plain values, for JSON."""
        return asdict(self)


def read_question(said: Mapping[str, Any]) -> Question:
    """Return the question that plain values ask.

    Raises:
        UsageError: they ask nothing that can be played.
    """
    if unknown := set(said) - set(Question.__dataclass_fields__):
        raise UsageError(f"question: expected {', '.join(Question.__dataclass_fields__)}, got {sorted(unknown)[0]!r}")
    lists = {name: tuple(said[name]) for name in ("forget",) if name in said}
    if "own" in said:
        lists["own"] = tuple(tuple(point) for point in said["own"])
    return Question(**{**said, **lists})


def _one_of(what: str, word: object, words: tuple[str, ...]) -> None:
    if word not in words:
        raise UsageError(f"{what}: expected one of {', '.join(words)}, got {word!r}")


def _within(what: str, number: object, low: int, high: int) -> None:
    if type(number) is not int or not low <= number <= high:
        raise UsageError(f"{what}: expected {low} to {high}, got {number!r}")


def _check_point(point: Point, classes: int) -> None:
    if len(point) != 3:
        raise UsageError(f"points: expected across, up and class, got {point!r}")
    for place in point[:2]:
        _within("points", place, 0, LEVELS)
    _within("class of a point", point[2], 0, classes - 1)
