"""Freed memory stays with the process."""

from __future__ import annotations

import ctypes
import platform
import subprocess
import sys

import pytest

from zspag_core import malloc

BATCHES = """
import resource
import torch
from zspag_core.malloc import keep_freed_memory


def batch():
    layer = torch.ones(2**20)  # 4 MiB, and eight layers of outputs that are freed together
    layers = [layer := layer + 1 for _ in range(8)]


def faults():
    for _ in range(3):
        batch()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(60):
        batch()
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before


print(faults(), keep_freed_memory(), faults())
"""


@pytest.mark.slow
@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="the C library is not glibc")
def test_batches_reuse_memory_that_was_freed():
    """In a process of its own: page faults of sixty batches after the first ones, before and after."""
    done = subprocess.run([sys.executable, "-c", BATCHES], capture_output=True, text=True, check=True)
    usual, kept, fewer = done.stdout.split()
    assert kept == "True"
    assert int(fewer) < int(usual) / 5


@pytest.mark.parametrize("reason", ["other system", "other C library"])
def test_without_glibc_nothing_happens(monkeypatch, reason):
    if reason == "other system":
        monkeypatch.setattr(sys, "platform", "win32")
    else:
        monkeypatch.setattr(ctypes, "CDLL", lambda _: object())
    assert malloc.keep_freed_memory() is False
