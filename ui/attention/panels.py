"""Panels of the Attention page: the gallery to choose images from, and what both models look at in them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import streamlit as st

from ui.figures.attention import Side, attention_table, grown_note, scale_bars, scale_of, similarity_table
from ui.shell.follow import failed_line, wait_line
from ui.shell.jobs import ask
from ui.shell.placeholders import has_result
from ui.shell.ungraded import ESTIMATE, image_words, lacks_of
from zspag_core.jobs import State

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from zspag_core.jobs import Job

FORGOTTEN, REMAINING = "forgotten", "remaining"
OF_ALL = {REMAINING: "Remaining", "changed": "Read otherwise after"}
KINDS = {FORGOTTEN: "Forgotten"} | OF_ALL
KIND_KEY = "look-kind"
OTHERS = f"{FORGOTTEN}-B"
"""Not a kind of its own: what run B forgot and run A did not."""
LOOKING = "Looking for images"
OFFERED = 24
COLUMNS = 12
MOST = 8
AT_FIRST = 2
SAMPLES_SECONDS, ATTENTION_SECONDS = 1.0, 2.0
THUMBNAIL_PIXELS, LAYER_PIXELS = 48, 220


def samples_of(job: Job, kind: str) -> Job:
    """Return the task that lists test images of a run."""
    return ask("samples", {"run": job.id, "kind": kind, "count": OFFERED})


def chosen_images(job: Job) -> list[int] | None:
    """Return the places in the test split of the images that the visitor chose.

    At first these are two of forgotten and two of remaining classes; None while it is not known which there are.
    """
    chosen: list[int] | None = st.session_state.get(_chosen_key(job))
    if chosen is not None:
        return chosen
    lists = [samples_of(job, kind) for kind in (FORGOTTEN, REMAINING)]
    if any(question.state != State.DONE for question in lists):
        return None
    return [image["index"] for question in lists for image in question.answer["images"][:AT_FIRST]]


def has_more(job: Job, first: Job) -> bool:
    """Tell whether a run has images to offer that the first has not: the same data, other classes, and a result."""
    same = job.config["data"] == first.config["data"]
    return has_result(job) and same and set(job.config["forget"]) != set(first.config["forget"])


def gallery(job: Job, names: Sequence[str], other: Job | None = None) -> None:
    """Draw the images of a run to choose from.

    Args:
        job: run A, whose data it is.
        names: one name per class.
        other: run B, where it is on the same data and has forgotten other classes: its classes are offered, too.
    """
    words = KINDS if other is None else {FORGOTTEN: "Forgotten by A", OTHERS: "Forgotten by B"} | OF_ALL
    if st.session_state.get(KIND_KEY) not in words:
        st.session_state[KIND_KEY] = FORGOTTEN  # also where run B, whose images were looked at, was taken away
    with st.container(border=True):
        head, note = st.columns([1, 1], vertical_alignment="bottom")
        kind = head.segmented_control("Choose images", list(words), required=True, format_func=words.get, key=KIND_KEY)
        question = samples_of(other, FORGOTTEN) if other is not None and kind == OTHERS else samples_of(job, kind)
        chosen = chosen_images(job)
        asked = [question, *(samples_of(job, first) for first in (FORGOTTEN, REMAINING))]
        if question.state == State.DONE and chosen is not None:
            full = len(chosen) >= MOST
            most = " That is the most: untick one to tick another." if full else f" Up to {MOST} at once."
            note.caption(f"{len(chosen)} chosen.{most}")
            _thumbnails(job, question.answer["images"], chosen, names, kind)
        elif waits := [one for one in asked if one.active]:
            wait_line(waits[0], LOOKING, SAMPLES_SECONDS)
        else:
            failed_line(next(one for one in asked if one.state != State.DONE), LOOKING, "again-samples")


def _thumbnails(
    job: Job, images: Sequence[Mapping[str, Any]], chosen: Sequence[int], names: Sequence[str], kind: str
) -> None:
    """Draw a box under every image."""
    if not images:
        lacks = lacks_of(job.answer or {})
        there = f"both models read every {image_words(lacks).lower()} alike"
        if kind == REMAINING and "retain_test" in lacks:
            there = "the data has images to forget alone"
        st.caption(f"There is no such image: {there}.")
        return
    for first in range(0, len(images), COLUMNS):
        for image, place in zip(images[first : first + COLUMNS], st.columns(COLUMNS, gap="small"), strict=False):
            index, name = int(image["index"]), names[image["label"]]
            key = f"look-{job.id}-{kind}-{index}"
            with place, st.container(gap="xxsmall"):
                st.image(
                    image["picture"],
                    width=THUMBNAIL_PIXELS,
                    alt=f"{image_words(lacks_of(job.answer or {}))} {index} of class {name}",
                )
                ticked = index in chosen
                st.checkbox(
                    name,
                    value=ticked,
                    key=key,
                    disabled=len(chosen) >= MOST and not ticked,
                    on_change=_tick,
                    args=(job, index, key, list(chosen)),
                )


def _tick(job: Job, index: int, key: str, chosen: list[int]) -> None:
    """Take an image among the chosen ones, or out of them."""
    others = [other for other in chosen if other != index]
    st.session_state[_chosen_key(job)] = [*others, index] if st.session_state[key] else others


def _chosen_key(job: Job) -> str:
    """Return where the chosen images of a run's data are kept; runs on the same data share them."""
    data = (job.answer or {}).get("graded_with") or job.config["data"]
    return f"chosen-{data}"


def ask_attention(job: Job, index: Sequence[int], layer: str | None, target: str) -> Job:
    """Return the task that computes the maps of some images before and after a run."""
    return ask("attention", {"run": job.id, "index": list(index), "layer": layer, "target": target})


def answer_of(question: Job, letter: str, doing: str) -> Mapping[str, Any] | None:
    """Return a task's answer; while there is none, say how long it takes and return the one before, if any.

    Args:
        question: the task.
        letter: of the run that it is about.
        doing: what the task does.
    """
    key = f"looked-{letter}"
    if question.state == State.DONE:
        st.session_state[key] = question.id, question.config["run"], question.answer
        answer: Mapping[str, Any] = question.answer
        return answer
    if not question.active:
        failed_line(question, doing, f"again-look-{letter}")
        return None
    wait_line(question, doing, ATTENTION_SECONDS)
    _, run, last = st.session_state.get(key, ("", "", None))
    return last if run == question.config["run"] else None


def chosen_layer(job: Job) -> str | None:
    """Return the layer that the visitor picked for a run; None leaves it to the engine."""
    layer: str | None = st.session_state.get(f"look-picked-{job.id}")
    return layer


def layer_picker(job: Job, answer: Mapping[str, Any] | None) -> None:
    """Draw the list of layers, once it is known."""
    if answer is None:
        st.selectbox("Layer", ["…"], disabled=True, key="look-layer-unknown", width=LAYER_PIXELS)
        return
    layers = list(answer["layers"])
    st.selectbox(
        "Layer, from input to output",
        layers,
        index=layers.index(answer["layer"]),
        key=f"look-layer-{job.id}",
        width=LAYER_PIXELS,
        help="Early layers see edges on a fine grid, late ones see whole parts on a coarse grid.",
        on_change=_pick_layer,
        args=(job,),
    )


def _pick_layer(job: Job) -> None:
    """Remember the layer that was picked."""
    st.session_state[f"look-picked-{job.id}"] = st.session_state[f"look-layer-{job.id}"]


def maps_panel(sides: Sequence[Side], target: str) -> None:
    """Draw the scale, the table of maps, and how alike they are on average."""
    scale = scale_of(sides)
    height, width = _grid(sides[0].answer)
    st.html(scale_bars(scale))
    st.html(attention_table(sides, target, scale))
    st.caption(
        f"Each map has {height} × {width} cells, drawn smoothly over the picture in grey. Maps are not scaled one by "
        "one: a dark map means that there is little evidence, and a dark one after a bright one that it is gone."
    )
    alone = all(side.images == "forget image" for side in sides)
    st.markdown(f"##### How alike the maps are {ESTIMATE if alone else ':gray-badge[for grading only]'}")
    st.markdown(similarity_table(sides))
    if alone:
        st.caption("The data has images to forget alone, so nothing is said of the maps of remaining classes.")
    if grown := grown_note(sides):
        st.info(grown, icon=":material/info:")
    st.caption(
        f"Over at most 64 {sides[0].images}s of each kind, always the same ones; empty maps have no likeness, "
        "they are counted apart. Blocking the forgotten outputs (the method Mask) empties these maps too and learns "
        "nothing: what the features still know is told by the probe on the Results page."
    )


def _grid(answer: Mapping[str, Any]) -> tuple[int, int]:
    """Return height and width of the maps in cells."""
    values = answer["images"][0]["map_before"]
    return len(values), len(values[0])
