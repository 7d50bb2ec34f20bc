"""Choosing the device once, and what each device computes fastest."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, TypeVar

import torch

from zspag_core.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from contextlib import AbstractContextManager

    from zspag_core.data.images import Pictures

Placed = TypeVar("Placed", bound=torch.nn.Module)


def resolve_device(name: str = "auto") -> torch.device:
    """Turn a name into a device that is really there.

    Args:
        name: "auto" (CUDA, else Apple's MPS, else CPU), "cpu", "mps", "cuda" or "cuda:N".

    Raises:
        UsageError: the name is unknown or the machine has no such device.
    """
    if name == "auto":
        if torch.cuda.is_available():
            return torch.device("cuda", torch.cuda.current_device())
        return torch.device("mps" if torch.backends.mps.is_available() else "cpu")
    try:
        device = torch.device(name)
    except RuntimeError:
        raise UsageError(f"device: expected auto, cpu, mps, cuda or cuda:N, got {name!r}") from None
    if device.type not in {"cpu", "cuda", "mps"}:
        raise UsageError(f"device: expected auto, cpu, mps, cuda or cuda:N, got {name!r}")
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        raise UsageError(f"device: {name} was asked for, but this machine has {torch.cuda.device_count()} CUDA devices")
    if device.type == "mps" and not torch.backends.mps.is_available():
        raise UsageError("device: mps was asked for, but this machine has none")
    return device


def device_name(device: torch.device) -> str:
    """Return what a reader of figures must know of a device: two GPUs of one kind are one."""
    return f"cuda ({torch.cuda.get_device_name(device)})" if device.type == "cuda" else device.type


def place(model: Placed, device: torch.device) -> Placed:
    """Move a model to the device, in the layout in which convolutions are fastest; returns the same model."""
    return model.to(device).to(memory_format=memory_format(device))


def memory_format(device: torch.device) -> torch.memory_format:
    """Return the layout of images and convolutions: channels last, but not on an x86 CPU without AVX-512.

    There the backward pass of a small convolution in that layout writes past its memory (torch 2.14.1, an AMD EPYC with
    AVX2 alone: "double free or corruption" while the ResNet of digits is trained; with plain layout, or without oneDNN,
    it does not).
    """
    return torch.contiguous_format if device.type == "cpu" and _convolutions_overrun() else torch.channels_last


def _convolutions_overrun() -> bool:
    """Tell whether convolutions are made by AVX2 alone: the processor has no more, or oneDNN may not use more."""
    if torch.backends.cpu.get_cpu_capability() == "AVX2":
        return True
    return torch.cpu._is_avx512_supported() and not _onednn_has_avx512()


def laid_out(images: torch.Tensor) -> torch.Tensor:
    """Return images (N, C, H, W) in the layout of their device, copied only where they are not.

    In inference mode, where no backward pass can follow, that is channels last everywhere: on two cores with AVX2 a
    batch of 128 takes the small ResNet of CIFAR-10 146 ms in place of 204.
    """
    layout = torch.channels_last if torch.is_inference_mode_enabled() else memory_format(images.device)
    return images.contiguous(memory_format=layout)


def device_of(model: torch.nn.Module) -> torch.device:
    """Return where the model's parameters are (the CPU for a model without any)."""
    return next((parameter.device for parameter in model.parameters()), torch.device("cpu"))


def most_at_once(device: torch.device) -> int:
    """Return how many images, where memory allows, go through a network together: more would not be faster.

    On a CPU a convolution's outputs must stay small enough for their memory to be used again. Milliseconds an image of
    `cifar10_resnet_small` at 64, 128, 256 and 512 images, measured on two AMD Zen 4 cores: forward 0.41, 0.48, 0.56,
    0.84, in bfloat16 0.19, 0.18, 0.19, 0.40, attack 0.55, 0.51, 0.53, 0.73, forward-mode derivative 2.2, 2.1, 2.8, 3.2.
    Smaller networks do not care. A GPU wants to be fed.
    """
    return 128 if device.type == "cpu" else 512


ROOM_SHARE = 0.25


def fits_beside_work(images: Pictures, device: torch.device) -> bool:
    """Tell whether a GPU's free memory holds images that are used again and again, with three quarters to spare."""
    if device.type != "cuda":
        return False
    return images.nbytes <= ROOM_SHARE * torch.cuda.mem_get_info(device)[0]


def exact_device(device: torch.device) -> torch.device:
    """Return where float64 can be had: the device itself, or the CPU for Apple's MPS, which has none."""
    return torch.device("cpu") if device.type == "mps" else device


def exact(values: torch.Tensor) -> torch.Tensor:
    """Return values in float64, on the device where that can be had."""
    return values.to(exact_device(values.device)).double()


def mixed_precision(device: torch.device) -> AbstractContextManager[object]:
    """Return the autocast context for work where exactness is not promised: bfloat16 where the device is built for it.

    On CPUs that means AMX or AVX-512 bf16 instructions; elsewhere bfloat16 is emulated and slower than float32.
    """
    if device.type == "cuda" or (device.type == "cpu" and _cpu_has_bfloat16()):
        return torch.autocast(device.type, dtype=torch.bfloat16)
    return contextlib.nullcontext()


def plain_attention(device: torch.device) -> AbstractContextManager[object]:
    """Return a context in which attention on the CPU is computed by plain matrix products.

    The fused CPU kernel's backward pass took 42 % of a training step of a small ViT (65 tokens, two cores): 101 s an
    epoch with plain products against 150 s. CUDA's fused kernels are left alone.
    """
    return contextlib.nullcontext() if device.type != "cpu" else transformable_attention()


def transformable_attention() -> AbstractContextManager[object]:
    """Return a context in which attention has every derivative: fused kernels, on any device, have no forward mode.

    For `torch.func`: Gauss-Newton products, derivatives along a direction, gradients sample by sample.
    """
    from torch.nn.attention import SDPBackend, sdpa_kernel

    context: AbstractContextManager[object] = sdpa_kernel(SDPBackend.MATH)
    return context


def _cpu_has_bfloat16() -> bool:
    """Tell whether this processor multiplies bfloat16 matrices in hardware (Intel AMX, or AVX-512 on Intel and AMD).

    And whether oneDNN may use that: with `ONEDNN_MAX_CPU_ISA=AVX2` bfloat16 would be emulated, which is not done on a
    processor of that kind either.

    Measured on two AMD Zen 4 cores, which have AVX-512 alone: a training step of a small ResNet took 242 ms instead of
    460 ms.
    """
    probes = ("_is_amx_tile_supported", "_is_avx512_bf16_supported")
    built = any(bool(getattr(torch.cpu, name)()) for name in probes if hasattr(torch.cpu, name))
    return built and _onednn_has_avx512()


def _onednn_has_avx512() -> bool:
    """Tell whether oneDNN finds AVX-512 and may use it; it obeys the environment's `ONEDNN_MAX_CPU_ISA`.

    Its support of bfloat16, which is what can be asked for, begins with AVX-512 (there partly emulated).
    """
    return bool(torch.backends.mkldnn.is_available() and torch.ops.mkldnn._is_mkldnn_bf16_supported())


@contextlib.contextmanager
def chance(seed: int, device: torch.device) -> Iterator[None]:
    """Let the global generators, which fresh weights and dropout draw from, start from a seed; they are put back."""
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        torch.default_generator.manual_seed(seed)
        if device.type == "cuda":
            with torch.cuda.device(device):
                torch.cuda.manual_seed(seed)
        yield
