"""Going on where an earlier attempt at the same run ended: what it finished, and the epochs it told."""

from __future__ import annotations

from typing import TYPE_CHECKING

from zspag_core.hyperparameters import values
from zspag_core.memory import FORGETFUL, FileMemory, Memory
from zspag_core.metrics.accuracy import Accuracy
from zspag_core.metrics.deep import Relearning
from zspag_core.metrics.grade import Grade
from zspag_core.metrics.membership import Membership, MembershipScores, SameClass
from zspag_core.metrics.predictions import Labelled
from zspag_core.progress import Frame, Relay, Reporter
from zspag_core.proxies import ProxySet
from zspag_core.pseudo_labels import PseudoLabels
from zspag_core.subspace import LayerBasis, Subspace

if TYPE_CHECKING:
    from collections.abc import Collection
    from pathlib import Path

    from zspag_core.models import Classifier
    from zspag_core.preparation import Prepared

PART = "epochs"
KINDS = (
    ProxySet,
    Subspace,
    LayerBasis,
    PseudoLabels,
    Frame,
    Grade,
    Accuracy,
    Membership,
    MembershipScores,
    SameClass,
    Labelled,
    Relearning,
)
"""What the stages of a run are made of."""

Told = tuple[int, dict[str, float]]  # of how many epochs, and the figures


def memory_of(prepared: Prepared, folder: Path | None) -> Memory:
    """Return the memory of a run in a folder, which holds only for the same request, model, data and device.

    Args:
        prepared: the run.
        folder: where; None remembers nothing.
    """
    if folder is None:
        return FORGETFUL
    data = [(len(part), part.fingerprint()) for part in (prepared.dataset.train, prepared.dataset.test)]
    asked = (prepared.config.to_dict(), values(prepared.method), str(prepared.device))
    return FileMemory(folder, repr((asked, prepared.checkpoint.sha256, data)), KINDS)


class Replay(Relay):
    """Remembers every epoch on its way to the reporter; epoch 0, the original model, is graded anew each time.

    Attributes:
        epochs: number of an epoch -> how many there may be, and its figures.
        frames: number of an epoch -> its frame.
    """

    def __init__(self, memory: Memory, inner: Reporter) -> None:
        """Recall what an earlier attempt told."""
        super().__init__(inner)
        self._memory = memory
        self.epochs: dict[int, Told] = {}
        self.frames: dict[int, Frame] = {}
        known = memory.recall(PART)
        if known is not None:
            self.epochs, self.frames = known

    def tell(self, model: Classifier) -> None:
        """Tell the epochs of the earlier attempt in order; `model` stands for theirs, which are gone."""
        for number, (total, figures) in sorted(self.epochs.items()):
            if number in self.frames:
                self.inner.watch(self.frames[number])
            self.inner.epoch(number, total, model, **figures)

    def watch(self, frame: Frame) -> None:
        """Remember a frame and pass it on."""
        if frame.epoch > 0:
            self.frames[frame.epoch] = frame
        self.inner.watch(frame)

    def epoch(self, number: int, total: int, model: Classifier, **figures: float) -> None:
        """Remember an epoch and pass it on."""
        if number > 0:
            self.epochs[number] = (total, figures)
            self._memory.keep(PART, (self.epochs, self.frames))
        self.inner.epoch(number, total, model, **figures)


class News(Relay):
    """Passes on only epochs that no earlier attempt told: a loop that goes on may speak of its last ones again."""

    def __init__(self, known: Collection[int], inner: Reporter) -> None:
        """Hold back the epochs of these numbers."""
        super().__init__(inner)
        self._known = frozenset(known)

    def epoch(self, number: int, total: int, model: Classifier, **figures: float) -> None:
        """Pass an epoch on, unless it was told."""
        if number not in self._known:
            self.inner.epoch(number, total, model, **figures)
