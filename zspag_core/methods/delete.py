"""DELETE: forget samples are taught the original's own answers with the forgotten outputs masked."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, ClassVar

from torch.nn import functional as F

from zspag_core.hyperparameters import knob
from zspag_core.methods.base import Unlearned, ZeroShotMethod, timed
from zspag_core.methods.training_loop import Pair, SGDSettings, Steps, TrainingSamples, carry_out, spread
from zspag_core.metrics.predictions import outputs_of
from zspag_core.progress import SILENT, AsStage, Reporter
from zspag_core.pseudo_labels import PseudoLabels, posterior_labels

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor

    from zspag_core.data.dataset import Split
    from zspag_core.models import Classifier
    from zspag_core.runs.context import RunContext


@dataclass(frozen=True, kw_only=True)
class Delete(SGDSettings, ZeroShotMethod):
    """Distil the original into itself on the forget samples, with the forgotten logits of the teacher at -inf.

    The targets are those of `posterior` and of ZS-PAG's defaults; what differs is the optimiser, momentum, and that
    biases and norms move, too.

    Source: Zhou et al., 2025 (DELETE), section 4: mask distillation.
    """

    name: ClassVar[str] = "delete"

    epochs: int = knob(20, "Passes over the forget samples.", minimum=1, maximum=1000, basic=True)
    learning_rate: float = knob(1e-3, "Step length of SGD.", minimum=1e-8, maximum=100.0, basic=True)
    weight_decay: float = knob(0.0, "Pull of the weights towards zero.", minimum=0.0, maximum=1.0)

    def unlearn(
        self,
        model: Classifier,
        forget: Split,
        classes: tuple[int, ...],
        context: RunContext,
    ) -> Unlearned:
        """Ask the original once, as no image is augmented; then distil."""
        run, samples = Unlearned(model), TrainingSamples.only(forget, classes)
        with timed(run.seconds, "labels"):
            targets = masked_answers(model, samples, context.report)
            run.labels = PseudoLabels(targets, "posterior")
        build = partial(
            Steps,
            model,
            samples,
            distillation_loss(targets),
            optimizer=partial(self.sgd, learning_rate=self.learning_rate),
            order=partial(spread, len(forget), 0, self.batch_size),
        )
        return carry_out(run, build, self.epochs, context)


def masked_answers(model: Classifier, samples: TrainingSamples, report: Reporter = SILENT) -> Tensor:
    """Return the original's probabilities (N, classes) of the forget samples, the forgotten classes masked out.

    Args:
        model: the original classifier.
        samples: whose forget samples are asked about.
        report: receives progress after every batch, as stage "labels".
    """
    logits = outputs_of(model, samples.forget.images, report=AsStage(report, "labels")).logits
    return posterior_labels(logits, samples.barred(model.config.num_classes))


def distillation_loss(targets: Tensor) -> Callable[[Tensor, Pair], Tensor]:
    """Return the mean KL(targets ‖ model) of a step's forget samples, in nats.

    Args:
        targets: probabilities of all forget samples, (N, classes).
    """

    def loss(logits: Tensor, pair: Pair) -> Tensor:
        teacher = targets[pair.forget].to(logits.device)
        return F.kl_div(logits.log_softmax(1), teacher, reduction="batchmean")

    return loss
