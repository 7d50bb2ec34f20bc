from __future__ import annotations

from dataclasses import replace

from ui.figures.compare import inside, kept_and_forgotten, membership, named_with_kinds, seconds
from ui.figures.markers import looks


def named(figure, name):
    return next(trace for trace in figure.data if trace.name == name)


def test_one_method_tuned_and_with_official_settings_is_told_apart(make_comparison):
    tuned = make_comparison().row("neggrad_zs")
    official = replace(tuned, key="official", kind="official")
    rows = named_with_kinds(make_comparison(rows=[tuned, official])).rows
    assert [row.label for row in rows] == ["Neggrad <zs> · tuned", "Neggrad <zs> · official"]
    one, other = looks(rows).values()
    assert (one.colour, one.glyph, one.symbol) == (other.colour, other.glyph, f"{other.symbol}-dot")


def test_scatter_shows_means_spread_and_time(make_comparison):
    drawn = kept_and_forgotten(make_comparison())
    quick, slow = named(drawn.figure, "Neggrad <zs>"), named(drawn.figure, "Retrain")
    assert (quick.x[0], quick.y[0]) == (60.5, 30.0)
    assert round(quick.error_x.array[0], 3) == 0.707
    assert quick.error_y.array is None, "no spread, no whiskers"
    assert quick.marker.size < slow.marker.size
    assert "BadT" not in [trace.name for trace in drawn.figure.data], "it came to nothing"
    assert "ZS-PAG 97.5 and 1.0" in drawn.alt
    assert "Failed, so not drawn: BadT." in drawn.note
    low, high = drawn.figure.layout.xaxis.range
    assert low < 60.5
    assert high > 97.5


def test_scatter_can_be_narrowed_to_the_good_corner(make_comparison):
    low, high = kept_and_forgotten(make_comparison(), near=True).figure.layout.xaxis.range
    assert 80 < low < 96.5 - 8
    assert high > 97.5


def test_membership_and_probe_stand_against_retrain(make_comparison):
    for drawn, mean in ((membership(make_comparison()), 41.5), (inside(make_comparison()), 80.0)):
        assert named(drawn.figure, "ZS-PAG").x[0] == mean
        names = [trace.name for trace in drawn.figure.data]
        assert any(name.startswith("Retrain ") for name in names)
        assert any(name.startswith("Original ") for name in names)
        assert drawn.figure.layout.yaxis.type == "category"
        assert len(drawn.figure.layout.shapes) == 2
    assert "Retrain 40.0 to 41.0 %" in [trace.name for trace in membership(make_comparison()).figure.data]


def test_rows_grow_with_the_lines_of_their_labels(make_comparison):
    short = make_comparison()
    long = replace(short, rows=[replace(row, label=f"{row.label}, which has a rather long name") for row in short.rows])
    for draw, rows in ((inside, 3), (seconds, 5)):
        height, taller = (draw(one).figure.layout.height for one in (short, long))
        assert taller - height == 15 * rows, "one line more in each"


def test_times_are_bars_striped_where_more_data_was_needed(make_comparison):
    (bars,) = seconds(make_comparison()).figure.data
    assert list(bars.y) == ["Mask", "Retrain", "ZS-PAG", "Neggrad <zs>", "SalUn"]
    assert list(bars.text)[1:3] == ["80 s", "9.0 s"]
    assert list(bars.marker.pattern.shape) == ["", "/", "", "", "/"]


def test_nothing_finished_makes_empty_figures(make_comparison):
    empty = make_comparison(rows=[])
    for drawn in (kept_and_forgotten(empty), membership(empty), inside(empty), seconds(empty)):
        assert "nothing" in drawn.alt
