from __future__ import annotations

import pytest

from ui.results.reference import find_reference, order_reference
from ui.shell.checkpoints import recipe_of, shipped_checkpoints
from zspag_core.jobs import Lane, State
from zspag_core.shipped import DEMO_MODEL, LESSON_MODEL

CONFIG = {"data": "digits", "checkpoint": "/a/m.safetensors", "forget": [3, 5], "method": "zspag", "seed": 1}


@pytest.fixture
def finish(store):
    def finish(config, state=State.DONE, answer=None):
        store.submit("unlearn", config)
        store.heartbeats.beat("w", "worker", (Lane.RUNS,), "cpu")
        job = store.claim(Lane.RUNS, "w", "cpu")
        store.finish(job, state, answer=answer)
        return store.require(job.id)

    return finish


def test_only_retraining_of_the_same_model_data_and_classes_counts(finish, store, make_record):
    run = finish(CONFIG, answer=make_record())
    answer = make_record(method="retrain")
    retrain = CONFIG | {"method": "retrain"}
    same = finish(retrain | {"forget": [5, 3], "seed": 9}, answer=answer)
    finish(retrain | {"forget": [3]}, answer=answer)
    finish(retrain | {"data": "cifar10"}, answer=answer)
    finish(retrain | {"checkpoint": "/b.safetensors"}, answer=answer)
    finish(retrain, State.FAILED)
    finish(CONFIG, answer=answer)
    found = find_reference(run)
    assert [job.id for job in found.jobs] == [same.id]
    assert found.coming is None
    assert found.source == f"run {same.number}"
    assert found.band(("acc_rt",)) == (98.4, 98.4)
    assert found.band(("mia", "confidence_svc")) is None


def test_reference_under_way_is_known(finish, store, make_record):
    run = finish(CONFIG, answer=make_record())
    order_reference(CONFIG | {"class_names": ["3", "5"]})
    found = find_reference(run)
    assert not found.jobs
    assert found.coming.config["method"] == "retrain"
    assert (found.coming.config["seed"], found.coming.config["class_names"]) == (1, ["3", "5"])


@pytest.mark.parametrize(("model", "most"), [(DEMO_MODEL, 30), (LESSON_MODEL, 20)])
def test_models_that_ship_stand_in_where_nothing_was_retrained_here(finish, make_record, model, most):
    config = CONFIG | {"checkpoint": str(model), "forget": [3]}
    run = finish(config, answer=make_record())
    found = find_reference(run)
    assert (found.known, found.jobs) == (True, ())
    assert found.source == "3 models that ship with the app, seeds 0 to 2"
    low, high = found.band(("mia", "entropy_svc"))
    assert 0 <= low < high < most
    assert all(found.band(path) for path in (("acc_rt",), ("probe",), ("relearning", "steps")))
    own = finish(config | {"method": "retrain"}, answer=make_record(method="retrain"))
    assert [job.id for job in find_reference(run).jobs] == [own.id]
    assert find_reference(run).band(("acc_rt",)) == (98.4, 98.4), "a visitor's own runs go first"
    assert not find_reference(finish(config | {"forget": [5]}, answer=make_record())).known


def test_reference_is_trained_by_the_models_own_recipe(store):
    path = shipped_checkpoints()[0]
    recipe = recipe_of(str(path))
    assert (recipe["flip"], recipe["epochs"]) == (False, 30), "digits must not be mirrored"
    assert "seed" not in recipe
    assert recipe_of("/nowhere.safetensors") == {}


def test_recipe_fits_the_method():
    from zspag_core.hyperparameters import configure
    from zspag_core.methods.retrain import Retrain

    for path in shipped_checkpoints():
        assert configure(Retrain, recipe_of(str(path))).epochs > 1
