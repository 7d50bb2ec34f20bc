"""A comparison: what every method made of the same model and the same classes, seed by seed, beside the paper."""

from __future__ import annotations

import statistics
from dataclasses import asdict, dataclass, field, fields
from functools import lru_cache
from typing import TYPE_CHECKING, Any, TypeVar

from zspag_core.errors import DataError
from zspag_core.files import finite, read_json, write_json

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

VERSION = 1
BLIND = "blind"
"""Kind of a row that is tuned without remaining data."""
KINDS = ("reference", "official", "tuned", BLIND, "default", "ablation")

Record = TypeVar("Record")


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What one method came to with one seed; accuracies and shares in percent, None where undefined.

    Attributes:
        seed: of everything random.
        acc_rt: accuracy on test images of the remaining classes.
        acc_ut: accuracy on test images of the forgotten classes.
        mia: membership inference, with the keys of result.json's `after.mia`.
        probe: accuracy of a linear probe on the forgotten classes.
        relearning: steps until the forgotten classes were back, or all that were allowed.
        seconds: time of the method alone, without grading.
        stopped: why it ended: "epochs", "rule" or "failed".
        relearned: whether the classes were back after `relearning` steps.
        rest_by_then: accuracy on the remaining classes after these steps; near 0 everything is read as the classes.
        attack: share of triggered test images that the backdoor still leads to its target.
        asr: share of attacked samples that became proxies.
        error: why a failed method came to nothing, in one sentence.
        depth: what every stage of the network still knows, see :func:`zspag_core.metrics.depth.row.row_depth`; None
            where that was not measured.
    """

    seed: int
    acc_rt: float | None
    acc_ut: float | None
    mia: Mapping[str, Any] | None = None
    probe: float | None = None
    relearning: int | None = None
    seconds: float | None = None
    stopped: str = "epochs"
    relearned: bool | None = None
    rest_by_then: float | None = None
    attack: float | None = None
    asr: float | None = None
    error: str | None = None
    depth: Mapping[str, Any] | None = None

    def value(self, name: str) -> float | None:
        """Return a figure by its name; "mia.same_class.auc" and "depth.mean.probe" go into the parts of a figure."""
        first, *rest = name.split(".")
        found: Any = getattr(self, first)
        for key in rest:
            found = found.get(key) if found else None
        return None if found is None else float(found)


@dataclass(frozen=True, kw_only=True)
class Row:
    """One method with one choice of settings.

    Attributes:
        key: names the row within its comparison.
        label: what a person reads.
        method: key of the method in METHODS; None for the original model.
        needs_retain: whether the method needs remaining data.
        settings: hyper-parameters that differ from the method's defaults.
        kind: one of `KINDS`.
        paper: the paper's figures of this row, by the names that `Outcome` has, None where it has none.
        seeds: one outcome a seed.
    """

    key: str
    label: str
    method: str | None
    needs_retain: bool
    settings: Mapping[str, Any] = field(default_factory=dict)
    kind: str = "default"
    paper: Mapping[str, float] | None = None
    seeds: Sequence[Outcome] = field(default_factory=list)

    def mean_and_deviation(self, name: str) -> tuple[float, float | None] | None:
        """Return mean and standard deviation of a figure over seeds; see :func:`mean_and_deviation`."""
        return mean_and_deviation(tuple(outcome.value(name) for outcome in self.seeds))


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """Several methods on one model, one data set and one choice of classes.

    Attributes:
        name: of the file, for example "table1-cifar10-vit".
        title: a headline.
        question: what the comparison answers, one plain sentence.
        data: name of the data set.
        model: name of the network's size.
        test_accuracy: of the original model, percent.
        forget: the forgotten classes.
        class_names: one name a class.
        scale: a key of `SCALES`.
        device: where it was computed.
        date: when, as 2026-01-31.
        forget_images: training images of the forgotten classes that methods were given.
        retain_images: training images of the remaining classes that methods with need of them were given.
        rows: in the order in which they are shown.
        notes: what else a reader must know, one sentence each.
    """

    name: str
    title: str
    question: str
    data: str
    model: str
    test_accuracy: float | None
    forget: Sequence[int]
    class_names: Sequence[str]
    scale: str
    device: str
    date: str
    forget_images: int
    retain_images: int
    rows: Sequence[Row] = field(default_factory=list)
    notes: Sequence[str] = field(default_factory=list)

    def row(self, key: str) -> Row | None:
        """Return the row of that key, None where there is none."""
        return next((row for row in self.rows if row.key == key), None)

    @property
    def knows_depth(self) -> bool:
        """Tell whether any row's network was asked stage by stage."""
        return any(outcome.depth for row in self.rows for outcome in row.seeds)

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for a JSON file; depth that was not measured has no place there."""
        plain: dict[str, Any] = finite({"version": VERSION, **asdict(self)})
        for row in plain["rows"]:
            row["seeds"] = [{k: v for k, v in seed.items() if k != "depth" or v is not None} for seed in row["seeds"]]
        return plain

    @classmethod
    def from_dict(cls, record: Any) -> Comparison:  # noqa: ANN401 - whatever a file holds
        """Rebuild a comparison from plain values.

        Raises:
            DataError: they are not those of a comparison.
        """
        if not isinstance(record, dict) or record.get("version") != VERSION:
            found = record.get("version") if isinstance(record, dict) else type(record).__name__
            raise DataError(f"comparison: expected version {VERSION}, got {found!r}")
        rows = [_row(row) for row in _items(record, "rows")]
        return _build(cls, {**record, "rows": rows})

    @classmethod
    def read(cls, path: Path) -> Comparison:
        """Read a comparison from its file.

        Raises:
            DataError: the file is not a comparison.
            OSError: it cannot be read.
        """
        try:
            return cls.from_dict(read_json(path))
        except ValueError:
            raise DataError(f"{path.name}: expected a comparison as JSON, got something else") from None
        except DataError as error:
            raise DataError(f"{path.name}: {error}") from None

    def write(self, path: Path) -> None:
        """Write the comparison to a file."""
        write_json(path, self.to_dict())


@lru_cache(maxsize=4096)  # a page asks for the same twenty times, and exact deviations are slow
def mean_and_deviation(values: tuple[float | None, ...]) -> tuple[float, float | None] | None:
    """Compute mean and sample standard deviation.

    Args:
        values: one a seed; None is left out.

    Returns:
        Mean and deviation (n - 1 in the denominator; None where there is one value), or None without any value.
    """
    known = [value for value in values if value is not None]
    if not known:
        return None
    return statistics.fmean(known), statistics.stdev(known) if len(known) > 1 else None


def _row(record: Any) -> Row:  # noqa: ANN401 - whatever a file holds
    """Rebuild a row from plain values."""
    if not isinstance(record, dict):
        raise DataError(f"rows: expected names and values, got {type(record).__name__}")
    if record.get("kind", "default") not in KINDS:
        raise DataError(f"kind: expected one of {', '.join(KINDS)}, got {record['kind']!r}")
    return _build(Row, {**record, "seeds": [_build(Outcome, seed) for seed in _items(record, "seeds")]})


def _items(record: Mapping[str, Any], key: str) -> list[Any]:
    """Return a list that a record must have."""
    found = record.get(key)
    if not isinstance(found, list):
        raise DataError(f"{key}: expected a list, got {type(found).__name__}")
    return found


def _build(kind: type[Record], record: Any) -> Record:  # noqa: ANN401 - whatever a file holds
    """Build a record of the fields that it knows; others, of a later version, are left out."""
    if not isinstance(record, dict):
        raise DataError(f"{kind.__name__.lower()}: expected names and values, got {type(record).__name__}")
    known = {name.name: record[name.name] for name in fields(kind) if name.name in record}  # type: ignore[arg-type]
    try:
        return kind(**known)
    except TypeError as error:
        missing = str(error).rpartition(": ")[2]
        raise DataError(f"{kind.__name__.lower()}: expected a value for {missing}") from None
