"""Trials behind docs/choices.md and docs/relations.md: one JSON line each, never made twice.

    python docs/measurements/trials.py choices --part digits --out trials.jsonl
    python docs/measurements/trials.py relations --part cifar10_resnet --out trials.jsonl
    python docs/measurements/trials.py table --out trials.jsonl

Settings are compared on the even-numbered half of the test images ("tuning half") and on the classes named in TUNING;
what the documents claim is then measured on the whole test split and on all classes. A killed run goes on where it was.
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
from zspag_core.errors import ZspagError  # noqa: E402
from zspag_core.hyperparameters import configure  # noqa: E402
from zspag_core.methods import find_method  # noqa: E402
from zspag_core.metrics import accuracy, mask_accuracy, outputs_of, probe  # noqa: E402
from zspag_core.metrics.layers import report_layers  # noqa: E402
from zspag_core.runs import load_for  # noqa: E402

if TYPE_CHECKING:
    from collections.abc import Iterator

    from zspag_core.data.dataset import Split

DATA = {
    "digits": "digits_resnet",
    "cifar10_resnet": "cifar10_resnet",
    "cifar10_vit": "cifar10_vit",
    "fashion_mnist": "fashion_mnist_vgg",
}
TUNING = {"digits": (0, 3, 4, 8), "cifar10_resnet": (3,), "cifar10_vit": (3,), "fashion_mnist": (6,)}
SEEDS = (0, 1, 2)
PROBE_IMAGES = 3000

CHOICES: dict[str, tuple[Any, ...]] = {
    "energy": (0.6, 0.8, 0.9, 0.95, 0.97),
    "attack_confidence": (0.0, 0.9, 0.99, 1.0),
    "tolerance": (0.0, 0.05, 0.2),
    "pooling": ("per_class", "pooled"),
    "coverage": ("second_best", "balanced"),
    "label_mode": ("posterior", "influence_anchored", "influence", "second_best", "random"),
    "learning_rate": (0.01, 0.03, 0.1, 0.3),
    "epsilon": (4 / 255, 8 / 255, 16 / 255, 32 / 255),
    "n_adv": (10, 30, 100, 300),
}
RATES = (0.003, 0.01, 0.03, 0.1)
ARMS = ("estimated", "random", "none")
ATTACKS = ("pgd", "fgsm", "cw", "deepfool")
BUDGETS = (1 / 255, 2 / 255, 4 / 255, 8 / 255, 16 / 255, 32 / 255)


def main() -> int:
    """Run the trials that are asked for, or print those made so far as tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("choices", "relations", "claims", "table"))
    parser.add_argument("--part", choices=tuple(DATA), default="digits")
    parser.add_argument("--checkpoint", type=Path, default=None, help="another original, for example an overfitted one")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--seeds", type=int, default=len(SEEDS))
    chosen = parser.parse_args()
    if chosen.what == "table":
        print(table(read(chosen.out)))
        return 0
    checkpoint = chosen.checkpoint or ROOT / "assets" / "checkpoints" / f"{DATA[chosen.part]}.safetensors"
    bench = Trials(chosen.part, checkpoint)
    plans = {"choices": choices, "relations": relations, "claims": claims}
    for trial in plans[chosen.what](chosen.part, chosen.seeds, bench.dataset.num_classes):
        bench.make(trial | {"what": chosen.what, "part": chosen.part, "model": checkpoint.stem}, chosen.out)
    return 0


def choices(part: str, seeds: int, _num_classes: int) -> Iterator[dict[str, Any]]:
    """One knob at a time around the defaults, on the tuning classes."""
    for (knob, options), seed, k in itertools.product(CHOICES.items(), SEEDS[:seeds], TUNING[part]):
        for option in options:
            yield {"knob": knob, "forget": [k], "seed": seed, "settings": {knob: option}, "half": "tuning"}


def relations(part: str, seeds: int, _num_classes: int) -> Iterator[dict[str, Any]]:
    """Relations (b), (c), (d): the three arms at every learning rate, the attacks, the budgets."""
    for seed, k in itertools.product(SEEDS[:seeds], TUNING[part]):
        for arm, rate in itertools.product(ARMS, RATES):
            arms = {"subspace": arm, "label_mode": "random", "learning_rate": rate, "stop_rule": False, "epochs": 3}
            yield {"knob": "arms", "forget": [k], "seed": seed, "settings": arms, "half": "tuning"}
        for attack in ATTACKS:
            yield {"knob": "attack", "forget": [k], "seed": seed, "settings": {"attack": attack}, "half": "all"}
        for epsilon in BUDGETS:
            settings = {"epsilon": epsilon, "attack_confidence": 0.0}
            yield {"knob": "budget", "forget": [k], "seed": seed, "settings": settings, "half": "all"}


def claims(_part: str, _seeds: int, num_classes: int) -> Iterator[dict[str, Any]]:
    """What the documents promise: the defaults on every class and on three at once, whole test split."""
    groups = [[k] for k in range(num_classes)] + ([[1, 3, 5]] if num_classes > 5 else [])
    for forget in groups:
        yield {"knob": "defaults", "forget": forget, "seed": 0, "settings": {}, "half": "all"}


class Trials:
    """One model and its data, on which trials are made."""

    def __init__(self, part: str, checkpoint: Path) -> None:
        loaded = load_checkpoint(checkpoint)
        self.model = loaded.model.to(memory_format=torch.channels_last)
        self.dataset = load_for(loaded, part.removesuffix("_resnet").removesuffix("_vit"))
        generator = torch.Generator().manual_seed(0)
        self.probed = self.dataset.train.sample(PROBE_IMAGES, generator)
        self.before: dict[str, Any] = {}

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
        forget = tuple(trial["forget"])
        method = configure(find_method("zspag"), trial["settings"])
        samples = self.dataset.train.of_classes(forget)
        generator = torch.Generator().manual_seed(trial["seed"])
        run = method.unlearn(self.model, samples, forget, generator=generator)
        test = self._half(trial["half"])
        before, after = (outputs_of(model, test.images) for model in (self.model, run.model))
        graded = accuracy(after.logits, test.labels, forget)
        original = accuracy(before.logits, test.labels, forget)
        trained = outputs_of(run.model, self.probed.images)
        found = probe(trained.features, self.probed.labels, after.features, test.labels, forget, 0)
        real = test.without_classes(forget)[torch.arange(128)]
        layers = report_layers(
            self.model,
            run.model,
            run.subspace,
            run.proxies.images[:128],
            run.proxies.labels[:128],
            to_pixels(real.images),
        )
        return {
            "acc_rt": graded.acc_rt,
            "acc_ut": graded.acc_ut,
            "original": [original.acc_rt, original.acc_ut],
            "mask": mask_accuracy(before.logits, test.labels, forget),
            "probe": found,
            "epochs": len(run.history),
            "stopped": run.stopped,
            "asr": run.proxies.asr,
            "proxies": len(run.proxies),
            "residual": run.labels.residual,
            "drift": max(layer.drift_real or 0.0 for layer in layers),
            "leak": max(layer.leak for layer in layers),
            "moved": sum(0 < layer.rank < layer.dim and layer.moved > 0 for layer in layers),
        }

    def _half(self, which: str) -> Split:
        test = self.dataset.test
        return test[torch.arange(0, len(test), 2)] if which == "tuning" else test


def read(path: Path) -> list[dict[str, Any]]:
    """Read the trials made so far."""
    if not path.exists():
        return []
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def table(rows: list[dict[str, Any]]) -> str:
    """Print one Markdown line per part, model, knob and setting: mean and spread over classes and seeds."""
    groups: dict[tuple[str, ...], list[dict[str, Any]]] = {}
    for row in rows:
        key = (row["part"], row["model"], row["knob"], json.dumps(row["settings"]))
        groups.setdefault(key, []).append(row)
    lines = [
        "| data | model | knob | settings | runs | Acc_rt - original | - mask | Acc_ut | probe | epochs | drift | s |",
        "|---|---|---|---|---|---|---|---|---|---|---|---|",
    ]
    for key, members in groups.items():
        good = [row for row in members if "error" not in row]
        lines.append("| " + " | ".join([*key, f"{len(good)}/{len(members)}", *_cells(good)]) + " |")
    return "\n".join(lines)


def _cells(rows: list[dict[str, Any]]) -> list[str]:
    if not rows:
        return ["failed"] + [""] * 6
    gains = [row["acc_rt"] - row["original"][0] for row in rows]
    over = [row["acc_rt"] - row["mask"] for row in rows]
    columns = [
        gains,
        over,
        *([row[name] for row in rows] for name in ("acc_ut", "probe", "epochs", "drift", "seconds")),
    ]
    return [f"{sum(c) / len(c):.2f} ({min(c):.2f} to {max(c):.2f})" for c in columns]


if __name__ == "__main__":
    sys.exit(main())
