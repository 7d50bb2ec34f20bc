"""The lessons: a text, one thing to try, a prediction, and how the answer is read from runs.

Pure records and functions, so that `docs/lessons/prerun.py` can make the runs that ship with the app.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ui.learn.answers import Answer, how_many_attacks, how_many_kept, how_read, what_gives_it_away
from ui.shell.checkpoints import recipe_of
from ui.shell.shipped_records import FOLDER, RETRAINED
from ui.shell.words import PIXEL_LEVELS
from zspag_core.shipped import DEMO_CLASS, LESSON_MODEL

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    Record = Mapping[str, Any]


@dataclass(frozen=True)
class Arm:
    """What one run of a lesson is made with; data are the demo's, the model is that of the lessons."""

    method: str = "zspag"
    forget: tuple[int, ...] = (DEMO_CLASS,)
    settings: Mapping[str, Any] = field(default_factory=dict)
    seed: int = 0


@dataclass(frozen=True)
class LessonKnob:
    """The one thing to try in a lesson.

    Attributes:
        name: in an address, for example "epsilon".
        label: above the control.
        values: what it can be, in order, as written in an address.
        default: what it is at first.
        words: what a value reads as; the value itself where it says nothing.
        ordered: a slider if so, else a row of choices.
    """

    name: str
    label: str
    values: tuple[str, ...]
    default: str
    words: Mapping[str, str] = field(default_factory=dict)
    ordered: bool = True

    def say(self, value: str) -> str:
        """Return what a value reads as."""
        return self.words.get(value, value)


@dataclass(frozen=True)
class Lesson:
    """One lesson.

    Attributes:
        title: what it is about.
        short: the same in a word or two.
        file: name of its text and of its runs in assets/lessons, without ending.
        knob: the one thing to try.
        arm: value of the knob -> what the run is made with.
        question: what the visitor predicts; "{}" stands for the knob's value.
        options: the possible answers.
        answer: value, records by value -> the place of the right option, and a sentence with the numbers.
        chart: name of the picture, a key of ui.learn.charts.CHARTS.
        references: further values whose runs ship with the app and are drawn beside.
    """

    title: str
    short: str
    file: str
    knob: LessonKnob
    arm: Callable[[str], Arm]
    question: str
    options: tuple[str, ...]
    answer: Callable[[str, Mapping[str, Record]], Answer]
    chart: str
    references: tuple[str, ...] = ()

    @property
    def path(self) -> Path:
        """Return the file of its text."""
        return FOLDER / f"{self.file}.md"

    @property
    def runs(self) -> Path:
        """Return the file of its runs."""
        return FOLDER / f"{self.file}.json"


def _forget_class(value: str) -> Arm:
    return Arm(forget=(int(value),))


def _careless(value: str) -> Arm:
    settings = {"label_mode": "random", "subspace": "none", "epochs": 6, "stop_rule": False}
    return Arm(settings=settings | {"learning_rate": float(value)})


def _budget(value: str) -> Arm:
    return Arm(settings={"epsilon": int(value) / PIXEL_LEVELS})


STEPS = {"none": 0.0003, "random": 0.001, "estimated": 0.1}
"""Lesson 4: a learning rate that each kind of protection can stand."""


def _protected(value: str) -> Arm:
    settings = {"label_mode": "random", "epochs": 8, "stop_rule": False}
    return Arm(settings=settings | {"subspace": value, "learning_rate": STEPS[value]})


def _method(value: str) -> Arm:
    if value in RETRAINED:
        return Arm(method="retrain", settings=recipe_of(str(LESSON_MODEL)), seed=RETRAINED.index(value))
    return _careless("0.001") if value == "careless" else Arm(method=value)


LESSONS = (
    Lesson(
        "What unlearning is",
        "Unlearning",
        "1_unlearning",
        LessonKnob("forget", "Digit to forget", tuple("0123456789"), "3", ordered=False),
        _forget_class,
        "Shown test images of a {}, what will the unlearned model say?",
        ("Still {}", "Nearly always one and the same other digit", "Several other digits"),
        how_read,
        "classes",
    ),
    Lesson(
        "Why careless training destroys the rest",
        "Careless training",
        "2_careless",
        LessonKnob("learning_rate", "Learning rate", ("0.00001", "0.0001", "0.001", "0.003", "0.01"), "0.001"),
        _careless,
        "Random labels, a learning rate of {}, nothing protected. How many of the other digits are still read right?",
        ("Most: 80 % or more", "50 to 80 %", "Less than half, or the training breaks down"),
        how_many_kept,
        "epochs",
    ),
    Lesson(
        "What proxies are, and what ε does",
        "Proxies and ε",
        "3_proxies",
        LessonKnob(
            "epsilon",
            "ε · perturbation budget",
            ("2", "4", "8", "16", "32", "64"),
            "8",
            {value: f"{value}/255" for value in ("2", "4", "8", "16", "32", "64")},
        ),
        _budget,
        "With ε at {}, how many of the attacks make a proxy?",
        ("Fewer than 20 %", "20 to 80 %", "More than 80 %"),
        how_many_attacks,
        "budgets",
    ),
    Lesson(
        "Why projecting saves the rest",
        "Projection",
        "4_projection",
        LessonKnob(
            "subspace",
            "Directions protected",
            ("none", "random", "estimated"),
            "estimated",
            {"none": "none", "random": "random ones", "estimated": "those the proxies use"},
            ordered=False,
        ),
        _protected,
        "The careless labels of lesson 2, directions protected: {}. How many of the other digits are still read right?",
        ("Most: 80 % or more", "50 to 80 %", "Less than half, or the training breaks down"),
        how_many_kept,
        "protections",
    ),
    Lesson(
        "What the numbers can and cannot tell",
        "The numbers",
        "5_numbers",
        LessonKnob(
            "method",
            "Model to judge",
            ("mask", "zspag", "careless"),
            "mask",
            {"mask": "the mask", "zspag": "ZS-PAG", "careless": "careless training"},
            ordered=False,
        ),
        _method,
        "Which number tells {} from models that were trained anew without the 3s?",
        ("An accuracy: Acc_rt or Acc_ut", "The probe", "The membership attack", "None of them"),
        what_gives_it_away,
        "methods",
        references=RETRAINED,
    ),
)


def lesson_number(text: str | None) -> int:
    """Return the lesson that an address names, from 1; the first where it names none."""
    return int(text) if text in {str(number) for number in range(1, len(LESSONS) + 1)} else 1


def knob_value(knob: LessonKnob, text: str | None) -> str:
    """Return the value that an address names, of a number the nearest there is; the default where it names none."""
    if text in knob.values:
        return str(text)
    try:
        wanted = float(text or "")
        return min(knob.values, key=lambda value: abs(float(value) - wanted))
    except ValueError:
        return knob.default
