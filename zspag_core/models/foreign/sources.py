"""Build a network of another library, with weights drawn at random; nothing is ever downloaded."""

from __future__ import annotations

import contextlib
import importlib.util
import inspect
import sys
import tempfile
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import torch
from torch import nn

from zspag_core.errors import CheckpointError, UsageError, some_of
from zspag_core.models.foreign.config import ForeignConfig, parse_source
from zspag_core.models.foreign.surgery import change

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

NAMED = 5
KEPT_FROM_BUILDERS = {
    "pretrained",
    "pretrained_cfg",
    "pretrained_cfg_overlay",
    "checkpoint_path",
    "cache_dir",
    "weights",
    "weights_backbone",
    "features_only",
    "num_classes",
}
"""What a file must not tell a library's builder: it would read other files, or is told by us."""
RAISED = (
    RuntimeError,
    ValueError,
    TypeError,
    AssertionError,
    AttributeError,
    LookupError,
    ArithmeticError,
    ImportError,
)
"""What building a network with unfit arguments raises."""


def build_network(config: ForeignConfig) -> nn.Module:
    """Return the network that a config describes, in eval mode, its weights drawn at random.

    Raises:
        UsageError: its library is not installed, or has no such network; its code is not at hand.
        CheckpointError: what the file says about it describes no network.
    """
    kind, name = parse_source(config.source)
    if kind in {"python", "module"}:
        raise UsageError(
            f"this model's network is {name}, code of its owner that is never run on a file's word: name it with "
            "--model python:FILE.py:CALLABLE on the command line, or use it from Python"
        )
    with _described():
        network = BUILDERS[kind](name, config.num_classes, config.arguments)
        return change(network, config.changes).eval()


def torchvision_network(name: str, num_classes: int, arguments: Mapping[str, Any]) -> nn.Module:
    """Return one of torchvision's classifiers."""
    import torchvision

    known = torchvision.models.list_models(module=torchvision.models)
    if name not in known:
        raise UsageError(f"model: torchvision has no classifier {name!r}{_near(name, known)}")
    slow = {"init_weights": False} if name in {"googlenet", "inception_v3"} else {}
    network: nn.Module = torchvision.models.get_model(
        name, weights=None, num_classes=num_classes, **slow, **_safe(arguments)
    )
    return network


def timm_network(name: str, num_classes: int, arguments: Mapping[str, Any]) -> nn.Module:
    """Return one of timm's classifiers."""
    import timm

    if not timm.is_model(name):  # a name such as hf-hub:… would be looked up on a hub
        raise UsageError(f"model: timm has no network {name!r}{_near(name, timm.list_models())}")
    network: nn.Module = timm.create_model(name, pretrained=False, num_classes=num_classes, **_safe(arguments))
    return network


def hf_network(_name: str, num_classes: int, arguments: Mapping[str, Any]) -> nn.Module:
    """Return a classifier of transformers, from the content of its config.json."""
    transformers = _transformers()
    plain = {key: value for key, value in arguments.items() if key not in {"auto_map", "num_labels", "model_type"}}
    model_type = str(arguments.get("model_type", ""))
    if "id2label" in plain:
        plain["id2label"] = {int(k): v for k, v in plain["id2label"].items()}
    else:
        plain["num_labels"] = num_classes
    try:
        config = transformers.AutoConfig.for_model(model_type, **plain)
        network: nn.Module = transformers.AutoModelForImageClassification.from_config(config, trust_remote_code=False)
    except (ValueError, KeyError):
        raise CheckpointError(
            f"its config.json describes {model_type or 'no model type'!r}, which transformers has no image classifier "
            "for"
        ) from None
    return network.float()


def hf_folder(folder: Path) -> nn.Module:
    """Return the classifier in a folder of Hugging Face's, with its weights, in float32.

    The library itself reads it, since the names in its files are not always those of its modules.

    Raises:
        UsageError: transformers is not installed.
        CheckpointError: the folder holds no image classifier, or weights are missing or do not fit.
    """
    transformers = _transformers()
    try:
        with torch.random.fork_rng(devices=[]), _quiet(transformers):
            network, loaded = transformers.AutoModelForImageClassification.from_pretrained(
                str(folder),
                local_files_only=True,
                trust_remote_code=False,
                output_loading_info=True,
                ignore_mismatched_sizes=False,
                dtype=torch.float32,
            )
    except _raised(OSError) as error:
        raise CheckpointError(f"transformers cannot read it: {_first_words(error)}") from None
    for what, said in (("missing_keys", "lacks"), ("unexpected_keys", "holds, beyond what its network has,")):
        if names := sorted(map(str, loaded.get(what) or ())):
            raise CheckpointError(
                f"{said} tensor {names[0]!r}{f' and {len(names) - 1} more' if len(names) > 1 else ''}"
            )
    found: nn.Module = network.eval()
    return found


def hf_file_weights(network: nn.Module) -> dict[str, torch.Tensor]:
    """Return a network's weights under the names that its library gives them in files."""
    from safetensors.torch import load_file

    with tempfile.TemporaryDirectory() as folder, _quiet(_transformers()):
        cast("Any", network).save_pretrained(folder, max_shard_size="100GB")
        return load_file(Path(folder) / "model.safetensors")


BUILDERS: dict[str, Callable[[str, int, Mapping[str, Any]], nn.Module]] = {
    "torchvision": torchvision_network,
    "timm": timm_network,
    "hf": hf_network,
}


def python_network(name: str, arguments: Mapping[str, Any] | None = None) -> tuple[nn.Module, dict[str, Any]]:
    """Run the owner's code, FILE.py:CALLABLE, and return the network that it makes.

    Args:
        name: file and what it defines: a function or a class that is called, or a network.
        arguments: values that it is called with as far as its parameters have these names.

    Returns:
        The network, and those of the values that it was called with.

    Raises:
        UsageError: no such file or callable, or it makes no network; an error of the owner's code is told by line.
    """
    file, colon, called = name.rpartition(":")
    path = Path(file).expanduser()
    if not colon or not path.is_file():
        raise UsageError(f"model: expected python:FILE.py:CALLABLE with a file that exists, got 'python:{name}'")
    spec = importlib.util.spec_from_file_location(f"zspag_owner_{path.stem}", path)
    if spec is None or spec.loader is None:
        raise UsageError(f"model: expected a Python file, got {path}")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses and pickles look their module up
    with _owners_code(path):
        spec.loader.exec_module(module)
        make = getattr(module, called, None)
        if make is None:
            raise UsageError(f"model: {path} defines no {called!r}")
        taken = {} if isinstance(make, nn.Module) else _taken(make, arguments or {})
        network = make if isinstance(make, nn.Module) else make(**taken)
    if not isinstance(network, nn.Module):
        raise UsageError(f"model: expected {called} of {path} to return an nn.Module, got {type(network).__name__}")
    network.eval()  # an owner's may return nothing
    return network, taken


def _taken(make: Callable[..., object], arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values that a callable has parameters for."""
    try:
        asked = inspect.signature(make).parameters
    except (TypeError, ValueError):
        return {}
    return {name: value for name, value in arguments.items() if name in asked}


@contextlib.contextmanager
def _owners_code(path: Path) -> Iterator[None]:
    """Turn any error of the owner's code into one sentence with the line where it happened."""
    sys.path.insert(0, str(path.parent))
    try:
        with torch.random.fork_rng(devices=[]):
            yield
    except UsageError:
        raise
    except Exception as error:
        trace, line = error.__traceback__, 0
        while trace is not None:
            line = trace.tb_lineno if trace.tb_frame.f_code.co_filename == str(path) else line
            trace = trace.tb_next
        words = (str(error).splitlines() or [""])[0]
        raise UsageError(f"model: {path}, line {line}: {type(error).__name__}: {words}") from None
    finally:
        sys.path.remove(str(path.parent))


@contextlib.contextmanager
def _described() -> Iterator[None]:
    """Say in one sentence that a description builds no network, and disturb nobody's random numbers or warnings."""
    try:
        with torch.random.fork_rng(devices=[]), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    except _raised() as error:
        raise CheckpointError(f"its description builds no network: {_first_words(error)}") from None


def _raised(*more: type[Exception]) -> tuple[type[Exception], ...]:
    """Return what building a network with unfit arguments raises; Hugging Face's configs have an error of their own."""
    from huggingface_hub import errors

    return (*RAISED, *more, getattr(errors, "StrictDataclassError", ValueError))


def _first_words(error: Exception) -> str:
    """Return the first line of an error's words, with the next one where it only announces that."""
    lines = str(error).splitlines() or [type(error).__name__]
    words = f"{lines[0]} {lines[1].strip()}" if lines[0].endswith(":") and len(lines) > 1 else lines[0]
    return words[:300]


def _safe(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Return a builder's arguments without those that a file must not tell it."""
    return {name: value for name, value in arguments.items() if name not in KEPT_FROM_BUILDERS}


def _near(name: str, known: list[str]) -> str:
    """Name what a wrong name may have meant."""
    import difflib

    near = difflib.get_close_matches(name, known, n=NAMED, cutoff=0.5)
    return f"; did you mean {some_of(near, NAMED)}?" if near else ""


@contextlib.contextmanager
def _quiet(transformers: Any) -> Iterator[None]:  # noqa: ANN401 - the module
    """Let transformers work without progress bars and warnings."""
    logs = transformers.utils.logging
    shown, level = logs.is_progress_bar_enabled(), logs.get_verbosity()
    logs.disable_progress_bar()
    logs.set_verbosity_error()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logs.set_verbosity(level)
        if shown:
            logs.enable_progress_bar()


def _transformers() -> Any:  # noqa: ANN401 - the module
    """Return the library transformers, or ask for it.

    Raises:
        UsageError: it is not installed.
    """
    try:
        import transformers
    except ImportError:
        raise UsageError(
            "a Hugging Face model needs the library transformers: pip install 'transformers>=5' (or zspag[hf])"
        ) from None
    return transformers
