from __future__ import annotations

import pytest

from zspag_core.errors import UsageError
from zspag_core.tuning.objectives import BY_KEY, OBJECTIVES, figures_of, find_objectives, score


def test_every_objective_has_its_figure(answer):
    assert BY_KEY.keys() <= figures_of(answer).keys()


def test_figures_of_a_trial(answer):
    found = figures_of(answer)
    assert found["retain_free"] == 94.0  # 95 less one point above 5 %
    assert found["graded"] == 96.0  # 98 less two
    assert found["lead"] == 0.5
    assert found["membership"] == 2.5
    assert found["energy"] == 98.0
    assert found["seconds"] == 3.5  # without the grading


def test_what_is_not_known_is_none(answer):
    answer["after"] |= {"acc_rt": None, "mia": {"same_class": {"auc": None}}}
    found = figures_of({**answer, "subspace": None, "yardstick": None})
    for key in ("retain_free", "forgotten", "graded", "lead", "membership", "energy"):
        assert found[key] is None


def test_the_default_sees_nothing_graded_and_the_graded_ones_say_so():
    assert not OBJECTIVES[0].graded
    assert {o.key for o in OBJECTIVES if o.graded} >= {"acc_rt", "acc_ut", "lead", "probe", "membership", "graded"}


def test_the_score_counts_only_what_is_above_the_bar():
    assert (score(90.0, 0.0), score(90.0, 5.0), score(90.0, 15.0)) == (90.0, 90.0, 80.0)


@pytest.mark.parametrize("keys", [[], ["nothing"], ["acc_rt", "acc_rt"]])
def test_unknown_or_repeated_objectives_are_refused(keys):
    with pytest.raises(UsageError, match="--objective: expected one or more of retain_free"):
        find_objectives(keys)


def test_directions_are_optunas():
    assert [o.direction for o in find_objectives(["acc_rt", "acc_ut"])] == ["maximize", "minimize"]
