"""Try many settings of a method, and say which to choose.

Each --space varies one knob: a list (n_adv=10,30,100; attack=pgd,fgsm) or a range (epsilon=4/255..64/255, with :log
behind it for a logarithmic one, :5 for that many values in a grid). What steers the sweep is by default a figure that
sees nothing but the images to forget and proxies made of them; graded figures stand beside it, and how well the one
predicted the other. Runs, study and queue live in the dashboard's database; Ctrl-C keeps everything, and the same
command goes on. --trials may then be another number.
"""

from __future__ import annotations

import json
import shutil
import signal
import sys
import threading
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zspag_core.commands.serving import (
    STOP_SECONDS,
    add_cluster,
    on_cluster,
    own_device,
    processes,
    share_out,
    this_process,
)
from zspag_core.commands.shared import (
    CLASSES_HELP,
    DATA_HELP,
    add_classes,
    add_device,
    add_model,
    add_settings,
    checkpoint_of,
    parse_classes,
    parse_reading,
    parse_settings,
    parse_share,
    read_names,
)
from zspag_core.commands.unlearn import preset_settings
from zspag_core.errors import UnlearningError, UsageError
from zspag_core.files import check_writable, replace_file
from zspag_core.runs.command_line import CLASSES_FILE
from zspag_core.safety import CODE
from zspag_core.tuning.objectives import OBJECTIVES, RETAIN_FREE, find_objectives
from zspag_core.tuning.sweep import SAMPLERS, Sweep

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator
    from types import FrameType

    from zspag_core.jobs import Job, JobStore

TRIALS = 20
DASHBOARD = "http://localhost:8501"
"""Where `app` serves the dashboard unless it is told otherwise."""
LOOK_SECONDS = 1.0
LONG_SECONDS = 119.5
"""From here on a time is told in minutes."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `tune`."""
    parser.add_argument("--data", required=True, metavar="D", help=DATA_HELP)
    parser.add_argument("--checkpoint", default="", metavar="F", help="model to start from: a file or a model folder")
    add_model(parser)
    parser.add_argument("--forget", required=True, metavar="3,5", help=f"classes to forget, {CLASSES_HELP}")
    add_classes(parser)
    parser.add_argument("--hold-out", default="0", metavar="PERCENT", help="as in unlearn (0)")
    parser.add_argument("--method", default="zspag", metavar="KEY", help="which method (zspag)")
    parser.add_argument("--preset", default="", metavar="NAME", help="named settings to start from")
    add_settings(parser, "a hyper-parameter that is not varied")
    parser.add_argument(
        "--space", action="append", default=[], metavar="NAME=VALUES", help="a knob to vary; may repeat (see above)"
    )
    words = "; ".join(f"{name}: {about}" for name, about in SAMPLERS.items())
    parser.add_argument("--sampler", default="grid", metavar="NAME", help=f"how points are chosen (grid); {words}")
    parser.add_argument("--trials", default="", metavar="N", help=f"points at most ({TRIALS}; of a grid all)")
    parser.add_argument("--minutes", default="0", metavar="M", help="begin no further point after so long (no limit)")
    parser.add_argument("--seeds", default="0", metavar="0,1,2", help="runs of every point; figures are means (0)")
    keys = ", ".join(f"{o.key}*" if o.graded else o.key for o in OBJECTIVES)
    parser.add_argument(
        "--objective",
        action="append",
        default=[],
        metavar="KEY",
        help=f"what steers the sweep ({RETAIN_FREE.key}); repeat it for a Pareto front; of {keys}; * for grading only",
    )
    parser.add_argument(
        "--prune", action="store_true", help="stop trials that are clearly lost by what their epochs say of proxies"
    )
    parser.add_argument(
        "--relearning", action="store_true", help="count relearning steps of every trial, which is slow"
    )
    parser.add_argument(
        "--workers", default="1", metavar="N", help="processes that carry out trials (1) and share the cores"
    )
    add_cluster(parser, "trials")
    parser.add_argument("--json", action="store_true", help="print everything as JSON")
    parser.add_argument("--csv", type=Path, default=None, metavar="FILE", help="write every trial as CSV")
    parser.add_argument(
        "--export",
        nargs=2,
        action="append",
        default=[],
        metavar=("FORMAT", "PLACE"),
        help="write every trial with configuration and measures: csv FILE, json FILE, or mlflow FOLDER (or the URI of "
        "a tracking server); may repeat",
    )
    add_device(parser)


def run(arguments: argparse.Namespace) -> int:
    """Check the request, carry the sweep out, print what came of it."""
    workers = _count(arguments.workers, "--workers")
    share_out(arguments, workers)
    sweep = _sweep(arguments)
    exports = _exports(arguments)
    sweep, names = _prepared(sweep)
    remembered: dict[str, Any] = {"class_names": names}
    if arguments.classes:
        remembered[CLASSES_FILE] = _absolute(arguments.classes)
    _tell(_plan(sweep, arguments.trials))
    from zspag_core.jobs import JobStore

    store = JobStore()
    device = str(own_device(arguments))
    with _interruptible() as interrupted, _serving(store, workers, device, arguments):
        job = _begun(store, sweep, remembered)
        watcher = _Watcher(store, job, sweep)
        job = watcher.follow(interrupted)
    for form, place in exports:
        _export(form, place, sweep, watcher.rows, remembered)
    _print(sweep, watcher.rows, remembered, arguments)
    return _end(job, watcher.rows, sweep)


def _sweep(arguments: argparse.Namespace) -> Sweep:
    """Read the request."""
    from zspag_core.runs.config import RunConfig
    from zspag_core.tuning.space import parse_space, size_of

    if arguments.model.startswith(CODE):
        raise UsageError(
            "--model: the trials of a sweep wait in the queue, which runs nobody's own code: expected "
            f"torchvision:NAME, timm:NAME or hf:FOLDER, got {arguments.model} (unlearn takes it)"
        )
    settings = preset_settings(arguments.method, arguments.preset) | parse_settings(arguments.settings)
    config = RunConfig(
        data=arguments.data,
        checkpoint=checkpoint_of(arguments),
        forget=parse_classes(arguments.forget, "--forget"),
        method=arguments.method,
        settings=settings,
        device=arguments.device,
        relearning=arguments.relearning,
        model_classes=read_names(arguments.classes),
        hold_out=parse_share(arguments.hold_out, "--hold-out"),
        model=arguments.model,
        reading=parse_reading(arguments),
        order=arguments.order,
    )
    space = parse_space(arguments.space, arguments.method, settings)
    usual = size_of(space) if arguments.sampler == "grid" else TRIALS
    return Sweep(
        run=config.to_dict(),
        space=space,
        sampler=arguments.sampler,
        trials=_count(arguments.trials, "--trials") if arguments.trials else usual,
        minutes=_minutes(arguments.minutes),
        objectives=tuple(arguments.objective) or (RETAIN_FREE.key,),
        seeds=_seeds(arguments.seeds),
        prune=arguments.prune,
    ).check()


def _prepared(sweep: Sweep) -> tuple[Sweep, list[str]]:
    """Load model and data once, so that what does not fit is refused at once; return the sweep with plain values.

    Returns:
        The sweep, its settings as the method reads them and its classes as numbers; the names of these classes.
    """
    from zspag_core.hyperparameters import values
    from zspag_core.runs.config import RunConfig
    from zspag_core.runs.prepare import prepare
    from zspag_core.shipped import model_path

    prepared = prepare(RunConfig.from_dict(sweep.run))
    lacking = [o.key for o in find_objectives(sweep.objectives) if o.graded and o.key != "seconds" and prepared.lacks]
    if lacking:
        raise UsageError(
            f"--objective: {', '.join(lacking)} cannot be graded: the data lack {', '.join(prepared.lacks)}"
        )
    read = values(prepared.method)
    settings = {name: read[name] for name in sweep.run["settings"]}
    checkpoint = str(model_path(Path(str(sweep.run["checkpoint"]))))
    places = {"data": _absolute(str(sweep.run["data"])), "checkpoint": _absolute(checkpoint)}
    places["model"] = _absolute_source(str(sweep.run["model"]))
    run = {**sweep.run, **places, "forget": list(prepared.config.classes), "settings": settings}
    names = [prepared.dataset.class_names[k] for k in prepared.config.classes]
    return Sweep.from_dict(sweep.to_dict() | {"run": run}), names


def _absolute(place: str) -> str:
    """Return a path so that a worker in another folder finds it; a name as it is."""
    return str(Path(place).resolve()) if Path(place).exists() else place


def _absolute_source(source: str) -> str:
    """Return what --model named, its file or folder as a worker in another folder finds it."""
    kind, colon, rest = source.partition(":")
    return f"{kind}:{_absolute(rest)}" if kind == "hf" and colon else source


def _plan(sweep: Sweep, asked: str) -> str:
    """Say what will be done, and that there is no more than that to do where more was asked for."""
    axes = ", ".join(map(str, sweep.space))
    seeds = f" x {len(sweep.seeds)} seeds" if len(sweep.seeds) > 1 else ""
    fewer = f" (not {asked}: there are no more points)" if asked and int(asked) > sweep.trials else ""
    count = f"{sweep.trials} {'trial' if sweep.trials == 1 else 'trials'}{fewer}{seeds}"
    return f"{count} of {axes}; {SAMPLERS[sweep.sampler]}; by {', '.join(sweep.objectives)}"


def _begun(store: JobStore, sweep: Sweep, remembered: dict[str, Any]) -> Job:
    """Return the sweep's job: a new one, or the same sweep's earlier one, which goes on."""
    from zspag_core.tuning import queue

    job = queue.find_sweep(store, sweep)
    if job is None:
        return queue.submit_sweep(store, sweep, remembered)
    if not job.active:
        job = queue.go_on(store, job, trials=sweep.trials, minutes=sweep.minutes)
    _tell("this sweep is known: it goes on from what is finished")
    return job


class _Watcher:
    """Says on stderr what happens to a sweep.

    Attributes:
        rows: the trials that have ended.
    """

    def __init__(self, store: JobStore, job: Job, sweep: Sweep) -> None:
        """Watch a sweep from now on."""
        self.store, self.job, self.sweep = store, job, sweep
        self.rows: list[dict[str, Any]] = []
        self._event, self._seen = 0, set[int]()
        self._now = _Transient()

    def follow(self, interrupted: threading.Event) -> Job:
        """Tell every trial as it begins and ends, until the sweep does; once interrupted, stop it and wait for that."""
        asked = 0.0
        while True:
            now = self.store.require(self.job.id)
            self._look()
            if not now.active:
                self._now.clear()
                return now
            if interrupted.is_set() and not asked:
                self._say("stopping: what is finished is kept")
                asked = time.monotonic()
                self.store.cancel(self.job.id)
            if asked and time.monotonic() - asked > STOP_SECONDS:
                return now
            time.sleep(LOOK_SECONDS)

    def _look(self) -> None:
        """Tell the trials that have ended and begun since the last look, and where those under way are."""
        from zspag_core.tuning import queue

        for event in self.store.events(self.job.id, self._event):
            self._event = event.sequence
            if event.kind == queue.ROW:
                self.rows.append(dict(event.body))
                self._say(self._line(event.body))
        going = queue.under_way(self.store, self.job.id)
        for trial, _ in going:
            if trial["number"] not in self._seen:
                self._seen.add(trial["number"])
                self._say(f"trial {trial['number']} begins: {_knobs(self.sweep, trial)}")
        self._now.show("; ".join(f"trial {trial['number']}: {self._stage(run)}" for trial, run in going))

    def _say(self, line: str) -> None:
        """Write a line that stays."""
        self._now.clear()
        _tell(line)

    def _stage(self, run: Job) -> str:
        """Return where a run is."""
        from zspag_core.tuning import queue

        stage, done, total = (run.progress.get(name, 0) for name in ("stage", "done", "total"))
        epoch = queue.epoch_reached(self.store, run.id) if stage == "unlearn" else None
        if epoch is not None:
            return f"{stage}, epoch {epoch[0]} of {epoch[1]}"
        return f"{stage} {done:,} of {total:,}" if stage else "starts"

    def _line(self, row: Any) -> str:  # noqa: ANN401 - a row of the report
        """Return one ended trial in words."""
        from zspag_core.tuning.report import best_rows

        head = f"trial {row['number']} ({len(self.rows)}/{self.sweep.trials}): {_knobs(self.sweep, row)}"
        if row["state"] != "done":
            return f"{head}: {row['error']}"
        figures = ", ".join(f"{key} {_figure(row['figures'].get(key))}" for key in self._shown())
        numbers = ", ".join(str(one["number"]) for one in best_rows(self.sweep, self.rows))
        return f"{head}: {figures}; best so far: {f'trial {numbers}' if numbers else 'none'}{self._left()}"

    def _shown(self) -> list[str]:
        """Return the figures of a line."""
        return list(dict.fromkeys((*self.sweep.objectives, "acc_rt", "acc_ut")))

    def _left(self) -> str:
        """Say how long it will take from here."""
        from zspag_core.tuning import queue
        from zspag_core.tuning.pace import time_left

        left = time_left(self.rows, self.sweep.trials, queue.workers(self.store))
        if left is None:
            return ""
        long = left.seconds >= LONG_SECONDS
        return f"; {left.about} {f'{left.seconds / 60:.0f} min' if long else f'{left.seconds:.0f} s'} left"


class _Transient:
    """A line at the end of a terminal that is written over; elsewhere nothing is written."""

    def __init__(self) -> None:
        """Begin with nothing."""
        self._on, self._shown = sys.stderr.isatty(), ""

    def show(self, text: str) -> None:
        """Write a text in place of the last one, as much of it as fits in a line."""
        fitting = text[: shutil.get_terminal_size().columns - 1]
        if self._on and fitting != self._shown:
            self.clear()
            sys.stderr.write(fitting)
            sys.stderr.flush()
            self._shown = fitting

    def clear(self) -> None:
        """Take the text away."""
        if self._shown:
            sys.stderr.write(f"\r{' ' * len(self._shown)}\r")
        self._shown = ""


def _knobs(sweep: Sweep, trial: dict[str, Any]) -> str:
    """Return a trial's point in words."""
    from zspag_core.tuning.report import plain

    return ", ".join(f"{axis.name} {plain(trial['point'][axis.name])}" for axis in sweep.space)


def _exports(arguments: argparse.Namespace) -> list[tuple[str, str]]:
    """Return where trials are written to, after a look whether they can be: nobody computes for an hour in vain."""
    asked = [(form, place) for form, place in arguments.export]
    if arguments.csv is not None:
        asked.append(("csv", str(arguments.csv)))
    for form, place in asked:
        if form not in {"csv", "json", "mlflow"}:
            raise UsageError(f"--export: expected csv, json or mlflow, got {form!r}")
        if form == "mlflow":
            from zspag_core.mlflow_log import MlflowLog

            MlflowLog.check()
        else:
            check_writable(Path(place))
    return asked


def _export(form: str, place: str, sweep: Sweep, rows: list[dict[str, Any]], remembered: dict[str, Any]) -> None:
    """Write every trial."""
    from zspag_core.tuning.report import as_csv, summarise

    if form == "mlflow":
        from zspag_core.jobs.folders import run_folder
        from zspag_core.mlflow_log import log_sweep

        folders = {job: run_folder(job) for row in rows for job in row["jobs"] if run_folder(job).is_dir()}
        _tell(f"{log_sweep(place, sweep, rows, folders)} new runs logged to {place}")
        return
    text = as_csv(sweep, rows) if form == "csv" else json.dumps(summarise(sweep, rows, remembered), indent=1)
    with replace_file(Path(place)) as partial:
        partial.write_text(text, encoding="utf-8")


def _print(sweep: Sweep, rows: list[dict[str, Any]], remembered: dict[str, Any], arguments: argparse.Namespace) -> None:
    """Print table, prediction and the best as a command; or everything as JSON."""
    from zspag_core.tuning.report import as_table, predicted_words, summarise

    found = summarise(sweep, rows, remembered)
    if arguments.json:
        print(json.dumps(found, indent=1))  # noqa: T201
        return
    for line in as_table(sweep, rows):
        print(line)  # noqa: T201
    for one in found["predicted"]:
        print(predicted_words(one))  # noqa: T201
    if found["command"]:
        numbers = ", ".join(map(str, found["best"]))
        print(f"best by {', '.join(sweep.objectives)}: trial {numbers}\n{found['command']}")  # noqa: T201


def _end(job: Job, rows: list[dict[str, Any]], sweep: Sweep) -> int:
    """Return the exit code; say so where the sweep did not come to its end.

    Raises:
        UnlearningError: it failed.
    """
    from zspag_core.jobs import State
    from zspag_core.tuning.report import used_up

    if job.state == State.FAILED:
        raise UnlearningError(job.error)
    if job.state != State.DONE:
        _tell(f"interrupted after {len(rows)} of {sweep.trials} trials; the same command goes on")
        return 130
    if used_up(sweep, rows):
        _tell("every point of the space has been tried")
    _tell(f"open it in the dashboard (the command app): {DASHBOARD}/Tune?sweep={job.id}")
    return 0


@contextmanager
def _serving(store: JobStore, workers: int, device: str, arguments: argparse.Namespace) -> Iterator[None]:
    """Have sweeps served in this process, and trials where it was asked for, while the block lasts."""
    from zspag_core.jobs import Lane

    if not arguments.cluster:
        with this_process(store, (Lane.SWEEPS, Lane.TRIALS), device), processes(Lane.TRIALS, workers - 1, device):
            yield
        return
    with on_cluster(store, (Lane.TRIALS,), workers, arguments), this_process(store, (Lane.SWEEPS,), device):
        yield


@contextmanager
def _interruptible() -> Iterator[threading.Event]:
    """Yield an event that the first Ctrl-C sets; the second one ends the process at once."""
    interrupted = threading.Event()

    def stop(_signal: int, _frame: FrameType | None) -> None:
        if interrupted.is_set():
            raise KeyboardInterrupt
        interrupted.set()

    before = signal.signal(signal.SIGINT, stop)
    try:
        yield interrupted
    finally:
        signal.signal(signal.SIGINT, before)


def _figure(value: float | None) -> str:
    return "undefined" if value is None else f"{value:.2f}"


def _count(text: str, option: str) -> int:
    """Read a whole number above 0."""
    if not text.isdecimal() or not int(text):
        raise UsageError(f"{option}: expected a whole number above 0, got {text!r}")
    return int(text)


def _minutes(text: str) -> float:
    """Read a number of minutes."""
    try:
        return float(text)
    except ValueError:
        raise UsageError(f"--minutes: expected a number such as 30, got {text!r}") from None


def _seeds(text: str) -> tuple[int, ...]:
    """Read seeds with commas between them."""
    parts = [part.strip() for part in text.split(",")]
    if not all(part.isdecimal() for part in parts):
        raise UsageError(f"--seeds: expected whole numbers with commas between them, got {text!r}")
    return tuple(map(int, parts))


def _tell(line: str) -> None:
    sys.stderr.write(f"{line}\n")
    sys.stderr.flush()
