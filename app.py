"""Overview: what the app is for, and the way to the first run. Start it with `streamlit run app.py`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from ui.overview.pictures import four_pictures
from ui.shell.charts import load_chart_library
from ui.shell.demo import demo_choice, start_demo
from ui.shell.formatting import headline, headline_words
from ui.shell.frame import frame, go_to_meant_page
from ui.shell.jobs import job_store, saying_refusals, show_run
from ui.shell.methods import method_name
from ui.shell.ungraded import is_ungraded, short_estimate
from ui.shell.words import STATES
from zspag_core.shipped import DEMO_CLASS

if TYPE_CHECKING:
    from zspag_core.jobs import Job

SAW = (
    "the original model",
    "the training images of the classes that must go: the **forget samples**",
    "**proxies**, which it makes from those two",
)
GRADING = (
    "every image of the remaining classes",
    "all test images: accuracy, per class",
    "membership inference, probe, relearning: what an attacker could still find",
)


def show_recent(jobs: list[Job]) -> None:
    """Draw the newest runs, each with the way to it."""
    st.markdown("##### Newest runs")
    for job in jobs:
        colour, icon, word = STATES[job.state]
        names = ", ".join(job.config.get("class_names") or map(str, job.config["forget"]))
        result = headline(job)
        numbers = "" if not result else short_estimate(result) if is_ungraded(result) else headline_words(result)
        with st.container(horizontal=True, horizontal_alignment="distribute", vertical_alignment="center"):
            how = method_name(job.config)
            words = f"Run {job.number} · forget :orange[{names}] · {how} :{colour}-badge[{icon} {word}]  \n{numbers}"
            st.markdown(words, width="content")
            opened = st.button("Open", key=f"open-{job.id}")
        if opened:
            show_run(job.id)
            st.switch_page("pages/2_Forget.py")


def show_start() -> None:
    """Draw the demo's button, and the ways to start with one's own choice."""
    demo = demo_choice()
    with st.container(horizontal=True, gap="small", vertical_alignment="center"):
        words = f"Forget the {DEMO_CLASS}s"
        wanted = demo is not None and st.button(words, type="primary", icon=":material/play_arrow:", key="demo")
        if st.button("Forget a class", icon=":material/ink_eraser:", key="begin"):
            st.switch_page("pages/2_Forget.py")
        st.page_link("pages/0_Playground.py", label="Play with it in the plane", icon=":material/joystick:")
        st.page_link("pages/8_Learn.py", label="Learn it in five lessons", icon=":material/school:")
    if demo is not None and wanted:
        with saying_refusals():
            start_demo(demo)
            st.switch_page("pages/2_Forget.py")
    st.caption(
        "One click starts a real run on the digits model that comes with the app: its table stands there after 5 to "
        "20 seconds on two cores, without network or GPU."
    )


def show_fence() -> None:
    """Draw what a zero-shot method may see, and what is kept from it."""
    st.markdown("##### The zero-shot fence")
    saw, grading = st.columns(2, gap="small", border=True)
    saw.markdown("\n".join(["**What the method saw**", "", *(f"- {line}" for line in SAW)]))
    grading.markdown(
        "\n".join(
            ["**For grading only** :gray-badge[:material/lock: never seen]", "", *(f"- {line}" for line in GRADING)]
        )
    )


go_to_meant_page()
frame("Overview", "A lab bench for zero-shot machine unlearning.")
st.markdown(
    "A model was trained on pictures, and some of them must go, say all **3s** of a reader of handwritten digits. "
    "Training anew needs all the **remaining** data, which is often gone or locked away. **ZS-PAG** works with the "
    "model and the 3s alone, the **forget samples**:"
)
st.html(four_pictures())
show_start()
fence, runs = st.columns([3, 2], gap="large")
with fence:
    show_fence()
with runs:
    recent = job_store().latest(limit=5, kind="unlearn")
    if recent:
        show_recent(recent)
    else:
        st.info("No run yet. Your newest runs will be listed here.", icon=":material/history:")
load_chart_library()
