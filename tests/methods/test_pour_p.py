from __future__ import annotations

import copy

import pytest
import torch

from zspag_core.data import Split, to_pixels
from zspag_core.errors import UsageError
from zspag_core.hyperparameters import configure
from zspag_core.methods.pour_p import PourP, projected
from zspag_core.runs.context import RunContext


def simplex(classes):
    """The corners of a regular simplex around 0, of length 1, as rows."""
    corners = torch.eye(classes, dtype=torch.float64) - 1 / classes
    return corners / corners.norm(dim=1, keepdim=True)


def test_a_simplex_stays_one_without_its_corner(digits_model):
    """Worked by hand: cosines between n corners are -1/(n - 1); one less when seen along one of them."""
    model = copy.deepcopy(digits_model)
    corners = simplex(10)
    assert float(corners[0] @ corners[1]) == pytest.approx(-1 / 9)
    with torch.no_grad():
        model.head.weight.zero_()
        model.head.weight[:, :10] = corners
    rows = PourP().unlearn(model, None, (3,), RunContext(torch.Generator())).model.head.weight.detach().double()
    kept = rows[torch.arange(10) != 3]
    assert float(rows[3].norm()) < 1e-6
    cosines = torch.nn.functional.cosine_similarity(kept[:, None], kept[None], dim=2)
    assert torch.allclose(
        cosines[~torch.eye(9, dtype=torch.bool)], torch.tensor(-1 / 8, dtype=torch.float64), atol=1e-5
    )


def test_outputs_are_those_of_projected_features(digits_model, forget):
    features, _ = digits_model.both(to_pixels(forget.images))
    v = features.detach().mean(0)
    v = v / v.norm()
    found = PourP(direction="features").unlearn(digits_model, forget, (3,), RunContext(torch.Generator())).model
    expected = digits_model.head(features - (features @ v)[:, None] * v)
    torch.testing.assert_close(found(to_pixels(forget.images)), expected, atol=1e-4, rtol=1e-4)


def test_directions_that_coincide_are_one(digits_model):
    v = torch.randn(1, 16, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    one, two = (projected(digits_model, d).head.weight for d in (v, torch.cat([v, 2 * v])))
    torch.testing.assert_close(one, two, atol=1e-6, rtol=1e-5)
    torch.testing.assert_close(one @ v[0].float(), torch.zeros(10), atol=1e-5, rtol=0)


def test_a_class_without_images_has_no_mean(digits_model, small_digits):
    forget = small_digits.train.of_classes((3,))
    one, two = (
        PourP(direction="features")
        .unlearn(digits_model, forget, classes, RunContext(torch.Generator()))
        .model.head.weight
        for classes in ((3,), (3, 5))
    )
    assert torch.equal(one, two)


def test_other_directions_are_refused():
    with pytest.raises(UsageError, match="direction: expected one of weights, features, got 'means'"):
        configure(PourP, {"direction": "means"})


def test_only_the_last_layer_changes(digits_model, forget):
    empty = Split(forget.images[:0], forget.labels[:0])
    found = PourP().unlearn(digits_model, empty, (3,), RunContext(torch.Generator()))
    changed = [k for k, v in digits_model.state_dict().items() if not torch.equal(found.model.state_dict()[k], v)]
    assert changed == ["head.weight"]
    assert (found.stopped, found.history) == ("epochs", [])
