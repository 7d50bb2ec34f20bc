from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from functools import partial

import pytest
import torch
from torch.nn import functional as F

from tests import instruction_sets
from zspag_core import devices
from zspag_core.devices import (
    fits_beside_work,
    mixed_precision,
    plain_attention,
    resolve_device,
    transformable_attention,
)
from zspag_core.errors import UsageError

CPU = torch.device("cpu")


@pytest.fixture
def machine(monkeypatch):
    """Return a function that makes the machine look as if it had so many CUDA devices, and MPS or not."""

    def pretend(cuda: int, mps: bool) -> None:
        monkeypatch.setattr(torch.cuda, "is_available", lambda: cuda > 0)
        monkeypatch.setattr(torch.cuda, "device_count", lambda: cuda)
        monkeypatch.setattr(torch.cuda, "current_device", lambda: 0)
        monkeypatch.setattr(torch.backends.mps, "is_available", lambda: mps)

    return pretend


@pytest.mark.parametrize(("cuda", "mps", "found"), [(2, True, "cuda:0"), (0, True, "mps"), (0, False, "cpu")])
def test_auto_takes_the_fastest_there_is(machine, cuda, mps, found):
    machine(cuda, mps)
    assert resolve_device("auto") == torch.device(found)


@pytest.mark.parametrize("name", ["cuda", "cuda:1", "mps", "cpu"])
def test_a_device_that_is_there_is_taken(machine, name):
    machine(2, True)
    assert resolve_device(name) == torch.device(name)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("cuda", "cuda was asked for, but this machine has 0 CUDA devices"),
        ("cuda:3", "cuda:3 was asked for, but this machine has 0 CUDA devices"),
        ("mps", "mps was asked for, but this machine has none"),
        ("meta", "expected auto, cpu, mps, cuda or cuda:N, got 'meta'"),
        ("gpu", "expected auto, cpu, mps, cuda or cuda:N, got 'gpu'"),
        ("cuda:x", "expected auto, cpu, mps, cuda or cuda:N, got 'cuda:x'"),
        ("", "expected auto, cpu, mps, cuda or cuda:N, got ''"),
    ],
)
def test_other_devices_are_refused(machine, name, said):
    machine(0, False)
    with pytest.raises(UsageError) as caught:
        resolve_device(name)
    assert str(caught.value) == f"device: {said}"


@pytest.mark.parametrize("built", [True, False])
def test_bfloat16_is_used_where_the_processor_multiplies_it(monkeypatch, built):
    monkeypatch.setattr(devices, "_cpu_has_bfloat16", lambda: built)
    a = torch.ones(2, 2)
    with mixed_precision(CPU):
        assert (a @ a).dtype == (torch.bfloat16 if built else torch.float32)
    assert (a @ a).dtype == torch.float32


@pytest.mark.parametrize("allowed", [True, False])
@pytest.mark.parametrize("built", [True, False])
def test_bfloat16_needs_a_processor_and_leave_to_use_it(monkeypatch, built, allowed):
    monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda: False)
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: built)
    monkeypatch.setattr(devices, "_onednn_has_avx512", lambda: allowed)
    assert devices._cpu_has_bfloat16() is (built and allowed)


ASKED = "import torch; from zspag_core import devices as d; "
ASKED += "print(d._cpu_has_bfloat16(), d.memory_format(torch.device('cpu')))"


@pytest.mark.skipif(not torch.cpu._is_avx512_supported(), reason="this processor has no second instruction set")
def test_the_second_pass_makes_this_processor_one_without_avx512():
    told = os.environ | instruction_sets.NARROWED
    said = subprocess.run([sys.executable, "-c", ASKED], env=told, capture_output=True, text=True, check=True).stdout
    assert said.split() == ["False", "torch.contiguous_format"]


@pytest.mark.filterwarnings("ignore:.*torch.jit.script")
@pytest.mark.parametrize("context", [partial(plain_attention, CPU), transformable_attention])
def test_plain_products_give_the_same_numbers_and_have_a_forward_derivative(context):
    q, k, v, direction = torch.randn(4, 2, 1, 5, 4, generator=torch.Generator().manual_seed(0)).unbind()

    def attend(q):
        return F.scaled_dot_product_attention(q, k, v)

    fused = attend(q)
    with context():
        torch.testing.assert_close(attend(q), fused)
        _, change = torch.func.jvp(attend, (q,), (direction,))
        torch.testing.assert_close(change, (attend(q + 1e-3 * direction) - attend(q - 1e-3 * direction)) / 2e-3,
                                   atol=1e-3, rtol=1e-2)  # fmt: skip


@pytest.mark.parametrize(("kind", "free", "fits"), [("cuda", 4000, True), ("cuda", 3900, False), ("cpu", 1e9, False)])
def test_images_stay_on_a_gpu_that_has_four_times_their_room(monkeypatch, kind, free, fits):
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (free, 1e9))
    images = torch.zeros(10, 1, 10, 10, dtype=torch.uint8)  # 1,000 bytes
    assert fits_beside_work(images, torch.device(kind)) is fits


def test_attention_on_cuda_is_left_alone():
    assert isinstance(plain_attention(torch.device("cuda")), contextlib.nullcontext)


@pytest.mark.parametrize(
    ("capability", "built", "allowed", "layout"),
    [
        ("AVX2", False, False, torch.contiguous_format),
        ("AVX2", True, True, torch.contiguous_format),
        ("AVX512", True, False, torch.contiguous_format),
        ("AVX512", True, True, torch.channels_last),
        ("DEFAULT", False, False, torch.channels_last),  # an ARM processor
    ],
)
def test_a_processor_whose_small_convolutions_overrun_gets_the_plain_layout(
    monkeypatch, capability, built, allowed, layout
):
    monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", lambda: capability)
    monkeypatch.setattr(torch.cpu, "_is_avx512_supported", lambda: built)
    monkeypatch.setattr(devices, "_onednn_has_avx512", lambda: allowed)
    assert devices.memory_format(torch.device("cpu")) is layout
    assert devices.memory_format(torch.device("cuda")) is torch.channels_last
    images = torch.zeros(2, 3, 4, 4)
    assert devices.laid_out(images).is_contiguous(memory_format=layout)
    with torch.inference_mode():  # no backward pass can follow
        assert devices.laid_out(images).is_contiguous(memory_format=torch.channels_last)
