"""How far forget images lie, at the stages above an erased one, from stand-ins that are answered alike."""

from __future__ import annotations

from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from zspag_core.data.dataset import to_pixels
from zspag_core.devices import device_of, mixed_precision

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from zspag_core.models import Classifier

BATCH = 128
MEMORY = 0.95  # of what stand-ins were like a step before
RIDGE = 0.1  # of a channel's variance, added to it
FLAT = 1e-6  # of the mean deviation, which a channel's is at least
RARE = 1e-3  # share of the answers, which a class has at least


class Alignment:
    """Measures it while layers are taught, against what stand-ins have been like lately.

    At every stage and for every class, the mean features of forget images that are answered so are compared with those
    of stand-ins that are, in deviations within the stand-ins' classes (Mahalanobis). The mean of a few images is never
    exact, and the square of an error is no distance: so a batch's forget images are halved, and what is
    squared is the product of both halves' differences, whose expectation is the square of the true difference. Only
    forget images are pulled; what stand-ins are like is held fast by what they are taught.

    Source: means of each class are matched by pseudo-labels in Long et al., Joint distribution adaptation, 2013; soft
    answers, deviations and halves are ours.
    """

    def __init__(self, model: Classifier, below: str) -> None:
        """Watch the stages of a classifier that come after one, by its name in `cam_layers`."""
        names = list(model.cam_layers)
        self.stages = {name: _Stage(model.cam_reshape) for name in names[names.index(below) + 1 :]}
        self._places = {name: model.cam_layers[name] for name in self.stages}

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Keep what leaves the stages while the block runs."""
        with ExitStack() as hooks:
            for name, place in self._places.items():
                hooks.enter_context(place.register_forward_hook(self.stages[name].hear))
            yield

    @torch.no_grad()
    def begin(self, model: Classifier, images: Tensor, answers: Tensor) -> None:
        """Learn what stand-ins are like before anything is taught.

        Args:
            model: the classifier.
            images: (M, C, H, W) uint8 stand-ins.
            answers: (M, R) probabilities of the remaining classes.
        """
        parts: dict[str, list[Tensor]] = {name: [] for name in self.stages}
        with self.watching(), mixed_precision(device_of(model)):
            for batch in images.split(BATCH):
                model.embed(to_pixels(batch, device_of(model)))
                for name, stage in self.stages.items():
                    parts[name].append(stage.features)
        for name, stage in self.stages.items():
            stage.learn(torch.cat(parts[name]), answers)

    def loss(self, answers: Tensor, stays: Tensor) -> Tensor:
        """Return the squared distance of the batch that was just looked at, summed over stages.

        Args:
            answers: (B, R) probabilities of the remaining classes, the original's.
            stays: (B,) bool, which are stand-ins.
        """
        found = answers.new_zeros(())
        for stage in self.stages.values():
            if bool(stays.any()):
                stage.learn(stage.features[stays].detach(), answers[stays])
            found = found + stage.distance(stage.features[~stays], answers[~stays])
        return found


class _Stage:
    """What stand-ins are like at one stage."""

    def __init__(self, reshape: Callable[[Tensor], Tensor] | None) -> None:
        self._reshape = reshape
        self.features, self._sums, self._counts, self._covariance = (torch.zeros(0) for _ in range(4))

    def hear(self, _place: nn.Module, _inputs: tuple[Tensor, ...], output: Tensor) -> None:
        """Keep a place's output, averaged over space, (B, channels) float32; a forward hook."""
        maps = output if self._reshape is None else self._reshape(output)
        self.features = maps.float().mean((2, 3))

    def learn(self, features: Tensor, answers: Tensor) -> None:
        """Take further stand-ins (n, channels), answered (n, R), for what all are like."""
        sums, counts = answers.T @ features, answers.sum(0)
        first = not len(self._counts)
        self._sums = sums if first else MEMORY * self._sums + sums
        self._counts = counts if first else MEMORY * self._counts + counts
        within = features - answers @ self.means()
        spread = within.T @ within / len(within)
        self._covariance = spread if first else MEMORY * self._covariance + (1 - MEMORY) * spread

    def means(self) -> Tensor:
        """Return the mean features of every answer, (R, channels)."""
        return self._sums / self._counts.clamp_min(RARE)[:, None]

    def distance(self, features: Tensor, answers: Tensor) -> Tensor:
        """Return how far forget images (n, channels), answered (n, R), lie from stand-ins: 0 of fewer than two."""
        half = len(features) // 2
        if not half:
            return features.new_zeros(())
        deviation = self._covariance.diagonal().sqrt()
        deviation = deviation.clamp_min(FLAT * float(deviation.mean()) or 1.0)
        alike = self._covariance / deviation / deviation[:, None]
        alike.diagonal().add_(RIDGE)
        halves = slice(half), slice(half, 2 * half)
        one, two = (self._apart(features[part], answers[part]) / deviation for part in halves)
        squared: Tensor = (one * torch.linalg.solve(alike, two.T).T).sum(1) / answers.mean(0).clamp_min(RARE)
        return squared.sum()

    def _apart(self, features: Tensor, answers: Tensor) -> Tensor:
        """Return by how much the mean of every answer differs, times the share of that answer, (R, channels)."""
        return (answers.T @ features - answers.sum(0)[:, None] * self.means()) / len(features)
