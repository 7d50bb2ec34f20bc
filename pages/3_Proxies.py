from __future__ import annotations

from typing import TYPE_CHECKING, Any

import streamlit as st

from ui.figures.palette import COLOURED
from ui.figures.points import span_of
from ui.figures.proxies import MAP_HEIGHT
from ui.proxies.panels import TITLES, drawer_panel, map_panel, numbers_panel, picked_beside, share_images, wait_for_map
from ui.shell.artifacts import class_names
from ui.shell.embedding_map import Shown, find_map, read_map
from ui.shell.frame import frame
from ui.shell.jobs import pair
from ui.shell.placeholders import has_result, stand_in
from ui.shell.run_picker import LETTERS
from ui.shell.segments import one_of
from ui.shell.ungraded import lacks_of
from ui.shell.words import GLOSSARY

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from streamlit.delta_generator import DeltaGenerator

    from zspag_core.jobs import Job

    Runs = Sequence[tuple[str, Job]]

WHEN = {"before": "Before", "after": "After"}
COLOURS = {"class": "Class", "kind": "Kind"}
PAIR_HEIGHT, PAIR_EXAMPLES = 460, 2
SHOWS = "The map of proxies among real images"


def show(runs: Runs) -> None:
    """Draw the controls and the maps that are ready, each with its numbers and what is selected on it."""
    with st.container(horizontal=True, vertical_alignment="bottom", gap="medium"):
        kind = one_of("Map", TITLES, key="map", start="umap", help=GLOSSARY["UMAP"], bind="query-params")
        look = pick_look(runs)
        real_badge(runs)
        waiting = st.container(width="stretch")
    ready = maps_of(runs, kind, waiting)
    if not ready:
        st.skeleton(height=MAP_HEIGHT)
        return
    look["span"] = span_of(*(shown.cloud for shown in ready.values()))
    if len(runs) == 1:
        show_one(ready["A"], look)
    else:
        show_pair(runs, ready, look)


def real_badge(runs: Runs) -> None:
    """Say what the real images on the maps are: for the eyes only, or images to forget where there are no others."""
    if any("retain_test" in lacks_of(job.answer) for _, job in runs if has_result(job)):
        st.markdown(
            ":violet-badge[:material/visibility: the only real images are those to forget]",
            help="The data has no test images of the remaining classes: the map is laid out by the images to forget "
            "and the proxies together.",
            width="content",
        )
        return
    st.markdown(
        ":gray-badge[:material/visibility: real images: for your eyes only]",
        help="The method never saw them. They are drawn so that you can judge the proxies.",
        width="content",
    )


def pick_look(runs: Runs) -> dict[str, Any]:
    """Draw what the map may show; return it as keywords of `map_panel`."""
    when = one_of("Model", WHEN, key="when", bind="query-params")
    colour_by = one_of("Colour by", COLOURS, key="colour", bind="query-params")
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
    return {"when": when, "colour_by": colour_by, "highlight": highlight}


def maps_of(runs: Runs, kind: str, waiting: DeltaGenerator) -> dict[str, Shown]:
    """Return the maps that can be drawn, by letter; say in `waiting` how long a better one still takes."""
    ready = {}
    for letter, job in runs:
        if has_result(job):
            drawable, pending = find_map(job, kind)
            if pending is not None:
                with waiting:
                    wait_for_map(job, pending, letter, drawable)
            if drawable:
                ready[letter] = read_map(job, drawable)
    return ready


def show_one(shown: Shown, look: Mapping[str, Any]) -> None:
    """Draw one run's map with its numbers beside it, and what is selected below."""
    chart, numbers = st.columns([3, 1], gap="medium")
    with chart:
        picked = map_panel(shown, "", height=MAP_HEIGHT, **look)
    with numbers:
        numbers_panel(shown)
    drawer_panel(shown, picked)


def show_pair(runs: Runs, ready: Mapping[str, Shown], look: Mapping[str, Any]) -> None:
    """Draw two runs beside each other on the same ranges; real images picked on one map stand out on both."""
    if len({(job.config["data"], job.config["checkpoint"]) for _, job in runs}) > 1:
        st.caption("The runs start from different models or data: their maps share the ranges, not what the axes mean.")
    places = dict(zip("AB", st.columns(2, gap="medium"), strict=True))
    shared = share_images(ready)
    beside = picked_beside(ready) if shared else {letter: [] for letter in ready}
    picked = {}
    for letter, job in runs:
        with places[letter]:
            st.markdown(f"##### {LETTERS[letter]} Run {job.number}")
            if letter in ready:
                picked[letter] = map_panel(ready[letter], letter, height=PAIR_HEIGHT, marked=beside[letter], **look)
            elif not has_result(job):
                stand_in(job, SHOWS, letter)
    for letter, own in picked.items():
        points = sorted({*own, *beside[letter]})
        with places[letter]:
            numbers_panel(ready[letter])
            drawer_panel(ready[letter], points, examples=PAIR_EXAMPLES, maps=list(ready.values()) if shared else None)


run = frame("Proxies", "Where the stand-ins lie among real images, before and after.")
shown_runs = pair()
if any(has_result(job) for _, job in shown_runs):
    show(shown_runs)
else:
    stand_in(run, SHOWS)
