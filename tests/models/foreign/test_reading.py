"""How an owner's images are prepared, by what timm's and Hugging Face's files state."""

import pytest

from zspag_core.errors import CheckpointError
from zspag_core.models.foreign.reading import InputPreparation, hf_reading, timm_reading

IMAGENET = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))


def test_timm_states_size_normalisation_and_crop():
    told = {"input_size": [3, 96, 96], "mean": [0.5, 0.5, 0.5], "std": [0.25, 0.25, 0.25], "crop_pct": 0.75}
    told["interpolation"] = "bicubic"
    assert timm_reading(told) == {
        "channels": 3,
        "image_size": 96,
        "mean": (0.5, 0.5, 0.5),
        "std": (0.25, 0.25, 0.25),
        "interpolation": "bicubic",
        "shorter_side": 128,
    }
    assert timm_reading({**told, "crop_mode": "squash"})["shorter_side"] == 0
    assert timm_reading(None) == {}


@pytest.mark.parametrize("told", [{"input_size": "224"}, {"mean": "half"}, {"input_size": [3, 224]}])
def test_what_cannot_be_is_refused(told):
    with pytest.raises(CheckpointError, match="expected"):
        timm_reading(told)


def test_hugging_face_s_ways_to_name_a_size():
    vit = {"size": {"height": 224, "width": 224}, "image_mean": [0.5] * 3, "image_std": [0.5] * 3, "resample": 2}
    expected = {
        "mean": (0.5,) * 3,
        "std": (0.5,) * 3,
        "interpolation": "bilinear",
        "image_size": 224,
        "shorter_side": 0,
    }
    assert hf_reading(vit) == expected
    cropped = {"size": {"shortest_edge": 256}, "crop_size": {"height": 224, "width": 224}, "do_center_crop": True}
    assert hf_reading(cropped) == {"image_size": 224, "shorter_side": 256}
    convnext = {"size": {"shortest_edge": 224}, "crop_pct": 0.875, "resample": 3}
    assert hf_reading(convnext) == {"interpolation": "bicubic", "image_size": 224, "shorter_side": 256}
    assert hf_reading({"size": {"shortest_edge": 384}, "crop_pct": 0.875})["shorter_side"] == 0
    assert hf_reading({"do_normalize": False, "size": 64}) == {
        "mean": (0.0, 0.0, 0.0),
        "std": (1.0, 1.0, 1.0),
        "image_size": 64,
        "shorter_side": 0,
    }
    assert hf_reading(None) == {}


@pytest.mark.slow
def test_hugging_face_s_own_processors_agree():
    transformers = pytest.importorskip("transformers")
    for name in ("ViTImageProcessor", "ConvNextImageProcessor", "MobileNetV2ImageProcessor"):
        processor = getattr(transformers, name)()
        found = hf_reading(processor.to_dict())
        assert found["mean"] == tuple(processor.image_mean)
        assert found["image_size"] in {224, 384}


def test_what_is_said_wins_over_what_is_assumed():
    reading = InputPreparation({}, {"image_size": 224, "mean": IMAGENET[0]}).with_said({"image_size": 32})
    assert reading.fields == {"image_size": 32, "mean": IMAGENET[0]}
    assert reading.assumed == {"mean": IMAGENET[0]}


@pytest.mark.parametrize("read", [timm_reading, hf_reading])
@pytest.mark.parametrize("told", [True, 3, "resnet", [1, 2]])
def test_what_is_no_table_is_refused(read, told):
    with pytest.raises(CheckpointError, match="expected names and values, got"):
        read(told)


def test_values_of_another_kind_state_nothing():
    odd = {"size": {"shortest_edge": "224", "height": True}, "resample": [2], "crop_size": -3, "do_normalize": True}
    assert hf_reading(odd) == {}
    assert timm_reading({"interpolation": ["bicubic"]}) == {}
