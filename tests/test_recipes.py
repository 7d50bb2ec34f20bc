from __future__ import annotations

import pytest

from zspag_core.errors import UsageError
from zspag_core.hyperparameters import values
from zspag_core.methods.retrain import Retrain
from zspag_core.recipes import (
    RETRAIN_SETTINGS,
    Recipe,
    first_recipe,
    on_fewer_images,
    recipe_for,
    retrain_settings,
)

NEW = {"recipe": {"epochs": 32}}


def test_recipes_suit_data_and_model():
    assert recipe_for("digits", "resnet_tiny", {}) == Recipe(flip=False, crop=2)
    assert recipe_for("cifar10", "resnet_small", {}) == Recipe()
    assert recipe_for("cifar10", "vit_small", {"epochs": "7"}) == Recipe(
        epochs=7, optimizer="adamw", learning_rate=1e-3, weight_decay=0.05
    )
    with pytest.raises(UsageError, match="epochs: expected 1 to 1000, got 0"):
        recipe_for("digits", "vgg11", {"epochs": "0"})
    with pytest.raises(UsageError, match="momentum: no such setting"):
        recipe_for("digits", "vgg11", {"momentum": "0.9"})


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
