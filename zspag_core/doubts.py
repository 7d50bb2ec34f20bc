"""What is only assumed about a model, tried on labelled images: how it wants its input, which output is which class.

A wrong assumption destroys another class without a word. So where a usual other reading reads the images clearly
better than the one that was taken, nothing is begun until a person says which it is.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from zspag_core.checkpoints.owners import stated_fields
from zspag_core.data.classes import in_order
from zspag_core.data.images import in_memory
from zspag_core.data.reading import ORDERS
from zspag_core.errors import CheckpointError, UsageError
from zspag_core.metrics.predictions import logits_of
from zspag_core.models import build
from zspag_core.models.foreign import ForeignClassifier
from zspag_core.remembered import ASKED, preparation_gap
from zspag_core.shortfall import hardly_read

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping, Sequence

    from zspag_core.checkpoints import Checkpoint
    from zspag_core.data import DataSet
    from zspag_core.data.dataset import Split
    from zspag_core.models import Classifier

SMALL_SIDE, MANY, FEW = 64, 256, 64
"""Up to this side so many images are asked about, of larger ones fewer: they cost a forward pass for every reading."""
CLEARLY, DEVIATIONS = 10.0, 3.0
"""Another reading is clearly better by more percentage points than this and by more than so many standard errors."""
WELL = 40.0
"""Percent read rightly from which on no other image size is tried: at 224 pixels a look costs 49 times one at 32."""
NORMALISATIONS: dict[str, tuple[tuple[float, ...], tuple[float, ...]]] = {
    "ImageNet's": ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
    "CIFAR-10's": ((0.4914, 0.4822, 0.4465), (0.2470, 0.2435, 0.2616)),
    "none (pixels from 0 to 1)": ((0.0, 0.0, 0.0), (1.0, 1.0, 1.0)),
    "0.5 (pixels from -1 to 1)": ((0.5, 0.5, 0.5), (0.5, 0.5, 0.5)),
}
NEARLY = 90.0
"""Percent read rightly from which on an assumed image size is not doubted; below it small ones are tried, which are
cheap."""
SIZES, SMALL_SIZES = (32, 64, 224), (28, 32, 48, 64)
STRANGE, FARTHER = 0.4, 2.5
"""Where BatchNorm is asked, a normalisation is doubted that lies farther than this from what it remembers, and so many
times as far as another one. Of eight trained networks, class by class, the right one lay at 0.31 at most and at 1.7
times the best of the others (table in docs/your_model.md)."""
FEWEST = 10
"""Images of a class from which on it is told that they are read as another one."""
STRANGERS, UNSURE = 20.0, 50.0
"""Percent of a class's images that are read as one other class, and percent that are read as their own, from which on
and up to which that is told. Of ten trained networks, class by class, ten of 100 are told of with all in order: shirts,
coats and pullovers of five weak readers of Fashion-MNIST (30 to 64 % right, 20 to 33 % as one other class)."""
KEPT = "given"
"""The order of the classes that the data have, kept whatever the model reads in them."""
READ_BY = frozenset({"mean", "std", "image_size"})
"""The fields of a reading that are tried."""


class WrongReading(UsageError):
    """Another way to prepare the images is clearly better than the one that was taken.

    Attributes:
        better: that way.
    """

    def __init__(self, words: str, better: Tried) -> None:
        """Keep the sentence and the better way."""
        super().__init__(words)
        self.better = better


@dataclass(frozen=True)
class Tried:
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


def sample_of(dataset: DataSet, image_size: int) -> Split:
    """Return labelled images that a reading is tried on: of the training part, which the model has seen itself."""
    split = dataset.train if len(dataset.train) else dataset.test
    count = MANY if image_size <= SMALL_SIDE else FEW
    return split.sample(count, torch.Generator().manual_seed(0))


def try_readings(checkpoint: Checkpoint, dataset: DataSet, at_size: Callable[[int], DataSet]) -> list[Tried]:
    """Return how the model reads a sample with its input as it is taken, then in other usual ways; best of these first.

    What is assumed is always tried. What a foreign file or a person said is tried where little is read with it: files
    carry what their network was pretrained with, and people mistype.

    Args:
        checkpoint: of a foreign network, or with `assumed` fields; else the list is empty.
        dataset: at the model's image size.
        at_size: loads the same data at another image size.
    """
    assumed = READ_BY & set(checkpoint.about.get("assumed") or {})
    model = checkpoint.model
    if not _is_tried(checkpoint):
        return []
    if len(sample_of(dataset, model.config.image_size).labels.unique()) < 2:
        return []  # a reading that calls everything the same would look best
    tried = [_tried(model, "as assumed" if assumed else "as told", {}, dataset)]
    doubtful = assumed if tried[0].accuracy >= WELL else READ_BY
    if {"mean", "std"} <= doubtful:
        tried += [_tried(model, f"normalisation: {name}", f, dataset) for name, f in _normalisations(model)]
    best = max(tried, key=lambda one: one.accuracy)
    if "image_size" in doubtful and best.accuracy < NEARLY:
        tried += list(_at_other_sizes(model, best, at_size, SIZES if best.accuracy < WELL else SMALL_SIZES))
    return [tried[0], *sorted(tried[1:], key=lambda one: -one.accuracy)]


def _is_tried(checkpoint: Checkpoint) -> bool:
    """Tell whether a model's reading may be wrong: it is assumed, or a foreign file's, or a person's."""
    about = checkpoint.about
    return bool(READ_BY & set(about.get("assumed") or {})) or checkpoint.origin is not None or "told" in about


def _normalisations(model: Classifier) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the usual normalisations that are not the model's own, as one number a channel."""
    channels = model.config.channels
    for name, parts in NORMALISATIONS.items():
        mean, std = parts if channels != 1 else ((sum(part) / len(part),) for part in parts)
        if mean != model.config.mean or std != model.config.std:
            yield name, {"mean": mean, "std": std}


def _at_other_sizes(
    model: Classifier, best: Tried, at_size: Callable[[int], DataSet], sizes: Sequence[int]
) -> Iterator[Tried]:
    """Yield what is read at other usual image sizes, as assumed and with the best of the normalisations tried."""
    ways = {"": dict[str, Any](), f", {best.words}": dict(best.fields)} if best.fields else {"": dict[str, Any]()}
    for size in sizes:
        if size == model.config.image_size:
            continue
        for words, fields in ways.items():
            try:
                other = with_reading(model, image_size=size, **fields)
            except CheckpointError:
                break
            yield _accuracy_of(other, f"images of {size} pixels{words}", {"image_size": size, **fields}, at_size(size))


def _tried(model: Classifier, words: str, fields: Mapping[str, Any], dataset: DataSet) -> Tried:
    """Try one reading."""
    return _accuracy_of(with_reading(model, **fields) if fields else model, words, fields, dataset)


def _accuracy_of(model: Classifier, words: str, fields: Mapping[str, Any], dataset: DataSet) -> Tried:
    """Read a sample with a model; the best matching of outputs to classes counts, since their order is asked later."""
    sample = sample_of(dataset, model.config.image_size)
    predicted = logits_of(model, sample.images).argmax(1)
    plain = 100 * float((predicted == sample.labels).double().mean())
    return Tried(words, fields, max(plain, best_matching(predicted, sample.labels)[0]), len(sample))


def best_matching(predicted: Tensor, labels: Tensor) -> tuple[float, dict[int, int]]:
    """Return the accuracy of the best one-to-one matching of classes to outputs, and the matching.

    It is chosen on one half of the images and counted on the other, both ways, so that chance gains nothing.

    Args:
        predicted: (N,) int64, outputs.
        labels: (N,) int64, classes.

    Returns:
        Percent, and class -> output of the matching on all images.
    """
    half = torch.arange(len(labels)) % 2 == 0
    right = 0
    for fitted, counted in ((half, ~half), (~half, half)):
        matching = _matching(predicted[fitted], labels[fitted])
        right += sum(
            int(matching.get(int(k), -1) == int(p)) for k, p in zip(labels[counted], predicted[counted], strict=True)
        )
    return 100 * right / max(1, len(labels)), _matching(predicted, labels)


def _matching(predicted: Tensor, labels: Tensor) -> dict[int, int]:
    """Return class -> output so that as many images as possible are read rightly."""
    from scipy.optimize import linear_sum_assignment

    if not len(labels):
        return {}
    size = 1 + int(torch.stack([predicted.max(), labels.max()]).max())
    counts = torch.zeros(size, size, dtype=torch.int64)
    counts.index_put_((labels, predicted), torch.ones_like(labels), accumulate=True)
    rows, columns = linear_sum_assignment(-counts.numpy())
    return {int(k): int(c) for k, c in zip(rows, columns, strict=True) if counts[k].sum() > 0}


def clearly_better(other: float, taken: float, count: int) -> bool:
    """Tell whether one accuracy in percent on so many images is clearly above another on the same number."""
    p = max(min((other + taken) / 200, 1.0), 0.0)
    error = 100 * math.sqrt(2 * p * (1 - p) / max(1, count))
    return other - taken > max(CLEARLY, DEVIATIONS * error)


def another_is_better(tried: Sequence[Tried]) -> bool:
    """Tell whether the best of the other readings is clearly better than the first one, which was taken."""
    return len(tried) > 1 and clearly_better(tried[1].accuracy, tried[0].accuracy, tried[1].count)


def is_stated(checkpoint: Checkpoint, other: Tried) -> bool:
    """Tell whether all in which another reading differs was stated by a person."""
    return stated_fields(checkpoint.about) >= set(other.fields)


def check_reading(checkpoint: Checkpoint, dataset: DataSet, at_size: Callable[[int], DataSet]) -> tuple[str, ...]:
    """Refuse to go on with an assumed reading, or a file's, where another one is clearly better.

    What a person stated stands, and it is noted where another reading is clearly better.

    Args:
        checkpoint: whose reading is tried.
        dataset: at the model's image size.
        at_size: loads the same data at another image size.

    Returns:
        Notes for the person.

    Raises:
        WrongReading: it says both figures and how to choose.
    """
    if not _is_tried(checkpoint):
        return ()
    tried = try_readings(checkpoint, dataset, at_size)
    if not tried:  # images of one class
        return _ask_batch_norm(checkpoint, dataset)
    if not another_is_better(tried):
        return ()
    taken, better = tried[:2]
    figures = f"{taken.accuracy:.1f} % of {taken.count} labelled images, with {better.words} {better.accuracy:.1f} %"
    if is_stated(checkpoint, better):
        return (f"prepared as stated ({_words(checkpoint, better.fields)}) the model reads {figures}",)
    if set(better.fields) & set(checkpoint.about.get("assumed") or {}):
        start = "the model's file does not say how its images are prepared: as assumed"
    else:
        start = "the model's file may say wrongly how its images are prepared: as it says"
    raise WrongReading(
        f"{start} ({_words(checkpoint, better.fields)}) it reads {figures}; choose with {_options(better.fields)} (or "
        "name what was taken in the same way)",
        better,
    )


def _ask_batch_norm(checkpoint: Checkpoint, dataset: DataSet) -> tuple[str, ...]:
    """Compare normalisations by what BatchNorm remembers, where images of one class say nothing by their answers.

    Returns:
        A note where a person stated what looks wrong.

    Raises:
        WrongReading: another usual normalisation is far closer.
    """
    model = checkpoint.model
    sample = sample_of(dataset, model.config.image_size)
    images = in_memory(sample[torch.arange(min(ASKED, len(sample)))].images)
    taken = preparation_gap(model, images)
    if taken is None or taken <= STRANGE:
        return ()
    others = dict(_normalisations(model))
    gaps = {name: preparation_gap(with_reading(model, **fields), images) or 0.0 for name, fields in others.items()}
    name = min(gaps, key=gaps.__getitem__)
    if taken <= FARTHER * gaps[name]:
        return ()
    fields = others[name]
    better = Tried(f"normalisation: {name}", fields, math.nan, len(images))
    figures = (
        f"({_words(checkpoint, fields)}) the images enter its first layers {taken:.2f} away from what BatchNorm "
        f"remembers of those in training, with {better.words} {gaps[name]:.2f}"
    )
    if is_stated(checkpoint, better):
        return (f"prepared as stated {figures}: are mean and std those of the training?",)
    raise WrongReading(
        f"how its images are prepared looks wrong: as taken {figures}; choose with {_options(fields)} (or name what "
        "was taken in the same way)",
        better,
    )


def _words(checkpoint: Checkpoint, fields: Collection[str]) -> str:
    """Say how the images are prepared, as far as another reading differs."""
    config = checkpoint.model.config
    parts = [f"{config.image_size} pixels"] if "image_size" in fields else []
    if "mean" in fields:
        parts.append(f"mean {', '.join(f'{v:g}' for v in config.mean)}")
    return ", ".join(parts)


def _options(fields: Mapping[str, Any]) -> str:
    """Return fields as options of the command line."""
    words = []
    for name, value in fields.items():
        text = ",".join(f"{v:g}" for v in value) if isinstance(value, tuple) else str(value)
        words.append(f"--{name.replace('_', '-')} {text}")
    return " ".join(words)


@dataclass(frozen=True)
class OrderFigures:
    """How well the order of the classes that was taken agrees with what the model reads.

    Attributes:
        taken: percent of a sample read as the classes are numbered.
        best: percent under the best one-to-one matching of outputs to classes.
        other: name of another order of folder names that reads clearly better, if there is one.
        other_accuracy: percent under that.
        count: images in the sample.
        matching: class -> output of the best matching.
        said: class -> the output that most of its images are read as, and the percent of them.
        else_said: class -> the same of the outputs that are not its own; it lacks classes that are all read rightly.
    """

    taken: float
    best: float
    other: str | None
    other_accuracy: float
    count: int
    matching: Mapping[int, int]
    said: Mapping[int, tuple[int, float]] = field(default_factory=dict)
    else_said: Mapping[int, tuple[int, float]] = field(default_factory=dict)

    @property
    def better_order(self) -> str | None:
        """Return the other order of folder names, where it reads clearly better."""
        return self.other if clearly_better(self.other_accuracy, self.taken, self.count) else None

    @property
    def contradicted(self) -> bool:
        """Tell whether the model's answers contradict the numbering: another order or matching is clearly better."""
        return clearly_better(max(self.best, self.other_accuracy), self.taken, self.count)

    def doubt(self) -> tuple[str, ...]:
        """Say so where the best matching reads clearly more than the numbering that was taken."""
        if not clearly_better(self.best, self.taken, self.count):
            return ()
        return (
            f"in the order of the classes that was chosen the model reads {self.taken:.1f} % of {self.count} labelled "
            f"images, matched otherwise {self.best:.1f} %",
        )


def try_orders(model: Classifier, dataset: DataSet) -> OrderFigures:
    """Compare the numbering of the classes with what the model reads in labelled images."""
    sample = sample_of(dataset, model.config.image_size)
    predicted = logits_of(model, sample.images).argmax(1)
    taken = 100 * float((predicted == sample.labels).double().mean())
    best, matching = best_matching(predicted, sample.labels)
    best = max(best, taken)  # the matching is counted on images that it was not chosen on, so it may come out lower
    other, accuracy = None, taken
    for order in ORDERS:
        ordered, _ = in_order(dataset.name, dataset.class_names, order)
        places = torch.tensor([ordered.index(name) for name in dataset.class_names])
        read = 100 * float((predicted == places[sample.labels]).double().mean())
        if read > accuracy:
            other, accuracy = order, read
    said, else_said = _said(predicted, sample.labels)
    return OrderFigures(taken, best, other, accuracy, len(sample), matching, said, else_said)


def _said(predicted: Tensor, labels: Tensor) -> tuple[dict[int, tuple[int, float]], dict[int, tuple[int, float]]]:
    """Return class -> the output that most of its images are read as, and the percent; then that of other outputs."""
    said: dict[int, tuple[int, float]] = {}
    else_said: dict[int, tuple[int, float]] = {}
    for k in labels.unique().tolist():
        read = predicted[labels == k]
        for found, some in ((said, read), (else_said, read[read != k])):
            if len(some):
                most = int(some.mode().values)
                found[k] = (most, 100 * float((read == most).double().mean()))
    return said, else_said


def check_order(
    model: Classifier, dataset: DataSet, chosen: str | None, assumed: str = "", *, named: bool = False
) -> OrderFigures:
    """Refuse a numbering of classes that the model's outputs contradict, unless a person keeps it as it is.

    Args:
        model: reads the images.
        dataset: numbered as the run takes it.
        chosen: the order that a person chose; with :data:`KEPT` nothing is refused.
        assumed: what is assumed of how the images are prepared, in words: another reason for odd answers.
        named: whether the classes were matched to the model's outputs by name: then no order of folders helps.

    Raises:
        UsageError: it says both figures and how to choose.
    """
    figures = try_orders(model, dataset)
    if chosen == KEPT or not figures.contradicted:
        return figures
    if len(figures.said) == 1:  # images of one class tell nothing of an order
        raise UsageError(_one_class(dataset, figures, assumed, named=named))
    how = f"in {chosen.replace('_', ' ')} order" if chosen else "as numbered"
    start = f"the order of the classes looks wrong: {how} the model reads {figures.taken:.1f} %"
    stay = "or --order given to keep it as it is"
    if (order := figures.better_order) and not named and not chosen:
        raise UsageError(
            f"{start} of {figures.count} labelled images, in {order.replace('_', ' ')} order "
            f"{figures.other_accuracy:.1f} %; choose with --order {order}, {stay}"
        )
    k = next((k for k, output in figures.matching.items() if k != output), 0)
    raise UsageError(
        f"{start} of {figures.count} labelled images, matched otherwise {figures.best:.1f} % (class "
        f"{dataset.class_names[k]!r}, number {k}, is read as output {figures.matching[k]}); {_put_right(named=named)}, "
        f"{stay}"
    )


def check_classes(
    model: Classifier, dataset: DataSet, classes: Sequence[int], chosen: str | None, assumed: str = "", *, named: bool
) -> tuple[str, ...]:
    """Refuse classes to forget whose images the model reads as another class, however well it reads the rest.

    Two names that changed places among many hardly move the figures of :func:`check_order`.

    Args:
        model: reads the images.
        dataset: numbered as the run takes it.
        classes: that are to be forgotten.
        chosen: as in :func:`check_order`.
        assumed: as there.
        named: as there.

    Returns:
        A note on every class of which many images are read as another one: others may lie among them.

    Raises:
        UsageError: it says as what the images are read and how to put it right.
    """
    notes: list[str] = []
    for k in classes:
        alone = replace(dataset, train=dataset.train.of_classes([k]), test=dataset.test.of_classes([k]))
        if len(alone.train) + len(alone.test) < FEWEST:
            continue
        figures = try_orders(model, alone)
        output, share = figures.said[k]
        if output != k and share >= WELL and hardly_read(figures.taken) and chosen != KEPT:
            raise UsageError(_one_class(dataset, figures, assumed, named=named))
        notes += _strangers(dataset, figures)
    return tuple(notes)


def _strangers(dataset: DataSet, figures: OrderFigures) -> tuple[str, ...]:
    """Say it where many images of one class are read as another one."""
    for k, (output, share) in figures.else_said.items():
        if share >= STRANGERS or figures.taken <= UNSURE:
            name = dataset.class_names[k]
            return (
                f"of {figures.count} images of {name!r} the model reads {figures.taken:.1f} % as that class and "
                f"{share:.1f} % as {dataset.class_names[output]!r}: are they all of {name!r}, and prepared as in the "
                "model's training?",
            )
    return ()


def _put_right(*, named: bool) -> str:
    """Say how the order of the classes is put right."""
    if named:
        return "put the names in the order of the outputs, in the --classes FILE, one a line"
    return "name the outputs in their order with --classes FILE, one name a line"


def _one_class(dataset: DataSet, figures: OrderFigures, assumed: str, *, named: bool) -> str:
    """Say that images of one class are read as another; with no other class to compare, that has two usual reasons."""
    ((k, (output, share)),) = figures.said.items()
    prepared = f" ({assumed} was assumed: state --image-size, --mean and --std)" if assumed else ""
    return (
        f"the order of the classes looks wrong, or how the images are prepared{prepared}: of {figures.count} images of "
        f"{dataset.class_names[k]!r} the model reads {figures.taken:.1f} % as that class, its output {k}, and "
        f"{share:.1f} % as output {output}, {dataset.class_names[output]!r}; first compare side, mean, std, grey or "
        "colour, and red before blue with the network's training, for wrongly prepared images are often all read as "
        f"one class; where all that is right, the model may have forgotten that class already, or "
        f"{_put_right(named=named)}; --order given keeps both as they are"
    )
