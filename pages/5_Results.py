from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from ui.results.backdoor import backdoor_panel
from ui.results.depth import depth_panel
from ui.results.downloads import downloads_panel
from ui.results.membership import membership_panel
from ui.results.panels import (
    classes_panel,
    labels_panel,
    layers_panel,
    method_panel,
    pair_panel,
    side_by_side,
    story_panel,
)
from ui.results.reference import find_reference
from ui.results.run_view import view_of
from ui.shell.embedding_map import prepare_map
from ui.shell.follow import wait_for
from ui.shell.frame import frame
from ui.shell.jobs import pair
from ui.shell.placeholders import stand_in
from ui.shell.presenting import presenting
from ui.shell.url_params import word_of, write_word

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ui.results.reference import Reference
    from ui.results.run_view import View

PARTS = {
    "Classes": ":material/bar_chart: Classes",
    "Membership": ":material/person_search: Membership",
    "Depth": ":material/straighten: Depth",
    "Layers": ":material/layers: Layers",
    "Labels": ":material/label: Labels",
    "Method": ":material/fence: What the method saw",
    "Downloads": ":material/download: Downloads",
}

SHOWS = "What a run did to each class, what an attacker could still find out, and everything to take away"


def show_part(part: str, views: list[View], references: Mapping[str, Reference]) -> None:
    """Draw one part of the page."""
    if part == "Classes":
        side_by_side(views, lambda view: classes_panel(view, views))
    elif part == "Membership":
        membership_panel(views)
    elif part == "Depth":
        side_by_side(views, lambda view: depth_panel(view, views))
    elif part == "Layers":
        side_by_side(views, lambda view: layers_panel(view, views))
    elif part == "Labels":
        side_by_side(views, labels_panel)
    elif part == "Method":
        side_by_side(views, lambda view: method_panel(view, views))
    else:
        side_by_side(views, lambda view: downloads_panel(view, views, references))


def show(views: list[View], references: Mapping[str, Reference]) -> None:
    """Draw the headlines, then the part that is open."""
    if len(views) == 1:
        story_panel(views[0], references[views[0].letter])
    else:
        pair_panel(views, references)
    if any(view.result.get("backdoor") for view in views):
        side_by_side(views, backdoor_panel, named=len(views) > 1)
    if presenting():
        return
    st.session_state.setdefault("part", PARTS[word_of("part", PARTS, "Classes")])
    tabs = st.tabs(list(PARTS.values()), key="part", on_change="rerun")
    for part, tab in zip(PARTS, tabs, strict=True):
        if tab.open:
            write_word("part", part, usual="Classes")
            with tab:
                show_part(part, views, references)
    for view in views:
        prepare_map(view.job)


frame("Results", "Read what the run did, and what the numbers can tell.")
runs = pair()
views = [view for letter, job in runs if (view := view_of(letter, job)) is not None]
unfinished = [(letter, job) for letter, job in runs if letter not in {view.letter for view in views}]
if not runs:
    stand_in(None, SHOWS)
for letter, job in unfinished:
    stand_in(job, SHOWS, letter)
references = {view.letter: find_reference(view.job) for view in views}
coming = [reference.coming for reference in references.values() if reference.coming is not None]
if coming:
    wait_for(*coming)
if views:
    show(views, references)
