"""What another program's weights do not show, told by the visitor: size and scale of the input, attention heads."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import streamlit as st

from ui.jobs import ask, checkpoint_question, job_store
from ui.model import refusal, wait
from ui.places import about_file, title_of, uploads
from ui.results import counted
from ui.words import help_for
from zspag_core.files import write_json
from zspag_core.jobs import State

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from zspag_core.jobs import Job

    Scale = tuple[tuple[float, ...], tuple[float, ...]]

OTHER = "Other numbers"
COLOUR: dict[str, Scale] = {
    "ImageNet's": ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
    "CIFAR-10's": ((0.4914, 0.4822, 0.4465), (0.247, 0.2435, 0.2616)),
    "CIFAR-100's": ((0.5071, 0.4867, 0.4408), (0.2675, 0.2565, 0.2761)),
    "None: pixels from 0 to 1": ((0.0, 0.0, 0.0), (1.0, 1.0, 1.0)),
    "Pixels from −1 to 1": ((0.5, 0.5, 0.5), (0.5, 0.5, 0.5)),
}
GREY: dict[str, Scale] = {
    "ImageNet's, grey": ((0.449,), (0.226,)),
    "MNIST's": ((0.1307,), (0.3081,)),
    "None: pixels from 0 to 1": ((0.0,), (1.0,)),
    "Pixels from −1 to 1": ((0.5,), (0.5,)),
}
TELLING, TOLD = "telling", "told"
NEEDS_HEADS = "pass heads"
NEEDS_NAMES = "--classes"
"""A word of the sentences that say: nothing tells which of the model's classes these are."""
LARGEST = 1024


def told_file(path: Path) -> Path:
    """Return the checkpoint that stands for an upload since the visitor told what its weights do not show."""
    memory: dict[str, Path] = st.session_state.get(TOLD, {})
    seen = set()
    while str(path) in memory and memory[str(path)].exists() and path not in seen:
        seen.add(path)
        path = memory[str(path)]
    return path


def input_panel(path: Path, about: Job) -> None:
    """Draw what an upload leaves open, to be corrected; nothing for a file that says all itself."""
    if path.parent != uploads():
        return
    _follow(path)
    names_panel(path, about)
    needs_heads = about.state == State.FAILED and NEEDS_HEADS in about.error
    answer = about.answer if about.state == State.DONE else {"open": {"heads": 4}, "assumed": ["heads"]}
    if not answer.get("open") or not (needs_heads or about.state == State.DONE):
        return
    with st.expander(_title(answer), icon=":material/tune:", expanded=needs_heads):
        st.caption(
            "The weights do not show how images are to be prepared. Wrong numbers cost accuracy: compare the headline."
        )
        told, flaw = _form(answer, path.name)
        if flaw:
            st.error(flaw, icon=":material/error:")
        if st.button("Use these", key="tell", disabled=bool(flaw)):
            st.session_state[TELLING] = checkpoint_question(path) | {"told": told}
            st.rerun()  # not a callback: that would see what the controls held before


def names_panel(path: Path, about: Job) -> None:
    """Ask what an upload calls its outputs, where data with some of its classes only cannot be matched without that."""
    said = about.error if about.state == State.FAILED else (about.answer or {}).get("fits") or ""
    if NEEDS_NAMES not in said:
        return
    with st.container(border=True):
        text = st.text_area(
            "Names of the model's classes, one a line",
            key=f"tell-names-{path.name}",
            height=150,
            help="In the order of the network's outputs, as the code that trained it numbered them. Another order "
            "would destroy another class.",
        )
        names = [line.strip() for line in text.splitlines() if line.strip()]
        st.caption(f"{counted(len(names), 'name')}. The data's folders are then matched to these by name.")
        if st.button("Use these names", key="tell-names", disabled=not names):
            st.session_state[TELLING] = checkpoint_question(path) | {"told": {}, "class_names": names}
            st.rerun()


def _title(answer: Mapping[str, Any]) -> str:
    """Say what is assumed, or what was told."""
    parts = []
    if "image_size" in answer["open"]:
        parts.append(f"{answer['open']['image_size']} pixels")
    if "mean" in answer["open"]:
        parts.append(f"normalisation {scale_name(answer['open']['mean'], answer['open']['std']).lower()}")
    if "heads" in answer["open"]:
        parts.append(counted(answer["open"]["heads"], "attention head"))
    return f"{'Assumed' if answer['assumed'] else 'As you told'}: {', '.join(parts)}"


def scale_name(mean: Sequence[float], std: Sequence[float]) -> str:
    """Return the name of a normalisation."""
    known = GREY if len(mean) == 1 else COLOUR
    return next((name for name, scale in known.items() if scale == (tuple(mean), tuple(std))), OTHER)


def _form(answer: Mapping[str, Any], name: str) -> tuple[dict[str, Any], str]:
    """Draw a control for all that is open; return what they say, and what is wrong with it."""
    found, told, flaw = answer["open"], {}, ""
    if "image_size" in found:
        told["image_size"] = st.number_input(
            "Side of an image, pixels", 4, LARGEST, int(found["image_size"]), key=f"tell-size-{name}"
        )
    if "mean" in found:
        scale, flaw = _pick_scale(found["mean"], found["std"], name)
        told |= scale
    if "heads" in found:
        told["heads"] = st.number_input("Attention heads", 1, 64, int(found["heads"]), key=f"tell-heads-{name}")
    return told, flaw


def _pick_scale(mean: Sequence[float], std: Sequence[float], name: str) -> tuple[dict[str, Any], str]:
    """Draw the normalisations; return {"mean", "std"}, and what is wrong with numbers of the visitor's own."""
    known, now = GREY if len(mean) == 1 else COLOUR, scale_name(mean, std)
    options = [*known, OTHER]
    picked = st.selectbox(
        "Normalisation",
        options,
        index=options.index(now),
        key=f"tell-scale-{name}",
        help=help_for("Normalisation"),
    )
    if picked != OTHER:
        return {"mean": list(known[picked][0]), "std": list(known[picked][1])}, ""
    texts = {
        part: st.text_input(f"{title} of each channel", ", ".join(map(str, values)), key=f"tell-{part}-{name}")
        for part, title, values in (("mean", "Mean", mean), ("std", "Deviation", std))
    }
    numbers = {part: numbers_of(text, len(mean)) for part, text in texts.items()}
    if None in numbers.values() or min(numbers["std"] or [0.0]) <= 0:
        return {}, f"Give {len(mean)} number{'s' * (len(mean) > 1)} for each, with commas between; no deviation of 0."
    return numbers, ""


def numbers_of(text: str, count: int) -> list[float] | None:
    """Return the numbers of a text with commas between, None where they are no numbers or not so many."""
    try:
        numbers = [float(part) for part in text.split(",")]
    except ValueError:
        return None
    return numbers if len(numbers) == count and all(abs(number) < 1000 for number in numbers) else None


def _follow(path: Path) -> None:
    """Wait for the file that holds what was told, and take it in the upload's place."""
    question = st.session_state.get(TELLING)
    if question is None or question["checkpoint"] != str(path):
        return
    job = ask("adopt", question)
    if job.active:
        wait(job, "Writing it down")
        return
    st.session_state.pop(TELLING)
    if job.state != State.DONE:
        refusal(job, path)
    elif Path(job.answer["checkpoint"]).exists():
        _replace(path, Path(job.answer["checkpoint"]))
        st.rerun()
    else:
        job_store().delete(job.id)  # the file was cleared away: the next press makes it again


def _replace(path: Path, made: Path) -> None:
    """Let a checkpoint stand for an upload: under the same name, on the same data."""
    write_json(about_file(made), {"title": title_of(path)})
    memory = {old: new for old, new in st.session_state.get(TOLD, {}).items() if old != str(made)}
    st.session_state[TOLD] = memory | {str(path): made}
    way = st.session_state.get(f"data-{path.name}")
    if way is not None:
        st.session_state[f"data-{made.name}"] = way
