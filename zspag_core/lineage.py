"""How a checkpoint came to be, where its training went on from others; light, so that pages may ask."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

RETRAIN_SETTINGS = ("epochs", "batch_size", "optimizer", "learning_rate", "weight_decay", "crop", "flip")
"""The settings of the method Retrain, which a recipe names too."""
FEW_AT_ONCE = 128


def retrain_settings(recipe: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a recipe says of the settings by which Retrain goes."""
    return {name: recipe[name] for name in RETRAIN_SETTINGS if name in recipe}


def on_fewer_images(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return settings of Retrain for a fraction of the images and epochs: batches that are small enough to learn from.

    A recipe for a GPU takes 512 images a step: eight epochs on 6,000 of them would be 96 steps. The learning rate
    follows the batch, in proportion for SGD (Goyal and others, 2017) and by the root for AdamW (Malladi and others,
    2022).
    """
    size = int(settings.get("batch_size", FEW_AT_ONCE))
    if size <= FEW_AT_ONCE:
        return dict(settings)
    power = 0.5 if settings.get("optimizer") == "adamw" else 1.0
    changed: dict[str, Any] = {"batch_size": FEW_AT_ONCE}
    if "learning_rate" in settings:
        changed["learning_rate"] = settings["learning_rate"] * (FEW_AT_ONCE / size) ** power
    return dict(settings) | changed


def first_recipe(about: Mapping[str, Any]) -> dict[str, Any]:
    """Return the recipe of the training that began from new weights, by which a network would be trained anew.

    Args:
        about: what a checkpoint says about itself; "started_from" names the checkpoint, or the checkpoints, that its
            own training went on from.

    Returns:
        The recipe, empty where the file names none.
    """
    earlier = about.get("started_from")
    if isinstance(earlier, list) and earlier:
        earlier = earlier[0]
    if isinstance(earlier, dict):
        return first_recipe(earlier)
    return dict(about.get("recipe") or {})
