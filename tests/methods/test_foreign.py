"""Rivals on an owner's network: a grouped convolution, a layer that is none of ours, and a convolution as the head."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from zspag_core.data import to_pixels
from zspag_core.hyperparameters import configure
from zspag_core.methods import find_method
from zspag_core.models.foreign.adapter import ForeignClassifier
from zspag_core.models.foreign.config import ForeignConfig
from zspag_core.runs.context import RunContext

SETTINGS = {
    "delete": {"epochs": 2},
    "jit": {"copies": 2},
    "mu_mis": {"epochs": 2, "learning_rate": 1e-3},
    "spotter": {"epochs": 2},
    "pour_p": {},
    "ispf": {"epochs": 1, "rounds": 1, "warmup": 1, "student_steps": 2, "batch_size": 16},
    "scrub": {"epochs": 1, "max_epochs": 1},
    "ssd": {"alpha": 0.5},
    "cola": {"epochs": 2, "collapse_epochs": 1},
}


class Owners(nn.Module):
    """Ends in a 1x1 convolution whose mean over places are the logits, by name."""

    def __init__(self):
        super().__init__()
        whole = nn.Conv2d(1, 8, 3, padding=1), nn.BatchNorm2d(8), nn.SiLU(inplace=True)
        self.body = nn.Sequential(*whole, nn.Conv2d(8, 8, 3, groups=8), nn.PReLU())
        self.last = nn.Conv2d(8, 10, 1)

    def forward(self, x):
        return {"logits": self.last(self.body(x)).mean((2, 3))}


@pytest.fixture(scope="module")
def owners():
    config = ForeignConfig(channels=1, image_size=8, mean=(0.3,), std=(0.35,), source="python:mine.py:Owners")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return ForeignClassifier(Owners(), config).eval()


@pytest.mark.slow
@pytest.mark.parametrize("name", SETTINGS)
def test_rivals_change_an_owners_network_the_same_way_twice(name, owners, small_digits):
    forget = small_digits.train.of_classes((3,))[torch.arange(20)]
    retain = small_digits.train.without_classes((3,))[torch.arange(60)]
    method = configure(find_method(name), SETTINGS[name])
    data = [forget, retain] if method.needs_retain else [forget]
    one, two = (
        method.unlearn(owners, *data, (3,), RunContext(torch.Generator().manual_seed(0))).model for _ in range(2)
    )
    weights = owners.owner_weights()
    assert one.owner_weights().keys() == weights.keys()
    assert all(torch.equal(two.owner_weights()[key], value) for key, value in one.owner_weights().items())
    assert any(not torch.equal(one.owner_weights()[key], value) for key, value in weights.items())
    with torch.no_grad():
        assert bool(one(to_pixels(forget.images)).isfinite().all())


def test_pour_p_projects_a_convolutions_rows(owners, small_digits):
    forget = small_digits.train.of_classes((3,))
    found = find_method("pour_p")().unlearn(owners, forget, (3,), RunContext(torch.Generator())).model
    rows = found.head.weight.detach().flatten(1).double()
    before = owners.head.weight.detach().flatten(1).double()
    v = before[3] - before.mean(0)
    assert rows.shape == before.shape
    torch.testing.assert_close(rows @ v, torch.zeros(10).double(), atol=1e-6, rtol=0)
