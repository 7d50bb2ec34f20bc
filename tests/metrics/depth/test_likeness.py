from __future__ import annotations

from itertools import permutations

import pytest
import torch

from tests.metrics.depth.constructed import Patches, patches_data, rescaled
from zspag_core.metrics.depth.likeness import cka
from zspag_core.metrics.depth.stages import stages_of


def drawn(count, width, seed=0):
    return torch.randn(count, width, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def literal_hsic(one, two):
    """The U-statistic by its definition: a mean over all ordered quadruples of different images."""
    total, number = 0.0, 0
    for i, j, q, r in permutations(range(len(one)), 4):
        total += one[i, j] * (two[i, j] + two[q, r] - 2 * two[i, q])
        number += 1
    return total / number


@pytest.mark.slow
def test_cka_is_the_definition_written_out():
    one = drawn(9, 3)
    two = one[:, :2] @ drawn(2, 2, 1) + 0.5 * drawn(9, 2, 2)
    kernels = []
    for features in (one, two):
        scaled = (features - features.mean(0)) / features.std(0, correction=0)
        kernels.append((scaled @ scaled.T).tolist())
    one_kernel, two_kernel = (torch.tensor(kernel) for kernel in kernels)
    expected = literal_hsic(one_kernel, two_kernel) / (
        literal_hsic(one_kernel, one_kernel) * literal_hsic(two_kernel, two_kernel)
    ) ** 0.5  # fmt: skip
    assert cka(one, two) == pytest.approx(float(expected), rel=1e-6)


def test_the_same_features_are_alike_whatever_their_scale_and_order():
    features = drawn(60, 5)
    scale = torch.tensor([1e-6, 1.0, 50.0, 3.0, 1e5], dtype=torch.float64)
    assert cka(features, features) == pytest.approx(1.0)
    assert cka(features, (features * scale - 4).flip(1)) == pytest.approx(1.0)


def test_independent_features_are_not_alike_however_many_their_dimensions():
    """The biased estimate would call them alike: 40 images of 400 dimensions."""
    assert abs(cka(drawn(40, 400), drawn(40, 400, 1))) < 0.1


def test_rescaled_weights_leave_a_network_alike_to_itself():
    images = patches_data(each=10).test.images
    plain, scaled = (stages_of(model, images) for model in (Patches(), rescaled(Patches())))
    for one, two in zip(plain.features, scaled.features, strict=True):
        assert cka(one, two) == pytest.approx(1.0, abs=1e-6)


def test_constant_features_and_few_images_say_nothing():
    assert cka(torch.ones(20, 2, dtype=torch.float64), drawn(20, 2)) is None
    assert cka(drawn(7, 2), drawn(7, 2)) is None


def test_different_images_are_refused():
    with pytest.raises(ValueError, match="shapes"):
        cka(drawn(10, 2), drawn(9, 2))
