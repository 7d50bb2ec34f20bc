"""Pure functions from records to texts and tables: what a run says, in words that a person reads."""

from __future__ import annotations

import re
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ui.shell.words import BASELINE, OPTIONAL_STAGES, STAGES, STATES
from zspag_core.jobs import Command, State
from zspag_core.metrics.catalogue import (
    ACC_RT,
    ACC_UT,
    GRADED,
    PER_EPOCH,
    sample_words,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from zspag_core.jobs import Event, Job
    from zspag_core.metrics.catalogue import Measure


UNFORESEEN = ("before", "evaluate")
"""Stages whose time left nobody knows: images are counted, then probes fitted, then steps that may end at any time."""

TABLE_HEAD = 2  # lines
LEAST_BETWEEN = 1.0  # seconds; less is not worth a word
FILE_NAME = re.compile(r"\S*\w(?:[._/]\w|\d)")
"""The beginning of a sentence that begins with a file's name, or another that is no word: wolf.zip, layer4, my_set."""
NEAR = 3.0  # points within which a percentage counts as that of retrained models


@dataclass(frozen=True)
class StageStep:
    """One stage of the stepper.

    Attributes:
        name: key of the stage.
        status: "done", "running", "stopped", "waiting" or "skipped".
        note: count and time left, or the time it took, or why it took none.
        share: finished part, in [0, 1].
    """

    name: str
    status: str
    note: str
    share: float


def headline(job: Job) -> Mapping[str, Any] | None:
    """Return the result of a run that came to its end, else None: what a cancelled run leaves is not graded."""
    return job.answer if isinstance(job.answer, dict) and job.answer.get("after") else None


def state_words(job: Job) -> tuple[str, str, str]:
    """Return colour, icon and word of a run's state, or of what a person has asked of it."""
    commands = {
        Command.PAUSE: ("orange", ":material/pause_circle:", "Paused"),
        Command.STEP: ("blue", ":material/skip_next:", "One epoch"),
        Command.CANCEL: ("gray", ":material/cancel:", "Stopping"),
    }
    return commands[job.command] if job.active and job.command in commands else STATES[job.state]


def headline_words(result: Mapping[str, Any], between: str = " · ") -> str:
    """Write the two headline accuracies of a run that is graded."""
    return between.join(f"{one.short} {percent(find(result['after'], one.path))}" for one in (ACC_RT, ACC_UT))


def percent(value: float | None, *, sign: bool = False) -> str:
    """Write a percentage as a person reads it: 86.2 %, +1.9, – where there is none."""
    if value is None:
        return "–"
    rounded = round(value, 1) + 0.0  # never -0.0
    return f"{rounded:+.1f}".replace("-", "−") if sign else f"{rounded:.1f} %".replace("-", "−")


def between(low: float, high: float) -> str:
    """Write a range of percentages, one number where both ends read alike."""
    return percent(low) if percent(low) == percent(high) else f"{low:.1f} to {percent(high)}"


def near(value: float, band: tuple[float, float]) -> bool:
    """Tell whether a percentage is what retrained models have, from the least to the largest, give or take."""
    return band[0] - NEAR <= value <= band[1] + NEAR


def glue(text: str) -> str:
    """Keep numbers and their percent signs and units of time on one line."""
    return re.sub(r"(?<=\d) (?=(%|s|min|h)(?!\w))", "\N{NO-BREAK SPACE}", text)


def escape(text: str) -> str:
    """Keep a name from being read as Markdown."""
    return "".join("\\" + letter if letter in "\\`*_[]~:$#|<" else letter for letter in text)


def counted(number: int, one: str, many: str = "") -> str:
    """Write a number of things: 1 run, 3 runs, 2 proxies."""
    return f"{number} {one if number == 1 else many or one + 's'}"


def duration(seconds: float) -> str:
    """Write a time span: 0.4 s, 12 s, 3 min, 2 h 5 min."""
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    if seconds < 119.5:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"


def setting_text(value: object) -> str:
    """Write a setting as a person reads it."""
    if value is None:
        return "automatic"
    if isinstance(value, bool):
        return "on" if value else "off"
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def worked(job: Job) -> float | None:
    """Return the seconds that a job has been worked on, pauses left out; None before it was begun."""
    if job.started is None:
        return None
    return (job.finished or time.time()) - job.started - float(job.progress.get("waited", 0.0))


def worked_words(job: Job) -> str:
    """Write how long a job has been worked on, behind a dot; nothing before it was begun."""
    spent = worked(job)
    return "" if spent is None else f" · {duration(spent)}"


def between_words(job: Job) -> str:
    """Write how much of a finished run's time no stage counts, so that the stages add up; little is left out."""
    spent = worked(job)
    if job.state != State.DONE or spent is None:
        return ""
    rest = spent - sum(map(float, job.progress.get("seconds", {}).values()))
    return f", {duration(rest)} of it between the stages" if rest >= LEAST_BETWEEN else ""


def steps(job: Job, seen: Iterable[str]) -> list[StageStep]:
    """Return the stages of a run, in order: those of the full method, and others that it has reached.

    Args:
        job: the run.
        seen: the stages that its events name.
    """
    reached = list(dict.fromkeys(seen))
    usual = (name for name in STAGES if name not in OPTIONAL_STAGES)
    return [_step(name, reached, job) for name in sorted({*reached, *usual}, key=_place)]


def _place(name: str) -> float:
    """Return the place of a stage in the story; unknown ones stand before the grading."""
    names = list(STAGES)
    return names.index(name) if name in names else names.index("evaluate") - 0.5


def _step(name: str, reached: Sequence[str], job: Job) -> StageStep:
    """Describe one stage."""
    now = job.progress.get("stage")
    if name not in reached and name != now:
        passed = _place(name) < max((_place(one) for one in reached if one != BASELINE), default=-1.0)
        if passed or not job.active:
            return StageStep(name, "skipped", "not in this run" if passed else "not reached", 0.0)
        return StageStep(name, "waiting", "waiting", 0.0)
    if name != now or job.state == State.DONE:
        return StageStep(name, "done", duration(float(job.progress.get("seconds", {}).get(name, 0.0))), 1.0)
    count, total = int(job.progress["done"]), max(1, int(job.progress["total"]))
    most = "at most " if name == "unlearn" else ""  # the stopping rule may end it sooner
    left = "" if (time_left := seconds_left(job)) is None else f" · {most}{duration(time_left)} left"
    return StageStep(
        name, "running" if job.active else "stopped", f"{count:,} of {total:,}{left}", min(1.0, count / total)
    )


def seconds_left(job: Job) -> float | None:
    """Return how long the stage under way will take at the pace of this attempt; None where that cannot be told."""
    progress = job.progress
    if not job.active or job.command == Command.PAUSE or "stage" not in progress or progress["stage"] in UNFORESEEN:
        return None
    done, total = int(progress["done"]), int(progress["total"])
    made, spent = done - int(progress.get("first", 0)), float(progress["seconds"].get(progress["stage"], 0.0))
    return spent / made * (total - done) if made > 0 and spent > 1 and done < total else None


def epochs_of(events: Iterable[Event], result: Mapping[str, Any] | None) -> list[dict[str, Any]]:
    """Return one record per epoch, epoch 0 being the model before, sorted by epoch; parts of the newest, too."""
    events = list(events)
    rows = {float(event.body["epoch"]): dict(event.body) for event in events if event.kind == "epoch"}
    if result is None:
        parts = (dict(event.body) for event in events if event.kind == "partway")
        begun = max(rows, default=0) - 1  # an epoch that has just ended keeps its parts, often it is the only one
        rows |= {part["epoch"]: part for part in parts if part["epoch"] > begun}
    else:
        rows = {float(row["epoch"]): row for row in result.get("history", [])} | rows
        rows.setdefault(0.0, first_epoch(result))
    return [rows[number] for number in sorted(rows)]


def first_epoch(result: Mapping[str, Any]) -> dict[str, Any]:
    """Return the record of the model before, as epoch 0."""
    before, estimates = result["before"], result.get("estimates") or {}
    row = {"epoch": 0, "acc_rt": before["acc_rt"], "acc_ut": before["acc_ut"]}
    read = (estimates.get("forget_accuracy") or {}).get("before")
    return row if read is None else row | {"forget_images": read}


def log_lines(events: Iterable[Event]) -> list[str]:
    """Return one line for every stage begun, every epoch made and every note, newest last."""
    lines = []
    for event in events:
        clock = time.strftime("%H:%M:%S", time.localtime(event.at))
        body = event.body
        if event.kind == "stage":
            lines.append(f"{clock}  stage    {STAGES.get(body['stage'], body['stage'])}")
        elif event.kind == "epoch":
            known = (name for name in PER_EPOCH if body.get(name) is not None)
            figures = "  ".join(f"{name} {body[name]:.4g}{sample_words(name, body)}" for name in known)
            lines.append(f"{clock}  epoch {body['epoch']:<3}{figures}")
        elif event.kind == "note":
            lines.append(f"{clock}  note     {body['sentence']}")
    return lines


def questions(events: Iterable[Event]) -> list[str]:
    """Return the notes that ask the person something: those make a run's figures doubtful, the others explain them."""
    notes = (str(event.body["sentence"]) for event in events if event.kind == "note")
    return list(dict.fromkeys(note for note in notes if note.endswith("?")))


def result_table(result: Mapping[str, Any]) -> str:
    """Return the before/after table as Markdown; empty where nothing is graded."""
    lines = ["| | Before | After | Change | What it is |", "|:--|--:|--:|--:|:--|"]
    for measure in GRADED:
        before, after = find(result["before"], measure.path), find(result["after"], measure.path)
        if before is None and after is None:
            continue
        lines.append(_row(measure, before, after))
        mask = result.get("mask") or {}
        if measure is ACC_RT and mask.get("acc_rt") is not None:
            over = "" if after is None else f"lead {percent(after - mask['acc_rt'], sign=True)}"
            what = "the original with the forgotten outputs blocked, nothing learned"
            lines.append(f"| *Mask, for comparison* | | *{percent(mask['acc_rt'])}* | *{over}* | {what} |")
    return glue("\n".join(lines)) if len(lines) > TABLE_HEAD else ""


def _row(measure: Measure, before: float | None, after: float | None) -> str:
    """Return one line of the table."""
    change = figure_text(None if before is None or after is None else after - before, measure, sign=True)
    figures = f"{figure_text(before, measure)} | **{figure_text(after, measure)}** | {change}"
    return f"| {measure.title} | {figures} | {measure.meaning}. *Good: {measure.good}* |"


def figure_text(value: float | None, measure: Measure, *, sign: bool = False) -> str:
    """Write a figure of a measure, or a change of it, with the precision of its unit; – where there is none."""
    if value is None or measure.unit == "%":
        return percent(value, sign=sign)
    return f"{value:{'+' if sign else ''}.{measure.digits}f}".replace("-", "−")


def find(part: Mapping[str, Any], path: Sequence[str]) -> float | None:
    """Follow a path into a record; None where it ends early."""
    found: Any = part
    for name in path:
        found = found.get(name) if isinstance(found, dict) else None
    return None if found is None else float(found)


def as_sentence(words: str, *names: str) -> str:
    """Write words as a sentence; a file's or another name at its beginning keeps its letters.

    Args:
        words: the sentence, perhaps without its capital and its stop.
        names: that may stand at its beginning, beside those of files, which are known by their dots and digits.
    """
    end = "" if words.endswith((".", "?", "!")) else "."
    named = FILE_NAME.match(words) or any(name and words.startswith(name) for name in names)
    return f"{words[:1] if named else words[:1].upper()}{words[1:]}{end}"


def page_of(job: Job) -> str:
    """Return the page that shows a run best."""
    return "Results" if headline(job) is not None else "Forget"
