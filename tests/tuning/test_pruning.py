"""A trial is stopped where it lies far below others, and never without figures that see no remaining data."""

from zspag_core.tuning.pruning import LEAST, curve_of, is_lost

GOOD = [{0.1: 60.0, 0.4: 95.0, 1.0: 99.0}, {0.2: 90.0}, {0.5: 97.0, 0.6: 98.0}, {0.3: 88.0, 0.9: 99.0}]


def test_a_curve_is_what_proxies_and_forget_images_say():
    epochs = [
        {"epoch": 1, "total": 4, "proxy_agreement": 100.0, "forget_accuracy": 45.0, "acc_rt": 3.0},
        {"epoch": 2, "total": 4, "proxy_agreement": 98.0, "forget_accuracy": 4.0, "acc_rt": 3.0},
        {"epoch": 3, "total": 4, "forget_accuracy": 4.0},
    ]
    assert curve_of(epochs) == {0.25: 60.0, 0.5: 98.0}
    assert curve_of([{"epoch": 1, "total": 2, "loss": 3.0}]) == {}


def test_far_below_the_lower_quartile_is_lost():
    assert is_lost({0.2: 10.0, 0.4: 50.0}, GOOD)
    assert not is_lost({0.2: 10.0, 0.4: 88.0}, GOOD)  # quartile 89.5, margin 5


def test_what_forgets_slowly_is_waited_for():
    assert not is_lost({0.1: 10.0, 0.3: 20.0}, GOOD)
    assert not is_lost({0.4: 92.0, 0.6: 20.0}, GOOD), "the best epoch counts: a run keeps what was good"


def test_nothing_is_stopped_without_others_or_figures():
    assert not is_lost({0.9: 1.0}, GOOD[: LEAST - 1])
    assert not is_lost({0.9: 1.0}, [*GOOD[: LEAST - 1], {}])
    assert not is_lost({}, GOOD)


def test_equals_are_no_reason_to_stop():
    same = [{1.0: 99.0}] * LEAST
    assert not is_lost({1.0: 98.9}, same)
    assert is_lost({1.0: 93.9}, same)
