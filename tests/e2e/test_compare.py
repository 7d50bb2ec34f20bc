"""A ready-made comparison is there at once: table, figures, and the way to a live one."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from tests.e2e.waiting import LONG
from ui.compare.comparisons import preset_of, shipped_comparisons
from ui.shell.words import COMPARISONS

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.timeout(600)]


def test_a_preset_opens_at_once_and_another_is_one_click_away(page, app_url):
    first, *others = shipped_comparisons()
    second = next(other for other in others if preset_of(other.name) != preset_of(first.name))
    preset = COMPARISONS[preset_of(second.name)][0]
    page.goto(f"{app_url}/Compare", timeout=LONG)
    table = page.get_by_role("table", name=first.title)
    expect(table).to_be_visible(timeout=LONG)
    expect(table.get_by_role("row")).to_have_count(1 + len(first.rows))
    expect(page.get_by_label("Remaining and forgotten accuracy in percent")).to_be_visible(timeout=LONG)
    expect(page.get_by_role("button", name="Run it live")).to_be_enabled(timeout=LONG)
    page.get_by_role("radio", name=preset).or_(page.get_by_role("button", name=preset)).first.click()
    expect(page.get_by_role("table", name=second.title)).to_be_visible(timeout=LONG)
    page.wait_for_url(f"**compare={second.name}*")
    assert page.get_by_test_id("stException").count() == 0
