from __future__ import annotations

import pytest
import torch

from zspag_core.checkpoints.configs import blueprint
from zspag_core.checkpoints.weights import restore
from zspag_core.errors import CheckpointError


@pytest.fixture
def plan(resnet):
    return blueprint(resnet.config, 1e6)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_other_precisions_become_float32(dtype, resnet, plan):
    weights = {
        name: value.to(dtype) if value.is_floating_point() else value for name, value in resnet.state_dict().items()
    }
    model = restore(plan, weights)
    assert {parameter.dtype for parameter in model.parameters()} == {torch.float32}
    assert torch.equal(model.head.weight, resnet.head.weight.to(dtype).float())
    assert torch.isfinite(model(torch.rand(1, 1, 16, 16))).all()


def test_restoring_shares_nothing_with_the_file_and_draws_no_random_number(resnet, plan):
    weights = resnet.state_dict()
    before = torch.get_rng_state()
    model = restore(plan, weights)
    assert torch.equal(torch.get_rng_state(), before)
    weights["head.weight"].fill_(7.0)
    assert not (model.head.weight == 7.0).any()


@pytest.mark.parametrize(
    ("name", "change", "message"),
    [
        ("head.weight", lambda w: w[:, :5], r"'head.weight': expected shape \(3, 8\), got \(3, 5\)"),
        ("head.weight", lambda w: w.to(torch.int64), "'head.weight': expected .*float32.*, got int64"),
        ("head.weight", lambda w: w.to(torch.int8), "got int8; quantised weights are not read: give those from before"),
        ("head.weight", lambda w: w.to(torch.complex64), "'head.weight': expected .*, got complex64"),
        ("stem.1.num_batches_tracked", lambda w: w.float(), "num_batches_tracked': expected int32, int64, got float32"),
        ("stem.1.num_batches_tracked", lambda w: w.bool(), "expected int32, int64, got bool"),
        ("head.bias", lambda w: w / 0 * 0, "'head.bias': 3 of 3 values are NaN or infinite"),
        ("head.bias", lambda w: w.double() + 1e300, "'head.bias': 3 of 3 values are NaN or infinite"),
        ("stem.1.running_var", lambda w: w - 2, "'stem.1.running_var': expected variances of at least 0, got -1"),
    ],
)
def test_a_tensor_that_does_not_fit_is_named(name, change, message, resnet, plan):
    weights = resnet.state_dict()
    weights[name] = change(weights[name])
    with pytest.raises(CheckpointError, match=message):
        restore(plan, weights)


def test_missing_and_surplus_tensors_are_named(resnet, plan):
    weights = resnet.state_dict()
    del weights["head.bias"]
    with pytest.raises(CheckpointError, match=r"lacks tensor 'head\.bias'$"):
        restore(plan, weights)
    with pytest.raises(CheckpointError, match=r"lacks tensor 'head\.bias' and 1 more"):
        restore(plan, {name: value for name, value in weights.items() if name != "head.weight"})
    with pytest.raises(CheckpointError, match="holds tensor 'extra', which the architecture does not have"):
        restore(plan, resnet.state_dict() | {"extra": torch.ones(1)})
