"""Data that a visitor brings: uploads and folders of the server, and the names of what is here."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import streamlit as st

from ui.shell.formatting import escape
from ui.shell.jobs import shared_store
from ui.shell.paths import (
    BUILT_IN,
    FORMS,
    allowed_roots,
    data_of,
    made_of,
    title_of,
)
from ui.shell.uploads import DATA_MB, keep_data, purge
from zspag_core.errors import ZspagError
from zspag_core.visitors.belongings import uploads

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from streamlit.runtime.uploaded_file_manager import UploadedFile


FILES, FOLDER = "upload", "folder"
WORDS = {FILES: "Upload a data set", FOLDER: "A folder on the server"}
REMEMBERED = 1000


def known_data() -> list[str]:
    """Return the names of data sets: the built-in ones, then others in ZSPAG_DATA."""
    folder = os.environ.get("ZSPAG_DATA")
    entries = sorted(Path(folder).iterdir()) if folder and Path(folder).is_dir() else []
    shared = [entry.stem for entry in entries if entry.is_dir() or entry.suffix in FORMS]
    return list(dict.fromkeys([*BUILT_IN, *(name for name in shared if not name.startswith("."))]))


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
    configs: list[Any] = [job.config for job in shared_store().latest(limit=REMEMBERED)]
    named = {str(config[key]) for config in configs for key in ("data", "checkpoint") if key in config}
    return named | {str(made_of(Path(path))) for path in named}


def folder_data(kept: str | None, key: str = "folder") -> str | None:
    """Draw the field for a path on the server, a widget of this key; return it where it is open to visitors."""
    before = kept if kept is not None and Path(kept).is_absolute() and Path(kept).parent != uploads() else ""
    roots = [str(root) for root in allowed_roots()]
    if not roots:
        st.caption("This server opens no folders; upload the data.")
        return None
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
