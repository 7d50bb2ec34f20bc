"""Where a visitor takes model and data from: the pickers of the Model page."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import streamlit as st

from ui.model.input_panel import told_file
from ui.model.notes import for_page
from ui.shell.checkpoints import read_header, shipped_checkpoints
from ui.shell.formatting import escape
from ui.shell.jobs import job_store
from ui.shell.paths import (
    BUILT_IN,
    FORMS,
    OWN,
    UPLOAD,
    allowed_roots,
    data_of,
    made_of,
    open_path,
    title_of,
    token_of,
    trained_checkpoints,
    uploads,
)
from ui.shell.selection import own_data
from ui.shell.uploads import DATA_MB, MODEL_MB, keep_checkpoint, keep_data, keep_server_model, purge
from ui.shell.url_params import word_of, write_word
from zspag_core.checkpoints.kinds import may_hold_weights, other_file
from zspag_core.errors import CheckpointError, ZspagError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from streamlit.runtime.uploaded_file_manager import UploadedFile

    from ui.shell.selection import Choice

SHIPPED, TRAINED, UPLOADED, NEW = "Shipped", "Yours", "Upload", "Train"
SOURCES = (SHIPPED, TRAINED, UPLOADED, NEW)
THE_MODELS = "own"
FILES, FOLDER = "upload", "folder"
WORDS = {FILES: "Upload a data set", FOLDER: "A folder on the server"}
REMEMBERED = 1000


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
        return told_file(upload) if upload is not None else None
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


def known_data() -> list[str]:
    """Return the names of data sets: the built-in ones, then others in ZSPAG_DATA."""
    folder = os.environ.get("ZSPAG_DATA")
    entries = sorted(Path(folder).iterdir()) if folder and Path(folder).is_dir() else []
    shared = [entry.stem for entry in entries if entry.is_dir() or entry.suffix in FORMS]
    return list(dict.fromkeys([*BUILT_IN, *(name for name in shared if not name.startswith("."))]))


def plain_name(data: str) -> str:
    """Return what a name or path of data is called on the screen."""
    return (
        data if Path(data).name == data else title_of(Path(data)) if Path(data).parent == uploads() else Path(data).name
    )


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


def uploaded_data(kept: str | None, key: str = "upload-data") -> str | None:
    """Draw the box for a data set, a widget of this key; return the file or folder kept."""
    files = st.file_uploader(
        "Data set",
        max_upload_size=DATA_MB,
        accept_multiple_files=True,
        key=key,
        help="A .zip with one folder of images for each class (maybe inside train and test folders), an .npz with "
        "train_x, train_y and maybe test_x, test_y, or the .parquet files of a Hugging Face image set.",
    )
    if files:
        meant = together(files)
        if len(meant) < len(files):
            st.caption(f"In use: {escape(', '.join(file.name for file in meant))}, not the others in the box.")
        path = kept_upload("+".join(file.file_id for file in meant), lambda: keep_data(meant))
        return None if path is None else str(path)
    if kept is not None and Path(kept).parent == uploads():
        st.caption(f"In use: {escape(title_of(Path(kept)))}")
        return kept
    st.caption("One .zip, one .npz, or several .parquet files.")
    return None


def together(files: Sequence[UploadedFile]) -> list[UploadedFile]:
    """Return the files that make the data set meant: the newest, or all parquet files where that is one of them."""
    if not files[-1].name.lower().endswith(".parquet"):
        return [files[-1]]
    return [file for file in files if file.name.lower().endswith(".parquet")]


def kept_upload(key: str, keep: Callable[[], Path]) -> Path | None:
    """Keep an upload once, not at every redraw; say why where it is refused."""
    memory: dict[str, Path] = st.session_state.setdefault("kept-uploads", {})
    if key not in memory or not memory[key].exists():
        try:
            memory[key] = keep()
        except ZspagError as error:
            st.error(escape(str(error)), icon=":material/error:")
            return None
        purge(_in_use() | {str(path) for path in memory.values()})
    return memory[key]


def _in_use() -> set[str]:
    """Return the files that runs in the list refer to."""
    configs: list[Any] = [job.config for job in job_store().latest(limit=REMEMBERED)]
    named = {str(config[key]) for config in configs for key in ("data", "checkpoint") if key in config}
    return named | {str(made_of(Path(path))) for path in named}


def folder_data(kept: str | None, key: str = "folder") -> str | None:
    """Draw the field for a path on the server, a widget of this key; return it where it is open to visitors."""
    before = kept if kept is not None and Path(kept).is_absolute() and Path(kept).parent != uploads() else ""
    roots = [str(root) for root in allowed_roots()]
    text = st.text_input(
        "Folder", before, key=key, placeholder=f"{roots[0]}/…", help="One folder of images for each class."
    )
    if not text.strip():
        st.caption(f"The whole path of a folder, .zip or .npz of the server, inside {escape(' or '.join(roots))}.")
        return None
    try:
        return data_of(text.strip())
    except ZspagError as error:
        st.error(escape(str(error)), icon=":material/error:")
        return None
