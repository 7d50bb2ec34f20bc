"""What the Results page draws of one run, or of two side by side on the same axes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from ui.figures import layers
from ui.results.differences import figure_differences, markdown_table, own_settings, setting_differences
from ui.results.fence import kept_for_grading, needs_retain, seen_by_method
from ui.results.figures import classes_of, history_of, layers_of, predictions_of, taught_of
from ui.results.grading import grading_line
from ui.results.reference import order_reference
from ui.results.relearning import relearning_line
from ui.results.run_view import listed
from ui.results.summary import cards, standing_of, tell
from ui.shell.charts import BADGE, draw
from ui.shell.formatting import escape, setting_text
from ui.shell.headline_cards import ESTIMATES_A_ROW, draw_cards, estimate_panel
from ui.shell.jobs import job_store, may_change
from ui.shell.methods import method_name
from ui.shell.questions import show_questions
from ui.shell.run_picker import LETTERS
from ui.shell.ungraded import is_ungraded, lacks_of
from ui.shell.words import GRADING_NOTE, MASK_NOTE, STAGES, help_for, knob_label

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from ui.figures.drawn import Drawn
    from ui.results.reference import Reference
    from ui.results.run_view import View

CARDS, CARDS_OF_TWO, ESTIMATES_OF_TWO = 5, 3, 2  # in a row
NO_CLASSES = (
    "Accuracy by class, and what is read as what, are counted on test images. The data has none, so they appear here "
    "once the run is graded."
)
NO_FIGURES = "The figure of all percentages appears here once the run is graded."


def side_by_side(views: Sequence[View], panel: Callable[[View], None], *, named: bool = True) -> None:
    """Draw a panel for every run, each in a column of its own, under the run's name if `named`."""
    for view, place in zip(views, st.columns(len(views), gap="large"), strict=True):
        with place:
            if len(views) > 1 and named:
                names = escape(listed(view.names, view.forget))
                st.markdown(f"{LETTERS[view.letter]} {escape(view.title)} · forget :orange[{names}]")
            panel(view)


def story_panel(view: View, reference: Reference) -> None:
    """Draw what one result means: what the run asks, headline cards, sentences, all figures on one scale."""
    _questions(view)
    _ungraded(view, ESTIMATES_A_ROW)
    _cards(view, reference, CARDS)
    words, picture = st.columns([2, 3], gap="large")
    with words:
        _words(view, reference)
    with picture:
        draw(standing_of(view, reference), view.letter, NO_FIGURES)


def _questions(view: View) -> None:
    """Draw what a run asks."""
    show_questions(view.job, job_store().events(view.job.id, kind="note"))


def _ungraded(view: View, a_row: int) -> None:
    """Say why a run is not graded, draw its estimates, so many in a row, and offer to grade it."""
    if not lacks_of(view.result):
        return
    estimate_panel(view.result, a_row)
    grading_line(view)


def pair_panel(views: Sequence[View], references: Mapping[str, Reference]) -> None:
    """Draw the same for two runs, row by row, and then what is different."""
    side_by_side(views, _questions, named=False)
    if any(lacks_of(view.result) for view in views):
        side_by_side(views, lambda view: _ungraded(view, ESTIMATES_OF_TWO), named=False)
    with st.container(key="narrow-cards"):
        side_by_side(views, lambda view: _cards(view, references[view.letter], CARDS_OF_TWO))
    side_by_side(views, lambda view: _words(view, references[view.letter]), named=False)
    side_by_side(
        views, lambda view: draw(standing_of(view, references[view.letter]), view.letter, NO_FIGURES), named=False
    )
    difference_panel(*views)


def difference_panel(one: View, two: View) -> None:
    """Draw what was set differently in two runs, and what came out."""
    settings, figures = st.columns([2, 3], gap="large")
    with settings:
        st.markdown("##### What was set differently")
        rows = setting_differences(one, two)
        if rows:
            st.markdown(markdown_table(["", "A", "B"], rows))
        else:
            st.caption("Nothing: the two runs had the same settings, seed and device.")
        for sentence in own_settings(one, two):
            st.caption(sentence)
    with figures:
        st.markdown(f"##### What came out {BADGE}")
        st.markdown(markdown_table(["", "A", "B", "B − A"], figure_differences(one, two)))


def classes_panel(view: View, peers: Sequence[View]) -> None:
    """Draw accuracy by class and what is read as what."""
    bars, matrix = classes_of(view, peers), predictions_of(view, peers)
    if bars is None and matrix is None and lacks_of(view.result):
        st.info(NO_CLASSES, icon=":material/bar_chart_off:")
        return
    draw(bars, view.letter, NO_CLASSES)
    draw(matrix, view.letter, "This run left no outputs to count what is read as what.")


def layers_panel(view: View, peers: Sequence[View]) -> None:
    """Draw what was protected, what moved, and how much of the gradient was free."""
    records = layers_of(view)
    history = view.result.get("history") or []
    if records:
        rewritten = layers.rewritten_layers(records)
        kept = [record for record in records if record["name"] not in rewritten]
        _warn(layers.locked_layers(kept), layers.bare_layers(kept), rewritten, len(records))
        top = max(layers.largest_drift(layers_of(peer)) for peer in peers if layers_of(peer))
        _beside([layers.ranks(records), layers.drifts(records, top)], view.letter, alone=len(peers) == 1)
        leak = max((record["leak"] or 0.0 for record in kept), default=0.0)
        others = " of the other layers" if rewritten else ""
        st.caption(f"Largest leak ‖ΔW·S‖ / ‖W‖{others}: {leak:.1e}. {help_for('Leak')}")
    elif view.after is None:
        st.info("The run was stopped before its layers were compared.", icon=":material/layers_clear:")
    else:
        st.info(
            f"{method_name(view.result)} protects no directions, so every weight was free to move. Run ZS-PAG "
            "to see protected and free space layer by layer.",
            icon=":material/layers_clear:",
        )
    total = max((row["epoch"] for peer in peers for row in peer.result.get("history") or ()), default=1)
    gradient = layers.free_gradient(history, total)
    if gradient is not None:
        draw(gradient, view.letter)
        st.caption(
            "How much of each step the projection lets through. Near 0: the classes share what would have to go."
        )


def labels_panel(view: View) -> None:
    """Draw what the forgotten classes were taught to be."""
    figures = taught_of(view)
    if not figures:
        st.info(
            f"{method_name(view.result)} teaches no new labels. ZS-PAG and posterior labels do.",
            icon=":material/label_off:",
        )
        return
    for drawn in figures:
        draw(drawn, view.letter)
    about = view.result.get("labels") or {}
    if len(figures) > 1:
        st.caption(
            "Blue labels are predicted to lower the loss of the proxies, red ones to raise it: an estimate to first "
            f"order, from proxies alone. {help_for('Influence')}"
        )
        parts = [
            f"{title} {about[key]:.3g}"
            for key, title in (
                ("influence_before", "Predicted change with posterior labels"),
                ("influence_after", "with these labels"),
                ("residual", "residual of the solver"),
                ("projected_share", "share of the direction that free steps can follow"),
            )
            if about.get(key) is not None
        ]
        st.caption(" · ".join(parts))
    else:
        st.caption(f"Label mode: {about.get('mode', 'unknown')}. {help_for('Pseudo-label')}")


def method_panel(view: View, peers: Sequence[View]) -> None:
    """Draw the fence, the epochs, the seconds and the settings."""
    alone = len(peers) == 1
    left, right = st.columns(2, gap="small") if alone else (st.container(), st.container())
    with left, st.container(border=True, height="stretch"):
        zero_shot = ":red-badge[needs remaining data]" if needs_retain(view) else ":green-badge[zero-shot]"
        st.markdown(f"**What the method saw** {zero_shot}")
        st.markdown("\n".join(f"- {line}" for line in seen_by_method(view)))
    with right, st.container(border=True, height="stretch"):
        st.markdown(f"**What judged it afterwards** {BADGE}")
        st.markdown("\n".join(f"- {line}" for line in kept_for_grading(view)))
        if not is_ungraded(view.result):
            st.caption(GRADING_NOTE)
    top = max((spent or 0.0) for peer in peers for spent in peer.result["seconds"].values())
    last = max((row["epoch"] for peer in peers for row in peer.result.get("history") or ()), default=1)
    seconds = layers.stage_seconds(view.result["seconds"], STAGES, top)
    epochs = history_of(view, last)
    _beside([seconds] if epochs is None else [epochs, seconds], view.letter, alone=alone)
    with st.expander("All settings"):
        used = {"seed": view.result["seed"], "device": view.result["device"], **view.result["config"]}
        rows = [(knob_label(name), escape(setting_text(value))) for name, value in used.items()]
        st.markdown(markdown_table(["Setting", "Value"], rows))


def _beside(figures: Sequence[Drawn], letter: str, *, alone: bool) -> None:
    """Draw figures beside each other, or one under the other where the page shows two runs."""
    places = st.columns(len(figures), gap="large") if alone else [st.container() for _ in figures]
    for drawn, place in zip(figures, places, strict=True):
        with place:
            draw(drawn, letter)


def _words(view: View, reference: Reference) -> None:
    """Draw the story in sentences, and where the references come from."""
    for sentence in tell(view, reference):
        st.markdown(sentence)
    if not is_ungraded(view.result):
        st.caption(MASK_NOTE)
    _reference_line(view, reference)
    relearning_line(view.job, view.result, view.letter)


def _cards(view: View, reference: Reference, a_row: int) -> None:
    """Draw the headline numbers, so many in a row."""
    draw_cards(cards(view, reference), a_row)


def _reference_line(view: View, reference: Reference) -> None:
    """Say where the grey band comes from, or how to get one."""
    if reference.known:
        st.caption(f"**Retrain** (grey band) is {reference.source}, trained without the class. {help_for('Retrain')}")
    if reference.coming is not None:
        coming = reference.coming
        st.caption(
            f"The Retrain reference is on its way: run {coming.number}, {coming.state}. It appears here by itself."
        )
    elif not reference.known and not view.own_remaining:
        st.caption(f"**Retrain** is not known: {_why_no_retrain(view)}")
    elif not reference.known and view.result["method"] != "retrain":
        st.caption(
            "**Retrain** is not known for this model, data and choice of classes. It needs the remaining data, is for "
            "grading only, and takes as long as training did."
        )
        if may_change(view.job):
            st.button(
                "Make the Retrain reference",
                key=f"reference-{view.letter}",
                icon=":material/model_training:",
                on_click=order_reference,
                args=(view.job.config,),
            )


def _why_no_retrain(view: View) -> str:
    """Say why nobody can retrain for a run whose own data has images to forget alone."""
    if "graded_with" in view.result:
        return (
            "it would be trained on the run's own data, which has no training images of the remaining classes; what "
            "was brought to grade with only grades."
        )
    return "it needs training images of the remaining classes, and this data has none."


def _warn(locked: Sequence[str], bare: Sequence[str], rewritten: Sequence[str], count: int) -> None:
    """Point to layers that cannot move, to layers that nothing protects, and to those with new weights."""

    def which(names: Sequence[str]) -> str:
        return "every layer" if len(names) == count else ", ".join(f"`{name}`" for name in names)

    if locked:
        st.warning(
            f"**Nothing can move here:** {which(locked)}. All directions are protected; a lower energy threshold τ "
            "frees some.",
            icon=":material/lock:",
        )
    if bare:
        st.warning(
            f"**Unprotected:** {which(bare)}. No direction is protected, so the remaining classes are at risk there.",
            icon=":material/lock_open:",
        )
    if rewritten:
        st.info(
            f"**Rewritten:** {which(rewritten)}. Narrowing gave them new weights after the descent, whatever was "
            "protected there, so they have no drift below.",
            icon=":material/edit:",
        )
