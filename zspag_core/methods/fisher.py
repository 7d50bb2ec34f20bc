"""Fisher forgetting: noise on every weight, the more the less the remaining data depend on it."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import torch
from torch import Tensor
from torch.func import functional_call, grad, vmap

from zspag_core.batching import images_at_once
from zspag_core.data.dataset import to_pixels
from zspag_core.devices import transformable_attention
from zspag_core.errors import Cancelled, UnlearningError
from zspag_core.hyperparameters import knob
from zspag_core.methods.base import RetainMethod, Unlearned, staged, timed
from zspag_core.models.base import evaluating
from zspag_core.progress import SILENT, Reporter

if TYPE_CHECKING:
    from collections.abc import Mapping

    from zspag_core.data.dataset import Split
    from zspag_core.data.images import Pictures
    from zspag_core.models import Classifier
    from zspag_core.runs.context import RunContext

NUMBERS_AT_ONCE = {"cpu": 2**24, "cuda": 2**29}  # of per-sample gradients: 64 MB, and 2 GB where a GPU must be fed
CHUNK = 32
RESET_VARIANCE = 1e-4


@dataclass(frozen=True, kw_only=True)
class Fisher(RetainMethod):
    """Add Gaussian noise whose variance falls with the remaining data's Fisher information of each weight.

    Variance = alpha * min(F^-exponent, clamp). The equation has exponent 1/2, the authors' program 1; like that
    program, this one starts the forgotten classes' rows of the last layer from zero, since noise alone is as likely to
    raise a logit as to lower it.

    Source: Golatkar et al., 2020, section 4 (S(w) = w + (λ σ²)^(1/4) F^(-1/4) n).
    """

    name: ClassVar[str] = "fisher"

    alpha: float = knob(
        1e-6,
        "Scale of the noise's variance: more forgets further and hurts the rest.",
        minimum=0.0,
        maximum=1.0,
        basic=True,
    )
    exponent: float = knob(
        0.5, "How strongly the noise falls with a weight's Fisher information.", minimum=0.0, maximum=2.0
    )
    clamp: float = knob(
        1e3, "Largest value of F^-exponent: bounds the noise on weights that nothing uses.", minimum=0.0, maximum=1e9
    )
    fisher_images: int = knob(
        1000,
        "Remaining images from which the information is measured; 0 takes all.",
        minimum=0,
        maximum=10_000_000,
        unit="images",
        basic=True,
    )
    reset_head: bool = knob(default=True, help="The forgotten classes' rows of the last layer start from zero.")

    def unlearn(
        self,
        model: Classifier,
        forget: Split,
        retain: Split,
        classes: tuple[int, ...],
        context: RunContext,
    ) -> Unlearned:
        """Measure the information, then add noise."""
        run = Unlearned(model)

        def measure() -> dict[str, Tensor]:
            return fisher_diagonal(model, self._draw(retain, context.generator).images, report=context.report)

        try:
            information = staged(run, context, "unlearn", measure)
        except Cancelled:
            run.stopped = "cancelled"
            return run
        with timed(run.seconds, "unlearn"):
            run.model = self.scrub(model, information, classes, context.generator)
        return run

    def _draw(self, retain: Split, generator: torch.Generator) -> Split:
        """Return the remaining samples that are looked at."""
        return retain.sample(self.fisher_images, generator) if self.fisher_images else retain

    def variance(self, information: Tensor) -> Tensor:
        """Return the variance of the noise for the diagonal of the Fisher information, element by element."""
        return self.alpha * information.pow(-self.exponent).clamp_max(self.clamp)

    def scrub(
        self, model: Classifier, information: Mapping[str, Tensor], classes: tuple[int, ...], generator: torch.Generator
    ) -> Classifier:
        """Return a copy of the model with noise on every parameter.

        Args:
            model: the original classifier.
            information: name -> the diagonal of the Fisher information, shaped as the parameter.
            classes: the forgotten classes.
            generator: source of the noise, on the CPU.

        Raises:
            UnlearningError: the information is no number.
        """
        noisy = copy.deepcopy(model)
        with torch.no_grad():
            for name, parameter in noisy.named_parameters():
                deviation = self.variance(information[name]).sqrt().to(parameter.device)
                if not bool(deviation.isfinite().all()):
                    raise UnlearningError(f"the Fisher information of {name} is no number: the model's outputs are not")
                if self.reset_head and name.startswith("head."):
                    parameter[list(classes)] = 0.0
                    deviation[list(classes)] = RESET_VARIANCE**0.5
                noise = torch.randn(parameter.shape, generator=generator).to(parameter.device)
                parameter.add_(deviation * noise)
        return noisy


def fisher_diagonal(model: Classifier, images: Pictures, *, report: Reporter = SILENT) -> dict[str, Tensor]:
    """Compute the diagonal of the Fisher information, mean over images, expectation over the model's own posterior.

    F = 1/N Σ_x Σ_y p(y | x) (∂ log p(y | x) / ∂w)², every square of one sample's gradient, in evaluation mode.

    Args:
        model: the classifier; it is left as it was.
        images: (N, C, H, W) uint8.
        report: receives progress after every class of every batch, as stage "unlearn".

    Returns:
        name of a parameter -> tensor of its shape, on the CPU.

    Source: Golatkar et al., 2020, section 4; the expected-label form.
    """
    weights = {name: value.detach() for name, value in model.named_parameters()}
    sums = {name: torch.zeros_like(value) for name, value in weights.items()}
    device, labels = model.head.weight.device, model.config.num_classes
    numbers = NUMBERS_AT_ONCE.get(device.type, NUMBERS_AT_ONCE["cpu"])
    chunk = max(1, min(CHUNK, numbers // sum(map(Tensor.numel, weights.values())), images_at_once(model, images)))
    batches = images.split(chunk)

    def log_p(changed: dict[str, Tensor], image: Tensor, label: Tensor) -> Tensor:
        logits: Tensor = functional_call(model, changed, (image[None],))
        return logits[0].log_softmax(0)[label]

    scores = vmap(grad(log_p), in_dims=(None, 0, None))
    with evaluating(model), transformable_attention():
        for place, batch in enumerate(batches):
            pixels = to_pixels(batch, device).contiguous()
            with torch.no_grad():
                p = model(pixels).softmax(1)  # (n, C)
            for label in range(labels):
                found = scores(weights, pixels, torch.tensor(label, device=device))
                for name, score in found.items():  # (n, *shape)
                    sums[name] += torch.einsum("n,n...->...", p[:, label], score.square())
                report.progress("unlearn", place * labels + label + 1, len(batches) * labels)
    return {name: value.cpu() / len(images) for name, value in sums.items()}
