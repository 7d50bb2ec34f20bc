"""One unlearning run, from its configuration to its folder; the command line and the worker both call `execute`."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from zspag_core.checkpoints import save_checkpoint
from zspag_core.devices import place
from zspag_core.errors import Cancelled, UnlearningError
from zspag_core.explain.watch import Watch, choose_asking, choose_watched
from zspag_core.files import finite, write_json
from zspag_core.hyperparameters import values
from zspag_core.methods.base import call_method, timed
from zspag_core.metrics.live import LiveGrades
from zspag_core.metrics.predictions import logits_of
from zspag_core.progress import SILENT, Reporter
from zspag_core.runs import artifacts
from zspag_core.runs import report as record
from zspag_core.runs.baseline import Baseline
from zspag_core.runs.context import RunContext
from zspag_core.runs.epoch_log import EpochLog
from zspag_core.runs.folder import UNLEARNED, check_out, new_folder
from zspag_core.runs.forgotten import forgotten_before
from zspag_core.runs.grading import grade_of, read_triggers, relearning_of
from zspag_core.runs.notes import say_assumptions, say_doubts
from zspag_core.runs.prepare import Prepared, prepare
from zspag_core.runs.resume import cache_of
from zspag_core.runs.stage_cache import NO_CACHE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from torch import Tensor

    from zspag_core.methods import Unlearned
    from zspag_core.metrics.backdoor import Triggered
    from zspag_core.metrics.grade import Grade
    from zspag_core.models import Classifier
    from zspag_core.runs.config import RunConfig
    from zspag_core.runs.stage_cache import StageCache

LiveKind = type[LiveGrades]
STAGES = ("proxies", "subspace", "labels", "unlearn", "evaluate")


@dataclass
class _Outcome:
    """What a run has brought so far."""

    unlearned: Unlearned
    log: EpochLog
    before: Grade
    after: Grade | None = None
    triggered: Triggered | None = None
    result: dict[str, Any] = field(default_factory=dict)


def execute(
    config: RunConfig,
    out: Path,
    report: Reporter = SILENT,
    *,
    state: Path | None = None,
    prepare: Callable[[RunConfig], Prepared] = prepare,
    cache_of: Callable[[Prepared, Path | None], StageCache] = cache_of,
    live: LiveKind = LiveGrades,
    finish_cancelled: bool = True,
) -> dict[str, Any]:
    """Carry out a run and write its folder.

    The folder holds config.json, result.json, model.safetensors and arrays for drawing: grading.safetensors,
    watch.safetensors, where the method makes them proxies.safetensors and labels.safetensors, and for a model that was
    trained with a backdoor backdoor.safetensors (see :mod:`zspag_core.runs.artifacts` and :meth:`Watch.arrays`). It
    appears under its name only when it is complete.

    Args:
        config: what to do.
        out: folder to write; must not exist, be empty, or hold the interrupted attempt that `state` goes on from.
        report: receives progress of the stages "load", "proxies", "subspace", "labels", "unlearn", "before" (the
            original's grade; it comes first where an earlier run has made it or it takes long, see
            :class:`zspag_core.runs.baseline.Baseline`), "evaluate" and "relearning", and after every epoch (the
            original model counts as epoch 0) the model with loss, acc_rt, acc_ut and mia, and a frame of the watched
            images; then what the run has come to, before layers are looked into and relearning is counted.
        state: folder that keeps finished stages and epochs; an attempt that ended early, also by being killed, goes on
            from there when the same is asked again, with the same result. It is removed when the run has come to its
            end. None keeps nothing.
        prepare: loads and checks; whoever has model and data at hand may know a shorter way.
        cache_of: returns what keeps finished parts, given what was prepared and `state`.
        live: what is looked at after every epoch.
        finish_cancelled: whether a run that was cancelled between epochs is written also where the original must still
            be graded for that; not where nobody reads it and others wait.

    Returns:
        The content of result.json. When a reporter cancels during unlearning, "stopped" is "cancelled" and "after" is
        None; the model is the one reached so far.

    Raises:
        Cancelled: a reporter cancelled before the first epoch had ended, or once all had; nothing is written.
        ZspagError: the run is impossible or failed.
    """
    out = out.resolve()  # so that "." has a name and a parent too
    check_out(out, state)
    report.progress("load", 0, 1)
    prepared = prepare(config)
    report.progress("load", 1, 1)
    cache = cache_of(prepared, state)
    with new_folder(out) as folder, torch.random.fork_rng(devices=[]):
        outcome = _run(prepared, report, cache, live, finish_cancelled=finish_cancelled)
        _write(folder, prepared, outcome)
    if outcome.after is not None:
        cache.forget()
    return outcome.result


def carry_out(prepared: Prepared, report: Reporter = SILENT) -> tuple[Classifier, dict[str, Any]]:
    """Carry out a run whose model and data are in memory, and write nothing.

    Returns:
        The unlearned model, and what result.json would hold.

    Raises:
        Cancelled: a reporter cancelled before the first epoch had ended.
        ZspagError: the run failed.
    """
    with torch.random.fork_rng(devices=[]):
        outcome = _run(prepared, report, NO_CACHE)
    return outcome.unlearned.model, outcome.result


def _run(
    prepared: Prepared,
    report: Reporter,
    cache: StageCache,
    live_kind: LiveKind = LiveGrades,
    *,
    finish_cancelled: bool = True,
) -> _Outcome:
    """Unlearn, grade before and after, then count what takes longest."""
    seconds = {"evaluate": 0.0}
    model = place(prepared.checkpoint.model, prepared.device)
    say_assumptions(prepared, report)
    resumed = cache.begun
    baseline = Baseline(model, prepared, cache, report, seconds)
    live = live_kind(prepared.dataset, prepared.config.classes, prepared.config.seed)
    with timed(seconds, "evaluate"):
        watch = _watch(model, baseline.known, prepared)
    log = EpochLog(live, watch, report, cache)
    _say_where_it_begins(baseline, log, resumed, report)
    _begin(model, baseline, log, live)
    unlearned = _unlearn(model, prepared, log, cache)
    if not unlearned.history:
        log.look(1, unlearned.model)  # a method without epochs
    if unlearned.stopped == "cancelled":
        if not finish_cancelled and not baseline.complete:
            raise Cancelled("cancelled before the original was graded")
        baseline.report = SILENT  # it would raise once more
    seconds["evaluate"] += log.seconds
    outcome = _Outcome(unlearned, log, baseline.grade())
    outcome.result = finite(_describe(model, prepared, outcome, report, cache, seconds))
    if outcome.after is not None:
        report.graded(outcome.result)
        with timed(seconds, "evaluate"), _spared("what the layers do", report):
            _look_inside(model, outcome, prepared)
            outcome.result["depth"] = _depth(outcome.before, outcome.after, prepared)
    with _spared("relearning", report):
        _relearn(baseline, outcome, report, cache, seconds)
    outcome.result["seconds"] = _by_stage(unlearned, seconds)
    return outcome


@contextmanager
def _spared(what: str, report: Reporter) -> Iterator[None]:
    """Let something fail that a finished run can do without: it must not cost the model."""
    try:
        yield
    except (RuntimeError, UnlearningError) as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        report.note(f"{what} could not be measured, the run goes on without: {reason}")


def _say_where_it_begins(baseline: Baseline, log: EpochLog, resumed: bool, report: Reporter) -> None:  # noqa: FBT001
    """Say what is there of an earlier attempt, or of another run."""
    if baseline.known is not None:
        report.progress("before", 1, 1)
    if resumed:
        report.note(f"going on with an interrupted run, after {log.reached}")
    elif baseline.known is not None:
        report.note("the original model's grade: taken over, made earlier with the same model, data and classes")


def _begin(model: Classifier, baseline: Baseline, log: EpochLog, live: LiveGrades) -> None:
    """Look at the original; grade it whole at once where that may not wait."""
    if baseline.known is not None:
        say_doubts(baseline.known, baseline.prepared, baseline.report)
    try:
        log.begin(model)
    except UnlearningError:
        baseline.grade()  # which says it of the original
        raise
    if baseline.known is None and not baseline.may_wait(log.rows[0], len(live.sample), log.seconds):
        baseline.grade()
        baseline.relearnt()


def _describe(
    model: Classifier,
    prepared: Prepared,
    outcome: _Outcome,
    report: Reporter,
    cache: StageCache,
    seconds: dict[str, float],
) -> dict[str, Any]:
    """Grade what a run reached; return the content of result.json as far as its figures are waited for."""
    unlearned, before, log = outcome.unlearned, outcome.before, outcome.log
    result = record.describe_run(prepared, unlearned)
    result["before"] = record.describe_grade(before, None)
    result["mask"] = {"acc_rt": before.mask_acc_rt}
    with timed(seconds, "evaluate"):
        result |= _judge(model, outcome, prepared, report, cache)
        after = None if outcome.after is None else unlearned.model
        outcome.triggered = read_triggers(prepared.checkpoint.about, prepared.dataset, model, after)
    result["backdoor"] = outcome.triggered and outcome.triggered.to_dict()
    result["watch"] = {"layer": log.layer, "images": _watched_kind(prepared)} if log.frames else None
    result["history"] = log.merge(unlearned.history)
    result["seconds"] = _by_stage(unlearned, seconds)
    return result


def _by_stage(unlearned: Unlearned, seconds: dict[str, float]) -> dict[str, float | None]:
    """Return how long each stage took, None for one that the run has not."""
    spent = dict.fromkeys(STAGES) | unlearned.seconds | seconds
    return {stage: s if s is None else round(s, 3) for stage, s in spent.items()}


def _relearn(
    baseline: Baseline, outcome: _Outcome, report: Reporter, cache: StageCache, seconds: dict[str, float]
) -> None:
    """Count the steps that bring the classes back, and complete the result with them."""
    found = {"before": baseline.relearnt()}
    if outcome.after is not None:
        with timed(seconds, "evaluate"):
            found["after"] = cache.once(
                "unlearned_relearnt",
                lambda: relearning_of(outcome.unlearned.model, outcome.before, baseline.prepared, report),
            )
    for when, steps in found.items():
        outcome.result[when]["relearning"] = steps and finite(steps.to_dict())


def _watch(model: Classifier, before: Grade | None, prepared: Prepared) -> Watch:
    """Watch test images, of data without any some of the images to forget."""
    config, dataset = prepared.config, prepared.dataset
    images = dataset.test if _watched_kind(prepared) == "test" else prepared.seen
    if before is not None and images is dataset.test:
        return Watch(model, images, choose_watched(before.tested, config.classes))

    def answers(index: Tensor) -> Tensor:
        return logits_of(model, images.images[index])

    return Watch(model, images, choose_asking(answers, images.labels, dataset.num_classes, config.classes))


def _watched_kind(prepared: Prepared) -> str:
    """Return whether test images are watched, or forget images where there are none."""
    return "test" if len(prepared.dataset.test) else "forget"


def context_of(config: RunConfig, report: Reporter, cache: StageCache) -> RunContext:
    """Return what the method of a run works with."""
    return RunContext(torch.Generator().manual_seed(config.seed), report, cache.room("method"))


def _unlearn(model: Classifier, prepared: Prepared, log: EpochLog, cache: StageCache) -> Unlearned:
    """Call the method; what it keeps is its own, and the time that logging takes inside it is taken off its own."""
    config, train = prepared.config, prepared.dataset.train
    context = context_of(config, log, cache)
    retain = partial(train.without_classes, config.classes)
    early = log.seconds
    unlearned = call_method(prepared.method, model, prepared.forget, config.classes, context, retain=retain)
    if unlearned.stopped == "cancelled" and not unlearned.history:
        raise Cancelled("cancelled before the first epoch had ended")
    unlearned.seconds["unlearn"] = unlearned.seconds.get("unlearn", 0.0) - (log.seconds - early)
    return unlearned


def _judge(
    model: Classifier, outcome: _Outcome, prepared: Prepared, report: Reporter, cache: StageCache
) -> dict[str, Any]:
    """Grade what a run reached, unless it was cancelled; return the parts of result.json that say so.

    What looks into the layers, at the neighbours of the proxies and at every stage is left open: it comes after these
    figures were shown.
    """
    unlearned = outcome.unlearned
    after = None
    if unlearned.stopped != "cancelled":
        outcome.after = cache.once("unlearned", lambda: grade_of(unlearned.model, prepared, report))
        after = record.describe_grade(outcome.after, None)
    return {
        "after": after,
        "proxies": record.describe_proxies(unlearned, prepared),
        "subspace": None,
        "estimates": record.describe_estimates(model, unlearned, prepared),
        "depth": None,
    }


def _look_inside(model: Classifier, outcome: _Outcome, prepared: Prepared) -> None:
    """Complete the result with what the layers do and where the proxies lie."""
    result, unlearned = outcome.result, outcome.unlearned
    if result["proxies"] is not None:
        result["proxies"]["knn_agreement"] = finite(record.measure_agreement(model, unlearned, prepared))
    result["subspace"] = finite(record.describe_subspace(model, unlearned, prepared))
    if result["estimates"] is not None:
        result["estimates"]["captured_energy"] = record.describe_energy(result["subspace"])


def _depth(before: Grade, after: Grade, prepared: Prepared) -> dict[str, Any] | None:
    """Return what every stage says of the forgotten classes, before and after."""
    config, stages = prepared.config, (before.stages, after.stages)
    found: dict[str, Any] | None = finite(
        record.describe_depth(*stages, prepared.dataset, config.classes, seed=config.seed, data=config.data)
    )
    return found


def _write(folder: Path, prepared: Prepared, outcome: _Outcome) -> None:
    """Write the run's files."""
    run = outcome.unlearned
    write_json(folder / "config.json", prepared.config.to_dict())
    write_json(folder / "result.json", outcome.result)
    save_checkpoint(folder / "model.safetensors", run.model, _about(prepared))
    if (origin := prepared.checkpoint.origin) is not None:
        origin.write(folder, UNLEARNED, run.model)
    for name, arrays in _arrays(prepared, outcome).items():
        artifacts.save_arrays(folder / f"{name}.safetensors", arrays)


def _about(prepared: Prepared) -> dict[str, Any]:
    """Return what the unlearned model's file says about itself."""
    config = prepared.config
    about = {key: value for key, value in prepared.checkpoint.about.items() if key != "history"}
    about["unlearned"] = {
        "method": config.method,
        "settings": values(prepared.method),
        "forget": list(config.classes),
        "seed": config.seed,
        "from_sha256": prepared.checkpoint.sha256,
    }
    if earlier := forgotten_before(prepared.checkpoint.about, Path(config.checkpoint)):
        about["unlearned"]["before"] = list(earlier)
    return about


def _arrays(prepared: Prepared, outcome: _Outcome) -> dict[str, artifacts.Arrays]:
    """Return the arrays of every file, by the file's name."""
    run, original = outcome.unlearned, prepared.checkpoint.model
    found = {"watch": outcome.log.arrays()} if outcome.log.frames else {}
    found["grading"] = artifacts.grading_arrays(outcome.before, outcome.after)
    if outcome.triggered is not None:
        found["backdoor"] = artifacts.backdoor_arrays(outcome.triggered)
    if run.labels is not None:
        found["labels"] = artifacts.label_arrays(run.labels, prepared.seen.labels)
    if run.proxies is not None:
        unlearned = run.model if outcome.after is not None else None
        found["proxies"] = artifacts.proxy_arrays(run.proxies, prepared.forget, original, unlearned)
    return found
