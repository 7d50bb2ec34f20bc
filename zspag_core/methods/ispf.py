"""ISPF: knowledge transfer by invented images that wastes less, by what is invented and how answers are filtered."""

from __future__ import annotations

import math
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from zspag_core.devices import chance, mixed_precision, plain_attention
from zspag_core.hyperparameters import knob
from zspag_core.methods.base import Unlearned, ZeroShotMethod
from zspag_core.methods.gkt import NOISE, Distilling, disagreement
from zspag_core.methods.training_loop import SGDSettings, carry_out

if TYPE_CHECKING:
    from collections.abc import Iterator

    from zspag_core.data.dataset import Split
    from zspag_core.methods.descent import StepReport
    from zspag_core.models import Classifier
    from zspag_core.runs.context import RunContext

INVENTOR_RATE, INVENTOR_BETAS = 1e-3, (0.5, 0.999)
LAST_RATE = 2e-4
HALF_PERIOD = 200  # epochs in which the student's step falls from its length to LAST_RATE
TINY = 1e-12


@dataclass(frozen=True, kw_only=True)
class ISPF(SGDSettings, ZeroShotMethod):
    """Distil the original into a fresh network of the same kind, through images that a generator invents.

    Inhibited synthesis: the generator looks for images on which student and original disagree about remaining classes
    and agree about forgotten ones. Post-filter: no image is thrown away; where the original finds a forgotten class
    likelier than the threshold, that logit becomes the image's least, and what it had more is shared out evenly among
    the remaining classes. No real image is used, not even of the forgotten classes.

    Source: Zhang et al., 2025 (ISPF), section 4.
    """

    name: ClassVar[str] = "ispf"

    epochs: int = knob(20, "Epochs, of several rounds each.", minimum=1, maximum=100_000, basic=True)
    rounds: int = knob(5, "Steps of the generator in an epoch.", minimum=1, maximum=100_000, basic=True)
    student_steps: int = knob(
        10, "Steps of the student, on a batch of its own each, after one of the generator.", minimum=1, maximum=1000
    )
    warmup: int = knob(2, "Epochs in which the generator learns alone, before the others.", minimum=0, maximum=10_000)
    learning_rate: float = knob(0.05, "SGD's step of the student.", minimum=1e-7, maximum=100.0, basic=True)
    batch_size: int = knob(128, "Images invented at once.", minimum=2, maximum=8192, unit="images")
    weight_decay: float = knob(1e-4, "Pull of the weights towards zero.", minimum=0.0, maximum=1.0)
    threshold: float = knob(
        0.01,
        "Probability of a forgotten class above which the original's answer is filtered.",
        minimum=0.0,
        maximum=1.0,
        basic=True,
    )

    def unlearn(
        self,
        model: Classifier,
        forget: Split,
        classes: tuple[int, ...],
        context: RunContext,
    ) -> Unlearned:
        """Distil; the forget samples are not looked at."""
        build = partial(Filtering, self, model, classes, context.generator)
        epochs = self.warmup + self.epochs
        return carry_out(Unlearned(model), build, epochs, context)


class Filtering(Distilling):
    """Student and generator in training."""

    def __init__(
        self, settings: ISPF, original: Classifier, classes: tuple[int, ...], generator: torch.Generator
    ) -> None:
        """Build student and generator, one with SGD, one with Adam."""
        super().__init__(original, classes, generator, settings.learning_rate)
        self.settings = settings
        self.optimizers = {
            "student": settings.sgd(list(self.model.parameters()), settings.learning_rate),
            "inventor": torch.optim.Adam(self.inventor.parameters(), INVENTOR_RATE, INVENTOR_BETAS),
        }
        self.steps = settings.rounds

    def epoch(self, number: int, generator: torch.Generator, steps: StepReport) -> dict[str, float]:
        """Make an epoch's rounds; return the mean loss of the student's steps, of the generator's while that is alone.

        Raises:
            UnlearningError: a loss became NaN or infinite.
        """
        alone, losses = number <= self.settings.warmup, []
        self._slow_down(number - self.settings.warmup)
        for place_ in range(1, self.steps + 1):
            losses.append(self._round(generator, number, alone=alone))
            steps.step(place_, losses[-1])
        self.model.eval()
        return {"loss": sum(losses) / len(losses)}

    def _slow_down(self, number: int) -> None:
        """Set the student's step length for an epoch of its own, counted from 1, by a cosine."""
        turn = (1 + math.cos(math.pi * min(max(number - 1, 0), HALF_PERIOD) / HALF_PERIOD)) / 2
        first = self.settings.learning_rate
        for group in self.optimizers["student"].param_groups:
            group["lr"] = min(LAST_RATE, first) + (first - min(LAST_RATE, first)) * turn

    def _round(self, generator: torch.Generator, number: int, *, alone: bool) -> float:
        """Take one step of the generator, then those of the student; return the mean loss of the last to learn."""
        invented = self._invent(self._noise(generator), generator)
        self.check(invented, number)
        if alone:
            return invented
        losses = [self._imitate(self._noise(generator), generator) for _ in range(self.settings.student_steps)]
        for loss in losses:
            self.check(loss, number)
        return sum(losses) / len(losses)

    def _noise(self, generator: torch.Generator) -> Tensor:
        return torch.randn(self.settings.batch_size, NOISE, generator=generator).to(self.device)

    def _invent(self, noise: Tensor, generator: torch.Generator) -> float:
        """Take a step of the generator; return its loss."""
        self.model.eval()
        self.inventor.train()
        with chance(int(torch.randint(2**31, (), generator=generator)), self.device):
            images = self.inventor(noise)
            with apart(self.teacher) as strange, mixed_precision(self.device), plain_attention(self.device):
                teacher_logits, answer = self.teacher(images).float(), self.model(images).float()
            loss = synthesis_loss(teacher_logits, answer, self.classes) + sum(
                strange, torch.zeros((), device=self.device)
            )
            self.optimizers["inventor"].zero_grad(set_to_none=True)
            loss.backward()
            self.optimizers["inventor"].step()
        return loss.item()

    def _imitate(self, noise: Tensor, generator: torch.Generator) -> float:
        """Take a step of the student on images of its own; return its loss."""
        self.inventor.eval()
        with torch.no_grad(), mixed_precision(self.device), plain_attention(self.device):
            images = self.inventor(noise)
            teacher_logits = filtered(self.teacher(images).float(), self.classes, self.settings.threshold)
        self.model.train()
        with chance(int(torch.randint(2**31, (), generator=generator)), self.device):
            with mixed_precision(self.device), plain_attention(self.device):
                answer = self.model(images)
            loss = disagreement(answer.float(), teacher_logits)
            self.optimizers["student"].zero_grad(set_to_none=True)
            loss.backward()
            self.optimizers["student"].step()
        return loss.item()


def synthesis_loss(teacher_logits: Tensor, answer: Tensor, classes: list[int]) -> Tensor:
    """Return what the generator minimises, beside the statistics of layers.

    Images are to be sure in the original's eyes, of all classes alike, apart in student and original about remaining
    classes and alike about forgotten ones.

    Args:
        teacher_logits: (N, classes), the original's logits.
        answer: (N, classes), the student's.
        classes: the forgotten ones.
    """
    sure = F.cross_entropy(teacher_logits, teacher_logits.argmax(1))
    share = teacher_logits.softmax(1).mean(0)
    balance = (share * share.clamp_min(TINY).log()).sum()
    terms = teacher_logits.softmax(1) * (teacher_logits.log_softmax(1) - answer.log_softmax(1))
    sign = torch.full((teacher_logits.shape[1],), -1.0, device=teacher_logits.device)
    sign[classes] = 1.0
    return sure + balance + (sign * terms).sum(1).mean()


def filtered(logits: Tensor, classes: list[int], threshold: float) -> Tensor:
    """Return the original's logits (N, classes) with what they say of forgotten classes shared out among the others.

    Args:
        logits: (N, classes).
        classes: the forgotten ones.
        threshold: only of those with a larger probability.
    """
    forgotten = torch.zeros_like(logits, dtype=torch.bool)
    forgotten[:, classes] = True
    likely = forgotten & (logits.softmax(1) > threshold)
    least = logits.amin(1, keepdim=True)
    surplus = torch.where(likely, logits - least, 0.0).sum(1, keepdim=True)
    shared = logits + surplus / (logits.shape[1] - len(classes))
    return torch.where(likely, least, torch.where(forgotten, logits, shared))


@contextmanager
def apart(model: nn.Module) -> Iterator[list[Tensor]]:
    """Collect by how much the inputs of each BatchNorm differ from what it saw in training; hooks are removed.

    That is ‖mean - running mean‖ + ‖variance - running variance‖, one number a layer.

    Source: Yin et al., 2020 (DeepInversion), equation 4.
    """
    found: list[Tensor] = []

    def measure(norm: nn.Module, inputs: tuple[Tensor, ...], _output: Tensor) -> None:
        assert isinstance(norm, nn.BatchNorm2d), "the hook sits on no other layer"  # noqa: S101
        assert norm.running_mean is not None and norm.running_var is not None, "chosen so"  # noqa: PT018, S101
        values = inputs[0].float()
        mean, variance = values.mean((0, 2, 3)), values.var((0, 2, 3), unbiased=False)
        found.append((mean - norm.running_mean).norm() + (variance - norm.running_var).norm())

    with ExitStack() as hooks:
        for layer in model.modules():
            if isinstance(layer, nn.BatchNorm2d) and layer.running_mean is not None:
                hooks.enter_context(layer.register_forward_hook(measure))
        yield found
