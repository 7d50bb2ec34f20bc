"""Overview: what the app is for, and the way to the first run. Start it with `streamlit run app.py`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from ui.frame import frame
from ui.jobs import job_store, show_run
from ui.results import headline, percent
from ui.words import STATES

if TYPE_CHECKING:
    from zspag_core.jobs import Job


def show_recent(jobs: list[Job]) -> None:
    """Draw the newest runs, each with the way to it."""
    st.markdown("##### Newest runs")
    for job in jobs:
        colour, icon, word = STATES[job.state]
        names = ", ".join(job.config.get("class_names") or map(str, job.config["forget"]))
        line, way = st.columns([5, 1], vertical_alignment="center")
        with line:
            result = headline(job)
            after = result["after"] if result else {}
            numbers = f"Acc_rt {percent(after['acc_rt'])} · Acc_ut {percent(after['acc_ut'])}" if after else ""
            st.markdown(f"Run {job.number} · forget :orange[{names}] :{colour}-badge[{icon} {word}]  \n{numbers}")
        if way.button("Open", key=f"open-{job.id}", width="stretch"):
            show_run(job.id)
            st.switch_page("pages/2_Forget.py")


frame("Overview", "A lab bench for zero-shot machine unlearning.")
story, runs = st.columns([3, 2], gap="large")
with story:
    st.markdown(
        "A classifier was trained on people's pictures, and some of them must go. Retraining needs all the "
        "**remaining** data, which is often gone or locked away. **ZS-PAG** works with the model and the "
        "**forget samples** alone:"
    )
    st.markdown(
        "1. **Proxies.** It nudges forget samples into the other classes: stand-ins for the missing data.\n"
        "2. **Subspace.** From the proxies it finds the directions, layer by layer, that the other classes need.\n"
        "3. **Pseudo-labels.** It chooses what the forget samples should look like instead.\n"
        "4. **Unlearn.** It trains on the new labels, in the free directions only."
    )
    if st.button("Forget a class", type="primary", icon=":material/ink_eraser:", key="begin"):
        st.switch_page("pages/2_Forget.py")
    st.caption(
        "The digits model comes with the app; a run takes about 15 seconds on two cores, without network or GPU."
    )
with runs:
    recent = job_store().latest(limit=5, kind="unlearn")
    if recent:
        show_recent(recent)
    else:
        st.info("No run yet. Your newest runs will be listed here.", icon=":material/history:")
