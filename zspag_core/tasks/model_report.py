"""What a model does: its layers, and how it reads the test images of a data set."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from zspag_core.compatibility import check_fit
from zspag_core.progress import SILENT
from zspag_core.tasks.pictures import to_data_url

if TYPE_CHECKING:
    from torch import Tensor, nn

    from zspag_core.data.images import Pictures
    from zspag_core.jobs.records import Job
    from zspag_core.models import Classifier
    from zspag_core.progress import Reporter

GRADED_IMAGES = 2_000
SAMPLES, MISTAKES = 12, 4


def model_report(job: Job, report: Reporter = SILENT) -> dict[str, Any]:
    """Return the layers of a model, and how it does on test images, or on all that there are where none are for tests.

    Args:
        job: its config is {"checkpoint": path, "data": name or path}.
        report: receives progress after every batch.

    Returns:
        {"layers": [{"name", "kind", "shape" (of what comes out, without the batch), "parameters"}], "parameters",
        "acc_per_class" (percent, None where a class has no such image), "test_accuracy", "graded" (images), "of"
        ("test"; "training" where there are no test images: an estimate), "samples": [{"picture", "label", "predicted",
        "probability" (percent)}]}
    """
    import torch

    from zspag_core.data.images import in_memory
    from zspag_core.metrics.accuracy import accuracy
    from zspag_core.metrics.predictions import outputs_of
    from zspag_core.tasks.model_cache import cached_checkpoint, cached_dataset

    report.progress("load", 0, 1)
    loaded = cached_checkpoint(str(job.config["checkpoint"]))
    data = cached_dataset(str(job.config["data"]), loaded, download=True)
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
