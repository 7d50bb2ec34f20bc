"""The journey of a visitor who has a model and nothing but the images to forget, in a real browser."""

from __future__ import annotations

import io
import zipfile

import pytest
from PIL import Image
from playwright.sync_api import expect

from tests.e2e.filling import set_number
from tests.e2e.waiting import LONG, choose, wait_for_end
from ui.shell.checkpoints import shipped_checkpoints
from zspag_core.data import load_dataset

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.timeout(900)]


@pytest.fixture(scope="module")
def threes_zip(tmp_path_factory):
    """The training images of class 3 in one folder, zipped, as whoever must forget them would bring them."""
    path, digits = tmp_path_factory.mktemp("brought") / "threes.zip", load_dataset("digits", channels=1)
    with zipfile.ZipFile(path, "w") as archive:
        for number, image in enumerate(digits.train.of_classes((3,)).images[:60]):
            buffer = io.BytesIO()
            Image.fromarray(image[0].numpy()).save(buffer, "PNG")
            archive.writestr(f"3/{number:04}.png", buffer.getvalue())
    return path


def test_images_to_forget_alone_from_the_upload_to_a_later_grading(page, app_url, store, threes_zip, tmp_path):
    brought = tmp_path / "My model.safetensors"
    brought.write_bytes(shipped_checkpoints()[0].read_bytes())
    page.goto(f"{app_url}/Model")
    page.get_by_test_id("stButtonGroup").get_by_text("Upload", exact=True).click()
    page.get_by_test_id("stFileUploader").locator("input[type=file]").set_input_files(brought)
    expect(page.get_by_text("the same names in the same order")).to_be_visible(timeout=LONG)
    choose(page, "Data", "Upload a data set")
    page.get_by_test_id("stFileUploader").filter(has_text="Data set").locator("input[type=file]").set_input_files(
        threes_zip
    )
    expect(page.get_by_text("Images of 3 alone, matched to the model's classes by name")).to_be_visible(timeout=LONG)
    expect(page.get_by_text("an estimate, the data has no test images")).to_be_visible(timeout=LONG)
    page.get_by_role("button", name="Use this model").click()
    expect(page.get_by_role("heading", name="Forget", exact=True)).to_be_visible()
    expect(page.get_by_text("The data has no images of the classes in grey")).to_be_visible(timeout=LONG)
    page.get_by_test_id("stCheckbox").filter(has_text="3").first.click()
    expect(page.get_by_text("Hold out, % of the images to forget")).to_be_visible()
    set_number(page, "n_adv · per class", 10)  # a tenth of the proxies: half the seconds, and it forgets all the same
    forget = page.get_by_role("button", name="Forget", exact=True)
    expect(forget).to_be_enabled()
    forget.click()
    page.wait_for_url("**job=*")
    expect(page.get_by_text("Forget images still recognised").first).to_be_visible(timeout=LONG)
    (job,) = wait_for_end(store, [store.latest(kind="unlearn")[0]])
    assert job.answer["after"]["acc_rt"] is None
    read = job.answer["estimates"]["forget_accuracy"]
    assert read["before"] > 90
    assert read["after"] < 10

    page.get_by_role("link", name="Every figure, downloads").click()
    expect(page.get_by_role("heading", name="Results", exact=True)).to_be_visible()
    expect(page.get_by_text("The data lacks images of remaining classes and test images").first).to_be_visible()
    expect(page.get_by_text("The remaining classes are not graded")).to_be_visible()
    expect(page.get_by_text("Where the figures stand")).to_have_count(0)
    assert page.get_by_test_id("stException").count() == 0

    page.get_by_role("button", name="Grade it with other data").click()
    choose(page, "Data", "digits")
    page.get_by_role("button", name="Grade", exact=True).click()
    expect(page.get_by_text("Where the figures stand")).to_be_visible(timeout=LONG)
    graded = store.require(job.id).answer
    assert graded["after"]["acc_rt"] > 90
    assert graded["after"]["acc_ut"] < 10
    assert graded["estimates"] == job.answer["estimates"]
    assert page.get_by_test_id("stException").count() == 0
