"""How a model that is not of ours is read: which network it is, what its weights leave open, whether that is right."""

from __future__ import annotations

import re
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zspag_core.errors import CheckpointError
from zspag_core.progress import SILENT

if TYPE_CHECKING:
    from zspag_core.checkpoints import Checkpoint
    from zspag_core.data import DataSet
    from zspag_core.input_checks.class_order import OrderFigures
    from zspag_core.input_checks.sample import AskedSample
    from zspag_core.jobs.records import Job
    from zspag_core.progress import Reporter

NETWORK, ENTRY, HEADS = "network", "entry", "heads"
"""What a file may leave to be told before it can be read at all."""
SEVERAL = re.compile(r"holds several networks: (?P<names>.+?); say which one is meant")
ALSO = re.compile(r"(?P<taken>.+?) is taken; the file also holds (?P<names>.+?), had with")


def inspect_model(job: Job, report: Reporter = SILENT) -> dict[str, Any]:
    """Look into weights and say what they leave open; a zipped model folder is unpacked first.

    Args:
        job: its config is {"checkpoint": path, "entry": which network of the file (optional)}.
        report: receives progress when the file is read.

    Returns:
        {"unpacked": path} for a zipped folder. Else {"asks": "network", "entry" or "heads", what must be told before
        the file can be read, "" for nothing; "sentence": why; "networks": which ones it may be, as `--model` takes
        them; "entries": the networks in the file, where there are several}, and of what can be read "network" (which
        one it is, "" for ours), "open", "assumed" (see :func:`zspag_core.tasks.inspect_data.inspect_data`), "notes" and
        "unmoved" (layers that no step moves -> why).

    Raises:
        CheckpointError, UsageError: it holds no weights that can be read.
    """
    from zspag_core.tasks.model_cache import cached_checkpoint
    from zspag_core.tasks.unpack import unpacked_model

    path, entry = Path(str(job.config["checkpoint"])), job.config.get("entry")
    report.progress("load", 0, 1)
    if (folder := unpacked_model(path)) is not None:
        return {"unpacked": str(folder)}
    try:
        loaded = _loaded(path, entry) if entry else cached_checkpoint(str(path))
    except CheckpointError as error:
        return _asked(path, entry, str(error))
    report.progress("load", 1, 1)
    entries = next((_names(found) for note in loaded.notes if (found := ALSO.match(note))), [])
    return {"asks": "", "sentence": "", "networks": [], "entries": entries} | describe_reading(loaded)


def _loaded(path: Path, entry: str) -> Checkpoint:
    """Read one of several networks of a file."""
    from zspag_core.checkpoints import load_checkpoint

    return load_checkpoint(path, entry=entry)


def _asked(path: Path, entry: str | None, sentence: str) -> dict[str, Any]:
    """Return what must be told before a file can be read that was refused.

    Raises:
        CheckpointError: nothing that a person tells would help.
    """
    from zspag_core.checkpoints.contents import default_limit_mb, read_contents
    from zspag_core.models.foreign.candidates import candidates

    answer: dict[str, Any] = {"sentence": sentence, "networks": [], "entries": []}
    if found := SEVERAL.search(sentence):
        return answer | {"asks": ENTRY, "entries": _names(found)}
    try:
        contents = read_contents(path, default_limit_mb(), entry=entry)
    except CheckpointError:
        raise CheckpointError(sentence) from None
    if contents.header is not None or not contents.weights:
        raise CheckpointError(sentence)
    if "pass heads" in sentence:
        return answer | {"asks": HEADS}
    parts = (part.weights for part in (contents, *contents.large_parts()))
    networks = next(filter(None, map(candidates, parts)), [])
    return answer | {"asks": NETWORK, "networks": [one.source for one in networks]}


def _names(found: re.Match[str]) -> list[str]:
    """Return the names in a sentence about several networks, the one that was taken first."""
    taken = found.groupdict().get("taken")
    return [*([taken] if taken else []), *(name for name in found["names"].split(", ") if name != "…")]


def describe_reading(loaded: Checkpoint) -> dict[str, Any]:
    """Return which network a model is, what its weights leave open, what was noted, and what is not moved."""
    from zspag_core.checkpoints.owners import stated_fields
    from zspag_core.tasks.import_weights import left_open

    about, opened = loaded.about, left_open(loaded)
    foreign = loaded.origin is not None or "owner" in about or bool(about.get("assumed"))
    return {
        "network": network_of(loaded),
        "foreign": foreign,
        "open": opened,
        "stated": sorted(stated_fields(about)),
        "assumed": [name for name in opened if name in about.get("assumed", {})],
        "notes": list(loaded.notes),
        "unmoved": dict(loaded.model.unmoved),
    }


def network_of(loaded: Checkpoint) -> str:
    """Return which network a model is, as `--model` takes it; empty for one of ours."""
    return str(getattr(loaded.model.config, "source", ""))


def try_assumptions(job: Job, report: Reporter = SILENT) -> dict[str, Any]:
    """Try what is only assumed about a model on labelled images: how it wants its input, which output is which class.

    Args:
        job: its config is {"checkpoint": path, "data": name or path}.
        report: receives progress when the one and the other have been tried.

    Returns:
        {"readings": [{"words", "fields" (of the model's config), "accuracy" (percent), "count" (images)}] the one that
        was taken first, then the others, the best first; "misread": whether the first of the others reads clearly
        better, and no person stated what was taken; "none_fits": whether several were tried and none reads well;
        "strange": {"sentence", "words", "fields"} of a reading that is far closer to what BatchNorm remembers, asked
        where all images are of one class, else None; "altered": the sentence where images of several look altered, else
        None; "notes": what else is doubtful, as sentences;
        "order": {"taken", "best" (percent, as numbered and under the best matching of outputs to classes), "count",
        "misnumbered": whether another one reads clearly better and nobody chose to keep it, "one_class": the sentence
        of that where all images are of one class, else None, "kept_against": whether it
        does and somebody chose so, "offers": [{"order",
        "names" (of the outputs), "accuracy" (percent, None where it was not counted)}], "said": [[name of the output
        that most images of the class are read as, percent of them] for each class, None
        without images]}}
    """
    from zspag_core.input_checks.alternatives import is_stated
    from zspag_core.input_checks.class_order import try_orders
    from zspag_core.input_checks.preparation import WELL, another_is_better, stated_otherwise, try_readings
    from zspag_core.input_checks.sample import AskedSample
    from zspag_core.runs.assumptions import load_for
    from zspag_core.runs.forgotten import forgotten_before
    from zspag_core.tasks.model_cache import cached_checkpoint, cached_dataset

    report.progress("assumptions", 0, 2)
    loaded, source = cached_checkpoint(str(job.config["checkpoint"])), str(job.config["data"])
    asked = AskedSample.about(loaded.model, cached_dataset(source, loaded, download=True))
    tried = try_readings(loaded, asked, lambda size: load_for(loaded, source, size=size))
    strange, notes = _strange(loaded, asked)
    notes = (*stated_otherwise(loaded, tried), *notes)
    altered, more = (None, ()) if another_is_better(tried) else _altered(loaded, asked)
    report.progress("assumptions", 1, 2)
    none_fits = len(tried) > 1 and max(one.accuracy for one in tried) < WELL
    misread = another_is_better(tried) and not is_stated(loaded, tried[1])
    known = asked.without(forgotten_before(loaded.about))
    order = _order(loaded, known or asked, try_orders(known or asked))
    if known is None:  # images of forgotten classes alone say nothing of an order
        order |= {"misnumbered": False, "kept_against": False}
    report.progress("assumptions", 2, 2)
    readings = [asdict(one) | {"fields": dict(one.fields)} for one in tried]
    found = {"readings": readings, "misread": misread, "none_fits": none_fits}
    return found | {"strange": strange, "altered": altered, "notes": [*notes, *more], "order": order}


def _altered(loaded: Checkpoint, asked: AskedSample) -> tuple[str | None, tuple[str, ...]]:
    """Ask whether the images were altered on their way; return the sentence where they look so, and notes."""
    from zspag_core.input_checks.altered_images import AlteredImages, check_altered
    from zspag_core.input_checks.class_order import KEPT
    from zspag_core.runs.assumptions import chosen_order

    try:
        return None, check_altered(asked, kept=chosen_order(loaded) == KEPT)
    except AlteredImages as altered:
        return altered.plain, ()


def _strange(loaded: Checkpoint, asked: AskedSample) -> tuple[dict[str, Any] | None, tuple[str, ...]]:
    """Ask BatchNorm how images of one class are prepared; return what it says against, and notes."""
    from zspag_core.input_checks.alternatives import WrongReading
    from zspag_core.input_checks.batch_norm import check_batch_norm
    from zspag_core.runs.assumptions import SURE_ALONE

    if not asked.one_class:
        return None, ()
    try:
        return None, (SURE_ALONE, *check_batch_norm(loaded, asked))
    except WrongReading as wrong:
        better = {"words": wrong.better.words, "fields": dict(wrong.better.fields)}
        return {"sentence": wrong.plain} | better, ()


def _order(loaded: Checkpoint, asked: AskedSample, figures: OrderFigures) -> dict[str, Any]:
    """Return what the model says of the classes, and the orders that may be meant."""
    from zspag_core.input_checks.class_order import KEPT, one_class_words
    from zspag_core.runs.assumptions import chosen_order

    data = asked.dataset
    names, count = list(data.class_names), figures.count
    chosen = chosen_order(loaded)
    doubtful = figures.contradicted and chosen != KEPT
    against = figures.contradicted and chosen == KEPT
    by_name = not chosen and loaded.about.get("class_names") is not None  # then no order of folders helps
    offers: list[dict[str, Any]] = [{"order": KEPT, "names": names, "accuracy": figures.taken}]
    if len(figures.said) > 1 and not by_name:  # one class tells nothing of an order
        offers += _other_orders(data, figures)
    if len(figures.matching) == len(names) and sorted(figures.matching.values()) == list(range(len(names))):
        matched = [""] * len(names)
        for k, output in figures.matching.items():
            matched[output] = names[k]
        offers += [{"order": "matched", "names": matched, "accuracy": figures.best}]
    unique = {tuple(offer["names"]): offer for offer in reversed(offers)}
    said = [figures.said.get(k) for k in range(len(names))]
    return {
        "taken": figures.taken,
        "best": figures.best,
        "count": count,
        "misnumbered": doubtful,
        "one_class": one_class_words(asked, figures, "", named=by_name) if doubtful and asked.one_class else None,
        "kept_against": against,
        "offers": list(reversed(unique.values())),
        "said": [None if one is None else [names[one[0]], one[1]] for one in said],
    }


def _other_orders(data: DataSet, figures: OrderFigures) -> list[dict[str, Any]]:
    """Return the usual orders of folder names that differ from the one that was taken."""
    from zspag_core.data.classes import in_order
    from zspag_core.data.reading import ORDERS

    found = []
    for order in ORDERS:
        names, _ = in_order(data.name, data.class_names, order)
        accuracy = figures.other_accuracy if order == figures.other else None
        if names != list(data.class_names):
            found.append({"order": order, "names": names, "accuracy": accuracy})
    return found
