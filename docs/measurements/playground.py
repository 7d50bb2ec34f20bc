"""How quickly the Playground answers: `python docs/measurements/playground.py`; with `--page`, how quickly it redraws.

Fifty turns of its knobs, drawn from a seed; the table in docs/playground.md is this program's output. With `--page`
fifty turns of one knob, ε, in Chromium: from the key until the planes are drawn anew. `--record` measures nothing and
writes what the page shows first, assets/playground.json.
"""

from __future__ import annotations

import argparse
import json
import random
import statistics
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))

from ui.playground.engine import FIRST  # noqa: E402
from ui.playground.knobs import KNOBS  # noqa: E402
from ui.playground.state import USUAL, question_of  # noqa: E402
from zspag_core.files import replace_file  # noqa: E402
from zspag_core.plane.client import PlaneClient  # noqa: E402

CHANGES = 50
STAMPED_ANEW = """before => {
  const found = (root) => {
    const plane = root.querySelector("canvas[data-stamp]");
    if (plane) return plane;
    for (const part of root.querySelectorAll("*")) {
      const inside = part.shadowRoot && found(part.shadowRoot);
      if (inside) return inside;
    }
  };
  return found(document).dataset.stamp !== before;
}"""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--page", action="store_true", help="measure in a browser")
    parser.add_argument("--record", action="store_true", help="write assets/playground.json instead of measuring")
    chosen = parser.parse_args()
    if chosen.page:
        measure_page()
        return 0
    client = PlaneClient()
    begun = time.perf_counter()
    client.start()
    while not client.ready:
        time.sleep(0.01)
    print(f"engine ready after {time.perf_counter() - begun:.1f} s, {resident_mb(client.pid)} MB resident")
    if chosen.record:
        answer = client.ask(question_of(USUAL))
        with replace_file(FIRST) as partial:
            partial.write_text(json.dumps(answer, separators=(",", ":")), encoding="utf-8")
    else:
        measure(client)
    client.close()
    return 0


def measure(client: PlaneClient) -> None:
    taken, inside = [], {"unlearn": [], "look": [], "processor": []}
    for state in turns(CHANGES):
        begun = time.perf_counter()
        answer = client.ask(question_of(state))
        taken.append(time.perf_counter() - begun)
        for part, seconds in inside.items():
            seconds.append(answer["seconds"][part])
    for what, seconds in {"whole answer, with the pipe": taken, **inside}.items():
        tell(what, seconds)


def tell(what: str, seconds: list[float]) -> None:
    cuts = statistics.quantiles(seconds, n=20)
    print(f"{what}: p50 {1000 * cuts[9]:.0f} ms, p95 {1000 * cuts[18]:.0f} ms, most {1000 * max(seconds):.0f} ms")


def measure_page() -> None:
    from playwright.sync_api import sync_playwright

    from tests.e2e.serving import FLAGS, VIEWPORT, find_chromium, start_server

    with tempfile.TemporaryDirectory() as home, sync_playwright() as driver:
        server = start_server(Path(home))
        browser = driver.chromium.launch(executable_path=find_chromium(), args=FLAGS)
        page = browser.new_context(viewport=VIEWPORT).new_page()
        page.set_default_timeout(120_000)
        begun = time.perf_counter()
        page.goto(f"{server.url}/Playground")
        planes = page.locator("canvas[data-stamp]")
        planes.wait_for()
        print(f"planes on the screen after {time.perf_counter() - begun:.1f} s, the server just begun")
        page.get_by_text("Worker ready").wait_for()
        page.locator("canvas[data-live=true]").wait_for()
        page.wait_for_timeout(3000)
        slider, taken = page.locator('[data-part="push"]'), []
        for turn in range(CHANGES + 2):
            before = planes.get_attribute("data-stamp")
            begun = time.perf_counter()
            slider.press("ArrowRight" if turn < (CHANGES + 2) / 2 else "ArrowLeft")
            page.wait_for_function(STAMPED_ANEW, arg=before, polling=5)
            taken.append(time.perf_counter() - begun)
            page.wait_for_timeout(400)
        tell("from the key to the planes", taken[2:])
        browser.close()
        server.stop()


def turns(count: int) -> list[dict[str, object]]:
    """Return states each of which differs from the one before in one knob, and from all in what it asks."""
    chance = random.Random(0)  # noqa: S311 - turns of knobs, no secrets
    state, found, asked = dict(USUAL), [], {repr(question_of(USUAL))}
    while len(found) < count:
        knob = chance.choice(KNOBS)
        values = [True, False] if isinstance(knob.default, bool) else list(knob.words or knob.values)
        state = state | {knob.name: chance.choice(values)}
        if repr(question_of(state)) not in asked:
            asked.add(repr(question_of(state)))
            found.append(state)
    return found


def resident_mb(pid: int) -> int:
    status = Path(f"/proc/{pid}/status")
    return int(status.read_text().split("VmRSS:")[1].split()[0]) // 1024 if status.exists() else 0


if __name__ == "__main__":
    sys.exit(main())
