"""The journey of a visitor whose network is of another library: named, checked, unlearned, taken home as it came."""

from __future__ import annotations

import pytest
import timm
import torch
from playwright.sync_api import expect
from safetensors.torch import load_file
from torch.nn import functional as F

from tests.e2e.filling import set_number
from tests.e2e.waiting import LONG, choose, wait_for_end
from zspag_core.data import load_dataset, to_pixels

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.timeout(900)]

NAME, SIDE, STEPS, BATCH = "test_resnet", 32, 150, 16


@pytest.fixture(scope="module")
def brought(tmp_path_factory):
    """A small network of timm that has learnt the digits, as pytorch-image-models' train.py keeps it."""
    digits = load_dataset("digits", image_size=SIDE, channels=3).train
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        network = timm.create_model(NAME, num_classes=10)
        optimizer = torch.optim.AdamW(network.parameters(), lr=1e-3)
        for _ in range(STEPS):
            chosen = torch.randint(len(digits), (BATCH,))
            loss = F.cross_entropy(network((to_pixels(digits.images[chosen]) - 0.5) / 0.5), digits.labels[chosen])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    path = tmp_path_factory.mktemp("brought") / "model_best.pth.tar"
    torch.save({"epoch": 3, "arch": NAME, "state_dict": network.state_dict()}, path)
    return path


def test_a_network_of_timm_is_named_read_unlearned_and_taken_home(page, app_url, store, server_home, brought, tmp_path):
    page.goto(f"{app_url}/Model")
    page.get_by_test_id("stButtonGroup").get_by_text("Upload", exact=True).click()
    page.get_by_test_id("stFileUploader").locator("input[type=file]").set_input_files(brought)
    expect(page.get_by_text("does not say which network they are of")).to_be_visible(timeout=LONG)
    field = page.get_by_role("textbox", name="Which network is it?")
    field.fill("python:net.py:make")
    field.press("Tab")
    expect(page.get_by_text("is code, which no browser starts")).to_be_visible()
    field.fill(f"timm:{NAME}")
    field.press("Tab")
    expect(page.get_by_text("is code, which no browser starts")).to_have_count(0)
    page.get_by_role("button", name="Use these").click()
    title = page.get_by_text("Assumed: ")
    expect(title).to_be_visible(timeout=LONG)
    title.click()
    side = page.get_by_role("spinbutton", name="Side of an image, pixels")
    side.fill(str(SIDE))
    side.press("Tab")
    choose(page, "Normalisation", "Pixels from −1 to 1")
    page.get_by_role("button", name="Use these").click()
    expect(page.get_by_text(f"{SIDE} pixels, normalisation pixels from −1 to 1")).to_be_visible(timeout=LONG)
    choose(page, "Data", "digits")
    expect(page.get_by_text("under the best matching of outputs to classes")).to_be_visible(timeout=LONG)
    use = page.get_by_role("button", name="Use this model")
    expect(use).to_be_enabled(timeout=LONG)
    use.click()
    expect(page.get_by_role("heading", name="Forget", exact=True)).to_be_visible()
    page.get_by_test_id("stCheckbox").filter(has_text="3").first.click(timeout=LONG)
    set_number(page, "n_adv · per class", 10)  # a tenth of the proxies, half the seconds
    forget = page.get_by_role("button", name="Forget", exact=True)
    expect(forget).to_be_enabled(timeout=LONG)
    forget.click()
    page.wait_for_url("**job=*")
    (job,) = wait_for_end(store, [store.latest(kind="unlearn")[0]])
    assert job.answer["model"]["returned"] == "unlearned.pth.tar"
    assert job.answer["model"]["told"]["image_size"] == SIDE

    page.goto(f"{app_url}/Results?job={job.id}&part=Downloads")
    with page.expect_download() as download:
        page.get_by_role("button", name="Unlearned, as it came").click(timeout=LONG)
    download.value.save_as(tmp_path / "back.pth.tar")
    back = torch.load(tmp_path / "back.pth.tar", weights_only=True)
    assert back["epoch"] == 3
    network = timm.create_model(NAME, num_classes=10)
    network.load_state_dict(back["state_dict"], strict=True)
    kept, was = (
        load_file(server_home / "runs" / job.id / "model.safetensors"),
        torch.load(brought, weights_only=True)["state_dict"],
    )
    assert all(torch.equal(back["state_dict"][name], kept[name]) for name in was)
    assert any(not torch.equal(back["state_dict"][name], was[name]) for name in was)
    assert page.get_by_test_id("stException").count() == 0
