"""One training, from its configuration to its checkpoint; the train command and the worker both call `execute`."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple

import torch

from zspag_core.checkpoints import Checkpoint, load_checkpoint, save_checkpoint
from zspag_core.data import load_dataset
from zspag_core.data.backdoor import plant
from zspag_core.devices import resolve_device
from zspag_core.errors import Cancelled, UsageError
from zspag_core.files import check_writable
from zspag_core.hyperparameters import values
from zspag_core.models import MODELS, build, named_config
from zspag_core.progress import SILENT, Reporter
from zspag_core.recipes import recipe_for
from zspag_core.runs.samples import describe_images

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from zspag_core.data.dataset import DataSet, Split
    from zspag_core.models import ModelConfig
    from zspag_core.recipes import Recipe
    from zspag_core.training.loop import Trained


@dataclass(frozen=True)
class TrainConfig:
    """What one training is asked to do.

    Attributes:
        data: name or path of the data set.
        model: name of a size, a key of zspag_core.models.MODELS.
        settings: of the recipe, epochs and seed among them.
        exclude: classes to leave out, by number or by name: the retrained reference of an unlearning run.
        backdoor: a class and the class that a trigger turns it into (paper section 4.4), likewise, or None.
        image_size: side of the model's input in pixels.
        start: paths of checkpoints of the same network whose training goes on; of several, from the mean of their
            weights (model soups; Wortsman and others, 2022). None of them starts from new weights.
        device: "auto", "cpu", "mps" or "cuda[:N]".
    """

    data: str
    model: str
    settings: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))
    exclude: tuple[int | str, ...] = ()
    backdoor: tuple[int | str, int | str] | None = None
    image_size: int = 32
    start: tuple[str, ...] = ()
    device: str = "auto"


class Roles(NamedTuple):
    """The classes that a training treats differently, by number.

    Attributes:
        exclude: left out, rising.
        backdoor: the class that carries the trigger and the one that it turns into, or None.
    """

    exclude: tuple[int, ...]
    backdoor: tuple[int, int] | None


def execute(config: TrainConfig, out: Path, report: Reporter = SILENT) -> dict[str, Any]:
    """Train, grade on the test split, write the checkpoint.

    A training that was killed or cancelled goes on where it was when the same is asked again: a state file beside `out`
    remembers it.

    Args:
        config: what to do.
        out: file to write, ending in .safetensors; must be new, or be what an unfinished training left.
        report: receives progress of the stages "load", "train" and "evaluate", and every epoch with loss,
            train_accuracy and test_accuracy.

    Returns:
        What the checkpoint says about itself. When a reporter cancels, "stopped" is "cancelled", "test_accuracy" is
        None, and the file holds the model reached so far.

    Raises:
        ZspagError: the training is impossible or failed; where it is impossible, nothing is written.
    """
    from zspag_core.training import loop

    state_path = check_out(out)
    if config.model not in MODELS:
        raise UsageError(f"model: expected one of {', '.join(MODELS)}, got {config.model!r}")
    device = resolve_device(config.device)
    recipe = recipe_for(config.data, config.model, config.settings)
    report.progress("load", 0, 1)
    dataset = load_dataset(config.data, image_size=config.image_size, channels=MODELS[config.model].channels)
    roles = find_roles(config, dataset)
    split = _training_split(dataset, roles, recipe)
    starts = [load_checkpoint(path) for path in config.start]
    sizes = _sizes_of(starts, config, roles, dataset) if starts else network_sizes(config, dataset, split)
    report.progress("load", 1, 1)
    test = dataset.test.without_classes(roles.exclude) if roles.exclude else dataset.test
    watched = test.sample(loop.WATCHED_IMAGES, torch.Generator().manual_seed(recipe.seed))
    trained = loop.train(
        sizes,
        split,
        recipe,
        device=device,
        start=loop.mean_of([start.model for start in starts]) if starts else None,
        state_path=state_path,
        watched=watched,
        report=report,
    )
    figure = _grade(trained, test, device, report)
    about = _about(dataset, config, roles, recipe) | {"stopped": trained.stopped, "history": trained.history}
    about["test_accuracy"] = figure
    if starts:
        about["started_from"] = [provenance(start) for start in starts]
    save_checkpoint(out, trained.model, about)
    if trained.stopped != "cancelled":
        state_path.unlink(missing_ok=True)
    return about


def check_out(out: Path) -> Path:
    """Return where the state of a training is kept; refuse a file that cannot be written or is not this training's own.

    Raises:
        UsageError: wrong ending, a folder that cannot be written, or a file that exists already.
    """
    if out.suffix != ".safetensors":
        raise UsageError(f"out: expected a file name ending in .safetensors, got {out.name!r}")
    state_path = out.with_name(f".{out.name}.state")
    check_writable(out)
    if out.exists() and not state_path.exists():
        raise UsageError(f"out: expected a new file, got {out}, which exists already")
    return state_path


def find_roles(config: TrainConfig, dataset: DataSet) -> Roles:
    """Return the classes to leave out and to poison, by number.

    Raises:
        UsageError: an unknown or repeated class, or none that remains.
    """
    exclude = dataset.find_classes(config.exclude, "exclude") if config.exclude else ()
    if config.backdoor is None:
        return Roles(exclude, None)
    source, target = (dataset.find_class(one, "backdoor") for one in config.backdoor)
    if source == target:
        raise UsageError(f"backdoor: expected two different classes, got {source} and {target}")
    if {source, target} & set(exclude):
        raise UsageError(f"backdoor: expected classes that are not left out, got {source} and {target}")
    return Roles(exclude, (source, target))


def _training_split(dataset: DataSet, roles: Roles, recipe: Recipe) -> Split:
    """Return the images to train on."""
    split = dataset.train
    if roles.backdoor:
        split = plant(split, *roles.backdoor, recipe.seed)
    return split.without_classes(roles.exclude) if roles.exclude else split


def network_sizes(config: TrainConfig, dataset: DataSet, split: Split) -> ModelConfig:
    """Return the sizes of the network, or say why there is no such network for images of this size."""
    mean, std = split.channel_statistics()
    about = {"num_classes": dataset.num_classes, "mean": mean, "std": std}
    try:
        sizes = named_config(config.model, image_size=config.image_size, **about)
        with torch.device("meta"):  # costs nothing
            build(sizes)
    except ValueError as error:
        raise UsageError(f"image-size: {error}") from None
    return sizes


def _sizes_of(starts: Sequence[Checkpoint], config: TrainConfig, roles: Roles, dataset: DataSet) -> ModelConfig:
    """Return the sizes of networks whose training goes on, or say why they are others than was asked for."""
    found = starts[0].model.config
    about = {"num_classes": dataset.num_classes, "mean": found.mean, "std": found.std}
    asked = named_config(config.model, image_size=config.image_size, **about)
    for path, start in zip(config.start, starts, strict=True):
        if start.model.config != asked:
            raise UsageError(
                f"start: expected a {config.model} for {dataset.num_classes} classes and {config.image_size} pixels, "
                f"got another network in {path}"
            )
        seen = sorted(set(roles.exclude) - set(start.about.get("excluded", ())))
        if seen:
            raise UsageError(
                f"start: expected a model that never saw class {', '.join(map(str, seen))}, got {path}, which may have"
            )
    return found


def provenance(start: Checkpoint) -> dict[str, Any]:
    """Return what a checkpoint says about its own training, for the header of the one that goes on from it."""
    keys = ("data", "recipe", "excluded", "backdoor", "test_accuracy", "started_from")
    return {key: start.about[key] for key in keys if key in start.about} | {"sha256": start.sha256}


def _grade(trained: Trained, test: Split, device: torch.device, report: Reporter) -> float | None:
    """Return the test accuracy in percent; None where someone who cancelled waits for the end."""
    from zspag_core.training.loop import accuracy

    if trained.stopped == "cancelled":
        return None
    try:
        return round(accuracy(trained.model, test, device, tick=partial(report.progress, "evaluate")), 2)
    except Cancelled:
        trained.stopped = "cancelled"
        return None


def _about(dataset: DataSet, config: TrainConfig, roles: Roles, recipe: Recipe) -> dict[str, Any]:
    """Say in the checkpoint's header what the model was trained on and how."""
    return {
        "data": dataset.name,
        "images": describe_images(dataset.train),
        "class_names": list(dataset.class_names),
        "model": config.model,
        "recipe": values(recipe),
        "excluded": list(roles.exclude),
        "backdoor": ":".join(map(str, roles.backdoor)) if roles.backdoor else None,
    }
