"""What owners build otherwise than a library is found in the weights and built alike."""

import pytest
import torch
import torchvision
from torch import nn

from zspag_core.checkpoints.foreign import fill
from zspag_core.errors import CheckpointError
from zspag_core.models.foreign.surgery import assumed_activation, change, differences, side_of_tables

BUILT_FOR = 977


def _resnet(classes=5):
    return torchvision.models.resnet18(weights=None, num_classes=classes)


def _owners(kind):
    torch.manual_seed(0)
    model = _resnet()
    if kind == "no bias":
        model.fc = nn.Linear(512, 5, bias=False)
    if kind == "sequence":
        model.fc = nn.Sequential(nn.Dropout(0.5), nn.Linear(512, 5))
    if kind == "two layers":
        model.fc = nn.Sequential(nn.Linear(512, 9), nn.BatchNorm1d(9), nn.ReLU(), nn.Dropout(0.3), nn.Linear(9, 5))
    if kind == "small stem":
        model.conv1, model.maxpool = nn.Conv2d(3, 64, 3, 1, 1, bias=False), nn.Identity()
    if kind == "grey":
        model.conv1 = nn.Conv2d(1, 64, 7, 2, 3, bias=False)
    return model.eval()


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["as it is", "no bias", "sequence", "two layers", "small stem", "grey"])
def test_a_resnet_that_was_changed_is_built_as_it_was(kind):
    owner = _owners(kind)
    weights = owner.state_dict()
    with torch.device("meta"):
        described = _resnet(BUILT_FOR)
    count, changes = differences(described, weights, BUILT_FOR)
    assert count == 5
    assert bool(changes) == (kind != "as it is")
    assert assumed_activation(changes) == (kind == "two layers")
    built = change(_resnet(count), changes).eval()
    fill(built, weights)
    images = torch.rand(2, 1 if kind == "grey" else 3, 32, 32)
    with torch.no_grad():
        assert torch.equal(built(images), owner(images))


@pytest.mark.parametrize("shape", [(), (5,), (5, 512, 1)])
def test_a_head_that_is_no_table_is_refused(shape):
    with torch.device("meta"):
        described = _resnet(BUILT_FOR)
    with pytest.raises(CheckpointError, match="expected a head of linear layers, got a weight of shape"):
        differences(described, {"fc.weight": torch.zeros(shape), "fc.bias": torch.zeros(5)}, BUILT_FOR)


@pytest.mark.slow
def test_a_whole_sequence_of_linear_layers_may_be_replaced():
    owner = torchvision.models.vgg11(weights=None, num_classes=5)
    owner.classifier = nn.Sequential(nn.Linear(512 * 49, 8), nn.ReLU(), nn.Dropout(), nn.Linear(8, 5))
    owner.eval()
    with torch.device("meta"):
        described = torchvision.models.vgg11(weights=None, num_classes=BUILT_FOR)
    count, changes = differences(described, owner.state_dict(), BUILT_FOR)
    with torch.device("meta"):
        built = torchvision.models.vgg11(weights=None, num_classes=count)
    change(built, changes)
    shapes = {name: tensor.shape for name, tensor in built.state_dict().items()}
    assert shapes == {name: tensor.shape for name, tensor in owner.state_dict().items()}


def test_one_layer_in_the_place_of_a_sequence():
    owner = torchvision.models.mobilenet_v3_small(weights=None, num_classes=5)
    owner.classifier = nn.Linear(576, 5)
    with torch.device("meta"):
        described = torchvision.models.mobilenet_v3_small(weights=None, num_classes=BUILT_FOR)
    count, changes = differences(described, owner.state_dict(), BUILT_FOR)
    assert count == 5
    assert changes["head"]["name"] == "classifier"


def test_position_tables_show_the_number_of_patches():
    owner = torchvision.models.VisionTransformer(32, 8, 1, 2, 16, 32, num_classes=5)
    library = torchvision.models.VisionTransformer(64, 8, 1, 2, 16, 32, num_classes=5)
    assert side_of_tables(library, owner.state_dict()) == 4
    assert side_of_tables(owner, owner.state_dict()) is None


@pytest.mark.slow
@pytest.mark.parametrize(
    "changes", [{"stem": {"name": "conv9", "channels": 1}}, {"head": {"name": "nothing.here", "layers": [{}]}}]
)
def test_changes_that_do_not_go_with_the_network_are_refused(changes):
    with pytest.raises(CheckpointError, match="do not go with the network"):
        change(_resnet(), changes)
