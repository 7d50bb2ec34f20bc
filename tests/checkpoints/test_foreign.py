"""Networks of torchvision, timm, Hugging Face and owners give their own library's logits, and go back to it."""

import json
from textwrap import dedent

import pytest
import timm
import torch
import torchvision
from safetensors.torch import load_file, save_file
from torch import nn

from zspag_core.checkpoints import load_checkpoint, save_checkpoint
from zspag_core.checkpoints.foreign import adapt
from zspag_core.errors import CheckpointError, UsageError
from zspag_core.explain.gradcam import attention, map_shapes
from zspag_core.layers import weight_layers
from zspag_core.models import fresh_like
from zspag_core.models.foreign.sources import python_network

MEAN, STD = (0.4, 0.5, 0.6), (0.2, 0.3, 0.4)
PIXELS = (torch.rand(3, 3, 32, 32, generator=torch.Generator().manual_seed(0)) * 255).round() / 255


def _lively(network):
    """Give normalisation layers statistics as after training, so that mistakes show."""
    generator = torch.Generator().manual_seed(1)
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean.copy_(0.1 * torch.randn(module.running_mean.shape, generator=generator))
            module.running_var.copy_(0.5 + torch.rand(module.running_var.shape, generator=generator))
    return network.eval()


def _normalised(images):
    return (images - torch.tensor(MEAN).view(1, -1, 1, 1)) / torch.tensor(STD).view(1, -1, 1, 1)


def _small_vit():
    network = torchvision.models.VisionTransformer(32, 8, 2, 4, 16, 32, num_classes=5)
    nn.init.normal_(network.heads.head.weight, std=0.3)
    return network


NETWORKS = {
    "torchvision:mobilenet_v3_small": lambda: torchvision.models.mobilenet_v3_small(weights=None, num_classes=5),
    "torchvision:squeezenet1_1": lambda: torchvision.models.squeezenet1_1(weights=None, num_classes=5),
    "torchvision:shufflenet_v2_x0_5": lambda: torchvision.models.shufflenet_v2_x0_5(weights=None, num_classes=5),
    "timm:resnet10t": lambda: timm.create_model("resnet10t", num_classes=5),
    "timm:convnext_atto": lambda: timm.create_model("convnext_atto", num_classes=5),
    "timm:vit_tiny_patch16_224": lambda: timm.create_model("vit_tiny_patch16_224", num_classes=5, img_size=32),
}


@pytest.mark.slow
@pytest.mark.parametrize("source", NETWORKS)
def test_logits_are_the_library_s_own_and_the_weights_go_back(source, tmp_path):
    torch.manual_seed(0)
    owner = _lively(NETWORKS[source]())
    path = tmp_path / "mine.pth"
    torch.save({"epoch": 3, "state_dict": {f"module.{k}": v for k, v in owner.state_dict().items()}}, path)
    loaded = load_checkpoint(path, model=source, image_size=32, mean=MEAN, std=STD)
    with torch.no_grad():
        expected = owner(_normalised(PIXELS))
        torch.testing.assert_close(loaded.model(PIXELS), expected, rtol=1e-4, atol=1e-5)
        features, logits = loaded.model.both(PIXELS)
    assert (features.ndim, tuple(logits.shape)) == (2, (3, 5))
    assert loaded.about["told"].keys() >= {"image_size", "mean", "std"}
    assert set(map_shapes(loaded.model))
    assert attention(loaded.model, PIXELS, torch.tensor([0, 1, 2]), list(map_shapes(loaded.model))[-1]).maps.ndim == 3
    with torch.no_grad():
        loaded.model.head.weight.mul_(2)
    back = torch.load(loaded.origin.write(tmp_path, "unlearned", loaded.model), weights_only=True)
    assert back["epoch"] == 3
    owner.load_state_dict({k.removeprefix("module."): v for k, v in back["state_dict"].items()}, strict=True)
    with torch.no_grad():
        torch.testing.assert_close(owner(_normalised(PIXELS)), loaded.model(PIXELS), rtol=1e-4, atol=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("source", ["timm:resnet10t", "timm:vit_tiny_patch16_224", "torchvision:squeezenet1_1"])
def test_our_own_file_says_how_to_build_it_again(source, tmp_path):
    torch.manual_seed(0)
    owner, path = _lively(NETWORKS[source]()), tmp_path / "mine.safetensors"
    save_file(owner.state_dict(), path)
    loaded = load_checkpoint(path, model=source, image_size=32)
    for name in ("one", "two"):
        save_checkpoint(tmp_path / name, loaded.model, loaded.about)
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()
    again = load_checkpoint(tmp_path / "one")
    with torch.no_grad():
        assert torch.equal(again.model(PIXELS), loaded.model(PIXELS))
    assert again.about == loaded.about
    assert set(weight_layers(again.model)) == set(weight_layers(loaded.model))
    fresh = fresh_like(loaded.model, 5)
    assert not torch.equal(fresh.head.weight, loaded.model.head.weight)
    assert torch.equal(fresh.head.weight, fresh_like(loaded.model, 5).head.weight)


def test_a_folder_of_timm_says_everything(tmp_path):
    torch.manual_seed(0)
    owner = timm.create_model("vit_tiny_patch16_224", num_classes=3, img_size=32, depth=2).eval()
    save_file(owner.state_dict(), tmp_path / "model.safetensors")
    config = {
        "architecture": "vit_tiny_patch16_224",
        "num_classes": 3,
        "model_args": {"img_size": 32, "depth": 2},
        "label_names": ["ant", "bee", "cow"],
        "pretrained_cfg": {
            "input_size": [3, 32, 32],
            "mean": MEAN,
            "std": STD,
            "crop_pct": 1.0,
            "interpolation": "bicubic",
        },
    }
    (tmp_path / "config.json").write_text(json.dumps(config))
    loaded = load_checkpoint(tmp_path)
    assert loaded.about["class_names"] == ["ant", "bee", "cow"]
    assert not {"mean", "std", "image_size"} & set(loaded.about["assumed"])
    assert loaded.model.config.interpolation == "bicubic"
    with torch.no_grad():
        torch.testing.assert_close(loaded.model(PIXELS), owner(_normalised(PIXELS)), rtol=1e-4, atol=1e-5)
    written = loaded.origin.write(tmp_path / "out", "unlearned", loaded.model)
    assert json.loads((written / "config.json").read_text()) == json.loads(json.dumps(config))
    owner.load_state_dict(load_file(written / "model.safetensors"), strict=True)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["ViT", "ResNet"])
def test_a_folder_of_hugging_face_goes_both_ways(kind, tmp_path):
    transformers = pytest.importorskip("transformers")
    sizes = {
        "ViT": {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 32}
        | {"image_size": 32, "patch_size": 8},
        "ResNet": {"embedding_size": 8, "hidden_sizes": [8, 16], "depths": [1, 1], "layer_type": "basic"},
    }[kind]
    names = {0: "ant", 1: "bee", 2: "cow"}
    torch.manual_seed(0)
    config = getattr(transformers, f"{kind}Config")(**sizes, id2label=names, label2id={v: k for k, v in names.items()})
    classifier = getattr(transformers, f"{kind}ForImageClassification")
    owner = _lively(classifier(config))
    folder = tmp_path / "mine"
    owner.save_pretrained(folder)
    processor = {"image_mean": MEAN, "image_std": STD, "size": {"height": 32, "width": 32}, "resample": 3}
    (folder / "preprocessor_config.json").write_text(json.dumps(processor))
    loaded = load_checkpoint(folder)
    with torch.no_grad():
        expected = owner(_normalised(PIXELS)).logits
        torch.testing.assert_close(loaded.model(PIXELS), expected, rtol=1e-4, atol=1e-5)
    assert loaded.about["class_names"] == list(names.values())
    assert loaded.model.config.interpolation == "bicubic"
    with torch.no_grad():
        loaded.model.head.weight.mul_(2)
    written = loaded.origin.write(tmp_path / "out", "unlearned", loaded.model)
    again = classifier.from_pretrained(written).eval()
    with torch.no_grad():
        torch.testing.assert_close(again(_normalised(PIXELS)).logits, loaded.model(PIXELS), rtol=1e-4, atol=1e-5)
    save_checkpoint(tmp_path / "ours.safetensors", loaded.model, loaded.about)
    with torch.no_grad():
        assert torch.equal(load_checkpoint(tmp_path / "ours.safetensors").model(PIXELS), loaded.model(PIXELS))


OWNERS = """
    from torch import nn
    import torchvision

    def vit():
        return torchvision.models.VisionTransformer(32, 8, 2, 4, 16, 32, num_classes=5)
"""


def test_an_owners_class_loads_and_its_attention_goes_back_whole(tmp_path):
    torch.manual_seed(0)
    owner, code, path = _small_vit().eval(), tmp_path / "mine.py", tmp_path / "mine.pth"
    code.write_text(dedent(OWNERS))
    torch.save(owner.state_dict(), path)
    loaded = load_checkpoint(path, model=f"python:{code}:vit", mean=MEAN, std=STD)
    assert loaded.model.config.image_size == 32
    assert loaded.about["assumed"]["image_size"] == 32
    with torch.no_grad():
        torch.testing.assert_close(loaded.model(PIXELS), owner(_normalised(PIXELS)), rtol=1e-4, atol=1e-5)
    assert not loaded.model.unmoved
    assert str(tmp_path) not in json.dumps(loaded.model.config.to_dict())
    back = torch.load(loaded.origin.write(tmp_path, "unlearned", loaded.model), weights_only=True)
    assert all(torch.equal(back[name], value) for name, value in owner.state_dict().items())
    save_checkpoint(tmp_path / "ours.safetensors", loaded.model, loaded.about)
    with pytest.raises(UsageError, match="never run on a file's word"):
        load_checkpoint(tmp_path / "ours.safetensors")
    again = load_checkpoint(tmp_path / "ours.safetensors", model=f"python:{code}:vit")
    with torch.no_grad():
        assert torch.equal(again.model(PIXELS), loaded.model(PIXELS))


WIDE = """
    from torch import nn

    class Wide(nn.Sequential):
        def __init__(self, num_classes=4, width=6, side=8):
            super().__init__(nn.Conv2d(3, width, 3), nn.ReLU(), nn.Conv2d(width, 5, 3), nn.ReLU(), nn.Flatten())
            self.append(nn.Linear(5 * (side - 4) ** 2, num_classes))

    def wider():
        return Wide(num_classes=5, width=12)
"""


def test_an_owners_class_is_called_as_its_file_says(tmp_path):
    torch.manual_seed(0)
    code, path = tmp_path / "mine.py", tmp_path / "last.ckpt"
    code.write_text(dedent(WIDE))
    owner = python_network(f"{code}:Wide", {"num_classes": 5, "width": 12})[0]
    weights = {f"net.{name}": value for name, value in owner.state_dict().items()}
    kept = {"width": 12, "num_classes": 9, "lr": 0.1, "mixup": [1, 2]}
    torch.save({"state_dict": weights, "hyper_parameters": kept, "epoch": 3}, path)
    loaded = load_checkpoint(path, model=f"python:{code}:Wide", image_size=8, mean=MEAN, std=STD)
    assert loaded.notes[-1] == "Wide was called with width=12, as the file's hyper_parameters say"
    pixels = torch.rand(2, 3, 8, 8)
    with torch.no_grad():
        torch.testing.assert_close(loaded.model(pixels), owner(_normalised(pixels)), rtol=1e-4, atol=1e-5)
    save_checkpoint(tmp_path / "ours.safetensors", loaded.model, loaded.about)
    again = load_checkpoint(tmp_path / "ours.safetensors", model=f"python:{code}:Wide")
    with torch.no_grad():
        assert torch.equal(again.model(pixels), loaded.model(pixels))
    torch.save(weights, path)
    with pytest.raises(CheckpointError, match=r"name a function in .*mine\.py that returns Wide with them"):
        load_checkpoint(path, model=f"python:{code}:Wide", image_size=8)
    assert load_checkpoint(path, model=f"python:{code}:wider", image_size=8).notes == ()


@pytest.mark.slow
def test_weights_of_another_network_are_refused(tmp_path):
    path = tmp_path / "mine.pth"
    torch.save(timm.create_model("resnet10t", num_classes=5).state_dict(), path)
    with pytest.raises(CheckpointError, match=r"not the weights of torchvision:resnet18: it looks like timm resnet10t"):
        load_checkpoint(path, model="torchvision:resnet18")
    with pytest.raises(CheckpointError, match="looks like timm resnet10t: pass --model timm:resnet10t"):
        load_checkpoint(path)
    with pytest.raises(CheckpointError, match="mean: expected 3 numbers, one a channel, got 2"):
        load_checkpoint(path, model="timm:resnet10t", image_size=32, mean=(0.5, 0.4), std=(0.5,))
    with pytest.raises(CheckpointError, match="std: expected 3 numbers, one a channel, got 4"):
        load_checkpoint(path, model="timm:resnet10t", image_size=32, mean=(0.5,), std=(0.5,) * 4)
    with pytest.raises(CheckpointError, match="image_size"):
        load_checkpoint(path, model="timm:resnet10t", image_size=4)


@pytest.mark.slow
def test_one_number_stands_for_every_channel(tmp_path):
    torch.save(timm.create_model("resnet10t", num_classes=5).state_dict(), tmp_path / "mine.pth")
    loaded = load_checkpoint(tmp_path / "mine.pth", model="timm:resnet10t", image_size=32, mean=(0.5,), std=(0.2,))
    assert (loaded.model.config.mean, loaded.model.config.std) == ((0.5,) * 3, (0.2,) * 3)


@pytest.mark.slow
def test_broken_weights_are_refused(tmp_path):
    weights = timm.create_model("resnet10t", num_classes=5).state_dict()
    weights["fc.weight"][0, 0] = torch.nan
    torch.save(weights, tmp_path / "mine.pth")
    with pytest.raises(CheckpointError, match="NaN or infinite"):
        load_checkpoint(tmp_path / "mine.pth", model="timm:resnet10t", image_size=32)


def test_a_network_in_memory_is_adapted_without_being_changed():
    network = _small_vit().train()
    before = {name: value.clone() for name, value in network.state_dict().items()}
    adapted = adapt(network, mean=MEAN, std=STD)
    assert network.training
    assert isinstance(network.encoder.layers[0].self_attention, nn.MultiheadAttention)
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())
    with torch.no_grad():
        expected = network.eval()(_normalised(PIXELS))
        torch.testing.assert_close(adapted(PIXELS), expected, rtol=1e-4, atol=1e-5)


@pytest.fixture(scope="module")
def small():
    """A small network of timm as its owner trained it."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return timm.create_model("test_resnet", num_classes=3)


def _saved(folder, *parts):
    """Write a Lightning checkpoint of networks, each below a prefix."""
    tensors = {f"{prefix}{name}": tensor.clone() for prefix, state in parts for name, tensor in state.items()}
    path = folder / "last.ckpt"
    moments = [{"state": {0: {"exp_avg": torch.ones(3, 3)}}, "param_groups": []}]
    torch.save({"epoch": 3, "state_dict": tensors, "optimizer_states": moments}, path)
    return path


@pytest.mark.slow
def test_a_compiled_network_beside_its_average_is_asked_for(small, tmp_path):
    average = torch.optim.swa_utils.AveragedModel(small).state_dict()
    path = _saved(tmp_path, ("net._orig_mod.", small.state_dict()), ("ema.", average))
    for model in ("", "timm:test_resnet"):
        with pytest.raises(CheckpointError, match="holds several networks: net, ema; say which"):
            load_checkpoint(path, model=model)
    for entry in ("net", "ema"):
        loaded = load_checkpoint(path, model="timm:test_resnet", entry=entry)
        assert torch.equal(loaded.model.network.state_dict()["fc.weight"], small.fc.weight)


PROBE = {"weight": torch.ones(4, 4)}


@pytest.mark.slow
def test_a_named_network_is_found_below_any_prefix(small, tmp_path):
    state = small.state_dict()
    path = _saved(tmp_path, ("lit.learner._orig_mod.", state), ("lit.probe.", PROBE))
    loaded = load_checkpoint(path, model="timm:test_resnet")
    assert "beside the network, and left aside: lit.probe" in loaded.notes
    back = torch.load(loaded.origin.write(tmp_path, "unlearned", loaded.model), weights_only=True)["state_dict"]
    assert torch.equal(back["lit.learner._orig_mod.fc.weight"], state["fc.weight"])
    path = _saved(tmp_path, ("student.", state), ("teacher.backbone.", state), ("probe.", PROBE))
    with pytest.raises(CheckpointError, match=r"holds several networks: student, teacher\.backbone; say which"):
        load_checkpoint(path, model="timm:test_resnet")
    both = _saved(tmp_path, ("", state), ("ema.", state), ("ema.probe.", PROBE))
    assert (
        "beside the network, and left aside: ema, had with --entry ema"
        in load_checkpoint(both, model="timm:test_resnet").notes
    )


@pytest.mark.slow
def test_features_alone_have_no_head(small, tmp_path):
    features = {name: tensor for name, tensor in small.state_dict().items() if not name.startswith("fc.")}
    for prefix in ("", "backbone."):
        with pytest.raises(CheckpointError, match="has no head: these are the features of timm:test_resnet alone, "):
            load_checkpoint(_saved(tmp_path, (prefix, features)), model="timm:test_resnet")
    path = _saved(tmp_path, ("backbone.", features), ("probe.", PROBE))
    with pytest.raises(CheckpointError, match=r"has no head: .*; beside them stands probe: .* --model python:"):
        load_checkpoint(path, model="timm:test_resnet")


@pytest.mark.slow
def test_the_image_size_follows_from_tables_of_attention_biases(tmp_path):
    owner = timm.create_model("levit_128s", num_classes=6, img_size=64).eval()
    torch.save(owner.state_dict(), tmp_path / "net.pth")
    loaded = load_checkpoint(tmp_path / "net.pth", model="timm:levit_128s")
    assert loaded.about["assumed"]["image_size"] == 64
    assert loaded.about["assumed"]["shorter_side"] == 0, "the library's crop is for 224 pixels"
    images = torch.rand(2, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        assert torch.allclose(loaded.model(images), owner(loaded.model.normalise(images)), atol=1e-5)
