from __future__ import annotations

import numpy as np
import pytest

from ui.figures.points import (
    FORGOTTEN,
    PROXY,
    REMAINING,
    UNKNOWN,
    describe_points,
    drift_of,
    make_cloud,
    middles,
    nearest_classes,
    span_of,
    tops,
)

NAMES = ["cat", "dog", "owl"]


@pytest.fixture
def chart():
    """Six real images of three classes, two proxies."""
    real = np.array([[0, 0], [0, 2], [4, 0], [4, 2], [9, 0], [9, 2]], np.float32)
    return {
        "real_before": real,
        "real_after": real + np.array([0, 3], np.float32),
        "real_zero": real + np.array([0, 1], np.float32),
        "real_labels": np.array([0, 0, 1, 1, 2, 2]),
        "real_images": np.zeros((6, 1, 4, 4), np.uint8),
        "real_predicted_before": np.array([0, 0, 1, 1, 2, 2]),
        "real_predicted_after": np.array([1, 2, 1, 1, 2, 2]),
        "proxy_before": np.array([[3, 1], [8, 1]], np.float32),
        "proxy_after": np.array([[3, 2], [8, 12]], np.float32),
        "proxy_index": np.array([2, 0]),
    }


@pytest.fixture
def proxies():
    return {
        "images": np.full((3, 1, 4, 4), 0.5, np.float16),
        "labels": np.array([2, 1, 1]),
        "sources": np.array([5, 6, 7]),
        "logits_after": np.array([[0, 0, 9], [0, 9, 0], [0, 0, 9]], np.float32),
    }


def test_proxies_follow_the_real_images(chart, proxies):
    cloud = make_cloud(chart, proxies, [0])
    assert len(cloud) == 8
    assert cloud.kinds.tolist() == [FORGOTTEN, FORGOTTEN] + [REMAINING] * 4 + [PROXY, PROXY]
    assert cloud.labels[6:].tolist() == [1, 2]
    assert cloud.read_after[6:].tolist() == [2, 2]
    assert cloud.sources.tolist() == [UNKNOWN] * 6 + [0, 0]
    assert cloud.images.shape == (8, 1, 4, 4)
    assert cloud.images[6:].max() == 128
    assert cloud.proxy_rows.tolist() == [2, 0]


def test_sources_are_looked_up_among_the_forget_samples(chart, proxies):
    truth = np.array([9, 9, 9, 9, 9, 0, 0, 1])
    assert make_cloud(chart, proxies, [0, 1], truth).sources[6:].tolist() == [1, 0]
    assert make_cloud(chart, proxies, [0, 1]).sources[6:].tolist() == [UNKNOWN, UNKNOWN]


def test_map_without_proxies_has_real_images_alone(chart):
    cloud = make_cloud(chart, None, [0])
    assert len(cloud) == 6
    assert cloud.proxy_rows.tolist() == []


def test_proxies_that_nobody_asked_after_have_no_answer_after(chart, proxies):
    del proxies["logits_after"]
    cloud = make_cloud(chart, proxies, [0])
    assert cloud.read_after[6:].tolist() == [UNKNOWN, UNKNOWN]
    assert describe_points(cloud, NAMES)[6] == "Proxy for dog, made from cat\nread before: dog"


def test_points_are_described(chart, proxies):
    told = describe_points(make_cloud(chart, proxies, [0]), NAMES)
    assert told[0] == "Forgotten class cat\nread before: cat\nread after: dog"
    assert told[2] == "Remaining class dog\nread before: dog\nread after: dog"
    assert told[6] == "Proxy for dog, made from cat\nread before: dog\nread after: owl"


def test_span_holds_all_maps_before_and_after(chart, proxies):
    one, other = make_cloud(chart, proxies, [0]), make_cloud(chart, None, [0])
    left, right, low, high = span_of(one, other)
    assert left < 0
    assert right > 9
    assert low < 0
    assert 12 < high < 13
    assert span_of(one) == span_of(other, one)


def test_drift_is_measured_from_the_zero_line(chart, proxies):
    drift = drift_of(make_cloud(chart, proxies, [0]))
    assert (drift.zero, drift.remaining, drift.forgotten) == (1, 2, 2)
    assert drift.width == pytest.approx(9 * 1.06)
    assert drift_of(make_cloud(chart, proxies, [])).forgotten is None


def test_middles_are_medians_of_real_images(chart, proxies):
    cloud = make_cloud(chart, proxies, [0])
    assert middles(cloud, cloud.before) == {0: (0, 1), 1: (4, 1), 2: (9, 1)}


def test_names_stand_over_their_classes(chart, proxies):
    cloud = make_cloud(chart, proxies, [0])
    assert tops(cloud, cloud.before)[1] == (4, pytest.approx(1.8))


def test_nearest_classes_come_first(chart, proxies):
    cloud = make_cloud(chart, proxies, [0])
    assert nearest_classes(cloud, [0]) == [1, 2]
    assert nearest_classes(cloud, [0], count=1) == [1]
    assert nearest_classes(cloud, [7]) == []
