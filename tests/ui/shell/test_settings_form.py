from __future__ import annotations

import pytest

from ui.forget.form import BASICS, attack_settings, budgets_of, groups_of, idle, preset_in_use
from ui.shell.settings_form import changed, fitting, from_widget, in_levels, same, to_widget
from ui.shell.words import PRESETS, SETTING_GROUPS, choice_label
from zspag_core.tasks.describe import describe_engine

EPSILON = {"name": "epsilon", "type": "float", "unit": "pixel range", "max": 1.0, "min": 0.0, "default": 32 / 255}
LENGTH = EPSILON | {"name": "epsilon_l2", "max": 100.0}


@pytest.fixture(scope="module")
def engine():
    return describe_engine()


@pytest.fixture
def zspag(engine):
    return next(method for method in engine["methods"] if method["name"] == "zspag")


def test_change_of_pixels_is_shown_in_grey_levels_and_kept_as_a_share():
    assert in_levels(EPSILON)
    assert to_widget(EPSILON, 32 / 255) == 32.0
    assert from_widget(EPSILON, 32.0) == 32 / 255
    assert to_widget(EPSILON, 1.0) == 64.0, "the slider's end"


def test_euclidean_length_is_no_number_of_grey_levels():
    assert not in_levels(LENGTH)
    assert from_widget(LENGTH, to_widget(LENGTH, 2)) == 2.0


def test_only_what_differs_from_the_defaults_is_sent(zspag):
    defaults = {about["name"]: about["default"] for about in zspag["parameters"]}
    assert changed(zspag, defaults) == {}
    assert changed(zspag, defaults | {"epochs": 3, "attack": "cw"}) == {"epochs": 3, "attack": "cw"}


@pytest.mark.parametrize(
    ("settings", "kept"),
    [
        (
            {"epochs": 7, "epsilon": 0.1, "attack": "cw", "random_start": True},
            {"epochs", "epsilon", "attack", "random_start"},
        ),
        ({"learning_rate": 1, "unknown": 3}, {"learning_rate"}),
        ({"epochs": 7.5, "n_adv": True, "epsilon": "0.1", "attack": "magic", "random_start": 1}, set()),
        ({"epochs": 0, "epsilon": 2.0, "n_adv": None}, set()),
    ],
)
def test_settings_that_the_widgets_cannot_hold_are_left_out(zspag, settings, kept):
    assert set(fitting(zspag, settings)) == kept
    assert all(settings[name] == value for name, value in fitting(zspag, settings).items())


def test_every_default_can_be_held(engine):
    for method in engine["methods"]:
        defaults = {about["name"]: about["default"] for about in method["parameters"]}
        assert fitting(method, defaults) == defaults


def test_rounding_is_no_change():
    assert same(32 / 255, 32 / 255 + 1e-17)
    assert not same(0.1, 0.2)


def test_every_setting_stands_in_one_group(zspag):
    groups = groups_of(zspag, set())
    placed = [name for names in groups.values() for name in names]
    assert sorted(placed) == sorted(about["name"] for about in zspag["parameters"])
    assert list(groups) == list(SETTING_GROUPS)


def test_unknown_settings_of_a_new_method_are_shown_too():
    method = {"name": "new", "parameters": [{"name": "magic"}, {"name": "learning_rate"}]}
    assert groups_of(method, set()) == {"Loop": ["learning_rate", "magic"]}


def test_presets_have_words(engine):
    assert {name for method in engine["methods"] for name in method["presets"]} == set(PRESETS)


def test_six_basic_controls_at_most(zspag, engine):
    drawn = [name for name in BASICS if name in zspag["basic"]] + budgets_of("pgd", engine["attacks"])
    assert drawn == ["attack", "n_adv", "label_mode", "epochs", "epsilon"]
    assert budgets_of("cw", engine["attacks"]) == ["epsilon_l2"]


def test_settings_that_nothing_reads_are_idle(engine):
    unread = idle({"attack": "fgsm", "label_mode": "posterior"}, engine["attacks"])
    assert {"attack_steps", "epsilon_l2", "cw_rate", "damping"} <= unread
    assert not {"epsilon", "attack_confidence", "energy"} & unread
    assert "damping" not in idle({"attack": "fgsm", "label_mode": "influence_anchored"}, engine["attacks"])


def test_presets_are_recognised_by_their_settings(zspag):
    assert preset_in_use(zspag, {}) == "default"
    assert preset_in_use(zspag, {"label_mode": "random"}) == "random labels"
    assert preset_in_use(zspag, {"label_mode": "random", "epochs": 2}) is None


def test_preview_is_asked_with_what_the_attack_reads(zspag, engine):
    values = {about["name"]: about["default"] for about in zspag["parameters"]}
    names = set(attack_settings(values, engine["attacks"]))
    assert names == {"attack", "epsilon", "attack_steps", "step_size", "random_start", "attack_confidence"}


def test_methods_without_an_attack_have_no_preview(engine):
    assert attack_settings({"epochs": 3}, engine["attacks"]) is None
    assert budgets_of(None, engine["attacks"]) == []


def test_choices_read_as_words():
    assert choice_label("cw") == "C&W"
    assert choice_label("per_class") == "per class"
