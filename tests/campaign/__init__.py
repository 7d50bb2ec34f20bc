"""Attacks on the program that others can repeat: `python -m tests.campaign --help`. Bounded, on this machine alone."""
