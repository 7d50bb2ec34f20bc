"""A sweep in the browser: defined, started, watched; a second browser sees the same; either stops it."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect

from tests.e2e.serving import VIEWPORT
from tests.e2e.waiting import LONG

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.timeout(600)]


def test_a_sweep_is_defined_started_shared_and_stopped(page, browser, app_url):
    page.goto(f"{app_url}/Tune", timeout=LONG)
    expect(page.get_by_text("24 runs")).to_be_visible(timeout=LONG)
    page.locator(".st-key-forget-digits_resnet-3").get_by_text("3", exact=True).click()
    trials = page.get_by_label("Trials at most")
    trials.fill("8")
    trials.press("Enter")
    expect(page.get_by_text("8 runs")).to_be_visible(timeout=LONG)
    page.get_by_role("button", name="Start the sweep").click()
    expect(page.get_by_text("of 8 trials, running")).to_be_visible(timeout=LONG)
    page.wait_for_url("**sweep=*")

    other = browser.new_context(viewport=VIEWPORT).new_page()
    other.goto(page.url, timeout=LONG)
    for visitor in (page, other):
        expect(visitor.get_by_text(re.compile("[1-7] of 8 trials, running"))).to_be_visible(timeout=LONG)
        expect(visitor.get_by_text("Best by Retain-free score: trial")).to_be_visible(timeout=LONG)
        assert visitor.get_by_test_id("stException").count() == 0
    page.get_by_role("button", name="Cancel").click()
    expect(other.get_by_text(re.compile("[1-7] of 8 trials, cancelled"))).to_be_visible(timeout=LONG)
    expect(other.get_by_role("button", name="Go on")).to_be_enabled(timeout=LONG)
    other.context.close()
