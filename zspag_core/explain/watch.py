"""Watched images: what the model looks at in the same few images, epoch by epoch."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from zspag_core.data.dataset import to_pixels
from zspag_core.explain.gradcam import attention, default_layer
from zspag_core.progress import Frame

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from torch import Tensor

    from zspag_core.data.dataset import Split
    from zspag_core.metrics.predictions import LabelledLogits
    from zspag_core.models import Classifier

    Answers = Callable[[Tensor], Tensor]

EACH, ASKED_AT_ONCE = 2, 32
SEEN = ("maps", "probability", "predicted")


class Watch:
    """A few images whose frame is taken again and again while a model changes.

    The images are for looking at only: test images, which the method does not see, or some of the forget images where
    there are no test images. Measured on one CPU core: 5 ms an epoch with the digits' ResNet, 16 ms with the ViT for
    CIFAR-10.

    Attributes:
        layer: the layer that maps are of, None where the model has none to draw.
    """

    def __init__(self, original: Classifier, images: Split, index: Tensor) -> None:
        """Watch those of some images that are at `index` (n,)."""
        self.layer = default_layer(original)
        self.index, self.watched = index, images[index].loaded()

    def look(self, number: int, model: Classifier) -> Frame | None:
        """Return the frame of an epoch, None where the model has no layer to draw or nothing is watched."""
        if self.layer is None or not len(self.index):
            return None
        maps, logits = attention(model, to_pixels(self.watched.images), self.watched.labels, self.layer)
        own = logits.softmax(1).gather(1, self.watched.labels[:, None]).squeeze(1)
        return Frame(number, self.layer, self.watched.images, self.watched.labels, maps, own, logits.argmax(1))

    def arrays(self, frames: Mapping[int, Frame]) -> dict[str, Tensor]:
        """Return frames as arrays: images, labels and index once, then one row an epoch (E, n, ...)."""
        if not frames:
            return {}
        once = {"images": self.watched.images, "labels": self.watched.labels, "index": self.index}
        epochs = sorted(frames)
        rows = {name: torch.stack([getattr(frames[epoch], name) for epoch in epochs]) for name in SEEN}
        return once | {"epochs": torch.tensor(epochs)} | rows


def choose_watched(tested: LabelledLogits, forget: tuple[int, ...]) -> Tensor:
    """Choose images whose logits are known; see :func:`choose_asking`.

    Args:
        tested: the original model's logits of some images, and their labels.
        forget: the forgotten classes.
    """
    return choose_asking(lambda index: tested.logits[index], tested.labels, tested.num_classes, forget)


def choose_asking(answers: Answers, labels: Tensor, num_classes: int, forget: tuple[int, ...]) -> Tensor:
    """Choose two images of forgotten classes and two of the remaining classes that the model confuses most with them.

    Of each class the first images that the model reads right are taken, as long as there are any. It is asked about
    all images of the forgotten classes, and of the others about the first ones until enough are read right.

    Args:
        answers: places (n,) int64 -> the original model's logits (n, classes) of the images there.
        labels: (N,) int64, of all images.
        num_classes: number of classes.
        forget: the forgotten classes.

    Returns:
        Positions among these images, (at most 4,) int64, forgotten ones first.
    """
    gone = torch.isin(labels, torch.tensor(forget, dtype=labels.dtype)).nonzero().flatten()
    remaining = [k for k in range(num_classes) if k not in forget]
    known = dict(zip(gone.tolist(), answers(gone), strict=True)) if len(gone) else {}
    evidence = torch.stack([*known.values()]).mean(0).nan_to_num() if known else torch.zeros(num_classes)
    nearest = sorted(remaining, key=lambda k: -float(evidence[k]))

    def reads(places: list[int]) -> list[bool]:
        """Return which images are read right, asking the model only about those that it was not asked about yet."""
        fresh = [place for place in places if place not in known]
        known.update(zip(fresh, answers(torch.tensor(fresh)), strict=True) if fresh else ())
        return [int(known[place].argmax()) == int(labels[place]) for place in places]

    places = [*_pick(labels, reads, list(forget)), *_pick(labels, reads, nearest)]
    return torch.tensor(places, dtype=torch.int64)


def _pick(labels: Tensor, reads: Callable[[list[int]], list[bool]], classes: list[int]) -> list[int]:
    """Return two positions: one of each of the first two classes that have images, or both of the only one."""
    mine = [places for k in classes if (places := (labels == k).nonzero().flatten().tolist())][:EACH]
    queues = [_right_first(places, reads) for places in mine]
    return [queue[place] for place in range(EACH) for queue in queues if place < len(queue)][:EACH]


def _right_first(places: list[int], reads: Callable[[list[int]], list[bool]]) -> list[int]:
    """Return two of one class's positions, or its only one: the first that are read right, then the first others."""
    right: list[int] = []
    wrong: list[int] = []
    for start in range(0, len(places), ASKED_AT_ONCE):
        some = places[start : start + ASKED_AT_ONCE]
        for place, hit in zip(some, reads(some), strict=True):
            (right if hit else wrong).append(place)
        if len(right) >= EACH:
            break
    return [*right, *wrong][:EACH]
