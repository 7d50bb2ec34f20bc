from __future__ import annotations

from zspag_core.reproduce.clock import Clock


def test_the_rest_is_estimated_method_by_method():
    clock = Clock([("slow", 2), ("quick", 3), ("slow", 1)])
    assert clock.rest() is None
    assert clock.tick("slow", None) == "[1/6]"
    assert clock.tick("slow", 100.0) == "[2/6, about 7 min left]"
    assert clock.tick("quick", 2.0) == "[3/6, about 104 s left]"
