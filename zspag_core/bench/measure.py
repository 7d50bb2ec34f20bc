"""The benchmark: this implementation, its floor, the literal one and retraining, one after the other."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from multiprocessing import get_context
from typing import TYPE_CHECKING, Any

import torch

from zspag_core.bench.literal import MISSING, load_literal, time_literal
from zspag_core.bench.memory import Peak
from zspag_core.bench.operations import Recording
from zspag_core.bench.passes import (
    CountingReporter,
    Passes,
    TalliedZSPAG,
    count_work,
    price_work,
    wait_for,
)
from zspag_core.data.dataset import to_pixels
from zspag_core.devices import place
from zspag_core.errors import UsageError
from zspag_core.hyperparameters import configure, values
from zspag_core.progress import Reporter
from zspag_core.recipes import first_recipe
from zspag_core.runs.config import RunConfig
from zspag_core.runs.context import RunContext
from zspag_core.runs.prepare import Prepared, prepare
from zspag_core.subspace import estimate_subspace

if TYPE_CHECKING:
    from collections.abc import Mapping

    from zspag_core.methods.base import Unlearned
    from zspag_core.recipes import Recipe

STAGES = ("proxies", "subspace", "labels", "unlearn")
BEFORE_LOOP = STAGES[:3]
RETRAIN_EPOCHS = 100
MEMORY_QUOTAS = (100, 1000)
PRICED_IMAGES = 256


@dataclass(frozen=True)
class BenchConfig:
    """What is measured.

    Attributes:
        run: the unlearning, by zspag.
        literal_images: forget samples and proxies that the literal implementation is given; 0 for all.
        retrain_images: remaining images on which an epoch of training is measured; 0 for all.
        memory: whether peak memory is also measured for two values of n_adv.
    """

    run: RunConfig
    literal_images: int = 50
    retrain_images: int = 2560
    memory: bool = False


def run_bench(config: BenchConfig) -> dict[str, Any]:
    """Measure everything and return plain values for JSON; seconds, MiB and images.

    Raises:
        ZspagError: model, data and settings do not fit.
        UsageError: the attack is not PGD, the only one that the literal implementation knows.
    """
    prepared = _prepare(config.run)
    forget = prepared.forget
    method = TalliedZSPAG(**values(prepared.method))
    run, total, peak = _fast(prepared, method)
    work = count_work(method, method.tally, run, len(forget))
    record: dict[str, Any] = {
        "machine": {"device": str(prepared.device), "threads": torch.get_num_threads(), "torch": torch.__version__},
        "data": prepared.dataset.name,
        "checkpoint": config.run.checkpoint,
        "forget": list(prepared.config.classes),
        "forget_images": len(forget),
        "settings": values(method),
        "proxies": 0 if run.proxies is None else len(run.proxies),
        "epochs": method.tally.epochs(len(forget), method.batch_size),
        "fast": {"seconds": run.seconds | {"total": total}, "peak_mib": peak},
        "floor": _floor(prepared, method, run, work),
        "literal": None,
        "retrain": _retrain(prepared, config.retrain_images),
        "memory": _memory(config.run) if config.memory else None,
    }
    literal = load_literal()
    if literal is None:
        record["literal_missing"] = MISSING
    else:
        model = prepared.checkpoint.model
        same = replace(method, cg_steps=max(1, method.tally.cg_steps))  # the literal solver does not stop
        record["literal"] = time_literal(
            literal, model, forget, same, run, images=config.literal_images, epochs=record["epochs"]
        )
    record["ratios"] = _ratios(record)
    return record


def _prepare(config: RunConfig) -> Prepared:
    """Load and check."""
    attack = config.settings.get("attack", "pgd")
    if attack != "pgd":
        raise UsageError(f"attack: bench compares with a literal PGD, expected pgd, got {attack!r}")
    prepared = prepare(config)
    place(prepared.checkpoint.model, prepared.device).eval()
    return prepared


def _fast(prepared: Prepared, method: TalliedZSPAG) -> tuple[Unlearned, float, float]:
    """Run this implementation once, warmed up; return what it returned, its seconds and its peak memory in MiB."""
    forget = prepared.forget
    model = prepared.checkpoint.model
    _warm_up(prepared, method)
    with Peak(prepared.device) as peak:
        start = time.perf_counter()
        run = method.unlearn(
            model,
            forget,
            prepared.config.classes,
            RunContext(torch.Generator().manual_seed(prepared.config.seed), CountingReporter(method.tally)),
        )
        wait_for(prepared.device)
        total = time.perf_counter() - start
    return run, total, peak.mib


def _warm_up(prepared: Prepared, method: TalliedZSPAG) -> None:
    """Run the method on a few images, so that no stage pays for what is loaded at first use."""
    few = prepared.forget[torch.arange(8)]
    small = configure(TalliedZSPAG, values(method) | {"n_adv": 2, "attack_steps": 2, "cg_steps": 1, "epochs": 1})
    small = replace(small, epsilon=1.0, attack_confidence=0.0)
    small.unlearn(prepared.checkpoint.model, few, prepared.config.classes, RunContext(torch.Generator().manual_seed(0)))


def _floor(prepared: Prepared, method: TalliedZSPAG, run: Unlearned, work: list[Passes]) -> dict[str, Any]:
    """Return what the counted passes and the subspace's linear algebra cost alone."""
    model, device = prepared.checkpoint.model, prepared.device
    images = to_pixels(prepared.dataset.train.images[:PRICED_IMAGES], device)
    prices = price_work(model, images, work)
    seconds = dict.fromkeys(STAGES, 0.0)
    for part in work:
        seconds[part.stage] += part.images * prices[part.kind, part.batch]
    operations = _operations(prepared, method, run)
    seconds["subspace"] += sum(row["seconds"] for row in operations.values())
    return {
        "seconds": seconds | {"total": sum(seconds.values())},
        "passes": [
            {
                "stage": part.stage,
                "kind": part.kind,
                "images": part.images,
                "batch": part.batch,
                "seconds_per_image": prices[part.kind, part.batch],
            }
            for part in work
        ],
        "operations": operations,
    }


def _operations(prepared: Prepared, method: TalliedZSPAG, run: Unlearned) -> dict[str, dict[str, float]]:
    """Make the subspace once more to see its linear algebra, then measure that alone."""
    if method.subspace == "none" or run.proxies is None:
        return {}
    classes = prepared.config.classes
    with Recording() as recording:
        estimate_subspace(
            prepared.checkpoint.model,
            run.proxies,
            [k for k in range(prepared.dataset.num_classes) if k not in classes],
            energy=method.energy,
            tolerance=method.tolerance,
            pooling=method.pooling,
        )
    totals: dict[str, dict[str, float]] = recording.totals()
    return totals


class _Clock(Reporter):
    """Notes when each batch of a training ended."""

    def __init__(self) -> None:
        self.times: list[float] = []

    def progress(self, stage: str, done: int, total: int, **figures: float) -> None:
        """Take the time."""
        self.times.append(time.perf_counter())


def _retrain(prepared: Prepared, images: int) -> dict[str, Any]:
    """Measure part of an epoch on remaining images, without its first batch, and scale it to a whole training."""
    from zspag_core.training.loop import train

    recipe = _recipe(prepared)
    retain = prepared.dataset.train.without_classes(prepared.config.classes)
    count = min(len(retain), max(images or len(retain), 2 * recipe.batch_size))
    part = retain.sample(count, torch.Generator().manual_seed(0))
    clock = _Clock()
    train(prepared.checkpoint.model.config, part, recipe, device=prepared.device, report=clock)
    counted = max(1, count - recipe.batch_size)
    epoch = (clock.times[-1] - clock.times[0]) / counted * len(retain)
    return {
        "measured_images": counted,
        "of_images": len(retain),
        "epoch_seconds": epoch,
        "epochs": RETRAIN_EPOCHS,
        "seconds": RETRAIN_EPOCHS * epoch,
    }


def _recipe(prepared: Prepared) -> Recipe:
    """Return one epoch of the recipe that the checkpoint was trained with, or of the one for such a model."""
    from zspag_core.recipes import Recipe, recipe_for

    written = first_recipe(prepared.checkpoint.about)
    known = {name: value for name, value in written.items() if name in Recipe.__dataclass_fields__}
    suited = recipe_for(prepared.dataset.name, prepared.checkpoint.model.architecture, {})
    recipe = configure(Recipe, values(suited) | known)
    return replace(recipe, epochs=1, train_limit=0)


def _memory(config: RunConfig) -> list[dict[str, Any]]:
    """Run the fast implementation in a fresh process for each n_adv and return its peak memory."""
    with get_context("spawn").Pool(1, maxtasksperchild=1) as pool:
        return [pool.apply(peak_of, (config.to_dict(), n)) for n in MEMORY_QUOTAS]


def peak_of(config: Mapping[str, Any], n_adv: int) -> dict[str, Any]:
    """Return the peak memory of one run, a RunConfig as plain values; called in a process of its own."""
    settings = config["settings"] | {"n_adv": n_adv}
    prepared = _prepare(RunConfig.from_dict({**config, "settings": settings}))
    run, _seconds, mib = _fast(prepared, TalliedZSPAG(**values(prepared.method)))
    images = run.proxies.images if run.proxies is not None else torch.zeros(0)
    return {
        "n_adv": n_adv,
        "peak_mib": mib,
        "proxies": len(images),
        "proxies_mib": images.numel() * images.element_size() / 2**20,
    }


def _ratios(record: dict[str, Any]) -> dict[str, float | None]:
    """Return the figures that have aims."""
    fast, literal, memory = record["fast"]["seconds"], record["literal"], record["memory"]
    before = sum(fast.get(stage, 0.0) for stage in BEFORE_LOOP)
    slow = None if literal is None else sum(literal["seconds"].get(stage, 0.0) for stage in BEFORE_LOOP)
    return {
        "total_to_floor": fast["total"] / record["floor"]["seconds"]["total"],
        "literal_to_fast": None if slow is None else slow / before,
        "retrain_to_fast": record["retrain"]["seconds"] / fast["total"],
        "memory_growth": memory[1]["peak_mib"] / max(memory[0]["peak_mib"], 1.0) if memory else None,
    }
