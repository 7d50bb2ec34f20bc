"""One unlearning run, from its configuration to its folder; the command line and the worker both call `execute`."""

from __future__ import annotations

import shutil
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import torch

from zspag_core.checkpoints import Checkpoint, load_checkpoint, save_checkpoint
from zspag_core.data import load_dataset
from zspag_core.data.dataset import to_pixels
from zspag_core.devices import place, resolve_device
from zspag_core.errors import Cancelled, UsageError
from zspag_core.files import finite, write_json
from zspag_core.hyperparameters import configure, values
from zspag_core.methods import RetainMethod, Unlearned, ZeroShotMethod, find_method
from zspag_core.methods.base import timed
from zspag_core.metrics import grade, knn_agreement, outputs_of
from zspag_core.metrics.layers import report_layers
from zspag_core.metrics.live import LiveGrades
from zspag_core.progress import SILENT, Reporter

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from zspag_core.data.dataset import DataSet
    from zspag_core.methods import Method
    from zspag_core.metrics import Grade
    from zspag_core.models import Classifier

STAGES = ("proxies", "subspace", "labels", "unlearn", "evaluate")
DRIFT_IMAGES = 256
NEIGHBOUR_IMAGES = 1000


@dataclass(frozen=True)
class RunConfig:
    """What one run is asked to do.

    Attributes:
        data: name or path of the data set.
        checkpoint: path of the original model.
        forget: classes to forget.
        method: key of the method.
        settings: hyper-parameters that differ from the method's defaults.
        seed: of everything random.
        device: "auto", "cpu", "mps" or "cuda[:N]".
    """

    data: str
    checkpoint: str
    forget: tuple[int, ...]
    method: str = "zspag"
    settings: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))
    seed: int = 0
    device: str = "auto"

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as plain values."""
        return {**vars(self), "forget": list(self.forget), "settings": dict(self.settings)}

    @classmethod
    def from_dict(cls, record: Mapping[str, Any]) -> RunConfig:
        """Rebuild a configuration from plain values."""
        return cls(**{**record, "forget": tuple(record["forget"])})


@dataclass(frozen=True)
class Prepared:
    """Everything that is checked before a run starts."""

    config: RunConfig
    method: Method
    checkpoint: Checkpoint
    dataset: DataSet
    device: torch.device


def prepare(config: RunConfig) -> Prepared:
    """Load and check model, data and settings; nothing is written.

    Raises:
        UsageError, DataError, CheckpointError: something does not fit, in one sentence.
    """
    method = configure(find_method(config.method), config.settings)
    device = resolve_device(config.device)
    checkpoint = load_checkpoint(config.checkpoint)
    dataset = load_for(checkpoint, config.data)
    check_forget(config.forget, dataset)
    return Prepared(config, method, checkpoint, dataset, device)


def load_for(checkpoint: Checkpoint, data: str) -> DataSet:
    """Load a data set at a model's input size and check that the classes agree.

    Raises:
        UsageError: the model has another number of classes than the data.
    """
    shape = checkpoint.model.config
    dataset = load_dataset(data, image_size=shape.image_size, channels=shape.channels)
    if dataset.num_classes != shape.num_classes:
        raise UsageError(
            f"model and data do not fit: the model has {shape.num_classes} classes, "
            f"{dataset.name} has {dataset.num_classes}"
        )
    return dataset


def check_forget(forget: tuple[int, ...], dataset: DataSet) -> None:
    """Refuse classes that cannot be forgotten.

    Raises:
        UsageError: none, unknown, repeated or all classes.
    """
    last = dataset.num_classes - 1
    if not forget or len(set(forget)) != len(forget) or not all(0 <= k <= last for k in forget):
        raise UsageError(f"forget: expected different classes from 0 to {last}, got {list(forget)}")
    if len(forget) > last:
        raise UsageError("forget: expected at least one class to remain, got all of them")
    for k in forget:
        if not bool((dataset.train.labels == k).any()):
            raise UsageError(f"forget: the training part of {dataset.name} has no image of class {k}")


def execute(config: RunConfig, out: Path, report: Reporter = SILENT) -> dict[str, Any]:
    """Carry out a run and write its folder.

    The folder holds config.json, result.json, model.safetensors and, where the method makes them, proxies.safetensors.
    It appears under its name only when it is complete.

    Args:
        config: what to do.
        out: folder to write; must not exist, or be empty.
        report: receives progress of the stages "load", "proxies", "subspace", "labels", "unlearn", "evaluate", and
            after every epoch (the original model counts as epoch 0) the model with loss, acc_rt, acc_ut and mia.

    Returns:
        The content of result.json. When a reporter cancels during unlearning, "stopped" is "cancelled" and "after" is
        None; the model is the one reached so far.

    Raises:
        Cancelled: a reporter cancelled before the first epoch had ended; nothing is written.
        ZspagError: the run is impossible or failed.
    """
    out = out.resolve()  # so that "." has a name and a parent too
    check_out(out)
    report.progress("load", 0, 1)
    prepared = prepare(config)
    report.progress("load", 1, 1)
    with _folder(out) as folder, torch.random.fork_rng(devices=[]):
        result, unlearned = _run(prepared, report)
        _write(folder, prepared, result, unlearned)
    return result


def check_out(out: Path) -> None:
    """Refuse a folder that already holds something.

    Raises:
        UsageError: it exists and is not empty.
    """
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise UsageError(f"out: expected a new or empty folder, got {out}, which already holds something")


def _run(prepared: Prepared, report: Reporter) -> tuple[dict[str, Any], Unlearned]:
    """Grade, unlearn, grade again; return the record and what the method returned."""
    forget, seconds = prepared.config.forget, dict[str, float]()
    model = place(prepared.checkpoint.model, prepared.device)
    with timed(seconds, "evaluate"):
        before = _grade(model, prepared, report)
    live = LiveGrades(prepared.dataset, forget, prepared.config.seed, report)
    live.epoch(0, 0, model)
    seconds["evaluate"] += live.seconds
    live.seconds = 0.0  # from here on it runs inside the method's time and is taken off it
    unlearned = _unlearn(model, prepared, live)
    if unlearned.stopped == "cancelled" and not unlearned.history:
        raise Cancelled("cancelled before the first epoch had ended")
    seconds["evaluate"] += live.seconds
    unlearned.seconds["unlearn"] = unlearned.seconds.get("unlearn", 0.0) - live.seconds
    after, layers, agreement = None, None, None
    if unlearned.stopped != "cancelled":
        with timed(seconds, "evaluate"):
            after = _grade(unlearned.model, prepared, report)
            layers = _layers(model, unlearned, prepared)
            agreement = _agreement(model, unlearned, prepared)
    record = _record(prepared, unlearned, before, after)
    record["proxies"] = _proxies(unlearned, prepared, agreement)
    record["subspace"] = {"layers": layers} if layers is not None else None
    record["history"] = live.merge(unlearned.history)
    spent = dict.fromkeys(STAGES) | unlearned.seconds | seconds
    record["seconds"] = {stage: s if s is None else round(s, 3) for stage, s in spent.items()}
    return finite(record), unlearned


def _unlearn(model: Classifier, prepared: Prepared, report: Reporter) -> Unlearned:
    """Call the method across the zero-shot fence: only a method that needs remaining data receives any."""
    forget, dataset = prepared.config.forget, prepared.dataset
    samples = dataset.train.of_classes(forget)
    generator = torch.Generator().manual_seed(prepared.config.seed)
    method = prepared.method
    if isinstance(method, RetainMethod):
        retain = dataset.train.without_classes(forget)
        return method.unlearn(model, samples, retain, forget, generator=generator, report=report)
    if not isinstance(method, ZeroShotMethod):
        raise TypeError(f"expected a zero-shot or a retain method, got {type(method).__name__}")
    return method.unlearn(model, samples, forget, generator=generator, report=report)


def _grade(model: Classifier, prepared: Prepared, report: Reporter) -> Grade:
    """Grade a model on the run's data."""
    return grade(
        model,
        prepared.dataset,
        prepared.config.forget,
        seed=prepared.config.seed,
        device=prepared.device,
        report=report,
    )


def _record(prepared: Prepared, run: Unlearned, before: Grade, after: Grade | None) -> dict[str, Any]:
    """Return the part of result.json that every method has."""
    labels = run.labels
    return {
        "method": prepared.method.name,
        "config": values(prepared.method),
        "seed": prepared.config.seed,
        "device": str(prepared.device),
        "forget": list(prepared.config.forget),
        "num_classes": prepared.dataset.num_classes,
        "before": before.to_dict(),
        "mask": {"acc_rt": before.mask_acc_rt},
        "after": after.to_dict() if after else None,
        "labels": labels
        and {
            "mode": labels.mode,
            "influence_before": labels.influence_before,
            "influence_after": labels.influence_after,
            "residual": labels.residual,
            "projected_share": labels.projected_share,
        },
        "stopped": run.stopped,
    }


def _proxies(run: Unlearned, prepared: Prepared, agreement: float | None) -> dict[str, Any] | None:
    """Return what is said of the proxies."""
    if run.proxies is None:
        return None
    counts = run.proxies.per_class(prepared.dataset.num_classes)
    return {
        "attempted": run.proxies.attempted,
        "asr": run.proxies.asr,
        "confidence": float(run.proxies.confidence.mean()) if len(run.proxies) else None,
        "per_class": {str(k): n for k, n in enumerate(counts) if k not in prepared.config.forget},
        "knn_agreement": agreement,
    }


def _layers(model: Classifier, run: Unlearned, prepared: Prepared) -> list[dict[str, Any]] | None:
    """Compare the layers before and after, on proxies and, for grading only, on real remaining test images."""
    if run.subspace is None:
        return None
    generator = torch.Generator().manual_seed(prepared.config.seed)
    real = prepared.dataset.test.without_classes(prepared.config.forget).sample(DRIFT_IMAGES, generator)
    proxies = run.proxies.images if run.proxies is not None else to_pixels(real.images[:0])
    drawn = torch.randperm(len(proxies), generator=generator)[:DRIFT_IMAGES]
    labels = run.proxies.labels[drawn] if run.proxies is not None else drawn
    reports = report_layers(model, run.model, run.subspace, proxies[drawn], labels, to_pixels(real.images))
    return [layer.to_dict() for layer in reports]


def _agreement(model: Classifier, run: Unlearned, prepared: Prepared) -> float | None:
    """Return how many proxies lie among real test samples of their class, in percent (for grading only)."""
    if run.proxies is None or not len(run.proxies):
        return None
    generator = torch.Generator().manual_seed(prepared.config.seed)
    real = prepared.dataset.test.sample(NEIGHBOUR_IMAGES, generator)
    drawn = torch.randperm(len(run.proxies), generator=generator)[:NEIGHBOUR_IMAGES]
    images = (run.proxies.images[drawn] * 255).round().to(torch.uint8)
    there, here = outputs_of(model, real.images).features, outputs_of(model, images).features
    return knn_agreement(here, run.proxies.labels[drawn], there, real.labels)


@contextmanager
def _folder(out: Path) -> Iterator[Path]:
    """Yield a temporary folder beside `out` that takes its name when the block ends well."""
    partial = out.with_name(f".{out.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    try:
        partial.mkdir(parents=True)
    except OSError as error:
        raise UsageError(f"out: {out} cannot be written: {error.strerror}") from error
    try:
        yield partial
        if out.exists():
            out.rmdir()
        partial.rename(out)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def _write(folder: Path, prepared: Prepared, result: dict[str, Any], run: Unlearned) -> None:
    """Write the run's files."""
    from safetensors.torch import save_file

    config = prepared.config
    write_json(folder / "config.json", config.to_dict())
    write_json(folder / "result.json", result)
    about = {key: value for key, value in prepared.checkpoint.about.items() if key != "history"}
    about["unlearned"] = {
        "method": config.method,
        "settings": values(prepared.method),
        "forget": list(config.forget),
        "seed": config.seed,
        "from_sha256": prepared.checkpoint.sha256,
    }
    save_checkpoint(folder / "model.safetensors", run.model, about)
    if run.proxies is not None:
        tensors = {
            "images": run.proxies.images.half(),
            "labels": run.proxies.labels,
            "sources": run.proxies.sources,
            "confidence": run.proxies.confidence,
        }
        save_file({name: part.contiguous() for name, part in tensors.items()}, folder / "proxies.safetensors")
