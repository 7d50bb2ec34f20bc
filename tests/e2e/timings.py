"""Measure how quickly the dashboard answers, and print it beside what is aimed at: `python -m tests.e2e.timings`.

It starts a server with an empty home, and Chromium, and takes about three minutes. The figures mean something only
while nothing else computes; the aims are for two cores. With --cifar it forgets two classes of CIFAR-10 instead, on all
cores: one is ticked and clicked at once, the other when the page says that its run is prepared.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from playwright.sync_api import sync_playwright
from sklearn.datasets import load_digits

from tests.e2e.serving import FLAGS, VIEWPORT, find_chromium, open_store, start_server
from ui.shell.checkpoints import shipped_checkpoints
from zspag_core.jobs import State

PAGES = ("Model", "Forget", "Proxies", "Attention", "Results", "Compare", "Runs", "Learn", "Overview")
POINTS = 2000
LONG = 120_000  # milliseconds: what takes longer will not come
LIVE_SECONDS = 20
READ_SECONDS = 15
"""How long a person looks at the Overview before the first click; the worker makes the demo's proxies meanwhile."""
DEMO_MARKS = ("first epoch", "final figures", "end")
CIFAR_MARKS = ("first point", *DEMO_MARKS)
EPOCH_SHOWN = """() => {
    const roots = [...document.querySelectorAll('[class*=st-key-live-] *')].flatMap((one) => one.shadowRoot ?? []);
    const pictures = roots.flatMap((root) => [...root.querySelectorAll('[aria-label*="After epoch"]')]);
    const label = pictures[0]?.getAttribute('aria-label');
    return label ? parseFloat(label.match(/After epoch ([0-9]+(?:[.][0-9]+)?)/)[1]) : 0;
}"""
IDLE = "() => new Promise((done) => requestIdleCallback(() => requestIdleCallback(done)))"
STILL = "() => document.querySelector('[data-testid=stApp]')?.dataset.testScriptState === 'notRunning'"
FRESH_PREVIEW = """(before) => {
    const meter = document.querySelector('[role=meter]');
    const text = meter?.parentElement.innerText;
    return text && text !== before && !meter.parentElement.style.opacity;
}"""
PREVIEW_TEXT = "() => document.querySelector('[role=meter]')?.parentElement.innerText"


@dataclass(frozen=True)
class Row:
    """One line of the table: what was measured, in seconds, and the aim, if there is one."""

    what: str
    seconds: list[float]
    aim: float | None

    def __str__(self) -> str:
        middle, worst = statistics.median(self.seconds), max(self.seconds)
        aim = "" if self.aim is None else f"{self.aim:.1f}"
        kept = "" if self.aim is None else "kept" if middle <= self.aim else "missed"
        return f"{self.what:<58}{middle:>8.2f}{worst:>8.2f}{len(self.seconds):>5}{aim:>7}  {kept}"


def first_paint(browser, url):
    """Open the Overview as a new visitor, several times; the first time warms the server and is not counted."""
    found = []
    for _ in range(6):
        context = browser.new_context(viewport=VIEWPORT)
        context.set_default_timeout(LONG)
        page = context.new_page()
        start = time.perf_counter()
        page.goto(url, wait_until="commit")
        page.get_by_role("button", name="Forget the 3s").wait_for()
        found.append(time.perf_counter() - start)
        context.close()
    return [Row("warm first paint of the Overview", found[1:], 3.0)]


def demo(page, url, store):
    """Forget the threes with one click: as the first of a server, once the Overview has been read, and twice more."""
    clicks = [click_to_end(page, url, READ_SECONDS if first else 0) for first in (True, False, False)]
    jobs = store.latest(kind="unlearn")
    assert [job.state for job in jobs] == [State.DONE] * len(clicks), [job.error for job in jobs]
    for words, found in ((f"first demo, clicked after {READ_SECONDS} s", clicks[:1]), ("next demo", clicks[1:])):
        for what, took, aim in zip(DEMO_MARKS, zip(*found, strict=True), (None, 5.0, None), strict=True):
            yield Row(f"{words}, to its {what}", list(took), aim)


def click_to_end(page, url, seconds):
    """Open the Overview, read it so long, click on the demo, and return the seconds to each of DEMO_MARKS."""
    page.goto(url)
    page.get_by_text("Worker ready").wait_for(timeout=LONG)
    time.sleep(seconds)
    start = time.perf_counter()
    page.get_by_role("button", name="Forget the 3s").click()
    return seconds_to_marks(page, start)[1:]


def cifar(browser, server):
    """Forget a class of CIFAR-10, clicked as soon as its preview is there; and one that has been prepared."""
    for name, prepared in (("ship", False), ("dog", True)):
        page = browser.new_page(viewport=VIEWPORT)
        page.goto(f"{server.url}/Forget?model=cifar10_resnet_small&data=cifar10")
        page.get_by_role("img", name=f"An image of class {name}").wait_for(timeout=LONG)
        page.get_by_text("Worker ready").wait_for(timeout=LONG)
        ticked = time.perf_counter()
        page.get_by_test_id("stCheckbox").filter(has_text=name).first.click()
        page.wait_for_function(FRESH_PREVIEW, arg="", timeout=LONG)
        if prepared:
            page.get_by_text("what this run begins with is made").wait_for(timeout=2 * LONG)
            yield Row("CIFAR-10, ticked until prepared", [time.perf_counter() - ticked], None)
        start = time.perf_counter()
        page.get_by_role("button", name="Forget", exact=True).click()
        aims = (None, 8.0, 30.0, None)
        for what, took, aim in zip(CIFAR_MARKS, seconds_to_marks(page, start), aims, strict=True):
            yield Row(f"CIFAR-10, {'prepared' if prepared else 'at once'}, to its {what}", [took], aim)
        page.close()


def seconds_to_marks(page, start):
    """Return the seconds from the click on to each of CIFAR_MARKS; epoch 0, the original, is none of them."""
    page.wait_for_url("**job=*")
    found = []
    for epoch in (0.01, 1):
        page.wait_for_function(f"() => ({EPOCH_SHOWN})() >= {epoch}", timeout=LONG)
        found.append(time.perf_counter() - start)
    for mark in (
        page.get_by_text("Remaining accuracy", exact=True),
        page.get_by_role("button", name="Take its settings"),
    ):
        mark.wait_for(timeout=LONG)
        found.append(time.perf_counter() - start)
    return found


def page_switch(page):
    """Go round all pages, with the demo's run open; the first round, which loads the chart library, counts apart."""
    heads, wholes = [], []
    for _ in range(3):
        for name in PAGES:
            page.wait_for_function(STILL)
            start = time.perf_counter()
            page.get_by_test_id("stSidebarUserContent").get_by_role("link", name=name).click()
            page.get_by_role("heading", name=name, exact=True, level=1).wait_for()
            heads.append(time.perf_counter() - start)
            page.wait_for_function(STILL)
            wholes.append(time.perf_counter() - start)
    count = len(PAGES)
    return [
        Row("page switch, until the new page is headed", heads[count:], 0.7),
        Row("page switch, until all of it is there", wholes[count:], None),
        Row("page switch, the first time round", heads[:count], None),
    ]


def preview(page, url, digit, what, aim):
    """Move the budget step by step and wait each time for the answer to the new value, which nobody asked before."""
    page.goto(f"{url}/Forget")
    page.get_by_role("img", name="An image of class 3").wait_for(timeout=LONG)
    page.get_by_test_id("stCheckbox").filter(has_text=digit).first.click()
    page.wait_for_function(FRESH_PREVIEW, arg="", timeout=LONG)
    slider = page.get_by_role("slider", name="perturbation budget")
    slider.focus()
    found = []
    for _ in range(6):
        before = page.evaluate(PREVIEW_TEXT)
        start = time.perf_counter()
        page.keyboard.press("ArrowLeft")
        page.wait_for_function(FRESH_PREVIEW, arg=before, timeout=LONG)
        found.append(time.perf_counter() - start)
    return [Row(what, found[1:], aim)]


def live(page, url, store):
    """Watch a long run: how long after an epoch's end its point, or a later one, is drawn; and a preview meanwhile."""
    settings = {"epochs": 1000, "stop_rule": False}
    job = store.submit("unlearn", config_of("digits") | {"method": "zspag", "settings": settings})
    page.goto(f"{url}/Forget?job={job.id}")
    page.wait_for_function(f"() => ({EPOCH_SHOWN})() >= 1", timeout=LONG)
    shown, last = {}, int(page.evaluate(EPOCH_SHOWN))
    first, until = last, time.monotonic() + LIVE_SECONDS
    while time.monotonic() < until:
        epoch = int(page.evaluate(EPOCH_SHOWN))
        shown |= dict.fromkeys(range(last + 1, epoch + 1), time.time())
        last = max(last, epoch)
        time.sleep(0.02)
    ended = {event.body["epoch"]: event.at for event in store.events(job.id) if event.kind == "epoch"}
    lags = [at - ended[epoch] for epoch, at in shown.items() if epoch > first]
    rows = [Row("live chart behind the run", lags, 1.5)]
    rows += preview(page, url, "5", "preview after a move of the slider, during a run", 2.0)
    store.cancel(job.id)
    return rows


def umap(page, url, store, folder):
    """Open the map of 2,000 points twice, of two data sets: the first UMAP of a process imports and compiles.

    `folder` is the server's home: it is not that of this process.
    """
    rows = []
    for number, note in enumerate(("first UMAP of its process", "the next")):
        job = store.submit("unlearn", config_of(str(many_digits(folder, number))) | {"method": "mask"})
        while store.require(job.id).active:
            time.sleep(0.2)
        done = store.require(job.id)
        assert done.state == State.DONE, done.error
        page.goto(f"{url}/Results?job={job.id}")
        page.get_by_text("of the test images were read right").wait_for(timeout=LONG)
        page.wait_for_function(STILL)
        page.evaluate(IDLE)  # the charts of Results are drawn, as they are when a person clicks
        start = time.perf_counter()
        page.get_by_test_id("stSidebarUserContent").get_by_role("link", name="Proxies").click()
        page.locator("canvas.map").wait_for(timeout=LONG)
        pca = time.perf_counter() - start
        while not (folder / "runs" / job.id / "map_umap.safetensors").exists():
            page.wait_for_timeout(20)
        page.get_by_text("Drawing the UMAP").wait_for(state="detached", timeout=LONG)
        rows.append(Row(f"PCA of {POINTS:,} points, from the click ({note})", [pca], 0.5))
        rows.append(Row(f"UMAP of {POINTS:,} points, from the click ({note})", [time.perf_counter() - start], 10.0))
    return rows


def many_digits(folder, seed):
    """Write handwritten digits, some of them twice with a little noise, as a set of 2,000 test images."""
    digits, rng = load_digits(), np.random.default_rng(seed)
    images = (digits.images * 15.9).astype(np.uint8)
    more = rng.integers(0, len(images), POINTS - len(images))
    noisy = np.clip(images[more].astype(np.int64) + rng.integers(-9, 10, images[more].shape), 0, 255).astype(np.uint8)
    test, labels = np.concatenate([images, noisy]), np.concatenate([digits.target, digits.target[more]])
    path = folder / f"many-{seed}.npz"
    np.savez(path, train_x=images[:400], train_y=digits.target[:400], test_x=test, test_y=labels)
    return path


def config_of(data):
    model = next(path for path in shipped_checkpoints() if path.stem.startswith("digits"))
    shared = {"data": data, "checkpoint": str(model), "forget": [3], "class_names": ["3"]}
    return shared | {"relearning": False, "settings": {}}


def measure(browser, server, store):
    """Measure everything, in an order in which nothing waits for what was asked before; yield rows as they come."""
    yield from first_paint(browser, server.url)
    page = browser.new_context(viewport=VIEWPORT).new_page()
    page.set_default_timeout(LONG)
    yield from demo(page, server.url, store)
    page.goto(f"{server.url}/Proxies?job={store.latest(kind='unlearn')[0].id}")  # so that its UMAP is no load later
    page.get_by_text("the zero line, the same features placed twice").wait_for(timeout=LONG)
    yield from page_switch(page)
    yield from preview(page, server.url, "3", "preview after a move of the slider", 1.0)
    yield from live(page, server.url, store)
    yield from umap(page, server.url, store, server.home)


def main():
    """Measure and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cifar", action="store_true", help="forget classes of CIFAR-10 instead")
    chosen = parser.parse_args()
    chromium = find_chromium(whole=True)
    if chromium is None:
        sys.exit("timings: expected Chromium on this machine, found none")
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder, sync_playwright() as driver:
        server = start_server(Path(folder), threads=None if chosen.cifar else 1)
        store = open_store(server.home)
        browser = driver.chromium.launch(executable_path=chromium, args=FLAGS)
        try:
            print(f"{'':<58}{'median':>8}{'worst':>8}{'n':>5}{'aim':>7}  seconds", flush=True)
            for row in cifar(browser, server) if chosen.cifar else measure(browser, server, store):
                print(row, flush=True)
        finally:
            browser.close()
            store.close()
            server.stop()


if __name__ == "__main__":
    main()
