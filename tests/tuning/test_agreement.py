from __future__ import annotations

import numpy as np
import pytest

from zspag_core.tuning.agreement import agreement, agreements, distinct, rank_correlation


def test_rank_correlation_is_spearmans_also_with_ties():
    ranks = np.corrcoef([1, 2.5, 2.5, 4, 5], [2, 4, 3, 1, 5])[0, 1]
    assert rank_correlation([3.0, 7.0, 7.0, 8.0, 20.0], [-1.0, 5.0, 2.0, -9.0, 6.0]) == pytest.approx(ranks)


def test_few_values_or_equal_ones_have_none():
    assert rank_correlation([1, 2], [1, 2]) is None
    assert rank_correlation([1, 1, 1], [1, 2, 3]) is None
    assert rank_correlation([1, 2, 3], [1, 1, 1]) is None


def test_regret_is_what_the_choice_costs_in_the_graded_figure(row):
    rows = [
        row(0, {"n_adv": 1}, retain_free=90.0, graded=80.0),
        row(1, {"n_adv": 2}, retain_free=95.0, graded=84.0),
        row(2, {"n_adv": 3}, retain_free=70.0, graded=86.5),
        row(3, {"n_adv": 4}, retain_free=None, graded=99.0),
    ]
    found = agreement(rows, "retain_free")
    assert (found["trials"], found["chosen"], found["best"], found["regret"]) == (3, 1, 2, 2.5)
    assert found["rank_correlation"] == pytest.approx(-0.5)


def test_lower_is_better_where_the_figure_says_so(row):
    rows = [row(k, {"n_adv": k}, forgotten=float(k), acc_ut=2.0 * k) for k in range(4)]
    found = agreement(rows, "forgotten", "acc_ut")
    assert (found["chosen"], found["best"], found["regret"]) == (0, 0, 0.0)
    assert found["rank_correlation"] == pytest.approx(1.0)


def test_only_figures_that_the_trials_have_are_told(row):
    assert agreements([]) == []
    rows = [row(k, {"n_adv": k}, retain_free=1.0, graded=2.0) for k in range(3)]
    assert [one["figure"] for one in agreements(rows)] == ["retain_free"]


def test_a_point_that_was_tried_twice_counts_once(row):
    rows = [row(k, {"n_adv": k % 2}, retain_free=float(k % 2), graded=float(k % 2)) for k in range(6)]
    assert [one["number"] for one in distinct(rows)] == [0, 1]
    (found,) = agreements(rows)
    assert (found["trials"], found["rank_correlation"]) == (2, None)
