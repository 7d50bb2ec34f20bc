"""How a checkpoint came to be, where its training went on from others; light, so that pages may ask."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

RETRAIN_SETTINGS = ("epochs", "batch_size", "optimizer", "learning_rate", "weight_decay", "crop", "flip")
"""The settings of the method Retrain, which a recipe names too."""


def retrain_settings(recipe: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a recipe says of the settings by which Retrain goes."""
    return {name: recipe[name] for name in RETRAIN_SETTINGS if name in recipe}


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
