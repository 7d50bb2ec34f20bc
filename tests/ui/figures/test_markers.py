from __future__ import annotations

from dataclasses import replace

from ui.figures.markers import looks, role_of
from ui.figures.palette import REFERENCE


def test_references_are_grey_and_methods_differ_in_colour_and_shape(make_comparison):
    rows = make_comparison().rows
    look = looks(rows)
    assert [role_of(row) for row in rows] == ["original", "mask", "retrain", "", "", "", ""]
    assert {look[row.key].colour for row in rows[:3]} == {REFERENCE}
    others = [look[row.key] for row in rows[3:]]
    assert len({(one.colour, one.symbol) for one in others}) == 4
    assert [one.symbol.endswith("-open") for one in others] == [False, False, True, True]
    assert [one.glyph for one in others] == ["●", "■", "○", "□"]


def test_no_two_methods_share_a_mark_in_the_table(make_comparison):
    zero_shot = [replace(make_comparison().row("zspag"), key=f"z{k}", label=f"z{k}") for k in range(9)]
    given = [replace(row, key=f"r{k}", label=f"r{k}", needs_retain=True) for k, row in enumerate(zero_shot[:6])]
    assert len({look.glyph for look in looks([*zero_shot, *given]).values()}) == 15


def test_more_methods_than_shapes_differ_in_colour(make_comparison):
    rows = [replace(make_comparison().row("zspag"), key=str(k), label=str(k)) for k in range(13)]
    assert len({(look.colour, look.symbol) for look in looks(rows).values()}) == 13
