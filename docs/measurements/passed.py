"""How many functions a run passes: `python docs/measurements/passed.py` unlearns class 3 of the digits and counts.

Every function of this project that is entered at least once counts once, at whatever depth and in whatever thread;
lambdas, comprehensions and class bodies do not. Arguments are handed to the command line in place of that run's, for
example `unlearn --data … --out DIR`.
"""

from __future__ import annotations

import collections
import inspect
import sys
import tempfile
import threading
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from types import CodeType, FrameType

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))
QUICK = ["--set", "epochs=3", "--no-relearning", "--device", "cpu"]
MODEL = ROOT / "assets" / "checkpoints" / "digits_resnet.safetensors"


def main() -> int:
    """Count what a run passes, file by file."""
    from zspag_core.cli import main as call

    with tempfile.TemporaryDirectory() as folder:
        usual = ["unlearn", "--data", "digits", "--checkpoint", str(MODEL), "--forget", "3", *QUICK]
        given = sys.argv[1:] or [*usual, "--out", f"{folder}/run"]
        passed: set[CodeType] = set()

        def note(frame: FrameType, event: str, _argument: object) -> None:
            if event == "call":
                passed.add(frame.f_code)

        threading.setprofile(note)
        sys.setprofile(note)
        try:
            code = call(given)
        finally:
            sys.setprofile(None)
            threading.setprofile(None)  # type: ignore[arg-type] - that is how it is taken back
    files = collections.Counter(Path(one.co_filename).relative_to(ROOT) for one in passed if _counts(one))
    for path, count in sorted(files.items()):
        print(f"{count:4d} {path}")
    print(f"{sum(files.values())} functions in {len(files)} files")
    return code


def _counts(code: CodeType) -> bool:
    """Tell whether code is a function of this project."""
    own = Path(code.co_filename).is_relative_to(ROOT) and ".venv" not in Path(code.co_filename).parts
    return own and bool(code.co_flags & inspect.CO_OPTIMIZED) and not code.co_name.startswith("<")


if __name__ == "__main__":
    sys.exit(main())
