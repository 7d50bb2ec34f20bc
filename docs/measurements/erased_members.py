"""The trials behind docs/choices.md, "Erased, who is told": stage-wise erasure on networks that know images by heart.

    python docs/measurements/erased_members.py --seeds 0 1 2 --out members    # trains its networks
    python docs/measurements/erased_members.py --checkpoint overfit.safetensors --gone 3 --out members
    python docs/measurements/erased_members.py --set depth=3 alignment=0.1 --set depth=2 --out members    # two trials

Prints a row a trial: accuracies, the two attacks of members.py, mean losses, CPU seconds.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

sys.path.insert(0, str(Path(__file__).parents[2]))
sys.path.insert(0, str(Path(__file__).parent))

import members
import torch

from zspag_core.checkpoints import load_checkpoint, save_checkpoint
from zspag_core.data.sources import load_dataset
from zspag_core.hyperparameters import configure
from zspag_core.methods import find_method
from zspag_core.runs.context import RunContext
from zspag_core.runs.samples import as_trained

if TYPE_CHECKING:
    from collections.abc import Iterator

    from zspag_core.data.dataset import DataSet, Split
    from zspag_core.models import Classifier

STILL = {"crop": 0, "flip": "no", "cutout": 0}  # how these networks' images were changed: not at all


def networks(chosen: argparse.Namespace, data: DataSet) -> Iterator[tuple[int, Split, list[tuple[str, Classifier]]]]:
    """Yield seed, training images and named networks, the original first: a file's, or small ones trained here."""
    for seed in chosen.seeds:
        if chosen.checkpoint is not None:
            files = [("original", chosen.checkpoint), *[("Retrain", path) for path in chosen.retrained]]
            found = [(name, load_checkpoint(path)) for name, path in files]
            learnt = as_trained(data, found[0][1].about, [chosen.gone]).train
            yield seed, learnt, [(name, one.model.eval()) for name, one in found]
            continue
        drawn = torch.randperm(len(data.train), generator=torch.Generator().manual_seed(seed))
        learnt = data.train[drawn[: chosen.images]]
        parts = [("original", learnt), ("Retrain", learnt.without_classes([chosen.gone]))]
        made = [
            (
                name,
                members.learnt_by_heart(part, data, seed, 25, "resnet_tiny", chosen.out / f"{name}{seed}.safetensors"),
            )
            for name, part in parts
        ]
        yield seed, learnt, made


def main() -> None:
    """Make the trials."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--set", nargs="+", action="append", default=None, help="the settings of one trial")
    parser.add_argument("--checkpoint", type=Path, default=None)
    parser.add_argument("--retrained", type=Path, nargs="*", default=[])
    parser.add_argument("--gone", type=int, default=3)
    parser.add_argument("--images", type=int, default=2000)
    parser.add_argument("--half", type=int, choices=(0, 1), default=None, help="of the test images; else every third")
    parser.add_argument("--out", type=Path, required=True)
    chosen = parser.parse_args()
    members.GONE = chosen.gone
    chosen.out.mkdir(parents=True, exist_ok=True)
    data = load_dataset("cifar10", image_size=32, channels=3)
    start, step = (0, 3) if chosen.half is None else (chosen.half, 2)
    test = data.test[torch.arange(start, len(data.test), step)]
    for seed, learnt, known in networks(chosen, data):
        for name, model in known:
            print(f"| {seed} | {name} | {members.grade(model, learnt, test, seed)} | |", flush=True)
        original, forget = known[0][1], learnt.of_classes([chosen.gone])
        for settings in chosen.set or [[]]:
            began = time.process_time()
            method = configure(find_method("erase"), STILL | dict(pair.split("=", 1) for pair in settings))
            context = RunContext(torch.Generator().manual_seed(seed))
            found = method.unlearn(original, forget, (chosen.gone,), context).model
            spent, words = time.process_time() - began, " ".join(settings) or "defaults"
            print(f"| {seed} | {words} | {members.grade(found, learnt, test, seed)} | {spent:.0f} |", flush=True)
            save_checkpoint(chosen.out / f"{words} seed {seed}.safetensors", found, {"data": data.name})


if __name__ == "__main__":
    main()
