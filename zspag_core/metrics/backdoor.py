"""Does a planted trigger still work: the attack accuracy of a backdoored classifier."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch

from zspag_core.data.backdoor import add_trigger
from zspag_core.metrics.accuracy import percent
from zspag_core.metrics.predictions import logits_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import Tensor, nn

    from zspag_core.data.dataset import DataSet
    from zspag_core.data.images import Pictures


@dataclass(frozen=True)
class Backdoor:
    """A trigger that turns one class into another.

    Attributes:
        source: the class whose images carry the trigger.
        target: the class that they were labelled as in training.
    """

    source: int
    target: int

    def accuracy(self, predicted: Tensor) -> float | None:
        """Return how many predictions (N,) of triggered images are the target, in percent; None where N is 0."""
        return percent(predicted == self.target)


@dataclass(frozen=True)
class Triggered:
    """What models read in the test images of the source class once they carry the trigger.

    Attributes:
        backdoor: the trigger's classes.
        images: (N, C, H, W) uint8, with the trigger.
        before: (N,) int64, the original model's predictions.
        after: (N,) int64, the unlearned model's; None for a run that did not come to its end.
    """

    backdoor: Backdoor
    images: Pictures
    before: Tensor
    after: Tensor | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return what result.json says: the classes and the attack accuracy, in percent."""
        after = None if self.after is None else self.backdoor.accuracy(self.after)
        return {**vars(self.backdoor), "before": self.backdoor.accuracy(self.before), "after": after}


def planted_in(about: Mapping[str, Any], num_classes: int) -> Backdoor | None:
    """Return the backdoor that a checkpoint was trained with, None where its header names none of these classes.

    Args:
        about: the checkpoint's header; "backdoor" is a text such as "1:8".
        num_classes: number of logits.
    """
    found = re.fullmatch(r"(\d{1,4}):(\d{1,4})", str(about.get("backdoor")))
    if found is None:
        return None
    source, target = map(int, found.groups())
    return Backdoor(source, target) if source != target and max(source, target) < num_classes else None


def triggered_images(dataset: DataSet, backdoor: Backdoor) -> Pictures:
    """Return the test images of the source class with the trigger, (N, C, H, W) uint8."""
    return add_trigger(dataset.test.of_classes((backdoor.source,)).images)


def read_triggered(model: nn.Module, images: Pictures, device: torch.device | None = None) -> Tensor:
    """Return the classes (N,) int64 that a model reads in triggered images (N, C, H, W) uint8.

    Source: Chundawat et al., 2023; ZS-PAG, section 4.4 ("attack accuracy": the share read as the target).
    """
    if not len(images):
        return torch.zeros(0, dtype=torch.int64)
    return logits_of(model, images, device=device).argmax(1)
