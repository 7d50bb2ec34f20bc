"""Just in time unlearning: the outputs of forget samples are made insensitive to noise."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar

import torch
from torch import Tensor

from zspag_core.data.dataset import to_pixels
from zspag_core.hyperparameters import knob
from zspag_core.methods.base import Unlearned, ZeroShotMethod
from zspag_core.methods.training_loop import Batches, TrainingSamples, carry_out, spread

if TYPE_CHECKING:
    from collections.abc import Sequence

    from zspag_core.data.dataset import Split
    from zspag_core.data.images import Pictures
    from zspag_core.methods.training_loop import Pair
    from zspag_core.models import Classifier
    from zspag_core.runs.context import RunContext

TINY = 1e-12


@dataclass(frozen=True, kw_only=True)
class JiT(ZeroShotMethod):
    """Minimise ‖f(x) - f(x + ξ)‖ / ‖ξ‖ over forget samples x, with ξ Gaussian, mean over noised copies.

    Noise is drawn in the space of normalised pixels and cut off where the batch's darkest and brightest values are; ‖ξ‖
    is of what is left. As in the authors' program the loss is a sum over the batch, and only f(x) is moved: the noised
    copies' outputs are taken as given.

    Source: Foster et al., 2024 (JiT), section 4, equations 8 to 10.
    """

    name: ClassVar[str] = "jit"

    epochs: int = knob(1, "Passes over the forget samples.", minimum=1, maximum=1000, basic=True)
    learning_rate: float = knob(3e-4, "Step length of plain SGD.", minimum=1e-9, maximum=100.0, basic=True)
    sigma: float = knob(
        0.5,
        "Standard deviation of the noise, in standard deviations of the pixels.",
        minimum=1e-4,
        maximum=100.0,
        basic=True,
    )
    copies: int = knob(25, "Noised copies of each image in a step.", minimum=1, maximum=10_000, unit="copies")
    batch_size: int = knob(128, "Forget samples per step.", minimum=1, maximum=8192, unit="images")

    def unlearn(
        self,
        model: Classifier,
        forget: Split,
        classes: tuple[int, ...],
        context: RunContext,
    ) -> Unlearned:
        """Smooth the outputs around the forget samples."""
        build = partial(
            Smoothing,
            model,
            TrainingSamples.only(forget, classes),
            settings=self,
            optimizer=partial(torch.optim.SGD, lr=self.learning_rate),
            order=partial(spread, len(forget), 0, self.batch_size),
        )
        return carry_out(Unlearned(model), build, self.epochs, context)


class Smoothing(Batches):
    """Steps on how far the outputs of noised copies are from the image's own."""

    def __init__(self, *rest: Any, settings: JiT, **options: Any) -> None:  # noqa: ANN401
        """Copy the model; all but `settings` is as in :class:`Batches`."""
        super().__init__(*rest, **options)
        self.settings = settings

    def descend(self, images: Pictures, pair: Pair, generator: torch.Generator) -> tuple[float, Tensor]:
        """Fill the gradients of the summed sensitivity."""
        parts = self.in_parts(images)
        darkest, brightest = self.limits(parts)
        total, found = 0.0, list[Tensor]()
        for part in parts:
            loss, logits = self.sensitivity(to_pixels(part, self.device), darkest, brightest, generator)
            loss.backward()
            total, found = total + loss.item(), [*found, logits.detach()]
        return total, torch.cat(found)

    def limits(self, parts: Sequence[Pictures]) -> tuple[float, float]:
        """Return the least and the largest normalised value of a step's images, all channels alike."""
        values = [self.model.normalise(to_pixels(part, self.device)) for part in parts]
        return min(float(value.min()) for value in values), max(float(value.max()) for value in values)

    def sensitivity(
        self, pixels: Tensor, darkest: float, brightest: float, generator: torch.Generator
    ) -> tuple[Tensor, Tensor]:
        """Return the loss of images, summed over them, and their clean logits; gradients flow through these alone.

        Args:
            pixels: (N, C, H, W) float in [0, 1].
            darkest: least normalised value that a noised copy may have.
            brightest: largest.
            generator: source of the noise, on the CPU.
        """
        logits, clean = self.read(pixels).float(), self.model.normalise(pixels)
        total = torch.zeros((), device=pixels.device)
        for _ in range(self.settings.copies):
            noise = torch.randn(clean.shape, generator=generator).to(clean.device)
            noised = (clean + self.settings.sigma * noise).clamp(darkest, brightest)
            with torch.no_grad():
                other = self.read(noised * self.model.std + self.model.mean).float()
            moved = (noised - clean).flatten(1).norm(dim=1).clamp_min(TINY)
            total = total + ((logits - other).norm(dim=1) / moved).sum()
        return total / self.settings.copies, logits
