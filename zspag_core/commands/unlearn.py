"""Make a classifier forget classes.

Only the checkpoint and the training images of the forgotten classes reach a zero-shot method; the rest of the data set
is used for grading. Data with nothing but images to forget is enough: what cannot be graded is null in result.json, and
`evaluate --run DIR --data D` adds it later. DIR receives config.json, result.json, model.safetensors and arrays that
the dashboard draws. `methods` lists the methods and every KEY that --set can change.
"""

from __future__ import annotations

from argparse import BooleanOptionalAction
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zspag_core.commands.shared import (
    CLASSES_HELP,
    DATA_HELP,
    add_classes,
    add_device,
    add_model,
    add_settings,
    checkpoint_of,
    interruptible,
    parse_classes,
    parse_reading,
    parse_seed,
    parse_settings,
    parse_share,
    read_names,
    tell_interrupted,
)
from zspag_core.errors import UsageError
from zspag_core.groups import ungraded

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from zspag_core.runs.config import RunConfig
    from zspag_core.runs.prepare import Prepared


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `unlearn`."""
    parser.add_argument("--data", required=True, metavar="D", help=DATA_HELP)
    parser.add_argument("--checkpoint", default="", metavar="F", help="model to start from: a file or a model folder")
    add_model(parser)
    parser.add_argument("--forget", required=True, metavar="3,5", help=f"classes to forget, {CLASSES_HELP}")
    add_classes(parser)
    parser.add_argument(
        "--hold-out",
        default="0",
        metavar="PERCENT",
        help="share of the images to forget that the method does not see, for an estimate on them (0)",
    )
    parser.add_argument("--method", default="zspag", metavar="KEY", help="which method (zspag)")
    parser.add_argument("--preset", default="", metavar="NAME", help='named settings, for example "paper"')
    parser.add_argument("--seed", default="0", help="seed of everything random (0)")
    add_settings(parser, "a hyper-parameter, for example epsilon=8/255 or attack=cw")
    parser.add_argument(
        "--relearning",
        action=BooleanOptionalAction,
        default=None,
        help="count the training steps that bring the classes back (where there are at most 1,000 forget images)",
    )
    parser.add_argument(
        "--resume",
        action="store_true",
        help="keep finished stages in a hidden folder beside DIR, and go on from there after an interruption",
    )
    add_device(parser)
    parser.add_argument("--out", required=True, type=Path, metavar="DIR", help="new folder for the run")


def config_of(arguments: argparse.Namespace) -> RunConfig:
    """Return the run that is asked for."""
    from zspag_core.runs.config import RunConfig

    return RunConfig(
        data=arguments.data,
        checkpoint=checkpoint_of(arguments),
        forget=parse_classes(arguments.forget, "--forget"),
        method=arguments.method,
        settings=preset_settings(arguments.method, arguments.preset) | parse_settings(arguments.settings),
        seed=parse_seed(arguments.seed),
        device=arguments.device,
        relearning=arguments.relearning,
        model_classes=read_names(arguments.classes),
        hold_out=parse_share(arguments.hold_out, "--hold-out"),
        model=arguments.model,
        reading=parse_reading(arguments),
        order=arguments.order,
    )


def run(arguments: argparse.Namespace) -> int:
    """Check the request, execute it, print the headline."""
    from zspag_core.diagnosis import reached, shortfall, unread
    from zspag_core.runs.execute import execute
    from zspag_core.runs.prepare import prepare

    config, names = config_of(arguments), list[str]()

    def preparing(config: RunConfig) -> Prepared:
        """Prepare, and keep how the classes are called: by the model where it says so, else by the data."""
        prepared = prepare(config)
        names[:] = prepared.dataset.class_names
        return prepared

    with interruptible() as report:
        state = _state(arguments.out) if arguments.resume else None
        result = execute(config, arguments.out, report, state=state, prepare=preparing)
    if result["stopped"] == "cancelled":
        how = "the same command goes on" if arguments.resume else "begun with --resume it could be gone on with"
        return tell_interrupted(len(result["history"]), arguments.out, how)
    print(classes_line(result["forget"], names))  # noqa: T201
    for line in headlines(result):
        print(line)  # noqa: T201
    if result["backdoor"]:
        print(attack_line(result["backdoor"]))  # noqa: T201
    for sentence in filter(None, (shortfall(result) or reached(result), unread(result))):
        print(sentence)  # noqa: T201
    print(f"written to {arguments.out}")  # noqa: T201
    if returned := result["model"]["returned"]:
        print(f"the unlearned model in its owner's names and container: {arguments.out / returned}")  # noqa: T201
        for sentence in result["model"]["left_out"]:
            print(sentence)  # noqa: T201
    return 0


def _state(out: Path) -> Path:
    """Return the folder of what an unfinished run keeps."""
    out = out.resolve()
    return out.with_name(f".{out.name}.state")


def classes_line(forget: Sequence[int], names: Sequence[str]) -> str:
    """Name the classes that a run made a model forget: a person sees whether they are those that were meant.

    Args:
        forget: their outputs.
        names: of all outputs.
    """
    listed = [names[k] if names[k] == str(k) else f"{names[k]} (output {k})" for k in forget]
    return f"to be forgotten: {', '.join(listed)}"


def headlines(result: dict[str, Any]) -> list[str]:
    """Return what is said first of a run: its accuracies; where they are not graded why, and what is estimated."""
    estimates, why = result["estimates"], ungraded(result["lacks"])
    graded = any(result[when][name] is not None for when in ("before", "after") for name in ("acc_rt", "acc_ut"))
    lines = [headline(result)] if graded else []
    return [*lines, *([why] if why else []), *([estimate_line(estimates)] if estimates else [])]


def estimate_line(estimates: dict[str, Any]) -> str:
    """Say in one line what is estimated from the forget images and the proxies alone."""

    def change(name: str) -> str:
        return f"{_percent(estimates[name]['before'])} -> {_percent(estimates[name]['after'])}"

    parts = [f"of the {estimates['images']} images to forget {change('forget_accuracy')} are read as their class"]
    if estimates["held_out"]:
        parts.append(f"of {estimates['held_out']} held out {change('held_out_accuracy')}")
    if estimates["proxy_agreement"]["before"] is not None:
        parts.append(f"of the proxies {change('proxy_agreement')} as theirs")
    return f"estimates: {', '.join(parts)}"


def headline(result: dict[str, Any]) -> str:
    """Say a run's two accuracies, before and after, in one line."""
    parts = []
    for name, title in (("acc_rt", "remaining"), ("acc_ut", "forgotten")):
        before, after = result["before"][name], result["after"][name]
        if (before, after) != (None, None):
            mask = f" (masking alone: {_percent(result['mask'][name])})" if name == "acc_rt" else ""
            parts.append(f"{title} {_percent(before)} -> {_percent(after)}{mask}")
    return f"test images: {', '.join(parts)}"


def attack_line(backdoor: dict[str, Any]) -> str:
    """Say in one line how often a planted trigger works before and after."""
    return (
        f"backdoor: images of class {backdoor['source']} with the trigger read as class {backdoor['target']} "
        f"{_percent(backdoor['before'])} -> {_percent(backdoor['after'])}"
    )


def _percent(value: float | None) -> str:
    return "undefined" if value is None else f"{value:.2f} %"


def preset_settings(method: str, name: str) -> dict[str, Any]:
    """Return the settings of a preset."""
    from zspag_core.methods.catalogue import find_entry

    entry = find_entry(method)
    if not name:
        return {}
    presets = entry.all_presets
    if name not in presets:
        raise UsageError(f"--preset: expected one of {', '.join(presets) or 'none for this method'}, got {name!r}")
    return dict(presets[name])
