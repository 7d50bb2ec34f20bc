"""The instant preview: a few forget images attacked with the settings as they stand."""

from __future__ import annotations

import html
from typing import TYPE_CHECKING, Any

import streamlit as st

from ui.figures.palette import FORGOTTEN
from ui.shell.formatting import percent
from ui.shell.jobs import ask_alone, checkpoint_question, job_store
from ui.shell.streamlit_fragments import redrawn
from ui.shell.words import PIXEL_LEVELS, help_for
from zspag_core.jobs import State

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ui.shell.selection import Choice
    from zspag_core.jobs import Job

POLL_SECONDS = 0.25
FIRST = 8  # images of the answer that is there first
KIND = "preview"
SHOWN, DRAWN = "preview_shown", "preview_drawn"
ROWS = (("original", "image"), ("noise", "change, amplified"), ("proxy", "proxy"))
GOOD_ASR, POOR_ASR = 90.0, 50.0


def preview_question(choice: Choice, forget: Sequence[int], settings: Mapping[str, Any], seed: int) -> dict[str, Any]:
    """Return the config of the task `preview`; `settings` are those that the attack reads."""
    about = {"data": choice.data, "forget": sorted(forget), "settings": dict(settings), "seed": seed}
    return checkpoint_question(choice.checkpoint) | about


def preview_panel(question: Mapping[str, Any] | None, names: Sequence[str], *, busy: bool = False) -> bool:
    """Draw the preview; while the worker attacks, the last one stays, faded. Tell whether all of it is there.

    Args:
        question: the task's config; None while no class is ticked.
        names: one name per class.
        busy: whether a run is under way, from which the preview of all images would take the processor: a few do then.
    """
    with st.container(border=True, gap="xsmall"):
        st.markdown("**Instant preview** :gray-badge[up to 64 images]", help=f"{help_for('Proxy')} {help_for('ASR')}")
        if question is None:
            st.caption("Tick a class: its images are attacked here at once, with the settings above.")
            return False
        return _answer(question, names, busy=busy)


def _answer(question: Mapping[str, Any], names: Sequence[str], *, busy: bool) -> bool:
    """Draw the answer for a few images as soon as there is one, and that for all of them in its place."""
    known, waiting = _look(question, busy=busy)

    @redrawn(POLL_SECONDS if waiting else None)
    def answer() -> None:
        now, pending = _look(question, busy=busy)
        if now.state == State.DONE:
            st.session_state[SHOWN] = now.id
            st.html(preview_html(now.answer, names, more=pending))
        elif now.active:
            _meanwhile(names)
        else:
            st.caption(f"No preview: {now.error or 'it was stopped; move a knob to ask again'}")
        if waiting and not pending:
            if st.session_state.get(DRAWN) == now.id:
                st.rerun()  # one look later, so that the page's redraw does not hold the answer up
            st.session_state[DRAWN] = now.id

    answer()
    return known.state == State.DONE and not waiting


def _look(question: Mapping[str, Any], *, busy: bool) -> tuple[Job, bool]:
    """Return the best answer that there is, or the question for the first, and whether a better one is under way.

    64 images of CIFAR-10 take a ResNet about 3.5 s of one core, 8 take 0.6: those are asked first.
    """
    few = {**question, "images": FIRST}
    whole, first = (job_store().recall(KIND, asked) for asked in (question, few))
    if whole is not None and whole.state == State.DONE:
        return whole, False
    if first is None or first.state != State.DONE:
        first = ask_alone(KIND, few)
        return first, first.active
    if busy:
        return first, False
    whole = ask_alone(KIND, question)
    return (whole, False) if whole.state == State.DONE else (first, whole.active)


def _meanwhile(names: Sequence[str]) -> None:
    """Draw the last answer, faded, or the place where the first will stand."""
    shown = st.session_state.get(SHOWN)
    last = job_store().get(shown) if shown else None
    if last is None:
        st.caption("Attacking the first images: the first time takes a few seconds, then less than one.")
        st.skeleton(height=210)
    else:
        st.html(preview_html(last.answer, names, faded=True))


def preview_html(answer: Mapping[str, Any], names: Sequence[str], *, faded: bool = False, more: bool = False) -> str:
    """Return gauge, sizes and examples as HTML that fits the light and the dark theme.

    Args:
        answer: what the task `preview` returned.
        names: one name per class.
        faded: whether it is about settings that have changed since.
        more: whether an answer for more images is on its way.
    """
    style = "opacity:.45;" if faded else ""
    parts = [_gauge(answer, more=more), f'<div style="font-size:.8rem;opacity:.8">{_sizes(answer)}</div>']
    if answer["examples"]:
        parts += [_examples(answer["examples"], names)]
    parts += [f'<div style="font-size:.8rem;opacity:.8">{_landing(answer, names)}</div>']
    return f'<div style="display:grid;gap:.45rem;{style}">{"".join(parts)}</div>'


def asr_word(asr: float) -> str:
    """Say what an attack success rate means for the run."""
    if asr >= GOOD_ASR:
        return "enough proxies for every stage"
    return "some proxies; the rest is known less well" if asr >= POOR_ASR else "too few: little will be protected"


def _gauge(answer: Mapping[str, Any], *, more: bool) -> str:
    """Return the attack success rate as a bar with its number."""
    asr, attempted = float(answer["asr"]), int(answer["attempted"])
    reached = round(asr * attempted / 100)
    follow = "; more follow" if more else ""
    return (
        f'<div role="meter" aria-valuemin="0" aria-valuemax="100" aria-valuenow="{asr:.0f}" '
        f'aria-label="Attack success rate {asr:.0f} percent">'
        f'<div style="display:flex;justify-content:space-between;gap:.5rem;flex-wrap:wrap">'
        f'<strong>ASR {percent(asr)}</strong><span style="font-size:.8rem;opacity:.8">{reached} of {attempted} reach '
        f"another class{follow}</span></div>"
        f'<div style="height:.5rem;border-radius:.25rem;background:linear-gradient(90deg,#2F8FCB {asr:.0f}%,'
        f'rgba(128,128,128,.25) {asr:.0f}%)"></div>'
        f'<div style="font-size:.8rem;opacity:.8">{asr_word(asr)}</div></div>'
    )


def _sizes(answer: Mapping[str, Any]) -> str:
    """Say how large the changes are, and how sure the model is of the proxies."""
    if answer["mean_confidence"] is None:
        return "No attack succeeded: raise the budget or take another attack."
    largest = f'<span title="{help_for("L∞")}">L∞ {float(answer["linf"]) * PIXEL_LEVELS:.1f}/{PIXEL_LEVELS}</span>'
    length = f'<span title="{help_for("L2")}">L2 {float(answer["l2"]):.2f}</span>'
    return f"{largest} · {length} · model sure to {percent(100 * float(answer['mean_confidence']))}"


def _examples(examples: Sequence[Mapping[str, Any]], names: Sequence[str]) -> str:
    """Return a small table: image, change and proxy of every example, and what the model reads in it."""
    cells = []
    for key, title in ROWS:
        cells.append(f'<div style="font-size:.7rem;opacity:.7;line-height:1.1">{title}</div>')
        for example in examples:
            alt = html.escape(f"{title} of an image of {names[example['from']]}, then read as {names[example['to']]}")
            cells.append(
                f'<img src="{html.escape(str(example[key]))}" alt="{alt}" '
                'style="width:100%;image-rendering:pixelated;border-radius:3px;display:block">'
            )
    cells.append('<div style="font-size:.7rem;opacity:.7;line-height:1.1">read as</div>')
    cells += [_reading(example, names) for example in examples]
    columns = f"3.4rem repeat({len(examples)},minmax(0,1fr))"
    return (
        f'<div style="display:grid;grid-template-columns:{columns};gap:3px;align-items:center">{"".join(cells)}</div>'
    )


def _reading(example: Mapping[str, Any], names: Sequence[str]) -> str:
    """Return what the model read before and reads now; where the attack failed, that it still does."""
    before, after = (html.escape(names[example[end]]) for end in ("from", "to"))
    change = f"→ <b>{after}</b>" if example["success"] else "still"
    sure = f"{before}, then {after}; {100 * float(example['confidence']):.0f} percent sure of the class aimed at"
    line = "overflow:hidden;text-overflow:ellipsis;white-space:nowrap"  # a long name is cut off, whole in the title
    return (
        f'<div title="{sure}" style="font-size:.7rem;text-align:center;line-height:1.2">'
        f'<div style="color:{FORGOTTEN};{line}">{before}</div><div style="{line}">{change}</div></div>'
    )


def _landing(answer: Mapping[str, Any], names: Sequence[str]) -> str:
    """Say which classes the proxies land in, most first."""
    counts = sorted(((int(n), int(k)) for k, n in answer["per_class"].items() if n), reverse=True)
    if not counts:
        return ""
    return "Lands in " + ", ".join(f"<b>{html.escape(names[k])}</b> × {n}" for n, k in counts)
