from __future__ import annotations

import pytest

from ui.figures.layers import (
    bare_layers,
    drifts,
    free_gradient,
    largest_drift,
    locked_layers,
    ranks,
    rewritten_layers,
    stage_seconds,
)

LAYERS = [
    {"name": "stem", "dim": 20, "rank": 20, "leak": 1e-8, "moved": 0.0, "drift_proxy": 0.0, "drift_real": 0.0},
    {"name": "head", "dim": 10, "rank": 3, "leak": 1e-7, "moved": 0.2, "drift_proxy": 0.02, "drift_real": 0.125},
    {"name": "bare", "dim": 10, "rank": 0, "leak": 0.0, "moved": 0.2, "drift_proxy": None, "drift_real": None},
]


def test_protected_and_free_make_up_the_whole_layer():
    drawn = ranks(LAYERS)
    protected, free = drawn.figure.data
    assert list(protected.x) == [100.0, 30.0, 0.0]
    assert [a + b for a, b in zip(protected.x, free.x, strict=True)] == [100.0] * 3
    assert list(protected.y) == ["stem · 20 / 20", "head · 3 / 10", "bare · 0 / 10"]
    assert drawn.alt == "Protected directions of 3 layers. Nothing can move in 1 of them; 1 are unprotected."
    assert drawn.rows[1] == {"layer": "head", "dimensions": 10, "protected": 3, "free": 7}


def test_locked_and_bare_layers_are_found():
    assert locked_layers(LAYERS) == ["stem"]
    assert bare_layers(LAYERS) == ["bare"]


def test_drift_is_hollow_on_proxies_and_solid_on_real_images():
    drawn = drifts(LAYERS)
    proxies, real = drawn.figure.data
    assert list(real.x) == [0.0, 12.5, None]
    assert proxies.marker.color == "rgba(0,0,0,0)"
    assert largest_drift(LAYERS) == 12.5
    assert drawn.figure.layout.xaxis.range[1] == pytest.approx(13.5)
    assert drifts(LAYERS, top=50.0).figure.layout.xaxis.range[1] == pytest.approx(54.0)
    assert drawn.grading


def test_layers_that_were_rewritten_have_no_point_and_do_not_stretch_the_axis():
    rewritten = LAYERS[1] | {"name": "down", "leak": 1e8, "drift_proxy": 5e7, "drift_real": 5e7, "rewritten": True}
    drawn = drifts([*LAYERS, rewritten])
    assert [list(points.x) for points in drawn.figure.data] == [[0.0, 2.0, None, None], [0.0, 12.5, None, None]]
    assert largest_drift([*LAYERS, rewritten]) == 12.5
    assert rewritten_layers([*LAYERS, rewritten]) == ["down"]
    assert [row["rewritten"] for row in drawn.rows] == [False, False, False, True]
    assert drawn.rows[3]["leak"] == 1e8


def test_layers_that_did_not_move_still_have_an_axis():
    assert largest_drift(LAYERS[:1]) == 1.0


def test_free_gradient_by_epoch_in_percent():
    drawn = free_gradient([{"epoch": 1, "free_gradient": 0.25}, {"epoch": 2, "free_gradient": None}], total=4)
    assert (list(drawn.figure.data[0].x), list(drawn.figure.data[0].y)) == ([1], [25.0])
    assert drawn.figure.layout.xaxis.range == (0.5, 4.5)
    assert free_gradient([{"epoch": 1}]) is None


def test_stages_stand_in_the_order_of_the_story():
    titles = {"proxies": "Proxies", "unlearn": "Unlearn", "evaluate": "Grading"}
    drawn = stage_seconds({"evaluate": 3.0, "labels": None, "unlearn": 2.0, "proxies": 1.0}, titles)
    assert list(drawn.figure.data[0].y) == ["Proxies", "Unlearn", "Grading"]
    assert drawn.rows[0] == {"stage": "Proxies", "seconds": 1.0}
