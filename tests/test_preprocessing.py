from __future__ import annotations

import pytest
import torch
from torchvision import transforms
from torchvision.models import ResNet18_Weights
from torchvision.transforms import v2

from zspag_core.preprocessing import fields_of

HALF = (0.5, 0.5, 0.5)
IMAGENET = {"mean": (0.485, 0.456, 0.406), "std": (0.229, 0.224, 0.225)}
PLAIN = {"mean": (0.0, 0.0, 0.0), "std": (1.0, 1.0, 1.0)}


def test_without_any_the_network_takes_pixels():
    assert fields_of(None, 3) == PLAIN
    assert fields_of({}, 1) == {"mean": (0.0,), "std": (1.0,)}


def test_a_dictionary_of_our_own():
    told = {"mean": 0.5, "std": [0.25], "size": 64, "interpolation": "bicubic", "shorter_side": 72}
    assert fields_of(told, 3) == {
        "mean": HALF, "std": (0.25,) * 3, "image_size": 64, "interpolation": "bicubic", "shorter_side": 72
    }  # fmt: skip
    assert fields_of({"size": (28, 28)}, 1)["image_size"] == 28


def test_torchvision_presets():
    found = fields_of(ResNet18_Weights.IMAGENET1K_V1.transforms(), 3)
    assert found == IMAGENET | {"image_size": 224, "shorter_side": 256, "interpolation": "bilinear"}


@pytest.mark.parametrize("made", [transforms, v2])
def test_a_compose(made):
    steps = [made.Resize(72), made.CenterCrop(64), made.Normalize(HALF, HALF)]
    steps.insert(2, made.ToTensor() if made is transforms else made.ToDtype(torch.float32, scale=True))
    assert fields_of(made.Compose(steps), 3) == {
        "image_size": 64, "shorter_side": 72, "interpolation": "bilinear", "mean": HALF, "std": HALF
    }  # fmt: skip


def test_a_compose_that_stretches_or_only_normalises():
    stretched = fields_of(transforms.Compose([transforms.Resize((32, 32)), transforms.ToTensor()]), 3)
    assert stretched == PLAIN | {"image_size": 32, "shorter_side": 0, "interpolation": "bilinear"}
    assert fields_of(transforms.Normalize([0.5], [0.5]), 1) == {"mean": (0.5,), "std": (0.5,)}
    assert fields_of(torch.nn.Sequential(transforms.CenterCrop(20)), 1)["shorter_side"] == 20


def test_timm():
    timm = pytest.importorskip("timm")
    config = timm.data.resolve_data_config({}, model=timm.create_model("resnet10t"))
    found = fields_of(config, 3)
    assert found["image_size"] == config["input_size"][1]
    assert found["shorter_side"] == int(config["input_size"][1] / config["crop_pct"])
    made = fields_of(timm.data.create_transform(**config), 3)
    assert made.pop("mean") == pytest.approx(found.pop("mean"))
    assert made.pop("std") == pytest.approx(found.pop("std"))
    assert made == found


@pytest.mark.slow
def test_hugging_face():
    transformers = pytest.importorskip("transformers")
    processor = transformers.ViTImageProcessor(size={"height": 96, "width": 96})
    expected = {"mean": HALF, "std": HALF, "image_size": 96, "shorter_side": 0, "interpolation": "bilinear"}
    assert fields_of(processor, 3) == expected
    assert fields_of(processor.to_dict(), 3) == expected


BAD = [
    ({"means": 0.5}, "got 'means'"),
    ({"mean": (0.5, 0.5)}, "expected 3 numbers as mean"),
    ({"std": 0.0}, "expected positive numbers as std"),
    ({"mean": 123.7}, "expected the mean of pixels in [0, 1]"),
    ({"size": (32, 48)}, "expected the side of a square"),
    ({"size": "large"}, "expected the side of a square"),
    (transforms.Compose([transforms.RandomCrop(4)]), "got RandomCrop"),
    (lambda image: image, "got function"),
    ({"input_size": 224, "crop_pct": 0.9}, "input_size"),
]


@pytest.mark.parametrize(("preprocess", "words"), BAD, ids=[words for _, words in BAD])
def test_anything_else_is_refused(preprocess, words):
    with pytest.raises(ValueError, match="preprocess: ") as refused:
        fields_of(preprocess, 3)
    assert words in str(refused.value)
