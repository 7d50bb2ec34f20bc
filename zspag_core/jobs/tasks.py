"""What workers can do, by name. A task takes the job and a reporter and returns an answer that JSON can write."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import re
from typing import TYPE_CHECKING, Any

from zspag_core import files
from zspag_core.errors import UsageError, ZspagError
from zspag_core.safety import refuse_code

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from zspag_core.jobs.records import Job
    from zspag_core.progress import Reporter

    Task = Callable[[Job, Reporter], Any]


def unlearn(job: Job, report: Reporter) -> dict[str, Any]:
    """Run one unlearning method and fill the run folder anew; the answer is what result.json holds.

    What an earlier attempt of the same job finished is not computed again.
    """
    report.progress("load", 0, 1)  # the imports below take seconds
    import shutil

    from zspag_core.jobs.folders import state_folder
    from zspag_core.jobs.reporter import GradingAsOne
    from zspag_core.runs import RunConfig, execute

    own = {field.name for field in dataclasses.fields(RunConfig)}  # pages add what they want to remember
    config = RunConfig.from_dict({name: value for name, value in job.config.items() if name in own})
    shutil.rmtree(job.folder, ignore_errors=True)  # an earlier attempt of the same job
    if "trial" in job.config:
        from zspag_core.tuning.trials import carry_out

        return carry_out(config, job.folder, GradingAsOne(report), state=state_folder(job.id))
    result: dict[str, Any] = execute(config, job.folder, GradingAsOne(report), state=state_folder(job.id))
    if result["after"] is not None:
        _draw_first_map(job)
    return result


def _draw_first_map(job: Job) -> None:
    """Draw the quick map of a run, so that pages have it at once; a run that gives none is a good run all the same."""
    from zspag_core.jobs import mapping

    with contextlib.suppress(ZspagError):
        mapping.draw_map({"run": job.id, "kind": "pca"}, job.device)


def engine(_job: Job, _report: Reporter) -> dict[str, Any]:
    """Describe the methods and their settings, and the devices of this machine."""
    from zspag_core.jobs.describe import describe_engine

    return describe_engine()


def checkpoint(job: Job, report: Reporter) -> dict[str, Any]:
    """Describe a checkpoint and show one picture of each of its classes."""
    from zspag_core.jobs.describe import describe_checkpoint

    return describe_checkpoint(str(job.config["checkpoint"]), report)


def train(job: Job, report: Reporter) -> dict[str, Any]:
    """Train a classifier and write it under ZSPAG_HOME/checkpoints; an earlier attempt of the same job goes on."""
    report.progress("load", 0, 1)
    from zspag_core.trainings import TrainConfig, execute

    config = job.config
    out = trained_file(str(config["name"]))
    settings = dict(config.get("settings", {})) | {"epochs": config["epochs"], "seed": config.get("seed", 0)}
    exclude = tuple(int(label) for label in config.get("exclude", ()))
    sizes = {name: config[name] for name in ("image_size", "device") if name in config}
    source_and_target = [int(label) for label in config.get("backdoor", ())]
    backdoor = (source_and_target[0], source_and_target[1]) if source_and_target else None
    asked = TrainConfig(str(config["data"]), str(config["model"]), settings, exclude, backdoor, **sizes)
    return {"checkpoint": str(out)} | execute(asked, out, report)


def trained_file(name: str) -> Path:
    """Return the file of a model that is trained under a name.

    Raises:
        UsageError: the name has other characters than letters, digits, hyphen and underscore, or too many.
    """
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_-]{0,59}", name):
        raise UsageError(f"name: expected up to 60 letters, digits, hyphens and underscores, got {name!r}")
    return files.home() / "checkpoints" / f"{name}.safetensors"


def inspect_data(job: Job, report: Reporter) -> dict[str, Any]:
    """Look into a data set, and say whether a model fits it."""
    from zspag_core.jobs import inspecting

    return inspecting.inspect_data(job.config, report)


def adopt(job: Job, report: Reporter) -> dict[str, Any]:
    """Write another program's weights anew, with the input that a person says they take."""
    from zspag_core.jobs import adopting

    return adopting.adopt(job.config, report)


def inspect_model(job: Job, report: Reporter) -> dict[str, Any]:
    """Look into a file of weights, and say what it leaves open."""
    from zspag_core.jobs import reading

    return reading.inspect_model(job.config, report)


def doubts(job: Job, report: Reporter) -> dict[str, Any]:
    """Try what is only assumed about a model on labelled images."""
    from zspag_core.jobs import reading

    return reading.try_assumptions(job.config, report)


def model_report(job: Job, report: Reporter) -> dict[str, Any]:
    """Describe the layers of a model and grade it on test images."""
    from zspag_core.jobs import inspecting

    return inspecting.model_report(job.config, report)


def preview(job: Job, report: Reporter) -> dict[str, Any]:
    """Attack a few forget images with the settings as they stand."""
    from zspag_core.jobs.previewing import preview_attack

    return preview_attack(job.config, job.device, report)


def samples(job: Job, report: Reporter) -> dict[str, Any]:
    """List test images of a run."""
    report.progress("load", 0, 1)
    from zspag_core.jobs.attending import list_samples

    return list_samples(job.config, job.device)


def attention(job: Job, report: Reporter) -> dict[str, Any]:
    """Compare what the two models of a run look at."""
    report.progress("load", 0, 1)
    from zspag_core.jobs.attending import compare_attention

    return compare_attention(job.config, job.device, report)


def relearning(job: Job, report: Reporter) -> dict[str, Any]:
    """Count the steps that bring the forgotten classes of a run back."""
    report.progress("load", 0, 1)
    from zspag_core.jobs.relearning import measure_relearning

    return measure_relearning(job.config, job.device, report)


def depth(job: Job, report: Reporter) -> dict[str, Any]:
    """Measure how deep a run forgot, stage by stage."""
    report.progress("load", 0, 1)
    from zspag_core.jobs.deepening import measure_depth

    return measure_depth(job.config, job.device, report)


def grade(job: Job, report: Reporter) -> dict[str, Any]:
    """Grade a finished run with data that its own lacked; its answer and its folder hold the figures from then on."""
    report.progress("load", 0, 1)
    from zspag_core.jobs.folders import run_folder
    from zspag_core.jobs.reporter import GradingAsOne
    from zspag_core.jobs.store import JobStore
    from zspag_core.regrading import regrade

    run, store = str(job.config["run"]), JobStore()
    try:
        original = store.require(run)
        folder = run_folder(original.id)
        result = regrade(folder, str(job.config["data"]), device=job.device, report=GradingAsOne(report))
        for drawn in folder.glob("map_*.safetensors"):  # these show the images that there were before
            drawn.unlink()
        store.replace_answer(original.id, result, job.id)
    finally:
        store.close()
    return result


def draw_map(job: Job, report: Reporter) -> dict[str, Any]:
    """Draw the map of a run's proxies."""
    report.progress("load", 0, 1)
    from zspag_core.jobs import mapping

    return mapping.draw_map(job.config, job.device, report)


def tune(job: Job, report: Reporter) -> dict[str, Any]:
    """Carry out a sweep: ask which points to try, queue their runs, and tell what came of them."""
    report.progress("tune", 0, 1)
    from zspag_core.tuning.dispatcher import dispatch

    return dispatch(job, report)


def without_code(task: Task) -> Task:
    """Return a task that refuses whatever would run an owner's code: what a browser asks comes through here."""

    @functools.wraps(task)
    def guarded(job: Job, report: Reporter) -> Any:  # noqa: ANN401 - the task's answer
        refuse_code(job.config.get("model") if job is not None else None)
        return task(job, report)

    return guarded


TASKS: dict[str, Task] = {
    "unlearn": without_code(unlearn),
    "train": without_code(train),
    "engine": without_code(engine),
    "checkpoint": without_code(checkpoint),
    "inspect_data": without_code(inspect_data),
    "inspect_model": without_code(inspect_model),
    "doubts": without_code(doubts),
    "adopt": without_code(adopt),
    "model_report": without_code(model_report),
    "preview": without_code(preview),
    "samples": without_code(samples),
    "attention": without_code(attention),
    "relearning": without_code(relearning),
    "depth": without_code(depth),
    "grade": without_code(grade),
    "map": without_code(draw_map),
    "tune": without_code(tune),
}


def find_task(kind: str) -> Task:
    """Return the task of a name.

    Raises:
        UsageError: there is none.
    """
    if kind not in TASKS:
        raise UsageError(f"job: expected one of {', '.join(TASKS)}, got {kind!r}")
    return TASKS[kind]
