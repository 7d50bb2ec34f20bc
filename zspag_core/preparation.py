"""What a run is asked to do, and everything that is checked before it starts."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import torch

from zspag_core.checkpoints import Checkpoint, load_checkpoint
from zspag_core.data import load_dataset
from zspag_core.data.backdoor import plant
from zspag_core.devices import resolve_device
from zspag_core.errors import UsageError
from zspag_core.hyperparameters import configure
from zspag_core.methods import find_method
from zspag_core.metrics import planted_in

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from zspag_core.data.dataset import DataSet, Split
    from zspag_core.methods import Method


@dataclass(frozen=True)
class RunConfig:
    """What one run is asked to do.

    Attributes:
        data: name or path of the data set.
        checkpoint: path of the original model.
        forget: classes to forget, by number or by name; of a prepared run, by number.
        method: key of the method.
        settings: hyper-parameters that differ from the method's defaults.
        seed: of everything random.
        device: "auto", "cpu", "mps" or "cuda[:N]".
        relearning: whether grading counts the steps that bring the classes back; None does so for at most 1,000 forget
            images. (On the handwritten digits it takes 5 of 19 seconds on one core; with more images and larger models
            up to 500 training steps a model.)
    """

    data: str
    checkpoint: str
    forget: tuple[int | str, ...]
    method: str = "zspag"
    settings: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))
    seed: int = 0
    device: str = "auto"
    relearning: bool | None = None

    @property
    def classes(self) -> tuple[int, ...]:
        """Return the classes to forget, by number; until a run has been prepared, some may still be names."""
        return tuple(int(k) for k in self.forget)

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as plain values."""
        return {**vars(self), "forget": list(self.forget), "settings": dict(self.settings)}

    @classmethod
    def from_dict(cls, record: Mapping[str, Any]) -> RunConfig:
        """Rebuild a configuration from plain values."""
        return cls(**{**record, "forget": tuple(record["forget"])})


@dataclass(frozen=True)
class Prepared:
    """Everything that is checked before a run starts.

    Attributes:
        config: what is asked; its classes are numbers, rising.
        method: with its settings.
        checkpoint: the original model.
        dataset: at the model's input size.
        device: where to compute.
    """

    config: RunConfig
    method: Method
    checkpoint: Checkpoint
    dataset: DataSet
    device: torch.device

    @cached_property
    def forget(self) -> Split:
        """Return the training samples that are to be forgotten, as the model was trained on them."""
        return forget_samples(self.dataset, self.config.classes, self.checkpoint.about)


def prepare(config: RunConfig) -> Prepared:
    """Load and check model, data and settings; nothing is written.

    Raises:
        UsageError, DataError, CheckpointError: something does not fit, in one sentence.
    """
    method = configure(find_method(config.method), config.settings)
    device = resolve_device(config.device)
    checkpoint = load_checkpoint(config.checkpoint)
    dataset = load_for(checkpoint, config.data)
    config = replace(config, forget=find_forget(config.forget, dataset))
    return Prepared(config, method, checkpoint, dataset, device)


def load_for(checkpoint: Checkpoint, data: str) -> DataSet:
    """Load a data set at a model's input size, as far as the model was trained on it; check that the classes agree.

    Raises:
        UsageError: the model has another number of classes than the data.
    """
    shape = checkpoint.model.config
    dataset = load_dataset(data, image_size=shape.image_size, channels=shape.channels)
    check_fit(checkpoint, dataset)
    return as_trained(dataset, checkpoint.about)


def as_trained(dataset: DataSet, about: Mapping[str, Any]) -> DataSet:
    """Return a data set without the training images that a model has never seen: to membership inference they differ.

    A training with a train_limit draws its images by the recipe's seed. Everything else has seen all images of the
    classes that it was trained on; images of excluded classes stay, for others are asked about them. Where a header
    tells of more than one such draw (a training that went on from another, a planted backdoor), all images stay too.

    Args:
        dataset: whole.
        about: the checkpoint's header.
    """
    recipe = about.get("recipe")
    recipe = recipe if isinstance(recipe, dict) else {}
    limit, seed, several = recipe.get("train_limit"), recipe.get("seed"), about.get("started_from")
    if several or about.get("backdoor") or about.get("data") != dataset.name:
        return dataset
    if not isinstance(limit, int) or not isinstance(seed, int) or limit < 1:
        return dataset
    left_out = torch.isin(dataset.train.labels, torch.tensor(list(about.get("excluded") or ()), dtype=torch.long))
    pool = (~left_out).nonzero().flatten()
    drawn = pool[torch.randperm(len(pool), generator=torch.Generator().manual_seed(seed))[:limit]]
    kept = left_out.clone()
    kept[drawn] = True
    return replace(dataset, train=dataset.train[kept.nonzero().flatten()])


def forget_samples(dataset: DataSet, forget: Sequence[int], about: Mapping[str, Any]) -> Split:
    """Return the training images of the forgotten classes as a model was trained on them, in the data set's order.

    Where its header says that a backdoor was planted in one of these classes, half of that class's images carry the
    trigger and the target's label, the very ones that the training chose.

    Args:
        dataset: clean.
        forget: the forgotten classes.
        about: the checkpoint's header; its recipe's seed says which images were chosen (0, as in training, where it
            names none).

    Source: Chen et al., ZS-PAG, section 4.4.
    """
    samples, planted = dataset.train.of_classes(forget), planted_in(about, dataset.num_classes)
    if planted is None or planted.source not in forget:
        return samples
    recipe = about.get("recipe")
    seed = recipe.get("seed") if isinstance(recipe, dict) else None
    return plant(samples, planted.source, planted.target, seed if isinstance(seed, int) else 0)


def check_fit(checkpoint: Checkpoint, dataset: DataSet) -> None:
    """Refuse a data set with another number of classes than the model.

    Raises:
        UsageError: they differ.
    """
    classes = checkpoint.model.config.num_classes
    if dataset.num_classes != classes:
        raise UsageError(
            f"model and data do not fit: the model has {classes} classes, {dataset.name} has {dataset.num_classes}"
        )


def find_forget(asked: Sequence[int | str], dataset: DataSet) -> tuple[int, ...]:
    """Return the numbers of the classes to forget, rising.

    Raises:
        UsageError: none, unknown, repeated or all classes, or one without training images.
    """
    classes = dataset.find_classes(asked, "forget")
    for k in classes:
        if not bool((dataset.train.labels == k).any()):
            raise UsageError(f"forget: the training part of {dataset.name} has no image of class {k}")
    return classes
