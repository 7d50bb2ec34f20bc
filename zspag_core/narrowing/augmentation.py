"""The images that narrowing looks at, and what enters a network's layers when it does."""

from __future__ import annotations

import math
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from zspag_core.batching import images_at_once
from zspag_core.data.augment import crop_and_flip
from zspag_core.data.dataset import to_pixels
from zspag_core.data.images import Pictures, in_memory
from zspag_core.devices import device_of, laid_out

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from zspag_core.layers import WeightLayer
    from zspag_core.models import Classifier
    from zspag_core.progress import Reporter

SHIFT = 8  # an image is shifted by up to a side / SHIFT
BATCH = 128


class ImageBatches:
    """Batches of images as pixels on the device, with counted progress."""

    def __init__(
        self,
        images: list[Pictures],
        looks: int,
        model: Classifier,
        generator: torch.Generator,
        report: Reporter,
    ) -> None:
        self.images, self.device, self.generator, self.report = images, device_of(model), generator, report
        self.at_once = images_at_once(model, images[0])
        self.done, self.total = 0, looks * sum(map(len, images))

    @property
    def batches(self) -> int:
        """Return how many batches `mixed` yields."""
        return math.ceil(sum(map(len, self.images)) / BATCH)

    def plain(self) -> Iterator[Tensor]:
        """Yield every image as it is."""
        for group in self.images:
            for batch in group.split(self.at_once):
                yield self._counted(self._pixels(batch))

    def mixed(self) -> Iterator[Tensor]:
        """Yield every image once, all groups mixed, in random order; two batches of three moved and mirrored."""
        places = [(n, place) for n, group in enumerate(self.images) for place in range(len(group))]
        batches = torch.randperm(len(places), generator=self.generator).split(BATCH)
        for batch, drawn in enumerate(batches):
            chosen = [places[number] for number in drawn.tolist()]
            parts = [[place for n, place in chosen if n == group] for group in range(len(self.images))]
            pixels = torch.cat(
                [self._pixels(group[part]) for group, part in zip(self.images, parts, strict=True) if part]
            )
            if batch % 3:
                padding = max(1, pixels.shape[-1] // SHIFT)
                pixels = crop_and_flip(pixels, padding=padding, flip=True, generator=self.generator, beyond="reflect")
            yield self._counted(pixels)

    def _pixels(self, batch: Pictures) -> Tensor:
        return to_pixels(batch, self.device) if batch.dtype == torch.uint8 else in_memory(batch).to(self.device).float()

    def _counted(self, pixels: Tensor) -> Tensor:
        self.done += len(pixels)
        self.report.progress("narrow", self.done, self.total)
        return laid_out(pixels)


class Seen:
    """What entered some layers in the last forward pass, and the stream that they add to."""

    def __init__(self, count: int) -> None:
        self.inputs: list[Tensor | None] = [None] * count
        self.stream: Tensor | None = None

    def take(self) -> list[Tensor]:
        """Return the inputs and forget them."""
        taken = [part for part in self.inputs if part is not None]
        self.inputs = [None] * len(self.inputs)
        return taken


@contextmanager
def inputs_of(model: Classifier, *others: WeightLayer) -> Iterator[Seen]:
    """While the block runs, keep what enters other layers and then the writers; no hook outlives it, even by an error.

    Of tokens in a stream only the first is kept: the others do not become features.
    """
    layers, stream = [*others, *(writer.layer for writer in model.writers)], model.stream
    seen = Seen(len(layers))

    def hook(number: int) -> Callable[[nn.Module, tuple[Tensor, ...]], None]:
        def see(_layer: nn.Module, inputs: tuple[Tensor, ...]) -> None:
            seen.inputs[number] = inputs[0] if stream is None else inputs[0][:, 0]

        return see

    def see_stream(_layer: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        seen.stream = inputs[0][:, 0]

    with ExitStack() as hooks:
        for number, layer in enumerate(layers):
            hooks.enter_context(layer.register_forward_pre_hook(hook(number)))
        if stream is not None:
            hooks.enter_context(stream.source.register_forward_pre_hook(see_stream))
        yield seen
