"""The map of proxies and the attention maps of a real run: pictures on hover, lasso, keyboard, gliding, galleries."""

from __future__ import annotations

import math
import re

import pytest
from playwright.sync_api import expect

from tests.e2e.waiting import LONG, choose, wait_for_end
from ui.shell.checkpoints import shipped_checkpoints
from zspag_core.jobs import State

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.timeout(900)]
QUICK = {"n_adv": 10, "epochs": 1, "attack_steps": 5, "stop_rule": False}


@pytest.fixture(scope="module")
def submitted(database):
    config = {"data": "digits", "checkpoint": str(shipped_checkpoints()[0]), "forget": [3], "class_names": ["3"]}
    return database.submit("unlearn", config | {"method": "zspag", "settings": QUICK})


@pytest.fixture
def run(page, app_url, store, submitted):
    """A run on digits, done: a page that is open has a worker started."""
    page.goto(app_url)
    (done,) = wait_for_end(store, [submitted])
    assert done.state == State.DONE, done.error
    return done


def open_map(page, app_url, run):
    page.goto(f"{app_url}/Proxies?job={run.id}")
    chart = page.locator("canvas.map")
    expect(chart).to_be_visible(timeout=LONG)
    return chart


def draw_round(page, chart, radius):
    box = chart.bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    page.mouse.move(x + radius, y)
    page.mouse.down()
    for step in range(1, 25):
        angle = step / 24 * 2 * math.pi
        page.mouse.move(x + radius * math.cos(angle), y + 0.95 * radius * math.sin(angle))
    page.mouse.up()


def test_quick_map_is_there_when_the_run_is_done(server_home, run):
    assert (server_home / "runs" / run.id / "map_pca.safetensors").exists()


def test_points_are_reached_and_selected_by_keyboard(page, app_url, run):
    chart = open_map(page, app_url, run)
    expect(chart).to_have_attribute("aria-label", re.compile("real images of remaining classes, .* proxies"))
    chart.focus()
    page.keyboard.press("ArrowRight")
    tip = page.locator(".tip")
    expect(tip).to_contain_text("read before: ")
    page.keyboard.press("ArrowUp")
    page.keyboard.press("Enter")
    expect(page.get_by_text(re.compile(r"Selected: .*1 (proxy|real image)"))).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_text("until then")).to_be_visible()


def test_hovering_shows_the_picture_of_a_point(page, app_url, run):
    chart = open_map(page, app_url, run)
    chart.focus()
    page.keyboard.press("ArrowRight")
    page.wait_for_function(
        """() => {
            const found = (root) => root.querySelector(".tip canvas") ??
                [...root.querySelectorAll("*")].map((e) => e.shadowRoot && found(e.shadowRoot)).find(Boolean);
            const levels = found(document).getContext("2d").getImageData(0, 0, 96, 96).data;
            return levels.some((level) => level > 100 && level < 250);
        }"""
    )


def test_lasso_selection_outlives_the_change_from_before_to_after(page, app_url, run):
    chart = open_map(page, app_url, run)
    chart.evaluate("element => { element.dataset.same = 'yes'; }")
    draw_round(page, chart, 240)
    selected = page.get_by_text(re.compile(r"Selected: \d+ proxies, \d+ real images"))
    expect(selected).to_be_visible()
    words = selected.inner_text()
    expect(page.locator(".zs-card").first.locator("img")).to_have_count(3)
    page.get_by_role("button", name="After", exact=True).or_(page.get_by_text("After", exact=True)).first.click()
    expect(chart).to_have_attribute("aria-label", re.compile("unlearned model"))
    expect(chart).to_have_attribute("data-same", "yes")
    assert selected.inner_text() == words
    page.get_by_role("button", name="Clear", exact=True).click()
    expect(page.get_by_text("until then")).to_be_visible()


def test_umap_takes_the_place_of_pca(page, app_url, server_home, run):
    open_map(page, app_url, run)
    expect(page.get_by_text("Drawing the UMAP")).to_have_count(0, timeout=LONG)
    expect(page.get_by_text("the zero line, the same features placed twice")).to_be_visible()
    assert (server_home / "runs" / run.id / "map_umap.safetensors").exists()
    assert page.get_by_test_id("stException").count() == 0


def test_attention_follows_the_images_that_are_chosen(page, app_url, run):
    page.goto(f"{app_url}/Attention?job={run.id}")
    table = page.locator("table.zs-attention")
    rows = table.locator("tbody tr")
    expect(rows).to_have_count(4, timeout=LONG)
    expect(rows.first.locator("img")).to_have_count(4)
    page.get_by_role("checkbox").nth(2).locator("xpath=ancestor::label").click()
    expect(rows).to_have_count(5, timeout=LONG)
    page.get_by_text("Predicted label", exact=True).click()
    expect(rows.first.locator("td").nth(1).locator("b")).to_contain_text("reads", timeout=LONG)
    choose(page, "Layer, from input to output", "stage 1")
    expect(page.get_by_text("16 × 16 cells")).to_be_visible(timeout=LONG)
    expect(page.get_by_role("table").last).to_contain_text("Alike, remaining classes")
    assert page.get_by_test_id("stException").count() == 0
