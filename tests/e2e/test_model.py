"""Bringing, training and choosing a model, and finding a run again, in a real browser."""

from __future__ import annotations

import io
import re
import zipfile

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import expect
from sklearn.datasets import load_digits

from tests.e2e.filling import set_number
from tests.e2e.waiting import LONG, choose, wait_for_end
from ui.shell.checkpoints import shipped_checkpoints
from zspag_core.jobs import State

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.timeout(900)]

EPOCHS = 7  # as many as a slow browser needs to see the training before it ends; four seconds each on a slow machine


@pytest.fixture(scope="module")
def picture_zip(tmp_path_factory):
    """Handwritten digits as a visitor would bring them: a folder of pictures for each class, zipped."""
    path, digits = tmp_path_factory.mktemp("brought") / "my digits.zip", load_digits()
    with zipfile.ZipFile(path, "w") as archive:
        for number in range(400):
            buffer = io.BytesIO()
            Image.fromarray((digits.images[number] * 15.9).astype(np.uint8)).save(buffer, "PNG")
            archive.writestr(f"{digits.target[number]}/{number}.png", buffer.getvalue())
    return path


def choose_source(page, name):
    page.get_by_test_id("stButtonGroup").get_by_text(name, exact=True).click()


def upload(page, path):
    page.get_by_test_id("stFileUploader").locator("input[type=file]").set_input_files(path)


def test_own_model_and_own_pictures_are_checked_and_used(page, app_url, picture_zip, tmp_path):
    brought = tmp_path / "My model.safetensors"
    brought.write_bytes(shipped_checkpoints()[0].read_bytes())
    page.goto(f"{app_url}/Model")
    choose_source(page, "Upload")
    upload(page, brought)
    expect(page.get_by_text("the same names in the same order")).to_be_visible(timeout=LONG)
    choose(page, "Data", "Upload a data set")
    page.get_by_test_id("stFileUploader").filter(has_text="Data set").locator("input[type=file]").set_input_files(
        picture_zip
    )
    expect(page.get_by_text("the same names in the same order")).to_be_visible(timeout=LONG)
    expect(page.get_by_text("Architecture, layer by layer")).to_be_visible(timeout=LONG)
    page.get_by_role("button", name="Use this model").click()
    expect(page.get_by_role("heading", name="Forget", exact=True)).to_be_visible()
    expect(page.get_by_text("My model.safetensors").first).to_be_visible()
    expect(page.get_by_role("img", name="An image of class 7")).to_be_visible(timeout=LONG)
    page.reload()
    expect(page.get_by_text("My model.safetensors").first).to_be_visible(timeout=LONG)


def test_wrong_file_is_answered_with_a_sentence(page, app_url, tmp_path):
    wrong = tmp_path / "notes.txt"
    wrong.write_text("I am no model")
    page.goto(f"{app_url}/Model")
    choose_source(page, "Upload")
    upload(page, wrong)
    expect(page.get_by_text("expected a .safetensors file or one that torch.save has written")).to_be_visible()
    expect(page.get_by_test_id("stException")).to_have_count(0)


def test_training_is_watched_cancelled_resumed_after_a_reload_and_used(page, app_url, store, server_home):
    page.goto(f"{app_url}/Model")
    choose_source(page, "Train")
    train = page.get_by_test_id("stButton").get_by_text("Train", exact=True)
    train.wait_for(timeout=LONG)
    page.get_by_label("Name").fill("watched")
    page.get_by_label("Name").press("Tab")
    set_number(page, "Epochs", EPOCHS)
    train.click()
    expect(page.get_by_text(re.compile(rf"Epoch ([2-9]|\d\d) of {EPOCHS}"))).to_be_visible(timeout=LONG)
    page.get_by_role("button", name="Cancel").click()
    expect(page.get_by_role("button", name="Resume")).to_be_visible(timeout=LONG)
    assert "training=" in page.url
    page.reload()
    page.get_by_role("button", name="Resume").click(timeout=LONG)
    look = page.get_by_role("button", name="Look at this model")
    expect(page.get_by_text("of the test images are right")).to_be_visible(timeout=LONG)
    look.click()
    expect(page.get_by_text("Architecture, layer by layer")).to_be_visible(timeout=LONG)
    assert (server_home / "checkpoints" / "watched.safetensors").exists()
    (job,) = [job for job in store.latest(kind="train") if job.config["name"] == "watched"]
    assert job.state == State.DONE
    epochs = [event.body["epoch"] for event in store.events(job.id) if event.kind == "epoch"]
    assert epochs == list(range(1, EPOCHS + 1))


def test_two_runs_are_ticked_named_compared_deleted_and_brought_back(page, app_url, store):
    config = {
        "data": "digits",
        "checkpoint": str(shipped_checkpoints()[0]),
        "forget": [9],
        "class_names": ["nine"],
        "method": "mask",
        "relearning": False,
    }
    jobs = [store.submit("unlearn", config) for _ in range(2)]
    page.goto(app_url)  # a page that is open has a worker started
    wait_for_end(store, jobs)
    page.goto(f"{app_url}/Runs")
    page.get_by_role("textbox", name="Search").fill("nine")
    page.get_by_role("textbox", name="Search").press("Enter")
    table = page.get_by_test_id("stDataFrame").first
    table.wait_for()
    page.wait_for_timeout(2000)
    box = table.bounding_box()
    for row in (0, 1):
        page.mouse.click(box["x"] + 16, box["y"] + 36 + 35 * row + 17)
        page.wait_for_timeout(1500)
    expect(page.get_by_role("button", name="Compare run")).to_be_visible()
    title = page.get_by_label("Title", exact=True).first
    title.fill("A masked nine")
    title.press("Tab")
    expect(page.get_by_text("· A masked nine").first).to_be_visible()
    page.get_by_role("button", name="Compare run").click()
    expect(page.get_by_role("heading", name="Results", exact=True)).to_be_visible()
    page.goto(f"{app_url}/Runs?job={jobs[0].id}")
    page.get_by_role("button", name="Delete").click()
    expect(page.get_by_text(f"Run {jobs[0].number} was deleted")).to_be_visible()
    page.get_by_role("button", name="Undo").click()
    expect(page.get_by_text(f"Run {jobs[0].number} was deleted")).to_have_count(0)
    assert store.require(jobs[0].id).deleted is None
