"""How a data set is to be read where its files alone do not say: which classes a model has, and in which order."""

from __future__ import annotations

from dataclasses import dataclass

from zspag_core.errors import UsageError

ORDERS = ("code_point", "natural")
"""How class folders are numbered: as torchvision's ImageFolder does (1, 10, 2; Zebra, ant), or as a person counts."""
MAX_HELD_OUT = 0.9


@dataclass(frozen=True)
class ClassReading:
    """What is known about the classes before the data are looked at.

    Attributes:
        class_names: the model's own names, one per output; the data's classes are then found among them by name, and
            may be some of them only.
        num_classes: the number of the model's outputs, where their names are not known.
        order: one of `ORDERS`; None takes the first, with a note where the other one differs.
        held_out: the share of each class's images that is kept for testing where the source has no test part; None
            keeps a fifth where every class has images, nothing where some have none.

    Raises:
        UsageError: an unknown order, a share outside 0 to 0.9, names that are not as many as the outputs.
    """

    class_names: tuple[str, ...] | None = None
    num_classes: int | None = None
    order: str | None = None
    held_out: float | None = None

    def __post_init__(self) -> None:
        """Check what can be checked without data."""
        if self.order not in {None, *ORDERS}:
            raise UsageError(f"order: expected one of {', '.join(ORDERS)}, got {self.order!r}")
        if self.held_out is not None and not 0 <= self.held_out <= MAX_HELD_OUT:
            raise UsageError(f"held_out: expected a share from 0 to {MAX_HELD_OUT}, got {self.held_out}")
        if self.class_names is not None and self.num_classes not in {None, len(self.class_names)}:
            raise UsageError(f"class names: expected {self.num_classes}, one per output, got {len(self.class_names)}")

    @property
    def outputs(self) -> int | None:
        """Return the number of the model's outputs; None where there is no model yet."""
        return self.num_classes if self.class_names is None else len(self.class_names)


PLAIN = ClassReading()
"""Nothing is known: the data alone say which classes there are."""
