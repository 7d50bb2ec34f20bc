"""The moving picture of the README, from a real run on digits: `python -m tests.e2e.film [file]`."""

from __future__ import annotations

import io
import sys
import tempfile
import time
from pathlib import Path

from PIL import Image
from playwright.sync_api import expect, sync_playwright

from tests.e2e.serving import FLAGS, ROOT, find_chromium, open_store, start_server
from tests.e2e.waiting import LONG, wait_until

VIEWPORT = {"width": 1280, "height": 800}
WIDTH, COLOURS = 800, 96
STEP_SECONDS, SHOWN_SECONDS, LAST_SECONDS = 0.8, 0.5, 3.0
MOST_BYTES = 2_000_000


def main():
    file = Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "docs" / "screens" / "run.gif"
    with tempfile.TemporaryDirectory() as home, sync_playwright() as driver:
        server = start_server(Path(home))
        browser = driver.chromium.launch(executable_path=find_chromium(), args=FLAGS)
        page = browser.new_context(viewport=VIEWPORT, color_scheme="light").new_page()
        page.set_default_timeout(LONG)
        try:
            pictures = record(page, server)
        finally:
            browser.close()
            server.stop()
    write(file, pictures)
    print(f"{file}: {len(pictures)} pictures, {file.stat().st_size / 1e6:.2f} MB")  # noqa: T201
    return int(file.stat().st_size > MOST_BYTES)


def record(page, server):
    """Return pictures of the demo from its button to its results, each with the seconds that it is to be shown."""
    page.goto(server.url)
    button = page.get_by_role("button", name="Forget the 3s")
    expect(button).to_be_visible(timeout=LONG)
    store = open_store(server.home)
    wait_until(lambda: any("runs" in worker.lanes for worker in store.heartbeats.alive("worker")), "no worker comes")
    page.wait_for_timeout(2_000)
    pictures = [(shoot(page), 1.5)]
    button.click()
    page.wait_for_url("**job=*")
    (demo,) = store.latest(kind="unlearn")
    while store.require(demo.id).active:
        began = time.monotonic()
        pictures.append((shoot(page), SHOWN_SECONDS))
        page.wait_for_timeout(max(0.0, STEP_SECONDS - (time.monotonic() - began)) * 1000)
    store.close()
    page.wait_for_timeout(2_500)
    pictures.append((shoot(page), LAST_SECONDS))
    for address, ready in (
        (f"Proxies?job={demo.id}", "Click a point"),
        (f"Results?job={demo.id}", "What is read as what"),
    ):
        page.goto(f"{server.url}/{address}")
        expect(page.get_by_text(ready).first).to_be_visible()
        page.wait_for_timeout(3_000)
        pictures.append((shoot(page), LAST_SECONDS))
    return pictures


def shoot(page):
    """Return what the page shows, as an image."""
    return Image.open(io.BytesIO(page.screenshot())).convert("RGB")


def write(file, pictures):
    """Write the pictures as one GIF; one that is like its predecessor lengthens that instead."""
    small = [
        (one.resize((WIDTH, round(WIDTH * one.height / one.width)), Image.LANCZOS), shown) for one, shown in pictures
    ]
    frames, durations = [], []
    for image, shown in small:
        if frames and frames[-1].tobytes() == image.tobytes():
            durations[-1] += shown
        else:
            frames.append(image)
            durations.append(shown)
    palette = _palette(_beside(frames[:: max(1, len(frames) // 6)] + frames[-1:]))
    quantized = [frame.quantize(palette=palette, dither=Image.Dither.NONE) for frame in frames]
    quantized[0].save(
        file,
        save_all=True,
        append_images=quantized[1:],
        duration=[round(1000 * shown) for shown in durations],
        loop=0,
        optimize=True,
    )


def _palette(picture):
    """Return a palette of the most usual colours, which large areas have, and of some that lie far from each other."""
    usual = [colour for _, colour in sorted(picture.getcolors(picture.width * picture.height), reverse=True)[:COLOURS]]
    apart = picture.quantize(256 - len(usual), Image.Quantize.MAXCOVERAGE).getpalette()
    palette = Image.new("P", (1, 1))
    palette.putpalette([value for colour in usual for value in colour] + apart)
    return palette


def _beside(frames):
    """Return frames as one picture: the colours of few pixels, a button's or a curve's, are in some of them only."""
    whole = Image.new("RGB", (len(frames) * frames[0].width, max(frame.height for frame in frames)))
    for place, frame in enumerate(frames):
        whole.paste(frame, (place * frame.width, 0))
    return whole


if __name__ == "__main__":
    sys.exit(main())
