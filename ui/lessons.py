"""The lessons: a text, a prediction, the settings of the real run, and the answer read from that run."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ui.checkpoints import ROOT
from ui.results import percent

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

FOLDER = ROOT / "assets" / "lessons"
HELD = 5.0
"""Points of remaining accuracy that a run may lose and still count as having kept the rest."""
FEW = 50.0
FINDS = 50.0


@dataclass(frozen=True)
class Lesson:
    """One lesson.

    Attributes:
        title: what it is about.
        file: name of its text in assets/lessons.
        settings: what the run changes of the method ZS-PAG.
        question: what the visitor predicts.
        options: the possible answers; the first holds where `holds` says so, the second where not.
        holds: reads from a result whether the first option is true.
        figures: reads from a result the sentence with the numbers.
    """

    title: str
    file: str
    settings: Mapping[str, Any]
    question: str
    options: tuple[str, str]
    holds: Callable[[Mapping[str, Any]], bool]
    figures: Callable[[Mapping[str, Any]], str]

    @property
    def path(self) -> Path:
        """Return the file of its text."""
        return FOLDER / self.file


def kept(result: Mapping[str, Any]) -> bool:
    """Tell whether the remaining classes are still read nearly as well."""
    return bool(result["before"]["acc_rt"] - result["after"]["acc_rt"] <= HELD)


def few_proxies(result: Mapping[str, Any]) -> bool:
    """Tell whether fewer than half of the attacks made a proxy."""
    return float((result.get("proxies") or {}).get("asr") or 0.0) < FEW


def probe_finds(result: Mapping[str, Any]) -> bool:
    """Tell whether a probe still finds the forgotten class in most of its images."""
    return float(result["after"].get("probe") or 0.0) > FINDS


def accuracy_words(result: Mapping[str, Any]) -> str:
    """Say both accuracies before and after."""
    before, after = result["before"], result["after"]
    return (
        f"Remaining accuracy (Acc_rt) went from {percent(before['acc_rt'])} to **{percent(after['acc_rt'])}**, "
        f"forgotten accuracy (Acc_ut) from {percent(before['acc_ut'])} to **{percent(after['acc_ut'])}**."
    )


def proxy_words(result: Mapping[str, Any]) -> str:
    """Say how many attacks made a proxy, and what became of the accuracies."""
    rate = (result.get("proxies") or {}).get("asr")
    return f"The attack succeeded on **{percent(rate)}** of the images. {accuracy_words(result)}"


def probe_words(result: Mapping[str, Any]) -> str:
    """Say what the probe finds and what the mask gives."""
    mask = (result.get("mask") or {}).get("acc_rt")
    return (
        f"{accuracy_words(result)} Yet the probe finds **{percent(result['after'].get('probe'))}** of the forgotten "
        f"images, and the mask, which learns nothing, has a remaining accuracy of {percent(mask)}."
    )


CARELESS = {"label_mode": "random", "subspace": "none", "learning_rate": 0.003, "epochs": 2, "stop_rule": False}
LESSONS = (
    Lesson(
        "What unlearning is", "1_unlearning.md", {}, "After forgetting the 3s, what of the other digits?",
        ("They are read nearly as well as before", "They are read clearly worse"), kept, accuracy_words,
    ),
    Lesson(
        "Why careless training destroys the rest", "2_careless.md", CARELESS,
        "Random labels, ordinary steps, no protection. What of the other digits?",
        ("They are read nearly as well as before", "They are read clearly worse"), kept, accuracy_words,
    ),
    Lesson(
        "What proxies are, and what ε does", "3_proxies.md", {"epsilon": 8 / 255, "n_adv": 10},
        "With ε at 8/255, how many attacks make a proxy?",
        ("Less than half", "Half or more"), few_proxies, proxy_words,
    ),
    Lesson(
        "Why projecting saves the rest", "4_projection.md", CARELESS | {"subspace": "estimated"},
        "The careless run of lesson 2, now with projection. What of the other digits?",
        ("They are read nearly as well as before", "They are read clearly worse"), kept, accuracy_words,
    ),
    Lesson(
        "What the numbers can and cannot tell", "5_numbers.md", {},
        "Acc_ut is near 0 %. Can a probe still find the 3s inside the model?",
        ("Yes, most of them", "No, hardly any"), probe_finds, probe_words,
    ),
)  # fmt: skip


def lesson_number(text: str | None) -> int:
    """Return the lesson that an address names, from 1; the first where it names none."""
    return int(text) if text in {str(number) for number in range(1, len(LESSONS) + 1)} else 1


def verdict(lesson: Lesson, result: Mapping[str, Any], predicted: str | None) -> tuple[bool | None, str]:
    """Return whether the prediction was right (None without one), and the answer from the run."""
    answer = lesson.options[0 if lesson.holds(result) else 1]
    text = f"**{answer}.** {lesson.figures(result)}"
    return (None if predicted is None else predicted == answer), text
