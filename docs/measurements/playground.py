"""How quickly the Playground answers: `python docs/measurements/playground.py`, and `--record` for what it shows first.

Fifty turns of its knobs, drawn from a seed; the table in docs/playground.md is this program's output.
"""

from __future__ import annotations

import argparse
import json
import random
import statistics
import sys
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


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--record", action="store_true", help="write assets/playground.json instead of measuring")
    client = PlaneClient()
    begun = time.perf_counter()
    client.start()
    while not client.ready:
        time.sleep(0.01)
    print(f"engine ready after {time.perf_counter() - begun:.1f} s, {resident_mb(client.pid)} MB resident")
    if parser.parse_args().record:
        answer = client.ask(question_of(USUAL))
        with replace_file(FIRST) as partial:
            partial.write_text(json.dumps(answer, separators=(",", ":")), encoding="utf-8")
    else:
        measure(client)
    client.close()
    return 0


def measure(client: PlaneClient) -> None:
    taken, inside = [], {"unlearn": [], "look": []}
    for state in turns(CHANGES):
        begun = time.perf_counter()
        answer = client.ask(question_of(state))
        taken.append(time.perf_counter() - begun)
        for part, seconds in inside.items():
            seconds.append(answer["seconds"][part])
    for what, seconds in {"whole answer, with the pipe": taken, **inside}.items():
        cuts = statistics.quantiles(seconds, n=20)
        print(f"{what}: p50 {1000 * cuts[9]:.0f} ms, p95 {1000 * cuts[18]:.0f} ms, most {1000 * max(seconds):.0f} ms")


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
