"""The depth of forgetting of a run: what every stage still knows, asked of a worker where the record has it not."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import streamlit as st

from ui.figures import depth as figures
from ui.results.differences import markdown_table
from ui.results.reference import Reference, find_reference
from ui.shell.charts import draw
from ui.shell.follow import task_line
from ui.shell.formatting import percent
from ui.shell.jobs import job_store, may_change, tasks_about
from ui.shell.ungraded import lacks_of
from zspag_core.jobs import Job, Lane, State
from zspag_core.metrics.catalogue import BY_STAGE, INFORMATION_BY_STAGE, OF_WHOLE, PROTOTYPES, in_sentence
from zspag_core.metrics.depth.ends import RETRAINED, with_retrained
from zspag_core.metrics.depth.words import NO_REFERENCES, lacks_references, reach_words, whole_rows

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ui.results.run_view import View

KIND = "depth"
A_ROW = 2
EXTENTS = {"quick": "Measure the depth", "all": "Measure everything"}
HELP = {
    "quick": "Probe, nearest neighbours, bits, prototypes and CKA at every stage: seconds to a minute.",
    "all": "The same in float64 on more images, IDI, relearning with the rest kept and up to four attacks: minutes.",
}
INTRODUCTION = (
    "Accuracy asks the last layer alone. Here every stage is asked, from input to output: what could be read there of "
    "the forgotten classes before, and what after? Where there is a **Retrain**, which never saw them, "
    "a band leads to it."
)


def depth_panel(view: View, peers: Sequence[View]) -> None:
    """Draw what every stage of a run's networks knows, or offer to measure it."""
    if view.after is None:
        st.info("The run was stopped before it could be measured how deep it forgot.", icon=":material/layers_clear:")
        return
    if lacks_of(view.result):
        st.info(
            "How deep a run forgot is measured on training and test images of all classes. This data has not all of "
            "them.",
            icon=":material/layers_clear:",
        )
        return
    st.caption(INTRODUCTION)
    reference = find_reference(view.job)
    found = depth_of(view, reference)
    if found is not None:
        _figures(found, view.letter, alone=len(peers) == 1)
    _asking(view, found, reference)


def depth_of(view: View, reference: Reference) -> Mapping[str, Any] | None:
    """Return what is known of a run's depth: what a worker measured for a page, else what stands in its record.

    Args:
        view: of the run.
        reference: models retrained without its classes; the first one that was asked about the same images is the other
            end of what stands in the run's record.
    """
    done = [task for task in _tasks(view.job) if task.state == State.DONE]
    best = next((task for task in done if task.config["extent"] == "all"), next(iter(done), None))
    known: Mapping[str, Any] | None = view.result.get("depth")
    if best is not None or known is None or RETRAINED in known.get("models", {}):
        return known if best is None else best.answer
    return next((joined for found in reference.depths if (joined := with_retrained(known, found))), known)


def _figures(depth: Mapping[str, Any], letter: str, *, alone: bool) -> None:
    """Draw a figure a measure, two in a row where there is room, and what comes back from a few images."""
    drawn = [*figures.by_stage(depth), figures.likeness(depth)]
    a_row = A_ROW if alone else 1
    for first in range(0, len(drawn), a_row):
        for one, place in zip(drawn[first : first + a_row], st.columns(a_row, gap="large"), strict=False):
            with place:
                draw(one, letter)
    st.markdown(whole_table(depth))
    if words := worst_words(depth):
        st.markdown(words)
    st.caption(images_words(depth))
    if lacks_references(depth):
        st.caption(f"{NO_REFERENCES}.")
    if words := reach_words(depth):
        st.caption(f"{words}.")


def whole_table(depth: Mapping[str, Any]) -> str:
    """Return the figures of the whole models as Markdown."""
    rows = [(title, *(figure or "–" for figure in figures)) for title, figures in whole_rows(depth)]
    if depth.get("idi") is not None:
        rows.append((INFORMATION_BY_STAGE.title, "1", f"{depth['idi']:.2f}", "0"))
    return markdown_table(["", "Before", "After", "Retrain"], rows)


def worst_words(depth: Mapping[str, Any]) -> str:
    """Say where most of what the original knows is left; empty where that is not known."""
    worst = depth.get("worst")
    if not worst:
        return ""
    named = {measure.path[0]: measure.name for measure in (*BY_STAGE, *OF_WHOLE)}
    title = named.get(worst["measure"], f"{PROTOTYPES.name} ({worst['measure'].rpartition('_')[2]} images)")
    where = f" at {worst['stage']}" if worst["stage"] else ""
    return (
        f"**Most is left** of {in_sentence(title)}{where}: {percent(worst['share'])} of the way from Retrain to the "
        "original."
    )


def images_words(depth: Mapping[str, Any]) -> str:
    """Say what was looked at."""
    count = depth["images"]
    return (
        f"Computed in {depth['precision']} on {count['forget_train'] + count['rest_train']:,} training and "
        f"{count['forget_test'] + count['rest_test']:,} test images, {count['forget_test']:,} of them of forgotten "
        f"classes."
    )


def _tasks(job: Job) -> list[Job]:
    """Return the tasks that measure a run's depth, newest first, without those that were cancelled."""
    return [task for task in tasks_about(job, KIND) if task.state != State.CANCELLED]


def _asking(view: View, found: Mapping[str, Any] | None, reference: Reference) -> None:
    """Offer to measure what is not known yet, or say how far that is."""
    task = next(iter(_tasks(view.job)), None)
    if task_line(task, "Measuring the depth", "depth", view.letter):
        return
    if not may_change(view.job):
        return
    if not reference.jobs and RETRAINED not in (found or {}).get("models", {}):
        st.caption("Without a Retrain reference of this model, data and classes nothing says how much could have gone.")
    with st.container(horizontal=True, gap="small"):
        for extent, title in EXTENTS.items():
            if is_open(extent, found, reference.jobs):
                st.button(
                    title,
                    key=f"depth-{extent}-{view.letter}",
                    icon=":material/straighten:",
                    help=HELP[extent],
                    on_click=_submit,
                    args=(view.job, extent, reference.jobs),
                )


def is_open(extent: str, found: Mapping[str, Any] | None, references: Sequence[Job]) -> bool:
    """Tell whether there is something left to measure: all of it, or Retrain as the other end."""
    whole = found is not None and found["precision"] == "float64"
    if found is None or (extent == "all" and not whole):
        return True
    return bool(references) and RETRAINED not in found["models"] and (extent == "all") == whole


def _submit(job: Job, extent: str, references: Sequence[Job]) -> None:
    """Queue the task; it waits its turn with the runs, for it may take minutes."""
    config = {"run": job.id, "extent": extent, "retrained": references[0].id if references else ""}
    job_store().submit(KIND, config, lane=Lane.RUNS, device=job.device)
