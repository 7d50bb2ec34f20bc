"""Where a visitor takes model and data from: the pickers of the Model page."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import streamlit as st

from ui.model.input_panel import stated_file
from ui.shell.checkpoints import read_header, shipped_checkpoints
from ui.shell.data_picker import FILES, FOLDER, WORDS, folder_data, kept_upload, known_data, uploaded_data
from ui.shell.engine_words import for_page
from ui.shell.formatting import escape
from ui.shell.paths import (
    OWN,
    UPLOAD,
    allowed_roots,
    data_of,
    open_path,
    plain_name,
    title_of,
    token_of,
    trained_checkpoints,
)
from ui.shell.selection import own_data
from ui.shell.uploads import MODEL_MB, keep_checkpoint, keep_server_model
from ui.shell.url_params import word_of, write_word
from zspag_core.checkpoints.kinds import may_hold_weights, other_file
from zspag_core.errors import CheckpointError, ZspagError
from zspag_core.visitors.belongings import uploads

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ui.shell.selection import Choice

SHIPPED, TRAINED, UPLOADED, NEW = "Shipped", "Yours", "Upload", "Train"
SOURCES = (SHIPPED, TRAINED, UPLOADED, NEW)
THE_MODELS = "own"


def pick_source(choice: Choice | None, *, training: bool) -> str:
    """Draw the ways to a model and return the one taken: at first that of a training looked at, or of the choice."""
    start = SHIPPED
    if training:
        start = NEW
    elif choice is not None:
        token = token_of(choice.checkpoint)
        start = TRAINED if token.startswith(OWN) else UPLOADED if token.startswith(UPLOAD) else SHIPPED
    st.session_state.setdefault("source", word_of("source", SOURCES, start))
    source: str = st.segmented_control(
        "Model", SOURCES, required=True, key="source", label_visibility="collapsed", width="stretch"
    )
    write_word("source", source, usual=start)
    return source


def pick_model(source: str, choice: Choice | None) -> Path | None:
    """Draw what belongs to a source; return the model's file, None while there is none."""
    if source == UPLOADED:
        upload = _uploaded_model(choice)
        return stated_file(upload) if upload is not None else None
    paths = shipped_checkpoints() if source == SHIPPED else trained_checkpoints()
    if not paths:
        hint = "Press **Train** above: what you train is listed here." if source == TRAINED else "Upload or train one."
        st.info(f"There is no model here yet. {hint}", icon=":material/info:")
        return None
    named, key = {token_of(path): path for path in paths}, f"model-{source}"
    chosen = token_of(choice.checkpoint) if choice is not None else ""
    if st.session_state.get(key) not in paths:
        st.session_state[key] = named.get(word_of("look", named, chosen), paths[0])
    path: Path = st.selectbox("Model", paths, format_func=_model_line, key=key)
    write_word("look", token_of(path), usual=chosen)
    return path


def pick_data(path: Path | None, choice: Choice | None) -> str | None:
    """Draw the ways to data; return its name or path, None while there is none.

    Args:
        path: the model that the data is for, None when a model is to be trained on it.
        choice: what the visitor works with; its data is offered first where it goes with this model.
    """
    own, kept = _own(path), _kept_data(path, choice)
    named = {name: data_of(name) for name in known_data()}
    options = [*([THE_MODELS] if own else []), *named, FILES, FOLDER]
    words = WORDS | {THE_MODELS: f"{plain_name(own or '')}, what it was trained on"}
    way = st.selectbox(
        "Data",
        options,
        index=_start(kept, own, named, options) if kept or own or path is None else None,
        format_func=lambda option: words.get(option, option),
        placeholder="Choose what it shall be tested on",
        key=f"data-{path.name if path else 'new'}",
    )
    if way == FILES:
        return uploaded_data(kept)
    if way == FOLDER:
        return folder_data(kept)
    return own if way == THE_MODELS else named.get(way or "")


def _kept_data(path: Path | None, choice: Choice | None) -> str | None:
    """Return the data that the visitor works with, if it is with this model."""
    return choice.data if choice is not None and choice.checkpoint == path else None


def _start(kept: str | None, own: str | None, named: Mapping[str, str], options: Sequence[str]) -> int:
    """Return which way to data is taken at first."""
    if kept is None or kept == own:
        return 0
    name = next((name for name, data in named.items() if data == kept), None)
    way = name or (FILES if Path(kept).parent == uploads() else FOLDER)
    return options.index(way)


def _model_line(path: Path) -> str:
    """Return a model's line in a list."""
    try:
        return read_header(path).title
    except CheckpointError:
        return title_of(path)


def _own(path: Path | None) -> str | None:
    """Return the data that a model was trained on, where its file says so and the data is here."""
    if path is None:
        return None
    try:
        return own_data(read_header(path))
    except ZspagError:
        return None


def _uploaded_model(choice: Choice | None) -> Path | None:
    """Draw the box for a checkpoint; return the file kept, or the upload that the visitor works with already.

    The box is not told which endings are right: it would answer a wrong one with an exception, we with a sentence.
    """
    upload = st.file_uploader(
        "Checkpoint",
        max_upload_size=MODEL_MB,
        key="upload-model",
        help="Weights of a network of torchvision or timm in any file that torch.save or safetensors writes, a zipped "
        "model folder of Hugging Face or timm, or a model saved by this program. No code in the file is run.",
    )
    if upload is not None:
        return kept_upload(upload.file_id, lambda: _weights(keep_checkpoint(upload)))
    if (there := _server_model()) is not None:
        return there
    if choice is not None and choice.checkpoint.parent == uploads():
        st.caption(f"In use: {escape(choice.title)}")
        return choice.checkpoint
    st.caption(
        f"A file of weights (.pt, .pth, .ckpt, .bin, .safetensors, …) or a zipped model folder, at most {MODEL_MB} MB. "
        "Its data is asked for next: a set that is here, an upload of your own or a folder."
    )
    return None


def _weights(path: Path) -> Path:
    """Return an upload whose first bytes may be weights: for any other no worker needs to be asked.

    Raises:
        CheckpointError: it says what the file is.
    """
    if path.is_file() and not may_hold_weights(path):
        raise CheckpointError(for_page(f"{path.name}: {other_file(path)}", path))
    return path


def _server_model() -> Path | None:
    """Draw the field for a model that lies on the server; return a copy of it, None while there is none."""
    roots = [str(root) for root in allowed_roots()]
    if not roots:
        return None
    text = st.text_input(
        "Or a file or folder on the server",
        key="server-model",
        placeholder=f"{roots[0]}/…",
        help=f"The whole path of a checkpoint or a model folder, inside {' or '.join(roots)}.",
    ).strip()
    if not text:
        return None

    def keep() -> Path:
        return _weights(keep_server_model(open_path(text)))

    return kept_upload(f"server:{text}", keep)
