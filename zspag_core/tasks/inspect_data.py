"""A look into a data set, and whether a model fits it."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from zspag_core.compatibility import other_names, why_not
from zspag_core.errors import DataError, MisfitError
from zspag_core.progress import SILENT
from zspag_core.runs.forgotten import already_forgotten, forgotten_before
from zspag_core.tasks.describe import describe_class
from zspag_core.tasks.inspect_model import describe_reading, network_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from zspag_core.checkpoints import Checkpoint
    from zspag_core.data import DataSet
    from zspag_core.jobs.records import Job
    from zspag_core.progress import Reporter

IMAGE_SIZE, CHANNELS = 32, 3
NAMED = 3
LOOK = "Check that in what the model says of the images."
LIBRARIES = {"hf": "Hugging Face"}
FAMILIES = {"resnet": "ResNet", "vgg": "VGG", "vit": "ViT", "alexnet": "AlexNet"}


def inspect_data(job: Job, report: Reporter = SILENT) -> dict[str, Any]:
    """Look into a data set; see :func:`look_into`, which gets the job's config."""
    return look_into(job.config, report)


def look_into(config: Mapping[str, Any], report: Reporter = SILENT) -> dict[str, Any]:
    """Look into a data set and compare it with a model, where one is named.

    Args:
        config: {"data": name or path, "checkpoint": path (optional), "download": whether the network may be used}.
        report: receives progress when model and data are loaded.

    Returns:
        {"name", "num_classes", "class_names", "train", "test" (image counts), "classes": [{"name", "picture" (data
        URL, None without images), "train", "test"}], "notes" (what was assumed or left aside)}, and with a checkpoint
        "fits" (None, or one sentence why the two cannot be used together), "doubt" (None, or one sentence on what looks
        odd), "architecture", "summary",
        "image_size", "channels", "model_classes", "test_accuracy" and "trained_on" (None where the file does not say),
        and what zspag_core.tasks.inspect_model.describe_reading returns: "network", "foreign", "open" (what
        zspag_core.tasks.import_weights.left_open returns), "assumed" (names in "open" that nobody has told), "notes"
        (of model and data) and "unmoved".
    """
    from zspag_core.data import load_dataset
    from zspag_core.tasks.model_cache import cached_checkpoint

    report.progress("load", 0, 2)
    loaded = cached_checkpoint(str(config["checkpoint"])) if config.get("checkpoint") else None
    report.progress("load", 1, 2)
    size, channels = (loaded.model.config.size, loaded.model.config.channels) if loaded else (IMAGE_SIZE, CHANNELS)
    load = partial(
        load_dataset,
        str(config["data"]),
        image_size=size,
        channels=channels,
        download=bool(config.get("download")),
    )
    names = loaded.about.get("class_names") if loaded else None
    data, misfit = _read(load, names, loaded.model.config.num_classes if loaded else None)
    report.progress("load", 2, 2)
    answer = {
        "name": data.name,
        "num_classes": data.num_classes,
        "class_names": list(data.class_names),
        "train": len(data.train),
        "test": len(data.test),
        "classes": [describe_class(data, label) for label in range(data.num_classes)],
        "notes": list(data.notes),
    }
    return answer | (_model_side(loaded, data, misfit) if loaded else {})


def _read(load: Callable[..., DataSet], names: Sequence[str] | None, classes: int | None) -> tuple[DataSet, str | None]:
    """Return the data set as a model's, else as it is by itself, and then why it cannot be the model's.

    Raises:
        DataError: it cannot be read either way.
    """
    try:
        return load(class_names=names, num_classes=classes), None
    except MisfitError as error:
        misfit = error
    try:
        return load(), misfit.reason
    except DataError:  # images of one class are a data set beside a model alone
        raise misfit from None


def _model_side(loaded: Checkpoint, data: DataSet, misfit: str | None) -> dict[str, Any]:
    """Return what the model is and whether it fits; `misfit` says why the data could not be read as the model's."""
    config, reading = loaded.model.config, describe_reading(loaded)
    fits = misfit or why_not(config.num_classes, loaded.about.get("class_names"), data)
    return {
        "fits": None if fits is None else _sentence(fits, data.name),
        "doubt": doubt(loaded.about, data) if fits is None else None,
        "architecture": loaded.model.architecture,
        "summary": summarise(network_of(loaded) or loaded.model.architecture, config.image_size),
        "image_size": config.image_size,
        "channels": config.channels,
        "model_classes": config.num_classes,
        "test_accuracy": loaded.about.get("test_accuracy"),
        "trained_on": loaded.about.get("data"),
        **reading,
        "notes": [*_forgotten(loaded, data), *reading["notes"], *(n for n in data.notes if n != other_names(data))],
    }


def _forgotten(loaded: Checkpoint, data: DataSet) -> list[str]:
    """Say which classes a model has forgotten already, where its file says so."""
    earlier = forgotten_before(loaded.about)
    return [already_forgotten(earlier, data.class_names)] if earlier else []


def summarise(architecture: str, image_size: int) -> str:
    """Return family and input size of a network as a person reads them."""
    library, colon, name = architecture.partition(":")
    called = f"{name} of {LIBRARIES.get(library, library)}" if colon else FAMILIES.get(architecture, architecture)
    return f"{called}, {image_size} × {image_size} pixels"


def doubt(about: Mapping[str, Any], data: DataSet) -> str | None:
    """Return one sentence on what looks odd about a pair that fits, or None.

    Args:
        about: the checkpoint's header.
        data: the data set.
    """
    if about.get("excluded"):
        left_out = ", ".join(data.class_names[label] for label in about["excluded"] if label < data.num_classes)
        return f"The model was trained without {left_out}: it cannot forget what it never learnt."
    if about.get("class_names") is None:
        return _taken_by_order(data.class_names)
    names = other_names(data)
    return None if names is None else _sentence(names, data.name)


def _taken_by_order(names: Sequence[str]) -> str:
    """Say which output each class is taken for, where the model's file names none."""
    if all(name.isdecimal() for name in names):
        return f"The file does not name its classes: label {names[0]} is taken for output 0, and so on. {LOOK}"
    first = ", ".join(f"output {k} is {name}" for k, name in list(enumerate(names))[:NAMED])
    rest = f", … output {len(names) - 1} is {names[-1]}" if len(names) > NAMED else ""
    return f"The file does not name its classes. The data do, and their order is taken: {first}{rest}. {LOOK}"


def _sentence(words: str, name: str) -> str:
    """Write words as a sentence; the name of the data at its beginning stays as it is."""
    return f"{words[0] if words.startswith(name) else words[0].upper()}{words[1:]}."
