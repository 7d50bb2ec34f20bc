from __future__ import annotations

import numpy as np
import pytest

from ui.figures.confusion import changed_classes, confusion, drawn_classes, mean_by_class


def test_confusion_is_in_percent_of_the_true_class():
    labels = np.array([0, 0, 0, 0, 1, 1])
    answers = np.array([0, 0, 0, 1, 1, 2])
    matrix = confusion(labels, np.eye(3)[answers])
    assert matrix[:2].tolist() == [[75.0, 25.0, 0.0], [0.0, 50.0, 50.0]]
    assert np.isnan(matrix[2]).all(), "no image of class 2"


def test_few_classes_are_all_drawn():
    assert drawn_classes([np.eye(10)], [3]) == list(range(10))
    assert changed_classes([1.0] * 10, [1.0] * 10, [3]) == list(range(10))


def test_of_many_classes_the_forgotten_and_the_most_confused_are_drawn():
    matrix = 100 * np.eye(100)
    matrix[7, 7], matrix[7, 55] = 40.0, 60.0
    after = matrix.copy()
    after[90, 90], after[90, 12] = 0.0, 100.0
    drawn = drawn_classes([matrix, after], [90], limit=5)
    assert {90, 12, 7, 55} <= set(drawn)
    assert len(drawn) == 5
    assert drawn == sorted(drawn)


def test_of_many_classes_the_forgotten_and_the_most_changed_have_bars():
    before = [90.0] * 50
    after = [90.0] * 50
    after[8], after[33] = 10.0, None
    assert changed_classes(before, after, [40], limit=3) == [8, 33, 40]


def test_mean_by_class():
    values = np.array([[1.0, 0.0], [0.0, 1.0], [0.5, 0.5]])
    means = mean_by_class(values, np.array([4, 4, 6]), [4, 6, 9])
    assert means[:2] == pytest.approx(np.array([[0.5, 0.5], [0.5, 0.5]]))
    assert np.isnan(means[2]).all()
