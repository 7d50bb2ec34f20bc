"""One way to prepare a model's images, and what it reads so."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import torch

from zspag_core.checkpoints.owners import stated_fields
from zspag_core.errors import CheckpointError, UsageError
from zspag_core.models import build
from zspag_core.models.foreign import ForeignClassifier

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

    from zspag_core.checkpoints import Checkpoint
    from zspag_core.input_checks.sample import AskedSample
    from zspag_core.models import Classifier

NORMALISATIONS: dict[str, tuple[tuple[float, ...], tuple[float, ...]]] = {
    "ImageNet's": ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
    "CIFAR-10's": ((0.4914, 0.4822, 0.4465), (0.2470, 0.2435, 0.2616)),
    "none (pixels from 0 to 1)": ((0.0, 0.0, 0.0), (1.0, 1.0, 1.0)),
    "0.5 (pixels from -1 to 1)": ((0.5, 0.5, 0.5), (0.5, 0.5, 0.5)),
}


@dataclass(frozen=True)
class Alternative:
    """One reading of a model's input and what it reads.

    Attributes:
        words: what is different, for people.
        fields: of the model's config.
        accuracy: percent of the sample read as labelled.
        count: images in the sample.
    """

    words: str
    fields: Mapping[str, Any]
    accuracy: float
    count: int

    @classmethod
    def on(cls, asked: AskedSample, words: str, fields: Mapping[str, Any]) -> Alternative:
        """Read a sample; the best matching of outputs to classes counts, since their order is asked later."""
        return cls(words, fields, asked.in_any_order, len(asked))

    @property
    def options(self) -> str:
        """Return the fields as options of the command line."""
        words = []
        for name, value in self.fields.items():
            text = ",".join(f"{v:g}" for v in value) if isinstance(value, tuple) else str(value)
            words.append(f"--{name.replace('_', '-')} {text}")
        return " ".join(words)


class WrongReading(UsageError):
    """Another way to prepare the images is clearly better than the one that was taken.

    Attributes:
        plain: what is wrong, without how to choose.
        better: that way.
    """

    def __init__(self, plain: str, better: Alternative) -> None:
        """Keep the sentence and the better way; the message ends with how to choose it on the command line."""
        super().__init__(f"{plain}; choose with {better.options} (or name what was taken in the same way)")
        self.plain, self.better = plain, better


def with_reading(model: Classifier, **fields: Any) -> Classifier:  # noqa: ANN401 - fields of any config
    """Return a classifier with the same weights whose input is prepared otherwise.

    Raises:
        CheckpointError: it does not take such images.
    """
    try:
        config = replace(model.config, **fields)
        if isinstance(model, ForeignClassifier):
            return ForeignClassifier(model.network, config)  # type: ignore[arg-type]  # the config of that kind
        with torch.random.fork_rng(devices=[]):
            other = build(config)
        other.load_state_dict(model.state_dict())
    except (ValueError, RuntimeError) as error:
        raise CheckpointError(str(error).splitlines()[0]) from None
    return other.eval()


def other_normalisations(model: Classifier) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the usual normalisations that are not the model's own, as one number a channel."""
    channels = model.config.channels
    for name, parts in NORMALISATIONS.items():
        mean, std = parts if channels != 1 else ((sum(part) / len(part),) for part in parts)
        if mean != model.config.mean or std != model.config.std:
            yield f"normalisation: {name}", {"mean": mean, "std": std}


def is_stated(checkpoint: Checkpoint, other: Alternative) -> bool:
    """Tell whether all in which another reading differs was stated by a person."""
    return stated_fields(checkpoint.about) >= set(other.fields)


def prepared_words(checkpoint: Checkpoint, fields: Collection[str]) -> str:
    """Say how the images are prepared, as far as another reading differs in these fields."""
    config = checkpoint.model.config
    parts = [f"{config.image_size} pixels"] if "image_size" in fields else []
    if "mean" in fields:
        parts.append(f"mean {', '.join(f'{v:g}' for v in config.mean)}")
    return ", ".join(parts)
