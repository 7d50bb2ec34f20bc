"""Which reference models belong to a model and its data: those that a person gives, or those that ship."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from zspag_core.errors import UsageError
from zspag_core.hyperparameters import configure
from zspag_core.metrics.depth.references import load_references
from zspag_core.progress import SILENT, Reporter
from zspag_core.recipes import Recipe
from zspag_core.runs.samples import describe_images
from zspag_core.shipped import REFERENCES

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from zspag_core.data.dataset import DataSet
    from zspag_core.metrics.depth.references import References
    from zspag_core.models import ModelConfig

OTHER_TRAINING = (
    "the references are of another network or recipe than the model's own: what U-LiRA finds with them is less than "
    "could be found"
)


def describe_parts(dataset: DataSet) -> dict[str, dict[str, int]]:
    """Return what references say of the images that they are of."""
    return {"train": describe_images(dataset.train), "test": describe_images(dataset.test)}


def find_references(
    given: str,
    about: Mapping[str, Any],
    config: ModelConfig,
    dataset: DataSet,
    forget: Sequence[int],
    report: Reporter = SILENT,
) -> References | None:
    """Return the references by which a model is asked what it was trained on.

    Args:
        given: path of a file of `train --references`; "" takes what ships for a model of this training.
        about: what the original's file says of itself, which may be anybody's.
        config: of the original.
        dataset: at the model's size, its training part as far as the original was trained on it.
        forget: the forgotten classes.
        report: is told where given references are of another training than the model's.

    Returns:
        None where nothing is given and nothing that ships is of the same data, network and recipe.

    Raises:
        UsageError: the given references are of other images, or of the same prepared in another way.
        DataError: their file cannot be read.
    """
    if not given:
        return _shipped(about, config, dataset, forget)
    found = load_references(Path(given))
    if not _same_images(found, dataset):
        named, size = found.about["data"], found.about["image_size"]
        raise UsageError(
            f"references: expected those of the images of {dataset.name} at {config.image_size} px in the data's own "
            f"order, got {given}, which are of {named} at {size} px, or of others of these images"
        )
    if not _same_training(found.about, about, config, forget):
        report.note(OTHER_TRAINING)
    return found


def _shipped(
    about: Mapping[str, Any], config: ModelConfig, dataset: DataSet, forget: Sequence[int]
) -> References | None:
    """Return what ships for models of this training on these images."""
    for path in sorted(REFERENCES.glob("*.npz")):
        found = load_references(path)
        if _same_training(found.about, about, config, forget) and _same_images(found, dataset):
            return found
    return None


def _same_images(references: References, dataset: DataSet) -> bool:
    """Tell whether references are of a data set's images, as they are prepared there and in their order."""
    shape = len(dataset.train) + len(dataset.test), dataset.num_classes
    return tuple(references.logits.shape[1:]) == shape and references.about["images"] == describe_parts(dataset)


def _same_training(
    references: Mapping[str, Any], about: Mapping[str, Any], config: ModelConfig, forget: Sequence[int]
) -> bool:
    """Tell whether a model is of the references' network and recipe, all classes but forgotten ones in it.

    Args:
        references: what their file says.
        about: what the model's file says.
        config: of the model.
        forget: classes that it may never have seen: a retrained model is asked by its original's references.
    """
    excluded = about.get("excluded")
    whole = isinstance(excluded, list) and set(map(str, excluded)) <= set(map(str, forget))
    if not whole or about.get("backdoor") or about.get("started_from"):
        return False
    named = all(references[name] == about.get(name) for name in ("data", "model", "class_names"))
    recipe = _recipe(about)
    return named and references["image_size"] == config.image_size and recipe == _recipe(references) is not None


def _recipe(about: Mapping[str, Any]) -> Recipe | None:
    """Return a recipe but for its seed; None where a file says none that could be."""
    stated = about.get("recipe")
    try:
        return configure(Recipe, {**stated, "seed": 0}) if isinstance(stated, dict) else None
    except UsageError:
        return None
