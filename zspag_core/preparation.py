"""What a run is asked to do, and everything that is checked before it starts."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import torch

from zspag_core.checkpoints import Checkpoint, load_checkpoint
from zspag_core.checkpoints.owners import with_origin
from zspag_core.data import load_dataset
from zspag_core.data.backdoor import plant
from zspag_core.devices import resolve_device
from zspag_core.doubts import READ_BY, check_order, check_reading
from zspag_core.errors import UsageError, some_of
from zspag_core.fit import check_fit
from zspag_core.groups import lacking, without_parts
from zspag_core.hyperparameters import configure
from zspag_core.methods import find_method
from zspag_core.methods.catalogue import find_entry
from zspag_core.metrics.backdoor import planted_in

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from torch import Tensor

    from zspag_core.data.dataset import DataSet, Split
    from zspag_core.data.resizing import Size
    from zspag_core.methods import Method

MOST_SEED = 2**63
MOST_HELD_OUT = 90.0  # percent
HOLD_OUT_SEED = 0  # the same images, whatever the run's seed
NAMED = 12


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
        model_classes: what the model calls its outputs, in their order, where its file does not say; where it does,
            these count all the same.
        hold_out: percent of the forget images of every class that the method does not see; what it makes of them is
            an estimate.
        model: which network the checkpoint's weights are of, as :func:`zspag_core.checkpoints.load_checkpoint` takes
            it; empty where the file says it or the weights show it.
        reading: what else that function takes: "entry", "image_size", "mean", "std", "heads", ….
        order: how class folders are numbered, see :func:`zspag_core.data.load_dataset`; "given" keeps the order that
            the data have, whatever the model reads in them.
    """

    data: str
    checkpoint: str
    forget: tuple[int | str, ...]
    method: str = "zspag"
    settings: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))
    seed: int = 0
    device: str = "auto"
    relearning: bool | None = None
    model_classes: tuple[str, ...] | None = None
    hold_out: float = 0.0
    model: str = ""
    reading: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))
    order: str = ""

    @property
    def classes(self) -> tuple[int, ...]:
        """Return the classes to forget, by number; until a run has been prepared, some may still be names."""
        return tuple(int(k) for k in self.forget)

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as plain values."""
        names = None if self.model_classes is None else list(self.model_classes)
        plain = {"forget": list(self.forget), "settings": dict(self.settings), "reading": dict(self.reading)}
        return {**vars(self), **plain, "model_classes": names}

    @classmethod
    def from_dict(cls, record: Mapping[str, Any]) -> RunConfig:
        """Rebuild a configuration from plain values."""
        names = record.get("model_classes")
        names = None if names is None else tuple(names)
        return cls(**{**record, "forget": tuple(record["forget"]), "model_classes": names})


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
    find_forget(config.forget, dataset)  # a mistyped name is refused before anything is tried
    return checkpoint, check_assumptions(checkpoint, dataset, config.data, config.order)


def check(config: RunConfig, checkpoint: Checkpoint, dataset: DataSet) -> Prepared:
    """Check what is asked of a model and of data that are in memory.

    Raises:
        UsageError: something does not fit, in one sentence.
    """
    method = configure(find_method(config.method), config.settings)
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


def with_names(checkpoint: Checkpoint, names: Sequence[str] | None) -> Checkpoint:
    """Return a checkpoint whose outputs are called as a person says; as its file says where they are not told.

    Raises:
        UsageError: not one name for each output, or one name twice.
    """
    if names is None:
        return checkpoint
    count = checkpoint.model.config.num_classes
    if len(names) != count:
        raise UsageError(f"classes: expected {count} names, one for each output of the model, got {len(names)}")
    twice = next((name for place, name in enumerate(names) if name in names[:place]), None)
    if twice is not None:
        raise UsageError(f"classes: expected every name once, got {twice!r} twice")
    return replace(checkpoint, about=checkpoint.about | {"class_names": list(names)})


def shown_to_method(labels: Tensor, hold_out: float) -> Tensor:
    """Return which images (N,) bool of labels (N,) a method sees when a share of every class is held out.

    Args:
        labels: of all images of the forgotten classes.
        hold_out: percent; of a class of two or more images at least one is held out and one is left.
    """
    shown, generator = torch.ones(len(labels), dtype=torch.bool), torch.Generator().manual_seed(HOLD_OUT_SEED)
    for k in labels.unique().tolist() if hold_out else ():
        mine = (labels == k).nonzero().flatten()
        count = min(max(1, round(hold_out / 100 * len(mine))), len(mine) - 1)
        shown[mine[torch.randperm(len(mine), generator=generator)[:count]]] = False
    return shown


def _check_hold_out(config: RunConfig, dataset: DataSet) -> None:
    """Refuse a share that leaves nothing to forget."""
    if not 0 <= config.hold_out <= MOST_HELD_OUT:
        raise UsageError(f"hold_out: expected 0 to {MOST_HELD_OUT:g} percent, got {config.hold_out:g}")
    for k in config.classes if config.hold_out else ():
        if int((dataset.train.labels == k).sum()) < 2:
            name = dataset.class_names[k]
            raise UsageError(f"hold_out: expected at least two images of class {name!r}, {dataset.name} has one")


GIVEN = "given"
"""The order of the classes that the data have, kept whatever the model reads in them."""


def load_for(
    checkpoint: Checkpoint, data: str, *, order: str = "", size: Size | None = None, download: bool = True
) -> DataSet:
    """Load a data set as a model wants its images and check that the classes agree.

    Args:
        checkpoint: whose model it is for.
        data: name or path.
        order: see :class:`RunConfig`.
        size: how images are resized; None as the model wants them.
        download: whether the network may be used.

    Raises:
        UsageError: the model has other classes than the data, in number or order.
    """
    shape = checkpoint.model.config
    dataset = load_dataset(
        data,
        image_size=shape.size if size is None else size,
        channels=shape.channels,
        class_names=checkpoint.about.get("class_names"),
        num_classes=shape.num_classes,
        order=None if order in {"", GIVEN} else order,
        download=download,
    )
    check_fit(checkpoint, dataset)
    return dataset


def _plainly(value: object) -> str:
    """Return a value as a person would type it."""
    if isinstance(value, list | tuple):
        return "/".join(f"{part:g}" for part in value)
    return str(value)


def _in_words(assumed: Mapping[str, Any]) -> str:
    """Return what is assumed as a list."""
    return ", ".join(f"{name.replace('_', ' ')} {_plainly(value)}" for name, value in assumed.items())


def check_assumptions(
    checkpoint: Checkpoint, dataset: DataSet, data: str, order: str, *, left_out: Sequence[int] = ()
) -> DataSet:
    """Try what is only assumed, or doubtful, about a model that is not of ours on the images at hand.

    Args:
        checkpoint: the model.
        dataset: as loaded for it.
        data: name or path of that.
        order: see :class:`RunConfig`.
        left_out: classes whose images say nothing about the order: the model may have forgotten them.

    Returns:
        The data set, with a note on what is assumed, and one where an order was chosen that the model's answers
        contradict.

    Raises:
        UsageError: another reading of its input, or another order of its classes, is clearly better.
    """
    assumed = checkpoint.about.get("assumed") or {}
    if checkpoint.origin is None and not assumed:
        return dataset  # our own file says everything
    if assumed:
        note = f"the model's file does not say how its images are prepared; assumed: {_in_words(assumed)}"
        dataset = replace(dataset, notes=(*dataset.notes, note))

    def at_size(size: int) -> DataSet:
        return load_for(checkpoint, data, order=order, size=size)

    doubts = check_reading(checkpoint, dataset, at_size)
    dataset = replace(dataset, notes=(*dataset.notes, *doubts))
    told = replace(dataset, train=dataset.train.without_classes(left_out), test=dataset.test.without_classes(left_out))
    if not len(told.train) and not len(told.test):
        return dataset
    prepared = {name: value for name, value in assumed.items() if name in READ_BY}
    figures = check_order(checkpoint.model, told, order or chosen_order(checkpoint), _in_words(prepared))
    return replace(dataset, notes=(*dataset.notes, *figures.doubt()))


def chosen_order(checkpoint: Checkpoint) -> str:
    """Return the order of the classes that a person chose when the checkpoint was written; empty where nobody did."""
    told = checkpoint.about.get("told")
    order = told.get("order") if isinstance(told, dict) else None
    return order if isinstance(order, str) else ""


def as_trained(dataset: DataSet, about: Mapping[str, Any], asked: Sequence[int]) -> DataSet:
    """Return a data set whose training part is what a model has seen: to membership inference the rest differs.

    Images of classes that the training excluded are left out, and those that its train_limit did not draw. Of the
    classes that are asked about, excluded ones keep their images: they are the strangers that a retrained model is
    asked about. Where a header does not tell for sure, all images stay: other data than it names, a training that went
    on from another, a planted backdoor.

    Args:
        dataset: whole.
        about: the checkpoint's header, which may be anybody's.
        asked: the classes in the role of the forgotten ones.

    Raises:
        UsageError: nothing was drawn of a class that is asked about.
    """
    excluded = about.get("excluded")
    if not isinstance(excluded, list) or any(type(k) is not int for k in excluded):
        return dataset
    if about.get("data") != dataset.name or about.get("started_from") or about.get("backdoor"):
        return dataset
    labels = dataset.train.labels
    left_out = torch.isin(labels, torch.tensor(excluded, dtype=torch.long))
    strangers = left_out & torch.isin(labels, torch.tensor(list(asked), dtype=torch.long))
    seen = _drawn(dataset.train, ~left_out, about) | strangers
    if bool(seen.all()):
        return dataset
    for k in asked:
        if not bool(seen[labels == k].any()):
            raise UsageError(f"forget: the model was trained on some images of {dataset.name}, none of class {k}")
    return replace(dataset, train=dataset.train[seen.nonzero().flatten()])


def _drawn(train: Split, pool: Tensor, about: Mapping[str, Any]) -> Tensor:
    """Return which images (N,) bool of a pool, likewise, a train_limit drew by its recipe's seed; else the pool."""
    recipe = about.get("recipe")
    recipe = recipe if isinstance(recipe, dict) else {}
    limit, seed = recipe.get("train_limit"), recipe.get("seed")
    if type(limit) is not int or type(seed) is not int or limit < 1 or not 0 <= seed < MOST_SEED:
        return pool
    if about.get("images") != describe_images(train):  # in another order the same draw means other images
        return pool
    places = pool.nonzero().flatten()
    chosen = torch.randperm(len(places), generator=torch.Generator().manual_seed(seed))[:limit]
    return torch.zeros_like(pool).index_fill_(0, places[chosen], value=True)


def describe_images(train: Split) -> dict[str, int]:
    """Return what a checkpoint's header says of the images that a training could choose from."""
    return {"count": len(train), "fingerprint": train.fingerprint()}


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
