"""Turn a config that a file states, or that shapes suggest, into one that is safe to build."""

from __future__ import annotations

import reprlib
import typing
from typing import TYPE_CHECKING, Any

import torch
from torch import nn
from torch.overrides import TorchFunctionMode

from zspag_core.errors import CheckpointError
from zspag_core.models import ARCHITECTURES, build, config_from_dict

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence

    from zspag_core.models import Classifier, ModelConfig

MAX_ITEMS = 256  # of a list; bounds the time that even a network without memory takes to build
MAX_BLOCKS = 400
SIZES = (1, 16_384)
RANGES: dict[str, tuple[float, float]] = {
    "layers": (0, 16_384),
    "depth": (1, 200),
    "blocks": (1, 200),
    "mean": (-1e3, 1e3),
    "std": (1e-6, 1e3),
    "dropout": (0.0, 0.99),
    "norm_epsilon": (1e-12, 1.0),
}


def checked_config(architecture: object, settings: object) -> ModelConfig:
    """Return the config of an architecture after checking every type and range.

    Raises:
        CheckpointError: unknown architecture or field, wrong type, or a number outside its range.
    """
    if not isinstance(architecture, str) or architecture not in ARCHITECTURES:
        raise CheckpointError(
            f"architecture: expected one of {', '.join(ARCHITECTURES)}, got {reprlib.repr(architecture)}"
        )
    if not isinstance(settings, dict):
        raise CheckpointError(f"config: expected names and values, got {type(settings).__name__}")
    kinds = typing.get_type_hints(ARCHITECTURES[architecture][1])
    for name in settings:
        if name not in kinds:
            raise CheckpointError(f"config of {architecture}: no field is called {name!r}")
    values = {name: _checked(name, value, kinds[name]) for name, value in settings.items()}
    if (blocks := sum(values.get("blocks", ()))) > MAX_BLOCKS:
        raise CheckpointError(f"config field blocks: expected at most {MAX_BLOCKS} in all, got {blocks}")
    try:
        return config_from_dict(architecture, values)
    except ValueError as error:
        raise CheckpointError(f"config of {architecture}: {error}") from None


def _checked(name: str, value: Any, kind: Any) -> Any:  # noqa: ANN401 - any field of any config
    """Return a value of exactly the field's type and within its range."""
    items = typing.get_args(kind)
    if not items:
        return _checked_scalar(name, value, kind)
    if not isinstance(value, (list, tuple)) or len(value) > MAX_ITEMS:
        raise CheckpointError(
            f"config field {name}: expected a list of at most {MAX_ITEMS} values, got {reprlib.repr(value)}"
        )
    if items[-1] is not Ellipsis and len(value) != len(items):
        raise CheckpointError(f"config field {name}: expected {len(items)} values, got {len(value)}")
    return tuple(_checked_scalar(name, item, items[0]) for item in value)


def _checked_scalar(name: str, value: Any, kind: type) -> Any:  # noqa: ANN401 - int, float or bool
    """Return one number or truth value after checking it."""
    allowed: tuple[type, ...] = (int, float) if kind is float else (kind,)
    if type(value) not in allowed:
        raise CheckpointError(f"config field {name}: expected {kind.__name__}, got {reprlib.repr(value)}")
    if kind is bool:
        return value
    low, high = RANGES.get(name, SIZES)
    if not low <= value <= high:
        raise CheckpointError(f"config field {name}: expected {low:g} to {high:g}, got {reprlib.repr(value)}")
    return kind(value)


class _Undrawn(TorchFunctionMode):
    """Skip drawing initial values: without memory there are none, and the attempt imports 900 modules (1.5 s)."""

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Collection[type],
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:  # noqa: ANN401 - whatever the function returns
        """Return the tensor as it is where torch.nn.init would fill it."""
        named = kwargs or {}
        if getattr(func, "__module__", None) == nn.init.__name__:
            return named["tensor"]
        return func(*args, **named)


def blueprint(config: ModelConfig, most_parameters: float) -> Classifier:
    """Build a config without memory for its weights.

    Args:
        config: the config; its fields must have been checked.
        most_parameters: number of weights that are allowed.

    Returns:
        The classifier on the meta device: names, shapes and dtypes, no values.

    Raises:
        CheckpointError: too many parameters, or sizes that do not fit each other.
    """
    try:
        with torch.device("meta"), _Undrawn():
            model = build(config).eval()
        count = sum(tensor.numel() for tensor in model.state_dict().values())
        if count > most_parameters:
            raise CheckpointError(f"its config describes {count:,} parameters, over the {most_parameters:,.0f} allowed")
    except (ValueError, RuntimeError, LookupError, ArithmeticError) as error:
        raise CheckpointError(f"its config describes no working network ({str(error).splitlines()[0]})") from None
    return model
