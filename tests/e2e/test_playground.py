"""The Playground in a browser, with its own engine: ε, a step, a click, a link."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from tests.e2e.waiting import LONG

pytestmark = pytest.mark.browser


def test_epsilon_a_step_a_click_and_the_link(page, app_url):
    page.goto(f"{app_url}/Playground")
    expect(page.get_by_text("Unlearned, epoch")).to_be_visible(timeout=LONG)
    stamped, epoch = page.locator("canvas[data-stamp]"), page.locator('[data-part="epoch"]')
    expect(stamped).to_have_attribute("data-live", "true", timeout=LONG)
    first = stamped.get_attribute("data-stamp")

    for _ in range(2):  # to the same place again, after a reset: that is asked anew
        page.get_by_label("ε · push by").press("ArrowRight")
        page.wait_for_url("**epsilon%22%3A0.13*", timeout=LONG)
        expect(stamped).not_to_have_attribute("data-stamp", first, timeout=LONG)
        page.get_by_role("button", name="Reset").click()
        expect(stamped).to_have_attribute("data-stamp", first, timeout=LONG)
    page.get_by_label("ε · push by").press("ArrowRight")
    expect(stamped).not_to_have_attribute("data-stamp", first, timeout=LONG)

    page.get_by_role("button", name="First epoch").click()
    page.wait_for_url("**epoch%22%3A0*", timeout=LONG)
    page.get_by_role("button", name="Step").click()
    expect(page.get_by_text("Unlearned, epoch 1")).to_be_visible()
    page.wait_for_url("**epoch%22%3A1*", timeout=LONG)
    stepped = epoch.inner_text()
    page.goto(page.url)
    expect(epoch).to_have_text(stepped, timeout=LONG)
    expect(page.locator('[data-part="push-value"]')).to_have_text("0.13")

    page.get_by_role("button", name="Play").click()
    expect(page.get_by_role("button", name="Play")).to_be_visible(timeout=LONG)  # it has come to the end
    expect(epoch).not_to_have_text(stepped)

    page.get_by_role("toolbar", name="What a click adds").get_by_role("button", name="A", exact=True).click()
    stamped.click(position={"x": 20, "y": 20})
    expect(page.get_by_text("Points of your own: 1 of")).to_be_visible(timeout=LONG)
