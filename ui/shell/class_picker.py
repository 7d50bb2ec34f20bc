"""The classes to forget, with a picture each, and what the data has of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import streamlit as st

from ui.shell.words import help_for
from zspag_core.jobs import State

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from ui.shell.selection import Choice
    from zspag_core.jobs import Job

GRID_LIMIT = 20
SHORT_NAME, NARROW, WIDE = 3, 5, 2

NAMED = 6


def pick_classes(choice: Choice, about: Job) -> list[int]:
    """Draw the classes; their pictures follow as soon as the worker has them."""
    pictures: list[str | None] = [None] * len(choice.class_names)
    absent: set[int] = set()
    if about.state == State.DONE and len(about.answer["classes"]) == len(choice.class_names):
        pictures = [described["picture"] for described in about.answer["classes"]]
        absent = absent_classes(about)
    st.markdown("**Classes to forget**", help=help_for("Forget samples"))
    chosen = class_picker(f"forget-{choice.checkpoint.stem}", choice.class_names, pictures, absent)
    if absent:
        st.caption("The data has no images of the classes in grey: they stay, and nothing is graded on them.")
    if about.state == State.FAILED:
        st.caption(f"No pictures: {about.error}")
    return chosen


def absent_classes(about: Job) -> set[int]:
    """Return the classes that the data has no training image of; none while that is not known."""
    if about.state != State.DONE:
        return set()
    return {k for k, described in enumerate(about.answer["classes"]) if not described["train"]}


def unfit_method(method: Mapping[str, Any], about: Job, forget: Sequence[int]) -> str:
    """Say why a method cannot do with the data; empty where it can."""
    absent = absent_classes(about) - set(forget)
    if not method["needs_retain"] or not absent:
        return ""
    names = ", ".join(about.answer["classes"][k]["name"] for k in sorted(absent)[:NAMED])
    more = " and others" if len(absent) > NAMED else ""
    return f"{method['title']} needs training images of every remaining class, and the data has none of {names}{more}."


def class_picker(
    key: str, names: Sequence[str], pictures: Sequence[str | None], absent: Collection[int] = ()
) -> list[int]:
    """Draw the classes with a picture each and return those that are ticked.

    Args:
        key: start of the widgets' keys.
        names: one name per class.
        pictures: one picture per class as a data URL; None shows none.
        absent: classes without images, which cannot be ticked.
    """
    if len(names) > GRID_LIMIT:
        return _many(key, names, pictures, absent)
    narrow = max(map(len, names)) <= SHORT_NAME
    columns = NARROW if narrow else WIDE
    chosen = []
    for first in range(0, len(names), columns):  # row by row: the order in which the tab key visits them
        for label, place in zip(range(first, len(names)), st.columns(columns, gap="xsmall"), strict=False):
            with place, st.container(gap="xxsmall", horizontal=not narrow, vertical_alignment="center"):
                if pictures[label] is not None:
                    st.image(pictures[label], width=48 if narrow else 32, alt=f"An image of class {names[label]}")
                gone = label in absent
                ticked = st.checkbox(
                    names[label], key=f"{key}-{label}", persist_state="session", width="content", disabled=gone
                )
                if ticked and not gone:
                    chosen.append(label)
    return chosen


def _many(key: str, names: Sequence[str], pictures: Sequence[str | None], absent: Collection[int]) -> list[int]:
    """Draw a list to type into, and the pictures of what was chosen."""
    chosen = st.multiselect(
        "Classes to forget",
        range(len(names)),
        format_func=lambda label: f"{names[label]} (no images)" if label in absent else names[label],
        key=f"{key}-many",
        placeholder="Type a name",
        label_visibility="collapsed",
        persist_state="session",
    )
    with st.container(horizontal=True, gap="xsmall"):
        for label in chosen:
            if pictures[label] is not None:
                st.image(pictures[label], width=40, alt=f"An image of class {names[label]}")
    return [label for label in chosen if label not in absent]
