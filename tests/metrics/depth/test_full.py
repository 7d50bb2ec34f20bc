from __future__ import annotations

from functools import partial

import pytest
import torch

from tests.metrics.depth.constructed import FORGOTTEN, Patches, drowned, patches_data
from zspag_core.metrics.catalogue import BY_STAGE
from zspag_core.metrics.depth import full
from zspag_core.metrics.depth.full import measure_all
from zspag_core.metrics.depth.kept import relearn_with_rest
from zspag_core.metrics.depth.references import References
from zspag_core.metrics.depth.u_lira import reach, u_lira
from zspag_core.metrics.predictions import logits_of


@pytest.fixture(autouse=True)
def few_steps(monkeypatch):
    monkeypatch.setattr("zspag_core.metrics.depth.information.STEPS", 60)
    monkeypatch.setattr(full, "relearn_with_rest", partial(relearn_with_rest, max_steps=4))


@pytest.fixture(scope="module")
def data():
    return patches_data(each=40)


@pytest.mark.slow
def test_everything_is_measured_and_what_is_drowned_is_found(data):
    models = {"original": Patches(), "unlearned": drowned(Patches()), "retrained": Patches(1)}
    found = measure_all(models, data, [FORGOTTEN], seed=0)
    assert found["precision"] == "float64"
    assert found["idi"] == pytest.approx(1.0, abs=0.1)
    assert all(measure.path[0] in found["models"]["unlearned"] for measure in BY_STAGE)
    assert found["left"]["information"] == pytest.approx(100.0, abs=10)
    original, unlearned, retrained = (found["models"][role] for role in ("original", "unlearned", "retrained"))
    assert original["class_attack"] == pytest.approx(50, abs=15), "without the patch, Retrain answers as the original"
    assert unlearned["class_attack"] > 90, "what is rounded away in float32 is missed in the answers"
    assert retrained["class_attack"] is original["over_unlearning"] is None
    assert unlearned["rates"] == original["rates"] == {"0.1": None, "1": None}  # of 40 strangers nobody may be accused
    assert unlearned["kept"]["steps"] == 4
    assert found["references"] is unlearned["u_lira"] is original["u_lira"] is None


def test_without_retrain_there_is_no_idi(data):
    found = measure_all({"original": Patches(), "unlearned": Patches(3)}, data, [FORGOTTEN], seed=0)
    assert found["idi"] is None


def test_references_are_asked_about_the_very_images(data):
    """Their order in the data set is another than that in which the measures look at images."""
    model, parts, generator = Patches(), (data.train, data.test), torch.Generator().manual_seed(0)
    labels = torch.cat([part.labels for part in parts])
    included = torch.rand(6, len(labels), generator=generator).argsort(dim=0) < 3
    logits = torch.cat([logits_of(model, part.images) for part in parts])
    references = References(logits + torch.randn(6, *logits.shape, generator=generator), included, {"data": "patches"})
    found = measure_all({"original": model}, data, [FORGOTTEN], seed=0, references=references)
    gone = (labels == FORGOTTEN).nonzero().flatten()
    expected = u_lira(logits[gone], gone < len(data.train), references.of(gone), [FORGOTTEN], seed=0)
    assert found["models"]["original"]["u_lira"]["auc"] == pytest.approx(expected.auc)
    assert found["references"]["count"] == 6
    assert found["references"]["reach"] == pytest.approx(reach(references.of(gone), [FORGOTTEN]))
