from __future__ import annotations

import pytest

from zspag_core.data.reading import ClassReading
from zspag_core.errors import UsageError


def test_the_number_of_outputs():
    assert ClassReading().outputs is None
    assert ClassReading(("a", "b", "c")).outputs == 3
    assert ClassReading(("a", "b"), 2).outputs == 2
    assert ClassReading(num_classes=7).outputs == 7


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"order": "size"}, "order: expected one of code_point, natural, got 'size'"),
        ({"held_out": -0.1}, "held_out: expected a share from 0 to 0.9, got -0.1"),
        ({"held_out": 1}, "held_out: expected a share from 0 to 0.9, got 1"),
        ({"class_names": ("a", "b"), "num_classes": 3}, "class names: expected 3, one per output, got 2"),
    ],
)
def test_what_cannot_be_is_refused(options, message):
    with pytest.raises(UsageError, match=message):
        ClassReading(**options)
