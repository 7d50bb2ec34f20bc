from __future__ import annotations

import pytest

from tests.metrics.depth.constructed import FORGOTTEN, Patches, drowned, patches_data
from zspag_core.metrics.catalogue import BY_STAGE
from zspag_core.metrics.depth.full import measure_all


@pytest.fixture(autouse=True)
def few_steps(monkeypatch):
    monkeypatch.setattr("zspag_core.metrics.depth.information.STEPS", 60)


@pytest.fixture(scope="module")
def data():
    return patches_data(each=40)


def test_everything_is_measured_and_what_is_drowned_is_found(data):
    models = {"original": Patches(), "unlearned": drowned(Patches()), "retrained": Patches(1)}
    found = measure_all(models, data, [FORGOTTEN], seed=0)
    assert found["precision"] == "float64"
    assert found["idi"] == pytest.approx(1.0, abs=0.1)
    assert all(measure.path[0] in found["models"]["unlearned"] for measure in BY_STAGE)
    assert found["left"]["information"] == pytest.approx(100.0, abs=10)


def test_without_retrain_there_is_no_idi(data):
    found = measure_all({"original": Patches(), "unlearned": Patches(3)}, data, [FORGOTTEN], seed=0)
    assert found["idi"] is None
