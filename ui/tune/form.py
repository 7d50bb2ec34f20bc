"""The form of a new sweep: model and classes, knobs and their values, sampler, budget, objectives."""

from __future__ import annotations

from statistics import median
from typing import TYPE_CHECKING, Any

import streamlit as st

from ui.shell.class_names import says_names
from ui.shell.class_picker import pick_classes
from ui.shell.formatting import counted, duration
from ui.shell.jobs import current_run, job_store, saying_refusals
from ui.shell.number_field import meant, number_field
from ui.shell.settings_form import FORM_HELD
from ui.shell.words import knob_label
from zspag_core.errors import UsageError
from zspag_core.jobs import Lane, State
from zspag_core.tuning import queue
from zspag_core.tuning.objectives import BY_KEY, OBJECTIVES, RETAIN_FREE
from zspag_core.tuning.pace import lasting
from zspag_core.tuning.space import read_space
from zspag_core.tuning.sweep import SAMPLERS, Sweep

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ui.shell.selection import Choice
    from zspag_core.jobs import Job

EPSILON, N_ADV = "epsilon", "n_adv"
PRESETS: dict[str, dict[str, str]] = {
    "ε × proxies × labels": {
        EPSILON: "8/255..64/255:log:4",
        N_ADV: "10,30,100",
        "label_mode": "posterior,second_best",
    },
    "Figure 5 of the paper: ε": {EPSILON: "0.5/255,1/255,2/255,4/255,8/255,16/255,32/255", "coverage": "second_best"},
    "Figure 5 of the paper: proxies": {N_ADV: "3,10,30,100", "label_mode": "posterior,random"},
    "Step length and energy": {"learning_rate": "0.01..0.3:log", "energy": "0.8,0.9,0.97"},
}
"""Ready-made spaces; those of figure 5 are the rows that `reproduce fig5` fills."""
LIKE = "tune-like"
"""In the session: the sweep that the form copies, as {"title", "method", "settings", "space": knob -> its values}."""
USUAL = 20
LOOKED_AT = 50
GUESSES = (
    (Lane.TRIALS, True, "about", "earlier trials"),
    (Lane.RUNS, True, "at most about", "earlier runs"),
    (Lane.TRIALS, False, "perhaps", "earlier trials of other settings"),
    (Lane.RUNS, False, "perhaps", "earlier runs of other settings"),
)
"""By which jobs it is told how long a sweep will take, the best first: their lane, whether their settings must be the
sweep's, how sure that is, what they are called."""


def new_sweep(choice: Choice, about: Job, engine: Mapping[str, Any]) -> None:
    """Draw the form; say what will be done before it is begun."""
    left, right = st.columns([2, 3], gap="large")  # the right side holds the tags of three knobs in one line
    with left:
        forget = pick_classes(choice, about)
        base = _base()
        method = _pick_method(engine, base)
        settings = _fixed(base, method)
    with right:
        texts = _pick_space(method)
        chosen = _pick_search()
    try:
        sweep = _sweep(choice, forget, method, settings, texts, chosen)
    except UsageError as error:
        st.warning(str(error).removeprefix("--space: "), icon=":material/edit:")
        return
    st.markdown(_plan_words(sweep))
    names = [choice.class_names[k] for k in forget]
    pressed = st.button("Start the sweep", "tune-start", type="primary", icon=":material/tune:", disabled=not forget)
    if meant(pressed):
        more: dict[str, Any] = {"class_names": names}
        more |= {} if says_names(choice.checkpoint) else {"all_names": list(choice.class_names)}
        with saying_refusals():
            st.query_params["sweep"] = queue.submit_sweep(job_store(), sweep, more).id
            st.rerun()
    if not forget:
        st.caption("Choose at least one class to forget.")


def copy_into_form(job: Job, sweep: Sweep) -> None:
    """Have the form begin with what a sweep has; its model, data and classes are those that the visitor works with."""
    method = sweep.run["method"]
    space = {axis.name: str(axis).partition("=")[2] for axis in sweep.space}
    copied = {"title": f"Sweep {job.number}", "method": method, "space": space}
    st.session_state[LIKE] = copied | {"settings": dict(sweep.run["settings"])}
    st.session_state[f"tune-preset-{method}"] = f"Sweep {job.number}"
    st.session_state["tune-sampler"], st.session_state["tune-prune"] = sweep.sampler, sweep.prune
    st.session_state["tune-trials"], st.session_state["tune-seeds"] = sweep.trials, len(sweep.seeds)
    st.session_state["tune-objectives"] = list(sweep.objectives)
    st.session_state["tune-method"] = method


def _base() -> Mapping[str, Any]:
    """Return what the sweep starts from: the Forget page's form, else the run that the visitor looks at."""
    like: Mapping[str, Any] | None = st.session_state.get(LIKE)
    if like is not None:
        st.caption(f"Starts from {like['title'].lower()}; model, data and classes are those chosen here.")
        return like
    held: Mapping[str, Any] | None = st.session_state.get(FORM_HELD)
    if held is not None:
        st.caption("Starts from the method and the settings on the Forget page.")
        return held
    job = current_run()
    if job is None or job.kind != queue.RUN:
        return {}
    st.caption(f"Starts from the settings of run {job.number}, which is open.")
    return job.config


def _pick_method(engine: Mapping[str, Any], base: Mapping[str, Any]) -> Mapping[str, Any]:
    """Draw the methods and return the one chosen, as the engine describes it."""
    methods = {method["name"]: method for method in engine["methods"] if method["parameters"]}
    names = list(methods)
    first = names.index(base["method"]) if base.get("method") in methods else 0
    key = st.selectbox(
        "Method", names, first, key="tune-method", format_func=lambda name: str(methods[name].get("title", name))
    )
    return methods[str(key)]


def _fixed(base: Mapping[str, Any], method: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings that are the run's, as far as the method is."""
    return dict(base.get("settings", {})) if base.get("method", "zspag") == method["name"] else {}


def _pick_space(method: Mapping[str, Any]) -> dict[str, str]:
    """Draw the knobs that are varied and a line of values for each."""
    known = {about["name"]: about for about in method["parameters"]}
    like = st.session_state.get(LIKE)
    spaces = ({like["title"]: like["space"]} if like and like["method"] == method["name"] else {}) | PRESETS
    fitting = {title: space for title, space in spaces.items() if space.keys() <= known.keys()}
    preset = fitting.get(
        str(st.selectbox("Start from", [*fitting, "Nothing"], key=f"tune-preset-{method['name']}")), {}
    )
    names = st.multiselect(
        "Knobs to vary",
        list(known),
        list(preset) or list(known)[:1],
        key=f"tune-knobs-{method['name']}-{hash(tuple(preset))}",
        format_func=knob_label,
    )
    return {
        name: st.text_input(
            knob_label(name),
            preset.get(name) or _usual(known[name]),
            key=f"tune-values-{method['name']}-{name}-{preset.get(name, '')}",
            help=f"{known[name]['help']} A list: 10,30,100. A range: 4/255..64/255; behind it :log, or :5 for that "
            "many values in a grid.",
        )
        for name in names
    }


def _usual(about: Mapping[str, Any]) -> str:
    """Return values to begin with: all choices, both ways, or the default and its half and double."""
    if about["choices"]:
        return ",".join(about["choices"])
    if about["type"] == "bool":
        return "yes,no"
    default = about["default"] or 1
    low, high = about["min"], about["max"]
    values = [default / 2, default, default * 2]
    values = [value for value in values if (low is None or value >= low) and (high is None or value <= high)]
    return ",".join(str(int(value)) if about["type"] == "int" else f"{value:.4g}" for value in values)


def _pick_search() -> dict[str, Any]:
    """Draw sampler, budget, seeds and objectives."""
    first, second, third = st.columns([2, 1, 1])
    sampler = first.selectbox(
        "Sampler", list(SAMPLERS), key="tune-sampler", format_func=lambda key: f"{key}: {SAMPLERS[key]}"
    )
    trials = number_field(
        "Trials at most", 1, 100_000, USUAL if sampler != "grid" else 100, key="tune-trials", place=second
    )
    seeds = number_field("Seeds per point", 1, 20, 1, key="tune-seeds", place=third)
    objectives = st.multiselect(
        "Steered by",
        list(BY_KEY),
        [RETAIN_FREE.key],
        key="tune-objectives",
        format_func=lambda key: f"{BY_KEY[key].title}{' · for grading only' if BY_KEY[key].graded else ''}",
        help="  \n".join(f"**{o.title}**: {o.meaning}" for o in OBJECTIVES),
    )
    if any(BY_KEY[key].graded for key in objectives):
        st.caption(":gray-badge[for grading only] A zero-shot method may not see this: such a choice is not zero-shot.")
    prune = st.checkbox(
        "Stop trials that are clearly lost",
        key="tune-prune",
        help="By what the epochs say of proxies and forget images, never by test images: far below the lower quartile "
        "of the trials that have ended, after a third of the epochs. A grid keeps a hole there.",
    )
    chosen = {"sampler": sampler, "trials": int(trials), "seeds": range(int(seeds)), "objectives": objectives}
    return chosen | {"prune": prune}


def _sweep(
    choice: Choice,
    forget: Sequence[int],
    method: Mapping[str, Any],
    settings: dict[str, Any],
    texts: Mapping[str, str],
    chosen: Mapping[str, Any],
) -> Sweep:
    """Return what is asked for.

    Raises:
        UsageError: something in it is impossible.
    """
    kept = {name: value for name, value in settings.items() if name not in texts}
    space = read_space([f"{name}={text}" for name, text in texts.items()], method["parameters"], kept)
    run = {
        "data": choice.data,
        "checkpoint": str(choice.checkpoint),
        "forget": list(forget),
        "method": method["name"],
        "settings": kept,
        "device": "auto",
        "relearning": False,
    }
    if not chosen["objectives"]:
        raise UsageError("Choose at least one figure that steers the sweep.")
    if len(chosen["objectives"]) > 1 and chosen["sampler"] == "tpe":
        raise UsageError("TPE takes one figure to be steered by; for several choose NSGA-II, a grid or Sobol points.")
    return Sweep(
        run=run,
        space=space,
        sampler=chosen["sampler"],
        trials=chosen["trials"],
        objectives=tuple(chosen["objectives"]),
        seeds=tuple(chosen["seeds"]),
        prune=chosen["prune"],
    ).at_most()


def _plan_words(sweep: Sweep) -> str:
    """Say how many runs there will be and how long they will take, judged by what was measured on the same model.

    A run alone counts relearning steps and looks at more images, so trials take less.
    """
    words = f"**{counted(sweep.runs(), 'run')}**: {counted(sweep.trials, 'point')}"
    words += f" × {counted(len(sweep.seeds), 'seed')}" if len(sweep.seeds) > 1 else ""
    for lane, same, about, whose in GUESSES:
        jobs = job_store().latest(lane, LOOKED_AT, kind=queue.RUN)
        known = [lasting(job) for job in jobs if job.state == State.DONE and _alike(job, sweep, settings=same)]
        if known:
            each, workers = median(known), max(1, queue.workers(job_store()))
            rate = f"{duration(each * sweep.runs() / workers)} at {duration(each)} a run, as {whose} took"
            return f"{words}, {about} {rate}."
    return f"{words}. How long they take shows after the first: nothing has run on this model yet."


def _alike(job: Job, sweep: Sweep, *, settings: bool) -> bool:
    """Tell whether a run is of a sweep's model, data and method; on demand, of its settings, as far as none is varied.

    Args:
        job: the run.
        sweep: what is asked for.
        settings: whether the settings count.
    """
    if any(job.config.get(name) != sweep.run[name] for name in ("checkpoint", "data", "method")):
        return False
    varied = {axis.name for axis in sweep.space}
    own, asked = (
        {name: value for name, value in one["settings"].items() if name not in varied}
        for one in (job.config, sweep.run)
    )
    return own == asked or not settings
