"""Pictures of every page for docs/screens, from real runs on digits: `python -m tests.e2e.screens [folder]`.

With a folder of one's own, pictures for looking at are taken, too, as other screens show the pages: see `VIEWS`.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from playwright.sync_api import expect, sync_playwright

from tests.e2e.serving import FLAGS, ROOT, VIEWPORT, find_chromium, open_store, start_server
from tests.e2e.waiting import LONG, wait_for_end

VIEWS = {
    "projector": {"viewport": {"width": 1280, "height": 720}, "color_scheme": "light"},
    "enlarged": {"viewport": {"width": 1280, "height": 720}, "device_scale_factor": 1.5, "color_scheme": "light"},
    "dark": {"viewport": VIEWPORT, "color_scheme": "dark"},
}
"""Other screens: a projector, 1920 x 1080 pixels at 150 %, and the dark theme."""
SETTLED = 2_500  # milliseconds until charts and pictures are drawn
RIVALS = (
    ("finetune_zs", [3], {"learning_rate": 0.001}),
    ("neggrad_zs", [3], {}),
    ("mask", [3], {}),
    ("zspag", [8], {}),
)
ANSWER = "More than 80 %"  # of the attacks make a proxy in lesson 3


def main():
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "docs" / "screens"
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as home, sync_playwright() as driver:
        server = start_server(Path(home))
        browser = driver.chromium.launch(executable_path=find_chromium(), args=FLAGS)
        page = new_page(browser, {"viewport": VIEWPORT, "color_scheme": "light"})
        try:
            run = make_runs(page, server)
            take_all(page, server, folder, run)
            for name, view in VIEWS.items() if len(sys.argv) > 1 else ():
                (folder / name).mkdir(exist_ok=True)
                take_all(new_page(browser, view), server, folder / name, run)
        finally:
            browser.close()
            server.stop()


def new_page(browser, view):
    """Return a page on a screen of its own."""
    page = browser.new_context(**view).new_page()
    page.set_default_timeout(LONG)
    return page


def take_all(page, server, folder, run):
    """Visit every page."""

    def take(name, address, ready):
        page.goto(f"{server.url}/{address}")
        expect(page.get_by_text(ready).first).to_be_visible(timeout=LONG)
        shoot(page, folder / f"{name}.png")

    take("overview", "", "The zero-shot fence")
    take("model", "Model", "Architecture, layer by layer")
    take("forget", f"Forget?job={run}", "Remaining accuracy")
    take("attention", f"Attention?job={run}", "How alike the maps are")
    take("results", f"Results?job={run}", "What is read as what")
    take("compare", "Compare?compare=table1-digits-resnet", "What was kept, what was forgotten")
    take("runs", f"Runs?job={run}", "What was kept, what was forgotten")
    page.goto(f"{server.url}/Proxies?job={run}")
    expect(page.get_by_text("Click a point").first).to_be_visible(timeout=LONG)
    page.wait_for_timeout(SETTLED)
    expect(page.get_by_text("Drawing the UMAP")).to_have_count(0, timeout=LONG)
    shoot(page, folder / "proxies.png")
    page.goto(f"{server.url}/Learn?lesson=3&epsilon=32")
    page.get_by_test_id("stRadio").get_by_text(ANSWER).click()
    page.get_by_role("button", name="Show the answer").click()
    expect(page.get_by_text("Pre-run on").first).to_be_visible(timeout=LONG)
    expect(page.get_by_role("meter")).to_be_visible(timeout=LONG)
    shoot(page, folder / "learn.png")


def make_runs(page, server):
    """Make the demo's run by its button and some others by the queue; return the demo's id."""
    page.goto(server.url)
    page.get_by_role("button", name="Forget the 3s").click()
    page.wait_for_url("**job=*")
    store = open_store(server.home)
    (demo,) = store.latest(kind="unlearn")
    others = []
    for method, forget, settings in RIVALS:
        other = {"method": method, "forget": forget, "class_names": [str(k) for k in forget], "settings": settings}
        others.append(store.submit("unlearn", dict(demo.config) | other))
    wait_for_end(store, [demo, *others])
    store.rename(demo.id, "The demo")
    store.close()
    return demo.id


def shoot(page, path):
    """Take the picture once everything has been drawn, with the mouse out of the way."""
    page.mouse.move(page.viewport_size["width"] - 2, page.viewport_size["height"] - 2)
    page.wait_for_timeout(SETTLED)
    page.screenshot(path=path)


if __name__ == "__main__":
    main()
