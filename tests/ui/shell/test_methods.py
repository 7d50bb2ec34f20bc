from __future__ import annotations

import pytest

from ui.shell.methods import method_card, method_name, method_summary, way_name


def test_a_method_is_described_in_one_sentence_and_an_unknown_one_not_at_all():
    assert method_summary("mask") == "Blocks the forgotten outputs; learns nothing."
    assert method_summary("unheard of") == ""


def test_a_card_says_source_official_settings_and_what_differs():
    card = method_card("salun").replace("\\", "")
    assert "**Source**: Fan et al., 2024 (SalUn), equations 3 to 5." in card
    assert "learning rate 0.013, epochs 10, mask share 0.5" in card
    assert "The step is masked and not the gradient" in card
    assert "its own program" not in method_card("posterior")
    assert method_card("unheard of") == ""


@pytest.mark.parametrize(
    ("config", "name"),
    [
        ({}, "ZS-PAG"),
        ({"method": "posterior", "settings": {}}, "Posterior labels"),
        ({"settings": {"epsilon": 8 / 255}}, "ZS-PAG (ε 8/255)"),
        ({"settings": {"subspace": "none", "learning_rate": 0.01}}, "ZS-PAG (subspace none, learning rate 0.01)"),
        ({"settings": {"learning_rate": 0.01, "subspace": "none"}}, "ZS-PAG (subspace none, learning rate 0.01)"),
        ({"settings": {"label_mode": "second_best"}}, "ZS-PAG (label mode second best)"),
        ({"settings": {"energy": 0.9, "stop_rule": False, "epochs": 3, "fill": 1.0}},
         "ZS-PAG (τ 0.9, stop rule off, 2 more)"),
        ({"settings": {"attack": "cw", "epsilon": 1, "n_adv": 5}}, "ZS-PAG (attack C&W, ε 255/255, 1 more)"),
        ({"method": "retrain", "settings": {"optimizer": "sgd", "epochs": 30}}, "Retrain"),
        ({"method": "unheard of"}, "unheard of"),
    ],
)  # fmt: skip
def test_a_run_is_named_by_its_method_and_what_was_given(config, name):
    assert way_name(config) == name
    assert name.startswith(method_name(config))
