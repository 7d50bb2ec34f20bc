"""The trials behind docs/depth.md, "Erasing stage by stage": forget a class of cifar10_resnet_small stage by stage.

    python docs/measurements/erasing.py dog --half 1 --out erased    # writes erased/*.safetensors, prints the figures

Data must be found by the name cifar10. Everything is chosen on horse and the even half (0) of the test images.
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
from zspag_core.erasing import Disturbance, erase, refit, rest_statistics, synthesise  # noqa: E402
from zspag_core.metrics.depth.information import information  # noqa: E402
from zspag_core.metrics.depth.measure import ORIGINAL, describe, look  # noqa: E402
from zspag_core.metrics.depth.sample import Extent, draw  # noqa: E402
from zspag_core.metrics.predictions import logits_of  # noqa: E402
from zspag_core.reproduce.subjects import find_checkpoint  # noqa: E402

if TYPE_CHECKING:
    from collections.abc import Iterator

    from zspag_core.data import Split
    from zspag_core.data.dataset import DataSet
    from zspag_core.models import Classifier

NAME = "cifar10_resnet_small"
EXTENT = Extent(train=3000, forget_train=300, forget_test=500, rest_test=900)
IMAGES = 900
TRAINED = Disturbance(crop=4, flip=True, cutout=8)  # as the checkpoint's header says


def forgotten(model: Classifier, split: Split, gone: int) -> Iterator[tuple[str, Classifier]]:
    """Yield the original and what every step comes to, without remaining data."""
    share, remaining = 1 / model.config.num_classes, [k for k in range(model.config.num_classes) if k != gone]
    generator = torch.Generator().manual_seed(0)
    images = split.images[torch.randperm(len(split), generator=generator)[:IMAGES]]
    statistics = rest_statistics(model, images, TRAINED, share=share, generator=generator)
    stand_ins = synthesise(model, images, statistics, remaining, generator=generator)
    options = {"share": share, "disturbance": TRAINED, "generator": generator}
    yield "original", model
    third = erase(model, "stage 3", images, stand_ins, **options)
    third = refit(model, third, "stage 3", images, stand_ins, remaining, generator=generator)
    yield "stage 3 erased, refitted", third
    both = erase(third, "stage 4", images, stand_ins, **options)
    yield (
        "then stage 4, head refitted",
        refit(model, both, "stage 4", images, stand_ins, remaining, generator=generator),
    )


def grade(model: Classifier, data: DataSet, gone: int) -> None:
    """Print accuracies and what every stage still knows."""
    right = logits_of(model, data.test.images).argmax(1) == data.test.labels
    mine = data.test.labels == gone
    print(f"  Acc_rt {100 * right[~mine].double().mean():.2f}, Acc_ut {100 * right[mine].double().mean():.2f}")
    sample = draw(data, (gone,), EXTENT, 0)
    seen = look({ORIGINAL: model}, sample, torch.float32)
    found, marks = describe(seen, sample, 0), sample.forgotten
    for place, (name, part) in enumerate(zip(found["stages"], seen[ORIGINAL].features, strict=True)):
        row = {key: found["models"][ORIGINAL][key][place] for key in ("probe", "probe_rest", "knn", "knn_rest", "bits")}
        train, test = sample.train, sample.test
        row["information"] = information(part[train], marks[train], part[test], marks[test], 0)
        print(f"  {name}: " + ", ".join(f"{key} {value:.2f}" for key, value in row.items()))
    print("  prototypes", found["models"][ORIGINAL]["prototypes"], flush=True)


def main() -> None:
    """Make the trial."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("name", help="the class to forget")
    parser.add_argument("--half", type=int, choices=(0, 1), default=0, help="of the test images")
    parser.add_argument("--out", type=Path, required=True)
    chosen = parser.parse_args()
    data = load_dataset("cifar10", image_size=32, channels=3)
    data = replace(data, test=data.test[torch.arange(chosen.half, len(data.test), 2)])
    gone = list(data.class_names).index(chosen.name)
    model = load_checkpoint(find_checkpoint(NAME)).model.eval()
    chosen.out.mkdir(parents=True, exist_ok=True)
    began = time.process_time()
    for number, (title, made) in enumerate(forgotten(model, data.train.of_classes([gone]), gone)):
        print(f"{title} ({time.process_time() - began:.0f} CPU seconds)")
        save_checkpoint(chosen.out / f"{number}.safetensors", made, {"data": "cifar10", "erased": title})
        grade(made, data, gone)
        began = time.process_time()


if __name__ == "__main__":
    main()
