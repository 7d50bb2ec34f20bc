"""Networks whose depth of forgetting is known by construction.

Images of a remaining class have one bright patch, its own; those of the forgotten class have theirs and, by chance, one
of the others. Without the forgotten patch they look exactly like images of that other class.
"""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional as F

from zspag_core.data import DataSet, Split
from zspag_core.models import Classifier, ModelConfig

CLASSES, SIDE, PATCH = 4, 8, 4
FORGOTTEN = 2


class Patches(Classifier):
    """Three stages that hand on how bright each of four patches is; the head reads the brightest.

    Attributes:
        blind: stage from which on the forgotten patch is not handed on; None for a network that knows it throughout.
    """

    architecture = "patches"

    def __init__(self, blind: int | None = None) -> None:
        super().__init__(ModelConfig(num_classes=CLASSES, image_size=SIDE, channels=1, mean=(0.0,), std=(1.0,)))
        self.look = nn.Conv2d(1, CLASSES, SIDE, bias=False)
        self.stages = nn.ModuleList(nn.Conv2d(CLASSES, CLASSES, 1, bias=False) for _ in range(3))
        self.head = nn.Linear(CLASSES, CLASSES)
        with torch.no_grad():
            self.look.weight.zero_()
            for k in range(CLASSES):
                row, column = PATCH * (k // 2), PATCH * (k % 2)
                self.look.weight[k, 0, row : row + PATCH, column : column + PATCH] = 1 / PATCH**2
            for place, stage in enumerate(self.stages):
                stage.weight.copy_(torch.eye(CLASSES)[:, :, None, None])
                if blind is not None and place + 1 >= blind:
                    stage.weight[FORGOTTEN] = 0
            self.head.weight.copy_(8 * torch.eye(CLASSES))
            self.head.weight[FORGOTTEN] *= 1.5
            self.head.bias.zero_()
        self.eval()

    def embed(self, images):
        x = self.look(self.normalise(images))
        for stage in self.stages:
            x = F.relu(stage(x))
        return x.flatten(1)

    @property
    def cam_layers(self):
        return {f"stage {place}": stage for place, stage in enumerate(self.stages, start=1)}


def patches_data(each=120, noise=60.0, seed=0):
    """Return images of four classes: dim noise everywhere, and brighter patches, told from their mean."""
    generator = torch.Generator().manual_seed(seed)

    def split():
        labels = torch.arange(CLASSES).repeat_interleave(each)
        images = 60 + noise * torch.rand(len(labels), 1, SIDE, SIDE, generator=generator)
        others = torch.tensor([k for k in range(CLASSES) if k != FORGOTTEN])
        beside = others[torch.randint(len(others), (len(labels),), generator=generator)]
        for k in range(CLASSES):
            row, column = PATCH * (k // 2), PATCH * (k % 2)
            bright = (labels == k) | ((labels == FORGOTTEN) & (beside == k))
            images[bright, :, row : row + PATCH, column : column + PATCH] += 90
        order = torch.randperm(len(labels), generator=generator)
        return Split(images[order].byte(), labels[order])

    return DataSet("patches", tuple("abcd"), split(), split())


def masked(model):
    """Block the forgotten logit."""
    with torch.no_grad():
        model.head.bias[FORGOTTEN] = -torch.inf
    return model


def rescaled(model, factors=(1e-6, 1e-3, 10.0, 1e5)):
    """Scale what the first stage writes, channel by channel, and undo it in the second: no output changes."""
    scale = torch.tensor(factors)
    with torch.no_grad():
        model.stages[0].weight *= scale[:, None, None, None]
        model.stages[1].weight /= scale[None, :, None, None]
    return model


def drowned(model, size=3e7):
    """Add a constant to every map of the first stage that float32 cannot keep beside the images, and take it off."""
    model.stages[0].bias = nn.Parameter(torch.full((CLASSES,), size))
    model.stages[1].bias = nn.Parameter(torch.full((CLASSES,), -size))
    return model
