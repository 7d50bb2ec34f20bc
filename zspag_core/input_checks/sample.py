"""Labelled images that a model is asked about, decoded once for all questions."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from zspag_core.data.dataset import Split
from zspag_core.data.images import in_memory
from zspag_core.input_checks.matching import best_matching
from zspag_core.metrics.predictions import logits_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from zspag_core.data import DataSet
    from zspag_core.models import Classifier

SMALL_SIDE, MANY, FEW = 64, 256, 64
"""Up to this side so many images are asked about, of larger ones fewer: they cost a forward pass for every reading."""


@dataclass(frozen=True)
class AskedSample:
    """A model, a sample of labelled images, and what the one reads in the other.

    Attributes:
        model: reads the images.
        dataset: that they come from, with its classes as the run numbers them.
        sample: the images and their labels.
    """

    model: Classifier
    dataset: DataSet
    sample: Split

    @classmethod
    def about(cls, model: Classifier, dataset: DataSet) -> AskedSample:
        """Take a sample of the training part, which the model has seen itself; of the test images where there is none.

        Args:
            model: reads the images.
            dataset: at the model's image size.
        """
        split = dataset.train if len(dataset.train) else dataset.test
        count = MANY if model.config.image_size <= SMALL_SIDE else FEW
        return cls(model, dataset, split.sample(count, torch.Generator().manual_seed(0)))

    def about_class(self, k: int) -> AskedSample:
        """Return a sample of the images of one class; this one where it has no others."""
        train, test = self.dataset.train, self.dataset.test
        if bool((train.labels == k).all()) and (len(train) or bool((test.labels == k).all())):
            return self
        return AskedSample.about(
            self.model, replace(self.dataset, train=train.of_classes([k]), test=test.of_classes([k]))
        )

    def without(self, classes: Sequence[int]) -> AskedSample | None:
        """Return a sample without the images of some classes; None where there are no others."""
        if not classes:
            return self
        train, test = (part.without_classes(classes) for part in (self.dataset.train, self.dataset.test))
        rest = replace(self.dataset, train=train, test=test)
        return AskedSample.about(self.model, rest) if len(train) + len(test) else None

    def by(self, model: Classifier) -> AskedSample:
        """Return the same images asked of another model, which takes them at the same size."""
        return AskedSample(model, self.dataset, Split(self.images, self.labels))

    def altered(self, images: Tensor) -> AskedSample:
        """Return the same question with other images (N, C, H, W) under the same labels."""
        return AskedSample(self.model, self.dataset, Split(images, self.labels))

    def __len__(self) -> int:
        """Return the number of images."""
        return len(self.sample)

    @cached_property
    def images(self) -> Tensor:
        """Return the images, (N, C, H, W) uint8, decoded."""
        return in_memory(self.sample.images)

    @property
    def labels(self) -> Tensor:
        """Return what they are labelled as, (N,) int64."""
        return self.sample.labels

    @cached_property
    def predicted(self) -> Tensor:
        """Return which output the model names, (N,) int64."""
        return logits_of(self.model, self.images).argmax(1)

    @cached_property
    def taken(self) -> float:
        """Return the percent of the images that are read as they are labelled."""
        return 100 * float((self.predicted == self.labels).double().mean())

    @property
    def one_class(self) -> bool:
        """Tell whether all images are of one class."""
        return len(self.labels.unique()) < 2

    @cached_property
    def in_any_order(self) -> float:
        """Return the percent under the best order of the classes, as far as several can tell."""
        return self.taken if self.one_class else max(self.taken, best_matching(self.predicted, self.labels)[0])
