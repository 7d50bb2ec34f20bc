"""Gated knowledge transfer: a fresh student learns from the original on invented images, none of a forgotten class."""

from __future__ import annotations

import copy
import math
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from zspag_core.devices import chance, mixed_precision, place, plain_attention
from zspag_core.errors import UnlearningError
from zspag_core.hyperparameters import knob
from zspag_core.methods.base import Unlearned, ZeroShotMethod
from zspag_core.methods.descent import StepReport, refuse_loss
from zspag_core.methods.training_loop import Training, carry_out
from zspag_core.models import fresh_like

if TYPE_CHECKING:
    from collections.abc import Iterator

    from zspag_core.data.dataset import Split
    from zspag_core.models import Classifier, ModelConfig
    from zspag_core.runs.context import RunContext

NOISE = 128
WIDTH = 128
CLIP = 5.0  # largest norm of a gradient


@dataclass(frozen=True, kw_only=True)
class GKT(ZeroShotMethod):
    """Distil the original into a fresh network of the same kind, through images that a generator invents.

    The generator looks for images on which student and original disagree; those that the original takes for a
    forgotten class with more than `gate` are thrown away. No real image is used, not even of the forgotten classes.

    Source: Chundawat et al., 2023 (Zero-shot machine unlearning), section 4; Micaelli and Storkey, 2019.
    """

    name: ClassVar[str] = "gkt"

    epochs: int = knob(10, "Rounds of invented batches.", minimum=1, maximum=1000, basic=True)
    batches: int = knob(30, "Invented batches per round.", minimum=1, maximum=100_000, basic=True)
    batch_size: int = knob(128, "Images invented at once.", minimum=2, maximum=8192, unit="images")
    student_steps: int = knob(
        10, "Steps of the student on each batch; the generator makes one.", minimum=1, maximum=1000
    )
    learning_rate: float = knob(1e-3, "Adam's step, of student and generator.", minimum=1e-7, maximum=1.0, basic=True)
    gate: float = knob(
        0.01,
        "Largest probability of a forgotten class that an invented image may have.",
        minimum=0.0,
        maximum=1.0,
        basic=True,
    )
    attention: float = knob(
        250.0, "Weight of looking at the same places as the original, beside answering alike.", minimum=0.0, maximum=1e6
    )

    def unlearn(
        self,
        model: Classifier,
        forget: Split,
        classes: tuple[int, ...],
        context: RunContext,
    ) -> Unlearned:
        """Distil; the forget samples are not looked at."""
        build = partial(Transfer, self, model, classes, context.generator)
        return carry_out(Unlearned(model), build, self.epochs, context)


class Inventor(nn.Module):
    """The generator: noise to images, by two doublings of the resolution.

    Source: Micaelli and Storkey, 2019, appendix; with a sigmoid at the end, since images are pixels here.
    """

    def __init__(self, config: ModelConfig) -> None:
        """Build the network for images of a model's size."""
        super().__init__()
        size = config.image_size
        self.start = math.ceil(size / 4)
        self.spread = nn.Linear(NOISE, WIDTH * self.start**2)
        self.layers = nn.Sequential(
            nn.BatchNorm2d(WIDTH),
            nn.Upsample(size=math.ceil(size / 2)),
            nn.Conv2d(WIDTH, WIDTH, 3, padding=1),
            nn.BatchNorm2d(WIDTH),
            nn.LeakyReLU(0.2),
            nn.Upsample(size=size),
            nn.Conv2d(WIDTH, WIDTH // 2, 3, padding=1),
            nn.BatchNorm2d(WIDTH // 2),
            nn.LeakyReLU(0.2),
            nn.Conv2d(WIDTH // 2, config.channels, 3, padding=1),
            nn.BatchNorm2d(config.channels),
        )

    def forward(self, noise: Tensor) -> Tensor:
        """Map (N, 128) to images (N, C, H, W) in [0, 1]."""
        images: Tensor = self.layers(self.spread(noise).unflatten(1, (WIDTH, self.start, self.start)))
        return torch.sigmoid(2 * images.float())


class Distilling(Training):
    """A student of the original's kind and a generator of images, both from fresh weights; the original is only asked.

    Attributes:
        optimizers: of "student" and "inventor", set by the subclass.
    """

    optimizers: dict[str, torch.optim.Optimizer]

    def __init__(
        self, original: Classifier, classes: tuple[int, ...], generator: torch.Generator, learning_rate: float
    ) -> None:
        """Build student and generator; `learning_rate` is named where a loss is refused."""
        self.classes, self.learning_rate = list(classes), learning_rate
        self.device = original.head.weight.device
        self.teacher = copy.deepcopy(original).eval().requires_grad_(False)  # noqa: FBT003 - torch's signature
        seed = int(torch.randint(2**31, (), generator=generator))
        self.model = place(fresh_like(original, seed), self.device).eval()
        with chance(seed, torch.device("cpu")):
            self.inventor = Inventor(original.config).to(self.device)

    def state(self) -> dict[str, Any]:
        """Return copies of both networks and of what their optimisers remember."""
        networks = {"student": self.model, "inventor": self.inventor}
        return {
            "weights": {name: copy.deepcopy(dict(network.state_dict())) for name, network in networks.items()},
            "optimizers": {name: copy.deepcopy(one.state_dict()) for name, one in self.optimizers.items()},
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Put them back."""
        self.model.load_state_dict(state["weights"]["student"])
        self.inventor.load_state_dict(state["weights"]["inventor"])
        for name, one in self.optimizers.items():
            one.load_state_dict(state["optimizers"][name])

    def check(self, loss: float, number: int) -> None:
        """Refuse to go on from a loss that is no number.

        Raises:
            UnlearningError: it is NaN or infinite.
        """
        if not math.isfinite(loss):
            refuse_loss(loss, number, self.learning_rate)


class Transfer(Distilling):
    """The work of one round: invented batches, one generator step and several student steps on each."""

    def __init__(
        self, settings: GKT, original: Classifier, classes: tuple[int, ...], generator: torch.Generator
    ) -> None:
        """Build student and generator, both with Adam."""
        super().__init__(original, classes, generator, settings.learning_rate)
        self.settings = settings
        self.optimizers = {
            "student": torch.optim.Adam(self.model.parameters(), settings.learning_rate),
            "inventor": torch.optim.Adam(self.inventor.parameters(), settings.learning_rate),
        }
        self.steps = settings.batches

    def epoch(self, number: int, generator: torch.Generator, steps: StepReport) -> dict[str, float]:
        """Make one round; return the mean loss of the student's steps and the percent of images that passed the gate.

        Raises:
            UnlearningError: a loss became NaN or infinite, or no image passed.
        """
        losses, passed = [], 0
        for batch in range(1, self.steps + 1):
            noise = torch.randn(self.settings.batch_size, NOISE, generator=generator).to(self.device)
            with chance(int(torch.randint(2**31, (), generator=generator)), self.device):
                count, loss = self._batch(noise, number)
            passed += count
            losses += [loss] if loss is not None else []
            steps.step(batch, losses[-1] if losses else 0.0)
        self.model.eval()
        if not losses:
            raise UnlearningError(
                f"no invented image passed the gate in epoch {number}: the original took every one for a forgotten "
                f"class; try a gate above {self.settings.gate:g}"
            )
        return {"loss": sum(losses) / len(losses), "passed": 100 * passed / (self.steps * self.settings.batch_size)}

    def _batch(self, noise: Tensor, number: int) -> tuple[int, float | None]:
        """Use one batch; return how many images passed and the student's loss, None where too few did."""
        self.check(self._provoke(noise), number)
        images = self._invent(noise)
        if len(images) < 2:  # BatchNorm in training needs two
            return len(images), None
        loss = self._imitate(images)
        self.check(loss, number)
        return len(images), loss

    def gated(self, logits: Tensor) -> Tensor:
        """Return which images, (N,) bool, may be used: each forgotten class has at most the gate's probability."""
        return (logits.float().softmax(1)[:, self.classes] <= self.settings.gate).all(1)

    def _provoke(self, noise: Tensor) -> float:
        """Take a generator step towards images on which student and original disagree; return minus the disagreement.

        Where no image passes the gate, the step goes away from the forgotten classes instead, lest there never be any.
        """
        self.model.train()
        images = self.inventor(noise)
        with mixed_precision(self.device), plain_attention(self.device):
            teacher_logits = self.teacher(images).float()
            open_ = self.gated(teacher_logits.detach())
            if int(open_.sum()) > 1:
                loss = -disagreement(self.model(images[open_]).float(), teacher_logits[open_])
            else:
                loss = self._distance(teacher_logits)
        return self._step("inventor", self.inventor, loss)

    def _distance(self, logits: Tensor) -> Tensor:
        """Return by how much the forgotten classes lead the others, in nats, mean over images."""
        rest = [k for k in range(logits.shape[1]) if k not in self.classes]
        return (logits[:, self.classes].logsumexp(1) - logits[:, rest].logsumexp(1)).mean()

    @torch.no_grad()
    def _invent(self, noise: Tensor) -> Tensor:
        """Return the invented images that pass the gate, (n, C, H, W) in [0, 1]."""
        images: Tensor = self.inventor(noise)
        with mixed_precision(self.device), plain_attention(self.device):
            return images[self.gated(self.teacher(images))]

    def _imitate(self, images: Tensor) -> float:
        """Take the student's steps on one batch; return the mean loss."""
        with torch.no_grad(), capturing(self.teacher) as seen, mixed_precision(self.device):
            teacher_logits = self.teacher(images).float()
        where, total = attention_maps(self.teacher, seen), 0.0
        self.model.train()
        for _ in range(self.settings.student_steps):
            with capturing(self.model) as seen, mixed_precision(self.device), plain_attention(self.device):
                answer = self.model(images).float()
            loss = disagreement(answer, teacher_logits)
            for mine, theirs in zip(attention_maps(self.model, seen), where, strict=True):
                loss = loss + self.settings.attention * (mine - theirs).square().mean()
            total += self._step("student", self.model, loss)
        return total / self.settings.student_steps

    def _step(self, name: str, network: nn.Module, loss: Tensor) -> float:
        """Take one step of Adam for a network; return the loss."""
        for adam in self.optimizers.values():
            adam.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), CLIP)
        self.optimizers[name].step()
        return loss.item()


def disagreement(logits: Tensor, teacher_logits: Tensor) -> Tensor:
    """Return KL(original ‖ student) of logits (N, C), mean over images, in nats."""
    return F.kl_div(logits.log_softmax(1), teacher_logits.log_softmax(1), reduction="batchmean", log_target=True)


@contextmanager
def capturing(model: Classifier) -> Iterator[list[Tensor]]:
    """Collect the outputs of the layers that maps are drawn of; hooks are removed even after an error."""
    outputs: list[Tensor] = []
    with ExitStack() as hooks:
        for layer in model.cam_layers.values():
            hooks.enter_context(layer.register_forward_hook(lambda _module, _inputs, output: outputs.append(output)))
        yield outputs


def attention_maps(model: Classifier, outputs: list[Tensor]) -> list[Tensor]:
    """Return where each layer is active: the mean square over its channels, (N, h * w), of unit length.

    Source: Zagoruyko and Komodakis, 2017, section 3.1.
    """
    reshape = model.cam_reshape or (lambda output: output)
    return [F.normalize(reshape(output).float().square().mean(1).flatten(1), dim=1) for output in outputs]
