"""What another program's weights do not show, told by the visitor: which network it is, how it wants its images."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import streamlit as st

from ui.model.panels import refusal, wait
from ui.shell.formatting import as_sentence, counted, escape
from ui.shell.jobs import ask, checkpoint_question, job_store
from ui.shell.number_field import meant, number_field
from ui.shell.paths import note_made
from ui.shell.words import help_for
from zspag_core.class_names import given_twice, read_class_names
from zspag_core.errors import UsageError
from zspag_core.jobs import Lane, State
from zspag_core.safety import CODE
from zspag_core.visitors.belongings import uploads

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
NAMED_SCALES = {name for name in (*COLOUR, *GREY) if "'s" in name}
STATING, STATED = "telling", "told"
NEEDS_NAMES = "--classes"
"""A word of the sentences that say: nothing tells which of the model's classes these are."""
LARGEST = 1024
FOLDERS = 8
ASKED_LATELY = 50
MOST_SIDE = 4096
STRETCH, CROP = "Stretched to the square", "Shorter side first, then the middle cut out"
INTERPOLATIONS = ("bilinear", "bicubic", "nearest")
GIVEN, ASSUMED = "given", "assumed"
EXAMPLES = "torchvision:resnet18, timm:vit_tiny_patch16_224"
NETWORKS = ("torchvision:", "timm:")
UNCHOSEN, UNNAMED = "Choose one of the networks in the file.", "Give the library and the network's name."
NOT_YET = {UNCHOSEN, UNNAMED}
"""What is missing before anything was said: no fault of the visitor's."""
PARTS = {
    "image_size": "side of an image",
    "mean": "normalisation",
    "std": "normalisation",
    "shorter_side": "how an image becomes square",
    "interpolation": "interpolation",
    "heads": "attention heads",
}
"""Fields of a reading -> what the page calls them."""
ASKS = {
    "network": "The file holds weights, but does not say which network they are of: name it.",
    "entry": "The file holds several networks: choose the one that is meant.",
    "heads": "The weights do not show how many attention heads the network has: say how many.",
}


class UploadState(StrEnum):
    """How far the reading of an upload is: open to data, waiting or asking, changed but not applied, or refused."""

    OPEN = "open"
    WAITING = "waiting"
    CHANGED = "changed"
    REFUSED = "refused"


def stated_file(path: Path) -> Path:
    """Return the checkpoint that stands for an upload since the visitor told what its weights do not show."""
    memory: dict[str, Path] = st.session_state.get(STATED, {})
    seen = set()
    while str(path) in memory and memory[str(path)].exists() and path not in seen:
        seen.add(path)
        path = memory[str(path)]
    return path


def readable(path: Path) -> UploadState:
    """Draw what an upload leaves open, to be told or corrected; return how far its reading is."""
    if path.parent != uploads():
        return UploadState.OPEN
    stated = _is_being_stated(path)
    entry = st.session_state.get(f"tell-entry-{path.name}")
    look = ask("inspect_model", checkpoint_question(path) | ({"entry": entry} if entry else {}))
    if look.active:
        wait(look, "Reading the file")
    elif look.state != State.DONE:
        refusal(look, path)
        return UploadState.REFUSED
    elif "unpacked" in look.answer:
        _replace(path, Path(look.answer["unpacked"]))
        st.rerun()
    else:
        changed = _input_panel(path, look.answer, stated=stated)
        if not look.answer["asks"] and not entry and not stated:  # else what is below would be gone in a moment
            return UploadState.CHANGED if changed else UploadState.OPEN
    return UploadState.WAITING


def tell(path: Path, **said: Any) -> None:  # noqa: ANN401 - what the task `adopt` takes
    """Have an upload written anew with what the visitor said, and draw the page again.

    Questions about the file as it was are stopped: nobody waits for their answers any more, and this one would.
    """
    for job in job_store().latest(Lane.INTERACTIVE, ASKED_LATELY):
        if job.active and job.config.get("checkpoint") == str(path):
            job_store().cancel(job.id)
    st.session_state[STATING] = checkpoint_question(path) | {"told": {}} | said
    st.rerun()  # not a callback: that would see what the controls held before


def _input_panel(path: Path, answer: Mapping[str, Any], *, stated: bool) -> bool:
    """Draw the controls of what the weights do not show; tell whether they were changed and not applied yet.

    Args:
        path: the upload.
        answer: of the task `inspect_model`.
        stated: whether what they hold is being taken over.
    """
    asks = answer["asks"]
    if not asks and not answer["foreign"]:
        return False  # a file that says all itself
    if asks:
        st.warning(ASKS[asks], icon=":material/help:")
    with st.expander(_title(answer), icon=":material/tune:", expanded=bool(asks)):
        if not asks:
            st.caption(
                "The weights do not show how images are to be prepared, and wrong numbers cost accuracy: **Right "
                "answers**, once data is chosen, should come near to what the model reached where it was trained."
            )
        said, flaw = _form(answer, path.name)
        if flaw in NOT_YET:
            st.caption(flaw)
        elif flaw:
            st.error(flaw, icon=":material/error:")
        changed = changes(said, answer)
        if changed and not flaw and not stated:
            st.warning(
                f"**Not applied yet:** {', '.join(changed)}. Every figure is still of what was taken before; press "
                "**Use these**.",
                icon=":material/pending:",
            )
        kind: Literal["primary", "secondary"] = "primary" if changed or asks else "secondary"
        if meant(st.button("Use these", key="tell", type=kind, disabled=bool(flaw) or stated)):
            tell(path, **said)
    return bool(changed)


def changes(said: Mapping[str, Any], answer: Mapping[str, Any]) -> list[str]:
    """Return in words what the controls hold that is not what was taken; nothing where nothing was taken yet.

    Args:
        said: what `adopt` would be told.
        answer: of the task `inspect_model`.
    """
    taken = answer.get("open", {})
    if answer["asks"]:
        return []
    found = {PARTS[part] for part, value in said["told"].items() if _plain(value) != _plain(taken.get(part))}
    network = [f"the network {said['model']}"] if "model" in said else []
    return network + [words for words in dict.fromkeys(PARTS.values()) if words in found]


def _plain(value: object) -> object:
    """Return numbers in a row as a list, so that they compare."""
    return list(value) if isinstance(value, (tuple, list)) else value


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
        names, note, flaw = names_in(text) if text.strip() else ([], "", "")
        if flaw:
            st.error(flaw, icon=":material/error:")
        st.caption(
            f"{counted(len(names), 'name')}. The data's folders{_folders(about)} are then matched to these by name."
            f"{note}"
        )
        if st.button("Use these names", key="tell-names", disabled=not names):
            tell(path, class_names=names)


def names_in(text: str) -> tuple[list[str], str, str]:
    """Return the class names in a text, how their order was taken where that is to be said, and what is wrong."""
    try:
        found = read_class_names(text)
    except UsageError as error:
        return [], "", escape(as_sentence(str(error)))
    if (twice := given_twice(found.names)) is not None:
        return [], "", f"The name {escape(twice)} stands there twice."
    return list(found.names), f" {as_sentence(found.note)}" if found.note else "", ""


def _folders(about: Job) -> str:
    """Name the classes of the data in brackets, where they are known."""
    classes = [described["name"] for described in (about.answer or {}).get("classes", ())]
    more = ", …" if len(classes) > FOLDERS else ""
    return f" ({escape(', '.join(classes[:FOLDERS]))}{more})" if classes else ""


def _title(answer: Mapping[str, Any]) -> str:
    """Say what is assumed, or what was told."""
    if answer["asks"]:
        return "What the file does not say"
    parts = []
    if "image_size" in answer["open"]:
        parts.append(f"{answer['open']['image_size']} pixels")
    if "mean" in answer["open"]:
        name = scale_name(answer["open"]["mean"], answer["open"]["std"])
        numbers = f"{_spread(answer['open']['mean'])} ± {_spread(answer['open']['std'])}"
        parts.append(f"normalisation {numbers if name == OTHER else name if name in NAMED_SCALES else name.lower()}")
    if "heads" in answer["open"]:
        parts.append(counted(answer["open"]["heads"], "attention head"))
    return f"{title_start(answer)}: {', '.join(parts)}"


def _spread(values: Sequence[float]) -> str:
    """Return one number a channel in few letters."""
    return "/".join(f"{value:g}" for value in values)


def title_start(answer: Mapping[str, Any]) -> str:
    """Return how the title of the panel begins in which a person states what the weights do not show."""
    if answer["assumed"]:
        return "Assumed"
    return "As you told" if answer.get("stated", True) else "As its file says"


def scale_name(mean: Sequence[float], std: Sequence[float]) -> str:
    """Return the name of a normalisation."""
    known = GREY if len(mean) == 1 else COLOUR
    return next((name for name, scale in known.items() if scale == (tuple(mean), tuple(std))), OTHER)


def _form(answer: Mapping[str, Any], name: str) -> tuple[dict[str, Any], str]:
    """Draw a control for all that is open; return what the task `adopt` is to be told, and what is wrong with it."""
    said, flaws = _pick_network(answer, name)
    asks, found = answer["asks"], answer.get("open", {})
    if asks == "heads":
        found = {"heads": 4}
    how = {part: ASSUMED if part in answer.get("assumed", [part]) else GIVEN for part in found}
    stated: dict[str, Any] = {}
    if "image_size" in found:
        stated["image_size"] = number_field(
            f"Side of an image, pixels · {how['image_size']}",
            4,
            LARGEST,
            int(found["image_size"]),
            key=f"tell-size-{name}",
        )
    if "mean" in found:
        scale, flaw = _pick_scale(found["mean"], found["std"], name, how["mean"])
        stated |= scale
        flaws.append(flaw)
    if "shorter_side" in found:
        stated |= _pick_resizing(found, name, how, stated.get("image_size", 0))
    if "heads" in found:
        stated["heads"] = number_field(
            f"Attention heads · {how['heads']}", 1, 64, int(found["heads"]), key=f"tell-heads-{name}"
        )
    return said | {"told": _told(stated, found, how, asks)}, next(filter(None, flaws), "")


def _told(stated: Mapping[str, Any], found: Mapping[str, Any], how: Mapping[str, str], asks: str) -> dict[str, Any]:
    """Return what controls say beyond what is assumed: one that nobody touched goes on being tried and asked about.

    Args:
        stated: what the controls hold.
        found: what was taken.
        how: whether that was assumed or given, part by part.
        asks: the part that must be told, or what else the file does not say.
    """
    touched = {part for part, value in stated.items() if _plain(value) != _plain(found.get(part)) or part == asks}
    touched |= {part for part in stated if how.get(part) == GIVEN}
    together = {"mean", "std"} if touched & {"mean", "std"} else set()
    return {part: value for part, value in stated.items() if part in touched | together}


def _pick_network(answer: Mapping[str, Any], name: str) -> tuple[dict[str, Any], list[str]]:
    """Draw which network it is and which one of the file; return {"model", "entry"} as far as told, and flaws."""
    said: dict[str, Any] = {}
    flaws = []
    if answer["entries"]:
        entry = st.selectbox(
            "Which of the networks in the file?", answer["entries"], index=None, key=f"tell-entry-{name}"
        )
        said |= {"entry": entry} if entry else {}
        flaws += ["" if entry or answer["asks"] != "entry" else UNCHOSEN]
    if answer["asks"] == "network" or str(answer.get("network", "")).startswith(NETWORKS):
        known = str(answer.get("network") or next(iter(answer["networks"]), ""))
        text = st.text_input(
            "Which network is it?",
            known,
            key=f"tell-network-{name}",
            placeholder=EXAMPLES,
            help="The library and the name that it gives the network. A Hugging Face model is uploaded as its folder, "
            "zipped, with config.json.",
        ).strip()
        if answer["networks"]:
            st.caption(f"By names and shapes of its tensors it may be {escape(' or '.join(answer['networks']))}.")
        elif answer["asks"]:
            st.caption(f"For example {EXAMPLES}.")
        said |= {"model": text} if text and text != answer.get("network") else {}
        flaws.append(_flaw_of_network(text))
    return said, flaws


def _flaw_of_network(text: str) -> str:
    """Say what is wrong with the name of a network."""
    if not text:
        return UNNAMED
    if text.lower().startswith(CODE):
        return "A class of your own is code, which no browser starts: use it on the command line or from Python."
    if text.startswith("hf:"):
        return "Upload the Hugging Face folder, zipped, with its config.json: it says which network it is."
    return "" if text.startswith(NETWORKS) and text.partition(":")[2] else f"Expected library and name: {EXAMPLES}."


def _pick_resizing(found: Mapping[str, Any], name: str, how: Mapping[str, str], side: int) -> dict[str, Any]:
    """Draw how an image becomes the square that the network takes; return {"shorter_side", "interpolation"}."""
    way = st.selectbox(
        f"An image becomes square · {how['shorter_side']}",
        (STRETCH, CROP),
        index=int(bool(found["shorter_side"]) and side == found.get("image_size", side)),  # a crop is for its own size
        key=f"tell-way-{name}-{side}",
    )
    shorter = 0
    if way == CROP:
        same = side == found.get("image_size", side)
        start = max(side, int(found["shorter_side"]) if same and found["shorter_side"] else round(side * 256 / 224))
        shorter = number_field("Shorter side, pixels", side, MOST_SIDE, start, key=f"tell-shorter-{name}-{side}")
    elif found["shorter_side"] and side != found.get("image_size", side):
        st.caption("A cut-out is for its own size, so with this one nothing is cut out; choose it again where it is.")
    interpolation = st.selectbox(
        f"Interpolation · {how['interpolation']}",
        INTERPOLATIONS,
        index=INTERPOLATIONS.index(found["interpolation"]),
        key=f"tell-interpolation-{name}",
    )
    return {"shorter_side": shorter, "interpolation": interpolation}


def _pick_scale(mean: Sequence[float], std: Sequence[float], name: str, how: str) -> tuple[dict[str, Any], str]:
    """Draw the normalisations; return {"mean", "std"}, and what is wrong with numbers of the visitor's own."""
    known, now = GREY if len(mean) == 1 else COLOUR, scale_name(mean, std)
    options = [*known, OTHER]
    picked = st.selectbox(
        f"Normalisation · {how}",
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


def _is_being_stated(path: Path) -> bool:
    """Wait for the file that holds what was told, and take it in the upload's place; tell whether it is being made."""
    question = st.session_state.get(STATING)
    if question is None or question["checkpoint"] != str(path):
        return False
    job = ask("adopt", question)
    if job.active:
        wait(job, "Taking over what you said")
        return True
    st.session_state.pop(STATING)
    if job.state != State.DONE:
        refusal(job, path)
    elif Path(job.answer["checkpoint"]).exists():
        _replace(path, Path(job.answer["checkpoint"]))
        st.rerun()
    else:
        job_store().delete(job.id)  # the file was cleared away: the next press makes it again
    return False


def _replace(path: Path, made: Path) -> None:
    """Let a checkpoint stand for an upload: under the same name, on the same data."""
    note_made(made, path)
    memory = {old: new for old, new in st.session_state.get(STATED, {}).items() if old != str(made)}
    st.session_state[STATED] = memory | {str(path): made}
    way = st.session_state.get(f"data-{path.name}")
    if way is not None:
        st.session_state[f"data-{made.name}"] = way
