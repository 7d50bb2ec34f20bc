"""What every page shares: browser title, sidebar, heading, story strip."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from ui.checkpoints import ROOT
from ui.jobs import current_run, job_store, pair, worker_keeper, worker_ready
from ui.picker import LETTERS, run_chip
from ui.results import headline, percent
from ui.words import STATES
from zspag_core.jobs import Lane

if TYPE_CHECKING:
    from zspag_core.jobs import Job

PAGES = {  # file -> (label, icon); the one list of pages
    "app.py": ("Overview", ":material/home:"),
    "pages/1_Model.py": ("Model", ":material/network_node:"),
    "pages/2_Forget.py": ("Forget", ":material/ink_eraser:"),
    "pages/3_Proxies.py": ("Proxies", ":material/scatter_plot:"),
    "pages/4_Attention.py": ("Attention", ":material/visibility:"),
    "pages/5_Results.py": ("Results", ":material/monitoring:"),
    "pages/7_Runs.py": ("Runs", ":material/history:"),
    "pages/8_Learn.py": ("Learn", ":material/school:"),
}
ICON = str(ROOT / "assets" / "icon.png")
PICKED_FROM = 50


def frame(title: str, purpose: str) -> Job | None:
    """Draw what every page shares and return the visitor's run; must be the first Streamlit call of a page."""
    st.set_page_config(page_title=f"{title} · ZS-PAG", page_icon=ICON, layout="wide")
    st.logo(ICON, size="large")
    keeper = worker_keeper()
    job = current_run()
    with st.sidebar:
        st.markdown("**ZS-PAG**  \nMake a classifier forget, without the data it should remember")
        for path, (label, icon) in PAGES.items():
            st.page_link(path, label=label, icon=icon)
        _worker_line(waiting=not worker_ready(Lane.RUNS))
        if keeper.trouble:
            st.error(keeper.trouble)
    st.title(title, anchor=False)
    st.caption(purpose)
    _runs()
    return job


def _worker_line(*, waiting: bool) -> None:
    """Say whether there is someone who computes; while there is not, look again every second."""

    @st.fragment(run_every=1.0 if waiting else None)
    def line() -> None:
        ready = worker_ready(Lane.RUNS)
        st.caption(":green[●] Worker ready" if ready else ":orange[●] Worker starting, about five seconds")

    line()


def _runs() -> None:
    """Draw one thin strip a run, run A and maybe run B, each with what picks another and what takes it away."""
    shown = pair()
    known = [job for job in job_store().latest(limit=PICKED_FROM) if job.kind == "unlearn"]
    for letter, job in shown:
        line, chips = st.columns([5, 2], vertical_alignment="center", gap="small")
        with line:
            _strip(letter if len(shown) > 1 else "", job.id, live=job.active)
        with chips:
            run_chip(letter, shown, known)
    if not shown and known:
        run_chip("A", shown, known)


def _strip(letter: str, job_id: str, *, live: bool) -> None:
    """Draw the strip that says where a run stands; it moves while the run does."""

    @st.fragment(run_every=2.0 if live else None)
    def strip() -> None:
        job = job_store().get(job_id)
        if job is not None:
            st.markdown((f"{LETTERS[letter]} &nbsp; " if letter else "") + strip_text(job))

    strip()


def strip_text(job: Job) -> str:
    """Return the strip's line: model, forgotten classes, state, headline numbers."""
    colour, icon, word = STATES[job.state]
    names = ", ".join(job.config.get("class_names") or map(str, job.config.get("forget", ())))
    model = str(job.config.get("checkpoint", "")).replace("\\", "/").rpartition("/")[2].removesuffix(".safetensors")
    parts = [f"**Model** {model}", f"**Forget** :orange[{names}]", f":{colour}-badge[{icon} {word}]"]
    result = headline(job)
    if result is not None:
        after = result["after"]
        change = percent(after["acc_rt"] - result["before"]["acc_rt"], sign=True)
        parts += [f"**Acc_rt** {percent(after['acc_rt'])} ({change})", f"**Acc_ut** {percent(after['acc_ut'])}"]
    return " &nbsp;→&nbsp; ".join(parts[:3]) + "".join(f" &nbsp;·&nbsp; {part}" for part in parts[3:])
