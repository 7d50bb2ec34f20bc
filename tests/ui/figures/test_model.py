from __future__ import annotations

import pytest

from ui.figures import model as figures
from ui.figures.palette import REMAINING

EPOCHS = [
    {"epoch": 1, "loss": 2.0, "train_accuracy": 40.0, "test_accuracy": 50.0},
    {"epoch": 2, "loss": 1.0, "train_accuracy": 60.0, "test_accuracy": None},
]


def test_each_class_has_a_bar_with_its_name_and_a_line_marks_all():
    figure = figures.class_accuracy_figure(["cat", "a very long class name"], [90.0, None], 90.0)
    (bars,) = figure.data
    assert list(bars.y) == [90.0, None], "nothing was counted, so no bar of 0 may stand there"
    assert [list(row) for row in bars.customdata] == [["cat", "90.0 %"], ["a very long class name", "no image"]]
    assert bars.marker.color == REMAINING
    assert list(figure.layout.xaxis.ticktext) == ["cat", "a very long…"]
    assert figure.layout.shapes[0].y0 == 90.0


def test_a_hundred_classes_are_named_on_pointing_only():
    figure = figures.class_accuracy_figure([f"class {k}" for k in range(100)], [50.0] * 100, 50.0)
    assert figure.layout.xaxis.ticktext is None
    assert figure.data[0].text is None
    assert "point at a bar" in figure.layout.xaxis.title.text


def test_classes_are_described_for_those_who_cannot_see_them():
    said = figures.describe_class_accuracy(["cat", "dog", "eel"], [90.0, 70.25, None])
    assert said == "Accuracy by class, from 70.2 percent for dog to 90.0 percent for cat."
    assert "no image" in figures.describe_class_accuracy(["cat"], [None])


def test_curves_have_a_fixed_axis_and_leave_gaps_out():
    figure = figures.training_accuracy_figure(EPOCHS, 10)
    train, test = figure.data
    assert (list(train.x), list(train.y)) == ([1, 2], [40, 60])
    assert (list(test.x), list(test.y)) == ([1], [50])
    assert figure.layout.xaxis.range[1] == pytest.approx(10.2)
    loss = figures.training_loss_figure(EPOCHS, 10)
    assert list(loss.data[0].y) == [2, 1]


def test_empty_curves_say_what_is_to_come():
    for figure in (figures.training_accuracy_figure([], 3), figures.training_loss_figure([], 3)):
        assert "first epoch" in figure.layout.annotations[0].text


def test_training_is_described():
    assert figures.describe_training([]) == "Training by epoch: no epoch has ended yet."
    said = figures.describe_training(EPOCHS[:1])
    assert said.endswith("right are 40.0 percent of training images, 50.0 percent of test images.")
    assert figures.describe_training(EPOCHS).endswith("60.0 percent of training images.")
