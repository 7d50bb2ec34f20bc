from __future__ import annotations

import math

import pytest
import torch

from zspag_core.errors import UsageError
from zspag_core.tuning.objectives import BY_KEY, OBJECTIVES, figures_of, find_objectives, score, unmoved


def test_every_objective_has_its_figure(answer):
    assert BY_KEY.keys() <= figures_of(answer).keys()


def test_figures_of_a_trial(answer):
    found = figures_of(answer)
    moved = 100 * math.sqrt(1 - math.exp(-0.02))
    assert found["retain_free"] == pytest.approx(100 - moved - 1.0)  # one point above 5 %
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


@pytest.mark.parametrize("shift", [0.0, 1e-3, 0.1, 1.0, 30.0])
def test_no_answers_have_moved_by_more_than_the_drift_allows(shift):
    generator = torch.Generator().manual_seed(0)
    before = torch.randn(50, 10, generator=generator, dtype=torch.float64)
    after = before + shift * torch.randn(50, 10, generator=generator, dtype=torch.float64)
    p, q = before.softmax(1), after.softmax(1)
    moved = 50 * float((p - q).abs().sum(1).mean())  # total variation, points
    apart = float((p * (p / q).log()).sum(1).mean())
    assert 0 <= moved <= 100 - unmoved(apart) + 1e-6 <= 100 + 1e-6
    assert unmoved(-1e-17) == 100, "rounding below nothing"
    assert unmoved(None) is None


def test_the_score_counts_only_what_is_above_the_bar():
    assert (score(90.0, 0.0), score(90.0, 5.0), score(90.0, 15.0)) == (90.0, 90.0, 80.0)


@pytest.mark.parametrize("keys", [[], ["nothing"], ["acc_rt", "acc_rt"]])
def test_unknown_or_repeated_objectives_are_refused(keys):
    with pytest.raises(UsageError, match="--objective: expected one or more of retain_free"):
        find_objectives(keys)


def test_directions_are_optunas():
    assert [o.direction for o in find_objectives(["acc_rt", "acc_ut"])] == ["maximize", "minimize"]
