"""The figures behind docs/rivals.md: methods beside each other on one model, each as published and tuned alike.

    python docs/measurements/rivals.py run digits 3 delete jit --out rivals
    python docs/measurements/rivals.py run cifar10_resnet_small 3 --out rivals
    python docs/measurements/rivals.py table --out rivals

Without methods, all those of the page. Tuning goes by the rule of `reproduce`: the same number of trials for every
method, on held-out training images. Finished cells are kept in the folder, so that a killed run goes on where it was.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))

import torch  # noqa: E402

from zspag_core.reproduce import cases, rows  # noqa: E402
from zspag_core.reproduce.arena import Arena  # noqa: E402
from zspag_core.reproduce.comparison import Comparison  # noqa: E402
from zspag_core.reproduce.harness import Harness  # noqa: E402
from zspag_core.reproduce.scale import SMALL, few_images  # noqa: E402

if TYPE_CHECKING:
    from collections.abc import Iterator

METHODS = (
    "zspag",
    "posterior",
    "delete",
    "jit",
    "mu_mis",
    "spotter",
    "pour_p",
    "ispf",
    "scrub",
    "ssd",
)
TRIALS = 5
MODELS = {
    "digits": (cases.DIGITS, replace(few_images(SMALL), trials=TRIALS, retain_images=0, test_images=0)),
    "cifar10_resnet_small": (
        cases.CIFAR10_RESNET,
        replace(SMALL, trials=TRIALS, forget_images=500, retain_images=1500),
    ),
}


def run(model: str, forget: int, methods: tuple[str, ...], out: Path) -> None:
    """Make one comparison, or those of its rows that are asked for."""
    case, scale = MODELS[model]
    harness = Harness(out, scale, device=torch.device("cpu"), seeds=1, tell=print)
    plans = [*rows.references()[:2], *rows.rivals(scale, methods)]
    arena = Arena(
        name="-".join([model, str(forget), *(methods if methods != METHODS else ())]),
        title=case.title,
        question="",
        case=case,
        forget=(forget,),
        plans=[plan for plan in plans if plan.key not in {"zspag_paper", "zspag_tuned"}],
        paper={},
        deep=False,
    )
    harness.compare(arena)


def table(out: Path) -> Iterator[str]:
    """Yield the lines of a table of every comparison in a folder."""
    for path in sorted(out.glob("*.json")):
        comparison = Comparison.read(path)
        yield f"\n**{comparison.title}, class {comparison.forget}** ({path.stem})\n"
        yield "| method | settings | Acc_rt | Acc_ut | probe | seconds |"
        yield "|---|---|---|---|---|---|"
        for row in comparison.rows:
            seed = row.seeds[0]
            figures = [_said(value) for value in (seed.acc_rt, seed.acc_ut, seed.probe, seed.seconds)]
            said = ", ".join(f"{name} {value:g}" for name, value in row.settings.items() if name == "learning_rate")
            yield f"| {row.label} | {row.kind} {said} | {' | '.join(figures)} |"


def _said(value: float | None) -> str:
    return "–" if value is None else f"{value:.1f}"


def main() -> None:
    """Do what the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("task", choices=("run", "table"))
    parser.add_argument("model", nargs="?", choices=tuple(MODELS))
    parser.add_argument("forget", nargs="?", type=int)
    parser.add_argument("methods", nargs="*")
    parser.add_argument("--out", type=Path, default=Path("rivals"))
    asked = parser.parse_args()
    if asked.task == "table":
        print("\n".join(table(asked.out)))
    else:
        run(asked.model, asked.forget, tuple(asked.methods) or METHODS, asked.out)


if __name__ == "__main__":
    main()
