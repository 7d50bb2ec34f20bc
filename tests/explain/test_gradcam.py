from __future__ import annotations

import cv2
import numpy as np
import pytest
import torch

from zspag_core.data import to_pixels
from zspag_core.explain.gradcam import attention, default_layer, map_shapes
from zspag_core.models import build, named_config


def of_the_library(model, pixels, targets, layer):
    """The maps that the grad-cam library draws: each scaled to [0, 1] and to the image's size."""
    from pytorch_grad_cam import GradCAM
    from pytorch_grad_cam.utils.model_targets import ClassifierOutputTarget

    wanted = [ClassifierOutputTarget(int(k)) for k in targets]
    with GradCAM(model=model, target_layers=[model.cam_layers[layer]], reshape_transform=model.cam_reshape) as cam:
        return cam(input_tensor=pixels, targets=wanted)


def scaled_for_display(maps, size):
    """What the library does to a map: minimum to 0, maximum to 1, stretched to the image's size; then once more."""
    pictures = []
    for one in maps.numpy():
        for _ in range(2):
            one = one - one.min()  # noqa: PLW2901
            one = cv2.resize(one / (1e-7 + one.max()), (size, size))  # noqa: PLW2901
        pictures.append(one)
    return np.stack(pictures)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["resnet", "vit", "vgg11_narrow", "alexnet"])
def test_maps_are_the_librarys_before_its_scaling(kind, digits_model, small_digits, small_vit):
    if kind in {"resnet", "vit"}:
        model = digits_model if kind == "resnet" else small_vit
    else:
        model = build(named_config(kind, num_classes=10, image_size=32, channels=1, mean=(0.3,), std=(0.4,))).eval()
    size = model.config.image_size
    pixels = torch.nn.functional.interpolate(to_pixels(small_digits.test.images[:6]), size)
    targets = torch.tensor([0, 1, 2, 3, 4, 3])
    for layer in model.cam_layers:
        found = attention(model, pixels, targets, layer)
        expected = of_the_library(model, pixels, targets, layer)
        assert np.abs(scaled_for_display(found.maps, size) - expected).max() < 2e-5, layer
    model.zero_grad()  # which the library fills


def test_a_map_shrinks_with_the_evidence(digits_model, small_digits):
    import copy

    weaker = copy.deepcopy(digits_model)
    with torch.no_grad():
        weaker.head.weight.div_(1000)
    pixels, labels = to_pixels(small_digits.test.images[:5]), small_digits.test.labels[:5]
    strong, weak = (attention(model, pixels, labels, "stage 1").maps for model in (digits_model, weaker))
    torch.testing.assert_close(weak, strong / 1000, rtol=1e-3, atol=1e-9)


def test_the_model_is_left_alone_also_when_frozen_or_in_training_mode(
    digits_model, small_digits, state_of, assert_untouched
):
    pixels, labels = to_pixels(small_digits.test.images[:5]), small_digits.test.labels[:5]
    plain = attention(digits_model, pixels, labels, "stage 2")
    digits_model.requires_grad_(False).train()
    try:
        before = state_of(digits_model)
        with torch.no_grad():
            frozen = attention(digits_model, pixels, labels, "stage 2", batch_size=2)
        assert_untouched(digits_model, before)
    finally:
        digits_model.requires_grad_().eval()
    torch.testing.assert_close(frozen.maps, plain.maps)
    torch.testing.assert_close(frozen.logits, plain.logits)
    assert not frozen.maps.requires_grad
    with torch.no_grad():
        torch.testing.assert_close(plain.logits, digits_model(pixels))


def test_hooks_are_removed_after_an_error(digits_model, state_of, assert_untouched):
    before = state_of(digits_model)
    with pytest.raises(RuntimeError):
        attention(digits_model, torch.zeros(1, 5, 8, 8), torch.tensor([0]), "stage 1")
    assert_untouched(digits_model, before)


@pytest.mark.parametrize(
    ("targets", "layer", "said"),
    [
        ([0, 1], "stage 9", "layer: expected one of stage 1, stage 2, got 'stage 9'"),
        ([0], "stage 1", r"targets: expected one per image, got \(1,\) for \(2, 1, 8, 8\)"),
        ([0, 10], "stage 1", "targets: expected 0 to 9, got 0 to 10"),
        ([-1, 3], "stage 1", "targets: expected 0 to 9, got -1 to 3"),
    ],
)
def test_what_the_library_would_answer_with_empty_maps_is_refused(digits_model, targets, layer, said):
    with pytest.raises(ValueError, match=said):
        attention(digits_model, torch.zeros(2, 1, 8, 8), torch.tensor(targets), layer)


def test_shapes_are_those_of_the_maps(digits_model, small_vit):
    assert map_shapes(digits_model) == {"stage 1": (8, 8), "stage 2": (4, 4)}
    assert map_shapes(small_vit) == {"block 1": (2, 2), "block 2": (2, 2)}


@pytest.mark.parametrize(
    ("name", "size", "layer"),
    [
        ("resnet_tiny", 32, "stage 3"),  # 32, 16, 8
        ("resnet_tiny", 16, "stage 2"),  # 16, 8, 4
        ("resnet_tiny", 8, "stage 1"),
        ("vit_small", 32, "last"),
    ],
)
def test_the_default_layer_is_the_deepest_that_is_fine_enough(name, size, layer):
    model = build(named_config(name, num_classes=10, image_size=size))
    expected = list(model.cam_layers)[-1] if layer == "last" else layer
    assert default_layer(model) == expected


def test_a_model_without_layers_has_no_default(odd_model):
    assert default_layer(odd_model) is None
