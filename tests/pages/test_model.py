from __future__ import annotations

import json

import pytest

from tests.pages.conftest import PICTURE
from ui.shell.checkpoints import shipped_checkpoints
from ui.shell.jobs import checkpoint_question
from ui.shell.selection import inspect_question
from zspag_core.jobs import Lane, State

NAMES = [str(label) for label in range(10)]
ABOUT = {
    "name": "digits",
    "num_classes": 10,
    "class_names": NAMES,
    "train": 1438,
    "test": 359,
    "classes": [{"name": name, "picture": PICTURE, "train": 143, "test": 36} for name in NAMES],
    "fits": None,
    "doubt": None,
    "architecture": "resnet",
    "summary": "ResNet, 32 × 32 pixels",
    "image_size": 32,
    "channels": 3,
    "model_classes": 10,
    "test_accuracy": 99.7,
    "trained_on": "digits",
}
REPORT = {
    "layers": [{"name": "stem.0", "kind": "convolution 3 × 3", "shape": [16, 32, 32], "parameters": 432}],
    "parameters": 78_000,
    "acc_per_class": [100.0] * 9 + [90.0],
    "test_accuracy": 99.0,
    "graded": 359,
    "samples": [
        {"picture": PICTURE, "label": 9, "predicted": 4, "probability": 71.0},
        {"picture": PICTURE, "label": 0, "predicted": 0, "probability": 99.9},
    ],
}


def texts(at):
    parts = [*at.markdown, *at.caption, *at.info, *at.error, *at.success, *at.warning]
    return " ".join(str(part.value) for part in parts).replace("\\", "")


def htmls(at):
    return " ".join(element.proto.body for element in at.get("html"))


@pytest.fixture
def model_page(overview):
    """Return a function that opens the Model page."""

    def open_page(**address):
        for name, word in address.items():
            overview.query_params[name] = word
        overview.run()
        page = overview.switch_page("pages/1_Model.py").run()
        assert not page.exception
        return page

    return open_page


@pytest.fixture
def tell(finish):
    """Let the worker have answered a question."""

    def tell(kind, question, state=State.DONE, **ending):
        return finish(kind, question, state, lane=Lane.INTERACTIVE, **ending)

    return tell


@pytest.fixture
def looked(tell, checkpoint):
    """Let the worker have looked at the shipped digits model."""
    tell("inspect_data", inspect_question("digits", checkpoint), answer=ABOUT)
    tell("model_report", checkpoint_question(checkpoint) | {"data": "digits"}, answer=REPORT)


@pytest.mark.slow
def test_first_look_asks_the_worker_and_says_that_it_starts(model_page, store, checkpoint):
    page = model_page()
    (job,) = store.latest(Lane.INTERACTIVE)
    assert (job.kind, job.config) == ("inspect_data", inspect_question("digits", checkpoint))
    assert "The worker is starting" in texts(page)
    assert page.button(key="use").disabled


def test_busy_worker_shows_a_count(model_page, store, checkpoint):
    store.submit("inspect_data", inspect_question("digits", checkpoint), lane=Lane.INTERACTIVE)
    store.heartbeats.beat("w", "worker", (Lane.INTERACTIVE,), "cpu")
    store.advance(store.claim(Lane.INTERACTIVE, "w", "cpu"), {"stage": "load", "done": 1, "total": 2})
    page = model_page()
    assert page.get("progress")[0].proto.text == "Reading model and data: 1 of 2."


@pytest.mark.slow
def test_everything_is_shown_and_can_be_used(model_page, looked, checkpoint):
    page = model_page()
    said = texts(page)
    assert "10 in the model, 10 in the data" in said
    assert "the same names in the same order" in said
    assert "99.0 % right" in said
    assert [metric.value for metric in page.metric] == ["99.0 %", "10", "32 px", "78 k"]
    assert "its file says 99.7 %" in said
    spec = json.loads(page.get("plotly_chart")[0].proto.spec)
    assert len(spec["data"][0]["x"]) == 10
    assert "the surest mistakes first" in said
    assert 'alt="An image of 9; the model says 4 with 71 percent"' in htmls(page)
    assert [next(iter(frame.value.columns)) for frame in page.dataframe] == ["", "Layer"]
    page.button(key="use").click().run()
    assert page.title[0].value == "Forget"
    assert page.session_state["choice"].checkpoint == checkpoint
    assert page.session_state["choice"].class_names == tuple(NAMES)


def test_grading_under_way_is_counted_but_need_not_be_waited_for(model_page, tell, checkpoint, store):
    tell("inspect_data", inspect_question("digits", checkpoint), answer=ABOUT)
    page = model_page()
    assert "Grading on test images: 0 of 1." in page.get("progress")[0].proto.text
    assert not page.button(key="use").disabled
    (job,) = [job for job in store.latest(Lane.INTERACTIVE) if job.kind == "model_report"]
    assert job.config["data"] == "digits"


def test_pair_that_does_not_fit_is_said_before_anything_runs(model_page, tell, checkpoint, store):
    sentence = "The model tells 10 classes apart, pets.npz has 12."
    tell("inspect_data", inspect_question("digits", checkpoint), answer=ABOUT | {"fits": sentence, "num_classes": 12})
    page = model_page()
    assert sentence in texts(page)
    assert page.button(key="use").disabled
    assert "Choose data that fits" in texts(page)
    assert not [job for job in store.latest(Lane.INTERACTIVE) if job.kind == "model_report"]


def test_a_doubt_is_said_but_does_not_stop(model_page, tell, checkpoint):
    tell("inspect_data", inspect_question("digits", checkpoint), answer=ABOUT | {"doubt": "The names differ: see."})
    report = REPORT | {"test_accuracy": 11.0}
    tell("model_report", checkpoint_question(checkpoint) | {"data": "digits"}, answer=report)
    page = model_page()
    assert "The names differ: see." in texts(page)
    assert "11.0 % right, hardly more than guessing (10.0 %)" in texts(page)
    assert not page.button(key="use").disabled


def test_what_nobody_foresaw_is_a_sentence_with_folded_details(model_page, tell, checkpoint):
    question = inspect_question("digits", checkpoint)
    tell("inspect_data", question, State.FAILED, error="unexpected: KeyError: 'x'", details="Traceback …")
    page = model_page()
    assert page.error[0].value == "This file cannot be read, for a reason that nobody foresaw."
    assert page.code[0].value == "Traceback …"
    assert page.button(key="use").disabled


def test_report_that_failed_is_a_sentence(model_page, tell, checkpoint):
    tell("inspect_data", inspect_question("digits", checkpoint), answer=ABOUT)
    question = checkpoint_question(checkpoint) | {"data": "digits"}
    tell("model_report", question, State.FAILED, error="The disk is full.")
    assert "The disk is full." in texts(model_page())


@pytest.mark.slow
def test_data_that_is_not_here_can_be_fetched(model_page, tell, checkpoint, store):
    question = inspect_question("cifar100", checkpoint)
    tell("inspect_data", question, State.FAILED, error="cifar100 is not in data and downloads are off.")
    page = model_page()
    page.selectbox(key=f"data-{checkpoint.name}").select("cifar100").run()
    assert "cifar100 is not in data" in texts(page)
    page.button(key="fetch-data").click().run()
    newest = store.latest(Lane.INTERACTIVE)[0]
    assert newest.config == question | {"download": True}
    store.heartbeats.beat("w", "worker", (Lane.INTERACTIVE,), "cpu")
    while (job := store.claim(Lane.INTERACTIVE, "w", "cpu")) is not None:
        store.finish(job, State.DONE, answer=ABOUT | {"fits": "no"})
    page.run()
    assert store.latest(Lane.INTERACTIVE)[0].config == question, "asked again as every page will ask it"


@pytest.mark.slow
def test_other_data_is_asked_about(model_page, looked, store, checkpoint, tmp_path, monkeypatch):
    page = model_page()
    page.selectbox(key=f"data-{checkpoint.name}").select("folder").run()
    page.text_input(key="folder").set_value("/etc").run()
    assert "opens folders only inside" in page.error[0].value.replace("\\", "")
    folder = tmp_path / "pets"
    folder.mkdir()
    page.text_input(key="folder").set_value(str(folder)).run()
    assert not page.error
    assert store.latest(Lane.INTERACTIVE)[0].config["data"] == str(folder)


def test_nothing_trained_yet_says_what_to_do(model_page, looked):
    page = model_page()
    page.segmented_control(key="source").set_value("Yours").run()
    assert "Press **Train** above" in texts(page)


def test_choice_of_a_shared_link_is_what_the_page_opens_with(model_page, checkpoint):
    page = model_page(model="fashion_mnist_vgg", data="digits")
    assert page.selectbox(key="model-Shipped").value.stem == "fashion_mnist_vgg"
    assert page.selectbox(key="data-fashion_mnist_vgg.safetensors").value == "digits"


def test_page_without_models_says_what_to_do(model_page, monkeypatch, tmp_path):
    from ui.shell import checkpoints

    monkeypatch.setattr(checkpoints.shipped_checkpoints, "__defaults__", (tmp_path,))
    assert "There is no model here yet" in texts(model_page())


@pytest.mark.slow
def test_link_opens_the_source_and_the_model_looked_at(model_page, store):
    other = shipped_checkpoints()[1].stem
    page = model_page(look=other)
    assert page.selectbox(key="model-Shipped").value.stem == other
    page.segmented_control(key="source").set_value("Upload").run()
    assert page.query_params["source"] == "Upload"
    page.segmented_control(key="source").set_value("Shipped").run()
    assert "source" not in page.query_params
