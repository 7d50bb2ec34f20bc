"""Where models and data may come from: what ships, what was trained or uploaded here, and the folders that are open."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from ui.shell.checkpoints import shipped_checkpoints
from ui.shell.jobs import own_store
from zspag_core.errors import CheckpointError, DataError
from zspag_core.files import home, write_json
from zspag_core.shipped import CHECKPOINTS
from zspag_core.visitors.belongings import about, about_file, add_owner, owners, trained, uploads
from zspag_core.visitors.classroom import is_shared

if TYPE_CHECKING:
    from collections.abc import Iterator

BUILT_IN = ("digits", "cifar10", "cifar100", "svhn", "fashion_mnist")
OWN, UPLOAD = "own:", "upload:"
FORMS = ("", ".npz", ".zip", ".parquet")
MOST_ENTRIES = 2_000_000


def trained_checkpoints() -> list[Path]:
    """Return the models that were trained here, in a shared dashboard those of this visitor, the newest first."""
    own = own_store()
    made = own.own_models() if own is not None else trained().glob("*.safetensors")
    found = [path for path in made if not path.name.startswith(".")]
    return sorted(found, key=lambda path: path.stat().st_mtime, reverse=True)


def model_of(token: str) -> Path:
    """Return the file that the word for a model in an address means.

    Args:
        token: the name of a shipped model, "own:" and the name of a trained one, or "upload:" and a file name.

    Raises:
        CheckpointError: there is no such model.
    """
    if token.startswith(OWN):
        candidates = trained_checkpoints()
    elif token.startswith(UPLOAD):
        candidates = _uploaded()
    else:
        candidates = shipped_checkpoints()
    found = next((path for path in candidates if token_of(path) == token), None)
    if found is None:
        raise CheckpointError(f"There is no model {token!r} on this server any more; choose another one.")
    return found


def token_of(path: Path) -> str:
    """Return the word that stands for a model in an address; see :func:`model_of`."""
    if path.parent == uploads():
        return f"{UPLOAD}{path.name}"
    return path.stem if path.parent == CHECKPOINTS or path.parent != trained() else f"{OWN}{path.stem}"


def title_of(path: Path) -> str:
    """Return what lists call a file or folder: for an upload the name that it came with."""
    if path.parent != uploads():
        return path.stem
    found, own = about(path), own_store()
    theirs = owners(path).get(own.visitor.id) if own is not None else None
    return str(theirs or found.get("title", path.name))


def made_of(path: Path) -> Path:
    """Return the upload that a checkpoint was made of when the visitor told what its weights do not show, or itself.

    It holds the container in which the model goes back to its owner.
    """
    name = about(path).get("made_of")
    return path.with_name(name) if isinstance(name, str) and Path(name).name == name else path


def in_words(sentence: str, *paths: str | Path) -> str:
    """Return a sentence of the engine with files called as visitors call them, not by the server's paths."""
    for path in map(Path, paths):
        title = title_of(path) if path.parent == uploads() else path.name
        sentence = sentence.replace(str(path), title).replace(path.name, title)
    return sentence


def note_made(made: Path, path: Path) -> None:
    """Note that a file was made of an upload, and stands for it under its name."""
    write_json(about_file(made), about(made) | {"title": title_of(path), "made_of": made_of(path).name})
    own = own_store()
    if own is not None:
        add_owner(made, own.visitor.id, title_of(path))


def data_of(token: str) -> str:
    """Return the name or path of the data that a word in an address or a form means.

    Args:
        token: a built-in name, the name of something in ZSPAG_DATA, "upload:" and a file name, or a path.

    Raises:
        DataError: it does not exist, or lies outside the folders that this server opens.
    """
    if token in BUILT_IN:
        return token
    if token.startswith(UPLOAD):
        found = next((path for path in _uploaded() if path.name == token.removeprefix(UPLOAD)), None)
        if found is None:
            raise DataError("That upload is not on this server any more; upload it again.")
        return str(found)
    return str(_shared(token) or open_path(token))


def data_token(data: str) -> str:
    """Return the word that stands for a data set in an address; see :func:`data_of`."""
    path = Path(data)
    return f"{UPLOAD}{path.name}" if path.parent == uploads() else data


def allowed_roots() -> list[Path]:
    """Return the folders whose content visitors may use: ZSPAG_DATA, ZSPAG_HOME, and those that ZSPAG_ROOTS names.

    In a shared dashboard ZSPAG_HOME is not among them: everybody's runs and uploads lie there.
    """
    named = [os.environ.get("ZSPAG_DATA", ""), *os.environ.get("ZSPAG_ROOTS", "").split(os.pathsep)]
    roots = [Path(text).expanduser().resolve() for text in named if text.strip()]
    return list(dict.fromkeys(roots if is_shared() else [*roots, home().resolve()]))


def open_path(text: str) -> Path:
    """Return the real path of a folder or file on the server that a visitor named.

    Raises:
        DataError: not absolute, outside the allowed roots, missing, or with a link inside that leads outside.
    """
    roots = allowed_roots()
    given = Path(text.strip()).expanduser()
    if not given.is_absolute():
        raise DataError("Give the whole path of the folder, from the root of the disk on.")
    try:
        real = given.resolve(strict=False)
    except (OSError, RuntimeError, ValueError):
        raise DataError("That is not a path that can be read.") from None
    if not _inside(real, roots) or (is_shared() and _inside(real, [home().resolve()])):
        if not roots:
            raise DataError("This server opens no folders; upload the data.")
        raise DataError(
            f"This server opens folders only inside {' and '.join(map(str, roots))}; copy the data there, or let the "
            "person who runs the server name its folder in ZSPAG_ROOTS."
        )
    if not real.exists():
        raise DataError(f"There is nothing at {real}.")
    if real.is_dir() and (link := _link_that_escapes(real, roots)) is not None:
        raise DataError(f"The folder holds a link that leads outside it: {link.name}. Copy the files instead.")
    return real


def _inside(path: Path, roots: list[Path]) -> bool:
    """Tell whether a resolved path is one of the roots or lies in one."""
    return any(path == root or root in path.parents for root in roots)


def _link_that_escapes(folder: Path, roots: list[Path]) -> Path | None:
    """Return a symbolic link below a folder whose target lies outside the roots, if there is one."""
    for link in _links(folder):
        if not _inside(link.resolve(strict=False), roots):
            return link
    return None


def _links(folder: Path) -> Iterator[Path]:
    """Yield the symbolic links below a folder; they are not followed."""
    seen = 0
    for place, folders, files in os.walk(folder):
        seen += len(folders) + len(files)
        if seen > MOST_ENTRIES:
            raise DataError(f"The folder holds more than {MOST_ENTRIES:,} files.")
        for name in (*folders, *files):
            path = Path(place, name)
            if path.is_symlink():
                yield path


def _shared(name: str) -> Path | None:
    """Return what has this name in ZSPAG_DATA, if anything has."""
    folder = os.environ.get("ZSPAG_DATA")
    if not folder or name in {"", ".", ".."} or Path(name).name != name:
        return None
    return next((path for form in FORMS if (path := Path(folder) / f"{name}{form}").exists()), None)


def _uploaded() -> list[Path]:
    """Return what visitors uploaded, in a shared dashboard this visitor."""
    own = own_store()
    return own.own_uploads() if own is not None else _entries(uploads())


def _entries(folder: Path) -> list[Path]:
    """Return what lies in a folder, hidden files apart; nothing where there is no folder."""
    return [path for path in sorted(folder.iterdir()) if not path.name.startswith(".")] if folder.is_dir() else []


def plain_name(data: str) -> str:
    """Return what a name or path of data is called on the screen."""
    return (
        data if Path(data).name == data else title_of(Path(data)) if Path(data).parent == uploads() else Path(data).name
    )
