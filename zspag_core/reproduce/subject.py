"""What the methods of one comparison are given: the original model, samples to learn from, images to be graded on."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import torch

from zspag_core.checkpoints import load_checkpoint, save_checkpoint
from zspag_core.data import DataSet, Split, load_dataset
from zspag_core.data.backdoor import plant
from zspag_core.data.images import concat
from zspag_core.devices import place
from zspag_core.errors import Cancelled, CheckpointError
from zspag_core.hyperparameters import values
from zspag_core.models import MODELS, named_config
from zspag_core.progress import SILENT, Reporter
from zspag_core.recipes import first_recipe, recipe_for
from zspag_core.runs.assumptions import load_for
from zspag_core.runs.samples import as_trained, describe_images, forget_samples
from zspag_core.shipped import CHECKPOINTS, ORIGINALS
from zspag_core.training.loop import accuracy, train
from zspag_core.training.run import provenance

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from zspag_core.models import Classifier
    from zspag_core.recipes import Recipe
    from zspag_core.reproduce.scale import Scale
    from zspag_core.reproduce.setups import Setup

WORDS = ("title", "note")  # of a setup, without which its original is the same
HELD_SHARE = 0.2
SAMPLE_SEED = 0
load_once = lru_cache(maxsize=4)(load_dataset)


@dataclass(frozen=True)
class Original:
    """A trained classifier with its data.

    Attributes:
        model: the classifier, in eval mode, on the device.
        dataset: all of its data, clean; also images that its training left out.
        recipe: how it was trained; where a training was gone on with, the first one, by which Retrain goes.
        test_accuracy: on the whole test split, percent.
        identity: the same exactly for the same weights.
        about: the checkpoint's header; it says whether a backdoor was planted, and with which seed.
    """

    model: Classifier
    dataset: DataSet
    recipe: dict[str, Any]
    test_accuracy: float | None
    identity: str
    about: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))


@dataclass(frozen=True)
class GivenSamples:
    """Training images that a method may be given; forget samples as the original was trained on them."""

    forget: Split
    retain: Split


class Subject:
    """One original and one choice of classes, with the images that the scale allows.

    Attributes:
        original: the model and all its data.
        seen: the data as far as the model was trained on it.
        forget: the forgotten classes.
        samples: training images that methods are given.
        tuning: four fifths of them, which methods are given while they are tuned.
        held: the last fifth, clean, on which tuning is judged.
        pool: remaining training images for Retrain; `samples.retain` is among them.
        dataset: `samples`, but clean, as training part and the test images that models are graded on.
    """

    def __init__(self, original: Original, forget: tuple[int, ...], scale: Scale) -> None:
        """Draw the images; the same seed for all methods and seeds."""
        self.original, self.forget = original, forget
        generator = torch.Generator().manual_seed(SAMPLE_SEED)
        data = self.seen = as_trained(original.dataset, original.about, forget)
        gone = data.train.of_classes(forget)
        drawn = torch.randperm(len(gone), generator=generator)[: scale.forget_images or len(gone)]
        trained = forget_samples(data, forget, original.about)
        kept = data.train.without_classes(forget)
        kept = kept.sample(len(kept), generator)
        self.pool = _first(kept, max(scale.retrain_images, scale.retain_images) if scale.retrain_images else 0)
        self.samples = GivenSamples(trained[drawn], _first(kept, scale.retain_images))
        clean = GivenSamples(gone[drawn], self.samples.retain)
        self.tuning, self.held = _cut(self.samples)[1], _joined(_cut(clean)[0])
        test = data.test.sample(scale.test_images or len(data.test), generator)
        self.dataset = DataSet(data.name, data.class_names, _joined(clean), test)

    @cached_property
    def identity(self) -> dict[str, Any]:
        """Return what tells this subject from others, as plain values."""
        splits = (self.samples.forget, self.samples.retain, self.pool, self.dataset.test)
        return {
            "original": self.original.identity,
            "forget": list(self.forget),
            "images": [[len(split), split.fingerprint()] for split in splits],
        }


def load_original(setup: Setup, folder: Path, device: torch.device, report: Reporter = SILENT) -> Original:
    """Load an original that comes with the project, or train one once.

    Args:
        setup: which.
        folder: where trained originals are kept; a training that was killed goes on from there.
        device: where to compute.
        report: receives the training's progress.

    Raises:
        DataError: the data set is not at hand.
    """
    if setup.shipped:
        checkpoint = load_checkpoint(find_checkpoint(setup.shipped))
        dataset, about, sha = load_for(checkpoint, setup.data), checkpoint.about, checkpoint.sha256
        return Original(
            place(checkpoint.model, device),
            dataset,
            first_recipe(about),
            about.get("test_accuracy"),
            sha,
            about,
        )
    return _trained(setup, _data_of(setup), folder, device, report)


def _data_of(setup: Setup) -> DataSet:
    """Load a data set, as far as its classes belong to the setup; labels count from 0 without gaps."""
    data = load_once(
        setup.data, image_size=setup.image_size, channels=MODELS[setup.model].channels, download=not setup.optional
    )
    if not setup.classes:
        return data
    place_of = torch.full((data.num_classes,), -1)
    place_of[list(setup.classes)] = torch.arange(len(setup.classes))
    train, test = (
        Split(part.images, place_of[part.labels])
        for part in (data.train.of_classes(setup.classes), data.test.of_classes(setup.classes))
    )
    return DataSet(data.name, tuple(data.class_names[k] for k in setup.classes), train, test)


def _trained(setup: Setup, dataset: DataSet, folder: Path, device: torch.device, report: Reporter) -> Original:
    """Return the original that comes with the project or was trained earlier for this very setup, or train it."""
    recipe = recipe_for(setup.data, setup.model, setup.settings)
    about_setup = {name: value for name, value in setup.to_dict().items() if name not in WORDS}
    identity = _digest([about_setup, values(recipe), dataset.train.fingerprint(), dataset.test.fingerprint()])
    name = f"{setup.name}-{identity[:8]}.safetensors"
    path = next(filter(_is_there, (ORIGINALS / name, folder / name)), None)
    if path is None:
        path = folder / name
        if any(ORIGINALS.glob(f"{setup.name}-*")):
            report.note(
                f"the original of {setup.name} that comes with the project is of other data or recipe; training one"
            )
        _train(setup, dataset, recipe, path, device, report)
    checkpoint = load_checkpoint(path)
    about = checkpoint.about
    model = place(checkpoint.model, device)
    return Original(model, dataset, first_recipe(about), about["test_accuracy"], checkpoint.sha256, about)


def _train(setup: Setup, dataset: DataSet, recipe: Recipe, path: Path, device: torch.device, report: Reporter) -> None:
    """Train an original and write its checkpoint."""
    split = dataset.train
    if setup.backdoor:
        split = plant(split, *setup.backdoor, recipe.seed)
    start = load_checkpoint(find_checkpoint(setup.start)) if setup.start else None
    mean, std = dataset.train.channel_statistics()
    sizes = {"num_classes": dataset.num_classes, "image_size": setup.image_size, "mean": mean, "std": std}
    config = start.model.config if start else named_config(setup.model, **sizes)
    path.parent.mkdir(parents=True, exist_ok=True)
    state = path.with_name(f".{path.name}.state")
    begun = start.model if start else None
    trained = train(config, split, recipe, device=device, start=begun, state_path=state, report=report)
    if trained.stopped == "cancelled":
        raise Cancelled("interrupted")
    about = {
        "data": dataset.name,
        "images": describe_images(dataset.train),
        "class_names": list(dataset.class_names),
        "model": setup.model,
        "recipe": values(recipe),
        "excluded": [],
        "backdoor": ":".join(map(str, setup.backdoor)) if setup.backdoor else None,
        "test_accuracy": round(accuracy(trained.model, dataset.test, device), 2),
    }
    save_checkpoint(path, trained.model, about | ({"started_from": [provenance(start)]} if start else {}))
    state.unlink(missing_ok=True)


def find_checkpoint(name: str) -> Path:
    """Return the checkpoint of that name that comes with the project, for everybody or for tables alone."""
    places = [folder / f"{name}.safetensors" for folder in (CHECKPOINTS, ORIGINALS)]
    return next((place for place in places if place.exists()), places[0])


def _is_there(path: Path) -> bool:
    """Tell whether a checkpoint can be read."""
    try:
        load_checkpoint(path)
    except (CheckpointError, OSError):
        return False
    return True


def _cut(samples: GivenSamples) -> tuple[GivenSamples, GivenSamples]:
    """Return a fifth of both kinds, on which tuning may be judged, and the rest, from which it may learn."""
    held, learn = [], []
    for split in vars(samples).values():
        count = max(1, round(HELD_SHARE * len(split)))
        held.append(split[torch.arange(count)])
        learn.append(split[torch.arange(count, len(split))])
    return GivenSamples(*held), GivenSamples(*learn)


def _joined(samples: GivenSamples) -> Split:
    """Return both kinds as one split."""
    parts: list[Split] = list(vars(samples).values())
    return Split(concat(*(part.images for part in parts)), torch.cat([part.labels for part in parts]))


def _first(split: Split, count: int) -> Split:
    """Return the first images, all for 0."""
    return split[torch.arange(min(count, len(split)))] if count else split


def _digest(record: Any) -> str:  # noqa: ANN401 - anything that json can write
    """Return a short text that is the same exactly for the same plain values."""
    return hashlib.sha256(json.dumps(record, sort_keys=True).encode()).hexdigest()
