from __future__ import annotations

from functools import partial

import pytest

from tests.metrics.depth.constructed import FORGOTTEN, Patches, drowned, patches_data
from zspag_core.metrics.catalogue import BY_STAGE
from zspag_core.metrics.depth import full
from zspag_core.metrics.depth.full import measure_all
from zspag_core.metrics.depth.kept import relearn_with_rest


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


def test_without_retrain_there_is_no_idi(data):
    found = measure_all({"original": Patches(), "unlearned": Patches(3)}, data, [FORGOTTEN], seed=0)
    assert found["idi"] is None
