"""Where a model's images are only assumed to be prepared, or its classes to be ordered, so: what reads better is asked.

Nothing runs until a visitor has chosen.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import streamlit as st

from ui.model.input_panel import names_in, tell, title_start
from ui.model.panels import refusal, wait
from ui.shell.engine_words import for_page
from ui.shell.formatting import as_sentence, counted, escape, glue, percent
from ui.shell.jobs import ask
from ui.shell.selection import inspect_question
from zspag_core.diagnosis import MATCHED
from zspag_core.jobs import State

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from zspag_core.jobs import Job

READING = frozenset({"images", "labels"})
ASKED_ABOUT = {
    "misread": READING,
    "strange": READING,
    "altered": READING,
    "misnumbered": READING - {"images"},
    "": frozenset[str](),
}
"""What each question leaves open, in their order: which output is which class is asked when images are read aright."""
NAMED = 6
MOST_BYTES = 1_000_000
ORDERS = {
    "given": "As they are numbered now",
    "code_point": "Letter by letter, as torchvision's ImageFolder does (1, 10, 2)",
    "natural": "As a person counts (1, 2, 10)",
    "matched": "As the model reads them",
}


def try_assumptions(path: Path, data: str, about: Mapping[str, Any]) -> Job | None:
    """Ask the worker to try what is assumed about a model that is not of ours; None for one of ours."""
    return ask("doubts", inspect_question(data, path)) if about.get("foreign") else None


def doubts_panel(path: Path, data: str, about: Mapping[str, Any], job: Job | None) -> bool:
    """Draw what is doubtful about a model on its data, with the ways out; return whether it may be used."""
    if job is None:
        return True
    if job.active:
        wait(job, "Trying what is assumed")
        return False
    if job.state != State.DONE:
        refusal(job, path, data)
        return False
    if _ask_anything(path, about, job.answer):
        return False
    _say_doubts(about, job.answer)
    return True


def asked_about(job: Job | None) -> frozenset[str]:
    """Return which checks of the pair are open, of "images" and "labels", while it is tried or a visitor is asked.

    Args:
        job: the task that tries what is assumed; None where nothing is.
    """
    if job is None:
        return frozenset()
    if job.state != State.DONE or job.answer.get("none_fits"):
        return READING
    return ASKED_ABOUT[_question(job.answer)]


def _question(answer: Mapping[str, Any]) -> str:
    """Return the first question that must be answered before anything runs, a key of ASKED_ABOUT; empty for none."""
    asked = {name: answer.get(name) for name in ASKED_ABOUT} | {"misnumbered": answer["order"]["misnumbered"]}
    return next((name for name, open_ in asked.items() if open_), "")


def _ask_anything(path: Path, about: Mapping[str, Any], answer: Mapping[str, Any]) -> bool:
    """Draw the first question that must be answered before anything runs; return whether there is one."""
    question = _question(answer)
    if question == "misread":
        _ask_reading(path, about, answer["readings"], none_fits=answer.get("none_fits", False))
    elif question == "strange":
        _ask_strange(path, about, answer["strange"])
    elif question == "altered":
        again = " Save them as they were in the model's training and load them again."
        _ask_to_keep(path, "Were the images altered on their way?", answer["altered"], answer["order"], again)
    elif question == "misnumbered":
        if answer.get("none_fits"):
            st.warning(none_fits_words(about, answer["readings"]), icon=":material/help:")
        _ask_order(path, answer["order"])
    return bool(question)


def _say_doubts(about: Mapping[str, Any], answer: Mapping[str, Any]) -> None:
    """Draw what is doubtful and stops nothing."""
    order, notes = answer["order"], answer.get("notes", ())
    words = [as_sentence(escape(note)) for note in notes if note.endswith("?")]
    if answer.get("none_fits") and not words:  # images that were altered are read in none of the ways
        words.append(none_fits_words(about, answer["readings"]))
    for sentence in words:
        st.warning(sentence, icon=":material/help:")
    if order.get("kept_against"):
        st.warning(
            f"**The order is kept as you chose**, though in it the model reads {_percent(order['taken'])} of "
            f"{order['count']} labelled images, in another one {_percent(_best(order))}: probably **another class will "
            "be forgotten** than the one you tick.",
            icon=":material/warning:",
        )
    for note in notes:
        if not note.endswith("?"):
            st.caption(as_sentence(escape(note)))


def _ask_reading(path: Path, about: Mapping[str, Any], tried: Sequence[Mapping[str, Any]], *, none_fits: bool) -> None:
    """Draw both figures of a reading that is assumed and of one that is better, and the buttons that choose."""
    better = tried[1]
    words = none_fits_words(about, tried) if none_fits else _better_words(about, tried)
    st.warning(f"{words} Choose before anything runs.", icon=":material/help:")
    _choose_reading(path, about, better, "Take the best of these all the same:" if none_fits else "Take")


def _ask_strange(path: Path, about: Mapping[str, Any], better: Mapping[str, Any]) -> None:
    """Draw what BatchNorm says of images that are all of one class, and the buttons that choose."""
    st.warning(
        f"**How are its images prepared?** {as_sentence(escape(better['sentence']))} Choose before anything runs.",
        icon=":material/help:",
    )
    _choose_reading(path, about, better, "Take")


def _ask_to_keep(path: Path, question: str, sentence: str, order: Mapping[str, Any], more: str = "") -> None:
    """Draw why images look odd, and the button that keeps them, and the order of the classes, as they are."""
    st.warning(f"**{question}** {as_sentence(escape(for_page(sentence)))}{more}", icon=":material/help:")
    if st.button("Keep them as they are", key="keep-images", width="stretch"):
        (kept,) = (offer for offer in order["offers"] if offer["order"] == "given")
        tell(path, class_names=kept["names"], order="given")


def _choose_reading(path: Path, about: Mapping[str, Any], better: Mapping[str, Any], take: str) -> None:
    """Draw the buttons that take another reading, and that keep what was taken."""
    if st.button(f"{take} {better['words']}", key="take-reading", width="stretch"):
        tell(path, told=dict(better["fields"]))
    if st.button("Keep what was taken", key="keep-reading", width="stretch"):
        tell(path, told={name: about["open"][name] for name in {*about["assumed"], *better["fields"]}})


def _better_words(about: Mapping[str, Any], tried: Sequence[Mapping[str, Any]]) -> str:
    """Say what is read as taken, and how much more in the best of the other ways."""
    taken, better = tried[0], tried[1]
    others = "" if better["count"] == taken["count"] else f" of {better['count']}"
    return (
        f"**How are its images prepared?** {_source(about, better)} the model reads "
        f"{_percent(taken['accuracy'])} of {taken['count']} labelled images, with {escape(better['words'])} "
        f"**{_percent(better['accuracy'])}**{others} ({MATCHED})."
    )


def none_fits_words(about: Mapping[str, Any], tried: Sequence[Mapping[str, Any]]) -> str:
    """Say that in no way tried the model reads well, and what a person can state instead.

    Args:
        about: what the worker said of model and data.
        tried: the readings, the one taken first, then the others, the best first.
    """
    taken, better = tried[0], tried[1]
    others = f"in {counted(len(tried) - 1, 'other usual way')} at best"
    return (
        f"**None of the usual ways to prepare its images fits.** {_source(about, better)} the model reads "
        f"{_percent(taken['accuracy'])} of {taken['count']} labelled images, {others} {_percent(better['accuracy'])} "
        f"({escape(better['words'])}; {MATCHED}). If it read more where it was trained, state under "
        f"**{title_start(about)}** above how that program prepared an image: its side in pixels, mean and deviation of "
        "each channel, stretched or cut out. Where that is right already, these may not be its classes, or not in its "
        "order."
    )


def _source(about: Mapping[str, Any], better: Mapping[str, Any]) -> str:
    """Say where the reading that was taken comes from."""
    if set(better["fields"]) & set(about["assumed"]):
        return "The file does not say. As assumed"
    return "The file may say it wrongly. As it says"


def _ask_order(path: Path, order: Mapping[str, Any]) -> None:
    """Draw the orders of the classes that may be meant, with figures, and the button that chooses."""
    if order.get("one_class"):
        _ask_to_keep(path, "Are these images of that class, prepared as in its training?", order["one_class"], order)
        return
    offers = {offer["order"]: offer for offer in order["offers"]}
    st.warning(
        f"**Which output is which class?** As the classes are numbered the model reads {_percent(order['taken'])} of "
        f"{order['count']} labelled images, in another order **{_percent(_best(order))}**. In the wrong order another "
        "class would be forgotten: choose before anything runs.",
        icon=":material/help:",
    )
    chosen = st.radio(
        "Order of the classes",
        list(offers),
        index=None,
        key=f"order-{path.name}",
        format_func=lambda name: f"{ORDERS[name]}{_figure(offers[name])}",
        captions=[_names(offer["names"]) for offer in offers.values()],
    )
    if st.button("Use this order", key="take-order", width="stretch", disabled=chosen is None) and chosen:
        tell(path, class_names=offers[chosen]["names"], order=chosen)


def _percent(value: float) -> str:
    """Write a percentage that no line break parts."""
    return glue(percent(value))


def _best(order: Mapping[str, Any]) -> float:
    """Return the best accuracy that another order gives."""
    figures = [offer["accuracy"] for offer in order["offers"] if offer["accuracy"] is not None]
    return float(max(order["best"], *figures, 0.0))


def _figure(offer: Mapping[str, Any]) -> str:
    """Return an offer's accuracy, where it was counted."""
    return "" if offer["accuracy"] is None else f" · {_percent(offer['accuracy'])}"


def _names(names: Sequence[str]) -> str:
    """Return the first names of an order."""
    return escape(", ".join(names[:NAMED])) + (", …" if len(names) > NAMED else "")


def names_file_panel(path: Path, model_classes: int | None) -> None:
    """Draw the box for a file that names a model's outputs, one a line in their order.

    Args:
        path: the model, an upload.
        model_classes: number of its outputs, None where it is not known here.
    """
    with st.expander("Names of the classes", icon=":material/label:"):
        upload = st.file_uploader(
            "What the outputs are called",
            key=f"names-{path.name}",
            help="A text file with one name a line, in the order of the model's outputs, or JSON. Folders of the data "
            "are matched to them by name.",
        )
        if upload is None:
            st.caption("A text file, one name a line in the order of the outputs. It counts more than any guess.")
            return
        names, note, flaw = read_names(bytes(upload.getbuffer()), model_classes)
        if flaw:
            st.error(flaw, icon=":material/error:")
            return
        st.caption(f"{len(names)} names: {_names(names)}{note}")
        if st.button("Use these names", key="take-names"):
            tell(path, class_names=names)


def read_names(content: bytes, count: int | None) -> tuple[list[str], str, str]:
    """Return the names in a file, how their order was taken where that is to be said, and what is wrong with them."""
    text = content[:MOST_BYTES].decode("utf-8-sig", errors="replace")
    if len(content) > MOST_BYTES:
        return [], "", "One name a line is expected, in at most 1 MB."
    if {"\0", "\ufffd"} & set(text):
        return [], "", "This is no text file; one name a line is expected."
    names, note, flaw = names_in(text)
    if not flaw and count is not None and len(names) != count:
        flaw = f"The model has {count} outputs, the file names {len(names)}."
    return ([], "", flaw) if flaw else (names, note, "")
