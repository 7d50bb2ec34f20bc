from __future__ import annotations

import json

import numpy as np
import pytest

from ui.figures.palette import FORGOTTEN, REMAINING
from ui.figures.points import make_cloud, span_of
from ui.figures.proxies import (
    coverage_figure,
    describe_coverage,
    describe_energy,
    describe_map,
    energy_figure,
    map_spec,
)
from ui.scatter import DIAMOND, DOT, RING


def build(classes, proxies=4, seed=0):
    """A cloud of five real images a class, and some proxies for the last class."""
    rng = np.random.default_rng(seed)
    labels = np.repeat(np.arange(classes), 5)
    real = (labels[:, None] * np.array([[1.0, 0.5]]) + 0.01 * rng.normal(size=(len(labels), 2))).astype(np.float32)
    chart = {
        "real_before": real,
        "real_after": real + 1,
        "real_zero": real,
        "real_labels": labels,
        "real_images": np.zeros((len(labels), 3, 8, 8), np.uint8),
        "real_predicted_before": labels,
        "real_predicted_after": labels,
        "proxy_before": real[-proxies:],
        "proxy_after": real[-proxies:],
        "proxy_index": np.arange(proxies),
    }
    found = {
        "images": np.zeros((proxies, 3, 8, 8), np.float16),
        "labels": np.full(proxies, classes - 1),
        "sources": np.zeros(proxies, np.int64),
    }
    return make_cloud(chart, found, [0])


def spec_of(cloud, classes, **changes):
    settings = {"when": "before", "colour_by": "class", "span": span_of(cloud), "pictures": "data:x"}
    return map_spec(cloud, [f"class {k}" for k in range(classes)], [0], **settings | changes)


def test_map_marks_kinds_by_shape_and_classes_by_colour():
    cloud = build(10)
    spec = spec_of(cloud, 10)
    assert spec["mark"] == [DIAMOND] * 5 + [DOT] * 45 + [RING] * 4
    assert {spec["colours"][spec["colour"][i]] for i in range(5)} == {FORGOTTEN}
    assert len(set(spec["colours"])) == 10
    assert spec["colour"][-1] == 9
    assert spec["texts"][spec["text"][0]].startswith("Forgotten class class 0")
    assert [name["text"] for name in spec["names"]] == [f"class {k}" for k in range(10)]
    json.dumps(spec)


def test_before_and_after_share_axes():
    cloud = build(10)
    before, after = spec_of(cloud, 10), spec_of(cloud, 10, when="after")
    assert before["span"] == after["span"]
    assert after["x"][0] == pytest.approx(before["x"][0] + 1, abs=1e-3)
    assert before["alt"] != after["alt"]


def test_map_by_kind_has_three_colours():
    spec = spec_of(build(10), 10, colour_by="kind")
    assert [entry["text"] for entry in spec["legend"]] == ["real, remaining class", "real, forgotten class", "proxy"]
    assert spec["colours"][:2] == [REMAINING, FORGOTTEN]
    assert spec["colour"][0] == 1


def test_legend_names_forgotten_classes_first():
    legend = spec_of(build(10), 10)["legend"]
    assert [entry["text"] for entry in legend[3:6]] == ["class 0", "class 1", "class 2"]
    assert legend[3]["group"] == 0


def test_of_a_hundred_classes_only_forgotten_near_and_selected_are_coloured():
    spec = spec_of(build(100), 100, highlight=77)
    coloured = [k for k, colour in enumerate(spec["colours"]) if colour != REMAINING]
    assert coloured == [0, 1, 2, 3, 4, 5, 6, 77]
    assert [name["text"] for name in spec["names"]] == [f"class {k}" for k in coloured]
    assert len(spec["legend"]) == 3 + 8


def test_by_kind_only_the_forgotten_of_many_classes_are_named():
    assert [name["text"] for name in spec_of(build(100), 100, colour_by="kind")["names"]] == ["class 0"]


def test_map_is_described():
    words = describe_map(build(10), [str(k) for k in range(10)], [0], "after")
    assert "unlearned model" in words
    assert "45 real images of remaining classes, 5 of forgotten classes (0), 4 proxies" in words


def test_coverage_shows_the_limit_and_marks_classes_without_proxies():
    figure = coverage_figure({"0": 100, "2": 0, "10": 40}, 100, [str(k) for k in range(11)])
    (bars,) = figure.data
    assert list(bars.customdata) == ["0", "2", "10"]
    assert list(bars.marker.color) == [REMAINING, FORGOTTEN, REMAINING]
    assert figure.layout.shapes[0].y0 == 100
    assert figure.layout.yaxis.range[1] > 100


def test_coverage_of_many_classes_is_sorted():
    counts = {str(k): 50 - k // 2 for k in range(99)}
    figure = coverage_figure(counts, 50, [str(k) for k in range(99)])
    assert list(figure.data[0].y) == sorted(counts.values())
    assert figure.layout.xaxis.showticklabels is False


def test_coverage_is_described():
    words = describe_coverage({"0": 100, "2": 0}, 100, ["a", "b", "c"])
    assert words == "Without any proxy, so not protected: c; 1 of 2 reach the limit, n_adv = 100."
    words = describe_coverage({"0": 100, "2": 40}, 100, ["a", "b", "c"])
    assert words == "Every remaining class has at least 40 proxies; 1 of 2 reach the limit, n_adv = 100."


LAYERS = [
    {"name": "stem", "dim": 27, "rank": 9, "captured": 99.5},
    {"name": "middle", "dim": 64, "rank": 64, "captured": None},
    {"name": "head", "dim": 64, "rank": 8, "captured": 61.0},
]


def test_energy_is_drawn_where_it_was_measured():
    (bars,) = energy_figure(LAYERS).data
    assert list(bars.y) == ["stem", "head"]
    assert list(bars.x) == [99.5, 61.0]


def test_energy_is_described():
    assert "least in head (61.0 percent), most in stem (99.5 percent)" in describe_energy(LAYERS)
    assert "not measured" in describe_energy([])
