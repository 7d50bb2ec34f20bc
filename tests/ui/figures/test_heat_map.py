"""The map of a sweep: a cell a pair of values, holes where nothing was tried, cells that can be drawn around."""

from __future__ import annotations

from ui.figures.heat_map import bands, heat_figure


def test_the_map_has_a_cell_a_pair_of_values_and_a_hole_where_nothing_was_tried(sweep, rows):
    drawn = heat_figure(sweep, rows[:3], *sweep.space, "acc_rt")
    assert [list(line) for line in drawn.figure.data[0].z] == [[90.0, 95.0], [80.0, None]]
    assert list(drawn.figure.data[0].x) == ["25.5/255", "102/255"]
    assert drawn.grading


def test_colours_of_shares_that_are_all_nought_go_from_nought(sweep, rows):
    for row in rows:
        row["figures"]["acc_ut"] = 0.0
    (heat, _) = heat_figure(sweep, rows, *sweep.space, "acc_ut").figure.data
    assert (heat.zmin, heat.zmax) == (0.0, 2.0)


def test_a_cell_of_the_map_carries_its_trials_and_is_framed_with_a_chosen_one(sweep, rows):
    marks = heat_figure(sweep, rows[:3], *sweep.space, "acc_rt", {2}).figure.data[1]
    held = dict(zip(zip(marks.x, marks.y, strict=True), marks.customdata, strict=True))
    assert held == {("25.5/255", "10"): "0", ("25.5/255", "30"): "1", ("102/255", "10"): "2"}
    assert list(marks.marker.opacity) == [0.0, 0.0, 1.0]
    twins = [row | {"point": rows[0]["point"]} for row in rows]
    (carried,) = heat_figure(sweep, twins, *sweep.space, "acc_rt").figure.data[1].customdata
    assert carried == "0,1,2,3"


def test_many_values_of_a_range_are_drawn_in_bands(sweep, rows):
    axis = sweep.space[0]
    spread = [rows[0] | {"number": k, "point": {"epsilon": axis.at(k / 29), "n_adv": 10}} for k in range(30)]
    columns = bands(axis, spread)
    assert (columns.names[0], columns.names[-1]) == ("25.5/255 – 32.1/255", "81/255 – 102/255")
    counts = [sum(columns.of(row) == name for row in spread) for name in columns.names]
    assert counts == [5] * 6
    figure = heat_figure(sweep, spread, *sweep.space, "acc_rt").figure
    assert [len(carried.split(",")) for carried in figure.data[1].customdata] == [5] * 6
