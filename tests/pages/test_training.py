"""The Model page while it trains."""

from __future__ import annotations

import json

import pytest

from tests.pages.test_model import ABOUT, texts
from ui.shell.jobs import engine_question
from ui.shell.selection import inspect_question
from zspag_core.jobs import Lane, State
from zspag_core.visitors.belongings import trained

CONFIG = {
    "data": "digits",
    "model": "resnet_tiny",
    "epochs": 4,
    "exclude": [],
    "seed": 0,
    "name": "mine",
    "settings": {},
}
EPOCH = {"loss": 1.2, "train_accuracy": 60.0, "test_accuracy": 70.0, "total": 4}


@pytest.fixture
def open_page(overview):
    """Return a function that opens the Model page, with a training or without."""

    def open_page(job=None):
        if job is not None:
            overview.query_params["training"] = job.id
        overview.run()
        page = overview.switch_page("pages/1_Model.py").run()
        if job is None:
            page.segmented_control(key="source").set_value("Train").run()
        assert not page.exception
        return page

    return open_page


@pytest.fixture
def ready(finish):
    """Let the worker have described the engine and the digits."""
    from zspag_core.tasks.describe import describe_engine

    finish("engine", engine_question(), lane=Lane.INTERACTIVE, answer=describe_engine())
    finish("inspect_data", inspect_question("digits"), lane=Lane.INTERACTIVE, answer=ABOUT)


@pytest.fixture
def running(store):
    store.submit("train", CONFIG)
    store.heartbeats.beat("w", "worker", (Lane.RUNS,), "cpu")
    return store.claim(Lane.RUNS, "w", "cpu")


def leave_file():
    trained().mkdir(parents=True, exist_ok=True)
    (trained() / "mine.safetensors").write_bytes(b"x")


def test_empty_page_says_what_to_do(open_page, ready):
    page = open_page()
    assert "Nothing is being trained" in texts(page)
    assert not page.button(key="train").disabled


def test_engine_that_starts_is_waited_for_and_one_that_fails_is_said(open_page, finish, store):
    finish("inspect_data", inspect_question("digits"), lane=Lane.INTERACTIVE, answer=ABOUT)
    page = open_page()
    assert page.get("progress")[0].proto.text.startswith("Starting the engine")
    while (job := store.claim(Lane.INTERACTIVE, "worker", "cpu")) is not None:
        store.finish(job, State.FAILED, error="unexpected: ImportError: torch")
    page.run()
    assert "The engine does not start. unexpected: ImportError: torch" in texts(page)


@pytest.mark.slow
def test_form_queues_a_training_that_the_engine_takes(open_page, ready, store, tmp_path):
    from zspag_core.recipes import recipe_for

    page = open_page()
    page.number_input(key="train-epochs").set_value(3)
    page.multiselect(key="train-exclude-digits").set_value([3, 5])
    page.run()
    page.button(key="train").click().run()
    assert not page.exception
    (job,) = store.latest(kind="train")
    config = job.config
    assert (config["data"], config["model"], config["epochs"], config["exclude"]) == (
        "digits",
        "resnet_tiny",
        3,
        [3, 5],
    )
    assert config["name"] == "digits_resnet_tiny"
    assert recipe_for("digits", "resnet_tiny", config["settings"]) == recipe_for("digits", "resnet_tiny", {})
    assert "Queued" in texts(page)
    assert job.id in str(page.query_params["training"])
    assert not page.button(key="train").disabled, "the form offers the next name"


@pytest.mark.slow
@pytest.mark.parametrize("model", ["resnet_small", "vit_small"])
def test_settings_begin_with_what_suits_the_network(open_page, ready, model):
    page = open_page()
    page.selectbox(key="train-model").select(model).run()
    optimizer = page.selectbox(key=f"recipe-{model}-digits-optimizer").value
    assert optimizer == ("adamw" if model.startswith("vit") else "sgd")
    assert page.toggle(key=f"recipe-{model}-digits-flip").value is False


@pytest.mark.slow
@pytest.mark.parametrize("name", ["../up", "a b", "", "mine"])
def test_bad_or_taken_names_are_refused(open_page, ready, running, name):
    page = open_page()
    (box,) = [box for box in page.text_input if box.label == "Name"]
    box.set_value(name).run()
    assert "name" in texts(page).lower()
    assert page.button(key="train").disabled


def test_every_network_has_a_line_and_no_line_is_without_network():
    from ui.model.training import MODELS as LINES
    from zspag_core.models import MODELS

    assert set(LINES) == set(MODELS)


@pytest.mark.slow
def test_running_training_shows_count_time_left_and_curves(open_page, ready, store, running):
    for number in (1, 2):
        store.record(running, "epoch", {"epoch": number} | EPOCH)
    store.advance(running, {"stage": "train", "done": 25, "total": 48, "seconds": {"load": 1.0, "train": 10.0}})
    page = open_page(running)
    assert page.get("progress")[0].proto.text == "Epoch 3 of 4 · step 25 of 48 · 9.2 s left"
    accuracy, loss = (json.loads(element.proto.json)["panels"][0] for element in page.get("bidi_component"))
    assert [len(line["points"]) for line in accuracy["lines"]] == [2, 2]
    assert len(loss["lines"][0]["points"]) == 2
    page.button(key="train-pause").click().run()
    assert "Paused" in texts(page)
    page.button(key="train-continue").click().run()
    page.button(key="train-cancel").click().run()
    assert store.require(running.id).command == "cancel"
    assert page.button(key="train-cancel").disabled


@pytest.mark.slow
@pytest.mark.parametrize(
    ("progress", "words"),
    [
        ({}, "Reading the images"),
        ({"stage": "load", "done": 0, "total": 1, "seconds": {}}, "Reading the images"),
        ({"stage": "train", "done": 1, "total": 48, "seconds": {"train": 0.1}}, "Epoch 1 of 4 · step 1 of 48"),
        ({"stage": "evaluate", "done": 512, "total": 10_000, "seconds": {}}, "Grading on test images: 512 of 10,000"),
    ],
)
def test_every_stage_has_its_count(open_page, ready, store, running, progress, words):
    store.advance(running, progress)
    assert open_page(running).get("progress")[0].proto.text == words


def test_queued_training_says_who_is_ahead(open_page, ready, store, running):
    job = store.submit("train", CONFIG | {"name": "next"})
    assert f"Position 1 in the queue, behind run {running.number}, which is running" in texts(open_page(job))


@pytest.mark.slow
def test_reload_finds_a_training_under_way_by_itself(open_page, ready, running):
    page = open_page(running)
    assert page.segmented_control(key="source").value == "Train"
    page.query_params.clear()
    page.run()
    assert running.id in str(page.query_params["training"])


def test_finished_training_leads_to_its_model(open_page, ready, finish):
    leave_file()
    page = open_page(finish("train", CONFIG, answer={"test_accuracy": 98.76}))
    assert "98.8 % of the test images are right" in texts(page)
    page.button(key="train-open").click().run()
    assert page.segmented_control(key="source").value == "Yours"
    assert page.selectbox(key="model-Yours").value == trained() / "mine.safetensors"
    assert "training" not in page.query_params


@pytest.mark.slow
@pytest.mark.parametrize(
    ("state", "error", "said"),
    [
        (State.FAILED, "training stopped in epoch 1: the loss is nan; try a smaller learning_rate", "smaller learning"),
        (State.INTERRUPTED, "The worker was stopped during this run.", "The worker was stopped"),
        (State.CANCELLED, "", "The training was cancelled."),
    ],
)
def test_training_that_ended_early_can_be_resumed(open_page, ready, finish, store, state, error, said):
    leave_file()
    job = finish("train", CONFIG, state, error=error, details="Traceback: copy me" if error else "")
    page = open_page(job)
    assert said in texts(page)
    assert "The model learnt so far can be used as it is. Resume goes on from the last finished epoch" in texts(page)
    assert bool(page.code) == bool(error)
    page.button(key="train-resume").click().run()
    assert store.require(job.id).state == State.QUEUED


def test_without_a_file_there_is_nothing_to_look_at(open_page, ready, finish):
    page = open_page(finish("train", CONFIG, State.CANCELLED))
    assert "can be used" not in texts(page)
    assert not [button for button in page.button if button.key == "train-open"]
    page.button(key="train-leave").click().run()
    assert "Nothing is being trained" in texts(page)


def test_the_address_of_another_kind_of_job_is_no_training(open_page, ready, finish, run_config):
    page = open_page(finish("unlearn", run_config, State.CANCELLED))
    assert page.segmented_control(key="source").value != "Train" or "Nothing is being" in texts(page)


@pytest.mark.slow
def test_form_can_plant_a_backdoor(open_page, ready, store):
    page = open_page()
    page.toggle(key="train-backdoor").set_value(True).run()
    page.selectbox(key="train-target-digits").set_value(1).run()
    assert "two different classes" in texts(page)
    assert not [button for button in page.button if button.key == "train" and not button.disabled]
    page.selectbox(key="train-target-digits").set_value(8).run()
    page.button(key="train").click().run()
    assert store.latest(kind="train")[0].config["backdoor"] == [1, 8]
