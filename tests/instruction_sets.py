"""Make the numerical tests once more as if this processor had no AVX-512: `python -m tests.instruction_sets`.

A descent in bfloat16 with AMX takes another path than one in float32 with AVX2, and a test that holds on one of them
alone is no test. oneDNN and ATen take the instruction set from the environment. Further arguments go to pytest.
"""

from __future__ import annotations

import os
import subprocess
import sys

import torch

NARROWED = {"ONEDNN_MAX_CPU_ISA": "AVX2", "ATEN_CPU_CAPABILITY": "avx2"}
NUMERICAL = (
    "tests/attacks",
    "tests/erasing",
    "tests/methods",
    "tests/metrics",
    "tests/test_devices.py",
    "tests/test_influence.py",
    "tests/test_moments.py",
    "tests/test_narrowing.py",
    "tests/test_proxies.py",
    "tests/test_pseudo_labels.py",
    "tests/test_subspace.py",
    "tests/training/test_loop.py",
)


def main() -> int:
    """Run the tests; say so where there is no second instruction set to run them with."""
    if not torch.cpu._is_avx512_supported():
        print("SKIPPED: a second pass needs a processor with AVX-512; the first pass was made with what this one has")
        return 0
    print("numerical tests once more, with " + " ".join(f"{name}={value}" for name, value in NARROWED.items()))
    command = [sys.executable, "-m", "pytest", "-m", "not browser", *sys.argv[1:], *NUMERICAL]
    return subprocess.run(command, env=os.environ | NARROWED, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
