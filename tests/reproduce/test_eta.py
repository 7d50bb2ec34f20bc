from __future__ import annotations

from zspag_core.reproduce.eta import Eta


def test_the_rest_is_estimated_method_by_method():
    eta = Eta([("slow", 2), ("quick", 3), ("slow", 1)])
    assert eta.rest() is None
    assert eta.tick("slow", None) == "[1/6]"
    assert eta.tick("slow", 100.0) == "[2/6, about 7 min left]"
    assert eta.tick("quick", 2.0) == "[3/6, about 104 s left]"
