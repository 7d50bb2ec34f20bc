"""What several commands share: reading lists and settings, progress bars, Ctrl-C."""

from __future__ import annotations

import csv
import re
import signal
import sys
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zspag_core.class_names import read_class_names
from zspag_core.errors import Cancelled, UsageError
from zspag_core.metrics.catalogue import FORGET_SAMPLE, sample_words
from zspag_core.progress import Reporter

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator, Sequence
    from types import FrameType

    from torch import nn

CLASSES_HELP = (
    "by number or by name: a name that is there wins, name:1 and index:1 say which is meant; a name with commas stands "
    "in double quotation marks: '\"tench, Tinca tinca\",cat'"
)
DATA_HELP = "name (digits, cifar10, cifar100, svhn, fashion_mnist) or path of a data set"


def add_device(parser: argparse.ArgumentParser) -> None:
    """Add --device."""
    parser.add_argument("--device", default="auto", metavar="DEVICE", help="auto, cpu, mps or cuda[:N] (auto)")


def add_classes(parser: argparse.ArgumentParser) -> None:
    """Add --classes."""
    parser.add_argument(
        "--classes",
        default="",
        metavar="FILE",
        help="names of the model's classes in the order of its outputs, one a line or JSON, where its file has none",
    )


READING = (
    ("--image-size", int, "N", "side in pixels of the images that the network was trained on"),
    ("--mean", "numbers", "R,G,B", "mean of the pixels (0 to 1) that is subtracted, one number a channel"),
    ("--std", "numbers", "R,G,B", "deviation of the pixels that is divided by"),
    ("--shorter-side", int, "N", "resize the shorter side to this and cut out the middle; 0 stretches to the square"),
    ("--interpolation", str, "WORD", "bilinear, bicubic or nearest"),
    ("--heads", int, "N", "attention heads of a torchvision ViT"),
    ("--entry", str, "NAME", "which of several networks in the file, such as state_dict_ema"),
    ("--limit-mb", float, "MB", "most megabytes of weights that are read (2000)"),
)
"""What a file of weights does not show, as options."""


def add_model(parser: argparse.ArgumentParser) -> None:
    """Add --model and what weights do not show."""
    parser.add_argument(
        "--model",
        default="",
        metavar="SOURCE",
        help="which network the weights are of: torchvision:NAME, timm:NAME, hf:FOLDER, or your own class as "
        "python:FILE.py:CALLABLE, which runs that file",
    )
    for option, _, metavar, words in READING:
        parser.add_argument(option, default=None, metavar=metavar, help=words)
    parser.add_argument(
        "--order",
        default="",
        choices=("", "code_point", "natural", "given"),
        metavar="{code_point,natural,given}",
        help="how class folders are numbered: code_point as torchvision's ImageFolder does (1, 10, 2), natural (1, 2, "
        "10), given keeps what the data say although the model reads otherwise",
    )


def parse_reading(arguments: argparse.Namespace) -> dict[str, Any]:
    """Return what was said with the options of `add_model`, beside the model itself.

    Raises:
        UsageError: a value is no number where one is expected.
    """
    found: dict[str, Any] = {}
    for option, kind, metavar, _ in READING:
        name = option.removeprefix("--").replace("-", "_")
        if (text := getattr(arguments, name)) is not None:
            try:
                found[name] = _value(kind, text)
            except ValueError:
                raise UsageError(f"{option}: expected {metavar}, got {text!r}") from None
    return found


def _value(kind: object, text: str) -> Any:  # noqa: ANN401 - a number, several, or a word
    """Read one value."""
    if kind == "numbers":
        return tuple(float(part) for part in text.split(","))
    if kind is int:
        return int(text)
    return float(text) if kind is float else text


def checkpoint_of(arguments: argparse.Namespace) -> str:
    """Return the checkpoint that is meant: what is named, or the folder of a Hugging Face model.

    Raises:
        UsageError: none is.
    """
    if arguments.checkpoint:
        return str(arguments.checkpoint)
    kind, _, name = arguments.model.partition(":")
    if kind == "hf" and name:
        return str(name)
    raise UsageError("--checkpoint: expected a file or folder with the model's weights, got none")


def read_names(path: str) -> tuple[str, ...] | None:
    """Return the class names in a file, see :func:`read_class_names`; None for no file.

    Raises:
        UsageError: it cannot be read, or does not hold one name for each output.
    """
    if not path:
        return None
    try:
        found = read_class_names(Path(path).read_text("utf-8-sig"))
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is not UTF-8 text"
        raise UsageError(f"--classes: expected a text file with one class name a line, got {path}: {reason}") from None
    except UsageError as error:
        raise UsageError(f"--classes: {path}: {error}") from None
    if found.note:
        print(f"note: {found.note}", file=sys.stderr)  # noqa: T201
    return found.names


def parse_share(text: str, option: str) -> float:
    """Read a percentage.

    Raises:
        UsageError: it is no number; its range is checked where it is used.
    """
    try:
        return float(text.strip().removesuffix("%"))
    except ValueError:
        raise UsageError(f"{option}: expected a percentage such as 20, got {text!r}") from None


def add_settings(parser: argparse.ArgumentParser, what: str) -> None:
    """Add the repeatable --set key=value."""
    parser.add_argument(
        "--set", dest="settings", action="append", default=[], metavar="KEY=VALUE", help=f"change {what}; may repeat"
    )


def parse_settings(pairs: Sequence[str]) -> dict[str, str]:
    """Read key=value pairs.

    Raises:
        UsageError: a pair has no "=", or a key is given twice.
    """
    settings: dict[str, str] = {}
    for pair in pairs:
        key, equals, value = pair.partition("=")
        if not equals or not key:
            raise UsageError(f"--set: expected key=value, got {pair!r}")
        if key in settings:
            raise UsageError(f"--set: {key} is given twice")
        settings[key] = value
    return settings


def parse_classes(text: str, option: str) -> tuple[str, ...]:
    """Read a comma-separated list of classes, numbers or names; whether they are there is seen once data are loaded.

    A name with commas stands in double quotation marks; a list that is the name of one class is read as that later.

    Raises:
        UsageError: the list is empty, or a quotation mark is left open.
    """
    if text.count('"') % 2 and re.search(r'(^|,)\s*"', text):
        raise UsageError(f"{option}: expected every quotation mark to be closed, got {text!r}")
    rows = csv.reader([text], skipinitialspace=True)
    parts = tuple(part.strip() for row in rows for part in row if part.strip())
    if not parts:
        raise UsageError(f"{option}: expected classes by number or name, such as 3,5, got {text!r}")
    return parts


def parse_seed(text: str) -> int:
    """Read a seed.

    Raises:
        UsageError: it is not a whole number from 0 to 2^63 - 1.
    """
    if not text.isdecimal() or int(text) >= 2**63:
        raise UsageError(f"--seed: expected a whole number from 0 to 2^63 - 1, got {text!r}")
    return int(text)


class TerminalReporter(Reporter):
    """Draws one progress bar a stage on stderr; raises Cancelled once Ctrl-C was pressed."""

    def __init__(self) -> None:
        """Start without a bar."""
        self.interrupted = False
        self._stage, self._opened = "", 0.0
        self._bar: Any = None

    def progress(self, stage: str, done: int, total: int, **figures: float) -> None:
        """Move the bar of the stage."""
        if self.interrupted:
            self.close()
            raise Cancelled("interrupted")
        if not done:
            return  # a bar appears with the first step, so that a refused request gets one line and nothing else
        if stage != self._stage or self._bar is None:
            self._open(stage, total)
        self._bar.total = total
        if figures:
            self._bar.set_postfix({name: f"{value:.3g}" for name, value in figures.items()}, refresh=False)
        self._bar.update(done - self._bar.n)

    def epoch(self, number: int, total: int, model: nn.Module, **figures: float) -> None:
        """Write the epoch's figures on a line of their own; epoch 0 is the original model."""
        names = (name for name in figures if name != FORGET_SAMPLE)
        words = ", ".join(f"{name} {figures[name]:.4g}{sample_words(name, figures)}" for name in names)
        self._write(f"{f'epoch {number}/{total}' if number else 'original'}: {words}")
        if self.interrupted:
            self.close()
            raise Cancelled("interrupted")

    def note(self, sentence: str) -> None:
        """Write a sentence on a line of its own."""
        self._write(f"note: {sentence}")

    def finish(self) -> None:
        """End the current bar as a full one: a stage may be done before it reaches its limit."""
        if self._bar is not None:
            self._bar.total = self._bar.n
            if self._bar.disable:
                self._write(f"{self._stage}: done after {time.monotonic() - self._opened:.0f} s")
        self.close()

    def close(self) -> None:
        """End the current bar where it stands."""
        if self._bar is not None:
            self._bar.close()
        self._bar, self._stage = None, ""

    def _open(self, stage: str, total: int) -> None:
        from tqdm import tqdm

        self.finish()
        self._stage, self._opened = stage, time.monotonic()
        self._bar = tqdm(total=total, desc=stage, file=sys.stderr, mininterval=0.5, leave=True, disable=None)

    def _write(self, line: str) -> None:
        from tqdm import tqdm

        tqdm.write(line, file=sys.stderr)


def tell_interrupted(epochs: int, out: Path, how: str) -> int:
    """Say after which epoch Ctrl-C came, where that much is, and how to go on; return the exit code."""
    print(f"interrupted after epoch {epochs}: what was reached is in {out}; {how}", file=sys.stderr)  # noqa: T201
    return 130


@contextmanager
def interruptible() -> Iterator[TerminalReporter]:
    """Yield a reporter that turns the first Ctrl-C into a clean stop; the second one ends the process at once."""
    reporter = TerminalReporter()

    def stop(_signal: int, _frame: FrameType | None) -> None:
        if reporter.interrupted:
            raise KeyboardInterrupt
        reporter.interrupted = True

    before = signal.signal(signal.SIGINT, stop)
    try:
        yield reporter
        reporter.finish()
    finally:
        signal.signal(signal.SIGINT, before)
        reporter.close()
