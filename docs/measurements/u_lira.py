"""The table behind docs/depth.md, "Were these images trained on": U-LiRA of a shipped model and what is made of it.

    python docs/measurements/u_lira.py digits_resnet_16 3 8 --out runs/u_lira

Of every class: the original, it with blocked outputs, unlearned by ZS-PAG's defaults, and trained anew without it.
Then what the attack can do at all: every reference as the model that is asked about, by the others. There, and of the
original, also with the class's own output counted, as LiRA does. What is there already is not made again.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))

import torch  # noqa: E402

from zspag_core.checkpoints import load_checkpoint  # noqa: E402
from zspag_core.cli import main as command  # noqa: E402
from zspag_core.data import load_dataset  # noqa: E402
from zspag_core.metrics.depth.references import load_references  # noqa: E402
from zspag_core.metrics.depth.u_lira import reach, u_lira  # noqa: E402
from zspag_core.metrics.predictions import logits_of  # noqa: E402
from zspag_core.shipped import REFERENCES  # noqa: E402

if TYPE_CHECKING:
    from zspag_core.checkpoints import Checkpoint
    from zspag_core.data.dataset import DataSet
    from zspag_core.metrics.depth.references import References
    from zspag_core.metrics.depth.u_lira import LikelihoodRatio


def models(name: str, original: Checkpoint, gone: int, out: Path) -> dict[str, Path]:
    """Make what is to be compared where it is not there, and return where it is."""
    recipe = original.about["recipe"]
    retrained = out / f"{name}_never{gone}.safetensors"
    if not retrained.exists():
        size = str(original.model.config.image_size)
        anew = ["--epochs", str(recipe["epochs"]), "--image-size", size, "--exclude", str(gone), "--seed", "1"]
        command(["train", "--data", "digits", "--model", original.about["model"], *anew, "--out", str(retrained)])
    found = {}
    for method in ("mask", "zspag"):
        folder = out / f"{name}_{method}{gone}"
        if not folder.exists():
            asked = ["--data", "digits", "--checkpoint", name, "--forget", str(gone), "--method", method]
            command(["unlearn", *asked, "--no-relearning", "--out", str(folder)])
        found[method] = folder / "model.safetensors"
    return found | {"retrain": retrained}


def line(name: str, found: LikelihoodRatio | None) -> str:
    """Write one figure."""
    if found is None:
        return f"  {name}: undefined"
    told = "too few strangers" if found.found is None else f"{found.found:.1f} % found at 1 % false alarms"
    return f"  {name}: AUC {found.auc:.1f} % ({found.auc_ci[0]:.1f} to {found.auc_ci[1]:.1f}), {told}"


def show(name: str, original: Checkpoint, data: DataSet, references: References, gone: int, out: Path) -> None:
    """Print the figures of one class."""
    labels = torch.cat([data.train.labels, data.test.labels])
    places = (labels == gone).nonzero().flatten()
    members, asked = places < len(data.train), references.of(places)
    images = torch.cat([part.images for part in (data.train, data.test)])[places]
    print(f"{name}, class {gone}: {int(members.sum())} members, {int((~members).sum())} strangers")
    said = logits_of(original.model, images)
    print(line("original", u_lira(said, members, asked, (gone,), seed=0)))
    print(line("original, its own output counted", u_lira(said, members, asked, (), seed=0)))
    for role, path in models(name, original, gone, out).items():
        said = logits_of(load_checkpoint(path).model, images)
        print(line(role, u_lira(said, members, asked, (gone,), seed=0)))
    for words, forget in (("", (gone,)), (", their own output counted", ())):
        print(f"  references, each asked by the others{words}: {reach(asked, forget):.1f} %")


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("name", help="of a shipped model of the digits")
    parser.add_argument("classes", nargs="+", type=int)
    parser.add_argument("--out", type=Path, required=True, help="folder for models and runs")
    chosen = parser.parse_args()
    original, references = load_checkpoint(chosen.name), load_references(REFERENCES / f"{chosen.name}.npz")
    config = original.model.config
    data = load_dataset("digits", image_size=config.image_size, channels=config.channels)
    for gone in chosen.classes:
        show(chosen.name, original, data, references, gone, chosen.out)
    labels = torch.cat([data.train.labels, data.test.labels])
    asked = {gone: references.of((labels == gone).nonzero().flatten()) for gone in range(data.num_classes)}
    for words, counted in (("", False), (", their own output counted", True)):
        found = [reach(part, () if counted else (gone,)) for gone, part in asked.items()]
        known = [figure for figure in found if figure is not None]
        mean = sum(known) / len(known)
        print(f"references, each asked by the others{words}, mean of {len(known)} classes: {mean:.1f} %")


if __name__ == "__main__":
    main()
