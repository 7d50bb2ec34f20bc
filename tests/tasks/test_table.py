from __future__ import annotations

import base64
import importlib
import inspect
import io

import pytest

from tests.asking import job_for
from zspag_core.errors import UsageError
from zspag_core.jobs import Lane
from zspag_core.progress import SILENT
from zspag_core.tasks.describe import describe_checkpoint, describe_engine
from zspag_core.tasks.table import TASKS, find_task
from zspag_core.tasks.train import trained_file


def test_unknown_task_is_refused():
    with pytest.raises(UsageError, match="juggle"):
        find_task("juggle")


def test_engine_describes_every_method_with_its_form():
    from zspag_core.methods import METHODS

    answer = find_task("engine")(job_for({}, kind="engine"), SILENT)
    assert [method["name"] for method in answer["methods"]] == [method.name for method in METHODS]
    zspag = answer["methods"][0]
    assert {"epsilon", "n_adv", "attack", "epochs"} <= set(zspag["basic"])
    assert {about["name"] for about in zspag["parameters"]} >= set(zspag["basic"])
    assert answer["devices"][:2] == ["auto", "cpu"]
    assert answer == describe_engine()


def test_engine_says_what_training_suits_which_model():
    from zspag_core.models import MODELS
    from zspag_core.recipes import Recipe

    training = describe_engine()["training"]
    assert {about["name"] for about in training["parameters"]} == set(Recipe.__dataclass_fields__)
    assert set(training["suited"]) == set(MODELS)
    assert training["suited"]["vit_small"][""]["optimizer"] == "adamw"
    assert not training["suited"]["resnet_tiny"]["digits"]["flip"]
    assert training["suited"]["resnet_tiny"][""]["flip"]


@pytest.fixture
def checkpoint(tmp_path):
    """A small untrained model of the digits."""
    from zspag_core.checkpoints import save_checkpoint
    from zspag_core.models import build, named_config

    path = tmp_path / "small.safetensors"
    names = [str(label) for label in range(10)]
    model = build(named_config("resnet_tiny", num_classes=10, image_size=16))
    save_checkpoint(path, model, {"data": "digits", "class_names": names, "test_accuracy": 12.5})
    return path


def test_checkpoint_is_described_with_a_picture_of_every_class(checkpoint):
    from PIL import Image

    about = describe_checkpoint(job_for({"checkpoint": str(checkpoint)}))
    assert (about["data"], about["image_size"], about["test_accuracy"]) == ("digits", 16, 12.5)
    assert about["parameters"] > 1000
    assert [described["name"] for described in about["classes"]] == [str(label) for label in range(10)]
    assert sum(described["train"] + described["test"] for described in about["classes"]) == 1797
    for described in about["classes"]:
        head, _, body = described["picture"].partition(",")
        assert head == "data:image/png;base64"
        assert Image.open(io.BytesIO(base64.b64decode(body))).size == (16, 16)


def test_unlearn_hands_the_run_to_the_engine_in_a_fresh_folder(store, monkeypatch):
    given, ended = [], {"after": None}

    def execute(config, out, report, state, **_held):
        given.append((config, out, report, state))
        return ended

    monkeypatch.setattr("zspag_core.tasks.unlearn.execute", execute)
    config = {"data": "digits", "checkpoint": "f", "forget": [3], "seed": 4, "class_names": ["three"]}
    job = store.submit("unlearn", config, lane=Lane.RUNS)
    job.folder.mkdir(parents=True)
    (job.folder / "old.txt").write_text("of an earlier attempt")
    assert find_task("unlearn")(job, SILENT) is ended
    (config, out, report, state) = given[0]
    assert state == job.folder.with_name(f".{job.id}.state")
    assert (config.forget, config.seed, config.method, out) == ((3,), 4, "zspag", job.folder)
    assert report is SILENT
    assert not job.folder.exists()


@pytest.mark.parametrize("trouble", [None, UsageError("map: expected at least 3 test images, got 2")])
def test_graded_run_gets_its_quick_map_at_once(store, monkeypatch, trouble):
    drawn = []

    def draw(job):
        drawn.append((job.config, job.device))
        if trouble is not None:
            raise trouble

    monkeypatch.setattr("zspag_core.tasks.unlearn.execute", lambda *_, **_rest: {"after": {"acc_rt": 1.0}})
    monkeypatch.setattr("zspag_core.tasks.unlearn.draw_map", draw)
    job = store.submit("unlearn", {"data": "digits", "checkpoint": "f", "forget": [3]}, device="cpu")
    assert find_task("unlearn")(job, SILENT) == {"after": {"acc_rt": 1.0}}
    assert drawn == [({"run": job.id, "kind": "pca"}, "cpu")]


def test_train_writes_a_checkpoint_under_its_name(store, home):
    from zspag_core.checkpoints import load_checkpoint

    settings = {"train_limit": 100, "batch_size": 50}
    config = {"data": "digits", "model": "resnet_tiny", "epochs": 1, "settings": settings, "exclude": [3], "seed": 4,
              "name": "mine-1", "image_size": 8, "backdoor": [1, 8]}  # fmt: skip
    answer = find_task("train")(store.submit("train", config), SILENT)
    assert answer["checkpoint"] == str(home / "checkpoints" / "mine-1.safetensors")
    about = load_checkpoint(answer["checkpoint"]).about
    assert (about["excluded"], about["recipe"]["seed"], about["recipe"]["epochs"]) == ([3], 4, 1)
    assert about["recipe"]["train_limit"] == 100
    assert about["backdoor"] == "1:8"


@pytest.mark.parametrize("name", ["", "../up", "a/b", "a.b", ".hidden", "x" * 61, "a\nb", "é"])
def test_names_that_could_leave_the_folder_are_refused(name):
    with pytest.raises(UsageError, match="name: expected"):
        trained_file(name)


@pytest.mark.slow
def test_a_cancelled_training_can_be_resumed_by_the_same_job(store, home):
    import threading

    from zspag_core.jobs import State
    from zspag_core.jobs.performance import perform

    config = {"data": "digits", "model": "resnet_tiny", "epochs": 3, "name": "mine", "image_size": 8,
              "settings": {"train_limit": 100}}  # fmt: skip
    job = store.submit("train", config)
    store.heartbeats.beat("w", "worker", (Lane.RUNS,), "cpu")

    def cancelling(kind):
        def task(job, report):
            tell = report.epoch
            report.epoch = lambda *given, **figures: (tell(*given, **figures), store.cancel(job.id))
            return find_task(kind)(job, report)

        return task

    perform(store, store.claim(Lane.RUNS, "w", "cpu"), threading.Event(), cancelling)
    assert store.require(job.id).state == State.CANCELLED
    assert (home / "checkpoints" / "mine.safetensors").exists()
    assert store.resume(job.id)
    perform(store, store.claim(Lane.RUNS, "w", "cpu"), threading.Event())
    assert store.require(job.id).state == State.DONE
    epochs = [event.body for event in store.events(job.id) if event.kind == "epoch"]
    assert [body["epoch"] for body in epochs] == [1, 2, 3], "those before the cancel are told again"
    assert {"loss", "train_accuracy", "test_accuracy"} <= set(epochs[0])


@pytest.mark.parametrize("kind", TASKS)
def test_every_task_is_there_and_takes_a_job_and_a_reporter(kind):
    module, name = TASKS[kind].split(".")
    task = getattr(importlib.import_module(f"zspag_core.tasks.{module}"), name)
    assert [parameter.lstrip("_") for parameter in inspect.signature(task).parameters] == ["job", "report"]
