"""What the Playground draws, in its order: the data, the knobs, the planes."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import streamlit as st

from ui.playground.engine import first_answer, plane_client
from ui.playground.knobs import EPSILON, KNOBS
from ui.playground.plane import added_point, plane, reported
from ui.playground.state import USUAL, held, keep, key, open_state, put, question_of, read_points, write_points
from ui.playground.tries import TRIES
from ui.playground.view import BESIDE, empty_answer, plane_data, verdict
from ui.shell.number_field import number_field
from ui.shell.streamlit_fragments import redrawn
from zspag_core.errors import ZspagError
from zspag_core.plane.client import PlaneGone
from zspag_core.plane.question import FEWEST_CLASSES, LETTERS, MOST_CLASSES, MOST_OWN, MOST_SEED, OWN, SHAPES

if TYPE_CHECKING:
    from ui.playground.knobs import PlaneKnob
    from zspag_core.plane.question import Question

LAST = "play-last"
START_SECONDS = 0.5
STARTS = "The engine starts: about five seconds, the first time."
MOST_PILLS = 4
NEAR = 14
"""Distance, of 255, within which the eraser takes a point away."""


def playground() -> None:
    """Draw everything; a turned knob draws this part of the page alone."""
    open_state()
    plane_client().start()
    parts()
    wait_for_engine()


@redrawn()
def parts() -> None:
    """Draw the data on top, the knobs on the left, the planes on the right."""
    pick_data()
    left, right = st.columns([3, 8], gap="medium")
    with left:
        for knob in KNOBS:
            if knob.place == "left":
                draw_knob(knob)
        with st.expander("Descent and chance"):
            for knob in KNOBS:
                if knob.place == "fold":
                    draw_knob(knob)
            pick_seed()
    with right:
        show_planes()


def wait_for_engine() -> None:
    """Draw the page again once the engine answers; until then look twice a second."""
    waiting = not (plane_client().ready or plane_client().trouble)

    @redrawn(START_SECONDS if waiting else None)
    def look() -> None:
        plane_client().start()  # again, where it has ended
        if waiting and (plane_client().ready or plane_client().trouble):
            st.rerun()

    look()


def pick_data() -> None:
    """Draw shape, number of classes and what is to be forgotten."""
    shapes, classes, forget, beside, reset = st.columns([1.7, 1.1, 3, 3.2, 1], gap="small", vertical_alignment="bottom")
    with shapes:
        words = {shape: shape.capitalize() for shape in SHAPES} | {OWN: "Only your own"}
        note = "Another shape is another network, trained here in about a second."
        shared: dict[str, Any] = {"persist_state": "session", "on_change": another_question}
        st.selectbox("Points", list(words), key=key("shape"), format_func=words.__getitem__, help=note, **shared)
    with classes:
        counts = list(range(FEWEST_CLASSES, MOST_CLASSES + 1))
        st.selectbox("Classes", counts, key=key("classes"), on_change=fit_to_classes, persist_state="session")
    with forget:
        letters = range(st.session_state[key("classes")])
        choices: dict[str, Any] = {"selection_mode": "multi", "format_func": LETTERS.__getitem__, "wrap": True}
        st.pills("Forget", letters, key=key("forget"), **choices, **shared)
    with beside:
        note = "Retrained never saw the class; Mask only switches its output off."
        words = {"required": True, "format_func": BESIDE.__getitem__, "wrap": True, "help": note}
        st.pills("On the left", list(BESIDE), key=key("beside"), persist_state="session", **words)
    with reset:
        st.button("Reset", key="play-reset", on_click=partial(put, USUAL), help="Everything as at first.")


def fit_to_classes() -> None:
    """Let go of what belongs to classes that are no more."""
    count = st.session_state[key("classes")]
    put({"forget": [k for k in st.session_state.get(key("forget")) or [] if k < count]})
    put({"own": write_points(read_points(st.session_state.get(key("own")), count)), "epoch": None})


def draw_knob(knob: PlaneKnob) -> None:
    """Draw one knob and the sentence below it."""
    shared: dict[str, Any] = {"key": key(knob.name), "persist_state": "session", "on_change": another_question}
    with st.container(gap="xxsmall"):
        if isinstance(knob.default, bool):
            st.toggle(knob.label, **shared)
        elif knob.words is None:
            st.select_slider(knob.label, knob.values, format_func=knob.say, **shared)
        elif len(knob.words) > MOST_PILLS:
            st.selectbox(knob.label, list(knob.words), format_func=knob.say, **shared)
        else:
            st.pills(knob.label, list(knob.words), required=True, format_func=knob.say, wrap=True, **shared)
        st.caption(knob.sentence)


def pick_seed() -> None:
    """Draw the seed."""
    number_field("Seed", 0, MOST_SEED, key=key("seed"), persist_state="session", on_change=another_question)
    st.caption("Another one: other points, another network, other chances.")


def another_question() -> None:
    """Show the last epoch of what comes."""
    put({"epoch": None})


def show_planes() -> None:
    """Draw the planes, and above them what the method says; where nothing new comes, the last planes stay."""
    state = held()
    keep(state)
    try:
        answer = answer_to(question_of(state))
    except PlaneGone as gone:
        say(f":orange[:material/block:] {gone}")
    except ZspagError as refusal:
        say(f":orange[:material/block: **Nothing to show.**] {refusal}")
        st.session_state[LAST] = (empty_answer(state), state)
    else:
        if answer is not None:
            st.session_state[LAST] = (answer, state)
        say(verdict(answer, state) if answer is not None else plane_client().trouble or STARTS)
    if LAST in st.session_state:
        plane(plane_data(*st.session_state[LAST]), take_click, take_epoch, take_epsilon)
    else:
        st.skeleton(height=420)
    own_line(state)


def answer_to(question: Question) -> dict[str, Any] | None:
    """Return the engine's answer; on a page that is just opened, what was recorded until the engine has started.

    Where planes are drawn already, a turned knob waits for the engine, which may have been let go in the meantime.
    """
    if plane_client().ready or LAST in st.session_state:
        return plane_client().ask(question)
    return first_answer(question)


def say(words: str) -> None:
    """Draw what is to be known of an answer, in a place that does not change its height."""
    with st.container(key="play-verdict"):
        st.markdown(words)


def own_line(state: dict[str, Any]) -> None:
    """Draw how many points are the visitor's own, and the way to let go of them."""
    count = len(read_points(state["own"], state["classes"]))
    if count:
        with st.container(horizontal=True, vertical_alignment="center"):
            words = f"Points of your own: {count} of at most {MOST_OWN}. The network has learnt them."
            st.caption(words, width="content")
            st.button("Take them away", key="play-clear", type="tertiary", on_click=partial(put, {"own": ""}))


def take_click() -> None:
    """Add the point that was clicked, or take the nearest of the visitor's own away."""
    point, state = added_point(), held()
    if point is None:
        return
    across, up, k = point
    points = read_points(state["own"], state["classes"])
    if k < 0:
        points = tuple(point for point in points if abs(point[0] - across) + abs(point[1] - up) > NEAR)
    elif len(points) < MOST_OWN and k < state["classes"]:
        points = (*points, (min(255, max(0, across)), min(255, max(0, up)), k))
    put({"own": write_points(points), "epoch": None})


def take_epoch() -> None:
    """Remember the epoch that the visitor has gone to."""
    epoch = reported("epoch")
    put({"epoch": None if epoch is None else int(epoch)})


def take_epsilon() -> None:
    """Take the place of the slider that is drawn with the planes."""
    value = reported(EPSILON)
    if any(knob.takes(value) for knob in KNOBS if knob.name == EPSILON):
        put({EPSILON: value, "epoch": None})


def show_tries() -> None:
    """Draw what to try, each with a button that sets the knobs."""
    st.markdown("##### What to try")
    with st.container(gap="xxsmall"):
        for place, each in enumerate(TRIES):
            button, sentence = st.columns([2, 8], gap="small", vertical_alignment="center")
            changes = USUAL | dict(each.changes)
            button.button(each.title, key=f"play-try-{place}", on_click=partial(put, changes), width="stretch")
            sentence.caption(each.sentence)
