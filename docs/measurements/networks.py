"""Small networks of other libraries' classes, as somebody would keep them in a file of their own.

    python -m zspag_core unlearn --model python:docs/measurements/networks.py:small_swin …

Every callable takes no arguments and returns an untrained classifier of ten classes, for colour images of 32 pixels.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from timm.layers import GroupNormAct, StdConv2d
from timm.models.resnetv2 import ResNetV2
from torchvision.models import SwinTransformer, VisionTransformer

if TYPE_CHECKING:
    from torch import nn


def small_vit() -> nn.Module:
    """Return torchvision's vision transformer, four blocks of width 96; its attention is `nn.MultiheadAttention`."""
    return VisionTransformer(
        image_size=32, patch_size=8, num_layers=4, num_heads=4, hidden_dim=96, mlp_dim=192, num_classes=10
    )


def small_swin() -> nn.Module:
    """Return torchvision's Swin transformer, two stages of two blocks, attention in (shifted) windows of 4 by 4."""
    return SwinTransformer(
        patch_size=[2, 2],
        embed_dim=48,
        depths=[2, 2],
        num_heads=[2, 4],
        window_size=[4, 4],
        stochastic_depth_prob=0.0,
        num_classes=10,
    )


def standardised_resnet() -> nn.Module:
    """Return timm's pre-activation ResNet as in BiT, weight-standardised, its head a 1x1 convolution."""
    return ResNetV2(
        layers=[1, 1, 1],
        channels=(64, 128, 256),
        num_classes=10,
        stem_chs=32,
        stem_type="same",
        conv_layer=partial(StdConv2d, eps=1e-8),
        norm_layer=partial(GroupNormAct, num_groups=16),
    )
