from __future__ import annotations

from typing import Any

import streamlit as st

from ui.checkpoints import Header, read_header, shipped_checkpoints
from ui.forms import class_picker, settings_form
from ui.frame import frame
from ui.jobs import ask, checkpoint_question, engine_question, job_store, show_run
from ui.panels import run_panel
from zspag_core.jobs import Job, State

NOTE = "The settings below are good to start with."
WAIT_SECONDS = 0.5
FAMILIES = {"resnet": "ResNet", "vgg": "VGG", "vit": "ViT", "alexnet": "AlexNet"}


def pick_model() -> Header:
    """Draw the list of models; return the header of the one chosen."""
    paths = shipped_checkpoints()
    if not paths:
        st.error("There is no model in assets/checkpoints. Make one with `python -m zspag_core train --help`.")
        st.stop()
    headers = {path.stem: read_header(path) for path in paths}
    name = st.selectbox("Model", list(headers), format_func=lambda name: headers[name].title, key="model")
    header = headers[name]
    shape = f"{header.image_size} × {header.image_size} pixels"
    family = FAMILIES.get(header.architecture, header.architecture)
    st.caption(f"{family}, {shape}, trained on {header.data}, {len(header.class_names)} classes.")
    return header


def pick_classes(header: Header, about: Job) -> list[int]:
    """Draw the classes; their pictures follow as soon as the worker has them."""
    pictures: list[str | None] = [None] * len(header.class_names)
    if about.state == State.DONE:
        pictures = [described["picture"] for described in about.answer["classes"]]
    st.markdown("**Classes to forget**")
    chosen = class_picker(f"forget-{header.path.stem}", header.class_names, pictures)
    if about.state == State.FAILED:
        st.caption(f"No pictures: {about.error}")
    return chosen


def pick_settings(engine: Job) -> dict[str, Any]:
    """Draw method, basic knobs and the folded rest; return the part of a run's config that they make."""
    methods = {method["name"]: method for method in engine.answer["methods"]}
    name = "zspag" if "zspag" in methods else next(iter(methods))
    if len(methods) > 1:
        order = list(methods)
        name = st.selectbox(
            "Method", order, index=order.index(name), key="method", format_func=lambda key: methods[key]["title"]
        )
    method = methods[name]
    if method["needs_retain"]:
        st.caption(":orange-badge[needs remaining data] A reference: the zero-shot methods get no such data.")
    settings = settings_form(method, method["basic"], explain=True)
    with st.expander("All settings"):
        rest = [about["name"] for about in method["parameters"] if about["name"] not in method["basic"]]
        settings |= settings_form(method, rest, explain=False)
        seed = st.number_input(
            "Seed", 0, 2**31 - 1, 0, key="seed", help="Same seed, same model, byte for byte on a CPU."
        )
        device = st.selectbox("Device", engine.answer["devices"], key="device", help="auto: the worker's own.")
    return {"method": name, "settings": settings, "seed": int(seed), "device": device}


def submit(header: Header, forget: list[int], chosen: dict[str, Any]) -> None:
    """Queue a run and look at it."""
    config = {"data": header.data, "checkpoint": str(header.path), "forget": forget} | chosen
    config["class_names"] = [header.class_names[label] for label in forget]
    show_run(job_store().submit("unlearn", config, device=chosen["device"]).id)


@st.fragment(run_every=WAIT_SECONDS)
def wait_for(*questions: Job) -> None:
    """Draw the page again once a short task has its answer."""
    if any(not (job_store().get(question.id) or question).active for question in questions):
        st.rerun()


run = frame("Forget", "Pick the classes, press Forget, and watch the model lose them while it keeps the rest.")
left, right = st.columns([1, 2], gap="large")
with left:
    header = pick_model()
    about = ask("checkpoint", checkpoint_question(header.path))
    forget = pick_classes(header, about)
    engine = ask("engine", engine_question())
    waiting = [question for question in (about, engine) if question.active]
    if waiting:
        wait_for(*waiting)
    place = st.container()  # the button stands above the settings: the defaults are good ones
    if engine.state == State.DONE:
        chosen = pick_settings(engine)
        possible = 0 < len(forget) < len(header.class_names)
        why = None if possible else "Tick at least one class, and leave at least one."
        busy = run is not None and run.active
        if place.button("Forget", type="primary", key="go", width="stretch", disabled=not possible):
            submit(header, forget, chosen)  # not a callback: that would see what the widgets held before
            st.rerun()
        place.caption(why or ("This run will wait behind the one under way." if busy else NOTE))
    elif engine.active:
        st.caption("The engine is starting: its settings appear here in about five seconds.")
        st.skeleton(height=320)
    else:
        st.error(f"The engine does not start. {engine.error}")
with right:
    if run is not None:
        run_panel(run)
    else:
        with st.container(border=True):
            st.markdown("#### Nothing has run yet")
            st.markdown(
                "1. Tick one or more classes on the left.\n"
                "2. Press **Forget**.\n\n"
                "Here you will see the stages tick off, accuracy and loss move epoch by epoch, and a table of what the "
                "model could do before and after."
            )
