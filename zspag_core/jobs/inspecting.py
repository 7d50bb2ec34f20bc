"""What the Model page shows: a look into a data set, whether a model fits it, and what the model does with it."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from zspag_core.errors import DataError, MisfitError
from zspag_core.fit import check_fit, other_names, why_not
from zspag_core.jobs.describe import describe_class
from zspag_core.jobs.pictures import to_data_url
from zspag_core.jobs.reading import describe_reading, network_of
from zspag_core.progress import SILENT

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from torch import Tensor, nn

    from zspag_core.checkpoints import Checkpoint
    from zspag_core.data import DataSet
    from zspag_core.data.images import Pictures
    from zspag_core.models import Classifier
    from zspag_core.progress import Reporter

GRADED_IMAGES = 2_000
SAMPLES, MISTAKES = 12, 4
IMAGE_SIZE, CHANNELS = 32, 3
LIBRARIES = {"hf": "Hugging Face"}
NAMED = 3
LOOK = "Check that in what the model says of the images."
FAMILIES = {"resnet": "ResNet", "vgg": "VGG", "vit": "ViT", "alexnet": "AlexNet"}


def inspect_data(config: Mapping[str, Any], report: Reporter = SILENT) -> dict[str, Any]:
    """Look into a data set and compare it with a model, where one is named.

    Args:
        config: {"data": name or path, "checkpoint": path (optional), "download": whether the network may be used}.
        report: told when model and data are loaded.

    Returns:
        {"name", "num_classes", "class_names", "train", "test" (image counts), "classes": [{"name", "picture" (data
        URL, None without images), "train", "test"}], "notes" (what was assumed or left aside)}, and with a checkpoint
        "fits" (None, or one sentence why the two cannot be used together), "doubt" (None, or one sentence on what looks
        odd), "architecture", "summary",
        "image_size", "channels", "model_classes", "test_accuracy" and "trained_on" (None where the file does not say),
        and what zspag_core.jobs.reading.describe_reading returns: "network", "foreign", "open" (what
        zspag_core.jobs.adopting.left_open returns), "assumed" (names in "open" that nobody has told), "notes" (of
        model and data) and "unmoved".
    """
    from zspag_core.data import load_dataset
    from zspag_core.jobs.cache import cached_checkpoint

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
        "fits": None if fits is None else _sentence(fits),
        "doubt": doubt(loaded.about, data) if fits is None else None,
        "architecture": loaded.model.architecture,
        "summary": summarise(network_of(loaded) or loaded.model.architecture, config.image_size),
        "image_size": config.image_size,
        "channels": config.channels,
        "model_classes": config.num_classes,
        "test_accuracy": loaded.about.get("test_accuracy"),
        "trained_on": loaded.about.get("data"),
        **reading,
        "notes": [*reading["notes"], *(note for note in data.notes if note != other_names(data))],
    }


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
    return None if names is None else _sentence(names)


def _taken_by_order(names: Sequence[str]) -> str:
    """Say which output each class is taken for, where the model's file names none."""
    if all(name.isdecimal() for name in names):
        return f"The file does not name its classes: label {names[0]} is taken for output 0, and so on. {LOOK}"
    first = ", ".join(f"output {k} is {name}" for k, name in list(enumerate(names))[:NAMED])
    rest = f", … output {len(names) - 1} is {names[-1]}" if len(names) > NAMED else ""
    return f"The file does not name its classes. The data do, and their order is taken: {first}{rest}. {LOOK}"


def _sentence(words: str) -> str:
    """Write words as a sentence."""
    return f"{words[0].upper()}{words[1:]}."


def model_report(config: Mapping[str, Any], report: Reporter = SILENT) -> dict[str, Any]:
    """Return the layers of a model, and how it does on test images, or on all that there are where none are for tests.

    Args:
        config: {"checkpoint": path, "data": name or path}.
        report: told after every batch.

    Returns:
        {"layers": [{"name", "kind", "shape" (of what comes out, without the batch), "parameters"}], "parameters",
        "acc_per_class" (percent, None where a class has no such image), "test_accuracy", "graded" (images), "of"
        ("test"; "training" where there are no test images: an estimate), "samples": [{"picture", "label", "predicted",
        "probability" (percent)}]}
    """
    import torch

    from zspag_core.data.images import in_memory
    from zspag_core.jobs.cache import cached_checkpoint, cached_dataset
    from zspag_core.metrics.accuracy import accuracy
    from zspag_core.metrics.predictions import outputs_of

    report.progress("load", 0, 1)
    loaded = cached_checkpoint(str(config["checkpoint"]))
    data = cached_dataset(str(config["data"]), loaded, download=True)
    check_fit(loaded, data)
    report.progress("load", 1, 1)
    part = "test" if len(data.test) else "training"
    images = data.test if len(data.test) else data.train
    test = images.sample(GRADED_IMAGES, torch.Generator().manual_seed(0))
    logits = outputs_of(loaded.model, test.images, report=report).logits
    right = logits.argmax(1) == test.labels
    return {
        "layers": [vars(layer) for layer in layers_of(loaded.model, in_memory(test.images[:1]))],
        "parameters": sum(parameter.numel() for parameter in loaded.model.parameters()),
        "acc_per_class": list(accuracy(logits, test.labels, ()).acc_per_class),
        "test_accuracy": 100 * float(right.double().mean()),
        "graded": len(test),
        "of": part,
        "samples": _samples(test.images, test.labels, logits),
    }


@dataclass(frozen=True)
class Layer:
    """One row of the architecture: its name, kind, shape of what comes out without the batch, number of weights."""

    name: str
    kind: str
    shape: tuple[int, ...]
    parameters: int


def layers_of(model: Classifier, images: Tensor) -> list[Layer]:
    """Return the layers that a model's images pass, in that order; weights outside any layer come last.

    Args:
        model: the classifier.
        images: (1, C, H, W) uint8.
    """
    import torch

    from zspag_core.data import to_pixels

    found: list[Layer] = []
    leaves = {module: name for name, module in model.named_modules() if not list(module.children())}
    names = {module: name for module, name in leaves.items() if not isinstance(module, torch.nn.Identity)}

    def note(module: nn.Module, _inputs: object, output: Any) -> None:  # noqa: ANN401 - what the layer returns
        count = sum(parameter.numel() for parameter in module.parameters())
        found.append(Layer(names[module], _kind(module), tuple(output.shape[1:]), count))

    with ExitStack() as hooks, torch.inference_mode():
        for module in names:
            hooks.enter_context(module.register_forward_hook(note))
        model(to_pixels(images))
    covered = {id(parameter) for module in names for parameter in module.parameters()}
    loose = [(name, p) for name, p in model.named_parameters() if id(p) not in covered]
    return found + [Layer(name, "learnt values", tuple(p.shape[1:]), p.numel()) for name, p in loose]


def _kind(module: nn.Module) -> str:
    """Say what a layer does, with the sizes that matter."""
    from torch import nn

    if isinstance(module, nn.Conv2d):
        height, width = module.kernel_size
        stride = "" if module.stride == (1, 1) else f", stride {module.stride[0]}"
        return f"convolution {height} × {width}{stride}"
    named = {nn.Linear: "linear", nn.BatchNorm2d: "batch norm", nn.LayerNorm: "layer norm", nn.ReLU: "ReLU"}
    named |= {nn.GELU: "GELU", nn.MaxPool2d: "max pooling", nn.AdaptiveAvgPool2d: "average pooling"}
    named |= {nn.Dropout: "dropout"}
    return named.get(type(module), type(module).__name__)


def _samples(images: Pictures, labels: Tensor, logits: Tensor) -> list[dict[str, Any]]:
    """Return some images with what the model says: the surest mistakes first, then one image a class."""
    probability, predicted = logits.softmax(1).max(1)
    wrong = (predicted != labels).nonzero().flatten()
    chosen = wrong[probability[wrong].argsort(descending=True)][:MISTAKES].tolist()
    firsts = {int(label): index for index, label in reversed(list(enumerate(labels.tolist())))}
    chosen += [index for _, index in sorted(firsts.items()) if index not in chosen]
    chosen += [index for index in range(len(labels)) if index not in set(chosen)][:SAMPLES]
    return [
        {
            "picture": to_data_url(images[index]),
            "label": int(labels[index]),
            "predicted": int(predicted[index]),
            "probability": 100 * float(probability[index]),
        }
        for index in chosen[:SAMPLES]
    ]
