"""The reference: the same network trained from scratch without the forgotten classes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from zspag_core.hyperparameters import configure, knob, values
from zspag_core.methods.base import RetainMethod, Unlearned, timed
from zspag_core.progress import AsStage
from zspag_core.recipes import Recipe, first_recipe, retrain_settings

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from zspag_core.data.dataset import Split
    from zspag_core.models import Classifier
    from zspag_core.runs.context import RunContext


@dataclass(frozen=True, kw_only=True)
class Retrain(RetainMethod):
    """Train from scratch on remaining data; what perfect unlearning would look like, at full cost."""

    name: ClassVar[str] = "retrain"

    epochs: int = knob(20, "Passes over the remaining training images.", minimum=1, maximum=1000, basic=True)
    batch_size: int = knob(128, "Images per step.", minimum=1, maximum=8192, unit="images")
    optimizer: str = knob("sgd", "sgd for convolutions, adamw for transformers.", choices=("sgd", "adamw"))
    learning_rate: float = knob(0.1, "Peak of the one-cycle schedule.", minimum=1e-6, maximum=10.0, basic=True)
    weight_decay: float = knob(5e-4, "Pull of the weights towards zero.", minimum=0.0, maximum=1.0)
    crop: int = knob(4, "Largest random shift of a training image.", minimum=0, maximum=64, unit="px")
    flip: bool = knob(default=True, help="Mirror half of the training images; off for digits and text.")

    @classmethod
    def suited(cls, about: Mapping[str, Any]) -> dict[str, Any]:
        """Return the recipe by which the model was trained, as far as it is one of these settings."""
        return retrain_settings(first_recipe(about))

    def unsaid(self, about: Mapping[str, Any]) -> str:
        """Say that the model's file names no recipe, where the defaults stand for it."""
        if self.suited(about) or self != type(self)():
            return ""
        changed = f"moved by up to {self.crop} pixels{', mirrored' if self.flip else ''}"
        return (
            f"the model's file does not say how it was trained; it is retrained for {self.epochs} epochs by "
            f"{self.optimizer} at {self.learning_rate:g}, on images {changed}: where it was trained otherwise, say so"
        )

    def unlearn(
        self,
        model: Classifier,
        forget: Split,
        retain: Split,
        classes: tuple[int, ...],
        context: RunContext,
    ) -> Unlearned:
        """Train a network of the same config on the remaining data."""
        from zspag_core.models import fresh_like
        from zspag_core.models.foreign import ForeignClassifier
        from zspag_core.training.loop import train

        run = Unlearned(model)
        recipe = configure(Recipe, values(self) | {"seed": context.generator.initial_seed()})
        with timed(run.seconds, "unlearn"):
            trained = train(
                model.config,
                retain,
                recipe,
                device=model.head.weight.device,
                start=fresh_like(model, recipe.seed) if isinstance(model, ForeignClassifier) else None,
                state_path=context.cache.file("train"),
                report=AsStage(context.report, "unlearn"),
            )
        run.model, run.stopped = trained.model, trained.stopped
        run.history = [{"epoch": row["epoch"], "loss": row["loss"]} for row in trained.history]
        return run
