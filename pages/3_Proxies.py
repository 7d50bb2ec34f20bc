from __future__ import annotations

import streamlit as st

from ui.artefacts import class_names
from ui.cloud import span_of
from ui.figures.proxies import MAP_HEIGHT
from ui.frame import frame
from ui.jobs import pair
from ui.palette import COLOURED
from ui.picker import LETTERS
from ui.proxies import TITLES, drawer_panel, find_map, map_panel, numbers_panel, read_map, wait_for_map
from ui.states import has_result, stand_in
from ui.words import GLOSSARY

WHEN = {"before": "Before", "after": "After"}
COLOURS = {"class": "Class", "kind": "Kind"}
PAIR_HEIGHT, PAIR_EXAMPLES = 460, 2

run = frame("Proxies", "Where the stand-ins lie among real images, before and after.")
shows = "The map of proxies among real images"
runs = pair()
if not any(has_result(job) for _, job in runs):
    stand_in(run, shows)
    st.stop()

with st.container(horizontal=True, vertical_alignment="bottom", gap="medium"):
    kind = st.segmented_control(
        "Map",
        list(TITLES),
        default="umap",
        required=True,
        format_func=TITLES.get,
        key="map",
        help=GLOSSARY["UMAP"],
        bind="query-params",
    )
    when = st.segmented_control(
        "Model", list(WHEN), default="before", required=True, format_func=WHEN.get, key="when", bind="query-params"
    )
    colour_by = st.segmented_control(
        "Colour by",
        list(COLOURS),
        default="class",
        required=True,
        format_func=COLOURS.get,
        key="colour",
        bind="query-params",
    )
    names = class_names(next(job.folder for _, job in runs if has_result(job)))
    highlight = None
    if colour_by == "class" and len(names) > COLOURED:
        highlight = st.selectbox(
            "Show a class too",
            range(len(names)),
            index=None,
            format_func=names.__getitem__,
            key="class",
            width=220,
            bind="query-params",
        )
    st.markdown(
        ":gray-badge[:material/visibility: real images: for your eyes only]",
        help="The method never saw them. They are drawn so that you can judge the proxies.",
        width="content",
    )
    waiting = st.container(width="stretch")

ready = {}
for letter, job in runs:
    if has_result(job):
        drawable, pending = find_map(job, kind)
        if pending is not None:
            with waiting:
                wait_for_map(job, pending, letter)
        if drawable:
            ready[letter] = read_map(job, drawable)
if not ready:
    st.skeleton(height=MAP_HEIGHT)
    st.stop()

span = span_of(*(shown.cloud for shown in ready.values()))
shared = {"when": when, "colour_by": colour_by, "span": span, "highlight": highlight}
if len(runs) == 1:
    chart, numbers = st.columns([3, 1], gap="medium")
    with chart:
        picked = map_panel(ready["A"], "", height=MAP_HEIGHT, **shared)
    with numbers:
        numbers_panel(ready["A"])
    drawer_panel(ready["A"], picked)
    st.stop()
if len({(job.config["data"], job.config["checkpoint"]) for _, job in runs}) > 1:
    st.caption("The runs start from different models or data: their maps share the ranges, not what the axes mean.")
for place, (letter, job) in zip(st.columns(2, gap="medium"), runs, strict=True):
    with place:
        st.markdown(f"##### {LETTERS[letter]} Run {job.number}")
        if letter in ready:
            picked = map_panel(ready[letter], letter, height=PAIR_HEIGHT, **shared)
            numbers_panel(ready[letter])
            drawer_panel(ready[letter], picked, examples=PAIR_EXAMPLES)
        elif not has_result(job):
            stand_in(job, shows, letter)
