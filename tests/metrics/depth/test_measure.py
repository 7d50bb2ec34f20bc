from __future__ import annotations

import json

import pytest
import torch

from tests.metrics.depth.constructed import FORGOTTEN, Patches, masked, patches_data
from zspag_core.errors import UnlearningError
from zspag_core.metrics.catalogue import BY_STAGE
from zspag_core.metrics.depth.measure import look, measure_graded, measure_quickly
from zspag_core.metrics.depth.sample import QUICK, draw
from zspag_core.metrics.depth.stages import StageFeatures
from zspag_core.metrics.grade import grade


@pytest.fixture(scope="module")
def data():
    return patches_data(each=40)


def models(unlearned):
    return {"original": Patches(), "unlearned": unlearned, "retrained": Patches(1)}


@pytest.mark.slow
def test_a_masked_head_leaves_everything_and_says_so(data):
    found = measure_quickly(models(masked(Patches())), data, [FORGOTTEN], seed=0)
    assert found["left"] == {"probe": 100.0, "knn": 100.0, "bits": 100.0}
    assert found["worst"]["share"] == 100.0
    assert found["models"]["unlearned"] == found["models"]["original"]
    assert found["cka"]["original_unlearned"]["forget"] == pytest.approx([1.0] * 3)


@pytest.mark.slow
def test_a_network_that_is_blind_from_the_last_stage_on_is_caught_one_stage_before(data):
    found = measure_quickly(models(Patches(3)), data, [FORGOTTEN], seed=0)
    probe = found["models"]["unlearned"]["probe"]
    assert probe[:2] == [100.0, 100.0]
    assert probe[2] < 20
    assert 50 < found["left"]["probe"] < 80
    assert found["worst"]["share"] == 100.0
    assert found["worst"]["stage"] in {"stage 1", "stage 2"}


@pytest.mark.slow
def test_what_is_blind_from_the_start_has_nothing_left(data):
    found = measure_quickly(models(Patches(1)), data, [FORGOTTEN], seed=0)
    assert found["left"] == {"probe": 0.0, "knn": 0.0, "bits": 0.0}
    assert found["worst"]["share"] == 0.0


def test_the_record_is_plain_and_has_a_figure_a_stage(data):
    found = measure_quickly({"original": Patches(), "unlearned": Patches(2)}, data, [FORGOTTEN], seed=0)
    assert json.loads(json.dumps(found)) == found
    assert found["stages"] == ["stage 1", "stage 2", "stage 3"]
    assert found["left"] is None
    assert found["precision"] == "float32"
    assert list(found["cka"]) == ["original_unlearned"]
    for measure in BY_STAGE[:3]:
        assert all(len(found["models"][role][measure.path[0]]) == 3 for role in ("original", "unlearned"))
    assert found["images"] == {"forget_train": 40, "rest_train": 120, "forget_test": 40, "rest_test": 120}


@pytest.mark.slow
def test_a_measure_without_two_ends_has_no_share(data):
    same = {"original": Patches(), "unlearned": Patches(), "retrained": Patches()}
    found = measure_quickly(same, data, [FORGOTTEN], seed=0)
    assert found["left"] == {"probe": None, "knn": None, "bits": None}
    assert found["worst"] is None


def test_networks_with_other_stages_are_refused(data, small_vit):
    sample = draw(data, [FORGOTTEN], QUICK, 0)
    with pytest.raises(UnlearningError, match="expected networks with the same stages, got block 1"):
        look({"original": Patches(), "unlearned": small_vit}, sample, torch.float32)


def test_models_that_were_graded_are_not_looked_at_again(data, monkeypatch):
    roles = {"original": Patches(), "unlearned": masked(Patches(2))}
    graded = {role: grade(model, data, [FORGOTTEN], seed=3, stages=True).stages for role, model in roles.items()}
    quick = measure_quickly(roles, data, [FORGOTTEN], seed=3)
    monkeypatch.setattr("zspag_core.metrics.depth.measure.stages_of", None)
    found = measure_graded(graded, data, [FORGOTTEN], seed=3)
    assert quick.keys() - found.keys() == {"seconds"}
    assert found["images"] == quick["images"]
    assert found["models"]["unlearned"]["probe"] == quick["models"]["unlearned"]["probe"]
    assert found["models"]["unlearned"]["bits"] == pytest.approx(quick["models"]["unlearned"]["bits"], abs=1e-3)
    with pytest.raises(UnlearningError, match="expected networks with the same stages"):
        measure_graded(graded | {"unlearned": StageFeatures(("other",), ())}, data, [FORGOTTEN], seed=3)
