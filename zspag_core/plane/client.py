"""Asking the plane from a process without torch: a child answers, one line each, and ends with whoever asks."""

from __future__ import annotations

import contextlib
import json
import queue
import subprocess
import sys
import threading
from collections import OrderedDict
from typing import IO, TYPE_CHECKING, Any

from zspag_core import files
from zspag_core.errors import UsageError, ZspagError
from zspag_core.shipped import ROOT

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from zspag_core.plane.question import Question

COMMAND = (sys.executable, "-m", "zspag_core.plane")
PATIENT_SECONDS = 60.0
IDLE_SECONDS = 600.0
REMEMBERED = 48
PATIENCE = 3


class PlaneGone(ZspagError):
    """The process that answers has ended, or does not answer."""


class PlaneClient:
    """One child for all who ask; questions wait for each other, equal ones are answered from memory."""

    def __init__(self, command: Sequence[str] = COMMAND, *, patience: float = PATIENT_SECONDS) -> None:
        """Ask with a command; the child is started at the first question, or by :meth:`start`."""
        self._command, self._patience = tuple(command), patience
        self._turn, self._state = threading.Lock(), threading.Lock()
        self._child: _Child | None = None
        self._stillborn = 0
        self._known: OrderedDict[str, dict[str, Any]] = OrderedDict()
        self._idle: threading.Timer | None = None

    def start(self) -> None:
        """Start the child, if there is none, and come back at once: it takes seconds until it answers."""
        with self._state:
            if self._child is not None and not self._child.alive:
                self._stillborn = 0 if self._child.ready.is_set() else self._stillborn + 1
                self._child.end()
                self._child = None
            if self._child is None and not self.trouble:
                self._child = _Child(self._command)
            self._rest()

    @property
    def ready(self) -> bool:
        """Tell whether there is a child that has begun to answer."""
        return self._child is not None and self._child.alive and self._child.ready.is_set()

    @property
    def trouble(self) -> str:
        """Return a sentence if children end before they are ready, else nothing; no further one is started then."""
        if self._stillborn < PATIENCE:
            return ""
        return f"The engine ends right after its start. Its last words are in {log_file()}."

    @property
    def pid(self) -> int:
        """Return the child's process id; 0 where there is none."""
        return self._child.process.pid if self._child is not None else 0

    def ask(self, question: Question) -> dict[str, Any]:
        """Return the answer of :meth:`zspag_core.plane.play.Playground.answer`.

        Raises:
            UsageError: the question cannot be played; says why.
            PlaneGone: nobody answers.
        """
        line = json.dumps(question.plain(), sort_keys=True)
        if (known := self._recall(line)) is not None:
            return known
        with self._turn:
            if (known := self._recall(line)) is not None:
                return known
            message = self._send(line)
        if "error" in message:
            raise UsageError(message["error"])
        answer: dict[str, Any] = message["answer"]
        self._remember(line, answer)
        return answer

    def close(self) -> None:
        """End the child; the next question starts another."""
        with self._state:
            if self._idle is not None:
                self._idle.cancel()
            if self._child is not None:
                self._child.end()
            self._child = None

    def _send(self, line: str) -> dict[str, Any]:
        self.start()
        child = self._child
        try:
            if child is None:
                raise PlaneGone(self.trouble or "The plane was closed while it was asked; move a knob to ask again.")
            return child.answer(line, self._patience)
        except PlaneGone:
            self.close()
            raise

    def _recall(self, line: str) -> dict[str, Any] | None:
        with self._state:
            if line in self._known:
                self._known.move_to_end(line)
            return self._known.get(line)

    def _remember(self, line: str, answer: dict[str, Any]) -> None:
        with self._state:
            self._known[line] = answer
            while len(self._known) > REMEMBERED:
                self._known.popitem(last=False)

    def _rest(self) -> None:
        """Let the child go when nobody has asked for a while."""
        if self._idle is not None:
            self._idle.cancel()
        self._idle = threading.Timer(IDLE_SECONDS, self.close)
        self._idle.daemon = True
        self._idle.start()


def log_file() -> Path:
    """Return the file that holds what children print."""
    return files.home() / "plane.log"


class _Child:
    """The process and the thread that hears it."""

    def __init__(self, command: tuple[str, ...]) -> None:
        path = log_file()
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("ab") as log:
            self.process = subprocess.Popen(  # noqa: S603 - our own command
                command,
                cwd=ROOT,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                encoding="utf-8",
            )
        self.ready = threading.Event()
        self._heard: queue.SimpleQueue[str] = queue.SimpleQueue()
        threading.Thread(target=self._hear, name="plane", daemon=True).start()

    @property
    def alive(self) -> bool:
        """Tell whether the process runs."""
        return self.process.poll() is None

    def answer(self, line: str, patience: float) -> dict[str, Any]:
        """Return the answer to one line.

        Raises:
            PlaneGone: it ended, or took too long.
        """
        try:
            _pipe(self.process.stdin).write(line + "\n")
            _pipe(self.process.stdin).flush()
            heard = self._heard.get(timeout=patience)
        except (OSError, ValueError):
            heard = ""
        except queue.Empty:
            raise PlaneGone(f"The plane has not answered for {patience:.0f} s and is started anew.") from None
        if not heard:
            raise PlaneGone("The process that draws the plane has ended; move a knob to start it again.")
        message: dict[str, Any] = json.loads(heard)
        return message

    def end(self) -> None:
        """End the process and give up its pipes."""
        self.process.kill()
        self.process.wait()
        with contextlib.suppress(OSError):  # what was not yet written has no reader any more
            _pipe(self.process.stdin).close()

    def _hear(self) -> None:
        """Pass on every line behind the first, which says that it is ready; an empty one says that it has ended."""
        with _pipe(self.process.stdout) as lines:
            if lines.readline():
                self.ready.set()
            for line in lines:
                self._heard.put(line)
        self._heard.put("")


def _pipe(stream: IO[str] | None) -> IO[str]:
    """Return a pipe of a process that was started with one."""
    assert stream is not None  # noqa: S101
    return stream
