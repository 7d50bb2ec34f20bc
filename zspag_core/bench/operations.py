"""The linear algebra of the subspace stage: which decompositions and products it makes, and what those cost alone."""

from __future__ import annotations

import math
from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from zspag_core.bench.passes import seconds_of

if TYPE_CHECKING:
    from collections.abc import Callable

EIGH = {"_linalg_eigh", "linalg_eigh"}
PRODUCTS = {"bmm", "matmul"}


@dataclass
class Kind:
    """Operations of one kind and of about one size.

    Attributes:
        name: "eigh" or "product".
        size: of the largest: its side, or its number of multiply-adds.
        count: how many there were.
        amount: the sum of side³, or of multiply-adds.
        largest: the operands of the largest.
    """

    name: str
    size: int = 0
    count: int = 0
    amount: float = 0.0
    largest: tuple[Tensor, ...] = field(default=(), repr=False)

    def add(self, size: int, amount: float, operands: tuple[Tensor, ...]) -> None:
        """Take note of one more."""
        self.count, self.amount = self.count + 1, self.amount + amount
        if size > self.size:
            self.size, self.largest = size, operands

    def seconds(self) -> float:
        """Return what all of them take at the rate of the largest, measured on its own operands."""
        task: Callable[[], object] = lambda: torch.linalg.eigh(*self.largest)  # noqa: E731
        if self.name == "product":
            task = lambda: torch.bmm(*self.largest)  # noqa: E731
        unit = _amount(self.name, self.largest)
        return seconds_of(task, self.largest[0].device) * self.amount / unit


class Recording(TorchDispatchMode):
    """While it is entered, remembers decompositions and the products that prepare them.

    Products are those in float64, in which only the decompositions compute, and those of a matrix with its own
    transpose (Gram matrices). Kinds are by size, within a factor of two.
    """

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.kinds: dict[tuple[str, int, torch.dtype], Kind] = {}

    def __torch_dispatch__(  # noqa: D105
        self,
        func: Any,  # noqa: ANN401 - torch has no type for an operator
        types: Any,  # noqa: ANN401
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:  # noqa: ANN401 - what torch passes through
        name = func.overloadpacket.__name__
        if name in EIGH:
            self._see("eigh", args[0].shape[-1], (args[0],))
        elif name in PRODUCTS and args[0].ndim == 3 and _prepares(*args[:2]):
            self._see("product", args[0][0].numel() * args[1].shape[-1], args[:2])
        return func(*args, **(kwargs or {}))

    def _see(self, name: str, size: int, operands: tuple[Tensor, ...]) -> None:
        if size:
            key = (name, int(math.log2(size)), operands[0].dtype)
            self.kinds.setdefault(key, Kind(name)).add(size, _amount(name, operands), operands)

    def totals(self) -> dict[str, dict[str, float]]:
        """Return, by name, how many operations there were, their amount in units of 10⁹ and their measured seconds."""
        sums: dict[str, dict[str, float]] = defaultdict(lambda: {"count": 0, "billions": 0.0, "seconds": 0.0})
        for kind in self.kinds.values():
            row = sums[kind.name]
            row["count"] += kind.count
            row["billions"] += kind.amount / 1e9
            row["seconds"] += kind.seconds()
        return dict(sums)


def _prepares(a: Tensor, b: Tensor) -> bool:
    """Tell whether a product belongs to a decomposition and not to the network."""
    return a.dtype == torch.float64 or a.data_ptr() == b.data_ptr()


def _amount(name: str, operands: tuple[Tensor, ...]) -> float:
    """Return side³ of a decomposition, multiply-adds of a product, all groups together."""
    first = operands[0]
    if name == "eigh":
        return float(first.shape[0] if first.ndim == 3 else 1) * first.shape[-1] ** 3
    return float(first.numel() * operands[1].shape[-1])
