from __future__ import annotations

import pytest

from ui.figures import palette
from ui.figures.palette import CLASSES, FORGOTTEN, REMAINING, class_colours

MARKS = [REMAINING, FORGOTTEN, palette.REFERENCE, *CLASSES]


def luminance(colour):
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return sum(weight * part for weight, part in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


def contrast(one, other):
    high, low = sorted((luminance(one), luminance(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("colour", MARKS)
def test_marks_can_be_seen_on_both_backgrounds(colour):
    assert contrast(colour, "#FFFFFF") >= 2.99
    assert contrast(colour, "#171614") >= 2.99


def test_colours_differ():
    assert len(set(MARKS)) == len(MARKS)


def test_forgotten_classes_are_orange_and_the_others_have_their_own():
    colours = class_colours(20, {3})
    assert colours[3] == FORGOTTEN
    assert len(set(colours)) == 20
    assert class_colours(10, {0, 9})[1:9] == list(CLASSES[1:9]), "whatever is forgotten beside it"


def test_beyond_twenty_only_what_is_asked_for_is_coloured():
    colours = class_colours(100, {3}, {5, 7})
    assert [colours[k] for k in (3, 5, 7)] == [FORGOTTEN, CLASSES[0], CLASSES[1]]
    assert {colours[k] for k in range(100) if k not in {3, 5, 7}} == {REMAINING}
