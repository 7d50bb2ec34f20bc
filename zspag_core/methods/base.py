"""What an unlearning method is: a frozen dataclass of hyper-parameters with one function.

There are two kinds, and the difference is the zero-shot fence: :class:`ZeroShotMethod` is called with the model and the
forget samples and has no parameter that could take anything else; :class:`RetainMethod` needs remaining data and says
so.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Self, TypeVar

from zspag_core.progress import worked_clock

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from zspag_core.data.dataset import Split
    from zspag_core.methods.descent import Descent
    from zspag_core.models import Classifier
    from zspag_core.proxies import ProxySet
    from zspag_core.pseudo_labels import PseudoLabels
    from zspag_core.runs.context import RunContext
    from zspag_core.subspace import Subspace

Made = TypeVar("Made")


@dataclass
class Unlearned:
    """What a method returns.

    Attributes:
        model: the unlearned classifier, a new one; the model that was given is as it was.
        stopped: "epochs" (all were made), "rule" (the stopping rule was met) or "cancelled".
        history: per epoch, its number, loss and what else the method could see.
        seconds: stage -> time, without pauses.
        proxies: the proxies, where the method makes them.
        labels: the pseudo-labels, where the method chooses them.
        subspace: the protected directions, where the method projects.
        rewritten: layers that were given new weights afterwards, whatever was protected there, by name.
    """

    model: Classifier
    stopped: str = "epochs"
    history: list[dict[str, float]] = field(default_factory=list)
    seconds: dict[str, float] = field(default_factory=dict)
    proxies: ProxySet | None = None
    labels: PseudoLabels | None = None
    subspace: Subspace | None = None
    rewritten: tuple[str, ...] = ()

    def end(self, descent: Descent) -> Unlearned:
        """Take over what a loop came to."""
        self.model, self.stopped, self.history = descent.model, descent.stopped, descent.history
        return self


@dataclass(frozen=True, kw_only=True)
class Method(ABC):
    """Base of all methods; the fields of a subclass, declared with `knob`, are its hyper-parameters."""

    name: ClassVar[str]
    needs_retain: ClassVar[bool]

    @classmethod
    def suited(cls, about: Mapping[str, Any]) -> dict[str, Any]:
        """Return settings that a checkpoint's header suggests in the place of the defaults, where nobody states them.

        Args:
            about: of the original model, see :class:`zspag_core.checkpoints.Checkpoint`.
        """
        return {}

    def unsaid(self, about: Mapping[str, Any]) -> str:
        """Say what was assumed for want of words in a checkpoint's header, as a sentence; empty where nothing was."""
        return ""

    def knowing(self, about: Mapping[str, Any]) -> Self:
        """Return the method with settings filled in that were left open and that a checkpoint's header knows.

        Args:
            about: of the original model, see :class:`zspag_core.checkpoints.Checkpoint`.
        """
        return self

    def check(self, model: Classifier, classes: tuple[int, ...]) -> None:  # noqa: B027 - most have nothing to refuse
        """Refuse, before any work, a model or classes that these settings cannot do.

        Args:
            model: the original classifier.
            classes: the forgotten classes.

        Raises:
            UsageError: it cannot be done.
        """


@dataclass(frozen=True, kw_only=True)
class ZeroShotMethod(Method):
    """A method that sees the model and the forget samples and nothing else."""

    needs_retain: ClassVar[bool] = False

    @abstractmethod
    def unlearn(
        self,
        model: Classifier,
        forget: Split,
        classes: tuple[int, ...],
        context: RunContext,
    ) -> Unlearned:
        """Return a model that has forgotten some classes.

        Args:
            model: the original classifier, in eval mode, on the device to compute on; it is not changed.
            forget: training samples of the forgotten classes, under the labels that the model was trained with: those
                of a planted backdoor say its target.
            classes: the forgotten classes.
            context: source of randomness, who is told, and what an earlier attempt at the very same has finished.
        """

    def make_ahead(self, model: Classifier, forget: Split, classes: tuple[int, ...], context: RunContext) -> None:
        """Make the first stages of `unlearn`, as far as runs may share them, and keep them in the context's cache.

        Raises:
            Cancelled: the reporter cancelled; finished stages are kept.
        """


@dataclass(frozen=True, kw_only=True)
class RetainMethod(Method):
    """A method that also needs remaining data."""

    needs_retain: ClassVar[bool] = True

    @abstractmethod
    def unlearn(
        self,
        model: Classifier,
        forget: Split,
        retain: Split,
        classes: tuple[int, ...],
        context: RunContext,
    ) -> Unlearned:
        """Return a model that has forgotten some classes; `retain` holds training samples of the other classes."""


def call_method(
    method: Method,
    model: Classifier,
    forget: Split,
    classes: tuple[int, ...],
    context: RunContext,
    *,
    retain: Callable[[], Split],
) -> Unlearned:
    """Call a method across the zero-shot fence: only a method that needs remaining data receives any.

    Args:
        method: with its settings.
        model: the original classifier.
        forget: training samples of the forgotten classes.
        classes: the forgotten classes.
        context: as in :meth:`ZeroShotMethod.unlearn`.
        retain: returns training samples of the other classes; not called for a zero-shot method.
    """
    if isinstance(method, RetainMethod):
        return method.unlearn(model, forget, retain(), classes, context)
    if not isinstance(method, ZeroShotMethod):
        raise TypeError(f"expected a zero-shot or a retain method, got {type(method).__name__}")
    return method.unlearn(model, forget, classes, context)


@contextmanager
def timed(seconds: dict[str, float], stage: str) -> Iterator[None]:
    """Add the time of the block, pauses left out, to `seconds[stage]`."""
    start = worked_clock()
    try:
        yield
    finally:
        seconds[stage] = seconds.get(stage, 0.0) + worked_clock() - start


def staged(run: Unlearned, context: RunContext, stage: str, make: Callable[[], Made]) -> Made:
    """Return the outcome of a stage and note its time: from the cache where an earlier attempt finished it, else made.

    Args:
        run: whose seconds are filled in.
        context: its generator stands afterwards where the stage left it; its reporter is told of a stage that was
            finished earlier.
        stage: its name.
        make: carries the stage out, and tells of it.
    """
    known = context.cache.recall(stage)
    if known is None:
        with timed(run.seconds, stage):
            value = make()
        state = context.generator.get_state()
        context.cache.keep(stage, {"value": value, "generator": state, "seconds": run.seconds[stage]})
        return value
    context.report.progress(stage, 1, 1)
    if context.cache.shares(stage):
        context.report.note(f"{stage}: taken over, made earlier with the same model, images and settings")
    context.generator.set_state(known["generator"])
    run.seconds[stage] = known["seconds"]
    remembered: Made = known["value"]
    return remembered
