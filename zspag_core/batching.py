"""How many images go through a network together, where only speed and memory depend on it."""

from __future__ import annotations

from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

import torch
from torch.func import functional_call

from zspag_core.devices import device_of, most_at_once
from zspag_core.models.base import evaluating

if TYPE_CHECKING:
    from torch import Tensor, nn

    from zspag_core.data.images import Pictures

CPU_BYTES = 640 * 1024**2
GPU_BYTES = 3 * 1024**3
GPU_SHARE = 0.25
LOOKED_AT_ONCE = 32

_MEASURED: WeakKeyDictionary[nn.Module, dict[torch.Size, int]] = WeakKeyDictionary()


def images_at_once(model: nn.Module, images: Pictures, most: int | None = None) -> int:
    """Return how many images go through a network together: as many as its memory holds, but no more than are of use.

    What one image takes is measured once a network, see :func:`bytes_of_one`; 640 MiB are given to a batch on a CPU, a
    quarter of a GPU's memory but at least 3 GiB there. Measured megabytes an image and the size of a CPU batch that
    follows:

    ========================= ====== =====
    network and input            MB  batch
    ========================= ====== =====
    resnet_small, 32 pixels      1.4   128
    vit_small, 32 pixels         2.5   128
    resnet18, 32 pixels          4.7   128
    ResNet-18, 224 pixels       22.2    30
    ResNet-50, 224 pixels       85.9     7
    ========================= ====== =====

    Args:
        model: takes (N, C, H, W) float in [0, 1].
        images: (N, C, H, W), of which only the shape counts.
        most: the most that are of use; what suits the device when None.
    """
    device = device_of(model)
    most = most_at_once(device) if most is None else most
    return max(1, min(most, budget(device) // max(1, bytes_of_one(model, images))))


def looked_at_once(model: nn.Module, images: Pictures) -> int:
    """Return how many images go through a network together where only its outputs are wanted, as grading does.

    On a CPU fewer than training takes: what 32 small images leave between two layers stays in the processor's cache.
    Milliseconds an image at 16, 32, 64 and 128 images, one core of a shared Intel Xeon, the least of four turns:
    `digits_resnet` 0.51, 0.48, 0.64, 0.68, `cifar10_resnet_small` 1.82, 1.69, 1.63, 1.88, `cifar10_vit` 1.65, 1.75,
    1.71, 1.93, with the same outputs to the last bit.

    Args:
        model: takes (N, C, H, W) float in [0, 1].
        images: (N, C, H, W), of which only the shape counts.
    """
    most = images_at_once(model, images)
    return min(most, LOOKED_AT_ONCE) if device_of(model).type == "cpu" else most


def budget(device: torch.device) -> int:
    """Return how many bytes one batch may take inside a network."""
    if device.type != "cuda":
        return CPU_BYTES
    whole: int = torch.cuda.get_device_properties(device).total_memory
    return max(GPU_BYTES, int(GPU_SHARE * whole))


def bytes_of_one(model: nn.Module, images: Pictures) -> int:
    """Return the bytes that a network keeps of one of some images for a backward pass to all weights and the image.

    That is the most that any pass of the engine holds, beside what one layer works with. Measured by a pass of one
    black image, once for each network and shape; the network is left as it was.
    """
    known, shape = _MEASURED.setdefault(model, {}), images.shape[1:]
    if shape not in known:
        known[shape] = _measure(model, shape, images.dtype if images.dtype.is_floating_point else torch.float32)
    return known[shape]


def _measure(model: nn.Module, shape: torch.Size, dtype: torch.dtype) -> int:
    """Add up the storages that autograd keeps of one image, those of the network itself left out."""
    own = {_address(tensor) for tensor in (*model.parameters(), *model.buffers())}
    kept: dict[int, int] = {}

    def keep(tensor: Tensor) -> Tensor:
        if _address(tensor) not in own:
            kept[_address(tensor)] = tensor.untyped_storage().nbytes()
        return tensor

    with evaluating(model), torch.inference_mode(mode=False), torch.enable_grad():
        weights = {name: weight.detach().requires_grad_() for name, weight in model.named_parameters()}
        image = torch.zeros(1, *shape, dtype=dtype, device=device_of(model), requires_grad=True)
        hooks = torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor)
        with hooks:
            _outcome = functional_call(model, weights, (image,))  # while it lives, no address is used twice
    return sum(kept.values())


def _address(tensor: Tensor) -> int:
    return tensor.untyped_storage().data_ptr()
