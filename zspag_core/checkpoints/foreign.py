"""Weights of another library's network, or of the owner's own class -> a classifier of ours around it."""

from __future__ import annotations

import contextlib
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from zspag_core.checkpoints.weights import check_fit_of_weights, converted
from zspag_core.errors import CheckpointError, UsageError, some_of
from zspag_core.models.foreign import ForeignClassifier, ForeignConfig, parse_source
from zspag_core.models.foreign.anatomy import dry_images, examine
from zspag_core.models.foreign.caches import copied
from zspag_core.models.foreign.reading import (
    FIELDS,
    InputPreparation,
    channels_of,
    hf_reading,
    sizes_to_try,
    timm_reading,
    usual,
)
from zspag_core.models.foreign.sources import build_network, hf_folder, python_network
from zspag_core.models.foreign.surgery import assumed_activation, differences, head_name, side_of_tables

if TYPE_CHECKING:
    from collections.abc import Mapping


class Headless(CheckpointError):
    """Weights of a named network without its head."""


SIDES = (224, 32, 64, 96, 128, 256, 192, 160, 48, 80, 112, 40, 56, 72, 144, 176, 240, 288, 320, 384, 448, 512)
"""Image sizes for which a network is built until its tables have the shapes of the weights; the usual ones first."""
PLACEHOLDER = 977
"""Classes a network is first built for: a number that no layer has by chance."""


def load_foreign(
    source: str, weights: Mapping[str, Tensor] | None, hints: Mapping[str, Any], given: Mapping[str, Any]
) -> tuple[ForeignClassifier, dict[str, Any]]:
    """Return a classifier around a network that a source names, and what is known about it.

    Args:
        source: as `--model` takes it.
        weights: the owner's, under the owner's names; None leaves those that the owner's code made (python: only).
        hints: what was found beside the weights: "timm_config", "hf_config", "preprocessor", "class_names", ….
        given: fields of :class:`ForeignConfig` that the caller states.

    Returns:
        The classifier, and {"origin", "told", "assumed", "class_names" where known}.

    Raises:
        CheckpointError, UsageError: weights and source do not go together, or there is no such source.
    """
    kind, name = parse_source(source)
    if kind == "hf" and not hints.get("hf_config"):
        raise CheckpointError("expected a Hugging Face folder with config.json and weights")
    arguments = _arguments(kind, hints)
    if kind == "python":
        network, arguments = python_network(name, _owner_arguments(weights, hints))
        arguments.pop("num_classes", None)  # the head tells
        file, _, called = name.rpartition(":")  # where it lies is this machine's affair
        config = ForeignConfig(source=f"python:{Path(file).name}:{called}", arguments=arguments)
        config = replace(config, **_grey_or_colour(channels_of(network)))
    elif kind == "hf":
        network = hf_folder(Path(name).expanduser())
        count = int(getattr(network.config, "num_labels", 0) or 2)
        arguments["model_type"] = str(arguments.get("model_type", ""))
        config = ForeignConfig(source=f"hf:{arguments['model_type']}", arguments=arguments, num_classes=count)
        config = replace(config, **_grey_or_colour(channels_of(network)))
    else:
        if weights is None:
            raise UsageError(f"model: {source} needs weights: name their file with --checkpoint")
        config, network = _built_for(source, arguments, weights, given)
    if weights is not None and kind != "hf":
        fill(network, weights)
    reading = _reading(kind, network, hints, given, config)
    classifier, reading = _wrapped(network, config, reading)
    about: dict[str, Any] = {"origin": classifier.config.source}
    about |= {"told": dict(reading.said), "assumed": dict(reading.assumed)}
    if assumed_activation(classifier.config.changes):
        about["assumed"]["head_activation"] = "relu"
    if names := _class_names(hints, classifier.config.num_classes):
        about["class_names"] = names
    return classifier, about


def expected_tensors(
    source: str, weights: Mapping[str, Tensor], hints: Mapping[str, Any]
) -> dict[str, tuple[int, ...] | None]:
    """Return names and shapes of the tensors of a network that a source names; nothing where that is not known.

    Args:
        source: as `--model` takes it.
        weights: the owner's; they say how many outputs a class of the owner's is called with.
        hints: as in :func:`load_foreign`.

    Returns:
        None in place of a shape that depends on the number of classes; counters of batches are left out.
    """
    kind, name = parse_source(source)
    if kind == "hf":
        return {}
    if kind == "python":
        network, _ = python_network(name, _owner_arguments(weights, hints))
    else:
        network = _described(_of_classes(ForeignConfig(source=source, arguments=_arguments(kind, hints)), PLACEHOLDER))
    shapes = {name: tuple(tensor.shape) for name, tensor in network.state_dict().items() if not _counts(name)}
    return {name: None if PLACEHOLDER in shape else shape for name, shape in shapes.items()}


def _counts(name: str) -> bool:
    """Tell whether a tensor is a counter of batches."""
    return name.endswith("num_batches_tracked")


def rebuild_foreign(settings: Mapping[str, Any], weights: Mapping[str, Tensor], source: str = "") -> ForeignClassifier:
    """Return the classifier that a header of ours describes.

    Args:
        settings: fields of :class:`ForeignConfig`.
        weights: under the owner's names.
        source: what the caller names with `--model`; code of an owner is run on the caller's word alone.

    Raises:
        CheckpointError, UsageError: the header describes no network, or one whose code is not at hand.
    """
    plain: dict[str, Any] = {
        name: tuple(v) if name in {"mean", "std"} and isinstance(v, list) else v for name, v in settings.items()
    }
    try:
        config = ForeignConfig(**plain)
    except (TypeError, ValueError) as error:
        raise CheckpointError(f"config of a foreign network: {error}") from None
    if source.startswith("python:"):
        given = {"num_classes": config.num_classes} | config.arguments
        network, _ = python_network(source.partition(":")[2], given)
    else:
        network = build_network(config)
    fill(network, weights)
    return ForeignClassifier(network, config)


def adapt(
    network: nn.Module,
    *,
    image_size: int | None = None,
    channels: int | None = None,
    mean: tuple[float, ...] | None = None,
    std: tuple[float, ...] | None = None,
    shorter_side: int | None = None,
    interpolation: str | None = None,
) -> ForeignClassifier:
    """Return a classifier around a copy of a network that is in memory; what is not said is assumed as usual.

    Raises:
        CheckpointError: it is no classifier of such images.
    """
    given: dict[str, Any] = {"image_size": image_size, "channels": channels, "mean": mean, "std": std}
    given |= {"shorter_side": shorter_side, "interpolation": interpolation}
    said = {name: value for name, value in given.items() if value is not None}
    found = channels_of(network)
    config = ForeignConfig(source=f"module:{type(network).__name__}", **_grey_or_colour(said.get("channels", found)))
    reading = InputPreparation({}, usual(config.channels, 0)).with_said(said)
    reading.assumed.pop("image_size", None)
    twin = copied(network).cpu()
    twin.eval()
    return _wrapped(twin, config, reading)[0]


@torch.no_grad()
def fill(network: nn.Module, weights: Mapping[str, Tensor]) -> None:
    """Put weights into a network after checking that every one fits.

    Raises:
        CheckpointError: a tensor is missing, surplus, of another shape or kind, or not finite.
    """
    expected = network.state_dict()
    counters = {name: torch.tensor(0) for name in expected if _counts(name)}
    have = {**{name: value for name, value in counters.items() if name not in weights}, **weights}
    check_fit_of_weights(expected, have)
    network.load_state_dict({name: converted(name, have[name], like) for name, like in expected.items()}, strict=True)


def _arguments(kind: str, hints: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the owner's config file tells the library's builder."""
    if kind == "hf":
        return dict(hints["hf_config"])
    if kind == "timm":
        given = (hints.get("timm_config") or {}).get("model_args")
        return dict(given) if isinstance(given, dict) else {}
    return {}


def _built_for(
    source: str, arguments: dict[str, Any], weights: Mapping[str, Tensor], given: Mapping[str, Any]
) -> tuple[ForeignConfig, nn.Module]:
    """Return the config and the network of a library with as many classes, channels and tokens as the weights."""
    kind = parse_source(source)[0]
    config = ForeignConfig(source=source, arguments=arguments)
    config = _of_classes(config, PLACEHOLDER)
    described = _described(config)
    _check_head(source, described, weights)
    count, changes = differences(described, weights, PLACEHOLDER)
    config = replace(_of_classes(config, max(2, count)), changes=changes)
    if size := _size_of_tables(kind, described, weights, given):
        config = replace(config, arguments={("image_size" if kind == "torchvision" else "img_size"): size, **arguments})
    elif kind == "timm" and "img_size" not in arguments and (size := _size_of_shapes(config, weights)):
        config = replace(config, arguments={"img_size": size, **arguments})
    if (stem := changes.get("stem")) and stem["channels"] in {1, 3}:
        config = replace(config, **_grey_or_colour(stem["channels"]))
    return config, build_network(config)


def _check_head(source: str, described: nn.Module, weights: Mapping[str, Tensor]) -> None:
    """Refuse weights of a network's features alone.

    Raises:
        Headless: all that they have is the network's, and all that is missing belongs to its head.
    """
    expected = {name for name in described.state_dict() if not _counts(name)}
    given = {name for name in weights if not _counts(name)}
    head, missing = head_name(described, PLACEHOLDER), sorted(expected - given)
    if not given or given - expected or head is None or f"{head}.weight" not in missing:
        return
    if all(name.partition(".")[0] == head.partition(".")[0] for name in missing):
        raise Headless(
            f"has no head: these are the features of {source} alone, without {some_of(missing, 2)}; expected weights "
            "of a classifier, with the layer that gives one output a class"
        )


def _of_classes(config: ForeignConfig, count: int) -> ForeignConfig:
    """Return a config for another number of classes."""
    try:
        return replace(config, num_classes=count)
    except ValueError as error:
        raise CheckpointError(str(error)) from None


def _size_of_tables(
    kind: str, described: nn.Module, weights: Mapping[str, Tensor], given: Mapping[str, Any]
) -> int | None:
    """Return the image size that position tables are for, where it is not the library's usual one."""
    side = side_of_tables(described, weights)
    if side is None:
        return int(given["image_size"]) if kind == "timm" and _takes_size(described, given) else None
    patches = next((m for m in described.modules() if isinstance(m, nn.Conv2d)), None)
    return side * int(patches.stride[0]) if patches is not None else None


def _size_of_shapes(config: ForeignConfig, weights: Mapping[str, Tensor]) -> int | None:
    """Return an image size for which a network has tensors of the weights' shapes, where it has not by itself.

    Tables of attention biases and the like have one entry for every place of a map.
    """
    if _has_shapes(_described(config), weights):
        return None
    for size in SIDES:
        try:
            built = _described(replace(config, arguments={**config.arguments, "img_size": size}))
        except CheckpointError:  # its builder takes no size, or not this one
            continue
        if _has_shapes(built, weights):
            return size
    return None


def _has_shapes(network: nn.Module, weights: Mapping[str, Tensor]) -> bool:
    """Tell whether the weights that a network knows are of the shapes that it has."""
    own = network.state_dict()
    return all(own[name].shape == weight.shape for name, weight in weights.items() if name in own)


def _takes_size(described: nn.Module, given: Mapping[str, Any]) -> bool:
    """Tell whether a network of timm is built for one image size, and another is given."""
    config = getattr(described, "default_cfg", None) or {}
    fixed = bool(config.get("fixed_input_size"))
    return fixed and "image_size" in given and given["image_size"] != config.get("input_size", (3, 0, 0))[1]


def _described(config: ForeignConfig) -> nn.Module:
    """Return the network without memory for its weights where its library can build that, else whole."""
    with contextlib.suppress(CheckpointError), torch.device("meta"):
        return build_network(config)
    return build_network(config)


def _reading(
    kind: str, network: nn.Module, hints: Mapping[str, Any], given: Mapping[str, Any], config: ForeignConfig
) -> InputPreparation:
    """Return how images are prepared: what the caller and the files say, else the library's or ImageNet's usual way."""
    usually, said = _of_library(kind, network, hints, config)
    for name in ("mean", "std", "image_size"):
        if name in hints:
            said[name] = tuple(hints[name]) if name != "image_size" else int(hints[name])
    own, size = usually.get("image_size"), _built_size(kind, config)
    usually |= {"image_size": size} if size else {}
    if "image_size" in given and "shorter_side" not in given:
        usually["shorter_side"] = 0
        said.pop("shorter_side", None) if said.get("image_size") != given["image_size"] else None
    if said.get("image_size", usually.get("image_size")) != own:  # the library's crop is for its own size
        usually["shorter_side"] = 0
    reading = InputPreparation({}, {k: v for k, v in usually.items() if k in FIELDS}).with_said(said).with_said(given)
    return _as_many(reading, config.channels)


def _of_library(
    kind: str, network: nn.Module, hints: Mapping[str, Any], config: ForeignConfig
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return how a library's network usually takes images, and what the owner's files of that library say."""
    usually, said = usual(config.channels, 0), dict[str, Any]()
    if kind == "timm":
        usually |= timm_reading(getattr(network, "default_cfg", None))
        said = timm_reading((hints.get("timm_config") or {}).get("pretrained_cfg"))
    elif kind == "hf":
        size = hints["hf_config"].get("image_size")
        usually |= {"image_size": size} if isinstance(size, int) else {}
        said = hf_reading(hints.get("preprocessor"))
    elif kind == "torchvision":
        usually["image_size"] = 299 if "inception" in config.source else getattr(network, "image_size", 224)
    return usually, said


def _built_size(kind: str, config: ForeignConfig) -> int | None:
    """Return the image size that a network was built for, where its builder was told one."""
    size = config.arguments.get("img_size", config.arguments.get("image_size") if kind != "hf" else None)
    size = size[0] if isinstance(size, list | tuple) and size else size
    return size if isinstance(size, int) and size else None


def _as_many(reading: InputPreparation, channels: int) -> InputPreparation:
    """Return a reading with one mean and deviation a channel: of three the average, of one the same three times."""

    def fitted(name: str, value: Any) -> Any:  # noqa: ANN401 - any field
        if name not in {"mean", "std"} or len(value) not in {1, 3} - {channels}:
            return value
        return (sum(value) / len(value),) * channels

    parts = ({name: fitted(name, value) for name, value in part.items()} for part in (reading.said, reading.assumed))
    said, assumed = parts
    said.pop("channels", None)
    assumed.pop("channels", None)
    return InputPreparation(said, assumed)


def _wrapped(
    network: nn.Module, config: ForeignConfig, reading: InputPreparation
) -> tuple[ForeignClassifier, InputPreparation]:
    """Return the classifier at the image size that is said, or at the first usual one that the network takes."""
    if "image_size" in reading.said:
        return _at(network, config, reading), reading
    failure: CheckpointError | None = None
    for size in sizes_to_try(network, reading.assumed.get("image_size") or None):
        tried = InputPreparation(reading.said, {**reading.assumed, "image_size": size})
        if size != reading.assumed.get("image_size"):
            tried.assumed["shorter_side"] = 0
        try:
            return _at(network, config, tried), tried
        except CheckpointError as error:
            failure = failure or error
    raise failure or CheckpointError("no image size was tried")


def _at(network: nn.Module, config: ForeignConfig, reading: InputPreparation) -> ForeignClassifier:
    """Return the classifier with images prepared as the reading says; the dry run tells the number of classes.

    Raises:
        CheckpointError: the network does not take such images.
    """
    fields = {name: value for name, value in reading.fields.items() if name in FIELDS}
    for name in ("mean", "std"):
        if name in fields and len(fields[name]) != config.channels:
            raise CheckpointError(f"{name}: expected {config.channels} numbers, one a channel, got {len(fields[name])}")
    try:
        config = replace(config, **fields)
        if config.kind in {"python", "module"}:
            mean, std = (torch.tensor(part).view(1, -1, 1, 1) for part in (config.mean, config.std))
            found = examine(network, dry_images(config.channels, config.image_size, network, mean, std))
            config = replace(config, num_classes=found.classes)
    except ValueError as error:
        raise CheckpointError(str(error)) from None
    return ForeignClassifier(network, config)


def _grey_or_colour(channels: Any) -> dict[str, Any]:  # noqa: ANN401 - a number that a file or a caller states
    """Return the fields of a config for so many channels."""
    if channels not in {1, 3}:
        raise CheckpointError(f"expected a network for grey (1) or colour (3) images, got {channels} channels")
    parts = usual(channels, 0)
    return {"channels": channels, "mean": parts["mean"], "std": parts["std"]}


def _owner_arguments(weights: Mapping[str, Tensor] | None, hints: Mapping[str, Any]) -> dict[str, Any]:
    """Return what an owner's class may be called with: what its file keeps for that, as Lightning does, and classes."""
    kept = hints.get("hyper_parameters") or {}
    given = {str(name): value for name, value in kept.items() if isinstance(value, int | float | str)}
    count = None if weights is None else _outputs_guess(weights)
    return given if count is None else given | {"num_classes": count}


def _outputs_guess(weights: Mapping[str, Tensor]) -> int | None:
    """Return the number of outputs of the last matrix in a state_dict, which is usually the head's."""
    return next((len(tensor) for tensor in reversed(list(weights.values())) if tensor.ndim in {2, 4}), None)


def _class_names(hints: Mapping[str, Any], count: int) -> list[str] | None:
    """Return what the owner's files call the classes, None where they do not say or only number them."""
    names = hints.get("class_names")
    if names is None and (config := hints.get("hf_config")):
        labels = config.get("id2label")
        if isinstance(labels, dict) and {str(k) for k in labels} == {str(k) for k in range(len(labels))}:
            names = [str(labels.get(str(k), labels.get(k))) for k in range(len(labels))]
    if names is None and (config := hints.get("timm_config")):
        inner = config.get("pretrained_cfg")
        names = config.get("label_names") or (inner.get("label_names") if isinstance(inner, dict) else None)
    if not isinstance(names, list | tuple) or len(names) != count or len({str(n) for n in names}) != count:
        return None
    if all(str(name) == f"LABEL_{k}" for k, name in enumerate(names)):
        return None
    return [str(name) for name in names]


def folder_source(folder: Path, hints: Mapping[str, Any]) -> str | None:
    """Return the source that a folder's config.json names, None where it names none."""
    if (config := hints.get("timm_config")) and isinstance(config.get("architecture"), str):
        return f"timm:{config['architecture']}"
    if (config := hints.get("hf_config")) and isinstance(config.get("model_type"), str):
        return f"hf:{folder}"
    return None
