from __future__ import annotations

import pytest
import torch

from zspag_core.models import build
from zspag_core.models.alexnet import AlexNetConfig
from zspag_core.models.resnet import ResNetConfig
from zspag_core.models.vgg import VGGConfig
from zspag_core.models.vit import ViTConfig

TINY = {
    "alexnet": AlexNetConfig(num_classes=3, image_size=16, widths=(4, 6, 8, 6, 4), hidden=(12, 10)),
    "vgg": VGGConfig(num_classes=3, image_size=16, layers=(4, 0, 6, 6, 0, 8), hidden=(10,), pooled=2),
    "resnet": ResNetConfig(
        num_classes=3, image_size=16, channels=1, mean=(0.1,), std=(0.3,), widths=(4, 8), blocks=(1, 2)
    ),
    "vit": ViTConfig(num_classes=3, image_size=16, width=8, depth=2, heads=2, hidden=12),
}


@pytest.fixture(params=TINY)
def tiny(request):
    """A small classifier of each architecture, with BatchNorm statistics that are not the initial ones."""
    model = build(TINY[request.param])
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for tensor in model.state_dict().values():
            if tensor.is_floating_point():
                tensor.copy_(torch.rand(tensor.shape, generator=generator) + 0.1)
    return model.eval()


@pytest.fixture
def resnet():
    """A small one-channel ResNet."""
    return build(TINY["resnet"]).eval()
