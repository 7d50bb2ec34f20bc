"""Measure a classifier on a data set, with some classes in the role of the forgotten ones.

Accuracy, loss, the three membership inference figures, what a linear probe still finds in the features, and what
masking the logits alone would give. With --original, also how many fine-tuning steps bring the classes back to 90 %
of the original's accuracy; with --retrained as well, the ratio to a model that never saw them (Anamnesis Index).
For a model that was trained with a backdoor, also how often its trigger works.

With --run DIR in place of --checkpoint and --forget, both models of a finished run are measured and its result.json is
completed: for a run that was made with nothing but images to forget. Estimates and history stay as they are.

With --depth it is asked what every stage of the network, from input to output, still knows of the classes: beside
--run nothing but that is measured, and result.json gets a part "depth"; --retrained gives it its other end.
With --depth all reference models (train --references) tell which images a model was trained on: those that --references
names, else those that ship for a model of the same data, network and recipe.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zspag_core.commands.shared import (
    CLASSES_HELP,
    DATA_HELP,
    READING,
    add_classes,
    add_device,
    add_model,
    checkpoint_of,
    interruptible,
    parse_classes,
    parse_reading,
    parse_seed,
    read_names,
)
from zspag_core.errors import UsageError, some_of
from zspag_core.metrics.catalogue import ACC_RT, ACC_UT, LOSS_RT, PROBE

if TYPE_CHECKING:
    import argparse

    from zspag_core.checkpoints import Checkpoint
    from zspag_core.data.dataset import DataSet
    from zspag_core.metrics.grade import Grade
    from zspag_core.models import Classifier
    from zspag_core.progress import Reporter

NAMED = 4
LINES = {
    ACC_RT: "accuracy on remaining classes",
    ACC_UT: "accuracy on forgotten classes",
    LOSS_RT: "loss on remaining classes",
    PROBE: "linear probe on forgotten classes",
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `evaluate`."""
    parser.add_argument("--data", required=True, metavar="D", help=DATA_HELP)
    parser.add_argument("--checkpoint", default="", metavar="F", help="model to measure: a file or a model folder")
    add_model(parser)
    parser.add_argument(
        "--forget", default=None, metavar="3,5", help=f"classes in the role of the forgotten ones, {CLASSES_HELP}"
    )
    parser.add_argument(
        "--run", dest="folder", default="", metavar="DIR", help="finished run whose result.json is to be completed"
    )
    add_classes(parser)
    parser.add_argument("--original", default="", metavar="F", help="model before unlearning: measures relearning")
    parser.add_argument(
        "--retrained",
        default="",
        metavar="F",
        help="model that never saw the classes: its file or the folder of its run (with --original, or --run --depth)",
    )
    parser.add_argument(
        "--depth",
        nargs="?",
        const="quick",
        default="",
        choices=("quick", "all"),
        help="measure every stage of the network: quick (probe, neighbours, bits, prototypes, CKA) or all, in float64",
    )
    parser.add_argument(
        "--references",
        default="",
        metavar="F.npz",
        help="reference models of the data, made by train --references (with --depth all: U-LiRA)",
    )
    parser.add_argument("--seed", default="0", help="seed of samples and probes (0)")
    parser.add_argument("--json", action="store_true", help="print JSON")
    add_device(parser)


def run(arguments: argparse.Namespace) -> int:
    """Grade a model, or complete a run, and print the figures."""
    _check_choice(arguments)
    if arguments.folder:
        return _look_deeper(arguments) if arguments.depth else _complete(arguments)
    return _measure(arguments)


def _check_choice(arguments: argparse.Namespace) -> None:
    """Refuse what is neither a model with classes nor a run alone."""
    beside = ("checkpoint", "forget", "classes", "order", *(() if arguments.depth else ("retrained",)))
    given = [f"--{name}" for name in beside if getattr(arguments, name)]
    given += [option for option, *_ in READING if getattr(arguments, option[2:].replace("-", "_")) is not None]
    if arguments.references and arguments.depth != "all":
        raise UsageError("--references: expected --depth all beside it, which alone has a use for them")
    if arguments.folder and given:
        raise UsageError(f"--run: expected no {', '.join(given)} beside it: the run says which")
    if not arguments.folder and not arguments.checkpoint and not arguments.model.startswith("hf:"):
        raise UsageError("--checkpoint: expected the model to measure, or --run with the folder of a finished run")
    if not arguments.folder and arguments.forget is None:
        raise UsageError("--forget: expected classes by number or name, such as 3,5, got none")


def _complete(arguments: argparse.Namespace) -> int:
    """Complete the record of a finished run and print its headline."""
    from zspag_core.commands.unlearn import headlines
    from zspag_core.runs.regrade import regrade

    with interruptible() as report:
        result = regrade(
            Path(arguments.folder),
            arguments.data,
            original=arguments.original,
            model=arguments.model,
            device=arguments.device,
            report=report,
        )
    text = json.dumps(result, indent=1) if arguments.json else "\n".join(headlines(result))
    print(text)  # noqa: T201
    return 0


def _look_deeper(arguments: argparse.Namespace) -> int:
    """Add the depth of forgetting to the record of a finished run and print it."""
    from zspag_core.metrics.depth.words import depth_lines
    from zspag_core.runs.depth import measure_depth

    with interruptible() as report:
        result = measure_depth(
            Path(arguments.folder),
            arguments.data,
            arguments.depth,
            original=arguments.original,
            model=arguments.model,
            retrained=arguments.retrained,
            references=arguments.references,
            device=arguments.device,
            report=report,
        )
    text = json.dumps(result, indent=1) if arguments.json else "\n".join(depth_lines(result["depth"]))
    print(text)  # noqa: T201
    return 0


def _measure(arguments: argparse.Namespace) -> int:
    """Grade the model and print the figures."""
    from zspag_core.checkpoints import load_checkpoint
    from zspag_core.devices import resolve_device
    from zspag_core.diagnosis import guessing
    from zspag_core.groups import lacking, ungraded, without_parts
    from zspag_core.metrics.grade import grade
    from zspag_core.runs.assumptions import check_assumptions, load_for, with_names
    from zspag_core.runs.samples import as_trained

    if arguments.retrained and not arguments.original:
        raise UsageError("--retrained: expected --original beside it, which sets the accuracy to win back")
    device, seed = resolve_device(arguments.device), parse_seed(arguments.seed)
    loaded = load_checkpoint(checkpoint_of(arguments), model=arguments.model, **parse_reading(arguments))
    checkpoint = with_names(loaded, read_names(arguments.classes))
    dataset = load_for(checkpoint, arguments.data, order=arguments.order)
    forget = dataset.find_classes(parse_classes(arguments.forget, "--forget"), "--forget")
    dataset = check_assumptions(checkpoint, dataset, arguments.data, arguments.order, forgotten=forget)
    lacks = lacking(dataset, forget)
    dataset = as_trained(without_parts(dataset, forget), checkpoint.about, forget)
    all_read = {"model": checkpoint, **_others(arguments, checkpoint, dataset, forget)}
    models = {role: one.model.to(device) for role, one in all_read.items()}
    with interruptible() as report:
        for sentence in (*checkpoint.notes, *dataset.notes, *filter(None, [ungraded(lacks)])):
            report.note(sentence)
        found = grade(models["model"], dataset, forget, seed=seed, device=device, report=report)
        guesses = guessing(found.accuracy.acc_rt, dataset.num_classes)
        if guesses and "unlearned" not in checkpoint.about:  # else it is the method that spoilt the model
            report.note(guesses)
        record: dict[str, Any] = {
            "forget": list(forget),
            "num_classes": dataset.num_classes,
            **found.to_dict(),
            "mask": {"acc_rt": found.mask_acc_rt},
            "lacks": list(lacks),
            "forget_images": _on_forget_images(found) if lacks else None,
            "backdoor": _attack(checkpoint, dataset),
        }
        if arguments.depth:
            record["depth"] = _depth(all_read, dataset, forget, seed, arguments, report)
        if "original" in models:
            record["relearning"] = _relearning(models, dataset, forget, seed, report)
    print(json.dumps(record, indent=1) if arguments.json else _text(record))  # noqa: T201
    return 0


def _others(
    arguments: argparse.Namespace, checkpoint: Checkpoint, dataset: DataSet, forget: tuple[int, ...]
) -> dict[str, Checkpoint]:
    """Return the original and the retrained model, as far as they are given.

    Raises:
        UsageError: one cannot play its part.
    """
    from zspag_core.checkpoints import load_checkpoint
    from zspag_core.runs.depth import check_excluded, check_never_saw

    found = {}
    for role in ("original", "retrained"):
        if path := getattr(arguments, role):
            found[role] = load_checkpoint(path, model=arguments.model, **parse_reading(arguments))
            _check_classes(role, found[role], checkpoint, dataset)
            if role == "retrained":
                check_excluded(found[role], forget, path)
                check_never_saw(found[role], dataset, forget, path)
    return found


def _depth(
    read: dict[str, Checkpoint],
    dataset: DataSet,
    forget: tuple[int, ...],
    seed: int,
    arguments: argparse.Namespace,
    report: Reporter,
) -> dict[str, Any]:
    """Return what every stage knows of the classes, of every model that is given."""
    from zspag_core.files import finite
    from zspag_core.groups import lacking
    from zspag_core.runs.depth import check_images, measure

    check_images(lacking(dataset, forget), arguments.data)
    by_role = {"unlearned" if role == "model" else role: one.model for role, one in read.items()}
    asked = by_role, dataset, forget, read.get("original", read["model"]).about
    answer: dict[str, Any] = finite(
        measure(arguments.depth, *asked, seed=seed, references=arguments.references, report=report)
    )
    return answer


def _on_forget_images(found: Grade) -> float | None:
    """Return how many training images of the forgotten classes are read right, percent: an estimate."""
    from zspag_core.metrics.accuracy import percent

    seen = found.scores.forget_train
    return percent(seen.logits.argmax(1) == seen.labels)


def _check_classes(role: str, other: Checkpoint, checkpoint: Checkpoint, dataset: DataSet) -> None:
    """Refuse a model of other classes than the one beside it has.

    Raises:
        UsageError: they differ, by their names (the data's where a file has none).
    """
    wanted, got = _class_names(checkpoint, dataset), _class_names(other, dataset)
    if wanted != got:
        here, there = some_of(wanted, NAMED), some_of(got, NAMED)
        raise UsageError(f"--{role}: expected a model of the classes {here}, got one of {there}")


def _class_names(checkpoint: Checkpoint, dataset: DataSet) -> list[str]:
    """Return the names of a model's classes: its file's, else the data's, else numbers where those are not as many."""
    count = checkpoint.model.config.num_classes
    known = dataset.class_names if count == dataset.num_classes else range(count)
    return [str(name) for name in checkpoint.about.get("class_names") or known]


def _attack(checkpoint: Checkpoint, dataset: DataSet) -> dict[str, Any] | None:
    """Return how many triggered test images are read as the target, in percent; None without a planted backdoor."""
    from zspag_core.metrics.backdoor import planted_in, read_triggered, triggered_images

    backdoor = planted_in(checkpoint.about, dataset.num_classes)
    if backdoor is None:
        return None
    predicted = read_triggered(checkpoint.model, triggered_images(dataset, backdoor))
    return {**vars(backdoor), "attack": backdoor.accuracy(predicted)}


def _relearning(
    models: dict[str, Classifier], dataset: DataSet, forget: tuple[int, ...], seed: int, report: Reporter
) -> dict[str, Any]:
    """Return the steps by which every model wins the classes back, what is left of the rest, the ratio to Retrain's."""
    from zspag_core.metrics.accuracy import percent
    from zspag_core.metrics.deep import RELEARNED_SHARE, anamnesis_index, relearn
    from zspag_core.metrics.predictions import logits_of

    test = dataset.test.of_classes(forget)
    known = percent(logits_of(models["original"], test.images).argmax(1) == test.labels)
    steps: dict[str, int | None] = {}
    kept: dict[str, float | None] = {}
    for role, model in models.items():
        found = relearn(model, dataset, forget, known, seed=seed, report=report)
        steps[role] = found.steps if found is not None and found.reached else None
        kept[role] = found.acc_rt if found is not None else None
    return {
        "target": None if known is None else RELEARNED_SHARE * known,
        "steps": steps,
        "acc_rt": kept,
        "anamnesis_index": anamnesis_index(steps["model"], steps.get("retrained")),
    }


def _text(record: dict[str, Any]) -> str:
    """Say the figures in lines."""
    mia = record["mia"]
    lines = [_line(words, record[measure.key], measure.unit) for measure, words in LINES.items()]
    lines += [
        _line("accuracy on remaining classes if the forgotten logits were masked", record["mask"]["acc_rt"], "%"),
        _line("membership, entropy (share judged member; nearer to Retrain is better)", mia["entropy_svc"], "%"),
        _line("membership, confidence (share judged non-member; higher is better)", mia["confidence_svc"], "%"),
        _line("membership, same class (50 is ideal)", (mia["same_class"] or {}).get("accuracy"), "%"),
    ]
    if record["lacks"]:
        lines.insert(0, _line("accuracy on the images to forget (an estimate)", record["forget_images"], "%"))
    if backdoor := record["backdoor"]:
        words = f"backdoor: images of class {backdoor['source']} with the trigger read as class {backdoor['target']}"
        lines.append(_line(words, backdoor["attack"], "%"))
    if "depth" in record:
        from zspag_core.metrics.depth.words import depth_lines

        lines += depth_lines(record["depth"])
    if "relearning" in record:
        found = record["relearning"]
        lines += [
            f"steps from a neutral last layer until {role} knows the classes: {_steps(value, found['target'])}"
            f"{_left(found['acc_rt'][role])}"
            for role, value in found["steps"].items()
        ]
        lines.append(_line("Anamnesis Index (1 is ideal)", found["anamnesis_index"], ""))
    return "\n".join(lines)


def _steps(steps: int | None, target: float | None) -> str:
    """Say how many steps of relearning it took, or why there is no number."""
    from zspag_core.metrics.deep import RELEARNING_STEPS

    if steps is not None:
        return str(steps)
    if target is None:
        return "undefined, there are no test images of them"
    return f"not within {RELEARNING_STEPS}" if target > 0 else "undefined, the original knows none of them"


def _left(kept: float | None) -> str:
    """Say what is left of the remaining classes by then."""
    return "" if kept is None else f" (remaining classes by then: {kept:.4g} %)"


def _line(words: str, value: float | None, unit: str) -> str:
    """Say one figure."""
    return f"{words}: {'undefined' if value is None else f'{value:.4g} {unit}'.rstrip()}"
