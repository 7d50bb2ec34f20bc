"""The model and the data that a visitor works with: chosen on the Model page, read by every other."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import streamlit as st

from ui.shell.checkpoints import read_header, shipped_checkpoints
from ui.shell.formatting import escape
from ui.shell.jobs import checkpoint_question, current_run, job_store, may_use
from ui.shell.paths import BUILT_IN, UPLOAD, data_of, data_token, model_of, title_of, token_of
from ui.shell.url_params import write_word
from zspag_core.errors import CheckpointError, ZspagError
from zspag_core.jobs import State
from zspag_core.tasks.inspect_data import summarise
from zspag_core.visitors.belongings import uploads

if TYPE_CHECKING:
    from ui.shell.checkpoints import Header
    from zspag_core.jobs import Job

NAME_LENGTH = 22  # letters that a name may take, so that the strip stays one line at 1280 pixels

KEY, MODEL, DATA = "choice", "model", "data"
FOLLOWED = "followed"


@dataclass(frozen=True)
class Choice:
    """A model and data that fit each other.

    Attributes:
        checkpoint: file of the model.
        data: name or path of the data set, as zspag_core.data.load_dataset takes it.
        class_names: one name per class.
        title: what lists and strips call the model.
        summary: a line about it: family, input, classes.
    """

    checkpoint: Path
    data: str
    class_names: tuple[str, ...]
    title: str
    summary: str = ""

    @property
    def question(self) -> dict[str, Any]:
        """Return the config of the task `inspect_data`: pictures and image counts of the classes."""
        return inspect_question(self.data, self.checkpoint)


def current_choice() -> Choice | None:
    """Return what this visitor works with: by the address, else the session, else the shipped digits model.

    A run that is opened brings its model and data along, unless it is opened by an address that names others: what is
    set beside a run is about its model, until the visitor chooses another. None only where no model ships and none was
    chosen.
    """
    choice = _from_run() or _from_address() or _from_session()
    if choice is not None:
        use(choice)
        return choice
    shipped = shipped_checkpoints()
    return choice_of_own(shipped[0]) if shipped else None


def use(choice: Choice) -> None:
    """Make a choice the visitor's own; the address keeps it over a reload."""
    st.session_state[KEY] = choice
    write_word(MODEL, token_of(choice.checkpoint))
    write_word(DATA, data_token(choice.data))


def inspect_question(data: str, checkpoint: Path | None = None) -> dict[str, Any]:
    """Return the config of the task that looks into a data set; it changes when the files do."""
    question: dict[str, Any] = {"data": data}
    if data not in BUILT_IN:
        question["data_modified"] = modified(data)
    return question | (checkpoint_question(checkpoint) if checkpoint is not None else {})


def modified(data: str) -> int:
    """Return what changes when a file or folder of data does, in nanoseconds; 0 where nothing lies there."""
    return Path(data).stat().st_mtime_ns if Path(data).exists() else 0


def is_there(data: str) -> bool:
    """Tell whether a data set is built in, or still lies where it was."""
    return data in BUILT_IN or Path(data).exists()


def choice_of_own(path: Path, data: str | None = None) -> Choice:
    """Return the choice of a checkpoint that this program saved, with its own data unless others are named.

    Raises:
        CheckpointError, DataError: the file is no such checkpoint, or its data is not on this server.
    """
    header = read_header(path)
    return Choice(path, data or own_data(header), header.class_names, title_of(path), summary_of(header))


def own_data(header: Header) -> str:
    """Return the name or path of the data that a model was trained on.

    Raises:
        DataError: it is not on this server.
    """
    return data_of(f"{UPLOAD}{header.data}" if _was_uploaded(header) else header.data)


def summary_of(header: Header) -> str:
    """Return a line about a model."""
    what = summarise(header.architecture, header.image_size)
    data = title_of(uploads() / header.data) if _was_uploaded(header) else header.data
    return f"{what}, trained on {data}, {len(header.class_names)} classes."


def _was_uploaded(header: Header) -> bool:
    """Tell whether the data that a model was trained on are an upload that is still here."""
    return (uploads() / header.data).exists()


def choice_of(path: Path, data: str) -> Choice:
    """Return the choice of any checkpoint: what the file does not say, the worker has found out before.

    Raises:
        CheckpointError, DataError: the worker has not looked into the two yet, or they do not fit.
    """
    if not (may_use(path) and (data in BUILT_IN or may_use(data))):
        raise CheckpointError("This model or its data belongs to somebody else.")
    try:
        return choice_of_own(path, data)
    except CheckpointError:
        job = job_store().recall("inspect_data", inspect_question(data, path))
    if job is None or job.state != State.DONE or job.answer["fits"]:
        raise CheckpointError(f"{path.name} has not been checked against its data yet; open it on the Model page.")
    names = tuple(job.answer["class_names"])
    return Choice(path, data, names, title_of(path), f"{job.answer['summary']}, {len(names)} classes.")


def _from_run() -> Choice | None:
    """Return the model and data of the run that is open, when it has just been opened and they are still there."""
    job = current_run()
    if job is None or st.session_state.get(FOLLOWED) == job.id:
        return None
    st.session_state[FOLLOWED] = job.id
    if KEY not in st.session_state and MODEL in st.query_params:
        return None
    if not is_there(job.config["data"]):
        return None
    try:
        return choice_of(Path(job.config["checkpoint"]), job.config["data"])
    except (ZspagError, OSError):
        return None


def _from_address() -> Choice | None:
    """Return the choice that the address names, if it names one that is still there."""
    token, data = st.query_params.get(MODEL), st.query_params.get(DATA)
    if not token:
        return None
    try:
        path = model_of(token)
        return choice_of(path, data_of(data)) if data else choice_of_own(path)
    except ZspagError:
        return None


def _from_session() -> Choice | None:
    """Return the choice made on another page of this session; where its model or data are gone, say so once."""
    choice: Choice | None = st.session_state.get(KEY)
    if choice is None or (choice.checkpoint.exists() and is_there(choice.data)):
        return choice
    st.session_state.pop(KEY)
    gone = "the data chosen with it" if choice.checkpoint.exists() else "its file"
    st.toast(f"{escape(choice.title)} is left: {gone} cannot be found any more.", icon=":material/link_off:")
    return None


def chosen_model(job: Job | None) -> str:
    """Return the name of the run's original model, else of the one chosen, not longer than the strip can take."""
    if job is not None:
        path = str(job.config.get("checkpoint", "")).replace("\\", "/")
        name = title_of(Path(path)).removesuffix(".safetensors")
    else:
        choice = st.session_state.get(KEY)
        name = choice.title if choice is not None else ""
    return escape(name if len(name) <= NAME_LENGTH else name[: NAME_LENGTH - 1] + "…")
