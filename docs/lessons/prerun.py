"""Make the runs that ship with the lessons: python docs/lessons/prerun.py [--only 3]

Every value of every lesson's knob is run on the lessons' model, one after the other, on the CPU, and the demo's model
is trained anew without the class that it forgets; assets/lessons/*.json is written anew. About ten minutes on two
cores. `--only 0` makes the demo's part alone.
"""

from __future__ import annotations

import argparse
import datetime
import os
import sys
import tempfile
from pathlib import Path
from typing import Any

from safetensors.numpy import load_file

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from ui.learn.lessons import LESSONS, Arm  # noqa: E402
from ui.learn.records import record_of  # noqa: E402 - the project is not installed
from ui.shell.checkpoints import recipe_of  # noqa: E402
from ui.shell.shipped_records import DEMO_RETRAINED, RETRAINED  # noqa: E402
from zspag_core.checkpoints import load_checkpoint  # noqa: E402
from zspag_core.errors import ZspagError  # noqa: E402
from zspag_core.files import write_json  # noqa: E402
from zspag_core.runs.config import RunConfig  # noqa: E402
from zspag_core.runs.execute import execute  # noqa: E402
from zspag_core.shipped import DEMO_DATA, DEMO_MODEL, LESSON_MODEL  # noqa: E402


def run(arm: Arm, model: Path = LESSON_MODEL) -> dict[str, Any]:
    """Carry out one run and return what the lesson keeps of it."""
    shown = arm.method == "retrain"  # on the Results page, too: with all figures
    settings = dict(arm.settings)
    config = RunConfig(
        DEMO_DATA, str(model), arm.forget, arm.method, settings, arm.seed, device="cpu", relearning=shown
    )
    with tempfile.TemporaryDirectory() as place:
        out = Path(place) / "run"
        try:
            result = execute(config, out)
        except ZspagError as error:
            return {"error": str(error).rstrip(".")}
        return record_of(result, load_file(out / "grading.safetensors"))


def main() -> None:
    parser = argparse.ArgumentParser(description="Make the runs that ship with the lessons.")
    parser.add_argument("--only", type=int, choices=range(len(LESSONS) + 1), help="number of the lesson; 0: the demo")
    only = parser.parse_args().only
    if only in {None, 0}:
        recipe = recipe_of(str(DEMO_MODEL))
        arms = {name: Arm(method="retrain", settings=recipe, seed=seed) for seed, name in enumerate(RETRAINED)}
        write(DEMO_RETRAINED, DEMO_MODEL, {name: run(arm, DEMO_MODEL) for name, arm in arms.items()})
    for number, lesson in enumerate(LESSONS, start=1):
        if only not in {None, number}:
            continue
        runs = {}
        for value in (*lesson.knob.values, *lesson.references):
            runs[value] = run(lesson.arm(value))
            print(lesson.file, value, runs[value].get("error") or runs[value]["after"], flush=True)
        write(lesson.runs, LESSON_MODEL, runs)


def write(path: Path, model: Path, runs: dict[str, Any]) -> None:
    """Write runs with day, machine and the model that they began from."""
    now = datetime.datetime.now(tz=datetime.UTC)
    made = f"{now.day} {now:%B %Y}"
    about = {"made": made, "machine": f"{os.cpu_count()} CPU cores", "sha256": load_checkpoint(model).sha256}
    write_json(path, about | {"runs": runs})


if __name__ == "__main__":
    main()
