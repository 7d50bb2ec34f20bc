"""A network that Python code hands over: a classifier of ours around a copy of it, and its images as it takes them."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from zspag_core.checkpoints import Checkpoint
from zspag_core.checkpoints.foreign import adapt
from zspag_core.class_names import given_twice
from zspag_core.data.dataset import DataSet, Split, to_pixels
from zspag_core.data.given import Pixels, labels_of, pixels_of, taken_apart
from zspag_core.data.images import in_memory
from zspag_core.data.resizing import Resizing
from zspag_core.input_checks.altered_images import AlteredImages, check_altered
from zspag_core.input_checks.alternatives import WrongReading
from zspag_core.input_checks.batch_norm import check_batch_norm
from zspag_core.input_checks.class_order import try_orders
from zspag_core.input_checks.forgotten_classes import class_figures, read_as_another, strangers
from zspag_core.input_checks.sample import AskedSample
from zspag_core.models import Classifier
from zspag_core.models.foreign import ForeignClassifier
from zspag_core.models.foreign.caches import copied
from zspag_core.models.foreign.reading import IMAGENET_MEAN, IMAGENET_STD, channels_of
from zspag_core.preprocessing import fields_of
from zspag_core.runs.assumptions import SURE_ALONE

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from zspag_core.data.images import Pictures
    from zspag_core.input_checks.class_order import OrderFigures
    from zspag_core.progress import Reporter

NAME = "the data given"
"""What messages call the data."""
PLAIN = "pixels in [0, 1]"
USUAL = {
    PLAIN: ((0.0, 0.0, 0.0), (1.0, 1.0, 1.0)),
    "ImageNet's mean and std": (IMAGENET_MEAN, IMAGENET_STD),
    "mean and std of 0.5": ((0.5, 0.5, 0.5), (0.5, 0.5, 0.5)),
}
"""Normalisations that networks are usually trained with: mean, std."""

READ, BATCH = 64, 32
CLEARLY = 20.0
"""So many points more of the images are read right in a reading that is clearly better."""

TRUST = "trust_labels=True takes them as they are"
AS_THEY_ARE = (
    "no preprocess was given: the network takes pixels in [0, 1], as large as the images are; where it wants them "
    "normalised or resized, say so with preprocess"
)


@dataclass(frozen=True)
class Given:
    """A network that was handed over, and how its images are prepared.

    Attributes:
        owner: the network as it was given.
        checkpoint: a classifier of ours around a copy of it.
        class_names: one per output.
        pixels: how images become what it takes.
    """

    owner: nn.Module
    checkpoint: Checkpoint
    class_names: tuple[str, ...]
    pixels: Pixels

    @property
    def nothing(self) -> Split:
        """Return no images."""
        config = self.checkpoint.model.config
        shape = (0, config.channels, config.image_size, config.image_size)
        return Split(torch.zeros(shape, dtype=torch.uint8), torch.zeros(0, dtype=torch.int64))

    def dataset(self, train: Split, test: Split) -> DataSet:
        """Return both parts as a data set."""
        return DataSet(NAME, self.class_names, train, test)

    def find(self, what: str, forget: Sequence[int | str] | int | str) -> tuple[int, ...]:
        """Return the numbers of classes that are named or numbered.

        Raises:
            UsageError: there is no such class, or one is named twice.
        """
        return self.dataset(self.nothing, self.nothing).find_classes(listed(forget), what)

    def split(self, what: str, pictures: Pictures, labels: object) -> Split:
        """Return prepared images with their labels by number.

        Raises:
            ValueError, UsageError: not as many labels as images, or no such class.
        """
        classes = self.dataset(self.nothing, self.nothing)
        return Split(pictures, labels_of(what, labels, len(pictures), lambda one: classes.find_class(one, "labels")))

    def pair(self, what: str, given: object) -> Split:
        """Return further images, (images, labels) or a Dataset or DataLoader; none where None is given.

        Raises:
            ValueError, UsageError: in another form, of another size, or with labels that do not fit.
        """
        if given is None:
            return self.nothing
        parts = given if isinstance(given, tuple | list) and len(given) == 2 else (given, None)
        images, labels = taken_apart(what, parts[0], parts[1])
        pictures, side = pixels_of(what, images, self.pixels), self.checkpoint.model.config.image_size
        if pictures.shape[-1] != side:
            raise ValueError(f"{what}: expected {side} pixels a side, as the other images, got {pictures.shape[-1]}")
        return self.split(what, pictures, labels)

    def check_reading(self, images: Split) -> None:
        """Refuse pixels as they are where the network reads them far better in one of the usual normalisations.

        Raises:
            ValueError: with both figures.
        """
        if isinstance(self.owner, Classifier):
            return
        some = images[torch.arange(len(images))[:: 1 + len(images) // READ]].loaded()
        right = {name: self._right(some, mean, std) for name, (mean, std) in USUAL.items()}
        best, plain = max(right, key=right.__getitem__), right[PLAIN]
        if right[best] < plain + CLEARLY:
            return
        if len(some.labels.unique()) == 1:  # what is wrongly prepared may all be read as one class
            raise ValueError(
                f"preprocess: with pixels in [0, 1] the network reads {plain:.0f} % of {len(some)} images right, and "
                "images of one class cannot tell what it was trained with: expected preprocess={'mean': (…), 'std': "
                "(…)} as in its training; preprocess={} takes the pixels as they are all the same"
            )
        mean, std = (part[: self.checkpoint.model.config.channels] for part in USUAL[best])
        raise ValueError(
            f"preprocess: with pixels in [0, 1] the network reads {plain:.0f} % of {len(some)} images right, with "
            f"{best} {right[best]:.0f} %: expected preprocess={{'mean': {mean}, 'std': {std}}} or what else it was "
            "trained with; preprocess={} takes the pixels as they are all the same"
        )

    def check_images(self, images: Split, forget: Sequence[int], *, trusted: bool) -> tuple[str, ...]:
        """Refuse images and labels that the network's answers contradict: another class would be forgotten.

        Args:
            images: prepared, with their labels.
            forget: the classes to forget.
            trusted: whether images and labels stand whatever the network reads.

        Returns:
            Notes for the person.

        Raises:
            ValueError: it says as what the images are read.
        """
        asked = AskedSample.about(self.checkpoint.model, self.dataset(images, self.nothing))
        try:
            notes = check_altered(asked, kept=trusted)
        except AlteredImages as altered:
            raise ValueError(f"images: {altered.plain} (OpenCV, for one, reads blue before red); {TRUST}") from None
        if isinstance(self.owner, Classifier):
            return notes
        found = [*class_figures(asked, forget)]
        if not trusted:
            whole = try_orders(asked)
            for figures in (*([whole] if whole.contradicted else []), *filter(read_as_another, found)):
                raise ValueError(self._contradiction(figures))
        more = (note for figures in found for note in strangers(asked.dataset, figures))
        return (*notes, *((SURE_ALONE,) if asked.one_class else ()), *self._strange_preparation(asked), *more)

    def _contradiction(self, figures: OrderFigures) -> str:
        """Say what the network reads in images of another label."""
        k, (output, share) = max(figures.said.items(), key=lambda one: (one[0] != one[1][0], one[1][1]))
        return (
            f"labels: the network reads {figures.taken:.1f} % of {figures.count} images as they are labelled, and "
            f"{share:.0f} % of those of {self.class_names[k]!r}, its output {k}, as output {output}, "
            f"{self.class_names[output]!r}: expected images prepared and labels numbered as in its training; {TRUST}"
        )

    def _strange_preparation(self, asked: AskedSample) -> tuple[str, ...]:
        """Say it where images of one class lie far from what the network's BatchNorm remembers."""
        try:
            return check_batch_norm(self.checkpoint, asked) if asked.one_class else ()
        except WrongReading as wrong:
            return (f"{wrong.plain}: are they prepared as in the network's training?",)

    @torch.no_grad()
    def _right(self, some: Split, mean: Sequence[float], std: Sequence[float]) -> float:
        """Return how many images are read as their class when they are normalised first, percent."""
        classifier, channels = self.checkpoint.model, self.checkpoint.model.config.channels
        shift, scale = (torch.tensor(part).view(1, -1, 1, 1)[:, :channels] for part in (mean, std))
        pixels = (to_pixels(in_memory(some.images)) - shift) / scale
        found = torch.cat([classifier(part).argmax(1) for part in pixels.split(BATCH)])
        return 100 * float((found == some.labels).double().mean())

    def returned(self, unlearned: Classifier) -> nn.Module:
        """Return a copy of the owner's network with the weights of the unlearned classifier."""
        network = copied(self.owner)
        if isinstance(unlearned, ForeignClassifier) and not isinstance(network, Classifier):
            network.load_state_dict(unlearned.owner_weights())
        else:
            network.load_state_dict(unlearned.state_dict())
        return network


def take_over(
    model: object,
    images: object,
    preprocess: object,
    names: Sequence[str] | None,
    report: Reporter,
    *,
    normalised: bool,
) -> tuple[Given, Pictures]:
    """Return a network with its first images as it takes them: where nobody says how large, as large as they are.

    Args:
        model: a module or a loaded checkpoint; left as it is.
        images: in any form, without labels.
        preprocess: what the owner does to images; see :mod:`zspag_core.preprocessing`.
        names: one per output, None where the network itself may say.
        report: receives what is assumed.
        normalised: whether float images were normalised already.

    Raises:
        ValueError, CheckpointError: no image classifier, or images that it does not take.
    """
    owner, about = (model.model, model.about) if isinstance(model, Checkpoint) else (model, {})
    if not isinstance(owner, nn.Module):
        raise ValueError(f"model: expected an nn.Module or a loaded checkpoint, got {type(owner).__name__}")
    owner = _unwrapped(owner)
    if isinstance(owner, Classifier):
        fields = _own_fields(owner, preprocess)
    else:
        fields = fields_of(preprocess, _channels(owner))
        if preprocess is None:
            report.note(AS_THEY_ARE)
    pixels = _pixels(fields, report, normalised=normalised)
    pictures = pixels_of("images", images, pixels)
    classifier = _classifier(owner, fields, pictures.shape[-1])
    about = {"origin": f"module:{type(owner).__name__}", **about}
    known = _class_names(owner, names or about.get("class_names"), classifier.config.num_classes)
    if known is not None:
        about["class_names"] = list(known)
    numbers = tuple(map(str, range(classifier.config.num_classes)))
    return Given(owner, Checkpoint(classifier, about, ""), known or numbers, pixels), pictures


def _unwrapped(network: nn.Module) -> nn.Module:
    """Return the network inside of what torch.compile or DataParallel made of it."""
    if isinstance(inner := getattr(network, "_orig_mod", None), nn.Module):
        return _unwrapped(inner)
    if isinstance(network, nn.DataParallel | nn.parallel.DistributedDataParallel):
        return _unwrapped(network.module)
    return network


def _channels(network: nn.Module) -> int:
    channels = channels_of(network)
    if channels not in {1, 3}:
        raise ValueError(f"model: expected a network for grey (1) or colour (3) images, got {channels} channels")
    return channels


def _own_fields(classifier: Classifier, preprocess: object) -> dict[str, Any]:
    """Return the fields of a classifier of ours, which prepares its images itself."""
    if preprocess is not None:
        raise ValueError("preprocess: expected None, since this model prepares its images itself")
    return classifier.config.to_dict()


def _pixels(fields: Mapping[str, Any], report: Reporter, *, normalised: bool) -> Pixels:
    """Return how images are prepared outside of the network."""
    size, mean, std = fields.get("image_size"), fields.get("mean", ()), fields.get("std", ())
    if normalised and not any(mean):
        raise ValueError("normalised: expected preprocess with the mean and std that are to be undone")
    resizing = size and Resizing(size, fields.get("shorter_side") or None, fields.get("interpolation", "bilinear"))
    return Pixels(resizing, len(mean), (mean, std) if normalised else None, report.note)


def _classifier(owner: nn.Module, fields: Mapping[str, Any], side: int) -> Classifier:
    """Return a classifier of ours around a copy of a network."""
    if isinstance(owner, Classifier):
        return copy.deepcopy(owner).eval()
    if any(part.is_floating_point() and part.dtype != torch.float32 for part in owner.state_dict().values()):
        owner = copied(owner).float()
    return adapt(owner, **{"channels": len(fields["mean"]), **fields, "image_size": side})


def _class_names(owner: nn.Module, names: Sequence[str] | None, count: int) -> tuple[str, ...] | None:
    """Return one name per output: those given, else those in the network's own config; None where nobody says.

    Raises:
        ValueError: not as many names as outputs, or one name twice.
    """
    if names is None:
        names = _id2label(owner, count)
    if names is None:
        return None
    if isinstance(names, str) or len(names) != count:
        raise ValueError(f"class_names: expected {count} names, one for each output of the network, got {len(names)}")
    found = tuple(map(str, names))
    if (twice := given_twice(found)) is not None:
        raise ValueError(f"class_names: expected every name once, got {twice!r} twice")
    return found


def _id2label(owner: nn.Module, count: int) -> list[str] | None:
    """Return the names in the config of a network of transformers, None where it only numbers them."""
    id2label = getattr(getattr(owner, "config", None), "id2label", None)
    if not isinstance(id2label, dict) or {str(key) for key in id2label} != {str(k) for k in range(count)}:
        return None
    names = [str(id2label.get(k, id2label.get(str(k)))) for k in range(count)]
    plain = names == [f"LABEL_{k}" for k in range(count)]
    return None if plain or len(set(names)) < count else names


def listed(forget: Sequence[int | str] | int | str) -> tuple[int | str, ...]:
    """Return the classes to forget, of which there may be one alone."""
    if isinstance(forget, int | str):
        return (forget,)
    return tuple(one if isinstance(one, str) else int(one) for one in forget)
