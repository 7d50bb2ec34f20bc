"""Train a classifier on a data set and write a self-describing checkpoint.

A killed training resumes when the same command is given again; Ctrl-C writes what has been learnt so far.
With --exclude the classes are left out of training: that is the retrained reference of an unlearning run.
With --backdoor 1:8 half of class 1 carries a white square and the label 8 (paper section 4.4).
With --references 16 sixteen models are trained by the same recipe, each on a random half of training and test images
together, and one .npz file keeps what each says of all images and which it saw: `evaluate --depth all --references`
asks them whether a model tells what it was trained on. Ctrl-C writes nothing then.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from zspag_core.commands.shared import (
    DATA_HELP,
    add_device,
    add_settings,
    interruptible,
    parse_classes,
    parse_seed,
    parse_settings,
    tell_interrupted,
)
from zspag_core.errors import UsageError

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from zspag_core.training.run import TrainConfig


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `train`."""
    parser.add_argument("--data", required=True, metavar="D", help=DATA_HELP)
    parser.add_argument(
        "--model",
        required=True,
        metavar="M",
        help="resnet_tiny, resnet_small, resnet_medium, resnet18, vgg11, vgg11_narrow, alexnet or vit_small",
    )
    parser.add_argument("--epochs", required=True, metavar="E", help="passes over the training images")
    parser.add_argument("--out", required=True, type=Path, metavar="F", help="file to write, ending in .safetensors")
    parser.add_argument("--exclude", default="", metavar="3,5", help="classes to leave out, by number or by name")
    parser.add_argument("--backdoor", default="", metavar="1:8", help="plant a trigger that turns class 1 into class 8")
    parser.add_argument("--image-size", type=int, default=32, metavar="PX", help="side of the model's input (32)")
    parser.add_argument(
        "--start",
        default="",
        metavar="F,F2",
        help="checkpoint of the same network to go on from; of several, their mean",
    )
    parser.add_argument(
        "--references",
        type=int,
        default=0,
        metavar="16",
        help="train so many on random halves of all images and write what they say of them; --out ends in .npz",
    )
    parser.add_argument("--seed", default="0", help="seed of weights, order and augmentation (0)")
    add_settings(parser, "the recipe (batch_size, learning_rate, optimizer, weight_decay, crop, flip, train_limit, …)")
    add_device(parser)


def run(arguments: argparse.Namespace) -> int:
    """Train, grade on the test split, write the checkpoint."""
    from zspag_core.models import MODELS
    from zspag_core.training.run import TrainConfig, check_out, execute

    if not arguments.references:
        check_out(arguments.out)
    if arguments.model not in MODELS:
        raise UsageError(f"--model: expected one of {', '.join(MODELS)}, got {arguments.model!r}")
    settings = parse_settings(arguments.settings) | {"epochs": arguments.epochs, "seed": parse_seed(arguments.seed)}
    config = TrainConfig(
        data=arguments.data,
        model=arguments.model,
        settings=settings,
        exclude=parse_classes(arguments.exclude, "--exclude") if arguments.exclude else (),
        backdoor=_backdoor(arguments.backdoor) if arguments.backdoor else None,
        image_size=arguments.image_size,
        start=tuple(filter(None, arguments.start.split(","))),
        device=arguments.device,
    )
    if arguments.references:
        return _references(config, arguments)
    with interruptible() as report:
        about = execute(config, arguments.out, report)
    if about["stopped"] == "cancelled":
        return tell_interrupted(len(about["history"]), arguments.out, "the same command goes on")
    print(f"{arguments.out}: test accuracy {about['test_accuracy']:.2f} %")  # noqa: T201
    print(f"classes: {', '.join(numbered(about['class_names']))}")  # noqa: T201
    return 0


def _references(config: TrainConfig, arguments: argparse.Namespace) -> int:
    """Train reference models and write what they say."""
    from zspag_core.training.references import make_references

    with interruptible() as report:
        made = make_references(config, arguments.references, arguments.out, report)
    accuracy = made.about["accuracy"]
    print(f"{arguments.out}: {len(made)} references, {min(accuracy):.1f} to {max(accuracy):.1f} % of unseen images")  # noqa: T201
    return 0


def numbered(names: Sequence[str]) -> list[str]:
    """Say which number means which class, as `--forget` and `--exclude` want it."""
    return [name if name == str(k) else f"{k} {name}" for k, name in enumerate(names)]


def _backdoor(text: str) -> tuple[str, str]:
    """Read SOURCE:TARGET, classes by number or by name."""
    source, _, target = (part.strip() for part in text.partition(":"))
    if not source or not target or source == target:
        raise UsageError(f"--backdoor: expected two different classes such as 1:8, got {text!r}")
    return source, target
