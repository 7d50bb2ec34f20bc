"""One look at a network at work: in which order its modules are called, and what enters and leaves each."""

from __future__ import annotations

from collections import Counter
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from zspag_core.devices import device_of
from zspag_core.models.base import evaluating

if TYPE_CHECKING:
    from collections.abc import Callable

    from zspag_core.models import Classifier

IMAGES = 2


@dataclass
class DryRun:
    """What a forward pass showed; modules by their names in the classifier.

    Attributes:
        started: a module -> its place in the order in which modules were first called.
        ended: a module -> how many had been called when its first call ended.
        calls: how often each was called.
        inputs: the tensor that entered it first, the very object.
        outputs: the tensor that left it first, likewise; a later step in place may have changed it.
    """

    started: dict[str, int] = field(default_factory=dict)
    ended: dict[str, int] = field(default_factory=dict)
    calls: Counter[str] = field(default_factory=Counter)
    inputs: dict[str, Tensor] = field(default_factory=dict)
    outputs: dict[str, Tensor] = field(default_factory=dict)

    def before(self, name: str) -> Callable[[nn.Module, tuple[Any, ...]], None]:
        """Return a hook for what enters a module."""

        def hook(_module: nn.Module, inputs: tuple[Any, ...]) -> None:
            self.calls[name] += 1
            self.started.setdefault(name, len(self.started))
            if inputs and isinstance(inputs[0], Tensor):
                self.inputs.setdefault(name, inputs[0])

        return hook

    def after(self, name: str) -> Callable[[nn.Module, Any, Any], None]:
        """Return a hook for what leaves a module."""

        def hook(_module: nn.Module, _inputs: object, output: object) -> None:
            self.ended.setdefault(name, len(self.started))
            if isinstance(output, Tensor):
                self.outputs.setdefault(name, output)

        return hook


def noise(model: Classifier) -> Tensor:
    """Return a few images of noise, (N, C, H, W) in [0, 1] on the model's device, always the same."""
    size, channels = model.config.image_size, model.config.channels
    return torch.rand(IMAGES, channels, size, size, generator=torch.Generator().manual_seed(0)).to(device_of(model))


@torch.no_grad()
def dry_run(model: Classifier) -> DryRun:
    """Send noise through a classifier in evaluation mode; the model is left as it was."""
    seen = DryRun()
    with evaluating(model), ExitStack() as hooks:
        for name, module in model.named_modules():
            if name:
                hooks.enter_context(module.register_forward_pre_hook(seen.before(name)))
                hooks.enter_context(module.register_forward_hook(seen.after(name)))
        model(noise(model))
    return seen
