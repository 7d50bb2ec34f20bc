"""Unlearning from Python: a network and images that are in memory, the same network back without the classes."""

from __future__ import annotations

import warnings
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from zspag_core.data.given import joined, taken_apart
from zspag_core.devices import place, resolve_device
from zspag_core.diagnosis import unread
from zspag_core.errors import CheckpointError, DataError, UsageError
from zspag_core.metrics.grade import grade
from zspag_core.own_network import NAME, listed, take_over
from zspag_core.progress import SILENT, Relay, Reporter
from zspag_core.runs.assumptions import SURE_ALONE
from zspag_core.runs.config import RunConfig
from zspag_core.runs.execute import carry_out
from zspag_core.runs.prepare import check

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from torch import nn

    from zspag_core.checkpoints import Checkpoint


@dataclass(frozen=True)
class Result:
    """What unlearning brings.

    Attributes:
        model: the owner's network, of the same class and with the same names, unlearned; on the device where
            the given one was, which itself is as it was.
        record: what a run's result.json holds: figures before and after, settings, proxies, layers; None where there
            were no images to tell by.
        notes: what a person should know, one sentence each.
    """

    model: nn.Module = field(repr=False)
    record: dict[str, Any] = field(repr=False)
    notes: tuple[str, ...]


def unlearn(  # noqa: PLR0913 - all but the first three are named
    model: nn.Module | Checkpoint,
    images: object,
    labels: object = None,
    *,
    forget: Sequence[int | str] | int | str,
    preprocess: object = None,
    method: str = "zspag",
    seed: int = 0,
    device: str = "auto",
    retain: object = None,
    test: object = None,
    class_names: Sequence[str] | None = None,
    normalised: bool = False,
    trust_labels: bool = False,
    hold_out: float = 0.0,
    relearning: bool | None = None,
    report: Reporter = SILENT,
    **settings: object,
) -> Result:
    """Return a copy of a classifier that has forgotten some of its classes.

    Images of the forgotten classes are all that is needed. What `retain` and `test` hold is used for grading, and
    `retain` by methods that need remaining data.

    Args:
        model: any image classifier, which is left as it is; or what :func:`zspag_core.load_checkpoint` returned.
        images: of the classes to forget, and perhaps of others: a tensor or an array (N, C, H, W) or (N, H, W, C),
            uint8 or floats in [0, 1], a list of Pillow images, or a Dataset or DataLoader of images with labels.
        labels: one for every image, by number or by name, or one for all; None where `images` yields them.
        forget: the classes to forget, by number or by name.
        preprocess: what the owner does to an image before the network sees it: None (pixels in [0, 1] as they are), a
            dictionary with "mean", "std", "size" and "interpolation", `weights.transforms()` of torchvision, a data
            config of timm, an image processor of Hugging Face, or a Compose of Resize, CenterCrop and Normalize.
        method: key of the method; `describe_methods()` lists them.
        seed: of everything random; the same seed gives the same weights on the same CPU.
        device: "auto", "cpu", "mps" or "cuda[:N]".
        retain: (images, labels) of remaining classes that the network was trained on, or a Dataset of them.
        test: (images, labels) of any classes that it was not trained on, or a Dataset of them.
        class_names: one name per output of the network, in its order; else what the network itself says.
        normalised: whether float images were normalised already; mean and std of `preprocess` are undone.
        trust_labels: whether images and labels stand that the network's answers contradict; else they are refused.
        hold_out: percent of the images of every forgotten class that the method does not see: estimates are made on
            them.
        relearning: whether to measure how quickly the classes can be won back; None does for at most 1,000 images.
        report: receives progress, notes and the network after every epoch.
        **settings: of the method, such as epsilon=0.03.

    Raises:
        ValueError: an argument cannot be used, "expected …, got …".
        UnlearningError: the run started and had to stop.

    Warns:
        UserWarning: the network hardly reads the images as labelled, or images of one class look altered, so another
            class may be lost than was meant.
    """
    notes = _Notes(report)
    with _as_value_errors():
        first = taken_apart("images", images, labels)
        given, pictures = take_over(model, first[0], preprocess, class_names, notes, normalised=normalised)
        train = given.split("images", pictures, first[1])
        if preprocess is None:
            given.check_reading(train)
        for sentence in given.check_images(train, given.find("forget", forget), trusted=trust_labels):
            notes.note(sentence)
            if sentence.endswith("?") and sentence != SURE_ALONE:  # that one is asked of any images of one class
                warnings.warn(sentence, stacklevel=2)
        dataset = given.dataset(joined(train, given.pair("retain", retain)), given.pair("test", test))
        config = RunConfig(
            data=NAME,
            checkpoint=str(given.checkpoint.about["origin"]),
            forget=listed(forget),
            method=method,
            settings=settings,
            seed=seed,
            device=device,
            relearning=relearning,
            hold_out=hold_out,
        )
        prepared = check(config, given.checkpoint, dataset)
    unlearned, record = carry_out(prepared, notes)
    if doubt := unread(record):  # another class may have been lost, and a note is only seen by who prints it
        warnings.warn(f"{doubt} Are the labels numbered as there?", stacklevel=2)
    return Result(given.returned(unlearned), record, tuple(notes.sentences))


def evaluate(  # noqa: PLR0913 - all but the first three are named
    model: nn.Module | Checkpoint,
    images: object,
    labels: object = None,
    *,
    forget: Sequence[int | str] | int | str,
    preprocess: object = None,
    seed: int = 0,
    device: str = "auto",
    train: object = None,
    class_names: Sequence[str] | None = None,
    normalised: bool = False,
    report: Reporter = SILENT,
) -> dict[str, Any]:
    """Return how well a classifier knows its classes, with some in the role of the forgotten ones.

    Args:
        model: as in :func:`unlearn`; before or after unlearning.
        images: test images, as in :func:`unlearn`.
        labels: of the images.
        forget: the classes in the role of the forgotten ones.
        preprocess: as in :func:`unlearn`.
        seed: of samples and probes.
        device: where to compute.
        train: (images, labels) that the network was trained on, or a Dataset of them: for membership inference and for
            the probe.
        class_names: one name per output of the network.
        normalised: as in :func:`unlearn`.
        report: receives progress and notes.

    Returns:
        acc_rt and acc_ut in percent, acc_per_class, losses, mia, probe, mask, as a run's result.json has them; None
        where there are no images to tell by.

    Raises:
        ValueError: an argument cannot be used, "expected …, got …".
    """
    with _as_value_errors():
        first = taken_apart("images", images, labels)
        given, pictures = take_over(model, first[0], preprocess, class_names, report, normalised=normalised)
        test = given.split("images", pictures, first[1])
        if preprocess is None:
            given.check_reading(test)
        dataset, classes = given.dataset(given.pair("train", train), test), given.find("forget", forget)
        where = resolve_device(device)
    network = place(given.checkpoint.model, where)
    found = grade(network, dataset, classes, seed=seed, device=where, report=report)
    about = {"forget": list(classes), "num_classes": dataset.num_classes}
    return {**about, **found.to_dict(), "mask": {"acc_rt": found.mask_acc_rt}}


class _Notes(Relay):
    """Keeps the notes on their way to the reporter."""

    def __init__(self, inner: Reporter) -> None:
        super().__init__(inner)
        self.sentences: list[str] = []

    def note(self, sentence: str) -> None:
        if sentence not in self.sentences:
            self.sentences.append(sentence)
            super().note(sentence)


@contextmanager
def _as_value_errors() -> Iterator[None]:
    """Turn the engine's refusals into the error that Python code expects for a wrong argument."""
    try:
        yield
    except (UsageError, DataError, CheckpointError) as error:
        raise ValueError(str(error)) from None
