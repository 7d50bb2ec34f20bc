from __future__ import annotations

import numpy as np
import pytest

from ui.figures.thresholds import BINS, best_threshold, edges_of, judge, judged_member, shares_of

LOW = np.array([0.01, 0.02, 0.03, 0.9])
HIGH = np.array([0.02, 0.5, 0.6, 0.7])


@pytest.mark.parametrize(
    ("measure", "threshold", "expected"),
    [
        ("loss", 0.1, (75.0, 75.0, 25.0)),  # 3 of 4 members below, 1 of 4 strangers below
        ("entropy", 0.01, (62.5, 25.0, 0.0)),
        ("confidence", 0.8, (62.5, 25.0, 0.0)),  # above is a member
        ("confidence", 0.0, (50.0, 100.0, 100.0)),
    ],
)
def test_verdict_is_worked_out_by_hand(measure, threshold, expected):
    verdict = judge(LOW, HIGH, threshold, measure)
    assert (verdict.accuracy, verdict.members_found, verdict.false_alarms) == expected


def test_nobody_is_judged_without_images():
    assert np.isnan(judged_member(np.array([]), 0.5, "loss"))


def test_best_threshold_has_the_best_accuracy_of_all_edges():
    edges = edges_of({"a": LOW, "b": HIGH}, "loss")
    best = best_threshold(LOW, HIGH, edges, "loss")
    assert judge(LOW, HIGH, best, "loss").accuracy == max(judge(LOW, HIGH, edge, "loss").accuracy for edge in edges)
    assert 0.03 <= best < 0.5


def test_edges_of_probabilities_are_even_and_of_losses_are_powers():
    even = edges_of({"a": LOW}, "confidence")
    assert (even[0], even[-1], len(even)) == (0.0, 1.0, BINS + 1)
    powers = edges_of({"a": np.array([1e-9, 1.0])}, "loss")
    assert powers[0] == pytest.approx(1e-6), "what is smaller shares the first bar"
    assert powers[-1] == pytest.approx(1.0)
    ratios = np.diff(np.log10(powers))
    assert ratios == pytest.approx(ratios[0], abs=1e-3)


def test_edges_exist_even_where_all_values_are_equal_or_none_is_there():
    for groups in ({"a": np.full(3, 0.5)}, {}):
        edges = edges_of(groups, "loss")
        assert len(set(edges)) > 1
        assert edges == sorted(edges)


def test_every_value_falls_into_a_bar():
    edges = edges_of({"a": LOW, "b": HIGH}, "loss")
    for values in (LOW, HIGH, np.array([0.0, 1e9])):
        assert sum(shares_of(values, edges)) == pytest.approx(100.0)
    assert sum(shares_of(np.array([]), edges)) == 0
