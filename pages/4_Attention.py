from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from ui.attention.panels import (
    answer_of,
    ask_attention,
    chosen_images,
    chosen_layer,
    gallery,
    has_more,
    layer_picker,
    maps_panel,
)
from ui.figures.attention import Side
from ui.shell.artifacts import class_names
from ui.shell.frame import frame
from ui.shell.jobs import pair
from ui.shell.paths import plain_name
from ui.shell.placeholders import has_result, stand_in
from ui.shell.segments import one_of
from ui.shell.ungraded import image_words, lacks_of
from ui.shell.words import GLOSSARY

if TYPE_CHECKING:
    from collections.abc import Sequence

    from zspag_core.jobs import Job

TARGETS = {"own": "Own label", "predicted": "Predicted label"}
NOTES = {
    "own": "Where nothing of a forgotten class is left, the map for its **own label** is nearly empty: there is no "
    "evidence to show. Switch to the predicted label to see what the model looks at instead.",
    "predicted": "Each map explains what that model **reads** in the image; where the two read differently, the "
    "difference compares two classes.",
}

SHOWS = "Attention before and after"


def show(run: Job, runs: Sequence[tuple[str, Job]]) -> None:
    """Draw the images to choose from, and what both models look at in those chosen."""
    gallery(run, class_names(run.folder), next((job for _, job in runs if has_more(job, run)), None))
    chosen = chosen_images(run)
    if chosen:
        show_maps(run, runs, chosen)
    elif chosen is not None:
        st.info("Tick images above to see where the models look in them.", icon=":material/check_box:")


def show_maps(run: Job, runs: Sequence[tuple[str, Job]], chosen: Sequence[int]) -> None:
    """Draw the controls and the maps of every run that has these images."""
    controls = st.container(horizontal=True, vertical_alignment="bottom", gap="medium")
    with controls:
        target = one_of("Explain", TARGETS, key="look-target", help=GLOSSARY["GradCAM"])
        layer_place = st.container(width="content")
        waiting = st.container(width="stretch")
    sides = []
    for letter, job in runs:
        mark = letter if len(runs) > 1 else ""
        if not has_result(job):
            stand_in(job, SHOWS, letter)
        elif job.config["data"] != run.config["data"]:
            st.info(f"Run {letter} is about other data, {plain_name(job.config['data'])}: it has none of these images.")
        else:
            with waiting:
                question = ask_attention(job, chosen, chosen_layer(run), target)
                answer = answer_of(question, letter, f"Computing the maps{f' of run {mark}' if mark else ''}")
            if answer is not None:
                kind = image_words(lacks_of(job.answer)).lower()
                sides.append(Side(mark, answer, class_names(job.folder), job.config["forget"], kind))
    with layer_place:
        layer_picker(run, sides[0].answer if sides else None)
    st.caption(NOTES[target])
    if sides:
        maps_panel(sides, target)
    else:
        st.skeleton(height=400)


run = frame("Attention", "Where the models look, before and after, on images that you choose.")
shown_runs = pair()
able = [job for _, job in shown_runs if has_result(job)]
if able:
    show(able[0], shown_runs)
else:
    stand_in(run, SHOWS)
