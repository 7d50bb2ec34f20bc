from __future__ import annotations

import pytest

from zspag_core.checkpoints.side_by_side import copies_in, equal_parts, hosts, large_parts

NET = {"conv.weight": (4, 3, 3, 3), "mid.weight": (5, 4), "fc.weight": (2, 5)}


def _with(prefix, shapes=NET):
    return {f"{prefix}{name}": shape for name, shape in shapes.items()}


def test_copies_make_up_everything_but_what_is_set_aside():
    two = _with("a.x.") | _with("b.y.z.")
    assert copies_in(two, lambda _: False) == ["a", "b"]
    rest = two | {"loss.weight": (3, 3), "steps": ()}
    assert copies_in(rest, lambda _: False) == []
    assert copies_in(rest, lambda word: word == "loss") == ["a", "b"]
    assert copies_in(_with("m.", two | {"loss.weight": (3,)}), lambda word: word == "loss") == ["m.a", "m.b"]
    assert copies_in(NET | _with("ema.module."), lambda _: False) == ["", "ema"]
    assert copies_in(NET, lambda _: True) == []


@pytest.mark.parametrize(
    "shapes",
    [
        _with("block1.") | _with("block2."),
        {f"part{name}": shape for word in "abcde" for name, shape in _with(f"{word}.").items()},
        {"query.weight": (3, 3), "key.weight": (3, 3)},
    ],
)
def test_blocks_are_no_networks(shapes):
    assert [parts for parts in equal_parts(shapes) if len(parts) > 1] == []


def test_a_known_network_is_found_below_any_prefix():
    expected = NET | {"fc.weight": None, "fc.bias": None}
    owners = NET | {"fc.weight": (7, 5), "fc.bias": (7,)}
    assert hosts(_with("student.", owners) | _with("t.back.", owners) | {"head.weight": (9, 9)}, expected) == [
        "student",
        "t.back",
    ]
    assert hosts(owners | _with("ema.", owners), expected) == ["", "ema"]
    assert hosts(_with("x.", NET | {"conv.weight": (4, 1, 3, 3)}), expected) == []


def test_large_parts_begin_where_names_differ():
    assert large_parts(_with("lit.net._orig.") | {"lit.probe.weight": (2, 2)}) == ["lit", "lit.net._orig"]
    assert large_parts(_with("backbone.")) == ["backbone"]
    assert large_parts(NET) == []
