"""One unlearning run, from its configuration to its folder; the command line and the worker both call `execute`."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import torch

from zspag_core import artefacts, record
from zspag_core.attempts import News, Replay, memory_of
from zspag_core.checkpoints import save_checkpoint
from zspag_core.devices import place
from zspag_core.errors import Cancelled, UsageError
from zspag_core.explain.watch import Watch, choose_watched
from zspag_core.files import check_writable, finite, read_json, write_json
from zspag_core.groups import lacking_words
from zspag_core.hyperparameters import values
from zspag_core.memory import FORGETFUL
from zspag_core.methods import RetainMethod, Unlearned, ZeroShotMethod
from zspag_core.methods.base import timed
from zspag_core.metrics.accuracy import percent
from zspag_core.metrics.backdoor import Triggered, planted_in, read_triggered, triggered_images
from zspag_core.metrics.deep import relearn
from zspag_core.metrics.grade import grade
from zspag_core.metrics.live import LIVE_IMAGES, LiveGrades
from zspag_core.metrics.predictions import Labelled, logits_of
from zspag_core.preparation import Prepared, RunConfig, prepare
from zspag_core.progress import SILENT, Reporter
from zspag_core.shortfall import guessing, hardly_read

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from zspag_core.memory import Memory
    from zspag_core.metrics.deep import Relearning
    from zspag_core.metrics.grade import Grade
    from zspag_core.models import Classifier

__all__ = ["Prepared", "RunConfig", "check_out", "execute", "prepare"]

STAGES = ("proxies", "subspace", "labels", "unlearn", "evaluate")
RELEARNING_IMAGES = 1000


@dataclass
class _Outcome:
    """What a run has brought so far."""

    unlearned: Unlearned
    watch: Watch
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
    memory_of: Callable[[Prepared, Path | None], Memory] = memory_of,
    live_images: int = LIVE_IMAGES,
) -> dict[str, Any]:
    """Carry out a run and write its folder.

    The folder holds config.json, result.json, model.safetensors and arrays for drawing: grading.safetensors,
    watch.safetensors, where the method makes them proxies.safetensors and labels.safetensors, and for a model that was
    trained with a backdoor backdoor.safetensors (see :mod:`zspag_core.artefacts` and :meth:`Watch.arrays`). It appears
    under its name only when it is complete.

    Args:
        config: what to do.
        out: folder to write; must not exist, be empty, or hold the interrupted attempt that `state` goes on from.
        report: receives progress of the stages "load", "proxies", "subspace", "labels", "unlearn", "evaluate" and
            "relearning", and after every epoch (the original model counts as epoch 0) the model with loss, acc_rt,
            acc_ut and mia, and a frame of the watched images.
        state: folder that keeps finished stages and epochs; an attempt that ended early, also by being killed, goes on
            from there when the same is asked again, with the same result. It is removed when the run has come to its
            end. None keeps nothing.
        prepare: loads and checks; whoever has model and data at hand may know a shorter way.
        memory_of: returns what keeps finished parts, given what was prepared and `state`.
        live_images: test images that are looked at after every epoch.

    Returns:
        The content of result.json. When a reporter cancels during unlearning, "stopped" is "cancelled" and "after" is
        None; the model is the one reached so far.

    Raises:
        Cancelled: a reporter cancelled before the first epoch had ended; nothing is written.
        ZspagError: the run is impossible or failed.
    """
    out = out.resolve()  # so that "." has a name and a parent too
    check_out(out, state)
    report.progress("load", 0, 1)
    prepared = prepare(config)
    report.progress("load", 1, 1)
    memory = memory_of(prepared, state)
    with artefacts.new_folder(out) as folder, torch.random.fork_rng(devices=[]):
        outcome = _run(prepared, report, memory, live_images)
        _write(folder, prepared, outcome)
    if outcome.after is not None:
        memory.forget()
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
        outcome = _run(prepared, report, FORGETFUL)
    return outcome.unlearned.model, outcome.result


HELD = "already holds something"
FINISHED = "holds a run that is finished already"
INTERRUPTED = "holds a run that was interrupted"


def check_out(out: Path, state: Path | None = None) -> None:
    """Refuse a folder that already holds something or cannot be made.

    Args:
        out: the folder.
        state: what an interrupted attempt kept; while it is there, the interrupted run in `out` may be replaced.

    Raises:
        UsageError: it exists and is not empty, or nothing can be written where it should be.
    """
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        held = _held_in(out)
        if held != INTERRUPTED or state is None or not state.is_dir():
            raise UsageError(f"out: expected a new or empty folder, got {out}, which {held}")
    check_writable(out)


def _held_in(out: Path) -> str:
    """Say what a folder that is not empty holds, or a file in its place: a run and nothing else, or anything else."""
    try:
        result = read_json(out / "result.json")
        others = {path.name for path in out.iterdir() if path.stem != artefacts.UNLEARNED} - artefacts.FILES
    except (OSError, ValueError):
        return HELD
    if others or not isinstance(result, dict) or not {"stopped", "after"} <= result.keys():
        return HELD
    return INTERRUPTED if result["after"] is None else FINISHED


def _run(prepared: Prepared, report: Reporter, memory: Memory, live_images: int = LIVE_IMAGES) -> _Outcome:
    """Grade, unlearn, grade again."""
    forget, seconds = prepared.config.classes, dict[str, float]()
    model = place(prepared.checkpoint.model, prepared.device)
    replay = Replay(memory, report)
    if memory.recall("before") is not None:
        report.note(f"going on with an interrupted run, after {_reached(replay)}")
        report.progress("evaluate", 1, 1)
    with timed(seconds, "evaluate"):
        before, relearnt = memory.once("before", lambda: _grade_deeply(model, None, prepared, report))
    _doubt(before, prepared, report)
    live = LiveGrades(prepared.dataset, forget, prepared.config.seed, replay, live_images)
    watch = _watch(model, before, prepared, live)
    watch.epoch(0, 0, model)
    live.restore(replay.epochs)
    watch.restore(replay.frames)
    replay.tell(model)
    early = live.seconds + watch.seconds  # later looks run inside the method's time and are taken off it
    unlearned = _unlearn(model, prepared, News(replay.epochs, watch), memory.room("method"))
    if unlearned.stopped == "cancelled" and not unlearned.history:
        raise Cancelled("cancelled before the first epoch had ended")
    seconds["evaluate"] += live.seconds + watch.seconds
    unlearned.seconds["unlearn"] = unlearned.seconds.get("unlearn", 0.0) - (live.seconds + watch.seconds - early)
    if not unlearned.history:
        watch.look(1, unlearned.model)  # a method without epochs
    outcome = _Outcome(unlearned, watch, before)
    result = record.describe_run(prepared, unlearned)
    result["before"] = record.describe_grade(before, relearnt)
    result["mask"] = {"acc_rt": before.mask_acc_rt}
    with timed(seconds, "evaluate"):
        result |= _judge(model, outcome, prepared, report, memory)
        outcome.triggered = _trigger(model, outcome, prepared)
    result["backdoor"] = outcome.triggered and outcome.triggered.to_dict()
    result["watch"] = {"layer": watch.layer, "images": _watched_kind(prepared)} if watch.frames else None
    result["history"] = live.merge(unlearned.history)
    spent = dict.fromkeys(STAGES) | unlearned.seconds | seconds
    result["seconds"] = {stage: s if s is None else round(s, 3) for stage, s in spent.items()}
    outcome.result = finite(result)
    return outcome


def _reached(replay: Replay) -> str:
    """Say how far an earlier attempt came."""
    return f"epoch {max(replay.epochs)}" if replay.epochs else "its last finished stage"


def _watched_kind(prepared: Prepared) -> str:
    """Return whether test images are watched, or forget images where there are none."""
    return "test" if len(prepared.dataset.test) else "forget"


def _watch(model: Classifier, before: Grade, prepared: Prepared, inner: Reporter) -> Watch:
    """Watch test images; of data without any, some of the images to forget."""
    images, tested = prepared.dataset.test, before.tested
    if _watched_kind(prepared) == "forget":
        images = prepared.seen
        tested = Labelled(logits_of(model, images.images), images.labels)
    return Watch(model, images, choose_watched(tested, prepared.config.classes), inner)


def _doubt(before: Grade, prepared: Prepared, report: Reporter) -> None:
    """Say what was assumed and what makes figures doubtful: nothing to grade with, a model that guesses or is blind."""
    found = before.accuracy
    guesses = guessing(found.acc_rt, prepared.dataset.num_classes)
    blind = (
        f"the model reads only {found.acc_ut:.1f} % of the forgotten classes' test images: no loss can be seen there"
        if hardly_read(found.acc_ut)
        else None
    )
    doubts = (lacking_words(prepared.lacks), guesses or blind or _misread(before, prepared))
    for sentence in (*prepared.checkpoint.notes, *prepared.dataset.notes, *filter(None, doubts)):
        report.note(sentence)


def _misread(before: Grade, prepared: Prepared) -> str | None:
    """Say so where, for want of test images, the forget images must tell that the model does not read them right."""
    if "forget_test" not in prepared.lacks:
        return None
    seen = before.scores.forget_train
    right = percent(seen.logits.argmax(1) == seen.labels)
    if not hardly_read(right):
        return None
    most = prepared.dataset.class_names[int(seen.logits.argmax(1).mode().values)]
    return (
        f"the model reads only {right:.1f} % of the images to forget as their class, most often as {most!r}: do the "
        "names belong to its outputs in this order?"
    )


def _judge(
    model: Classifier, outcome: _Outcome, prepared: Prepared, report: Reporter, memory: Memory
) -> dict[str, Any]:
    """Grade what a run reached; return the parts of result.json that a cancelled run leaves empty."""
    unlearned = outcome.unlearned
    if unlearned.stopped == "cancelled":
        return {
            "after": None,
            "proxies": record.describe_proxies(unlearned, prepared, None),
            "subspace": None,
            "estimates": record.describe_estimates(model, unlearned, prepared, None),
        }
    outcome.after, relearnt = memory.once(
        "after", lambda: _grade_deeply(unlearned.model, outcome.before, prepared, report)
    )
    agreement = record.measure_agreement(model, unlearned, prepared)
    subspace = record.describe_subspace(model, unlearned, prepared)
    return {
        "after": record.describe_grade(outcome.after, relearnt),
        "proxies": record.describe_proxies(unlearned, prepared, agreement),
        "subspace": subspace,
        "estimates": record.describe_estimates(model, unlearned, prepared, subspace),
    }


def _trigger(model: Classifier, outcome: _Outcome, prepared: Prepared) -> Triggered | None:
    """Return what the models read in triggered images; None where no backdoor was planted or no test image is there."""
    backdoor = planted_in(prepared.checkpoint.about, prepared.dataset.num_classes)
    images = None if backdoor is None else triggered_images(prepared.dataset, backdoor)
    if backdoor is None or images is None or not len(images):
        return None
    found = Triggered(backdoor, images, read_triggered(model, images))
    if outcome.after is None:
        return found
    return replace(found, after=read_triggered(outcome.unlearned.model, images))


def _unlearn(model: Classifier, prepared: Prepared, report: Reporter, memory: Memory) -> Unlearned:
    """Call the method across the zero-shot fence: only a method that needs remaining data receives any.

    The memory is the method's own: grades are kept elsewhere.
    """
    forget, samples = prepared.config.classes, prepared.forget
    generator = torch.Generator().manual_seed(prepared.config.seed)
    method = prepared.method
    if isinstance(method, RetainMethod):
        retain = prepared.dataset.train.without_classes(forget)
        return method.unlearn(model, samples, retain, forget, generator=generator, report=report, memory=memory)
    if not isinstance(method, ZeroShotMethod):
        raise TypeError(f"expected a zero-shot or a retain method, got {type(method).__name__}")
    return method.unlearn(model, samples, forget, generator=generator, report=report, memory=memory)


def _grade_deeply(
    model: Classifier, before: Grade | None, prepared: Prepared, report: Reporter
) -> tuple[Grade, Relearning | None]:
    """Grade a model on the run's data; `before` is the original's grade, None where that is what is being made."""
    config = prepared.config
    found = grade(model, prepared.dataset, config.classes, seed=config.seed, device=prepared.device, report=report)
    return found, _relearn(model, before or found, prepared, report)


def _relearn(model: Classifier, before: Grade, prepared: Prepared, report: Reporter) -> Relearning | None:
    """Count the steps that bring the forgotten classes back, where that is asked for or takes little time."""
    config, dataset = prepared.config, prepared.dataset
    wanted = config.relearning
    if wanted is None:
        wanted = len(dataset.train.of_classes(config.classes)) <= RELEARNING_IMAGES
    if not wanted:
        return None
    known = before.accuracy.acc_ut
    return relearn(model, dataset, config.classes, known, seed=config.seed, report=report)


def _write(folder: Path, prepared: Prepared, outcome: _Outcome) -> None:
    """Write the run's files."""
    run = outcome.unlearned
    write_json(folder / "config.json", prepared.config.to_dict())
    write_json(folder / "result.json", outcome.result)
    save_checkpoint(folder / "model.safetensors", run.model, _about(prepared))
    if (origin := prepared.checkpoint.origin) is not None:
        origin.write(folder, artefacts.UNLEARNED, run.model)
    for name, arrays in _arrays(prepared, outcome).items():
        artefacts.save_arrays(folder / f"{name}.safetensors", arrays)


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
    return about


def _arrays(prepared: Prepared, outcome: _Outcome) -> dict[str, artefacts.Arrays]:
    """Return the arrays of every file, by the file's name."""
    run, original = outcome.unlearned, prepared.checkpoint.model
    found = {"watch": outcome.watch.arrays()} if outcome.watch.frames else {}
    found["grading"] = artefacts.grading_arrays(outcome.before, outcome.after)
    if outcome.triggered is not None:
        found["backdoor"] = artefacts.backdoor_arrays(outcome.triggered)
    if run.labels is not None:
        found["labels"] = artefacts.label_arrays(run.labels, prepared.seen.labels)
    if run.proxies is not None:
        unlearned = run.model if outcome.after is not None else None
        found["proxies"] = artefacts.proxy_arrays(run.proxies, prepared.forget, original, unlearned)
    return found
