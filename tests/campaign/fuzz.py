"""Damaged inputs on every loader: no traceback, no hang, no code of the file's, bounded memory."""

from __future__ import annotations

import json
import os
import random
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import traceback
from collections import Counter
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.campaign.mutations import damage
from tests.campaign.seeds import CLASSES, ENTRIES, NETWORK, data_seeds, model_seeds, name_seeds

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

HANG_SECONDS, WAIT_SECONDS = 10, 180
"""Of the processor's time, so that a busy machine hangs nothing; and by the clock, for what only waits."""
LARGEST_GB = 12
"""Of a child's addresses, torch's own 5 among them: what asks for more is a finding, not the end of this machine."""
BATCH = 250
FORBIDDEN = ("os.system", "os.exec", "os.posix_spawn", "os.spawn", "subprocess.Popen", "socket.connect", "os.fork")
"""What Python reports of itself when a file's code would do something."""


class Hang(Exception):
    """An input took too long."""


@dataclass
class Found:
    """What became of some inputs: how many of each end, and those that must not be."""

    ends: Counter[str] = field(default_factory=Counter)
    faults: list[dict[str, Any]] = field(default_factory=list)
    peak_mb: float = 0.0

    def add(self, other: dict[str, Any]) -> None:
        """Take in what a batch told."""
        self.ends.update(other["ends"])
        self.faults += other["faults"]
        self.peak_mb = max(self.peak_mb, other["peak_mb"])


def campaign(count: int, seed: int) -> Found:
    """Damage `count` inputs, in processes of their own; one that dies is a fault, and the rest goes on."""
    found, number = Found(), 0
    while number < count:
        words = [sys.executable, "-m", "tests.campaign.fuzz", str(seed), str(number), str(min(count, number + BATCH))]
        done = subprocess.run(words, capture_output=True, text=True, check=False)
        told = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
        for one in told:
            found.add(one)
        number += len(told)
        print(f"{number} of {count}: {dict(found.ends)}", file=sys.stderr, flush=True)
        if done.returncode:  # the process died on the next input
            found.add(_fault(seed, number, "died", f"exit {done.returncode}: {done.stderr[-300:]}"))
            number += 1
    return found


def _fault(seed: int, number: int, end: str, words: str) -> dict[str, Any]:
    return {"ends": {end: 1}, "faults": [{"seed": seed, "number": number, "end": end, "said": words}], "peak_mb": 0.0}


def _serve(seed: int, first: int, last: int) -> None:
    """Try inputs `first` to `last`; print what became of each."""
    resource.setrlimit(resource.RLIMIT_AS, (LARGEST_GB * 2**30, resource.RLIM_INFINITY))
    seen: list[str] = []
    sys.addaudithook(lambda event, _args: seen.append(event) if event in FORBIDDEN else None)
    for kind in (signal.SIGALRM, signal.SIGPROF):
        signal.signal(kind, _stop)
    with tempfile.TemporaryDirectory() as place:
        targets = list(_targets(Path(place)))
        os.environ["ZSPAG_HOME"] = place
        for number in range(first, last):
            seen.clear()
            rng = random.Random(f"{seed}-{number}")
            kind, path, load = targets[rng.randrange(len(targets))]
            told = _try(kind, _damaged(path, Path(place) / "input", rng), load)
            if seen:
                told = {"end": "code", "said": f"{kind}: {', '.join(seen)}"}
            bad = told["end"] not in {"read", "refused"}
            fault = [{"seed": seed, "number": number, **told}] if bad else []
            peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
            print(json.dumps({"ends": {told["end"]: 1}, "faults": fault, "peak_mb": peak}), flush=True)


def _targets(place: Path) -> Iterator[tuple[str, Path, Callable[[Path], object]]]:
    """Yield kind, valid input and loader of everything that is read."""
    for name in ("data", "models", "names"):
        (place / name).mkdir()
    for kind, path in data_seeds(place / "data").items():
        yield f"data {kind}", path, _read_data
        yield f"data {kind} for a model", path, partial(_read_data, num_classes=3)
        yield f"data {kind} for a model with names", path, partial(_read_data, class_names=CLASSES)
    for kind, path in model_seeds(place / "models").items():
        yield f"model {kind}", path, _read_model
        if not kind.startswith(("ours", "hf", "shards")):
            entry = ENTRIES.get(kind)
            yield f"model {kind} as {NETWORK}", path, partial(_read_model, model=NETWORK, image_size=32, entry=entry)
    for kind, path in name_seeds(place / "names").items():
        yield f"names {kind}", path, _read_names


def _read_data(path: Path, **known: Any) -> object:
    from zspag_core.data import load_dataset
    from zspag_core.data.images import in_memory

    loaded = load_dataset(str(path), image_size=8, channels=3, **known)
    _show(loaded.class_names, loaded.notes)
    return in_memory(loaded.train.images), in_memory(loaded.test.images)


def _read_model(path: Path, **told: Any) -> None:
    from zspag_core.checkpoints import load_checkpoint

    loaded = load_checkpoint(path, **told)
    _show(loaded.about, loaded.notes)


def _read_names(path: Path) -> None:
    from zspag_core.class_names import read_class_names

    _show(read_class_names(path.read_text("utf-8", "replace")).names)


def _show(*told: object) -> None:
    """Put what was read into text as a page and a terminal do."""
    json.dumps(told, ensure_ascii=False, allow_nan=False).encode()


def _damaged(path: Path, target: Path, rng: random.Random) -> Path:
    """Write a damaged copy of a file, or of a folder in which one file is damaged."""
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir()
    copy = target / path.name
    if path.is_dir():
        shutil.copytree(path, copy)
        victim = rng.choice(sorted(file for file in copy.rglob("*") if file.is_file()))
        victim.write_bytes(damage(victim.read_bytes(), rng, victim.name))
    else:
        copy.write_bytes(damage(path.read_bytes(), rng, path.name))
    return copy


def _try(kind: str, path: Path, load: Callable[[Path], object]) -> dict[str, str]:
    """Return how reading an input ended."""
    from zspag_core.errors import ZspagError

    signal.setitimer(signal.ITIMER_PROF, HANG_SECONDS)
    signal.alarm(WAIT_SECONDS)
    try:
        load(path)
    except ZspagError as error:
        lines = str(error).count("\n")
        return {"end": "refused", "said": ""} if not lines else {"end": "long", "said": f"{kind}: {error}"[:300]}
    except Hang:
        return {"end": "hang", "said": f"{kind}: {''.join(traceback.format_exc(limit=-3))[-400:]}"}
    except BaseException as error:
        return {"end": "traceback", "said": f"{kind}: {type(error).__name__}: {str(error)[:150]} {_where(error)}"}
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.alarm(0)
    return {"end": "read", "said": ""}


def _where(error: BaseException) -> str:
    """Return the last place of ours that an error came through."""
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if "zspag_core" in frame.filename]
    return f"({Path(frames[-1].filename).name}:{frames[-1].lineno})" if frames else ""


def _stop(_signal: int, _frame: object) -> None:
    raise Hang


def main(arguments: Sequence[str]) -> None:
    """Serve a batch: seed, first, last."""
    import warnings

    warnings.simplefilter("ignore")
    seed, first, last = map(int, arguments)
    _serve(seed, first, last)


if __name__ == "__main__":
    main(sys.argv[1:])
