from __future__ import annotations

import pytest
import torch

from zspag_core.data import to_pixels
from zspag_core.metrics.estimates import estimate
from zspag_core.metrics.membership import same_class
from zspag_core.metrics.predictions import LabelledLogits, logits_of
from zspag_core.proxies import ProxySet


@pytest.fixture
def parts(trained):
    forget = trained.dataset.train.of_classes((3,))
    places = torch.arange(len(forget))
    return forget[places < 100], forget[places >= 100]


def read(model, images):
    with torch.inference_mode():
        return model(to_pixels(images)).argmax(1)


def test_figures_are_those_counted_by_hand(trained, parts):
    seen, unseen = parts
    others = trained.dataset.test.without_classes((3,))
    labels = others.labels.clone()
    labels[:7] = (labels[:7] + 1) % 10
    proxies = ProxySet(to_pixels(others.images), labels, torch.zeros(len(labels)), torch.ones(len(labels)), 1, 1)
    model = trained.original
    found = estimate(model, seen, unseen, proxies, 0)
    assert found["forget_accuracy"] == pytest.approx(100 * float((read(model, seen.images) == 3).double().mean()))
    assert found["held_out_accuracy"] == pytest.approx(100 * float((read(model, unseen.images) == 3).double().mean()))
    agree = 100 * float((read(model, others.images) == labels).double().mean())
    assert found["proxy_agreement"] == pytest.approx(agree)
    attack = same_class(*(LabelledLogits(logits_of(model, part.images), part.labels) for part in parts), seed=0)
    assert found["same_class"] == {
        "accuracy": attack.accuracy,
        "auc": attack.auc,
        "auc_ci": list(attack.auc_ci),
    }


def test_what_there_are_no_images_for_is_none(trained, parts):
    seen, _ = parts
    found = estimate(trained.original, seen, seen[torch.zeros(0, dtype=torch.int64)], None, 0)
    assert found["forget_accuracy"] > 90
    assert found["held_out_accuracy"] is found["proxy_agreement"] is found["same_class"] is None
