"""Every point that a study is asked for counts once, and no more are asked for than there are."""

from __future__ import annotations

from dataclasses import replace

import pytest

from zspag_core.tuning.space import parse_space
from zspag_core.tuning.study import Study

TYPED = ["epsilon=8/255..64/255:log:4", "n_adv=10,30"]  # ends with more digits than are kept of other values


@pytest.mark.slow
@pytest.mark.parametrize("sampler", ["grid", "qmc", "random", "tpe"])
def test_so_many_points_are_asked_for_as_there_are_trials(sweep, tmp_path, sampler):
    axes = parse_space(TYPED, "zspag", {})
    asked = replace(sweep, sampler=sampler, space=axes, trials=8)
    study, points = Study("s", asked, f"sqlite:///{tmp_path / 'study.db'}"), []
    while study.count() < asked.trials:
        number, point = study.ask()
        points.append(point)
        assert number == len(points) == study.count()
        study.tell(number, {"state": "done", "figures": dict.fromkeys(asked.objectives, float(number))})
    study.close()
    assert len({tuple(point.values()) for point in points}) == 8


def test_ends_of_a_range_stay_as_they_were_typed():
    (axis, _) = parse_space(TYPED, "zspag", {})
    assert axis.grid()[0] == 8 / 255
    assert axis.grid()[-1] == 64 / 255
    assert [axis.tidy(value) for value in axis.grid()] == list(axis.grid())
    assert axis.tidy(0.0627451234) == 0.0627451
