"""Read a checkpoint: our own format, or another program's weights, whose network is known by name or by shapes."""

from __future__ import annotations

import hashlib
import json
import reprlib
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zspag_core.checkpoints.configs import blueprint, checked_config
from zspag_core.checkpoints.contents import Contents, default_limit_mb, read_contents
from zspag_core.checkpoints.foreign import Headless, expected_tensors, folder_source, load_foreign, rebuild_foreign
from zspag_core.checkpoints.networks import several
from zspag_core.checkpoints.weights import restore
from zspag_core.errors import CheckpointError, UsageError, some_of
from zspag_core.models import ARCHITECTURES
from zspag_core.models.convert import Recognised, Unanswered, recognise
from zspag_core.models.foreign import ForeignClassifier
from zspag_core.models.foreign.candidates import hint
from zspag_core.models.foreign.sources import hf_file_weights
from zspag_core.shipped import model_path

if TYPE_CHECKING:
    import os
    from collections.abc import Iterator, Mapping

    from torch import Tensor

    from zspag_core.checkpoints.export import Container
    from zspag_core.models import Classifier, ModelConfig
    from zspag_core.models.foreign import ForeignConfig

FOREIGN = "foreign"
NAME_IT = "name the network with --model torchvision:NAME, timm:NAME, hf:FOLDER or python:FILE.py:CALLABLE"


@dataclass(frozen=True)
class Checkpoint:
    """A classifier read from a file.

    Attributes:
        model: the classifier in eval mode, on the CPU, float32.
        about: what the file says about it; for another program's weights its `origin`, what was `told` and what had to
            be `assumed`.
        sha256: hash of the file's bytes, in hexadecimal; of a folder's weight files.
        notes: what was chosen, left aside or assumed while reading, in plain sentences.
        origin: how the weights came, so that others of the same network can go back; None for a file of ours.
    """

    model: Classifier
    about: dict[str, Any]
    sha256: str
    notes: tuple[str, ...] = ()
    origin: Origin | None = None


@dataclass(frozen=True)
class Origin:
    """How another program's weights came, and under which names.

    Attributes:
        container: writes them back.
        weights: as they were, under the owner's names.
        recognised: the change of names where the network became one of ours.
    """

    container: Container
    weights: Mapping[str, Tensor] = field(repr=False)
    recognised: Recognised | None = None

    def write(self, folder: Path, stem: str, model: Classifier) -> Path:
        """Write a model of the same network in the owner's names, dtypes and container; return the file or folder."""
        return self.container.write(folder, stem, self._named(model))

    def _named(self, model: Classifier) -> dict[str, Tensor]:
        """Return a model's weights under the names of `weights`."""
        if self.recognised is not None:
            return self.recognised.owner_weights(model.state_dict(), self.weights)
        if not isinstance(model, ForeignClassifier):
            return {name: tensor for name, tensor in model.state_dict().items() if name in self.weights}
        if model.config.kind == "hf":  # the library's files have other names than its modules
            filed = hf_file_weights(model.network)
            return {short: filed[name] for name, short in self.container.names.items() if name in filed}
        own = model.owner_weights()
        return {name: own[name] for name in self.weights}


def load_checkpoint(
    path: str | os.PathLike[str],
    *,
    config: ModelConfig | None = None,
    model: str = "",
    entry: str | None = None,
    limit_mb: float | None = None,
    **reading: Any,  # noqa: ANN401 - numbers, lists of them, a word
) -> Checkpoint:
    """Read a classifier without running code of the file and without trusting the sizes that it declares.

    Accepted are our own `.safetensors`; weights of any network that `model` names, in any container that
    :func:`zspag_core.checkpoints.contents.read_contents` reads; without a name folders of Hugging Face and timm, and
    bare state_dicts of torchvision's ResNet, VGG and ViT or of our own networks.

    Args:
        path: the file or folder, or the name of a model that ships with the program.
        config: the config of a bare state_dict of one of our own networks.
        model: "torchvision:NAME", "timm:NAME", "hf:FOLDER" or "python:FILE.py:CALLABLE" (which runs that code).
        entry: which of several networks in the file.
        limit_mb: most megabytes of weights; None takes ZSPAG_LIMIT_MB, else 2,000.
        **reading: what weights do not show, in place of what the file says or what is assumed: `image_size` in pixels,
            `mean` and `std` (one number a channel, for pixels in [0, 1]), `heads` of a ViT, `shorter_side`,
            `interpolation`.

    Raises:
        CheckpointError, UsageError: the file is refused; the message says why in one sentence.
    """
    path = model_path(Path(path))
    given = {name: value for name, value in reading.items() if value is not None}
    _check_normalisation(given)
    limit = default_limit_mb() if limit_mb is None else limit_mb
    try:
        contents = read_contents(path, limit, entry=entry)
        found = _read(path, contents, config, model, given, limit)
        about = _checked_about(found.about, found.model.config.num_classes)
        about |= {"stated": sorted(given)} if found.origin is not None and "told" in about else {}
    except CheckpointError as error:
        raise CheckpointError(f"{path.name}: {error}") from None
    return Checkpoint(found.model, about, digest_of(path), (*contents.notes, *found.notes), found.origin)


def _check_normalisation(given: Mapping[str, Any]) -> None:
    """Refuse mean and deviation of pixels from 0 to 255.

    Raises:
        UsageError: a number is larger than any of pixels from 0 to 1.
    """
    for name in ("mean", "std"):
        if large := [value for value in given.get(name, ()) if value > 1]:
            raise UsageError(
                f"{name}: expected numbers for pixels from 0 to 1, got {large[0]:g}; {large[0]:g} of 255 is "
                f"{large[0] / 255:.3g}"
            )


@dataclass(frozen=True)
class _Found:
    """A classifier, what is said about it, and how it came."""

    model: Classifier
    about: object
    origin: Origin | None = None
    notes: tuple[str, ...] = ()


def _read(
    path: Path, contents: Contents, config: ModelConfig | None, model: str, given: Mapping[str, Any], limit_mb: float
) -> _Found:
    """Return the classifier that contents are for."""
    if contents.header is not None:
        return _ours(contents, model, given, limit_mb)
    source = model or folder_source(path, contents.hints)
    if source and source.startswith("hf:"):  # the folder that was read is the one that is meant
        source = f"hf:{path}"
    attempts = (_of(reading, source, config, given, limit_mb) for reading in contents.readings())
    found = _first(attempts)
    if isinstance(found, _Found):
        return found
    if source and "tensor" in str(found) and (part := _part_of(contents, source)) is not None:
        contents, again = part, _of(part, source, config, given, limit_mb)
        if isinstance(again, _Found):
            return replace(again, notes=(*part.notes, *again.notes))
        found = again
    if config is not None or isinstance(found, Unanswered) or (source and source != model):
        raise found
    raise CheckpointError(_not_of(source, found, contents) if source else _unknown(found, contents))


def _unknown(error: CheckpointError, contents: Contents) -> str:
    """Say why nothing was recognised, and how the network is named."""
    if looks := _look(contents):
        return f"its file does not say which network it is; {looks}"
    return f"{error}; {NAME_IT}" if {"names", "lacks", "holds"} & set(str(error).split()) else str(error)


def _part_of(contents: Contents, source: str) -> Contents | None:
    """Return the part of contents that the tensors of a named network are, None without one or for another reason.

    Raises:
        CheckpointError: there are several of them.
    """
    expected = expected_tensors(source, contents.weights, contents.hints)
    return contents.of_network(expected) if expected else None


def _look(contents: Contents) -> str:
    """Say which network contents, or else a large part of them, look like; nothing where they look like none.

    Raises:
        CheckpointError: several equal parts do.
    """
    if looks := hint(contents.weights):
        return looks
    for part in contents.large_parts():
        if looks := hint(part.weights):
            if len(alike := contents.equals_of(part.entry or "")) > 1:
                raise CheckpointError(several(alike))
            return looks
    return ""


def _not_of(source: str, error: CheckpointError, contents: Contents) -> str:
    """Say why weights do not fit the network that was named, and of which other one they look to be."""
    if isinstance(error, Headless) and (others := contents.beside(contents.entry or "")):
        return (
            f"{error}; beside them stands {some_of(others, 3)}: where that is a head of your own, name your class with "
            "--model python:FILE.py:CALLABLE"
        )
    if source.startswith("python:") and "tensor" in str(error):
        file, _, called = source.partition(":")[2].rpartition(":")
        return (
            f"{error}; if {called} takes arguments that these weights were made with, name a function in {file} that "
            f"returns {called} with them"
        )
    looks = hint(contents.weights) if {"names", "lacks"} & set(str(error).split()) else ""
    if looks and source not in looks:
        return f"{error}; these are not the weights of {source}: {looks}"
    return f"{error}; these are not the weights of {source}" if "lacks" in str(error).split() else str(error)


def _first(attempts: Iterator[_Found | CheckpointError]) -> _Found | CheckpointError:
    """Return the first reading of the names that fits; the first one's refusal where none does."""
    refusal: CheckpointError | None = None
    for attempt in attempts:
        if isinstance(attempt, _Found):
            return attempt
        refusal = refusal or attempt
    return refusal or CheckpointError("holds no weights")


def _of(
    contents: Contents, source: str | None, config: ModelConfig | None, given: Mapping[str, Any], limit_mb: float
) -> _Found | CheckpointError:
    """Return the classifier that one reading of the names gives, or why it gives none."""
    try:
        return _foreign(contents, source, given) if source else _bare(contents, config, given, limit_mb)
    except CheckpointError as error:
        return error


def _foreign(contents: Contents, source: str, given: Mapping[str, Any]) -> _Found:
    """Return the classifier around a network that is named."""
    classifier, about = load_foreign(source, contents.weights, contents.hints, given)
    origin = Origin(contents.container, contents.weights)
    return _Found(classifier, about, origin, _called_with(classifier.config))


def _called_with(config: ForeignConfig) -> tuple[str, ...]:
    """Say what an owner's class was called with."""
    if config.kind != "python" or not config.arguments:
        return ()
    words = ", ".join(f"{name}={value!r}" for name, value in config.arguments.items())
    return (f"{config.source.rpartition(':')[2]} was called with {words}, as the file's hyper_parameters say",)


def _bare(contents: Contents, config: ModelConfig | None, given: Mapping[str, Any], limit_mb: float) -> _Found:
    """Return one of our networks, by the caller's word or by names and shapes of the weights."""
    if config is not None:
        about: dict[str, Any] = {"origin": "state_dict"}
        settings, weights = asdict(config), dict(contents.weights)
        architecture, found = _architecture_of(config), None
    else:
        found = recognise(contents.weights, heads_given="heads" in given)
        said = {name: contents.hints[name] for name in ("image_size", "mean", "std") if name in contents.hints}
        said = {name: value for name, value in said.items() if name in found.assumed and name not in given}
        assumed = {name: value for name, value in found.assumed.items() if name not in {*given, *said}}
        about = {"origin": found.origin, "assumed": assumed, "told": {**said, **given}}
        about |= {"class_names": names} if (names := _names(contents.hints, found.settings["num_classes"])) else {}
        settings, architecture, weights = found.settings | found.assumed | said, found.architecture, found.weights
    plan = blueprint(checked_config(architecture, settings | dict(given)), limit_mb * 1e6 / 2)
    try:
        model = restore(plan, weights)
    except CheckpointError as error:
        raise CheckpointError(_in_owners_words(str(error), found)) from None
    return _Found(model, about, Origin(contents.container, contents.weights, found))


def _in_owners_words(refusal: str, found: Recognised | None) -> str:
    """Say why weights do not fit with the owner's names of tensors in place of ours."""
    if found is None:
        return refusal
    for theirs, ours in found.ours.items():
        if f"tensor {ours!r}" in refusal:
            return refusal.replace(f"tensor {ours!r}", f"tensor {theirs!r}")
    return f"its names are those of a {found.origin}, but some tensors of that network are missing"


def _ours(contents: Contents, model: str, given: Mapping[str, Any], limit_mb: float) -> _Found:
    """Return the classifier that a header of ours describes."""
    header = contents.header or {}
    settings, architecture = header.get("config"), header.get("architecture")
    if not isinstance(settings, dict):
        raise CheckpointError(f"config: expected names and values, got {type(settings).__name__}")
    about = header.get("about", {})
    if architecture == FOREIGN:
        return _Found(rebuild_foreign(settings | dict(given), contents.weights, model), about)
    plan = blueprint(checked_config(architecture, settings | dict(given)), limit_mb * 1e6 / 2)
    return _Found(restore(plan, contents.weights), about)


def _names(hints: Mapping[str, Any], count: int) -> list[str] | None:
    """Return the class names that stand beside the weights, where there is one for each output."""
    names = hints.get("class_names")
    return list(names) if isinstance(names, list) and len(names) == count else None


def digest_of(path: Path) -> str:
    """Return the hash of a file, or of a folder's weight files."""
    parts = sorted(p for p in path.iterdir() if p.suffix in {".safetensors", ".bin"}) if path.is_dir() else [path]
    digest = hashlib.sha256()
    for part in parts:
        with part.open("rb") as file:
            while block := file.read(1 << 20):
                digest.update(block)
    return digest.hexdigest()


def _architecture_of(config: ModelConfig) -> str | None:
    """Return the name of the architecture that a config belongs to."""
    return next((name for name, (_, kind) in ARCHITECTURES.items() if type(config) is kind), None)


def _checked_about(about: object, num_classes: int) -> dict[str, Any]:
    """Return what the file says about the model as plain JSON values."""
    try:
        text = json.dumps(about, allow_nan=False, ensure_ascii=False)
        plain = json.loads(text.encode("utf-8", "replace"))  # JSON may hold halves of characters, which nobody can show
    except (TypeError, ValueError, RecursionError):
        raise CheckpointError("about: expected plain JSON values") from None
    if not isinstance(plain, dict):
        raise CheckpointError(f"about: expected names and values, got {type(about).__name__}")
    names = plain.get("class_names")
    if names is not None and not (
        isinstance(names, list) and len(names) == num_classes and all(isinstance(name, str) for name in names)
    ):
        raise CheckpointError(f"class_names: expected {num_classes} names, one per logit, got {reprlib.repr(names)}")
    return plain
