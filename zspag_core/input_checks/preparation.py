"""How a model wants its images, where that is assumed or may be said wrongly: other usual ways are tried."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

from zspag_core.diagnosis import MATCHED
from zspag_core.errors import CheckpointError
from zspag_core.input_checks.alternatives import (
    Alternative,
    WrongReading,
    is_stated,
    other_normalisations,
    prepared_words,
    with_reading,
)
from zspag_core.input_checks.batch_norm import check_batch_norm
from zspag_core.input_checks.matching import clearly_better
from zspag_core.input_checks.sample import AskedSample

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from zspag_core.checkpoints import Checkpoint
    from zspag_core.data import DataSet

WELL = 40.0
"""Percent read rightly from which on no other image size is tried: at 224 pixels a look costs 49 times one at 32."""
NEARLY = 90.0
"""Percent read rightly from which on an assumed image size is not doubted; below it small ones are tried, which are
cheap."""
SIZES, SMALL_SIZES = (32, 64, 224), (28, 32, 48, 64)
READ_BY = frozenset({"mean", "std", "image_size"})
"""The fields of a reading that are tried."""


def try_readings(checkpoint: Checkpoint, asked: AskedSample, at_size: Callable[[int], DataSet]) -> list[Alternative]:
    """Return how the model reads a sample with its input as it is taken, then in other usual ways; best of these first.

    What is assumed is always tried. What a foreign file or a person said is tried where little is read with it: files
    carry what their network was pretrained with, and people mistype.

    Args:
        checkpoint: of a foreign network, or with `assumed` fields; else the list is empty.
        asked: its model, about images at its size.
        at_size: loads the same data at another image size.
    """
    assumed = READ_BY & set(checkpoint.about.get("assumed") or {})
    if not _is_tried(checkpoint) or asked.one_class:  # a reading that calls everything the same would look best
        return []
    tried = [Alternative.on(asked, "as assumed" if assumed else "as told", {})]
    doubtful = assumed if tried[0].accuracy >= WELL else READ_BY
    if {"mean", "std"} <= doubtful:
        tried += [
            Alternative.on(asked.by(with_reading(asked.model, **fields)), words, fields)
            for words, fields in other_normalisations(asked.model)
        ]
    best = _top(tried)
    if "image_size" in doubtful and best.accuracy < NEARLY:
        sizes = SIZES if best.accuracy < WELL else SMALL_SIZES
        tried += _at_other_sizes(asked, best, at_size, sizes, every={"mean", "std"} <= doubtful)
    return [tried[0], *sorted(tried[1:], key=lambda one: -one.accuracy)]


def _is_tried(checkpoint: Checkpoint) -> bool:
    """Tell whether a model's reading may be wrong: it is assumed, or a foreign file's, or a person's."""
    about = checkpoint.about
    return bool(READ_BY & set(about.get("assumed") or {})) or checkpoint.origin is not None or "told" in about


def _at_other_sizes(
    asked: AskedSample, best: Alternative, at_size: Callable[[int], DataSet], sizes: Sequence[int], *, every: bool
) -> list[Alternative]:
    """Return what is read at other usual image sizes, as assumed and with the best of the normalisations tried.

    What was best at the assumed size need not be so at another: at the best of them the other normalisations are tried,
    too, where they are open, and with the best of these the small sizes that were left out.
    """
    ways = {"": dict[str, Any](), f", {best.words}": dict(best.fields)} if best.fields else {"": dict[str, Any]()}
    resized = cache(lambda size: AskedSample.about(with_reading(asked.model, image_size=size), at_size(size)))
    assumed = asked.model.config.image_size
    found = [one for size in sizes if size != assumed for one in _at_size(size, resized, ways)]
    if every and found:
        size = _top(found).fields["image_size"]
        tried = [one.fields for one in found]
        usual = {f", {words}": fields for words, fields in other_normalisations(asked.model)}
        ways = {words: fields for words, fields in usual.items() if {"image_size": size, **fields} not in tried}
        found += _at_size(size, resized, ways)
    if found and _top(found).accuracy < NEARLY:
        fields = dict(_top(found).fields)
        words = _top(found).words.removeprefix(_sized(fields.pop("image_size")))
        left = [size for size in SMALL_SIZES if size not in (*sizes, assumed)]
        found += [one for size in left for one in _at_size(size, resized, {words: fields})]
    return found


def _at_size(
    size: int, resized: Callable[[int], AskedSample], ways: Mapping[str, Mapping[str, Any]]
) -> list[Alternative]:
    """Return what is read at one image size in several ways, by their words; nothing where the model cannot take it."""
    try:
        there = resized(size)
    except CheckpointError:
        return []
    return [
        Alternative.on(
            there.by(with_reading(there.model, **fields)), _sized(size) + words, {"image_size": size, **fields}
        )
        for words, fields in ways.items()
    ]


def _sized(size: int) -> str:
    """Return how the words for a reading at another size begin."""
    return f"images of {size} pixels"


def _top(found: Sequence[Alternative]) -> Alternative:
    """Return the reading that reads most."""
    return max(found, key=lambda one: one.accuracy)


def another_is_better(tried: Sequence[Alternative]) -> bool:
    """Tell whether the best of the other readings is clearly better than the first one, which was taken."""
    return len(tried) > 1 and clearly_better(tried[1].accuracy, tried[0].accuracy, tried[1].count)


def stated_otherwise(checkpoint: Checkpoint, tried: Sequence[Alternative]) -> tuple[str, ...]:
    """Return a note where a person stated what was taken and another reading is clearly better."""
    if not another_is_better(tried) or not is_stated(checkpoint, tried[1]):
        return ()
    words = prepared_words(checkpoint, tried[1].fields)
    return (f"prepared as stated ({words}) the model reads {_figures(*tried[:2])}: is it stated rightly?",)


def _figures(taken: Alternative, better: Alternative) -> str:
    """Write what is read one way and the other."""
    figures = f"{taken.accuracy:.1f} % of {taken.count} labelled images, with {better.words} {better.accuracy:.1f} %"
    return f"{figures}{'' if better.count == taken.count else f' of {better.count}'} ({MATCHED})"


def check_reading(checkpoint: Checkpoint, asked: AskedSample, at_size: Callable[[int], DataSet]) -> tuple[str, ...]:
    """Refuse to go on with an assumed reading, or a file's, where another one is clearly better.

    What a person stated stands, and it is noted where another reading is clearly better.

    Args:
        checkpoint: whose reading is tried.
        asked: its model, about images at its size.
        at_size: loads the same data at another image size.

    Returns:
        Notes for the person.

    Raises:
        WrongReading: it says both figures and how to choose.
    """
    if not _is_tried(checkpoint):
        return ()
    if asked.one_class:
        return check_batch_norm(checkpoint, asked)
    tried = try_readings(checkpoint, asked, at_size)
    if not another_is_better(tried):
        return ()
    if notes := stated_otherwise(checkpoint, tried):
        return notes
    taken, better = tried[:2]
    figures, words = _figures(taken, better), prepared_words(checkpoint, better.fields)
    if set(better.fields) & set(checkpoint.about.get("assumed") or {}):
        start = "the model's file does not say how its images are prepared: as assumed"
    else:
        start = "the model's file may say wrongly how its images are prepared: as it says"
    raise WrongReading(f"{start} ({words}) it reads {figures}", better)
