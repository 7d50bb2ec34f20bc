"""The defaults on the networks of foreign_networks.py: one run a class, one JSON line a run; docs/foreign_networks.md.

    python docs/measurements/foreign_runs.py run timm_resnet --networks foreign --forget 3 --out runs/foreign
    python docs/measurements/foreign_runs.py table --networks foreign --out runs/foreign

Every run is the command line's `unlearn` with nothing set but what a bare state_dict cannot say (size, mean, standard
deviation). Then the exported file is read back by the owner's library, strictly, and its logits are compared with those
of the run's own model. `--test` grades on so many test images, evenly spaced, where time is short.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))

import numpy as np
import torch
from foreign_networks import NATIVE, RECIPES, ROOT, Recipe, kept_in, load, logits_of, option

from zspag_core.checkpoints import load_checkpoint
from zspag_core.data import load_dataset
from zspag_core.data.dataset import to_pixels

COMPARED = 256
LOST, LEFT, LEAK, LOGITS = 1.0, 3.0, 1e-5, 1e-5
"""The bars: points of Acc_rt lost and of Acc_ut left at most, leak, difference of logits."""
COLUMNS = (
    "network", "data", "px", "forget", "Acc_rt before", "masking alone", "Acc_rt after", "Acc_ut before",
    "Acc_ut after", "leak", "moved / wholly used / hooked", "never moved", "logits differ by", "s", "bars",
)  # fmt: skip


def main() -> int:
    """Make a run, or print the table of those made."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("run", "table"))
    parser.add_argument("name", nargs="?", choices=tuple(RECIPES))
    parser.add_argument("--networks", type=Path, default=Path("foreign"))
    parser.add_argument("--forget", type=int, default=3)
    parser.add_argument("--test", type=int, default=0, metavar="N", help="grade on N test images (0: all)")
    parser.add_argument("--out", type=Path, default=Path("runs/foreign"))
    chosen = parser.parse_args()
    rows = chosen.out / "rows.jsonl"
    if chosen.what == "table":
        print(table([json.loads(line) for line in rows.read_text(encoding="utf-8").splitlines()]))
        return 0
    if chosen.name is None:
        parser.error("run: expected the name of a recipe")
    chosen.out.mkdir(parents=True, exist_ok=True)
    row = run(chosen.name, chosen.networks, chosen.forget, chosen.test, chosen.out)
    with rows.open("a", encoding="utf-8") as lines:
        lines.write(json.dumps(row) + "\n")
    print(json.dumps(row), flush=True)
    return 0


def run(name: str, networks: Path, forget: int, test: int, out: Path) -> dict[str, Any]:
    """Unlearn one class by the command line and return the figures, or what the command said instead."""
    recipe, folder = RECIPES[name], out / f"{name}-{forget}"
    data = _part(recipe.data, test, out) if test else recipe.data
    command = [sys.executable, "-W", "ignore", "-m", "zspag_core", "unlearn", "--data", str(data)]
    command += ["--forget", str(forget), "--out", str(folder), *_options(recipe, networks / name)]
    start = time.perf_counter()
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)  # noqa: S603
    row = {"name": name, "forget": forget, "test": test, "seconds": round(time.perf_counter() - start)}
    (out / f"{name}-{forget}.log").write_text(done.stdout + done.stderr, encoding="utf-8")
    if done.returncode:
        return row | {"error": (done.stderr.strip().splitlines() or ["no word"])[-1]}
    return row | figures(folder) | {"difference": difference(recipe, networks / name, folder)}


def _options(recipe: Recipe, network: Path) -> list[str]:
    """Return the options that name the network; a folder of timm or Hugging Face says how it wants its images."""
    options = ["--model", option(recipe, network), "--checkpoint", str(kept_in(recipe, network))]
    if recipe.library in {"timm", "hf"}:
        return options
    mean, deviation = (",".join(map(str, one)) for one in recipe.normalisation)
    return [*options, "--image-size", str(recipe.image_size), "--mean", mean, "--std", deviation]


def _part(data: str, test: int, out: Path) -> Path:
    """Write all training and some test images into one file, once."""
    path = out / f"{data}_{test}.npz"
    if not path.exists():
        whole = load_dataset(data, image_size=NATIVE[data])
        some = torch.arange(0, len(whole.test), len(whole.test) // test)[:test]
        parts = {"train": whole.train, "test": whole.test[some]}
        arrays = {f"{part}_x": split.images.permute(0, 2, 3, 1).numpy() for part, split in parts.items()}
        arrays |= {f"{part}_y": split.labels.numpy() for part, split in parts.items()}
        np.savez_compressed(path, class_names=np.array(whole.class_names), **arrays)
    return path


def figures(folder: Path) -> dict[str, Any]:
    """Return what result.json says of a run."""
    result = json.loads((folder / "result.json").read_text(encoding="utf-8"))
    subspace = result["subspace"]
    layers = subspace["layers"]
    return {
        "before": [result["before"]["acc_rt"], result["before"]["acc_ut"]],
        "after": [result["after"]["acc_rt"], result["after"]["acc_ut"]],
        "mask": result["mask"]["acc_rt"],
        "leak": max(layer["leak"] for layer in layers),
        "layers": len(layers),
        "moved": sum(layer["moved"] > 0 for layer in layers),
        "full": sum(layer["rank"] == layer["dim"] for layer in layers),
        "unmoved": result["model"]["unmoved"],
        "stopped": result["stopped"],
        "asr": result["proxies"]["asr"],
        "stages": result["seconds"],
    }


@torch.no_grad()
def difference(recipe: Recipe, network: Path, folder: Path) -> float:
    """Return the largest difference of logits between the run's model and its export, read by the owner's library."""
    data = load_dataset(recipe.data, image_size=recipe.image_size)
    images = data.test.images[torch.arange(COMPARED)]
    ours = load_checkpoint(folder / "model.safetensors", model=option(recipe, network)).model.eval()
    theirs = load(recipe, kept_in(recipe, folder, "unlearned"), data.class_names)
    return float((ours(to_pixels(images)) - logits_of(theirs, images, recipe)).abs().max())


def table(rows: list[dict[str, Any]]) -> str:
    """Return one Markdown line a run, in the order of the recipes."""
    rows = sorted(rows, key=lambda row: (list(RECIPES).index(row["name"]), row["forget"]))
    lines = ["| " + " | ".join(COLUMNS) + " |", "|---" * len(COLUMNS) + "|"]
    lines += ["| " + " | ".join(map(str, _cells(row))) + " |" for row in rows]
    return "\n".join(lines)


def _cells(row: dict[str, Any]) -> list[Any]:
    recipe = RECIPES[row["name"]]
    first = [row["name"], recipe.data, recipe.image_size, row["forget"]]
    if "error" in row:
        return [*first, *[""] * 9, row["seconds"], row["error"]]
    before, after = row["before"], row["after"]
    shown = [f"{one:.2f}" for one in (before[0], row["mask"], after[0], before[1], after[1])]
    moved, unmoved = f"{row['moved']} / {row['full']} / {row['layers']}", len(row["unmoved"])
    return [*first, *shown, f"{row['leak']:.1e}", moved, unmoved, f"{row['difference']:.1e}", row["seconds"], bars(row)]


def bars(row: dict[str, Any]) -> str:
    """Say which bars a run misses."""
    missed = {
        f"Acc_rt −{row['before'][0] - row['after'][0]:.2f}": row["after"][0] < row["before"][0] - LOST,
        f"Acc_ut {row['after'][1]:.2f}": row["after"][1] > LEFT,
        f"leak {row['leak']:.1e}": row["leak"] > LEAK,
        f"logits {row['difference']:.1e}": row["difference"] > LOGITS,
    }
    return ", ".join(name for name, is_missed in missed.items() if is_missed) or "all met"


if __name__ == "__main__":
    sys.exit(main())
