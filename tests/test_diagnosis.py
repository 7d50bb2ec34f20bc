from __future__ import annotations

import pytest

from zspag_core.diagnosis import only_guesses, reached, shortfall, unread


def result(still, stopped="rule", **config):
    settings = {"stop_forget": 0.5, "stop_rule": True, "deep": 0.0} | config
    return {"config": settings, "stopped": stopped, "history": [{"epoch": 1, "forget_accuracy": still}]}


def test_a_run_that_ended_early_says_why_and_what_to_change():
    assert "cost the proxies too much. Less energy or a larger stop_margin" in shortfall(result(80.0))
    assert "with 80 % of the forget samples still recognised" in shortfall(result(80.0))
    assert shortfall(result(80.0, "epochs")) == (
        "All epochs were made; 80 % of the forget samples were still recognised in the last one, each counted before "
        "its step. More epochs or a larger learning rate would go on."
    )


def test_what_the_model_reads_at_the_end_counts_before_what_was_counted_on_the_way():
    def known(after, *how):
        return result(*how) | {"estimates": {"forget_accuracy": {"before": 98.0, "after": after}}}

    assert shortfall(known(0.0, 100.0, "epochs")) is None
    assert shortfall(known(4.0, 100.0, "epochs")).startswith(
        "All epochs were made; 4 % of the forget samples are still recognised. "
    )
    assert shortfall(known(0.0, 80.0)) is None
    assert "ended with 7 %" in shortfall(known(7.0, 80.0))
    done = known(0.0, 0.25)
    done["config"]["epochs"] = 9
    assert ": 0 % of the forget samples are still recognised" in reached(done)


def test_a_run_that_the_rule_ended_at_its_goal_says_so():
    found = result(0.25, epochs=30)
    assert reached(found) == (
        "The stopping rule ended it in epoch 1 of at most 30: 0.25 % of the forget samples are still recognised, "
        "0.5 % are enough."
    )
    others = (result(0.0, "epochs", epochs=30), result(80.0, epochs=30), result(None, epochs=30))
    assert all(reached(one) is None for one in others)


def test_where_classes_have_no_proxies_the_attack_is_to_be_changed():
    bare = result(80.0) | {"proxies": {"per_class": {"0": 0, "1": 12, "2": 0}}}
    assert "2 of 3 remaining classes have none, so little is known of the rest: a larger epsilon" in shortfall(bare)
    assert "Less energy" in shortfall(bare | {"proxies": {"per_class": {"0": 3}}})


@pytest.mark.parametrize(
    "found",
    [
        result(0.5),
        result(0.0, "epochs"),
        result(80.0, "cancelled"),
        result(80.0, stop_rule=False),
        result(80.0, deep=3.0),
        result(None),
        result(80.0) | {"history": []},
        {"config": {"learning_rate": 0.1}, "stopped": "epochs", "history": [{"forget_accuracy": 80.0}]},
    ],
)
def test_a_run_that_met_its_goal_or_has_none_says_nothing(found):
    assert shortfall(found) is None


@pytest.mark.parametrize(("right", "classes", "guesses"), [(10.8, 10, True), (15.1, 10, False), (70.0, 2, True)])
def test_a_model_guesses_up_to_half_again_as_often_right_as_chance(right, classes, guesses):
    assert only_guesses(right, classes) is guesses


@pytest.mark.parametrize(("before", "said"), [(4.0, True), (10.0, True), (10.1, False), (93.0, False), (None, False)])
def test_a_run_on_a_class_that_was_never_read_shows_nothing(before, said):
    sentence = unread({"before": {"acc_ut": before}})
    assert (sentence is not None) == said
    assert sentence is None or f"only {before:.1f} %" in sentence
    assert unread({"before": None}) is None


def test_a_run_on_what_the_model_hardly_read_shows_nothing():
    whole = {"acc_rt": 6.0, "acc_ut": 99.0, "acc_per_class": [0.0] * 6}
    assert "only 6.0 % of the remaining classes' test images" in unread({"before": whole})
    assert unread({"before": whole | {"acc_rt": 70.0}}) is None
    alone = {"before": {"acc_rt": None, "acc_ut": None}, "estimates": {"forget_accuracy": {"before": 1.4}}}
    assert "only 1.4 % of the images to forget" in unread(alone)
    assert unread({"before": {"acc_ut": None}, "estimates": {"forget_accuracy": {"before": 98.0}}}) is None
