"""What was chosen, left aside or assumed while reading model and data, and which layers no step moves."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING

import streamlit as st

from ui.shell.checkpoints import read_header
from ui.shell.engine_words import for_page
from ui.shell.formatting import as_sentence, counted, escape
from ui.shell.paths import in_words
from zspag_core.errors import CheckpointError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


PLAIN = 2
"""More notes than this are folded."""
NAMED_LAYERS = 6


def notes_panel(notes: Sequence[str], *paths: str | Path) -> None:
    """Draw notes as captions, folded where they are many."""
    names = [in_words(Path(path).name, path) for path in paths]
    lines = [as_sentence(for_page(note, *paths), *names) for note in dict.fromkeys(notes)]
    if len(lines) <= PLAIN:
        for line in lines:
            st.caption(escape(line))
        return
    with st.expander(f"{counted(len(lines), 'note')} on model and data", icon=":material/info:"):
        for line in lines:
            st.caption(escape(line))


def unmoved_panel(unmoved: Mapping[str, str], layers: int) -> None:
    """Count the layers that no step moves, with reasons; nothing where all move."""
    if not unmoved:
        return
    reasons: dict[str, list[str]] = defaultdict(list)
    for name, why in unmoved.items():
        reasons[why].append(name.removeprefix("network."))
    title = f"{counted(len(unmoved), 'layer')} of {layers} will not be moved"
    with st.expander(title, icon=":material/lock:"):
        for why, names in reasons.items():
            more = f" and {len(names) - NAMED_LAYERS} more" if len(names) > NAMED_LAYERS else ""
            st.markdown(f"**{len(names)}**: {escape(why)}. :small[{escape(', '.join(names[:NAMED_LAYERS]))}{more}]")


def carried(path: Path, names: Sequence[str]) -> str:
    """Return a sentence about the backdoor that a model says it carries; empty where it says of none.

    Args:
        path: the checkpoint.
        names: one name a class.
    """
    try:
        planted = read_header(path).backdoor
    except CheckpointError:
        return ""
    source, _, target = planted.partition(":")
    if not (source.isdigit() and target.isdigit() and max(int(source), int(target)) < len(names)):
        return ""
    one, two = escape(names[int(source)]), escape(names[int(target)])
    return (
        f"**Backdoor** planted in training: a white square in the corner turns {one} into {two}. "
        "Forget a class and the Results page shows whether the trigger still works."
    )
