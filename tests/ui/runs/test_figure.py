from __future__ import annotations

from types import SimpleNamespace

from ui.runs.figure import describe_runs, runs_figure


def row(job_id, method, acc_rt, acc_ut):
    return SimpleNamespace(
        job=SimpleNamespace(id=job_id), method=method, acc_rt=acc_rt, acc_ut=acc_ut, line=f"run {job_id}"
    )


ROWS = [row("c", "mask", 99.0, 0.0), row("b", "zspag", None, None), row("a", "zspag", 98.0, 10.0)]


def test_each_method_has_its_mark_and_runs_without_figures_have_none():
    zspag, mask = runs_figure(ROWS, {"a": "A"}).data
    assert (zspag.name, list(zspag.x), list(zspag.y), list(zspag.text)) == ("zspag", [98.0], [10.0], ["A"])
    assert (mask.name, list(mask.x)) == ("mask", [99.0])
    assert zspag.marker.symbol != mask.marker.symbol
    assert zspag.marker.color != mask.marker.color
    assert [list(data) for data in mask.customdata] == [["c", "run c"]]


def test_one_run_stands_inside_axes_of_possible_percentages():
    figure = runs_figure([ROWS[0]], {})
    low, high = figure.layout.xaxis.range
    assert (round(low), round(high)) == (90, 100)
    assert low < 99 < high
    low, high = figure.layout.yaxis.range
    assert (round(low), round(high)) == (0, 10)
    assert low < 0


def test_far_runs_fill_the_axes():
    figure = runs_figure([row("a", "mask", 0.0, 100.0), row("b", "mask", 100.0, 0.0)], {})
    assert figure.layout.xaxis.range == figure.layout.yaxis.range == (-3, 103)


def test_no_runs_make_an_empty_figure():
    figure = runs_figure([], {})
    assert figure.data == ()
    assert describe_runs([ROWS[1]]) == "Forgotten against remaining accuracy: no run has ended yet."


def test_runs_are_described():
    said = describe_runs(ROWS)
    assert said.startswith("Forgotten against remaining accuracy of 2 runs.")
    assert "run c, Acc_rt 99.0 percent, Acc_ut 0.0 percent" in said
