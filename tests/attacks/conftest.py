"""A tiny classifier of real handwritten digits, trained once, and images of it to attack."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits
from torch import nn
from torch.nn import functional as F

from zspag_core.models.vgg import POOL, VGG, VGGConfig


@pytest.fixture(scope="session")
def digits():
    """Images (1797, 1, 8, 8) float32 in [0, 1] and labels (1797,)."""
    raw = load_digits()
    return torch.from_numpy(raw.images.astype(np.float32)[:, None] / 16), torch.from_numpy(raw.target).long()


@pytest.fixture(scope="session")
def trained(digits):
    """A two-layer VGG with BatchNorm that knows the digits; never change it."""
    images, labels = digits
    config = VGGConfig(channels=1, image_size=8, mean=(0.3,), std=(0.4,), layers=(16, POOL, 32), pooled=2)
    generator = torch.Generator().manual_seed(0)
    model = VGG(config)
    for values in model.parameters():
        if values.ndim > 1:
            bound = values[0].numel() ** -0.5 * 1.7
            values.data.uniform_(-bound, bound, generator=generator)
    model.head.bias.data.zero_()
    optimiser = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    for _ in range(4):
        for rows in torch.randperm(len(labels), generator=generator).split(64):
            optimiser.zero_grad()
            F.cross_entropy(model(images[rows]), labels[rows]).backward()
            optimiser.step()
    optimiser.zero_grad(set_to_none=True)
    model.eval()
    with torch.no_grad():
        assert (model(images).argmax(1) == labels).float().mean() > 0.97
    return model


@pytest.fixture
def generator():
    return torch.Generator().manual_seed(7)


@pytest.fixture(scope="session")
def sample(digits, trained):
    """Sixty images and the class that the model finds second most likely for each."""
    images, labels = digits[0][:60], digits[1][:60]
    with torch.no_grad():
        logits = trained(images)
    return images, logits.scatter(1, labels[:, None], -torch.inf).argmax(1)


class Linear(nn.Module):
    """Logits that are linear in the pixels; weight (classes, 64), in float64."""

    def __init__(self, weight, bias):
        super().__init__()
        self.weight, self.bias = weight, bias

    def forward(self, images):
        return images.flatten(1) @ self.weight.T + self.bias


@pytest.fixture
def linear():
    """Return a function: number of classes -> a random linear model and 20 mid-grey images (N, 1, 8, 8)."""

    def make(classes):
        generator = torch.Generator().manual_seed(classes)
        weight = torch.randn(classes, 64, generator=generator, dtype=torch.float64)
        images = 0.5 + 0.05 * torch.randn(20, 1, 8, 8, generator=generator, dtype=torch.float64)
        bias = -(weight * 0.5).sum(1) + torch.randn(classes, generator=generator, dtype=torch.float64)
        return Linear(weight, bias), images

    return make


@pytest.fixture
def least_perturbation():
    """Return a function: the exact least L2 length that makes a linear model predict the target.

    Minimise |r| subject to (w_t - w_k) r >= z_k - z_t for every other class k. The optimum solves its active
    constraints with equality, so trying every subset of constraints finds it.
    """

    def length(model, image, target):
        logits = model(image[None])[0]
        others = [k for k in range(len(logits)) if k != target]
        rows, needed = model.weight[target] - model.weight[others], logits[others] - logits[target]
        best = torch.tensor(torch.inf, dtype=torch.float64)
        for size in range(1, len(others) + 1):
            for active in itertools.combinations(range(len(others)), size):
                a, b = rows[list(active)], needed[list(active)]
                r = a.T @ torch.linalg.solve(a @ a.T, b)
                if (rows @ r >= needed - 1e-9).all():
                    best = torch.minimum(best, r.norm())
        return best

    return length
