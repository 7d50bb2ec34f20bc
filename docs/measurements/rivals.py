"""The figures behind docs/rivals.md: methods beside each other on few images, as published and tuned alike.

    python docs/measurements/rivals.py run digits --out rivals.jsonl
    python docs/measurements/rivals.py run cifar10_resnet_small delete ssd --out rivals.jsonl
    python docs/measurements/rivals.py table --out rivals.jsonl

Without methods, all those of the page. Every method is tuned by the rule of `reproduce` on the first class, on held-out
training images; what was chosen is then run on both classes. Finished runs are one JSON line each and not made again.
"""

from __future__ import annotations

import argparse
import json
import sys
from functools import partial
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))

import torch  # noqa: E402

from zspag_core.checkpoints import load_checkpoint  # noqa: E402
from zspag_core.data import Split  # noqa: E402
from zspag_core.errors import UnlearningError  # noqa: E402
from zspag_core.hyperparameters import configure  # noqa: E402
from zspag_core.methods import find_method  # noqa: E402
from zspag_core.methods.catalogue import find_entry  # noqa: E402
from zspag_core.metrics.accuracy import accuracy  # noqa: E402
from zspag_core.metrics.predictions import logits_of  # noqa: E402
from zspag_core.reproduce.subject import find_checkpoint  # noqa: E402
from zspag_core.reproduce.tuning import Trial, tune  # noqa: E402
from zspag_core.runs.assumptions import load_for  # noqa: E402
from zspag_core.runs.context import RunContext  # noqa: E402
from zspag_core.runs.samples import as_trained  # noqa: E402

METHODS = ("posterior", "delete", "pour_p", "ssd", "scrub", "cola", "jit", "mu_mis", "spotter", "ispf", "zspag")
TRIALS = 3
HELD = 0.2  # of the training images that methods are given, for tuning
FIGURES = ("acc_rt", "acc_ut", "seconds")
MODELS: dict[str, dict[str, Any]] = {
    "digits": {"file": "digits_resnet", "classes": (3, 8), "forget": 1000, "retain": 2000, "test": 2000},
    "cifar10_resnet_small": {"classes": (3, 7), "forget": 150, "retain": 450, "test": 1000},
}


class Bench:
    """One model with few images, and what was measured on it."""

    def __init__(self, name: str, out: Path) -> None:
        """Load model and data."""
        self.name, self.out, self.sizes = name, out, MODELS[name]
        loaded = load_checkpoint(find_checkpoint(self.sizes.get("file", name)))
        self.model = loaded.model.eval()
        self.data = as_trained(load_for(loaded, loaded.about["data"]), loaded.about, self.sizes["classes"])

    def images(self, label: int, *, tuning: bool) -> tuple[Split, Split, Split]:
        """Return forget and remaining samples, and those that a model is judged on."""
        generator = torch.Generator().manual_seed(0)
        gone = self.data.train.of_classes((label,)).sample(self.sizes["forget"], generator)
        rest = self.data.train.without_classes((label,)).sample(self.sizes["retain"], generator)
        if not tuning:
            return gone, rest, self.data.test.sample(self.sizes["test"], generator)
        cuts = [round((1 - HELD) * len(part)) for part in (gone, rest)]
        held = Split(
            torch.cat([part.images[cut:] for part, cut in zip((gone, rest), cuts, strict=True)]),
            torch.cat([part.labels[cut:] for part, cut in zip((gone, rest), cuts, strict=True)]),
        )
        return gone[torch.arange(cuts[0])], rest[torch.arange(cuts[1])], held

    def figures(self, method: str, settings: dict[str, Any], label: int, *, tuning: bool = False) -> dict[str, Any]:
        """Return what a method comes to, from the file where that is known."""
        asked = {"model": self.name, "method": method, "settings": settings, "label": label, "tuning": tuning}
        for line in self.out.read_text().splitlines() if self.out.exists() else ():
            if {name: json.loads(line)[name] for name in asked} == asked:
                return json.loads(line)
        gone, rest, judged = self.images(label, tuning=tuning)
        configured = configure(find_method(method), settings)
        try:
            data = (gone, rest) if configured.needs_retain else (gone,)
            made = configured.unlearn(self.model, *data, (label,), RunContext(torch.Generator().manual_seed(0)))
            found = accuracy(logits_of(made.model, judged.images), judged.labels, (label,))
            row = {"acc_rt": found.acc_rt, "acc_ut": found.acc_ut, "seconds": sum(made.seconds.values())}
        except (UnlearningError, ValueError):  # no numbers, in the weights or in what is computed of them
            row = dict.fromkeys(FIGURES)
        with self.out.open("a") as file:
            file.write(json.dumps(asked | row) + "\n")
        print(json.dumps(asked | row), flush=True)
        return row

    def trial(self, method: str, value: float) -> Trial:
        """Try one value of the knob on the first class."""
        entry = find_entry(method)
        settings = {**entry.tuned, entry.tuning.name: value}
        row = self.figures(method, settings, self.sizes["classes"][0], tuning=True)
        return Trial(value, row["acc_rt"], row["acc_ut"])

    def rows(self, method: str) -> dict[str, dict[str, Any]]:
        """Return the settings of a method's rows: as published or by default, and tuned."""
        entry = find_entry(method)
        rows = {"official": dict(entry.official)} if entry.official and method != "ispf" else {"default": {}}
        if entry.tuning is not None and method != "zspag":
            best, _ = tune(entry.tuning, TRIALS, partial(self.trial, method))
            rows["tuned"] = {**entry.tuned, entry.tuning.name: best.value}
        return rows


def table(out: Path) -> None:
    """Print every row that is not a trial."""
    for line in out.read_text().splitlines():
        row = json.loads(line)
        if not row["tuning"]:
            said = ", ".join(f"{name} {value}" for name, value in row["settings"].items())
            figures = [f"{row[name]:.1f}" if row[name] is not None else "NaN" for name in FIGURES]
            print(f"| {row['model']} {row['label']} | {row['method']} | {said} | {' | '.join(figures)} |")


def main() -> None:
    """Do what the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("task", choices=("run", "table"))
    parser.add_argument("model", nargs="?", choices=tuple(MODELS))
    parser.add_argument("methods", nargs="*")
    parser.add_argument("--out", type=Path, default=Path("rivals.jsonl"))
    asked = parser.parse_args()
    if asked.task == "table":
        table(asked.out)
        return
    bench = Bench(asked.model, asked.out)
    for method in asked.methods or METHODS:
        for settings in bench.rows(method).values():
            for label in MODELS[asked.model]["classes"]:
                bench.figures(method, settings, label)


if __name__ == "__main__":
    main()
