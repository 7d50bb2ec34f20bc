from __future__ import annotations

import pytest
import torch

from zspag_core.metrics.depth.neighbourhood import class_attack


def drawn(seed, count=400):
    return torch.randn(count, 5, generator=torch.Generator().manual_seed(seed))


def test_models_that_answer_alike_are_not_told_apart():
    assert class_attack(drawn(0), drawn(1), [2], seed=0) == pytest.approx(50, abs=8)
    assert class_attack(drawn(0), drawn(0), [2], seed=0) == pytest.approx(50, abs=8)


def test_a_preference_for_a_neighbour_gives_a_model_away():
    other = drawn(1)
    other[:, 4] += 6
    assert class_attack(drawn(0), other, [2], seed=0) > 95


def test_what_stands_at_the_forgotten_class_counts_for_nothing():
    one, two = drawn(0), drawn(1)
    plain = class_attack(one, two, [2], seed=0)
    one[:, 2] = -torch.inf
    two[:, 2] = 50
    assert class_attack(one, two, [2], seed=0) == plain


def test_the_figure_for_one_remaining_direction_is_the_area_by_pairs():
    """With two remaining classes all is in one number; an attack that ranks by it has its area under the curve."""
    one, two = drawn(0)[:, :3], drawn(1)[:, :3]
    two[:, 1] += 1.0
    pairs = (two[:, 1] - two[:, 0])[:, None] - (one[:, 1] - one[:, 0])
    area = 100 * float((pairs > 0).double().mean())
    assert class_attack(one, two, [2], seed=0) == pytest.approx(area, abs=4)


def test_few_images_or_one_remaining_class_say_nothing():
    assert class_attack(drawn(0, 19), drawn(1, 19), [2], seed=0) is None
    assert class_attack(drawn(0), drawn(1), [0, 1, 2, 3], seed=0) is None


def test_answers_to_other_images_are_refused():
    with pytest.raises(ValueError, match="same images"):
        class_attack(drawn(0), drawn(1, 300), [2], seed=0)
