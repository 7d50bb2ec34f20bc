"""How a lesson's answer is read from runs: pure functions from records to an option and a sentence.

A record is what `ui.learn.records.record_of` keeps of a run, or {"error": sentence} of one that failed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from ui.shell.formatting import between, find, percent
from ui.shell.shipped_records import RETRAINED
from zspag_core.metrics.catalogue import ACC_RT, ACC_UT, ENTROPY, PROBE

if TYPE_CHECKING:
    from collections.abc import Mapping

    from zspag_core.metrics.catalogue import Measure

    Records = Mapping[str, Mapping[str, Any]]

MOST, SAME = 50.0, 80.0
MOST_KEPT, HALF = 80.0, 50.0
FEW, MANY = 20.0, 80.0
APART = 5.0
"""Points by which a figure must lie outside the range of the retrained models to tell a model from them.

One of the 37 test images of a 3 is 2.7 points, so no figure counts for one image; of the shipped runs the nearest lie
at 2.7 and at 9.9 points, far from the rule on both sides.
"""
COMPARED = {ACC_RT: ACC_RT.short, ACC_UT: ACC_UT.short, PROBE: PROBE.printed, ENTROPY: "membership"}
"""The measures by which lesson 5 tells a model from retrained ones, and what it calls them."""


class Answer(NamedTuple):
    """The place of the right option, and a sentence with the numbers that say so."""

    option: int
    text: str


def how_read(value: str, records: Records) -> Answer:
    """Lesson 1: what images of the forgotten class are read as."""
    record = records[value]
    counts = {int(k): int(n) for k, n in record["read_as"].items() if n}
    total = max(1, sum(counts.values()))
    shares = sorted(((100 * n / total, k) for k, n in counts.items()), reverse=True)
    own = 100 * counts.get(int(value), 0) / total
    listed = ", ".join(f"**{k}** in {share:.0f} %" for share, k in shares[:4])
    text = f"Of {total} test images of a {value}, the model reads {listed}. {accuracies(record)}"
    if own > MOST:
        return Answer(0, text)
    return Answer(1 if shares[0][0] >= SAME else 2, text)


def how_many_kept(value: str, records: Records) -> Answer:
    """Lessons 2 and 4: how many images of the remaining classes are still read right."""
    record = records[value]
    if "error" in record:
        return Answer(2, f"The run broke down: {record['error']}.")
    kept = record["after"]["acc_rt"]
    return Answer(0 if kept >= MOST_KEPT else 1 if kept >= HALF else 2, accuracies(record))


def how_many_attacks(value: str, records: Records) -> Answer:
    """Lesson 3: how many attacks make a proxy, and what that means for the run."""
    record = records[value]
    if "error" in record:
        return Answer(0, f"With so few proxies the run found no way ({record['error']}).")
    rate = record["proxies"]["asr"]
    text = f"**{percent(rate)}** of the run's {record['proxies']['attempted']} attacks succeeded. {accuracies(record)}"
    return Answer(0 if rate < FEW else 1 if rate <= MANY else 2, text)


def what_gives_it_away(value: str, records: Records) -> Answer:
    """Lesson 5: which figure lies farthest outside what retrained models have, if any lies clearly outside."""
    groups = ((ACC_RT, ACC_UT), (PROBE,), (ENTROPY,))
    gaps = [max(gap(measure, value, records) for measure in group) for group in groups]
    widest = max(range(len(gaps)), key=lambda place: gaps[place])
    words = "; ".join(
        f"{title} {percent(figure(measure, records[value]))} (trained anew {between(*retrained(measure, records))})"
        for measure, title in COMPARED.items()
    )
    rule = (
        f"A figure counts where it lies more than {APART:.0f} points outside what the models trained anew have; the "
        "farthest is the answer."
    )
    return Answer(widest if gaps[widest] > APART else len(gaps), f"{words}. {rule}")


def figure(measure: Measure, record: Mapping[str, Any]) -> float:
    """Return one figure of the model after, in percent.

    Raises:
        KeyError: the record has none.
    """
    found = find(record["after"], measure.path)
    if found is None:
        raise KeyError(measure.key)
    return found


def retrained(measure: Measure, records: Records) -> tuple[float, float]:
    """Return the least and the largest value of a measure over the retrained models, in percent."""
    values = [figure(measure, records[key]) for key in RETRAINED if key in records]
    return min(values), max(values)


def gap(measure: Measure, value: str, records: Records) -> float:
    """Return how far a measure lies outside the range of the retrained models, in points; 0 inside."""
    low, high = retrained(measure, records)
    return max(low - figure(measure, records[value]), figure(measure, records[value]) - high, 0.0)


def accuracies(record: Mapping[str, Any]) -> str:
    """Say both accuracies before and after."""
    before, after = record["before"], record["after"]
    return (
        f"Remaining accuracy (Acc_rt) went from {percent(before['acc_rt'])} to **{percent(after['acc_rt'])}**, "
        f"forgotten accuracy (Acc_ut) from {percent(before['acc_ut'])} to **{percent(after['acc_ut'])}**."
    )
