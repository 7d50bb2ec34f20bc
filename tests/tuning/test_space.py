from __future__ import annotations

import math

import pytest

from zspag_core.errors import UsageError
from zspag_core.tuning.space import Axis, check_space, grid_points, parse_space, size_of


def one(text, method="zspag"):
    return parse_space([text], method, {})[0]


def test_a_list_has_the_knobs_own_type():
    assert one("n_adv=10,30, 100").values == (10, 30, 100)
    assert one("attack=pgd,fgsm").values == ("pgd", "fgsm")
    assert one("stop_rule=yes,no").values == (True, False)
    assert one("epsilon=4/255,0.1").values == (4 / 255, 0.1)
    assert one("n_adv=10,10").values == (10,)


def test_a_range_has_ends_scale_and_points():
    axis = one("epsilon=4/255..64/255:log:3")
    assert (axis.low, axis.high, axis.log, axis.whole, axis.points) == (4 / 255, 64 / 255, True, False, 3)
    middle = axis.grid()[1]
    assert middle == pytest.approx(math.sqrt(axis.low * axis.high), rel=1e-5)
    assert axis.grid()[0] == axis.low
    assert axis.grid()[-1] == axis.high


def test_whole_numbers_stay_whole_and_a_short_range_has_no_value_twice():
    assert one("n_adv=1..3").grid() == (1, 2, 3)
    assert all(type(value) is int for value in one("n_adv=10..1000:log").grid())


def test_an_axis_is_written_as_it_is_typed_and_read_again():
    for text in ("n_adv=10,30", "epsilon=0.1..0.2:log", "epochs=1..9:3"):
        assert str(one(text)) == text
        assert Axis.from_dict(one(text).to_dict()) == one(text)


def test_the_grid_is_every_combination_the_last_knob_first():
    axes = parse_space(["n_adv=1,2", "attack=pgd,fgsm"], "zspag", {})
    assert size_of(axes) == 4
    assert [tuple(point.values()) for point in grid_points(axes)] == [(1, "pgd"), (1, "fgsm"), (2, "pgd"), (2, "fgsm")]


def test_a_share_names_a_value():
    assert [one("attack=pgd,fgsm").at(share) for share in (0.0, 0.49, 0.5, 1.0)] == ["pgd", "pgd", "fgsm", "fgsm"]
    assert one("energy=0.2..0.4").at(0.5) == pytest.approx(0.3)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("n_adv", "expected NAME="),
        ("=3", "expected NAME="),
        ("n_adv=", "expected NAME="),
        ("n_adv=,", "expected values"),
        ("n_adv=x", "n_adv: expected a whole number"),
        ("n_advs=3", "no such setting"),
        ("n_adv=0,3", "n_adv: expected 1 to"),
        ("attack=pgd,none", "attack: expected one of"),
        ("attack=pgd..fgsm", "attack: expected one of"),
        ("epsilon=a..b", "expected a number"),
        ("epsilon=1/0..1", "expected a number"),
        ("epsilon=0.2..0.1", "a range that rises"),
        ("epsilon=0..0.1:log", "above 0"),
        ("epsilon=0.1..0.2:cubic", "expected log or a number"),
        ("epsilon=0.1..0.2:1", "expected log or a number"),
        ("epsilon=0.1..7", "epsilon: expected 0 to 1"),
        ("n_adv=1.5..3", "whole numbers"),
    ],
)
def test_what_cannot_be_varied_so_is_refused(text, words):
    with pytest.raises(UsageError, match=words):
        one(text)


def test_nothing_to_vary_a_knob_twice_or_also_set_is_refused():
    with pytest.raises(UsageError, match="at least one knob"):
        parse_space([], "zspag", {})
    with pytest.raises(UsageError, match="n_adv is varied twice"):
        parse_space(["n_adv=1,2", "n_adv=3,4"], "zspag", {})
    with pytest.raises(UsageError, match="set by --set"):
        parse_space(["n_adv=1,2"], "zspag", {"n_adv": "3"})
    with pytest.raises(UsageError, match="nothing: no such setting"):
        check_space([Axis(name="nothing", values=(1,))], [], {})


def test_another_method_has_other_knobs():
    with pytest.raises(UsageError, match="n_adv: no such setting"):
        one("n_adv=3", "neggrad_zs")
