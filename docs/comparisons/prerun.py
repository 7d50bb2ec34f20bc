"""Make the comparisons that ship with the Compare page: python docs/comparisons/prerun.py [--only table1] [--keep DIR]

Every row is run on the digits model with each seed, on the CPU; the files in assets/comparisons are written anew. About
twenty minutes on one core. With --keep, runs that a former call has finished are taken from that folder.
"""

from __future__ import annotations

import argparse
import datetime
import hashlib
import json
import os
import sys
import tempfile
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

import torch  # noqa: E402 - the project is not installed

from ui.checkpoints import read_header  # noqa: E402
from ui.comparisons import FOLDER, outcome_of, references  # noqa: E402
from ui.lessons import STEPS  # noqa: E402
from ui.reference import recipe_of  # noqa: E402
from ui.words import COMPARISONS  # noqa: E402
from zspag_core.errors import ZspagError  # noqa: E402
from zspag_core.files import finite, read_json, write_json  # noqa: E402
from zspag_core.hyperparameters import configure  # noqa: E402
from zspag_core.methods import METHODS, RetainMethod, find_method  # noqa: E402
from zspag_core.metrics import grade, relearn  # noqa: E402
from zspag_core.preparation import RunConfig, prepare  # noqa: E402
from zspag_core.reproduce.comparison import Comparison, Outcome, Row  # noqa: E402

if TYPE_CHECKING:
    from collections.abc import Callable

    from zspag_core.models import Classifier

CHECKPOINT = ROOT / "assets" / "checkpoints" / "digits_resnet.safetensors"
FORGET = (3,)
LEVELS = 255
LONG = {"label_mode": "random", "epochs": 8, "stop_rule": False}
PROTECTED = {"none": "no projection", "random": "random subspace", "estimated": "estimated subspace"}
ATTACKS = {"pgd": "PGD", "fgsm": "FGSM", "cw": "C&W", "deepfool": "DeepFool"}
BUDGETS = (4, 8, 16, 32, 64)
COUNTS = (5, 20, 80)
QUICK = {"gkt": {"epochs": 3}}
"""Settings that keep a slow method short on digits."""


@dataclass(frozen=True)
class Plan:
    """What a comparison is made of.

    Attributes:
        rows: what to run, beside the references.
        seeds: of everything random.
        notes: what else a reader must know.
    """

    rows: tuple[Row, ...]
    seeds: tuple[int, ...]
    notes: tuple[str, ...] = ()


def of_method(name: str) -> Row:
    """Return the row of a method at its defaults."""
    method = find_method(name)
    settings = QUICK.get(name, {})
    return Row(key=name, label=method.title, method=name, needs_retain=method.needs_retain, settings=settings)


def of_zspag(label: str, settings: dict[str, Any], kind: str = "ablation") -> Row:
    """Return the row of ZS-PAG with some settings."""
    key = f"zspag {json.dumps(settings, sort_keys=True)}" if settings else "zspag"
    return Row(key=key, label=label, method="zspag", needs_retain=False, settings=settings, kind=kind)


def plans() -> dict[str, Plan]:
    """Return all comparisons, by what their names begin with."""
    known = [method.name for method in METHODS if method.name not in {"mask", "retrain"}]
    zero_shot_first = sorted(known, key=lambda name: find_method(name).needs_retain)
    budgets = [of_zspag(f"ε = {level}/255", {"epsilon": level / LEVELS}) for level in BUDGETS]
    labels = {"posterior": "pseudo-labels", "random": "random labels"}
    counts = [
        of_zspag(f"{words}, n_adv = {count}", {"n_adv": count, "label_mode": mode})
        for mode, words in labels.items()
        for count in COUNTS
    ]
    rates = ", ".join(f"{PROTECTED[name]} {rate:g}" for name, rate in STEPS.items())
    return {
        "table1": Plan(
            tuple(map(of_method, zero_shot_first)),
            (0, 1),
            ("Every method runs at its defaults, not tuned for digits: some rivals do better with a smaller step.",),
        ),
        "table5": Plan(
            tuple(
                of_zspag(words.capitalize(), LONG | {"subspace": name, "learning_rate": STEPS[name]})
                for name, words in PROTECTED.items()
            ),
            (0, 1),
            (f"Random labels for eight epochs, each arm at a learning rate that it can stand: {rates}.",),
        ),
        "table4": Plan(
            tuple(of_zspag(words, {} if name == "pgd" else {"attack": name}) for name, words in ATTACKS.items()),
            (0, 1),
            ("Each attack has its own default budget.",),
        ),
        "fig5": Plan(tuple(budgets + counts), (0, 1)),
    }


def retrain_row() -> Row:
    """Return the reference that is run: Retrain, with the model's own recipe."""
    recipe = recipe_of(str(CHECKPOINT))
    return Row(key="retrain", label="Retrain", method="retrain", needs_retain=True, settings=recipe, kind="reference")


class Bench:
    """The digits model and its data, loaded once; finished runs are kept in a folder."""

    def __init__(self, keep: Path, *, relearning: bool) -> None:
        self.keep, self.relearning = keep, relearning
        self.prepared = prepare(RunConfig("digits", str(CHECKPOINT), FORGET, "mask", {}, device="cpu"))
        self.model, self.data = self.prepared.checkpoint.model, self.prepared.dataset

    def kept(self, name: str, asked: object, make: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        """Return what a file holds, which is made where it is not there."""
        digest = hashlib.sha256(json.dumps(asked, sort_keys=True).encode()).hexdigest()[:12]
        file = self.keep / f"{name}-{digest}.json"
        if not file.exists():
            write_json(file, finite(make()))
        return dict(read_json(file))

    def graded(self, model: Classifier, seed: int, known: float | None) -> dict[str, Any]:
        """Grade a model as a run does.

        Args:
            model: the classifier.
            seed: of the grading.
            known: the original's accuracy on the forgotten class, None for the original.
        """
        found = grade(model, self.data, FORGET, seed=seed)
        known = found.accuracy.acc_ut if known is None else known
        again = relearn(model, self.data, FORGET, known, seed=seed) if self.relearning else None
        steps = again and {"steps": again.steps, "reached": again.reached}
        return {**found.to_dict(), "relearning": steps, "mask": found.mask_acc_rt}

    def run(self, row: Row, seed: int) -> dict[str, Any]:
        """Carry out one run, or recall it; return what result.json would say of it, or {"error"}."""
        before = self.kept("original", [seed], lambda: self.graded(self.model, seed, None))
        asked = [row.method, dict(row.settings), seed]
        return self.kept(str(row.method), asked, lambda: self._run(row, seed, before))

    def _run(self, row: Row, seed: int, before: dict[str, Any]) -> dict[str, Any]:
        """Unlearn and grade, without the pictures of a run folder."""
        method, generator = configure(find_method(str(row.method)), row.settings), torch.Generator().manual_seed(seed)
        forget = self.data.train.of_classes(FORGET)
        start = time.process_time()
        try:
            if isinstance(method, RetainMethod):
                retain = self.data.train.without_classes(FORGET)
                done = method.unlearn(self.model, forget, retain, FORGET, generator=generator)
            else:
                done = method.unlearn(self.model, forget, FORGET, generator=generator)
        except ZspagError as error:
            return {"error": str(error).rstrip(".")}
        spent = time.process_time() - start  # of the processor: others may use the machine too
        return {
            "before": before,
            "mask": {"acc_rt": before["mask"]},
            "after": self.graded(done.model, seed, before["acc_ut"]),
            "proxies": done.proxies and {"asr": done.proxies.asr},
            "seconds": {"unlearn": spent},
            "stopped": done.stopped,
        }


def outcome(result: dict[str, Any], seed: int) -> Outcome:
    """Return what a comparison keeps of a run."""
    if "error" in result:
        return Outcome(seed=seed, acc_rt=None, acc_ut=None, stopped="failed", error=result["error"])
    return outcome_of(result, seed)


def with_seeds(row: Row, results: dict[int, dict[str, Any]]) -> Row:
    """Return a row with the outcomes of its runs."""
    return Row(**vars(row) | {"seeds": [outcome(result, seed) for seed, result in results.items()]})


def make(name: str, plan: Plan, bench: Bench) -> Comparison:
    """Run all rows of a comparison."""
    title, question = COMPARISONS[name]
    header, asked = read_header(CHECKPOINT), [retrain_row(), *plan.rows]
    found: dict[str, dict[int, dict[str, Any]]] = {row.key: {} for row in asked}
    for seed in plan.seeds:
        for row in reversed(asked):  # Retrain, the slowest, at the end
            result = found[row.key][seed] = bench.run(row, seed)
            after = result.get("after") or {}
            print(name, row.label, seed, result.get("error") or {k: after[k] for k in ("acc_rt", "acc_ut", "probe")})
    rows = [with_seeds(row, found[row.key]) for row in asked]
    done = [(seed, result) for results in found.values() for seed, result in results.items() if "error" not in result]
    forgotten = len(bench.data.train.of_classes(FORGET))
    return Comparison(
        name=f"{name}-digits-resnet",
        title=title,
        question=question,
        data="digits",
        model=header.model,
        test_accuracy=header.test_accuracy,
        forget=list(FORGET),
        class_names=list(header.class_names),
        scale="small",
        device=f"cpu, {os.environ.get('OMP_NUM_THREADS', os.cpu_count())} core",
        date=f"{datetime.datetime.now(tz=datetime.UTC):%Y-%m-%d}",
        forget_images=forgotten,
        retain_images=len(bench.data.train) - forgotten,
        rows=[*references(done), *rows],
        notes=list(plan.notes),
    )


def main() -> None:
    parser = argparse.ArgumentParser(description="Make the comparisons that ship with the Compare page.")
    parser.add_argument("--only", choices=list(COMPARISONS), action="append", help="one of them; may repeat")
    parser.add_argument("--keep", type=Path, help="folder that keeps finished runs")
    parser.add_argument("--relearning", action="store_true", help="count relearning steps too, in three times the time")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        keep = arguments.keep or Path(place)
        keep.mkdir(parents=True, exist_ok=True)
        bench, chosen = Bench(keep, relearning=arguments.relearning), plans()
        chosen = {name: plan for name, plan in chosen.items() if not arguments.only or name in arguments.only}
        for count in range(1, 1 + max(len(plan.seeds) for plan in chosen.values())):  # something of each is there early
            for name, plan in chosen.items():
                made = make(name, replace(plan, seeds=plan.seeds[:count]), bench)
                made.write(FOLDER / f"{made.name}.json")


if __name__ == "__main__":
    main()
