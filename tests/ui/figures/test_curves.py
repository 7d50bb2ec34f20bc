from __future__ import annotations

import json
import math

import pytest

from ui.figures.curves import curves_of
from ui.figures.model import training_accuracy_figure, training_loss_figure
from ui.figures.palette import FORGOTTEN, REFERENCE
from ui.figures.training import accuracy_figure, estimate_figure, loss_figure, plain_loss_figure

EPOCHS = [
    {"epoch": 0, "acc_rt": 99.0, "acc_ut": 98.0},
    {"epoch": 1, "acc_rt": 98.5, "acc_ut": 30.0, "loss": 2.0, "mia": 62.0},
    {"epoch": 2, "acc_rt": 98.7, "acc_ut": None, "loss": 1.0, "mia": 55.0},
]
TRAINED = [{"epoch": 1, "train_accuracy": 80.0, "test_accuracy": 75.0, "loss": 1.5}]
ESTIMATED = [{"epoch": 1, "forget_images": 40.0, "proxy_agreement": 90.0}]

FIGURES = {
    "accuracy": accuracy_figure(EPOCHS, 5, mask=97.0),
    "empty": accuracy_figure([], 5),
    "estimates": estimate_figure(ESTIMATED, 3),
    "loss and attack": loss_figure(EPOCHS, 5),
    "loss": plain_loss_figure(EPOCHS, 5),
    "training": training_accuracy_figure(TRAINED, 40),
    "training's loss": training_loss_figure(TRAINED, 40),
}


@pytest.mark.parametrize("name", FIGURES)
def test_every_live_figure_is_told_as_plotly_has_it(name):
    figure = FIGURES[name]
    told = curves_of(figure)
    assert json.loads(json.dumps(told, allow_nan=False)) == told, "as it travels to the browser"
    axes = list(figure.select_yaxes())
    assert [panel["title"] for panel in told["panels"]] == [axis.title.text for axis in axes]
    assert (told["across"]["low"], told["across"]["high"]) == list(figure.select_xaxes())[-1].range
    assert (told["height"], told["legend"]) == (figure.layout.height, figure.layout.showlegend)
    lines = [line for panel in told["panels"] for line in panel["lines"]]
    assert [(line["name"], line["colour"], line["width"], line["dash"]) for line in lines] == [
        (trace.name, trace.line.color, trace.line.width, trace.line.dash or "solid") for trace in figure.data
    ]
    assert [line["points"] for line in lines] == [
        [list(point) for point in zip(trace.x, trace.y, strict=True)] for trace in figure.data
    ]
    levels = [level for panel in told["panels"] for level in panel["levels"]]
    assert [level["y"] for level in levels] == [shape.y0 for shape in figure.layout.shapes]
    for panel, axis in zip(told["panels"], axes, strict=True):
        bottom, top = axis.domain or (0, 1)
        assert (1 - panel["bottom"], 1 - panel["top"]) == pytest.approx((bottom, top))
        for value in [y for line in panel["lines"] for _, y in line["points"]]:
            assert panel["low"] <= value <= panel["high"]
        assert all(panel["low"] <= tick <= panel["high"] for tick, _ in panel["ticks"])
        assert 2 <= len(panel["ticks"]) <= 7


def test_levels_carry_their_words_on_the_side_where_they_stand():
    (panel,) = curves_of(FIGURES["accuracy"])["panels"]
    assert [(level["text"], level["above"]) for level in panel["levels"]] == [("", False), ("", False), ("mask", True)]
    _, attack = curves_of(FIGURES["loss and attack"])["panels"]
    assert attack["levels"] == [
        {"y": 50.0, "text": "a coin toss", "above": False, "colour": REFERENCE, "width": 1.5, "dash": "dot"}
    ]


def test_the_words_of_an_empty_figure_are_told_once():
    assert curves_of(FIGURES["empty"])["empty"] == "the line starts with the first epoch"
    assert curves_of(FIGURES["accuracy"])["empty"] == ""
    assert curves_of(loss_figure([], 5))["empty"] == "the line starts with the first epoch"


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_a_loss_out_of_bounds_leaves_the_others_standing(value):
    (panel,) = curves_of(plain_loss_figure([*EPOCHS, {"epoch": 3, "loss": value}], 5))["panels"]
    (line,) = panel["lines"]
    assert line["points"] == [[1.0, 2.0], [2.0, 1.0]]
    assert line["colour"] == FORGOTTEN


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ((0.0,), ["0", "0.2", "0.4", "0.6", "0.8", "1"]),
        ((2.0, 1.0), ["0", "0.5", "1", "1.5", "2"]),
        ((7.5,), ["0", "2", "4", "6", "8"]),
        ((1e-4,), ["0", "5e\N{MINUS SIGN}05", "0.0001"]),
        ((3.2e7,), ["0", "1e+07", "2e+07", "3e+07"]),
        ((-2.0, 1.0), ["\N{MINUS SIGN}2", "\N{MINUS SIGN}1", "0", "1"]),
    ],
)
def test_a_scale_without_ends_begins_at_zero_and_has_few_round_numbers(values, words):
    epochs = [{"epoch": number, "loss": value} for number, value in enumerate(values)]
    (panel,) = curves_of(plain_loss_figure(epochs, 5))["panels"]
    assert [word for _, word in panel["ticks"]] == words
    assert panel["low"] <= min(0.0, *values) <= max(0.0, *values) <= panel["high"]


def test_ticks_across_are_whole_epochs():
    assert [word for _, word in curves_of(FIGURES["accuracy"])["across"]["ticks"]] == list("012345")
    across = curves_of(FIGURES["training"])["across"]
    assert [tick for tick, _ in across["ticks"]][:3] == [4, 8, 12]
    assert across["title"] == "epoch"
