"""Attack the program, on this machine alone, and print what is found.

fuzz damages valid inputs of every container (data sets, checkpoints, names of classes) and has the loaders read them:
an input is read, or refused in one sentence. kill ends worker, server and dispatcher with SIGKILL at random moments of
real runs and sweeps: what they left goes on, and ends in the same bytes. sessions opens --count sessions of a shared
dashboard by Streamlit's own protocol, without browsers, for --minutes, and says how soon pages answered and what the
server's memory did. All are bounded, and the same --seed does the same.
"""

from __future__ import annotations

import argparse
import json
import sys
import time

from tests.campaign import fuzz, kills, sessions


def main() -> int:
    """Run one attack; exit with 1 where something was found."""
    parser = argparse.ArgumentParser(
        prog="tests.campaign", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("what", choices=tuple(ATTACKS))
    parser.add_argument("--count", type=int, default=30, help="inputs, kills or sessions (30)")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--minutes", type=float, default=30.0, help="of sessions (30)")
    parser.add_argument(
        "--runs", type=int, default=3, help="every how manieth session has a run of its own (3); 0: none"
    )
    arguments, began = parser.parse_args(), time.monotonic()
    lines, faults = ATTACKS[arguments.what](arguments)
    print("\n".join([*lines, f"{len(faults)} faults, {time.monotonic() - began:.0f} s", *faults]))
    return 1 if faults else 0


def _fuzz(arguments: argparse.Namespace) -> tuple[list[str], list[str]]:
    found = fuzz.campaign(arguments.count, arguments.seed)
    lines = [f"{end:<12}{number:>8}" for end, number in found.ends.most_common()]
    return [*lines, f"peak {found.peak_mb:.0f} MB"], [json.dumps(fault) for fault in found.faults]


def _kill(arguments: argparse.Namespace) -> tuple[list[str], list[str]]:
    told = kills.campaign(arguments.count, arguments.seed)
    return told.lines(), told.faults


def _sessions(arguments: argparse.Namespace) -> tuple[list[str], list[str]]:
    told = sessions.campaign(arguments.count, arguments.minutes, arguments.seed, runs=arguments.runs)
    return told.lines(), told.faults


ATTACKS = {"fuzz": _fuzz, "kill": _kill, "sessions": _sessions}

if __name__ == "__main__":
    sys.exit(main())
