"""Everything that is checked before a run starts."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from zspag_core.checkpoints import Checkpoint, load_checkpoint
from zspag_core.checkpoints.owners import with_origin
from zspag_core.devices import resolve_device
from zspag_core.errors import UsageError, some_of
from zspag_core.groups import lacking, without_parts
from zspag_core.hyperparameters import configure
from zspag_core.methods import find_method
from zspag_core.methods.catalogue import find_entry
from zspag_core.runs.assumptions import check_assumptions, load_for, with_names
from zspag_core.runs.forgotten import forgotten_before
from zspag_core.runs.samples import MOST_SEED, as_trained, find_forget, forget_samples, shown_to_method

if TYPE_CHECKING:
    from collections.abc import Sequence

    import torch
    from torch import Tensor

    from zspag_core.data.dataset import DataSet, Split
    from zspag_core.methods import Method
    from zspag_core.runs.config import RunConfig

MOST_HELD_OUT = 90.0  # percent
NAMED = 12


@dataclass(frozen=True)
class Prepared:
    """Everything that is checked before a run starts.

    Attributes:
        config: what is asked; its classes are numbers, rising.
        method: with its settings.
        checkpoint: the original model.
        dataset: at the model's input size; its training part as far as the model was trained on it.
        device: where to compute.
        lacks: what the data has not that grading needs, keys of :data:`zspag_core.groups.GROUPS`.
    """

    config: RunConfig
    method: Method
    checkpoint: Checkpoint
    dataset: DataSet
    device: torch.device
    lacks: tuple[str, ...] = ()

    @cached_property
    def forget(self) -> Split:
        """Return the training samples that are to be forgotten, as the model was trained on them."""
        samples = forget_samples(self.dataset, self.config.classes, self.checkpoint.about)
        return samples[self._shown] if self.config.hold_out else samples

    @cached_property
    def seen(self) -> Split:
        """Return the same images as they are in the data set: clean and under their own labels."""
        samples = self.dataset.train.of_classes(self.config.classes)
        return samples[self._shown] if self.config.hold_out else samples

    @cached_property
    def held_out(self) -> Split:
        """Return the images of the forgotten classes that were asked to be kept from the method; there may be none."""
        return self.dataset.train.of_classes(self.config.classes)[~self._shown]

    @cached_property
    def _shown(self) -> Tensor:
        """Return which images of the forgotten classes, (N,) bool, the method sees."""
        return shown_to_method(self.dataset.train.of_classes(self.config.classes).labels, self.config.hold_out)


def prepare(config: RunConfig) -> Prepared:
    """Load and check model, data and settings; nothing is written.

    Raises:
        UsageError, DataError, CheckpointError: something does not fit, in one sentence.
    """
    configure(find_method(config.method), config.settings)
    resolve_device(config.device)
    return check(config, *read_for(config))


def read_for(config: RunConfig) -> tuple[Checkpoint, DataSet]:
    """Load the model and the data of a run, and try what is only assumed about them.

    Raises:
        UsageError, DataError, CheckpointError: something does not fit, in one sentence.
    """
    loaded = load_checkpoint(config.checkpoint, model=config.model, **config.reading)
    loaded = with_origin(loaded, Path(config.checkpoint))
    checkpoint = with_names(loaded, config.model_classes)
    dataset = load_for(checkpoint, config.data, order=config.order)
    forget = find_forget(config.forget, dataset)  # a mistyped name is refused before anything is tried
    earlier = forgotten_before(loaded.about, Path(config.checkpoint))
    return checkpoint, check_assumptions(
        checkpoint, dataset, config.data, config.order, forget=forget, forgotten=earlier
    )


def check(config: RunConfig, checkpoint: Checkpoint, dataset: DataSet) -> Prepared:
    """Check what is asked of a model and of data that are in memory.

    Raises:
        UsageError: something does not fit, in one sentence.
    """
    if type(config.seed) is not int or not 0 <= config.seed < MOST_SEED:
        raise UsageError(f"seed: expected a whole number from 0 to 2^63 - 1, got {config.seed!r}")
    kind = find_method(config.method)
    method = configure(kind, kind.suited(checkpoint.about) | dict(config.settings)).knowing(checkpoint.about)
    device = resolve_device(config.device)
    config = replace(config, forget=find_forget(config.forget, dataset))
    _check_hold_out(config, dataset)
    method.check(checkpoint.model, config.classes)
    lacks = lacking(dataset, config.classes)
    if method.needs_retain and "retain_train" in lacks:
        raise UsageError(f"method: {needs_remaining(find_entry(config.method).title, dataset, config.classes)}")
    dataset = as_trained(without_parts(dataset, config.classes), checkpoint.about, config.classes)
    return Prepared(config, method, checkpoint, dataset, device, lacks)


def needs_remaining(title: str, dataset: DataSet, forget: Sequence[int]) -> str:
    """Say why a method cannot do with data that lack images of remaining classes."""
    there = set(dataset.train.labels.unique().tolist())
    absent = [name for k, name in enumerate(dataset.class_names) if k not in there and k not in forget]
    return (
        f"{title} needs training images of every remaining class, and {dataset.name} has none of "
        f"{some_of(absent, NAMED)}; the zero-shot methods, such as zspag, do without"
    )


def _check_hold_out(config: RunConfig, dataset: DataSet) -> None:
    """Refuse a share that leaves nothing to forget."""
    if not 0 <= config.hold_out <= MOST_HELD_OUT:
        raise UsageError(f"hold_out: expected 0 to {MOST_HELD_OUT:g} percent, got {config.hold_out:g}")
    if 0 < config.hold_out < 1:
        raise UsageError(
            f"hold_out: expected a percentage such as 20, got {config.hold_out:g}, less than one percent; "
            f"{config.hold_out:g} of the images is {100 * config.hold_out:g}"
        )
    for k in config.classes if config.hold_out else ():
        if int((dataset.train.labels == k).sum()) < 2:
            name = dataset.class_names[k]
            raise UsageError(f"hold_out: expected at least two images of class {name!r}, {dataset.name} has one")
