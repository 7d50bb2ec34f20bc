"""The loop that all relabelling methods share: plain SGD on forget samples with soft labels, projected or not.

No momentum and no weight decay, since either would carry a step out of the projection. Biases, norms, tokens and
positions stay as they are, and BatchNorm stays in eval mode, also where nothing is projected: else a comparison with
the projected method would be confounded.
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass, field
from statistics import fmean
from typing import TYPE_CHECKING, Any, NoReturn

import torch
from torch import Tensor

from zspag_core.batching import images_at_once
from zspag_core.devices import mixed_precision
from zspag_core.errors import Cancelled, UnlearningError
from zspag_core.methods.guard import Guard
from zspag_core.methods.projected_sgd import ProjectedSGD, Pull

if TYPE_CHECKING:
    from zspag_core.data.images import Pictures
    from zspag_core.models import Classifier
    from zspag_core.progress import Reporter
    from zspag_core.proxies import ProxySet
    from zspag_core.runs.context import RunContext
    from zspag_core.subspace import Subspace

AGREEMENT_IMAGES = 256
WATCHED_AT_ONCE = 250
PART = "unlearn"
ROUND_IMAGES = 1024  # after so many samples the rule looks: a class of 5,000 is often forgotten within the first epoch
LATELY = 10  # steps whose mean loss is told within an epoch
RETRIES = 6
STEP_CUT = 3.0
PATIENT_EPOCHS = 10
STEP_GROWTH = 1.5
MOST_GROWTH = STEP_CUT**RETRIES  # what the cuts could take back
FROM_ABOVE = "Steps of {} layers harmed the proxies; begun anew at the original weights with the upper {} alone."


@dataclass(frozen=True)
class StoppingRule:
    """When to stop and how long steps are, seen from inside the zero-shot fence.

    A round that harms the proxies, or in which the descent falls (see :class:`zspag_core.methods.guard.Guard`: the loss
    is no number, ends far above where rounds have ended, or a step is out of all proportion to the weights), is undone
    and made again with a third of the step, up to six times in all; so every retry begins where the last good round
    ended. Where ten epochs have not reached the goal and no round had to be made again, every further epoch takes steps
    half as long again as the one before. When no retry is left the loop ends there.
    With `last_resort` it begins anew where no retry is left, or where shortened steps have not brought it on its way
    within ten epochs: at the original weights, with the first step and six retries, the upper half of the layers alone,
    then half of these, down to one; its steps grow from the next epoch on. Measured in docs/choices.md, "When lower
    layers harm the proxies".

    Without a rule nobody looks at the proxies and all epochs are made, but what falls is undone and made again in the
    same way; when no retry is left, the run is refused.

    Attributes:
        forget_accuracy: percent of a round's forget samples still read as one of the forgotten classes or as they were
            trained, at or below which the goal is reached; a round is an epoch, or 1,024 samples of a longer one. None
            knows no goal: all epochs are made.
        margin: percent of harm to the proxies above which a round counts as harmful, see :class:`_ProxyWatch`. Without
            proxies that cannot be seen, and steps never grow.
        last_resort: whether fewer layers are tried before the loop gives up; only where proxies are watched.
    """

    forget_accuracy: float | None
    margin: float
    last_resort: bool = False


@dataclass(frozen=True)
class Schedule:
    """How the loop goes.

    Attributes:
        learning_rate: of the first steps of plain SGD; they become shorter where the descent falls.
        epochs: passes over the samples at most.
        batch_size: samples per step.
        rule: when to stop earlier; None to make all epochs, see :class:`StoppingRule`.
    """

    learning_rate: float
    epochs: int
    batch_size: int
    rule: StoppingRule | None = None


@dataclass(frozen=True)
class Descent:
    """Outcome of the loop: the model, why it ended, one row an epoch."""

    model: Classifier
    stopped: str
    history: list[dict[str, float]]


def descend(
    model: Classifier,
    images: Pictures,
    labels: Tensor,
    barred: Tensor,
    schedule: Schedule,
    *,
    subspace: Subspace,
    context: RunContext,
    proxies: ProxySet | None = None,
    pull: Pull | None = None,
) -> Descent:
    """Minimise the cross-entropy of soft labels, every step without its protected part.

    Args:
        model: the original classifier; a copy is trained.
        images: (N, C, H, W) uint8 forget samples.
        labels: (N, classes) float soft labels.
        barred: (N, classes) bool, the predictions that mean a sample is not forgotten, see
            :func:`zspag_core.pseudo_labels.barred_labels`.
        schedule: step length, number of steps, stopping rule.
        subspace: protected directions of every layer; layers without free space do not move at all.
        context: draws the order; its cache keeps every epoch that has ended, and the loop goes on after the last one.
        proxies: watched by the rule and reported.
        pull: where the images' features are drawn to besides; None draws them nowhere.

    Raises:
        UnlearningError: no step of the first round was small enough; without a rule, of any round.

    Source: Chen et al., ZS-PAG, equation 5.
    """
    loop = ProjectedSGD(model, subspace, schedule.learning_rate)
    guard = Guard(loop, images, labels, pull, schedule.batch_size)
    walk = _Walk(loop, guard, _ProxyWatch(model, proxies), images, labels, barred, pull)
    steps = math.ceil(len(images) / schedule.batch_size)
    generator, report = context.generator, context.report
    history, stopped = walk.resume(context.cache.recall(PART), generator)
    try:
        if history:
            report.progress("unlearn", len(history) * steps, schedule.epochs * steps)
        while len(history) < schedule.epochs and stopped == "epochs":
            order = torch.randperm(len(images), generator=generator).split(schedule.batch_size)
            steps_report = StepReport(report, walk.loop.model, len(history), steps, schedule.epochs)
            rounds, stopped = walk.advance(model, history, order, schedule, steps_report)
            if not rounds:
                if not history:  # there is nothing to return but the original
                    raise UnlearningError(walk.refusal)
                break
            history.append({"epoch": len(history) + 1.0} | _together(rounds))
            figures = {name: value for name, value in history[-1].items() if name != "epoch"}
            try:
                report.epoch(len(history), schedule.epochs, walk.loop.model, **figures)
            finally:  # also when that is where the run is cancelled
                context.cache.keep(PART, walk.state(history, stopped, generator))
    except Cancelled:
        stopped = "cancelled"
    return Descent(walk.loop.finish(), stopped, history)


@dataclass
class StepReport:
    """Who is told of every step of an epoch.

    Attributes:
        report: who is told.
        model: what is taught.
        made: epochs that have ended.
        steps: of an epoch.
        epochs: how many there will be.
        losses: of the last steps.
    """

    report: Reporter
    model: Classifier
    made: int
    steps: int
    epochs: int
    losses: deque[float] = field(default_factory=lambda: deque(maxlen=LATELY))

    def step(self, number: int, loss: float) -> None:
        """Report step `number` of the epoch."""
        self.losses.append(loss)
        self.report.progress("unlearn", self.made * self.steps + number, self.epochs * self.steps, loss=loss)
        if number < self.steps:
            self.report.partway(self.made + number / self.steps, self.model, loss=fmean(self.losses))


class _Walk:
    """Epochs cut into rounds; a round that does harm is undone and made again with smaller steps."""

    def __init__(
        self,
        loop: ProjectedSGD,
        guard: Guard,
        watch: _ProxyWatch,
        images: Pictures,
        labels: Tensor,
        barred: Tensor,
        pull: Pull | None,
    ) -> None:
        self.loop, self.guard, self.watch = loop, guard, watch
        self.images, self.labels, self.barred, self.pull = images, labels, barred, pull
        self.retries, self.began, self.patient_until = RETRIES, 0, PATIENT_EPOCHS
        self.refusal = ""

    def advance(
        self,
        original: Classifier,
        history: list[dict[str, float]],
        order: tuple[Tensor, ...],
        schedule: Schedule,
        steps_report: StepReport,
    ) -> tuple[list[dict[str, float]], str]:
        """Make the next epoch, with fewer and fewer layers where more do harm; return what :meth:`epoch` returns.

        Where the fewest do no better, the rule ends the loop with what there was before they were tried.
        """
        number, rounds, stopped, left = len(history) + 1, list[dict[str, float]](), "harm", None
        if not self._too_slow(history, schedule):
            rounds, stopped = self.epoch(number, order, schedule, steps_report)
        while stopped == "harm" and self._resort_left(schedule):
            left = left or self.loop.snapshot()
            before = len(self.loop.layers)
            self._begin_anew(original, schedule, number)
            steps_report.report.note(FROM_ABOVE.format(before, len(self.loop.layers)))
            rounds, stopped = self.epoch(number, order, schedule, steps_report)
        if left and not rounds:
            self.loop.restore(left)
        return rounds, "rule" if stopped == "harm" else stopped

    def _resort_left(self, schedule: Schedule) -> bool:
        """Tell whether the rule has fewer layers to try."""
        wanted = schedule.rule is not None and schedule.rule.last_resort
        return wanted and len(self.watch.images) > 0 and len(self.loop.layers) > 1

    def _too_slow(self, history: list[dict[str, float]], schedule: Schedule) -> bool:
        """Tell whether shortened steps, after ten epochs, would not reach the goal with those that are left."""
        rows, goal = history[self.began :], schedule.rule.forget_accuracy if schedule.rule is not None else None
        if goal is None or self.retries == RETRIES or len(rows) < PATIENT_EPOCHS or not self._resort_left(schedule):
            return False
        still = rows[-1]["forget_accuracy"]
        an_epoch = (rows[0]["forget_accuracy"] - still) / (len(rows) - 1)
        return still - goal > an_epoch * (schedule.epochs - len(history))

    def _begin_anew(self, original: Classifier, schedule: Schedule, epoch: int) -> None:
        """Go back to the original weights; from now on only the upper half of the layers moves."""
        self.loop.hold_lower_half(original)
        self.began, self.patient_until = epoch - 1, epoch
        self.retries, self.loop.learning_rate = RETRIES, schedule.learning_rate
        self.guard.begin()

    def state(self, history: list[dict[str, float]], stopped: str, generator: torch.Generator) -> dict[str, Any]:
        """Return everything that the next epoch depends on."""
        return {
            "history": history,
            "stopped": stopped,
            "weights": self.loop.snapshot(),
            "learning_rate": self.loop.learning_rate,
            "retries": self.retries,
            "lowest": self.guard.lowest,
            "began": (self.began, self.patient_until),
            "generator": generator.get_state(),
        }

    def resume(self, state: dict[str, Any] | None, generator: torch.Generator) -> tuple[list[dict[str, float]], str]:
        """Go to where an earlier attempt was, if there was one; return its history and why it had stopped."""
        if state is None:
            return [], "epochs"
        self.began, self.patient_until = state.get("began", (0, PATIENT_EPOCHS))  # an older attempt kept none
        self.loop.hold_all_but(state["weights"])
        self.loop.restore(state["weights"])
        self.loop.learning_rate, self.retries = state["learning_rate"], state["retries"]
        self.guard.lowest = state.get("lowest", self.guard.lowest)  # an older attempt kept none
        generator.set_state(state["generator"])
        return state["history"], state["stopped"]

    def epoch(
        self, number: int, order: tuple[Tensor, ...], schedule: Schedule, steps_report: StepReport
    ) -> tuple[list[dict[str, float]], str]:
        """Make one pass, or the part of it after which the rule is met; return its rounds and why the loop may end.

        Returns:
            One row a round; "epochs" to go on, "rule" where the goal is reached, "harm" where no step was small enough.
        """
        rounds: list[dict[str, float]] = []
        goal = schedule.rule.forget_accuracy if schedule.rule is not None else None
        if goal is not None and number > self.patient_until:
            self._lengthen(schedule.learning_rate)
        size = max(1, ROUND_IMAGES // schedule.batch_size)
        for first in range(0, len(order), size):
            row = self._round(number, order[first : first + size], schedule.rule, steps_report, first)
            if row is None:
                return rounds, "harm"
            rounds.append(row)
            if goal is not None and row["forget_accuracy"] <= goal:
                return rounds, "rule"
        return rounds, "epochs"

    def _lengthen(self, first: float) -> None:
        """Take longer steps from now on, if the proxies are there and have never been harmed; `first` is the first."""
        if self.retries == RETRIES and len(self.watch.images):
            self.loop.learning_rate = min(STEP_GROWTH * self.loop.learning_rate, MOST_GROWTH * first)

    def _round(
        self, epoch: int, order: tuple[Tensor, ...], rule: StoppingRule | None, steps_report: StepReport, done: int
    ) -> dict[str, float] | None:
        """Make some steps; None, and the weights are as before, when no step is small enough for the rule.

        Raises:
            UnlearningError: no step is small enough, and there is no rule that might end the loop.
        """
        before = self.loop.snapshot()
        while True:
            row, harm = self._try(epoch, order, rule, steps_report, done)
            if not harm:
                self.guard.settle()
                return row
            self.loop.restore(before)
            if self.retries == 0:
                self.refusal = harm
                break
            self.retries -= 1
            self.loop.learning_rate /= STEP_CUT
        if rule is None:
            raise UnlearningError(self.refusal)
        return None

    def _try(
        self, epoch: int, order: tuple[Tensor, ...], rule: StoppingRule | None, steps_report: StepReport, done: int
    ) -> tuple[dict[str, float], str]:
        """Make some steps; return their row, and why they may not stand ("" where they may)."""
        rate = self.loop.learning_rate
        row, fault = self._steps(order, steps_report, done)
        row["learning_rate"] = rate
        fault = fault or self.guard.fall()
        if fault:
            return row, f"{fault} in epoch {epoch}; try a learning_rate below {rate:g}"
        row |= self.watch.figures(self.loop.model)
        if rule is None or row.get("proxy_harm", 0.0) <= rule.margin:
            return row, ""
        return row, (
            f"no step was small enough: with a learning rate of {rate:.2g} the harm to the proxies is still "
            f"{row['proxy_harm']:.1f} % and {row['proxy_agreement']:.1f} % of them are read as before; try a larger "
            "energy or stop_margin"
        )

    def _steps(self, order: tuple[Tensor, ...], steps_report: StepReport, done: int) -> tuple[dict[str, float], str]:
        """Take one step a batch, up to a bad one.

        Returns:
            Mean loss, accuracy before each step and the share of the gradient kept; what was wrong with the last step.
        """
        count = sum(map(len, order))
        loss_sum, still, free, fault = 0.0, 0, 0.0, ""
        for number, index in enumerate(order, start=1):
            step = self.loop.step(
                self.images[index], self.labels[index], None if self.pull is None else self.pull[index]
            )
            loss_sum, free = loss_sum + step.loss * len(index), free + step.free * len(index)
            still += int(self.barred[index, step.predicted].sum())
            steps_report.step(done + number, step.loss)
            fault = self.guard.stumble(step.loss, step.length)
            if fault:
                break
        figures = {
            "images": count,
            "loss": loss_sum / count,
            "forget_accuracy": 100 * still / count,
            "free_gradient": free / count,
        }
        return figures, fault


def refuse_loss(loss: float, epoch: int, learning_rate: float) -> NoReturn:
    """Refuse to go on from a loss that is no number.

    Raises:
        UnlearningError: always.
    """
    raise UnlearningError(f"the loss became {loss} in epoch {epoch}; try a learning_rate below {learning_rate:g}")


def _together(rounds: list[dict[str, float]]) -> dict[str, float]:
    """Return one row for an epoch: means over its images, and what was seen at its end."""
    count = sum(row["images"] for row in rounds)
    means = {name: sum(row["images"] * row[name] for row in rounds) / count for name in ("loss", "free_gradient")}
    return rounds[-1] | means | {"images": count}


class _ProxyWatch:
    """How the proxies are read now and were read before; a look that costs no remaining data.

    The harm to a proxy that is read otherwise is the probability that the original gave to the old reading less what it
    gave to the new one: all of it where the original was sure, next to nothing where it wavered between the two. So a
    network whose proxies stand close to its boundaries may answer some of them otherwise without being called harmed;
    where all proxies were reached surely the mean harm is the share of them that is read otherwise, never more.
    """

    def __init__(self, original: Classifier, proxies: ProxySet | None) -> None:
        self.images = proxies.images[:0] if proxies is not None else torch.zeros(0)
        self.at_once = WATCHED_AT_ONCE
        if proxies is not None and len(proxies):
            every = math.ceil(len(proxies) / AGREEMENT_IMAGES)
            self.images = proxies.images[::every].to(original.head.weight.device).float()
            self.at_once = images_at_once(original, self.images, WATCHED_AT_ONCE)
            self.before = self._logits(original).softmax(1)

    def figures(self, model: Classifier) -> dict[str, float]:
        """Return agreement and harm in percent, where there are proxies."""
        if not len(self.images):
            return {}
        now, (sure, then) = self._logits(model).argmax(1), self.before.max(1)
        harm = sure - self.before.gather(1, now[:, None]).squeeze(1)
        return {"proxy_agreement": 100 * float((now == then).float().mean()), "proxy_harm": 100 * float(harm.mean())}

    @torch.inference_mode()
    def _logits(self, model: Classifier) -> Tensor:
        with mixed_precision(self.images.device):
            return torch.cat([model(batch) for batch in self.images.split(self.at_once)]).float()
