"""Trials behind docs/choices.md and docs/relations.md: one JSON line each, never made twice.

    python docs/measurements/trials.py choices --part digits --out trials.jsonl
    python docs/measurements/trials.py relations --part cifar10_resnet_small --out trials.jsonl
    python docs/measurements/trials.py table --out trials.jsonl

Every trial is graded on the two halves of the test images apart: settings are chosen on the even-numbered one
("tuning"), and what is said of the choice is read off the odd-numbered one ("held"). A killed run goes on where it was.
Proxies and subspace that several trials share are made once.
"""

from __future__ import annotations

import argparse
import itertools
import json
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))

import torch  # noqa: E402

from zspag_core.checkpoints import load_checkpoint  # noqa: E402
from zspag_core.data.dataset import to_pixels  # noqa: E402
from zspag_core.devices import place, resolve_device  # noqa: E402
from zspag_core.errors import ZspagError  # noqa: E402
from zspag_core.hyperparameters import configure  # noqa: E402
from zspag_core.methods.shared_stages import SharedStages  # noqa: E402
from zspag_core.methods.zspag import ZSPAG  # noqa: E402
from zspag_core.metrics.accuracy import accuracy, mask_accuracy  # noqa: E402
from zspag_core.metrics.deep import probe  # noqa: E402
from zspag_core.metrics.layers import report_layers  # noqa: E402
from zspag_core.metrics.predictions import outputs_of  # noqa: E402
from zspag_core.reproduce.subject import find_checkpoint  # noqa: E402
from zspag_core.runs.assumptions import load_for  # noqa: E402
from zspag_core.runs.context import RunContext  # noqa: E402
from zspag_core.runs.samples import as_trained  # noqa: E402

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

DATA = {
    "digits": "digits_resnet",
    "cifar10_resnet": "cifar10_resnet",
    "cifar10_resnet_small": "cifar10_resnet_small",
    "cifar10_vit": "cifar10_vit",
    "cifar10_vit_earlier": "cifar10_vit_earlier",
    "fashion_mnist": "fashion_mnist_vgg",
}
TUNING = {
    "digits": (0, 3, 4, 8),
    "cifar10_resnet": (3,),
    "cifar10_resnet_small": (3,),
    "cifar10_vit": (3,),
    "cifar10_vit_earlier": (3,),
    "fashion_mnist": (6,),
}
SEEDS = (0, 1, 2)
PROBE_IMAGES = 3000

CHOICES: dict[str, tuple[Any, ...]] = {
    "energy": (0.8, 0.9, 0.95, 0.97, 0.99),
    "attack_confidence": (0.0, 0.9, 0.99, 1.0),
    "tolerance": (0.0, 0.05, 0.2),
    "pooling": ("per_class", "pooled"),
    "coverage": ("second_best", "balanced"),
    "label_mode": ("posterior", "influence_anchored", "influence", "second_best", "random"),
    "influence_sign": ("training", "removing"),
    "learning_rate": (0.01, 0.03, 0.1, 0.3),
    "epsilon": (4 / 255, 8 / 255, 16 / 255, 32 / 255),
    "n_adv": (10, 30, 100, 300),
    "attack_steps": (3, 5, 8, 15, 30),
}
STEP_SIZES = {3: 0.6, 5: 0.4, 8: 0.25, 15: 0.125, 30: 0.125}
WITH: dict[str, Callable[[Any], dict[str, Any]]] = {
    "influence_sign": lambda _: {"label_mode": "influence_anchored"},
    "attack_steps": lambda steps: {"step_size": STEP_SIZES[steps]},
}
"""What must be set besides for a knob to matter: the knob -> its value -> settings."""
RATES = (0.0003, 0.001, 0.003, 0.01, 0.03, 0.1, 0.3)
ARMS = ("estimated", "random", "none")
ATTACKS = ("pgd", "fgsm", "cw", "deepfool")
BUDGETS = (0.5 / 255, 1 / 255, 2 / 255, 4 / 255, 8 / 255, 32 / 255)
HALVES = ("tuning", "held")


def main() -> int:
    """Run the trials that are asked for, or print those made so far as tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("choices", "relations", "claims", "table"))
    parser.add_argument("--part", choices=tuple(DATA), default="digits")
    parser.add_argument("--checkpoint", type=Path, default=None, help="another original, for example an overfitted one")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--seeds", type=int, default=len(SEEDS))
    parser.add_argument("--device", default="auto", help="auto, cpu, mps, cuda or cuda:N")
    parser.add_argument("--knobs", default="", help="only these, separated by commas")
    chosen = parser.parse_args()
    if chosen.what == "table":
        print(table(read(chosen.out)))
        return 0
    checkpoint = chosen.checkpoint or find_checkpoint(DATA[chosen.part])
    bench = Trials(chosen.part, checkpoint, resolve_device(chosen.device))
    plans = {"choices": choices, "relations": relations, "claims": claims}
    knobs = set(filter(None, chosen.knobs.split(",")))
    for trial in plans[chosen.what](chosen.part, chosen.seeds, bench.dataset.num_classes):
        if knobs and trial["knob"] not in knobs:
            continue
        bench.make(trial | {"what": chosen.what, "part": chosen.part, "model": checkpoint.stem}, chosen.out)
    return 0


def choices(part: str, seeds: int, _num_classes: int) -> Iterator[dict[str, Any]]:
    """One knob at a time around the defaults, on the tuning classes."""
    for (knob, options), seed, k in itertools.product(CHOICES.items(), SEEDS[:seeds], TUNING[part]):
        besides = WITH.get(knob, lambda _: {})
        for option in options:
            yield {"knob": knob, "forget": [k], "seed": seed, "settings": {knob: option} | besides(option)}


def relations(part: str, seeds: int, _num_classes: int) -> Iterator[dict[str, Any]]:
    """Relations (b), (c), (d): the three arms at every learning rate, the attacks, the budgets."""
    for seed, k in itertools.product(SEEDS[:seeds], TUNING[part]):
        for arm, rate in itertools.product(ARMS, RATES):
            arms = {"subspace": arm, "label_mode": "random", "learning_rate": rate, "stop_rule": False, "epochs": 2}
            yield {"knob": "arms", "forget": [k], "seed": seed, "settings": arms}
        for attack in ATTACKS:
            yield {"knob": "attack", "forget": [k], "seed": seed, "settings": {"attack": attack}}
        for epsilon in BUDGETS:
            settings = {"epsilon": epsilon, "coverage": "second_best"}
            yield {"knob": "budget", "forget": [k], "seed": seed, "settings": settings}


def claims(_part: str, _seeds: int, num_classes: int) -> Iterator[dict[str, Any]]:
    """What the documents promise: the defaults on every class and on three at once."""
    groups = [[k] for k in range(num_classes)] + ([[1, 3, 5]] if num_classes > 5 else [])
    for forget in groups:
        yield {"knob": "defaults", "forget": forget, "seed": 0, "settings": {}}


MEMORY_LIMIT = 12


class Trials:
    """One model and its data, on which trials are made."""

    def __init__(self, part: str, checkpoint: Path, device: torch.device) -> None:
        loaded = load_checkpoint(checkpoint)
        self.model = place(loaded.model, device).eval()
        self.dataset = load_for(loaded, loaded.about["data"])
        generator = torch.Generator().manual_seed(0)
        self.train = as_trained(self.dataset, loaded.about, TUNING[part]).train
        self.probed = self.train.sample(PROBE_IMAGES, generator)
        self.before = outputs_of(self.model, self.dataset.test.images)
        self.kept: dict[Any, Any] = {}

    def make(self, trial: dict[str, Any], out: Path) -> None:
        """Make one trial unless its line is in the file already."""
        done = [{key: row[key] for key in trial if key in row} for row in read(out)]
        if trial in done:
            return
        start = time.perf_counter()
        try:
            figures = self._figures(trial)
        except ZspagError as error:
            figures = {"error": str(error)}
        row = trial | figures | {"seconds": round(time.perf_counter() - start, 1)}
        with out.open("a", encoding="utf-8") as lines:
            lines.write(json.dumps(row) + "\n")
        print(json.dumps(row), flush=True)

    def _figures(self, trial: dict[str, Any]) -> dict[str, Any]:
        forget, test = tuple(trial["forget"]), self.dataset.test
        method = configure(ZSPAG, trial["settings"])
        if len(self.kept) > MEMORY_LIMIT:
            self.kept.clear()
        run = method.unlearn(
            self.model,
            self.train.of_classes(forget),
            forget,
            RunContext(
                torch.Generator().manual_seed(trial["seed"]),
                cache=SharedStages(self.kept, method, forget, trial["seed"]),
            ),
        )
        after = outputs_of(run.model, test.images)
        trained = outputs_of(run.model, self.probed.images)
        found = probe(trained.features, self.probed.labels, after.features, test.labels, forget, 0)
        return (
            self._grades(after.logits, forget)
            | self._layers(run, forget)
            | {
                "probe": found,
                "history": len(run.history),
                "epochs": sum(row["images"] for row in run.history) / len(self.train.of_classes(forget)),
                "stopped": run.stopped,
                "asr": run.proxies.asr,
                "proxies": len(run.proxies),
                "influence": [run.labels.influence_before, run.labels.influence_after],
                "residual": run.labels.residual,
                "projected_share": run.labels.projected_share,
            }
        )

    def _grades(self, logits: Any, forget: tuple[int, ...]) -> dict[str, Any]:
        """Return accuracies of the original, of masking alone and of the model after, per half and together."""
        labels, figures = self.dataset.test.labels, {}
        parts = {"tuning": slice(0, None, 2), "held": slice(1, None, 2), "all": slice(None)}
        for name, part in parts.items():
            before, after = (accuracy(x[part], labels[part], forget) for x in (self.before.logits, logits))
            figures[name] = {
                "original": [before.acc_rt, before.acc_ut],
                "mask": mask_accuracy(self.before.logits[part], labels[part], forget),
                "acc_rt": after.acc_rt,
                "acc_ut": after.acc_ut,
            }
        return figures

    def _layers(self, run: Any, forget: tuple[int, ...]) -> dict[str, Any]:
        """Return the largest leak and drift, and how many layers moved with 0 < rank < dim."""
        real = self.dataset.test.without_classes(forget)[torch.arange(128)]
        layers = report_layers(
            self.model,
            run.model,
            run.subspace,
            run.proxies.images[:128],
            run.proxies.labels[:128],
            to_pixels(real.images),
        )
        return {
            "drift": max(layer.drift_real or 0.0 for layer in layers),
            "drift_below_head": max(layer.drift_real or 0.0 for layer in layers if layer.name != "head"),
            "leak": max(layer.leak for layer in layers),
            "free": sum(0 < layer.rank < layer.dim for layer in layers),
            "moved": sum(0 < layer.rank < layer.dim and layer.moved > 0 for layer in layers),
            "layers": len(layers),
        }


def read(path: Path) -> list[dict[str, Any]]:
    """Read the trials made so far."""
    if not path.exists():
        return []
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def table(rows: list[dict[str, Any]]) -> str:
    """Print one Markdown line per part, model, knob and setting: mean and spread over classes and seeds."""
    groups: dict[tuple[str, ...], list[dict[str, Any]]] = {}
    for row in rows:
        forget = json.dumps(row["forget"]) if row["what"] == "claims" else ""
        key = (row["part"], row["model"], row["knob"], forget, json.dumps(row["settings"]))
        groups.setdefault(key, []).append(row)
    heads = ["data", "model", "knob", "forget", "settings", "runs"]
    heads += ["tuning: Acc_rt − original", "− mask", "Acc_ut", "held: Acc_rt − original", "− mask", "Acc_ut"]
    heads += ["probe", "epochs", "drift", "s"]
    lines = ["| " + " | ".join(heads) + " |", "|---" * len(heads) + "|"]
    for key, members in groups.items():
        good = [row for row in members if "error" not in row]
        lines.append("| " + " | ".join([*key, f"{len(good)}/{len(members)}", *_cells(good)]) + " |")
    return "\n".join(lines)


def _cells(rows: list[dict[str, Any]]) -> list[str]:
    if not rows:
        return ["failed"] + [""] * 9
    columns = []
    for half in HALVES:
        columns.append([row[half]["acc_rt"] - row[half]["original"][0] for row in rows])
        columns.append([row[half]["acc_rt"] - row[half]["mask"] for row in rows])
        columns.append([row[half]["acc_ut"] for row in rows])
    columns += [[row[name] for row in rows] for name in ("probe", "epochs", "drift", "seconds")]
    return [f"{sum(c) / len(c):.2f} ({min(c):.2f} to {max(c):.2f})" for c in columns]


if __name__ == "__main__":
    sys.exit(main())
