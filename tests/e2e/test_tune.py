"""A sweep in the browser: defined, started, watched; a second browser sees the same; either stops it."""

from __future__ import annotations

import re
import time

import pytest
from playwright.sync_api import expect

from tests.e2e.serving import VIEWPORT
from tests.e2e.waiting import LONG

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.timeout(600)]


def test_a_sweep_is_defined_started_shared_and_stopped(page, browser, app_url):
    page.goto(f"{app_url}/Tune", timeout=LONG)
    expect(page.get_by_text("24 runs")).to_be_visible(timeout=LONG)
    page.locator(".st-key-forget-digits_resnet_16-3").get_by_text("3", exact=True).click()
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
    page.get_by_role("button", name="Pause").click()
    expect(other.get_by_role("button", name="Continue")).to_be_enabled(timeout=LONG)
    page.reload(timeout=LONG)
    _draw_around_all(page)
    page.get_by_role("button", name="Pin the picked ones").click()
    page.wait_for_url("**pin=*")
    expect(page.get_by_text("Pinned trials, epoch by epoch")).to_be_visible(timeout=LONG)
    page.get_by_role("button", name="Continue").click()
    expect(other.get_by_role("button", name="Pause")).to_be_enabled(timeout=LONG)
    page.get_by_role("button", name="Cancel").click()
    expect(other.get_by_text(re.compile("[1-7] of 8 trials, cancelled"))).to_be_visible(timeout=LONG)
    expect(other.get_by_role("button", name="Go on")).to_be_enabled(timeout=LONG)
    other.context.close()
    number = page.url.partition("pin=")[2].partition("%2C")[0].partition("&")[0]
    with page.expect_popup(timeout=LONG) as opened:
        page.get_by_role("link", name=f"trial {number}").first.click()
    expect(opened.value.get_by_role("heading", name="Results")).to_be_visible(timeout=LONG)


def _draw_around_all(page):
    """Drag over the whole of a figure, until the page says that its trials are picked."""
    plot = page.locator(".st-key-tune-points .nsewdrag").first
    pin = page.get_by_role("button", name="Pin the picked ones")
    deadline = time.monotonic() + LONG / 1000
    while not pin.is_enabled():
        assert time.monotonic() < deadline, "the trials are never picked"
        plot.scroll_into_view_if_needed(timeout=LONG)
        box = plot.bounding_box()
        page.mouse.move(box["x"] + 1, box["y"] + 1)
        page.mouse.down()
        page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
        page.mouse.move(box["x"] + box["width"] - 1, box["y"] + box["height"] - 1)
        page.mouse.up()
        page.wait_for_timeout(2000)
