"""Train a classifier on a data set and write a self-describing checkpoint.

A killed training resumes when the same command is given again; Ctrl-C writes what has been learnt so far.
With --exclude the classes are left out of training: that is the retrained reference of an unlearning run.
With --backdoor 1:8 half of class 1 carries a white square and the label 8 (paper section 4.4).
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zspag_core.commands.shared import (
    DATA_HELP,
    add_device,
    add_settings,
    interruptible,
    parse_classes,
    parse_seed,
    parse_settings,
)
from zspag_core.errors import UsageError

if TYPE_CHECKING:
    import argparse

    import torch

    from zspag_core.data.dataset import DataSet, Split
    from zspag_core.models import ModelConfig
    from zspag_core.training import Recipe

BACKDOOR_SHARE = 0.5


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `train`."""
    parser.add_argument("--data", required=True, metavar="D", help=DATA_HELP)
    parser.add_argument(
        "--model",
        required=True,
        metavar="M",
        help="resnet_tiny, resnet_small, resnet18, vgg11, vgg11_narrow, alexnet or vit_small",
    )
    parser.add_argument("--epochs", required=True, metavar="E", help="passes over the training images")
    parser.add_argument("--out", required=True, type=Path, metavar="F", help="file to write, ending in .safetensors")
    parser.add_argument("--exclude", default="", metavar="3,5", help="classes to leave out of training")
    parser.add_argument("--backdoor", default="", metavar="1:8", help="plant a trigger that turns class 1 into class 8")
    parser.add_argument("--image-size", type=int, default=32, metavar="PX", help="side of the model's input (32)")
    parser.add_argument("--seed", default="0", help="seed of weights, order and augmentation (0)")
    add_settings(parser, "the recipe (batch_size, learning_rate, optimizer, weight_decay, crop, flip, train_limit, …)")
    add_device(parser)


def run(arguments: argparse.Namespace) -> int:
    """Train, grade on the test split, write the checkpoint."""
    from zspag_core.checkpoints import save_checkpoint
    from zspag_core.data import load_dataset
    from zspag_core.devices import resolve_device
    from zspag_core.models import MODELS
    from zspag_core.training import channel_statistics, recipe_for, train

    out: Path = arguments.out
    if out.suffix != ".safetensors":
        raise UsageError(f"--out: expected a file name ending in .safetensors, got {out.name!r}")
    if arguments.model not in MODELS:
        raise UsageError(f"--model: expected one of {', '.join(MODELS)}, got {arguments.model!r}")
    state_path = out.with_name(f".{out.name}.state")
    _check_out(out, state_path)
    device = resolve_device(arguments.device)
    settings = parse_settings(arguments.settings) | {"epochs": arguments.epochs, "seed": parse_seed(arguments.seed)}
    recipe = recipe_for(arguments.data, arguments.model, settings)
    channels = MODELS[arguments.model].channels
    dataset = load_dataset(arguments.data, image_size=arguments.image_size, channels=channels)
    split, left_out = _training_split(dataset, arguments, recipe)
    mean, std = channel_statistics(split)
    config = _config(arguments, num_classes=dataset.num_classes, mean=mean, std=std)
    with interruptible() as report:
        trained = train(config, split, recipe, device=device, state_path=state_path, report=report)
    about = _about(dataset, arguments, recipe, left_out) | _figures(trained.model, dataset, left_out, device)
    out.parent.mkdir(parents=True, exist_ok=True)
    save_checkpoint(out, trained.model, about | {"stopped": trained.stopped, "history": trained.history})
    if trained.stopped == "cancelled":
        return 130
    state_path.unlink(missing_ok=True)
    print(f"{out}: test accuracy {about['test_accuracy']:.2f} %")  # noqa: T201
    return 0


def _config(arguments: argparse.Namespace, **sizes: Any) -> ModelConfig:  # noqa: ANN401 - fields of any config
    """Return the sizes of the network, or say why there is no such network for images of this size."""
    import torch

    from zspag_core.models import build, named_config

    try:
        config = named_config(arguments.model, image_size=arguments.image_size, **sizes)
        with torch.device("meta"):  # costs nothing
            build(config)
    except ValueError as error:
        raise UsageError(f"--image-size: {error}") from None
    return config


def _check_out(out: Path, state_path: Path) -> None:
    """Refuse, before any work, a file that cannot be written or that is not this training's own."""
    folder = next(place for place in (out.parent, *out.parent.absolute().parents) if place.exists())
    if not folder.is_dir() or not os.access(folder, os.W_OK):
        raise UsageError(f"--out: {out} cannot be written: {folder} is not a folder that can be written")
    if out.exists() and not state_path.exists():
        raise UsageError(f"--out: expected a new file, got {out}, which exists already")


def _training_split(dataset: DataSet, arguments: argparse.Namespace, recipe: Recipe) -> tuple[Split, tuple[int, ...]]:
    """Return the images to train on, and the classes that were left out."""
    import torch

    from zspag_core.data.backdoor import poison

    split = dataset.train
    left_out: tuple[int, ...] = ()
    if arguments.backdoor:
        source, target = _backdoor(arguments.backdoor, dataset.num_classes)
        split = poison(split, source, target, BACKDOOR_SHARE, torch.Generator().manual_seed(recipe.seed))
    if arguments.exclude:
        left_out = parse_classes(arguments.exclude, "--exclude", dataset.num_classes)
        split = split.without_classes(left_out)
    return split, left_out


def _backdoor(text: str, num_classes: int) -> tuple[int, int]:
    """Read SOURCE:TARGET."""
    source, _, target = text.partition(":")
    if not (source.isdecimal() and target.isdecimal()) or source == target:
        raise UsageError(f"--backdoor: expected two different classes such as 1:8, got {text!r}")
    if max(int(source), int(target)) >= num_classes:
        raise UsageError(f"--backdoor: expected classes 0 to {num_classes - 1}, got {text!r}")
    return int(source), int(target)


def _about(
    dataset: DataSet, arguments: argparse.Namespace, recipe: Recipe, left_out: tuple[int, ...]
) -> dict[str, Any]:
    """Say in the checkpoint's header what the model was trained on and how."""
    from zspag_core.hyperparameters import values

    return {
        "data": dataset.name,
        "class_names": list(dataset.class_names),
        "model": arguments.model,
        "recipe": values(recipe),
        "excluded": list(left_out),
        "backdoor": arguments.backdoor or None,
    }


def _figures(model: Any, dataset: DataSet, left_out: tuple[int, ...], device: torch.device) -> dict[str, Any]:  # noqa: ANN401
    """Grade the trained model on the test split (without the classes that were left out)."""
    from zspag_core.training import accuracy

    test = dataset.test.without_classes(left_out) if left_out else dataset.test
    return {"test_accuracy": round(accuracy(model, test, device), 2)}
