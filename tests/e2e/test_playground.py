"""The Playground in a browser, with its own engine: a knob, a step, a click, a link."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from tests.e2e.waiting import LONG

pytestmark = pytest.mark.browser


def test_a_knob_a_step_a_click_and_the_link(page, browser, app_url):
    page.goto(f"{app_url}/Playground")
    epochs = page.get_by_role("status")
    expect(epochs.filter(has_text="epoch 5 of 5")).to_be_visible(timeout=LONG)
    expect(page.get_by_text("Worker ready")).to_be_visible(timeout=LONG)

    page.locator(".st-key-play-epsilon").get_by_role("slider").press("PageUp")
    page.wait_for_url("**epsilon**", timeout=LONG)
    page.get_by_role("button", name="First epoch").click()
    page.wait_for_url("**epoch%22%3A0*", timeout=LONG)
    page.get_by_role("button", name="Step").click()
    expect(page.get_by_text("Unlearned, epoch 1")).to_be_visible()
    page.wait_for_url("**epoch%22%3A1*", timeout=LONG)

    page.get_by_role("button", name="Play").click()
    expect(page.get_by_role("button", name="Pause")).to_be_visible()
