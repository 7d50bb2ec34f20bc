"""Measure how fast unlearning is on this machine.

In one process: ZS-PAG as it is here, the least that its own work can cost (passes through the network and linear
algebra at their measured speed), a literal implementation of the paper, and 100 epochs of retraining extrapolated from
part of one. Without options it takes the digits model that is shipped, about a minute.

Labels are made by influence (label_mode=influence), so that all stages of the paper run; --set changes that.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from zspag_core.commands.shared import DATA_HELP, add_device, add_settings, parse_classes, parse_seed, parse_settings
from zspag_core.errors import UsageError
from zspag_core.shipped import CHECKPOINTS

if TYPE_CHECKING:
    import argparse

MODELS = {"digits": "digits_resnet", "cifar10": "cifar10_resnet", "fashion_mnist": "fashion_mnist_vgg"}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `bench`."""
    parser.add_argument("--data", default="digits", metavar="D", help=f"{DATA_HELP} (digits)")
    parser.add_argument("--checkpoint", default="", metavar="F", help="model to start from (the shipped one for D)")
    parser.add_argument("--forget", default="3", metavar="3,5", help="classes to forget, by number or by name (3)")
    parser.add_argument("--n-adv", default="100", metavar="N", help="proxies per remaining class (100)")
    parser.add_argument(
        "--images", type=int, default=50, metavar="N", help="samples given to the literal implementation; 0: all (50)"
    )
    parser.add_argument(
        "--retrain-images", type=int, default=2560, metavar="N", help="images of the measured epoch; 0: all (2560)"
    )
    parser.add_argument("--memory", action="store_true", help="also compare peak memory at n_adv 100 and 1000")
    parser.add_argument("--seed", default="0", help="seed of everything random (0)")
    parser.add_argument("--json", action="store_true", help="print JSON")
    add_settings(parser, "a hyper-parameter of zspag")
    add_device(parser)


def run(arguments: argparse.Namespace) -> int:
    """Measure and print."""
    from zspag_core.bench import BenchConfig, as_text, run_bench
    from zspag_core.runs.config import RunConfig

    for option in ("images", "retrain_images"):
        if getattr(arguments, option) < 0:
            name = option.replace("_", "-")
            raise UsageError(f"--{name}: expected 0 (all) or more, got {getattr(arguments, option)}")
    run_config = RunConfig(
        data=arguments.data,
        checkpoint=arguments.checkpoint or _shipped(arguments.data),
        forget=parse_classes(arguments.forget, "--forget"),
        settings={"label_mode": "influence", "n_adv": arguments.n_adv} | parse_settings(arguments.settings),
        seed=parse_seed(arguments.seed),
        device=arguments.device,
    )
    config = BenchConfig(
        run_config,
        literal_images=arguments.images,
        retrain_images=arguments.retrain_images,
        memory=arguments.memory,
    )
    record = run_bench(config)
    print(json.dumps(record, indent=1) if arguments.json else as_text(record))  # noqa: T201
    return 0


def _shipped(data: str) -> str:
    """Return the shipped model for a data set."""
    if data not in MODELS:
        raise UsageError(f"--checkpoint: no model is shipped for {data!r} (only for {', '.join(MODELS)}); give one")
    return str(CHECKPOINTS / f"{MODELS[data]}.safetensors")
