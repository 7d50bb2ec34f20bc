from __future__ import annotations

import pytest

from ui.scatter import HERE, valid_picks


@pytest.mark.parametrize(
    ("sent", "picked"),
    [([3, 1, 1.0], [1, 3]), ([5, -1, "0", None], []), (None, []), ("12", []), ({"a": 1}, [])],
)
def test_what_a_browser_sends_is_checked(sent, picked):
    assert valid_picks(sent, 4) == picked


def test_component_asks_nobody_outside():
    for path in [path for path in HERE.iterdir() if path.suffix in {".js", ".css", ".html"}]:
        text = path.read_text(encoding="utf-8").replace("http://www.w3.org/2000/svg", "")
        assert "http" not in text
        assert "innerHTML" not in text, "class names come from visitors' data"
