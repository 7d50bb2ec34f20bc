from __future__ import annotations

import pytest
import torch
from torch import nn

from tests.metrics.depth.constructed import Patches, drowned, patches_data, rescaled
from zspag_core.data import to_pixels
from zspag_core.errors import UnlearningError
from zspag_core.metrics.depth.stages import LAST, StageRecorder, exact_copy, stages_of, standardised
from zspag_core.metrics.predictions import outputs_of
from zspag_core.progress import Reporter


@pytest.fixture(scope="module")
def images():
    return patches_data(each=10).test.images


def test_features_are_means_over_space_of_every_stage(digits_model, small_digits):
    images = small_digits.test.images[:20]
    found = stages_of(digits_model, images, batch_size=7)
    exact = exact_copy(digits_model)
    x = torch.relu(exact.stem(exact.normalise(to_pixels(images).double())))
    assert found.names == ("stage 1", "stage 2"), "the last stage's mean is the penultimate features"
    for stage, features in zip(exact.stages, found.features, strict=True):
        x = stage(x)
        assert features.dtype == torch.float64
        torch.testing.assert_close(features, x.sum(dim=(2, 3)) / x[0, 0].numel(), rtol=1e-12, atol=1e-14)
    torch.testing.assert_close(found.features[-1].float(), outputs_of(digits_model, images).features)


def test_in_float32_the_stages_are_the_same_ones(digits_model, small_digits):
    images = small_digits.test.images[:20]
    exact, quick = (stages_of(digits_model, images, dtype=dtype) for dtype in (torch.float64, torch.float32))
    assert exact.names == quick.names
    for one, two in zip(exact.features, quick.features, strict=True):
        torch.testing.assert_close(one, two, rtol=1e-4, atol=1e-5)


def test_what_enters_the_head_stands_at_the_end_where_it_is_something_else(small_vit, small_digits):
    images = small_digits.test.images[:5]
    found = stages_of(small_vit, images)
    assert found.names == (*small_vit.cam_layers, LAST)
    torch.testing.assert_close(found.features[-1].float(), outputs_of(small_vit, images).features)


def test_the_model_is_left_as_it_was(digits_model, small_digits):
    before = {name: value.clone() for name, value in digits_model.state_dict().items()}
    digits_model.train()
    stages_of(digits_model, small_digits.test.images[:3])
    assert digits_model.training
    digits_model.eval()
    assert all(torch.equal(before[name], value) for name, value in digits_model.state_dict().items())
    assert not any(module._forward_hooks for module in digits_model.modules())


def test_float64_sees_what_float32_has_rounded_away(images):
    plain, found = stages_of(Patches(), images), stages_of(drowned(Patches()), images)
    rounded = stages_of(drowned(Patches()), images, dtype=torch.float32)
    exact = standardised(plain.features[0], found.features[0])[0]
    torch.testing.assert_close(standardised(found.features[0])[0], exact, rtol=1e-5, atol=1e-5)
    assert not torch.allclose(standardised(rounded.features[0])[0], exact, atol=0.1)


def test_progress_is_told(images):
    class Recorder(Reporter):
        told = ()

        def progress(self, stage, done, total, **figures):
            self.told = (*self.told, (stage, done, total))

    recorder = Recorder()
    stages_of(Patches(), images, batch_size=25, report=recorder)
    assert recorder.told == (("depth", 25, 40), ("depth", 40, 40))


def test_features_that_are_no_numbers_are_refused(images):
    model = Patches()
    model.stages[1].weight.data[0] = torch.nan
    with pytest.raises(UnlearningError, match="NaN or infinity at stage 2, stage 3"):
        stages_of(model, images)


def test_a_network_that_cannot_compute_in_float64_is_refused(images):
    class Stubborn(Patches):
        def normalise(self, images):
            return super().normalise(images).float()

    with pytest.raises(UnlearningError, match="expected a network that can compute in float64"):
        stages_of(Stubborn(), images)


def test_standardised_columns_do_not_feel_a_rescaling(images):
    plain, scaled = (stages_of(model, images) for model in (Patches(), rescaled(Patches())))
    for one, two in zip(plain.features, scaled.features, strict=True):
        torch.testing.assert_close(standardised(one)[0], standardised(two)[0], rtol=1e-5, atol=1e-6)


def test_a_constant_column_becomes_zero_and_others_follow_the_first_set():
    first = torch.tensor([[1.0, 5.0], [3.0, 5.0]], dtype=torch.float64)
    other = torch.tensor([[5.0, 7.0]], dtype=torch.float64)
    one, two = standardised(first, other)
    assert one.tolist() == [[-1.0, 0.0], [1.0, 0.0]]
    assert two.tolist() == [[3.0, 0.0]]


def test_stages_of_a_network_of_another_library(small_digits):
    from zspag_core.models.foreign.adapter import ForeignClassifier
    from zspag_core.models.foreign.config import ForeignConfig

    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = nn.Sequential(
            nn.Conv2d(1, 4, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(4, 6, 3, padding=1), nn.ReLU(),
            nn.Flatten(), nn.Linear(6 * 16, 5), nn.ReLU(), nn.Linear(5, 10),
        )  # fmt: skip
    config = ForeignConfig(num_classes=10, image_size=8, channels=1, mean=(0.3,), std=(0.3,), source="torchvision:none")
    model = ForeignClassifier(network, config)
    found = stages_of(model, small_digits.test.images[:6])
    assert found.names[-1] == LAST
    assert set(found.names[:-1]) == set(model.cam_layers)
    assert found.features[-1].shape == (6, 5)


@pytest.mark.parametrize("size", [1, 4, 30])
def test_a_recorder_keeps_what_is_wanted_of_a_pass_that_is_made_anyway(size, digits_model, small_digits):
    images = small_digits.test.images[:30]
    wanted = torch.arange(30) % 3 == 1
    wanted[:8] = False  # whole batches of which nothing is wanted
    with torch.no_grad(), StageRecorder(digits_model, wanted) as recorder:
        outputs = outputs_of(digits_model, images, compute=recorder.both, batch_size=size)
    found, whole = recorder.recorded(1e-4), stages_of(digits_model, images, dtype=torch.float32)
    assert found.names == whole.names
    for one, two in zip(found.features, whole.features, strict=True):
        torch.testing.assert_close(one, two[wanted], rtol=1e-4, atol=1e-6)
    torch.testing.assert_close(outputs.logits, outputs_of(digits_model, images).logits, rtol=1e-4, atol=1e-4)
    assert not any(module._forward_hooks for module in digits_model.modules())
