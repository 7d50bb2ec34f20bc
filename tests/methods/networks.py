"""One tiny network of every architecture, for tests of methods that must work on all of them."""

from __future__ import annotations

from zspag_core.models.alexnet import AlexNetConfig
from zspag_core.models.resnet import ResNetConfig
from zspag_core.models.vgg import VGGConfig
from zspag_core.models.vit import ViTConfig

GREY = {"num_classes": 5, "channels": 1, "mean": (0.4,), "std": (0.2,), "image_size": 8}
NETWORKS = {
    "alexnet": AlexNetConfig(widths=(4, 6, 8, 6, 4), hidden=(12, 10), **GREY),
    "vgg": VGGConfig(layers=(4, 0, 6), **GREY),
    "resnet": ResNetConfig(widths=(4, 8), blocks=(1, 1), **GREY),
    "vit": ViTConfig(patch_size=4, width=8, depth=1, heads=2, hidden=8, **GREY),
}
