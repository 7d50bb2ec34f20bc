"""Reference models of a data set: many trained alike, each on a random half of all images, kept as their answers."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING

import torch

from zspag_core.data import Split, load_dataset
from zspag_core.data.images import concat
from zspag_core.devices import resolve_device
from zspag_core.errors import Cancelled, UnlearningError, UsageError
from zspag_core.files import check_writable
from zspag_core.hyperparameters import values
from zspag_core.metrics.accuracy import percent
from zspag_core.metrics.depth.references import References, save_references
from zspag_core.metrics.predictions import logits_of
from zspag_core.models import MODELS
from zspag_core.progress import SILENT, AsStage, Reporter
from zspag_core.recipes import recipe_for
from zspag_core.runs.references import describe_parts
from zspag_core.runs.samples import MOST_SEED
from zspag_core.training.run import network_sizes

if TYPE_CHECKING:
    from pathlib import Path

    from torch import Tensor

    from zspag_core.data.dataset import DataSet
    from zspag_core.models import Classifier, ModelConfig
    from zspag_core.recipes import Recipe
    from zspag_core.training.run import TrainConfig

FEWEST, MOST = 4, 256
STAGE = "references"


def make_references(config: TrainConfig, count: int, out: Path, report: Reporter = SILENT) -> References:
    """Train models on random halves of training and test images together, and write what each says of all of them.

    Every image is in exactly half of the models' halves, training and test images alike. Each model has the recipe with
    a seed of its own, which is not the recipe's. Nothing is written before the last one has ended.

    Args:
        config: what a training of the model itself would be asked; no classes are left out, nothing is gone on from.
        count: of models; even.
        out: file to write, ending in .npz; must be new.
        report: receives progress after every batch, as stage "references", and a note after every model.

    Raises:
        UsageError: the training is impossible, or references of it would be none.
        UnlearningError: a loss became NaN, or a logit is too large to be kept.
        Cancelled: a reporter cancelled; nothing is written.

    Source: Carlini et al., Membership inference attacks from first principles, 2022, section IV.
    """
    _check(config, count, out)
    device = resolve_device(config.device)
    recipe = recipe_for(config.data, config.model, config.settings)
    if recipe.train_limit:
        raise UsageError(f"train_limit: expected 0, for references are trained on halves, got {recipe.train_limit}")
    report.progress("load", 0, 1)
    dataset = load_dataset(config.data, image_size=config.image_size, channels=MODELS[config.model].channels)
    sizes = network_sizes(config, dataset, dataset.train)
    report.progress("load", 1, 1)
    found = _train_all(sizes, dataset, _seeded(recipe, count), device, report)
    about = _about(dataset, config, recipe) | {"seeds": [one.seed for one in _seeded(recipe, count)]}
    references = replace(found, about={**about, **found.about})
    save_references(out, references)
    return references


def halves(count: int, images: int, generator: torch.Generator) -> Tensor:
    """Draw for every image half of the models: (count, images) bool, count / 2 true in every column."""
    return torch.rand(count, images, generator=generator).argsort(dim=0) < count // 2


class _OneOfMany(AsStage):
    """Passes on how far one model is as a part of all, without its epochs."""

    def epoch(self, number: int, total: int, model: Classifier, **figures: float) -> None:
        """Say nothing: of many models' epochs nobody could read."""


def _check(config: TrainConfig, count: int, out: Path) -> None:
    """Refuse what cannot be trained as references.

    Raises:
        UsageError: it cannot.
    """
    if out.suffix != ".npz":
        raise UsageError(f"out: expected a file name ending in .npz for references, got {out.name!r}")
    if out.exists():
        raise UsageError(f"out: expected a new file, got {out}, which exists already")
    check_writable(out)
    if count % 2 or not FEWEST <= count <= MOST:
        raise UsageError(f"references: expected an even number from {FEWEST} to {MOST}, got {count}")
    given = [name for name in ("exclude", "backdoor", "start") if getattr(config, name)]
    if given:
        raise UsageError(f"references: expected no {', '.join(given)} beside it: they are trained on all classes, anew")
    if config.model not in MODELS:
        raise UsageError(f"model: expected one of {', '.join(MODELS)}, got {config.model!r}")


def _seeded(recipe: Recipe, count: int) -> list[Recipe]:
    """Return the recipe of every model: the same but for its seed."""
    return [replace(recipe, seed=(recipe.seed + 1 + place) % MOST_SEED) for place in range(count)]


def _train_all(
    sizes: ModelConfig, dataset: DataSet, recipes: list[Recipe], device: torch.device, report: Reporter
) -> References:
    """Train a model by every recipe; return what they say, and as "accuracy" how well each reads what it never saw."""
    parts = dataset.train, dataset.test
    everything = Split(concat(*(part.images for part in parts)), torch.cat([part.labels for part in parts]))
    included = halves(len(recipes), len(everything), torch.Generator().manual_seed(recipes[0].seed))
    steps = [_steps(recipe, half) for recipe, half in zip(recipes, included, strict=True)]
    logits, accuracy = list[torch.Tensor](), list[float | None]()
    for place, recipe in enumerate(recipes):
        here = _OneOfMany(report, STAGE, before=sum(steps[:place]), total=sum(steps))
        said = _answers(sizes, everything, included[place], recipe, device, here)
        unseen = ~included[place]
        accuracy.append(percent(said[unseen].argmax(1) == everything.labels[unseen]))
        logits.append(said.half())
        report.note(f"reference {place + 1} of {len(recipes)}: {accuracy[-1]:.1f} % of the images that it never saw")
    try:
        return References(torch.stack(logits), included, {"accuracy": accuracy})
    except ValueError as error:
        raise UnlearningError(f"references: {error}") from None


def _steps(recipe: Recipe, half: Tensor) -> int:
    """Return how many steps a training on a half (N,) bool of the images takes."""
    return recipe.epochs * math.ceil(int(half.sum()) / recipe.batch_size)


def _answers(
    sizes: ModelConfig, everything: Split, half: Tensor, recipe: Recipe, device: torch.device, report: Reporter
) -> Tensor:
    """Train one model on the images of a half (N,) bool; return what it says of all, (N, classes) float32.

    Raises:
        Cancelled: a reporter cancelled.
    """
    from zspag_core.training import loop

    trained = loop.train(sizes, everything[half.nonzero().flatten()], recipe, device=device, report=report)
    if trained.stopped == "cancelled":
        raise Cancelled("interrupted")
    return logits_of(trained.model, everything.images)


def _about(dataset: DataSet, config: TrainConfig, recipe: Recipe) -> dict[str, object]:
    """Say what the models were trained on and how."""
    return {
        "data": dataset.name,
        "images": describe_parts(dataset),
        "class_names": list(dataset.class_names),
        "model": config.model,
        "image_size": config.image_size,
        "recipe": values(recipe),
    }
