"""The command line: python -m zspag_core COMMAND.

Exit codes: 0 done, 1 the work failed, 2 the request cannot be carried out as asked (one line on stderr says why),
130 interrupted.
"""

from __future__ import annotations

import argparse
import os
import sys
from importlib import import_module
from typing import TYPE_CHECKING, NoReturn

from zspag_core.errors import Cancelled, UnlearningError, ZspagError
from zspag_core.faults import fault_words
from zspag_core.malloc import keep_freed_memory
from zspag_core.plugins import use_files
from zspag_core.threads import rest_while_waiting, use_threads

if TYPE_CHECKING:
    from collections.abc import Sequence

COMMANDS = {
    "app": "open the dashboard",
    "train": "train a classifier (or the retrained reference, with --exclude)",
    "unlearn": "make a classifier forget classes and write a run folder",
    "tune": "try many settings of a method and say which to choose, without looking at what must be kept",
    "evaluate": "measure accuracy, membership inference and what a probe still finds",
    "export": "log finished runs to an MLflow folder or server",
    "methods": "list the unlearning methods and their settings",
    "bench": "measure the speed of every stage against a literal implementation and against retraining",
    "reproduce": "repeat the tables and figures of the paper, every method tuned with one budget",
    "worker": "serve the dashboard's queue on one device",
}
PROGRAM = "zspag_core"
MOST_THREADS = 1024
EPILOG = """examples:
  {how} unlearn  --data digits --checkpoint digits_resnet --forget 3 --out runs/first
  {how} evaluate --data digits --checkpoint runs/first/model.safetensors --forget 3
  {how} train    --data digits --model resnet_tiny --epochs 20 --out digits.safetensors

a checkpoint is a file, or the name of a model that ships with the program, such as digits_resnet.
data is a name (digits, cifar10, cifar100, svhn, fashion_mnist) or a path: a folder or .zip of class folders,
an .npz file, or a folder of Hugging Face image parquet files. `COMMAND --help` explains each command."""


class _Parser(argparse.ArgumentParser):
    """A parser that answers bad use with one line."""

    def error(self, message: str) -> NoReturn:
        """Print one line and exit with 2."""
        self.exit(2, f"{self.prog}: {' '.join(message.split())}\n")


def console() -> int:
    """Run one command as the installed program `zspag`; return its exit code."""
    return main(program="zspag")


def main(arguments: Sequence[str] | None = None, *, program: str = PROGRAM) -> int:
    """Run one command; return its exit code.

    Args:
        arguments: the words behind the program's name; those of this process when None.
        program: the name by which it was called, for messages.
    """
    chosen = parse(sys.argv[1:] if arguments is None else arguments, program)
    chosen.command = f"{program} {chosen.command}"
    _prepare_process(chosen.threads)
    try:
        use_files(chosen.plugin)
        return _carry_out(chosen)
    except (Cancelled, KeyboardInterrupt):
        return _fail(chosen.command, "interrupted", 130)
    except UnlearningError as error:
        return _fail(chosen.command, str(error), 1)
    except ZspagError as error:
        return _fail(chosen.command, str(error), 2)
    except ModuleNotFoundError as error:
        if str(error.name).startswith("zspag_core"):
            raise
        return _fail(chosen.command, f"{error.name} is not installed: pip install -r requirements.txt", 1)
    except Exception as error:
        if (words := fault_words(error)) is None:
            raise
        return _fail(chosen.command, words, 1)


def parse(words: Sequence[str], program: str = PROGRAM) -> argparse.Namespace:
    """Read a command line; words that are none end the process with 2 and one line."""
    return _build_parser(program, words).parse_args(words)


def _prepare_process(threads: int) -> None:
    """Choose how this process computes, before anything loads torch; 0 threads are as many as it takes by itself."""
    keep_freed_memory()
    rest_while_waiting()
    if threads:
        use_threads(threads)


def _carry_out(chosen: argparse.Namespace) -> int:
    """Run a command; that whoever reads its output, such as `head`, has read enough is no fault."""
    try:
        code = int(chosen.run(chosen))
        sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # nor is it when the interpreter ends
        return 0
    return code


def _build_parser(program: str, words: Sequence[str]) -> _Parser:
    """Assemble the parser; of the modules in zspag_core.commands, one a command, only those named are imported."""
    parser = _Parser(
        prog=program,
        description=__doc__.splitlines()[0] + " Zero-shot machine unlearning with ZS-PAG.",
        epilog=EPILOG.format(how=program if program != PROGRAM else f"python -m {PROGRAM}"),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--plugin",
        action="append",
        default=[],
        metavar="FILE",
        help="a Python file with further methods or attacks, which is run; before the command, may be repeated",
    )
    parser.add_argument(
        "--threads",
        type=_thread_count,
        default=0,
        metavar="N",
        help="compute with so many threads (OMP_NUM_THREADS, else the cores); before the command",
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND", parser_class=_Parser)
    for name, summary in COMMANDS.items():
        command = commands.add_parser(name, help=summary, formatter_class=argparse.RawDescriptionHelpFormatter)
        if name in words:
            module = import_module(f"zspag_core.commands.{name}")
            command.description = module.__doc__
            module.add_arguments(command)
            command.set_defaults(run=module.run)
    return parser


def _thread_count(text: str) -> int:
    """Read a number of threads."""
    if not text.isdecimal() or not 1 <= int(text) <= MOST_THREADS:
        raise argparse.ArgumentTypeError(f"expected a whole number from 1 to {MOST_THREADS}, got {text!r}")
    return int(text)


def _fail(command: str, message: str, code: int) -> int:
    """Say in one line on stderr why a command ended early; return the exit code."""
    print(f"{command}: {' '.join(message.split())}", file=sys.stderr)
    return code
