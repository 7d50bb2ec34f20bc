"""The backdoor of a run: whether a planted trigger still works, with triggered images and what is read in them."""

from __future__ import annotations

import html
from typing import TYPE_CHECKING, Any

import streamlit as st

from ui.figures.pictures import data_url
from ui.shell.artifacts import load_arrays
from ui.shell.formatting import escape, percent
from ui.shell.words import help_for

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ui.results.run_view import View
    from ui.shell.artifacts import Arrays

SHOWN, SIDE = 8, 84


def backdoor_panel(view: View) -> None:
    """Draw what the trigger does before and after; nothing for a model without a backdoor."""
    about = view.result.get("backdoor")
    if not about:
        return
    with st.container(border=True):
        st.markdown(
            "**The planted backdoor** :gray-badge[for grading only]",
            help=f"{help_for('Backdoor')} {help_for('Attack accuracy')}",
        )
        words, pictures = st.columns([2, 3], gap="large")
        with words:
            left, right = st.columns(2)
            left.metric("Trigger works · before", percent(about["before"]))
            right.metric(
                "Trigger works · after",
                percent(about["after"]),
                _change(about),
                delta_color="inverse" if _change(about) else "off",
            )
            st.markdown(tell(about, view.names, view.forget))
        arrays = load_arrays(view.job.folder, "backdoor")
        with pictures:
            if arrays is None:
                st.caption("This run has lost its triggered images.")
            else:
                st.html(triggered_html(arrays, view.names, int(about["target"])))
                st.caption("Test images with the trigger, the white square; under each what is read before and after.")


def _change(about: Mapping[str, Any]) -> str | None:
    """Write the change of the attack accuracy in points."""
    if about["before"] is None or about["after"] is None:
        return None
    return f"{about['after'] - about['before']:+.1f} points"


def tell(about: Mapping[str, Any], names: Sequence[str], forget: Sequence[int]) -> str:
    """Say what was planted and what is left of it.

    Args:
        about: what result.json says under "backdoor".
        names: one name a class.
        forget: the forgotten classes.
    """
    source, target = (escape(names[about[part]]) for part in ("source", "target"))
    planted = f"A white square in the corner turns **{source}** into **{target}**: that was planted in training."
    if about["after"] is None:
        return f"{planted} The run was stopped before it was tried again."
    gone = "hardly ever" if about["after"] <= 5 else "less often" if about["after"] < about["before"] else "as before"
    whose = "" if about["target"] in forget else f" {target} itself was not forgotten in this run."
    return f"{planted} After unlearning the trigger works {gone}.{whose}"


def triggered_html(arrays: Arrays, names: Sequence[str], target: int) -> str:
    """Return triggered images, each with what is read before and after, as HTML that fits both themes."""
    images, before = arrays["images"][:SHOWN], arrays["before"]
    after = arrays.get("after")
    cells = []
    for place, image in enumerate(images):
        reads = [("before", int(before[place]))] + ([] if after is None else [("after", int(after[place]))])
        lines = "<br>".join(
            f"{when} <b{' class=zs-forgotten' if read == target else ''}>{html.escape(names[read])}</b>"
            for when, read in reads
        )
        said = html.escape("A triggered image, read as " + ", ".join(f"{names[read]} {when}" for when, read in reads))
        picture = data_url(image, SIDE)
        cells.append(
            f'<figure style="margin:0;width:5.3rem;font-size:.8rem;line-height:1.3;overflow-wrap:anywhere">'
            f'<img class="zs-picture" src="{picture}" alt="{said}"><figcaption>{lines}</figcaption></figure>'
        )
    return f'<div style="display:flex;flex-wrap:wrap;gap:.7rem">{"".join(cells)}</div>'
