from __future__ import annotations

import pytest

from zspag_core.hyperparameters import values
from zspag_core.lineage import RETRAIN_SETTINGS, first_recipe, on_fewer_images, retrain_settings
from zspag_core.methods.retrain import Retrain

NEW = {"recipe": {"epochs": 32}}


def test_retrain_takes_all_its_settings_from_a_recipe():
    assert set(RETRAIN_SETTINGS) == set(values(Retrain()))
    assert retrain_settings({"epochs": 3, "flip": False, "seed": 1}) == {"epochs": 3, "flip": False}


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({"batch_size": 512, "learning_rate": 0.4, "optimizer": "sgd", "epochs": 8}, (128, 0.1)),
        ({"batch_size": 512, "learning_rate": 2e-3, "optimizer": "adamw"}, (128, 1e-3)),
        ({"batch_size": 64, "learning_rate": 0.05}, (64, 0.05)),
    ],
)
def test_a_retraining_on_few_images_takes_small_batches_and_steps_that_suit_them(settings, expected):
    found = on_fewer_images(settings)
    assert (found["batch_size"], found["learning_rate"]) == pytest.approx(expected)
    assert found.keys() == settings.keys()


def test_a_recipe_that_names_no_batches_is_left_alone():
    assert on_fewer_images({"epochs": 3}) == {"epochs": 3}


@pytest.mark.parametrize(
    ("about", "epochs"),
    [
        (NEW, 32),
        ({"recipe": {"epochs": 6}, "started_from": NEW}, 32),
        ({"recipe": {"epochs": 1}, "started_from": [{"recipe": {"epochs": 6}, "started_from": [NEW]}, NEW]}, 32),
        ({"recipe": {"epochs": 2}, "started_from": []}, 2),
    ],
)
def test_the_first_recipe_is_found_through_all_that_followed(about, epochs):
    assert first_recipe(about) == {"epochs": epochs}


def test_a_file_without_a_recipe_has_none():
    assert first_recipe({}) == {}
    assert first_recipe({"recipe": None}) == {}
