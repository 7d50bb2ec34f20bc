"""Training a model live: the form, and the panel that shows how far it is."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import streamlit as st

from ui.figures import model as figures
from ui.model.sources import TRAINED
from ui.shell.charts import chart
from ui.shell.ended_card import ended_card
from ui.shell.follow import follow, queue_line
from ui.shell.formatting import duration, escape, percent, seconds_left, worked_words
from ui.shell.job_controls import controls
from ui.shell.jobs import job_store
from ui.shell.live_chart import live_chart
from ui.shell.number_field import number_field
from ui.shell.paths import plain_name
from ui.shell.settings_form import settings_form
from ui.shell.url_params import UrlWord
from ui.shell.words import STATES, help_for
from zspag_core.jobs import Command, State
from zspag_core.visitors.belongings import trained

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from zspag_core.jobs import Event, Job

TRAINING, ROUND = UrlWord("training", "training"), "training-round"
MODELS = {
    "resnet_tiny": "ResNet, tiny: seconds an epoch on digits",
    "resnet_small": "ResNet, small: minutes an epoch on CIFAR-10",
    "resnet_medium": "ResNet, medium: twice as long as the small one",
    "resnet18": "ResNet-18: wants a GPU",
    "vgg11_narrow": "VGG-11, narrow",
    "vgg11": "VGG-11: wants a GPU",
    "alexnet": "AlexNet: wants a GPU",
    "vit_small": "Vision transformer, small",
}
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,59}")
EPOCHS = 10
OWN_FIELDS = ("epochs", "seed")


def current_training() -> Job | None:
    """Return the training that this visitor looks at: by the address, else the session, else one under way."""
    job_id = TRAINING.read()
    job = job_store().get(job_id) if job_id else None
    if job is None or job.kind != "train":
        job = next((job for job in job_store().latest(limit=5, kind="train") if job.active), None)
    if job is not None:
        show_training(job.id)
    return job


def show_training(job_id: str) -> None:
    """Make a training the one that this visitor looks at."""
    if st.session_state.get(TRAINING.key) != job_id:
        st.session_state[ROUND] = st.session_state.get(ROUND, 0) + 1  # the form offers a fresh name
    TRAINING.write(job_id)


def training_form(data: str, about: Mapping[str, Any], engine: Mapping[str, Any]) -> dict[str, Any] | None:
    """Draw the settings of a training; return the config of the task `train`, None while something is missing.

    Args:
        data: name or path of the data set.
        about: what the worker found in it.
        engine: what the engine says about itself.
    """
    model = st.selectbox("Network", list(MODELS), format_func=lambda name: MODELS[name], key="train-model")
    left, right = st.columns(2)
    epochs = number_field(
        "Epochs", 1, 1000, EPOCHS, key="train-epochs", place=left, help="Passes over the training images."
    )
    key = f"train-name-{data}-{model}-{st.session_state.get(ROUND, 0)}"
    name = right.text_input("Name", free_name(plain_name(data), model), key=key, max_chars=60)
    names = about["class_names"]
    exclude = st.multiselect(
        "Leave out classes",
        range(len(names)),
        format_func=lambda label: names[label],
        key=f"train-exclude-{data}",
        placeholder="None: train on all of them",
        help="A model that never saw a class is the honest reference for one that forgot it.",
    )
    with st.expander("All settings"):
        seed = number_field("Seed", 0, 2**31 - 1, 0, key="train-seed", help="Same seed, same model on a CPU.")
        backdoor = _backdoor_form(data, names)
        settings = _recipe_form(data, model, engine["training"])
    problem = _problem(name, exclude, len(names)) or _backdoor_problem(backdoor, exclude)
    if problem:
        st.caption(f":red[{problem}]")
        return None
    config = {"data": data, "model": model, "epochs": int(epochs), "exclude": exclude, "seed": int(seed), "name": name}
    return config | {"settings": settings} | ({"backdoor": backdoor} if backdoor else {})


def _backdoor_form(data: str, names: Sequence[str]) -> list[int]:
    """Draw the backdoor to plant; return its source and target class, nothing where none is wanted."""
    words = f"{help_for('Backdoor')} For experiments: does unlearning the class take the trigger away too?"
    if not st.toggle("Plant a backdoor", key="train-backdoor", help=words):
        return []
    left, right = st.columns(2)
    pick = {"options": range(len(names)), "format_func": lambda label: names[label]}
    source = left.selectbox("Images of", index=min(1, len(names) - 1), key=f"train-source-{data}", **pick)
    target = right.selectbox("become", index=len(names) - 2, key=f"train-target-{data}", **pick)
    st.caption("Half of the first class carries a white square and the label of the second.")
    return [int(source), int(target)]


def _backdoor_problem(backdoor: Sequence[int], exclude: Sequence[int]) -> str:
    """Return what is wrong with a backdoor, in one sentence, or nothing."""
    if backdoor and backdoor[0] == backdoor[1]:
        return "The backdoor needs two different classes."
    return "The backdoor needs classes that are not left out." if set(backdoor) & set(exclude) else ""


def _recipe_form(data: str, model: str, training: Mapping[str, Any]) -> dict[str, Any]:
    """Draw the recipe, filled in with what suits the data and the model."""
    by_data = training["suited"][model]
    kind = data if data in by_data else ""
    parameters = [about | {"default": by_data[kind][about["name"]]} for about in training["parameters"]]
    names = [about["name"] for about in parameters if about["name"] not in OWN_FIELDS]
    return settings_form({"name": f"recipe-{model}-{kind}", "parameters": parameters}, names, explain=False)


def _problem(name: str, exclude: Sequence[int], classes: int) -> str:
    """Return what is wrong with a form, in one sentence, or nothing."""
    if not NAME.fullmatch(name):
        return "Name it with letters, digits, hyphens and underscores only."
    if _taken(name):
        return "There is a model of this name already; take another name."
    return "Leave at least two classes to tell apart." if classes - len(exclude) < 2 else ""


def free_name(data: str, model: str) -> str:
    """Return a name that no model has yet."""
    stem = re.sub(r"[^A-Za-z0-9]+", "_", data.rpartition(".")[0] or data).strip("_")[:30] or "model"
    wanted = f"{stem}_{model}"
    numbered = (wanted if number == 1 else f"{wanted}_{number}" for number in range(1, 10_000))
    return next(name for name in numbered if not _taken(name))


def _taken(name: str) -> bool:
    """Tell whether a model has this name, or will have it when a training that is not over ends."""
    waiting = (job for job in job_store().latest(limit=100, kind="train") if job.active or job.state != State.DONE)
    return (trained() / f"{name}.safetensors").exists() or any(job.config.get("name") == name for job in waiting)


def training_panel(job: Job) -> None:
    """Draw one training, again every second while it is active."""

    def panel(now: Job) -> None:
        events = [event for event in job_store().events(now.id) if event.kind == "epoch"]
        _heading(now)
        if now.active:
            controls(now, "Stops within a batch and keeps the model learnt so far.", key="train")
        _place(now, events)
        if now.active or events:
            _curves(now, [event.body for event in events])

    follow(job, panel)
    if not job.active:
        _ending(job)


def _heading(job: Job) -> None:
    """Say what is trained, on what, and how it stands."""
    colour, icon, word = STATES[job.state]
    if job.command == Command.PAUSE:
        colour, icon, word = "orange", ":material/pause_circle:", "Paused"
    if job.command == Command.CANCEL:
        word = "Stopping"
    what = f"{escape(job.config['name'])} &nbsp; :{colour}-badge[{icon} {word}]"
    on = f"{job.config['model']} on {escape(plain_name(job.config['data']))}{worked_words(job)}"
    st.markdown(f"#### {what} :small[{on}]")


def _place(job: Job, events: Sequence[Event]) -> None:
    """Say who is ahead, or how far the training is and how long it will take."""
    if job.state == State.QUEUED:
        queue_line(job)
    elif job.active:
        share, words = progress_of(job, len(events))
        st.progress(share, text=words)


def progress_of(job: Job, epochs: int) -> tuple[float, str]:
    """Return how far a training is, in [0, 1], and that in words with the time left.

    Args:
        job: the training, running.
        epochs: how many epochs have ended.
    """
    stage, planned = job.progress.get("stage", "load"), int(job.config["epochs"])
    done, total = int(job.progress.get("done", 0)), max(1, int(job.progress.get("total", 1)))
    if stage == "load":
        return 0.0, "Reading the images"
    if stage != "train":
        return 1.0, f"Grading on test images: {done:,} of {total:,}" if total > 1 else "Grading on test images"
    left = "" if (time_left := seconds_left(job)) is None else f" · {duration(time_left)} left"
    return done / total, f"Epoch {min(epochs + 1, planned)} of {planned} · step {done:,} of {total:,}{left}"


def _curves(job: Job, epochs: Sequence[Mapping[str, Any]]) -> None:
    """Draw accuracy and loss by epoch."""
    total = int(job.config["epochs"])
    left, right = st.columns(2)
    draw = live_chart if job.active else chart
    said = figures.describe_training(epochs)
    with left:
        note = "Training images are shifted and mirrored at random, so they can be harder than the test images."
        st.markdown("**Right answers**", help=note)
        draw(figures.training_accuracy_figure(epochs, total), key="train-accuracy", alt=said)
    with right:
        st.markdown("**Loss on training images**")
        draw(figures.training_loss_figure(epochs, total), key="train-loss", alt=said)


def _ending(job: Job) -> None:
    """Say how a training ended, and what can be done with what it left."""
    path = trained() / f"{job.config['name']}.safetensors"
    if job.state == State.DONE:
        right = percent(job.answer["test_accuracy"])
        st.success(f"Trained: {right} of the test images are right.", icon=":material/check_circle:")
        with st.container(horizontal=True):
            _go_on(path)
    else:
        kept = "The model learnt so far can be used as it is. " if path.exists() else ""
        remedy = f"{kept}Resume goes on from the last finished epoch."
        with st.container(border=True):
            ended_card(job, remedy, "train-resume", lambda: _go_on(path))


def _go_on(path: Path) -> None:
    """Draw what can be done next, with what the training left if it left anything."""
    if path.exists():
        st.button("Look at this model", key="train-open", on_click=_open, args=(path,), icon=":material/visibility:")
    st.button("Train another", key="train-leave", on_click=leave_training)


def leave_training() -> None:
    """Look at no training."""
    TRAINING.clear()


def _open(path: Path) -> None:
    """Show a trained model among those trained here."""
    leave_training()
    st.session_state["source"] = TRAINED
    st.session_state[f"model-{TRAINED}"] = path
