"""The unlearned model as it came: in its owner's names and kind of file."""

from __future__ import annotations

import io
import zipfile
from typing import TYPE_CHECKING, Any

from ui.shell.formatting import as_sentence, escape

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


EPOCH = (1980, 1, 1, 0, 0, 0)  # the same data gives the same archive


def returned_model(folder: Path, result: Mapping[str, Any]) -> Path | None:
    """Return the file or folder of a run that holds the model in its owner's names and container, if there is one."""
    name = (result.get("model") or {}).get("returned")
    path = folder / str(name)
    return path if name and path.parent == folder and path.exists() else None


def returned_bytes(path: Path) -> bytes:
    """Return a file, or a folder as a zip archive of the files in it."""
    if path.is_file():
        return path.read_bytes()
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        for file in sorted(part for part in path.iterdir() if part.is_file()):
            archive.writestr(zipfile.ZipInfo(f"{path.name}/{file.name}", EPOCH), file.read_bytes())
    return buffer.getvalue()


def returned_words(model: Mapping[str, Any]) -> str:
    """Say what the model as it came is, and what it is without."""
    words = "**Unlearned, as it came**: the names, number format and kind of file that its weights came in."
    return " ".join([words, *(escape(as_sentence(str(part))) for part in model.get("left_out") or ())])
