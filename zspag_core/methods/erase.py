"""Stage-wise erasure: what tells forgotten classes from the rest is taken off what the last stages write."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar

import torch

from zspag_core.data.images import in_memory
from zspag_core.erasing import (
    Course,
    Disturbance,
    Stage,
    StandIns,
    Written,
    erase,
    last_stages,
    outputs_anew,
    refit,
    rest_statistics,
    synthesise,
)
from zspag_core.errors import Cancelled, UsageError
from zspag_core.hyperparameters import knob
from zspag_core.methods.base import Unlearned, ZeroShotMethod, staged, timed
from zspag_core.progress import AsStage

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import Tensor

    from zspag_core.data.dataset import Split
    from zspag_core.models import Classifier
    from zspag_core.runs.context import RunContext

AS_TRAINED = "as trained"
UNKNOWN = -1
HOW_WRITTEN = "gated after BatchNorm, joined of several parts, or without it"


@dataclass(frozen=True, kw_only=True)
class Erase(ZeroShotMethod):
    """Erase the forgotten classes at the output of the last stages, from below, and refit what comes after each.

    BatchNorm's running means are those of all training images; less the forget images' share they are the remaining
    images'. They guide stand-ins, made of forget images, and say where forget images' mean output is to lie. See
    :mod:`zspag_core.erasing`.
    """

    name: ClassVar[str] = "erase"

    depth: int = knob(2, "Stages that are erased, counted from the last.", minimum=1, maximum=100, basic=True)
    strength: float = knob(
        1.0,
        "Share of the difference of means that is taken away at a stage below the last erased one.",
        minimum=0.0,
        maximum=1.0,
        basic=True,
    )
    last_strength: float = knob(
        0.0, "The same at the last stage, where it costs most; 0 passes it over.", minimum=0.0, maximum=1.0, basic=True
    )
    images: int = knob(
        900,
        "Stand-ins for the remaining images, shared out among their classes; at most so many forget images are used.",
        minimum=10,
        maximum=100_000,
        unit="images",
        basic=True,
    )
    synthesis_steps: int = knob(16, "Gradient steps that make a stand-in.", minimum=1, maximum=1000)
    passes: int = knob(
        16,
        "Passes over forget images and stand-ins after each stage, in which the rest is refitted.",
        minimum=0,
        maximum=1000,
    )
    learning_rate: float = knob(3e-4, "Step length of Adam while refitting.", minimum=1e-8, maximum=1.0)
    alignment: float = knob(
        0.02,
        "Weight, while refitting, of how far forget images lie at later stages from stand-ins that are answered alike.",
        minimum=0.0,
        maximum=1000.0,
        basic=True,
    )
    crop: int = knob(
        UNKNOWN,
        "Largest shift of images in the model's training, in pixels; -1 is as its file says, else 4.",
        minimum=UNKNOWN,
        maximum=256,
        unit="pixels",
    )
    flip: str = knob(
        AS_TRAINED,
        "Whether images were mirrored in the model's training; as its file says, else yes.",
        choices=(AS_TRAINED, "yes", "no"),
    )
    cutout: int = knob(
        UNKNOWN,
        "Side of the square blackened in the model's training, in pixels; -1 is as its file says, else none.",
        minimum=UNKNOWN,
        maximum=1024,
        unit="pixels",
    )

    def knowing(self, about: Mapping[str, Any]) -> Erase:
        """Fill in how training images were changed, where the settings leave it open and the file says it."""
        recipe = about.get("recipe")
        if not isinstance(recipe, dict) or "crop" not in recipe:
            return self
        return replace(
            self,
            crop=int(recipe["crop"]) if self.crop == UNKNOWN else self.crop,
            flip=("yes" if recipe.get("flip") else "no") if self.flip == AS_TRAINED else self.flip,
            cutout=int(recipe.get("cutout", 0)) if self.cutout == UNKNOWN else self.cutout,
        )

    def check(self, model: Classifier, classes: tuple[int, ...]) -> None:
        """Refuse a network whose stages cannot be erased, and more stages than it has."""
        self._stages(model)

    def _stages(self, model: Classifier) -> list[Stage]:
        """Return the last stages, at least one of which is to be erased.

        Raises:
            UsageError: there is none.
        """
        stages = last_stages(model, self.depth)
        if not self._strengths(stages):
            raise UsageError(self._nothing_to_erase(stages))
        return stages

    def unlearn(
        self,
        model: Classifier,
        forget: Split,
        classes: tuple[int, ...],
        context: RunContext,
    ) -> Unlearned:
        """Make stand-ins, then erase and refit stage by stage."""
        stages = self._stages(model)
        self._say_assumptions(stages, context)
        run = Unlearned(model)
        try:
            parts = self._stand_ins(run, model, forget, classes, context)
            with timed(run.seconds, "unlearn"):
                strengths = self._strengths(stages)
                self._erase(run, model, strengths, parts[0], StandIns(*parts[1:]), classes, context)
        except Cancelled:
            run.stopped = "cancelled"
        return run

    @property
    def disturbance(self) -> Disturbance:
        """How training images were changed, as far as it is known."""
        return Disturbance(
            Disturbance.crop if self.crop == UNKNOWN else self.crop, self.flip != "no", max(0, self.cutout)
        )

    def _strengths(self, stages: list[Stage]) -> list[tuple[Written, float]]:
        """Return how much of each stage is erased, from below; stages that are passed over are not there."""
        strengths = [*[self.strength] * (len(stages) - 1), self.last_strength]
        found = [(stage.written, strength) for stage, strength in zip(stages, strengths, strict=True)]
        return [(written, strength) for written, strength in found if written is not None and strength > 0]

    def _nothing_to_erase(self, stages: list[Stage]) -> str:
        """Say that no stage is left to erase, why, and what to do."""
        *below, last = stages
        passed = ", ".join(stage.name for stage in stages if stage.written is None)
        why = f" ({passed} cannot be erased: {HOW_WRITTEN})" if passed else ""
        if any(stage.written for stage in below):
            return f"strength: expected more than 0, got 0 at every stage that can be erased{why}"
        return (
            f"last_strength: expected more than 0, or a larger depth than {self.depth}: of the last {len(stages)} "
            f"stages only {last.name} can be erased, which 0 passes over{why}"
        )

    def _say_assumptions(self, stages: list[Stage], context: RunContext) -> None:
        """Say what nobody said, and what cannot be erased."""
        if passed := [stage.name for stage in stages if stage.written is None]:
            context.report.note(f"not erased: {', '.join(passed)} ({HOW_WRITTEN})")
        taken = self.disturbance
        open_ = {
            "crop": f"moved by up to {taken.crop} pixels" if self.crop == UNKNOWN else "",
            "flip": ("mirrored" if taken.flip else "not mirrored") if self.flip == AS_TRAINED else "",
            "cutout": "nothing blackened" if self.cutout == UNKNOWN else "",
        }
        if assumed := [words for words in open_.values() if words]:
            knobs = ", ".join(name for name, words in open_.items() if words)
            context.report.note(
                "how the model's training images were changed is assumed, since nothing says it: "
                f"{', '.join(assumed)}. What BatchNorm remembers is read by that, and where it is wrong the classes "
                f"may stay: were they changed so, or otherwise (settings {knobs})?"
            )

    def make_ahead(self, model: Classifier, forget: Split, classes: tuple[int, ...], context: RunContext) -> None:
        """Make the stand-ins."""
        self._stages(model)
        self._stand_ins(Unlearned(model), model, forget, classes, context)

    def _stand_ins(
        self, run: Unlearned, model: Classifier, forget: Split, classes: tuple[int, ...], context: RunContext
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Return what `_prepare` does, from the cache where it is there, and note its time."""
        return staged(run, context, "proxies", lambda: self._prepare(model, forget, classes, context))

    def _prepare(
        self, model: Classifier, forget: Split, classes: tuple[int, ...], context: RunContext
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Return the forget images that are used, stand-ins and the classes that these stand in for."""
        generator, share = context.generator, _share(model, classes)
        drawn = torch.randperm(len(forget), generator=generator)[: self.images]
        images = in_memory(forget.images[drawn])
        statistics = rest_statistics(model, images, self.disturbance, share=share, generator=generator)
        made = synthesise(
            model,
            images[torch.arange(self.images) % len(images)],
            statistics,
            _remaining(model, classes),
            steps=self.synthesis_steps,
            generator=generator,
            report=context.report,
        )
        return images, made.images, made.labels

    def _erase(
        self,
        run: Unlearned,
        model: Classifier,
        strengths: list[tuple[Written, float]],
        images: Tensor,
        stand_ins: StandIns,
        classes: tuple[int, ...],
        context: RunContext,
    ) -> None:
        """Erase the last stages, each followed by a refit, and log each as an epoch."""
        course = Course(self.disturbance, self.passes, self.learning_rate, self.alignment)
        remaining = _remaining(model, classes)
        reached = outputs_anew(model, remaining)
        steps = course.steps(len(images) + len(stand_ins.images))
        for number, (stage, strength) in enumerate(strengths, start=1):
            erased = erase(
                reached,
                stage,
                images,
                stand_ins,
                strength=strength,
                share=_share(model, classes) if number == 1 else None,
                disturbance=self.disturbance,
                generator=context.generator,
            )
            reached, loss = refit(
                model,
                erased,
                stage,
                images,
                stand_ins,
                remaining,
                course,
                generator=context.generator,
                report=AsStage(context.report, "unlearn", (number - 1) * steps, len(strengths) * steps),
            )
            run.model = reached
            run.history.append({"epoch": number, "loss": loss})
            context.report.epoch(number, len(strengths), reached, loss=loss)


def _share(model: Classifier, classes: tuple[int, ...]) -> float:
    """Return the share of the training data that the forgotten classes were, if all classes had equally many images."""
    return len(classes) / model.config.num_classes


def _remaining(model: Classifier, classes: tuple[int, ...]) -> list[int]:
    return [k for k in range(model.config.num_classes) if k not in classes]
