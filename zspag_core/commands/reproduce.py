"""Repeat a table or a figure of the paper: every method in one harness, tuned with one budget.

Originals come with the project or are trained first. Each finished cell is kept under DIR/cells: after an interruption
the same command goes on from there, and tables share what they have in common. DIR receives one JSON file and one
Markdown page a comparison; the paper's figures stand beside ours. `small` is for two CPU cores, `brief` and `full` are
for a GPU. Rows filled side by side, here or on a cluster, are jobs of the dashboard's queue in a lane of their own.
"""

from __future__ import annotations

import secrets
from contextlib import contextmanager, nullcontext
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zspag_core.commands.serving import add_cluster, on_cluster, own_device, processes, share_out, this_process
from zspag_core.commands.shared import add_device, interruptible
from zspag_core.errors import Cancelled, DataError, UsageError
from zspag_core.files import replace_file
from zspag_core.progress import Reporter

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Iterator

    from zspag_core.commands.shared import TerminalReporter
    from zspag_core.reproduce.comparison import Comparison
    from zspag_core.reproduce.experiment import Experiment
    from zspag_core.reproduce.harness import Harness

WHAT = ("table1", "table2", "table3", "table4", "table5", "table6", "fig2", "fig3", "fig4", "fig5")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `reproduce`."""
    parser.add_argument("what", metavar="TABLE", help=", ".join(WHAT))
    parser.add_argument("--scale", default="small", metavar="SCALE", help="small, brief or full (small)")
    parser.add_argument("--seeds", default="3", metavar="N", help="runs of every row, with seeds 0, 1, ... (3)")
    parser.add_argument("--out", type=Path, default=None, metavar="DIR", help="folder (runs/reproduce/SCALE)")
    parser.add_argument("--only", default="", metavar="NAME", help="one comparison, for example cifar10-vit")
    parser.add_argument(
        "--depth",
        action="store_true",
        help="also ask every stage of each row's network what it knows: rows that were made without are made anew",
    )
    parser.add_argument(
        "--workers", default="1", metavar="N", help="rows filled side by side, for a GPU (1); they share the cores"
    )
    add_cluster(parser, "rows")
    add_device(parser)


def run(arguments: argparse.Namespace) -> int:
    """Check the request, fill the table, write and name the files."""
    from zspag_core.reproduce.harness import Harness
    from zspag_core.reproduce.scale import SCALES

    if arguments.what not in WHAT:
        raise UsageError(f"TABLE: expected one of {', '.join(WHAT)}, got {arguments.what!r}")
    if arguments.scale not in SCALES:
        raise UsageError(f"--scale: expected one of {', '.join(SCALES)}, got {arguments.scale!r}")
    for option in ("seeds", "workers"):
        given = getattr(arguments, option)
        if not given.isdecimal() or not int(given):
            raise UsageError(f"--{option}: expected a whole number above 0, got {given!r}")
    share_out(arguments, int(arguments.workers))
    scale, out = SCALES[arguments.scale], arguments.out or Path("runs/reproduce") / arguments.scale
    device = own_device(arguments)
    with interruptible() as terminal:
        harness = Harness(
            out,
            scale,
            device=device,
            seeds=int(arguments.seeds),
            report=_Stop(terminal),
            tell=_say,
            depth=arguments.depth,
        )
        return _make(arguments, harness)


class _Stop(Reporter):
    """Draws nothing: a line a cell is enough; raises Cancelled once Ctrl-C was pressed."""

    def __init__(self, terminal: TerminalReporter) -> None:
        self.terminal = terminal

    def progress(self, stage: str, done: int, total: int, **figures: float) -> None:
        """Stop where that was asked for."""
        if self.terminal.interrupted:
            raise Cancelled("interrupted")


def _make(arguments: argparse.Namespace, harness: Harness) -> int:
    """Make every comparison or picture of a table or figure whose data set is at hand."""
    from zspag_core.reproduce.tables import experiments, names_of

    what, only = arguments.what, arguments.only
    chosen = experiments(what, harness.scale, only)
    if not chosen:
        names = ", ".join(names_of(what, harness.scale))
        raise UsageError(f"--only: expected one of {names}, got {only!r}")
    made, look = [], {"fig3": _attention, "fig4": _map}.get(what)
    several = look is None and not all(experiment.timing for experiment in chosen)
    with _together(arguments) if several else nullcontext() as fill:
        make = look or partial(_compare, fill=fill)
        for experiment in chosen:
            try:
                made.append(make(harness, experiment))
            except DataError as error:
                if only or not experiment.setup.optional:
                    raise
                _say(f"{experiment.name} is left out: {error}")
    _draw_rows(what, harness, made)
    return 0


@contextmanager
def _together(arguments: argparse.Namespace) -> Iterator[Callable[[Harness, Experiment], None] | None]:
    """Yield how the rows of a comparison are filled side by side, where that is asked for, while the block lasts."""
    workers = int(arguments.workers)
    if workers == 1 and not arguments.cluster:
        yield None
        return
    from zspag_core.jobs import JobStore
    from zspag_core.jobs.records import ROWS
    from zspag_core.reproduce.parallel import fill_together

    store, lane = JobStore(), f"{ROWS}{secrets.token_hex(4)}"

    def fill(harness: Harness, experiment: Experiment) -> None:
        fill_together(harness, arguments.what, experiment, store, lane, arguments.device)

    if arguments.cluster:
        with on_cluster(store, (lane,), workers, arguments):
            yield fill
        return
    with this_process(store, (lane,), arguments.device), processes(lane, workers - 1, arguments.device):
        yield fill


def _compare(
    harness: Harness, experiment: Experiment, fill: Callable[[Harness, Experiment], None] | None
) -> Comparison:
    """Fill a comparison and write its page; where times are measured, one row after the other."""
    from zspag_core.reproduce.markdown import as_markdown

    if fill is not None and not experiment.timing:
        fill(harness, experiment)
    comparison = harness.compare(experiment)
    page = harness.out / f"{experiment.name}.md"
    with replace_file(page) as partial:
        partial.write_text(as_markdown(comparison, experiment.scale or harness.scale), encoding="utf-8")
    _say(f"written to {page}")
    return comparison


def _attention(harness: Harness, experiment: Experiment) -> None:
    """Draw figure 3 of one data set."""
    from zspag_core.reproduce import figures, views

    _write(harness, experiment.name, figures.draw_attention(experiment.title, harness.view(experiment, views.attended)))


def _map(harness: Harness, experiment: Experiment) -> None:
    """Draw figure 4 of one data set."""
    from zspag_core.reproduce import figures, views

    _write(harness, experiment.name, figures.draw_map(experiment.title, harness.view(experiment, views.mapped)))


def _draw_rows(what: str, harness: Harness, comparisons: list[Any]) -> None:
    """Draw the figures that show the rows of comparisons."""
    from zspag_core.reproduce import figures

    if what == "fig2" and comparisons:
        _write(harness, what, figures.draw_membership(comparisons))
    if what == "fig5":
        for comparison in comparisons:
            _write(harness, comparison.name, figures.draw_curves(comparison))


def _write(harness: Harness, name: str, figure: Any) -> None:  # noqa: ANN401 - plotly is imported late
    """Write a figure as a page."""
    from zspag_core.reproduce.figures import write_page

    write_page(figure, harness.out / f"{name}.html")
    _say(f"written to {harness.out / f'{name}.html'}")


def _say(text: str) -> None:
    print(text, flush=True)  # noqa: T201
