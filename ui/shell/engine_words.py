"""What the engine says, as a page says it: without options of the command line, files called as visitors call them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from ui.shell.paths import in_words

if TYPE_CHECKING:
    from pathlib import Path

    from zspag_core.jobs import Job

OPTIONS = (
    (r", had with --entry \S+", ", which can be chosen on the page Model"),
    (r" \(--classes FILE, one name a line\)", ": a file of names on the page Model does, one a line"),
    (r"give the model's names with --classes \(a file, one name a line in the order of the outputs\)",
     "give the names of the model's outputs on the page Model, one a line in their order"),
    (r"; --order natural takes", "; counted as a person does they would be"),
    (r"; (name|it looks like)[^;]*--model .*$", ""),
    (r": name its (own )?class with --model python:FILE\.py:CALLABLE", ": only its own class does, on a command line"),
    (r"choose with --(mean|std|image-size) .*?\(or name what was taken in the same way\)", "choose on the page Model"),
    (r"model wants its images \(--image-size, --mean, --std\)", "model wants its images, on the page Model,"),
    (r"state --image-size, --mean and --std", "state size, mean and deviation on the page Model"),
    (r"choose with --order \S+, or --order given to keep it as it is", "choose on the page Model"),
    (r"with --classes FILE, one name a line", "on the page Model"),
    (r"in the --classes FILE, one a line", "on the page Model"),
    (r"with --order given", "on the page Model"),
    (r", or --order given to keep it as it is", ", or keep it as it is there"),
    (r"; --order given keeps both as they are", "; both can be kept as they are there"),
    (r"--order natural", "natural order"),
)  # fmt: skip
"""Options of the command line -> what a page says in their place."""


def for_page(sentence: str, *paths: str | Path) -> str:
    """Return a sentence of the engine without options of the command line, with files called as visitors do."""
    sentence = in_words(sentence, *paths)
    for pattern, words in OPTIONS:
        sentence = re.sub(pattern, words, sentence)
    return sentence


def said_of(job: Job, sentence: str) -> str:
    """Return a sentence of the engine about a job in a page's words."""
    return for_page(sentence, *(str(job.config[name]) for name in ("checkpoint", "data") if job.config.get(name)))
