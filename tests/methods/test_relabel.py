from __future__ import annotations

import pytest
import torch

from zspag_core.data import to_pixels
from zspag_core.data.backdoor import plant
from zspag_core.layers import weight_layers
from zspag_core.methods.relabel import Posterior, RandomLabels
from zspag_core.runs.context import RunContext


def test_posterior_labels_are_the_models_own(digits_model, small_digits, generator):
    forget = small_digits.train.of_classes((3,))[torch.arange(40)]
    found = Posterior(epochs=1).unlearn(digits_model, forget, (3,), RunContext(generator))
    with torch.no_grad():
        p = digits_model(to_pixels(forget.images)).softmax(1)
    p[:, 3] = 0
    torch.testing.assert_close(found.labels.labels, p / p.sum(1, keepdim=True), atol=1e-5, rtol=1e-4)
    assert found.labels.mode == "posterior"
    assert found.subspace is None
    assert found.proxies is None


def test_random_labels_come_from_the_generator(digits_model, small_digits):
    forget = small_digits.train.of_classes((3, 4))[torch.arange(60)]

    def labels(seed):
        run = RandomLabels(epochs=1).unlearn(
            digits_model, forget, (3, 4), RunContext(torch.Generator().manual_seed(seed))
        )
        return run.labels.labels

    drawn = labels(0).argmax(1)
    assert not {3, 4} & set(drawn.tolist())
    assert len(set(drawn.tolist())) > 4
    assert torch.equal(labels(0), labels(0))
    assert not torch.equal(labels(0), labels(1))


def test_the_same_parameters_move_as_in_the_projected_method(digits_model, small_digits, generator):
    forget = small_digits.train.of_classes((3,))
    found = Posterior(epochs=1).unlearn(digits_model, forget, (3,), RunContext(generator))
    after = found.model.state_dict()
    changed = {name for name, value in digits_model.state_dict().items() if not torch.equal(after[name], value)}
    assert changed == {f"{name}.weight" for name in weight_layers(digits_model)}


@pytest.mark.parametrize("method", [Posterior(epochs=1), RandomLabels(epochs=1)], ids=["posterior", "random"])
def test_no_sample_is_taught_what_it_was_trained_as(digits_model, small_digits, generator, method):
    forget = plant(small_digits.train.of_classes((1,)), 1, 8, 0)
    labels = method.unlearn(digits_model, forget, (1,), RunContext(generator)).labels.labels
    planted = forget.labels == 8
    assert float(labels[:, 1].max()) == float(labels[planted, 8].max()) == 0.0
    assert float(labels[~planted, 8].max()) > 0.0
