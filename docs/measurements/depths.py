"""The table behind docs/depth.md, "How much of the way is left": models side by side at every stage, and what is left.

    python docs/measurements/depths.py horse --retrained never7.safetensors zspag.safetensors deep.safetensors

All test images, float32; what is left is 100 as the original, 0 as the retrained model.
"""

from __future__ import annotations

import argparse
import json
import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))

import torch  # noqa: E402

from zspag_core.checkpoints import load_checkpoint  # noqa: E402
from zspag_core.data.sources import load_dataset  # noqa: E402
from zspag_core.metrics.depth.gap import least_gap, mean_left  # noqa: E402
from zspag_core.metrics.depth.information import idi, information  # noqa: E402
from zspag_core.metrics.depth.measure import describe, look  # noqa: E402
from zspag_core.metrics.depth.sample import Extent, draw  # noqa: E402
from zspag_core.metrics.predictions import logits_of  # noqa: E402
from zspag_core.reproduce.subject import find_checkpoint  # noqa: E402

if TYPE_CHECKING:
    from zspag_core.data.dataset import DataSet
    from zspag_core.metrics.depth.sample import Sample
    from zspag_core.models import Classifier

EXTENT = Extent(train=3000, forget_train=300, forget_test=1000, rest_test=1800)
SHOWN = ("probe", "probe_rest", "knn", "knn_rest", "bits", "information")


def figures(model: Classifier, data: DataSet, sample: Sample, gone: int) -> dict[str, Any]:
    """Return what the stages of a model say, and print it."""
    right = logits_of(model, data.test.images).argmax(1) == data.test.labels
    mine = data.test.labels == gone
    print(f"  Acc_rt {100 * right[~mine].double().mean():.2f}, Acc_ut {100 * right[mine].double().mean():.2f}")
    seen = look({"model": model}, sample, torch.float32)
    found, marks, train, test = describe(seen, sample, 0), sample.forgotten, sample.train, sample.test
    part: dict[str, Any] = found["models"]["model"]
    part["information"] = [information(f[train], marks[train], f[test], marks[test], 0) for f in seen["model"].features]
    for place, name in enumerate(found["stages"]):
        print(f"  {name}: " + ", ".join(f"{key} {part[key][place]:.2f}" for key in SHOWN))
    print("  prototypes " + ", ".join(f"{n}: {p['forget']:.1f}" for n, p in part["prototypes"].items()), flush=True)
    return part


def known(path: Path, data: DataSet, sample: Sample, gone: int, out: Path) -> dict[str, Any]:
    """Return the figures of a file's model, from the file of figures where they are there."""
    remembered = json.loads(out.read_text()) if out.exists() else {}
    loaded = load_checkpoint(path)
    if loaded.sha256 not in remembered:
        print(path)
        remembered[loaded.sha256] = figures(loaded.model.eval(), data, sample, gone)
        out.write_text(json.dumps(remembered))
    part: dict[str, Any] = remembered[loaded.sha256]
    return part


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("name", help="the forgotten class")
    parser.add_argument("models", nargs="*", type=Path, help="files of unlearned models")
    parser.add_argument("--data", default="cifar10")
    parser.add_argument("--model", default="cifar10_resnet_small", help="the original")
    parser.add_argument("--retrained", type=Path, default=None, help="file of a model that never saw the class")
    parser.add_argument("--out", type=Path, default=Path("depths.json"), help="keeps the figures of every model")
    chosen = parser.parse_args()
    config = load_checkpoint(find_checkpoint(chosen.model)).model.config
    data = load_dataset(chosen.data, image_size=config.image_size, channels=config.channels)
    gone = list(data.class_names).index(chosen.name)
    sample = draw(data, (gone,), EXTENT, 0)
    show = partial(known, data=data, sample=sample, gone=gone, out=chosen.out)
    original, parts = show(find_checkpoint(chosen.model)), [show(path) for path in chosen.models]
    if chosen.retrained is None:
        return
    ends = [original, show(chosen.retrained)]
    for path, part in zip(chosen.models, parts, strict=True):
        print(path)
        left = {
            key: mean_left(part[key], ends[0][key], ends[1][key], least_gap(key)) for key in ("probe", "knn", "bits")
        }
        print(f"  left, %: {left}; IDI {idi(*(one['information'] for one in (part, *ends)))}", flush=True)


if __name__ == "__main__":
    main()
