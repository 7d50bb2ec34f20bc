from __future__ import annotations

import pytest
import torch

from zspag_core.layers import weight_layers
from zspag_core.plane.network import PlaneConfig, PlaneNetwork


def test_layers_are_what_the_config_says_and_a_point_is_read():
    network = PlaneNetwork(PlaneConfig(num_classes=3, hidden=(4, 5)))
    assert {name: tuple(layer.weight.shape) for name, layer in weight_layers(network).items()} == {
        "hidden.0": (4, 2),
        "hidden.1": (5, 4),
        "head": (3, 5),
    }
    features, logits = network.both(torch.rand(7, 1, 1, 2))
    assert (tuple(features.shape), tuple(logits.shape)) == ((7, 5), (7, 3))
    assert network.cam_layers == {}


def test_logits_are_the_layers_products_in_float32_whatever_precision_is_asked_for():
    network, images = PlaneNetwork(PlaneConfig(num_classes=3, hidden=(4, 5))), torch.rand(7, 1, 1, 2)
    x = (images.flatten(1) - 0.5) / 0.25
    for layer in network.hidden:
        x = (x @ layer.weight.T + layer.bias).clamp_min(0)
    expected = x @ network.head.weight.T + network.head.bias
    with torch.autocast("cpu", dtype=torch.bfloat16):
        logits = network(images)
    assert logits.dtype == torch.float32
    torch.testing.assert_close(logits, expected)
    torch.testing.assert_close(network.head(network.embed(images)), expected)


@pytest.mark.parametrize(("wrong", "word"), [({"num_classes": 1}, "num_classes"), ({"hidden": ()}, "hidden")])
def test_impossible_sizes_are_refused(wrong, word):
    with pytest.raises(ValueError, match=f"{word}: expected"):
        PlaneConfig(**{"num_classes": 3} | wrong)
