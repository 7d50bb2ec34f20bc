"""How a classifier is trained: the settings of a training, and which of them suit a data set and a model."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from zspag_core.hyperparameters import configure, knob

if TYPE_CHECKING:
    from collections.abc import Mapping

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
