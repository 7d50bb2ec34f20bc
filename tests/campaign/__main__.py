"""Attack the program, on this machine alone, and print what is found.

fuzz damages valid inputs of every container (data sets and checkpoints) and has the loaders read them: an input is
read, or refused in one sentence. kill ends workers with SIGKILL at random moments of real runs: what they left goes on
and ends in the same bytes. Both are bounded by --count, and the same --seed does the same.
"""

from __future__ import annotations

import argparse
import json
import sys
import time

from tests.campaign import fuzz, kills


def main() -> int:
    """Run one attack; exit with 1 where something was found."""
    parser = argparse.ArgumentParser(
        prog="tests.campaign", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("what", choices=("fuzz", "kill"))
    parser.add_argument("--count", type=int, default=100, help="inputs, or kills (100)")
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    time.monotonic()
    _lines, faults = (_fuzz if arguments.what == "fuzz" else _kill)(arguments.count, arguments.seed)
    return 1 if faults else 0


def _fuzz(count: int, seed: int) -> tuple[list[str], list[str]]:
    found = fuzz.campaign(count, seed)
    lines = [f"{end:<12}{number:>8}" for end, number in found.ends.most_common()]
    return [*lines, f"peak {found.peak_mb:.0f} MB"], [json.dumps(fault) for fault in found.faults]


def _kill(count: int, seed: int) -> tuple[list[str], list[str]]:
    told = kills.campaign(count, seed)
    return [f"{told.kills} kills, {told.interrupted} runs interrupted and gone on with"], told.faults


if __name__ == "__main__":
    sys.exit(main())
