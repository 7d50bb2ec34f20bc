"""How a classifier is trained: the settings of a training, and which of them suit a data set and a model."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from zspag_core.hyperparameters import configure, knob

if TYPE_CHECKING:
    from collections.abc import Mapping

RETRAIN_SETTINGS = ("epochs", "batch_size", "optimizer", "learning_rate", "weight_decay", "crop", "flip")
"""The settings of the method Retrain, which a recipe names too."""
FEW_AT_ONCE = 128

HANDED_DATA = ("digits", "svhn")  # mirror images of digits are not digits


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """How a classifier is trained; saved in its checkpoint."""

    epochs: int = knob(20, "Passes over the training images.", minimum=1, maximum=1000, basic=True)
    batch_size: int = knob(128, "Images per step.", minimum=1, maximum=8192)
    optimizer: str = knob(
        "sgd", "sgd (Nesterov, for convolutions) or adamw (for transformers).", choices=("sgd", "adamw")
    )
    learning_rate: float = knob(0.1, "Peak learning rate of the one-cycle schedule.", minimum=1e-6, maximum=10.0)
    weight_decay: float = knob(5e-4, "Pull of the weights towards zero.", minimum=0.0, maximum=1.0)
    warmup: float = knob(0.2, "Share of the steps in which the learning rate rises.", minimum=0.0, maximum=0.9)
    crop: int = knob(4, "Largest random shift of a training image; 0 turns it off.", minimum=0, maximum=64, unit="px")
    flip: bool = knob(default=True, help="Mirror half of the training images; off for digits and text.")
    cutout: int = knob(0, "Side of the square blackened in every training image.", minimum=0, maximum=512, unit="px")
    averaged: int = knob(
        0,
        "Epochs at the end whose weights are averaged, at a learning rate that no longer falls; 0 averages none.",
        minimum=0,
        maximum=1000,
        unit="epochs",
    )
    train_limit: int = knob(0, "Use only so many training images, drawn at random; 0 uses all.", minimum=0)
    seed: int = knob(0, "Seed of the weights, the order and the augmentation.", minimum=0)


def recipe_for(data: str, model: str, settings: Mapping[str, Any]) -> Recipe:
    """Return the recipe that suits a data set and a model, changed by `settings`.

    Raises:
        UsageError: a setting is unknown or out of range.
    """
    chosen: dict[str, Any] = {}
    if model.startswith("vit"):
        chosen |= {"optimizer": "adamw", "learning_rate": 1e-3, "weight_decay": 0.05}
    if data in HANDED_DATA:
        chosen |= {"flip": False, "crop": 2}
    return configure(Recipe, chosen | dict(settings))


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
