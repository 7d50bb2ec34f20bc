"""The trials behind docs/depth.md, "Erasing stage by stage": forget a class stage by stage and ask every stage.

    python docs/measurements/erasing.py dog --half 1 --out erased    # writes erased/*.safetensors, prints the figures
    python docs/measurements/erasing.py horse --model cifar10_resnet --set last_strength=1 --out erased

Everything is chosen on horse (of Fashion-MNIST: Shirt) and the even half (0) of the test images.
"""

from __future__ import annotations

import argparse
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))

import torch  # noqa: E402

from zspag_core.checkpoints import load_checkpoint, save_checkpoint  # noqa: E402
from zspag_core.data.sources import load_dataset  # noqa: E402
from zspag_core.hyperparameters import configure  # noqa: E402
from zspag_core.methods import find_method  # noqa: E402
from zspag_core.metrics.depth.information import information  # noqa: E402
from zspag_core.metrics.depth.measure import ORIGINAL, describe, look  # noqa: E402
from zspag_core.metrics.depth.sample import Extent, draw  # noqa: E402
from zspag_core.metrics.predictions import logits_of  # noqa: E402
from zspag_core.progress import Reporter  # noqa: E402
from zspag_core.reproduce.subject import find_checkpoint  # noqa: E402
from zspag_core.runs.context import RunContext  # noqa: E402

if TYPE_CHECKING:
    from zspag_core.data.dataset import DataSet
    from zspag_core.models import Classifier

EXTENT = Extent(train=3000, forget_train=300, forget_test=500, rest_test=900)


class Keep(Reporter):
    """Keeps the model after every epoch, and how many CPU seconds had gone."""

    def __init__(self) -> None:
        """Start the clock."""
        self.began = time.process_time()
        self.made: list[tuple[float, Classifier]] = []

    def progress(self, stage: str, done: int, total: int, **_figures: float) -> None:
        """Say when the stand-ins are there."""
        if stage == "proxies" and done == total:
            print(f"stand-ins: {time.process_time() - self.began:.0f} CPU seconds", flush=True)

    def epoch(self, _number: int, _total: int, model: Classifier, **_figures: float) -> None:
        """Keep the model."""
        self.made.append((time.process_time() - self.began, model))


def grade(model: Classifier, data: DataSet, gone: int, last: int) -> None:
    """Print accuracies and what every stage still knows."""
    right = logits_of(model, data.test.images).argmax(1) == data.test.labels
    mine = data.test.labels == gone
    print(f"  Acc_rt {100 * right[~mine].double().mean():.2f}, Acc_ut {100 * right[mine].double().mean():.2f}")
    sample = draw(data, (gone,), EXTENT, 0)
    seen = look({ORIGINAL: model}, sample, torch.float32)
    found, marks = describe(seen, sample, 0), sample.forgotten
    stages = list(enumerate(zip(found["stages"], seen[ORIGINAL].features, strict=True)))
    for place, (name, part) in stages[-last:]:
        row = {key: found["models"][ORIGINAL][key][place] for key in ("probe", "probe_rest", "knn", "knn_rest", "bits")}
        train, test = sample.train, sample.test
        row["information"] = information(part[train], marks[train], part[test], marks[test], 0)
        print(f"  {name}: " + ", ".join(f"{key} {value:.2f}" for key, value in row.items()))
    print("  prototypes", found["models"][ORIGINAL]["prototypes"], flush=True)


def main() -> None:
    """Make the trial."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("name", help="the class to forget")
    parser.add_argument("--data", default="cifar10")
    parser.add_argument("--model", default="cifar10_resnet_small")
    parser.add_argument("--method", default="erase")
    parser.add_argument("--set", action="append", default=[], help="a setting, name=value; may repeat")
    parser.add_argument("--half", type=int, choices=(0, 1), default=0, help="of the test images")
    parser.add_argument("--last", type=int, default=2, help="stages that are asked, counted from the last")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--original", action="store_true", help="grade the original, too")
    parser.add_argument("--out", type=Path, required=True)
    chosen = parser.parse_args()
    checkpoint = load_checkpoint(find_checkpoint(chosen.model))
    model = checkpoint.model.eval()
    data = load_dataset(chosen.data, image_size=model.config.image_size, channels=model.config.channels)
    data = replace(data, test=data.test[torch.arange(chosen.half, len(data.test), 2)])
    gone = list(data.class_names).index(chosen.name)
    chosen.out.mkdir(parents=True, exist_ok=True)
    if chosen.original:
        print("original")
        grade(model, data, gone, chosen.last)
    settings = dict(pair.split("=", 1) for pair in chosen.set)
    method = configure(find_method(chosen.method), settings).knowing(checkpoint.about)
    print(method)
    keep = Keep()
    context = RunContext(torch.Generator().manual_seed(chosen.seed), keep)
    method.unlearn(model, data.train.of_classes([gone]), (gone,), context)
    for number, (seconds, made) in enumerate(keep.made, start=1):
        print(f"after epoch {number} ({seconds:.0f} CPU seconds)")
        save_checkpoint(chosen.out / f"{number}.safetensors", made, {"data": chosen.data})
        grade(made, data, gone, chosen.last)


if __name__ == "__main__":
    main()
