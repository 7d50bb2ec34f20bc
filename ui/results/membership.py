"""Membership inference by hand: histograms, a threshold to move, and what it would get right."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import streamlit as st

from ui.figures import membership
from ui.figures.thresholds import ATTACKS, MEASURES, best_threshold, edges_of, judge, judged_member, shares_of
from ui.results.figures import groups_of, moments_of
from ui.results.panels import side_by_side
from ui.shell.charts import draw
from ui.shell.formatting import percent
from ui.shell.segments import one_of
from ui.shell.streamlit_fragments import redrawn
from ui.shell.ungraded import lacks_of, why_ungraded

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from ui.figures.thresholds import ThresholdAttack
    from ui.results.run_view import View

    Groups = dict[str, NDArray[Any]]


@redrawn()
def membership_panel(views: Sequence[View]) -> None:
    """Draw the panel for one run or two; only this part of the page is drawn again when the threshold moves."""
    able = [view for view in views if moments_of(view)]
    for view in [view for view in able if not _has_both(view)]:
        able.remove(view)
        st.info(f"{_run_words(view, views)}{why_ungraded(view.result)}", icon=":material/bar_chart_off:")
    if not able and any(moments_of(view) for view in views):
        return
    if not able:
        st.info("This run left no outputs of single images; runs made from now on do.", icon=":material/bar_chart_off:")
        return
    attack, measure, when = _choose(able)
    wanted = [group for group in (attack.members, attack.strangers, attack.asked) if group]
    groups = [groups_of(view, when, measure, wanted) for view in able]
    if any(set(wanted) - set(found) for found in groups):
        st.info("One of the groups has no images, so there is nothing to compare.", icon=":material/bar_chart_off:")
        return
    edges = edges_of({f"{place}-{group}": part for place, found in enumerate(groups) for group, part in found.items()},
                     measure)  # fmt: skip
    best = best_threshold(groups[0][attack.members], groups[0][attack.strangers], edges, measure)
    threshold = st.select_slider(
        f"Threshold: {membership.AXES[measure]}",
        edges,
        value=best,
        format_func=lambda value: f"{value:.3g}",
        key=f"threshold-{attack.members}-{measure}-{when}-{len(able)}",
        help="Drag it. It starts where this attack does best.",
    )
    top = max(share for found in groups for part in found.values() for share in shares_of(part, edges))
    side_by_side(able, lambda view: _run(view, attack, measure, when, edges, threshold, top))
    st.caption(
        f"{attack.sentence} The cards' figures come from stronger attacks (a support vector machine, cross-validated "
        "regression); this one is simple enough to see."
    )


def _has_both(view: View) -> bool:
    """Tell whether a run has images that were trained on and others that were not, of the same classes."""
    groups = groups_of(view, moments_of(view)[-1], "loss")
    pairs = ({attack.members, attack.strangers} for attack in ATTACKS.values())
    return any(pair <= set(groups) for pair in pairs) or not lacks_of(view.result)


def _run_words(view: View, views: Sequence[View]) -> str:
    """Name the run that a sentence is about, where the page shows two."""
    return f"Run {view.letter}: " if len(views) > 1 else ""


def _choose(views: Sequence[View]) -> tuple[ThresholdAttack, str, str]:
    """Draw the choices: whom the attack compares, by what, before or after."""
    moments = [when for when in ("before", "after") if all(when in moments_of(view) for view in views)]
    with st.container(horizontal=True, vertical_alignment="bottom", gap="medium"):
        titles = {name: attack.title for name, attack in ATTACKS.items()}
        attack = one_of("Question", titles, key="attack", start="same", width="content")
        measure = one_of("Measure", MEASURES, key="measure", start="loss", width="content")
        when = one_of("Model", moments, key="when", start=moments[-1], width="content")
    return ATTACKS[attack], measure, when


def _run(
    view: View, attack: ThresholdAttack, measure: str, when: str, edges: Sequence[float], threshold: float, top: float
) -> None:
    """Draw one run's histogram, and what the threshold gets right."""
    wanted = [group for group in (attack.members, attack.strangers, attack.asked) if group]
    groups = groups_of(view, when, measure, wanted)
    verdict = judge(groups[attack.members], groups[attack.strangers], threshold, measure)
    figures = [
        ("Accuracy", verdict.accuracy, "Both groups count the same: 50 % is a coin toss."),
        ("True positive rate", verdict.members_found, "Images that were trained on and are judged so."),
        ("False positive rate", verdict.false_alarms, "Images that were never seen, yet are judged trained on."),
    ]
    if attack.asked:
        share = judged_member(groups[attack.asked], threshold, measure)
        figures.append(("Forgotten judged trained on", share, "The forgotten training images, by the same threshold."))
    with st.container(horizontal=True, gap="medium"):
        for title, value, words in figures:
            st.metric(title, percent(value), help=words, width="content")
    draw(membership.scores(groups, edges, measure, when, threshold=threshold, top=top), view.letter)
