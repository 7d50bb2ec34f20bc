"""What a run folder holds, read without torch."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import streamlit as st

from ui.shell.checkpoints import read_header

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    Arrays = dict[str, NDArray[np.generic]]


def class_names(folder: Path) -> tuple[str, ...]:
    """Return the names of all classes of a run, which the unlearned model carries.

    Raises:
        CheckpointError: the run left no readable model.
    """
    return read_header(folder / "model.safetensors").class_names


def load_arrays(folder: Path, name: str) -> Arrays | None:
    """Return the arrays of one file of a run folder, or None while there is no such file.

    Args:
        folder: the run folder.
        name: file name without its ending, for example "proxies".
    """
    path = folder / f"{name}.safetensors"
    try:
        modified = path.stat().st_mtime_ns
    except FileNotFoundError:
        return None
    return _read(str(path), modified)


@st.cache_resource(show_spinner=False, max_entries=16)
def _read(path: str, modified: int) -> Any:  # noqa: ANN401 - cache_resource erases the type
    """Read a file once for all visitors, again when it changes; the arrays are shared, so nobody may change them."""
    del modified  # part of the cache's key
    from safetensors.numpy import load_file

    arrays = load_file(path)
    for array in arrays.values():
        array.flags.writeable = False
    return arrays
