from __future__ import annotations

import pytest

from zspag_core.errors import UsageError
from zspag_core.recipes import Recipe, recipe_for


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
