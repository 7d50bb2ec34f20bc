from __future__ import annotations

import numpy as np
import pytest

from ui.figures.labels import label_influence, taught_classes, taught_labels

NAMES = ("ant", "bee", "cat")
TAUGHT = np.array([[0.75, 0.0, 0.25]])


def test_labels_are_shares_of_the_forgotten_class():
    drawn = taught_labels(TAUGHT, NAMES, [1], [0, 1, 2])
    (heat,) = drawn.figure.data
    assert list(heat.z[0]) == [75.0, 0.0, 25.0]
    assert list(heat.text[0]) == ["75", "", "25"]
    assert drawn.alt == "Mean label of each forgotten class: bee mostly becomes ant."
    assert drawn.rows[0] == {"forgotten": "bee", "label": "ant", "mean_label_percent": 75.0}
    assert not drawn.note


def test_influence_is_drawn_as_the_change_of_the_loss_around_zero():
    drawn = label_influence(np.array([[0.5, -0.25, 0.0]]), NAMES, [1], [0, 1, 2])
    (heat,) = drawn.figure.data
    assert list(heat.z[0]) == [-0.5, 0.25, 0.0], "a label that lowers the loss is negative"
    assert (heat.zmin, heat.zmax) == (-0.5, 0.5)
    assert drawn.rows[0]["predicted_loss_change_nats"] == pytest.approx(-0.5)


def test_a_class_without_samples_is_empty():
    drawn = taught_labels(np.array([[np.nan] * 3]), NAMES, [1], [0, 1, 2])
    assert list(drawn.figure.data[0].z[0]) == [None, None, None]
    assert drawn.rows[0]["mean_label_percent"] is None
    assert label_influence(np.array([[np.nan] * 3]), NAMES, [1], [0, 1, 2]).figure.data[0].zmax == 1.0


def test_of_many_classes_those_taught_most_are_drawn():
    taught = np.zeros((1, 50))
    taught[0, [7, 30]] = 0.5
    drawn = taught_classes(taught, limit=2)
    assert drawn == [7, 30]
    assert taught_labels(taught, [str(k) for k in range(50)], [1], drawn).note == (
        "The classes that are taught most, 2 of 50."
    )
