"""`python -m zspag_core.plane`: answers questions, one JSON line each, until its input ends.

Whoever asks starts this process and holds its input open, so it ends with them, however they end.
"""

from __future__ import annotations

import json
import os
import sys
from typing import IO, TYPE_CHECKING, Any

from zspag_core.errors import ZspagError
from zspag_core.plane.question import Question, read_question

if TYPE_CHECKING:
    from zspag_core.plane.play import Playground


def main() -> int:
    """Serve; what the engine prints goes to standard error, so that answers stay alone."""
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "w", encoding="utf-8")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    playground = _load()
    _send(answers, {"ready": True})
    playground.answer(Question(settings={"label_mode": "influence_anchored"}))  # what it imports takes half a second
    for line in sys.stdin:
        _send(answers, reply(playground, line))
    return 0


def reply(playground: Playground, line: str) -> dict[str, Any]:
    """Return the answer to one line: {"answer": …}, or {"error": a sentence} for what cannot be played."""
    try:
        return {"answer": playground.answer(read_question(json.loads(line)))}
    except ZspagError as error:
        return {"error": str(error)}


def _load() -> Playground:
    import torch

    from zspag_core.plane.play import Playground

    torch.set_num_threads(1)  # the networks are tiny: a second thread only waits
    playground = Playground()
    playground.answer(Question())  # what a visitor sees first, and what is slow the first time
    return playground


def _send(answers: IO[str], message: dict[str, Any]) -> None:
    answers.write(json.dumps(message, separators=(",", ":")) + "\n")
    answers.flush()


if __name__ == "__main__":
    sys.exit(main())
