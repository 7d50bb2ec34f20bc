"""Filling one row: tune, unlearn, grade, keep."""

from __future__ import annotations

import time
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any

import torch

from zspag_core.errors import Cancelled, UnlearningError, UsageError
from zspag_core.hyperparameters import configure, values
from zspag_core.methods import Unlearned, find_method
from zspag_core.methods.base import call_method
from zspag_core.methods.shared_stages import DEPENDS, SharedStages
from zspag_core.metrics.accuracy import accuracy
from zspag_core.metrics.backdoor import Backdoor, read_triggered, triggered_images
from zspag_core.metrics.deep import relearn
from zspag_core.metrics.depth.ends import UNLEARNED
from zspag_core.metrics.depth.measure import measure_quickly
from zspag_core.metrics.depth.row import row_depth
from zspag_core.metrics.grade import grade
from zspag_core.metrics.predictions import logits_of, outputs_of_pixels
from zspag_core.reproduce.comparison import BLIND, Outcome, Row
from zspag_core.reproduce.rows import needs_retain
from zspag_core.reproduce.subject import GivenSamples, Subject
from zspag_core.reproduce.tuning import Trial, tune
from zspag_core.runs.context import RunContext
from zspag_core.runs.stage_cache import NO_CACHE, FileStageCache, StageCache
from zspag_core.tuning.yardstick import kept, make_yardstick

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from zspag_core.methods import Method
    from zspag_core.models import Classifier
    from zspag_core.proxies import ProxySet
    from zspag_core.reproduce.context import Context
    from zspag_core.reproduce.eta import Eta
    from zspag_core.reproduce.experiment import Experiment
    from zspag_core.reproduce.row_plan import RowPlan

TUNING_SEED = 0
DEPTH_SEED = 0
ORIGINAL = "original"
KEPT_STAGES = 12


class RowFiller:
    """Fills the rows of one comparison."""

    def __init__(self, context: Context, experiment: Experiment, subject: Subject, eta: Eta) -> None:
        """Start with no stage that cells share."""
        self.context, self.experiment, self.subject, self.eta = context, experiment, subject, eta
        self.scale = experiment.scale or context.scale
        self.kept: dict[str, dict[Any, Any]] = {"tuning": {}, "final": {}}
        self.known: float | None = None

    def row(self, plan: RowPlan) -> Row:
        """Tune where that is asked for, then run every seed."""
        settings = dict(plan.settings)
        if plan.knob is not None:
            best, _trials = tune(plan.knob, self.scale.trials, partial(self._trial, plan))
            settings[plan.knob.name] = best.value
        outcomes = [self._outcome(plan, settings, seed) for seed in range(self.context.seeds_of(plan))]
        if plan.method is None:
            self.known = outcomes[0].acc_ut
        return Row(
            key=plan.key,
            label=plan.label,
            method=plan.method,
            needs_retain=needs_retain(plan),
            settings=settings,
            kind=plan.kind,
            paper=self.experiment.paper.get(plan.paper),
            seeds=outcomes,
        )

    def warm_up(self) -> None:
        """Run ZS-PAG on a few images, so that no method pays for what is loaded at first use."""
        few = {"n_adv": 2, "attack_steps": 2, "epochs": 1, "epsilon": 1.0, "attack_confidence": 0.0}
        samples = self.subject.samples
        forget = samples.forget[torch.arange(min(8, len(samples.forget)))]
        self.unlearn(configure(find_method("zspag"), few), GivenSamples(forget, samples.retain), 0, "tuning")

    def _trial(self, plan: RowPlan, value: float) -> Trial:
        """Try one value of the knob on held-out training images."""
        assert plan.knob is not None and plan.method is not None, "only a method with a knob is tuned"  # noqa: PT018, S101
        method = configure(find_method(plan.method), {**plan.settings, plan.knob.name: value})
        method = method.knowing(self.subject.original.about)

        def make() -> dict[str, Any]:
            try:
                run = self.unlearn(method, self.subject.tuning, TUNING_SEED, "tuning")
            except UnlearningError:
                return Trial(value, None, None).to_dict()
            return self._judged(run.model, value, blind=plan.blind).to_dict()

        purpose = {"purpose": "trial"} | ({"judged": BLIND} if plan.blind else {})
        cell = self._cell(plan.key, method, TUNING_SEED, purpose, make)
        return Trial(value, cell["acc_rt"], cell["acc_ut"])

    def _judged(self, model: Classifier, value: float, *, blind: bool) -> Trial:
        """Judge a trial on the held-out fifth; blindly the remaining images' place is taken by proxies."""
        held = self.subject.held
        held = held.of_classes(self.subject.forget) if blind else held
        logits = logits_of(model, held.images)
        if not bool((logits < torch.inf).all()):  # its weights are numbers, but what it computes of them is not
            return Trial(value, None, None)
        found = accuracy(logits, held.labels, self.subject.forget)
        if not blind:
            return Trial(value, found.acc_rt, found.acc_ut)
        seen = self._yardstick
        return Trial(value, kept(outputs_of_pixels(model, seen.images).logits, seen.labels)[1], found.acc_ut)

    @cached_property
    def _yardstick(self) -> ProxySet:
        """Return the proxies that blind trials are judged by, made of the forget images that tuning gives."""
        subject = self.subject
        return make_yardstick(subject.original.model, subject.tuning.forget, subject.forget)

    def _outcome(self, plan: RowPlan, settings: dict[str, Any], seed: int) -> Outcome:
        """Run one seed and grade it."""
        method = None
        if plan.method is not None:
            method = configure(find_method(plan.method), settings).knowing(self.subject.original.about)
        steps = self._relearning_steps(plan, seed)

        def make() -> dict[str, Any]:
            start = time.perf_counter()
            try:
                run = self._run(method, seed)
                self.context.report.progress("evaluate", 0, 1)
                grades = self._grades(run.model, seed, steps)
            except UnlearningError as error:
                return {"acc_rt": None, "acc_ut": None, "stopped": "failed", "error": str(error)}
            seconds = sum(run.seconds.values()) if method is not None else None
            figures = {"seconds": seconds, "stopped": run.stopped, "asr": run.proxies and run.proxies.asr}
            return figures | grades | {"wall": time.perf_counter() - start}

        measured = {
            "purpose": "timing" if self.experiment.timing else "final",
            "relearning": steps,
            "known": self.known,
        }
        measured |= {"depth": "quick"} if self.context.depth else {}
        cell = self._cell(plan.key, method, seed, measured, make)
        fields = {name: cell[name] for name in Outcome.__dataclass_fields__ if name in cell}
        return Outcome(seed=seed, **fields)

    def _cell(
        self,
        name: str,
        method: Method | None,
        seed: int,
        measured: dict[str, Any],
        make: Callable[[], dict[str, Any]],
    ) -> dict[str, Any]:
        """Return a cell and say that it is there."""
        identity = {
            "subject": self.subject.identity,
            "device": self.context.device_name,
            "method": method.name if method is not None else None,
            "settings": values(method) if method is not None else {},
            "seed": seed,
            **measured,
        }
        key = method.name if method is not None else ORIGINAL
        file = f"{self.experiment.setup.name}-{key}-{measured['purpose']}-{seed}"
        made, start = self.context.cells.made, time.perf_counter()
        value = self.context.cells.once(file, identity, make)
        fresh = self.context.cells.made > made
        line = self.eta.tick(key, time.perf_counter() - start if fresh else None)
        what = "trial" if measured["purpose"] == "trial" else f"seed {seed}"
        self.context.tell(f"{self.experiment.name} {line} {name}, {what}: {_said(value)}")
        return value

    def _run(self, method: Method | None, seed: int) -> Unlearned:
        """Run a method on the samples of the final cells; the original is returned as it is."""
        if method is None:
            return Unlearned(self.subject.original.model)
        return self.unlearn(method, self.subject.samples, seed, "final")

    def unlearn(self, method: Method, samples: GivenSamples, seed: int, purpose: str) -> Unlearned:
        """Run a method.

        Raises:
            UnlearningError: the method failed, or refuses this network.
            Cancelled: the reporter asked to stop.
        """
        subject, report = self.subject, self.context.report
        generator, cache = torch.Generator().manual_seed(seed), self._cache(method, seed, purpose)
        context = RunContext(generator, report, cache)
        retain = subject.pool if method.name == "retrain" else samples.retain
        model = subject.original.model
        try:
            method.check(model, subject.forget)
        except UsageError as error:
            raise UnlearningError(str(error)) from None
        run = call_method(method, model, samples.forget, subject.forget, context, retain=lambda: retain)
        if run.stopped == "cancelled":
            raise Cancelled("interrupted")
        if method.name == "retrain":
            cache.forget()
        return run

    def _cache(self, method: Method, seed: int, purpose: str) -> StageCache:
        """Return what a run may take from earlier ones."""
        if self.experiment.timing:
            return NO_CACHE
        if method.name in DEPENDS:
            kept = self.kept[purpose]
            if len(kept) > KEPT_STAGES:
                kept.clear()
            return SharedStages(kept, method, self.subject.forget, seed)
        if method.name == "retrain":
            identity = repr((self.subject.identity, values(method), seed))
            return FileStageCache(self.context.out / "state", identity)
        return NO_CACHE

    def _relearning_steps(self, plan: RowPlan, seed: int) -> int:
        """Return how many steps of relearning are allowed, 0 where it is not measured."""
        wanted = self.experiment.deep and self.known and seed < self.scale.relearning_seeds
        return self.scale.relearning_steps if wanted or (plan.method is None and self.experiment.deep) else 0

    def _grades(self, model: Classifier, seed: int, steps: int) -> dict[str, Any]:
        """Return every figure of a model; the images and the order of relearning depend on the seed."""
        subject = self.subject
        found = grade(model, subject.dataset, subject.forget, seed=seed).to_dict()
        figures = {name: found[name] for name in ("acc_rt", "acc_ut", "mia", "probe")}
        figures |= self._relearned(model, seed, steps, self.known or found["acc_ut"]) | self._attack(model)
        return figures | self._depth(model)

    def _relearned(self, model: Classifier, seed: int, steps: int, known: float | None) -> dict[str, Any]:
        """Return how many steps bring the classes back."""
        found, subject = None, self.subject
        if steps:
            report = self.context.report
            found = relearn(model, subject.dataset, subject.forget, known, seed=seed, max_steps=steps, report=report)
        if found is None:
            return {"relearning": None, "relearned": None, "rest_by_then": None}
        return {"relearning": found.steps, "relearned": found.reached, "rest_by_then": found.acc_rt}

    def _depth(self, model: Classifier) -> dict[str, Any]:
        """Return what every stage still knows, where that is asked for; of the same images for all rows and seeds."""
        if not self.context.depth:
            return {}
        subject = self.subject
        found = measure_quickly({UNLEARNED: model}, subject.dataset, subject.forget, seed=DEPTH_SEED)
        return {"depth": row_depth(found, UNLEARNED)}

    def _attack(self, model: Classifier) -> dict[str, Any]:
        """Return how often the trigger works, where there is one."""
        backdoor = self.experiment.setup.backdoor
        if backdoor is None:
            return {}
        images = triggered_images(self.subject.dataset, Backdoor(*backdoor))
        return {"attack": Backdoor(*backdoor).accuracy(read_triggered(model, images))}


def _said(cell: Mapping[str, Any]) -> str:
    """Say a cell's figures in a few words."""
    if cell.get("acc_rt") is None and cell.get("acc_ut") is None:
        return "failed"
    parts = [f"{name} {cell[name]:.1f}" for name in ("acc_rt", "acc_ut") if cell.get(name) is not None]
    return ", ".join(parts)
