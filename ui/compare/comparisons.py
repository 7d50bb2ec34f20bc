"""Comparisons: those that ship with the app, and those that visitors' runs add up to."""

from __future__ import annotations

import datetime
import secrets
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ui.shell.checkpoints import read_header, recipe_of, shipped_checkpoints
from ui.shell.class_names import names_of
from ui.shell.engine_words import said_of
from ui.shell.formatting import find, headline
from ui.shell.jobs import answers_about, job_store
from ui.shell.paths import data_of
from ui.shell.words import COMPARISONS
from zspag_core.errors import CheckpointError, DataError, ZspagError
from zspag_core.jobs import State
from zspag_core.metrics.depth.row import row_depth
from zspag_core.reproduce.comparison import Comparison, Outcome, Row
from zspag_core.runs.config import RunConfig
from zspag_core.shipped import ASSETS, ORIGINALS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from zspag_core.jobs import Job

FOLDER = ASSETS / "comparisons"
OWN = "own"
MOST_RUNS = 1000
FAILED = "failed"
DEPTH = "depth"


@dataclass(frozen=True)
class ComparedRun:
    """What the methods of a comparison are tried on.

    Attributes:
        data: name or path of the data set.
        checkpoint: file of the original model.
        forget: the classes to forget.
        class_names: the names of those classes.
    """

    data: str
    checkpoint: str
    forget: tuple[int, ...]
    class_names: tuple[str, ...]

    @property
    def network(self) -> str:
        """Return what the original is called elsewhere, too."""
        return Path(self.checkpoint).stem


def shipped_comparisons(folder: Path | None = None) -> list[Comparison]:
    """Return the comparisons whose results ship with the app, in the order of their presets, digits first.

    A file that cannot be read is passed over: the others are still good.
    """
    found = []
    for path in sorted((folder or FOLDER).glob("*.json")):
        try:
            found.append(Comparison.read(path))
        except (DataError, OSError):
            continue
    presets = list(COMPARISONS)
    place = {name: number for number, name in enumerate(presets)}
    return sorted(found, key=lambda one: (place.get(preset_of(one.name), len(presets)), one.data != "digits", one.name))


def preset_of(name: str) -> str:
    """Return the preset that a comparison belongs to: what stands before the first hyphen of its name."""
    return name.partition("-")[0]


def outcome_of(result: Mapping[str, Any], seed: int, part: str = "after") -> Outcome:
    """Return what a comparison keeps of a run.

    Args:
        result: what result.json says, of a run that came to its end.
        seed: of the run.
        part: "after" for the method's model, "before" for the original one.
    """
    graded, relearning = result[part], result[part].get("relearning") or {}
    backdoor = (result.get("backdoor") or {}).get(part)
    spent = [seconds for stage, seconds in result["seconds"].items() if stage != "evaluate" and seconds]
    own, depth = part == "after", result.get("depth")
    return Outcome(
        seed=seed,
        acc_rt=graded["acc_rt"],
        acc_ut=graded["acc_ut"],
        mia=graded["mia"],
        probe=graded["probe"],
        relearning=relearning.get("steps"),
        relearned=relearning.get("reached"),
        rest_by_then=relearning.get("acc_rt"),
        seconds=float(sum(spent)) if own else None,
        stopped=result["stopped"] if own else "epochs",
        attack=backdoor,
        asr=find(result, ("proxies", "asr")) if own else None,
        depth=depth and row_depth(depth, "unlearned" if own else "original"),
    )


def references(results: Sequence[tuple[int, Mapping[str, Any]]]) -> list[Row]:
    """Return the rows that every run brings along: the original model, and masking its outputs.

    Args:
        results: seed and result of runs that came to their end, on the same model and classes.
    """
    by_seed = dict(reversed(results))
    before = [outcome_of(result, seed, "before") for seed, result in sorted(by_seed.items())]
    masked = [
        Outcome(
            seed=one.seed,
            acc_rt=find(by_seed[one.seed], ("mask", "acc_rt")),
            acc_ut=_masked(one),
            probe=one.probe,
            depth=one.depth,
        )
        for one in before
    ]
    original = Row(key="original", label="Original", method=None, needs_retain=False, kind="reference", seeds=before)
    mask = Row(key="mask", label="Mask", method="mask", needs_retain=False, kind="reference", seeds=masked)
    return [original, mask]


def _masked(before: Outcome) -> float | None:
    """Return what masking leaves of the forgotten classes: nothing, but unknown where it cannot be graded."""
    return None if before.acc_ut is None else 0.0


def comparison_of(name: str, jobs: Sequence[Job]) -> Comparison:
    """Return what the runs of a comparison add up to so far.

    Args:
        name: of the comparison.
        jobs: its runs, in the order of their submission, at least one.
    """
    first = jobs[0]
    about, depths = first.config["comparison"], answers_about(jobs, DEPTH)
    results = {job.id: _with_depth(result, depths.get(job.id)) for job in jobs if (result := headline(job)) is not None}
    done = [(int(job.config["seed"]), results[job.id]) for job in jobs if job.id in results]
    rows = {row.key: row for row in references(done)} if done else {}
    for key in dict.fromkeys(str(job.config["comparison"]["key"]) for job in jobs):
        rows[key] = _row([job for job in jobs if job.config["comparison"]["key"] == key], results)
    model = str(first.config["checkpoint"]).replace("\\", "/").rpartition("/")[2].removesuffix(".safetensors")
    made = datetime.datetime.fromtimestamp(first.created).astimezone()
    return Comparison(
        name=name,
        title=about["title"],
        question=about["question"],
        data=str(first.config["data"]),
        model=model,
        test_accuracy=None,
        forget=list(first.config["forget"]),
        class_names=list(names_of(first.config, max(first.config["forget"]) + 1)),
        scale="small",
        device=str(done[0][1]["device"]) if done else first.device,
        date=f"{made:%Y-%m-%d}",
        forget_images=0,
        retain_images=0,
        rows=list(rows.values()),
    )


def _with_depth(result: Mapping[str, Any], depth: Mapping[str, Any] | None) -> Mapping[str, Any]:
    """Return a run's record with its depth, where that was measured for a page."""
    return result if depth is None else {**result, "depth": depth}


def _row(jobs: Sequence[Job], results: Mapping[str, Mapping[str, Any]]) -> Row:
    """Return what the runs of one row came to; those that wait, run or were cancelled have no outcome.

    Args:
        jobs: the runs.
        results: the records of those that came to their end, by id.
    """
    config = jobs[0].config
    about = config["comparison"]
    return Row(
        key=about["key"],
        label=about["label"],
        method=config["method"],
        needs_retain=about["needs_retain"],
        settings=config["settings"],
        kind=about["kind"],
        seeds=[outcome for job in jobs if (outcome := _outcome(job, results.get(job.id))) is not None],
    )


def _outcome(job: Job, result: Mapping[str, Any] | None) -> Outcome | None:
    """Return what a run came to, with its record where it has one; None where it has not come to anything."""
    seed = int(job.config["seed"])
    if result is not None:
        return outcome_of(result, seed)
    if job.state == State.FAILED:
        return Outcome(seed=seed, acc_rt=None, acc_ut=None, stopped=FAILED, error=said_of(job, job.error))
    return None


def order(subject: ComparedRun, rows: Sequence[Row], seeds: Sequence[int], about: Comparison | None = None) -> str:
    """Queue one run for every row and seed, and return the name of the comparison that gathers them.

    All rows are made with the first seed before any is made with the second: the table fills from top to bottom.

    Args:
        subject: what the methods are tried on.
        rows: what to run; a row without a method is passed over.
        seeds: of everything random.
        about: a comparison whose title and question are kept; None for one of the visitor's own.
    """
    preset = preset_of(about.name) if about is not None else OWN
    name = f"{preset}-{secrets.token_hex(6)}"
    title, question = (about.title, about.question) if about is not None else COMPARISONS[OWN]
    job_store().check_room(len(seeds) * sum(row.method is not None for row in rows))
    for seed in seeds:
        for row in rows:
            if row.method is not None:
                shared = {"title": title, "question": question, "key": row.key, "label": row.label, "kind": row.kind}
                settings = _settings(row, subject)
                asked = RunConfig(
                    subject.data, subject.checkpoint, tuple(subject.forget), row.method, settings, int(seed)
                )
                config = asked.to_job(
                    class_names=list(subject.class_names), comparison=shared | {"needs_retain": row.needs_retain}
                )
                job_store().submit("unlearn", config, comparison=name)
    return name


def _settings(row: Row, subject: ComparedRun) -> dict[str, Any]:
    """Return a row's settings; retraining follows the recipe that the model was made by unless told otherwise."""
    if row.method == "retrain" and not row.settings:
        return recipe_of(subject.checkpoint)
    return dict(row.settings)


def network_of(comparison: Comparison) -> str:
    """Return the name of a ready-made comparison's original, where that is here, else of the network's size."""
    subject = subject_of(comparison)
    return comparison.model if subject is None else subject.network


def subject_of(comparison: Comparison) -> ComparedRun | None:
    """Return what a ready-made comparison began from, to run it on here; None where its data or model is missing."""
    asked = (comparison.model, comparison.data, comparison.test_accuracy)
    for path in [*shipped_checkpoints(), *shipped_checkpoints(ORIGINALS)]:
        try:
            header = read_header(path)
            if (header.model, header.data, header.test_accuracy) == asked:
                forget = tuple(comparison.forget)
                names = tuple(header.class_names[label] for label in forget)
                return ComparedRun(data_of(header.data), str(path), forget, names)
        except (CheckpointError, ZspagError, IndexError):
            continue
    return None
