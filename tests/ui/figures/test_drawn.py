"""Scales: shares within 0 and 100 percent, nothing from -1 to 1 where all values are the same."""

from __future__ import annotations

import pytest

from ui.figures.drawn import range_of, span_of


@pytest.mark.parametrize(
    ("values", "unit", "expected"),
    [
        ([0.0, 0.0], "%", (0.0, 2.0)),
        ([100.0], "%", (98.0, 100.0)),
        ([50.0], "%", (49.0, 51.0)),
        ([99.5, 100.0], "%", (98.0, 100.0)),
        ([0.0, 100.0], "%", (0.0, 100.0)),
        ([0.0], "s", (0.0, 1.0)),
        ([20.0, 20.0], "s", (19.0, 21.0)),
        ([0.01, 0.03], "nats", (0.01, 0.03)),
        ([-30.0, 99.0], "points", (-30.0, 99.0)),
        ([99.9, 100.0], "points", (98.0, 100.0)),
    ],
)
def test_a_scale_holds_its_values_and_nothing_that_cannot_be(values, unit, expected):
    assert span_of(values, unit) == pytest.approx(expected)


def test_what_has_no_ends_is_plotlys_own():
    assert span_of([-3.0, 4.0], "steps") is None
    assert span_of([], "%") is None
    assert range_of([1.0], "") is None


def test_marks_at_the_ends_have_room():
    assert range_of([0.0, 100.0], "%") == [-5.0, 105.0]
