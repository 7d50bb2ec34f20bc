"""What is compared: ready-made comparisons, the visitor's own, and the form that makes a new one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import streamlit as st

from ui.compare.comparisons import OWN, ComparedRun, network_of, order, preset_of, subject_of
from ui.shell.class_picker import pick_classes, unfit_method
from ui.shell.formatting import counted, duration, escape
from ui.shell.jobs import job_store
from ui.shell.methods import method_summary
from ui.shell.number_field import meant, number_field
from ui.shell.paths import plain_name
from ui.shell.url_params import UrlWord
from ui.shell.words import COMPARISONS, PRESETS, help_for
from zspag_core.reproduce.comparison import BLIND, Row
from zspag_core.reproduce.scale import SCALES

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ui.shell.selection import Choice
    from zspag_core.jobs import Job
    from zspag_core.reproduce.comparison import Comparison

COMPARISON = UrlWord("compare", "compare")
WANTED, ROUND = "compare-wanted", "compare-round"
NEW, MINE = "new", "mine"
TICKED = ("zspag", "posterior", "finetune_zs", "mask", "retrain")
TAKEN_APART = ("no projection", "random subspace", "random labels")
SEEDS = tuple(range(10))
TWO = (0, 1)
GRADING_SECONDS = 10.0  # a run's grading on digits and one core


def pick_comparison(shipped: Sequence[Comparison], mine: Sequence[str]) -> str:
    """Draw what there is to look at, and return the name of a comparison or `NEW`.

    Args:
        shipped: those whose results ship with the app.
        mine: names of those that runs were queued for, newest first.
    """
    wanted = st.session_state.pop(WANTED, None)
    named = wanted or COMPARISON.read()
    names = {comparison.name: preset_of(comparison.name) for comparison in shipped} | dict.fromkeys(mine, MINE)
    group = names.get(str(named), NEW if named == NEW or not shipped else preset_of(shipped[0].name))
    options = [*dict.fromkeys(names.values()), NEW]
    round_ = st.session_state.get(ROUND, 0)
    picked = st.pills(
        "Comparison",
        options,
        default=group,
        key=f"compare-group-{round_}",  # a new one whenever the page is sent to a comparison
        format_func=lambda name: _group_title(name, shipped),
        label_visibility="collapsed",
        required=True,
    )
    among = [name for name, group in names.items() if group == picked]
    chosen = _pick_among(among, str(named), shipped) if len(among) > 1 else among[0] if among else NEW
    COMPARISON.write(chosen)
    return chosen


def _group_title(group: str, shipped: Sequence[Comparison]) -> str:
    """Return what a group of comparisons is called."""
    if group == MINE:
        return ":material/person: Yours"
    if group == NEW:
        return ":material/add: New comparison"
    known = COMPARISONS.get(group)
    return known[0] if known else next(one.title for one in shipped if preset_of(one.name) == group)


def _pick_among(names: Sequence[str], named: str, shipped: Sequence[Comparison]) -> str:
    """Draw the comparisons of one group, by what they were made on, and return the name of the one chosen."""
    titles = {one.name: f"{plain_name(one.data)} · {network_of(one)}" for one in shipped}
    group = preset_of(names[0]) if names[0] in titles else MINE
    key = f"compare-among-{group}-{st.session_state.get(ROUND, 0)}"
    first = names.index(named) if named in names else 0
    label = "Data and network" if names[0] in titles else "Yours, newest first"
    return str(
        st.selectbox(
            label, names, first, key=key, format_func=lambda name: titles.get(name) or own_title(name), width=420
        )
    )


def own_title(name: str) -> str:
    """Return a line about a comparison of the visitor's own."""
    jobs = job_store().latest(limit=1000, kind="unlearn", comparison=name)
    about = jobs[-1].config
    names = ", ".join(about["class_names"])
    return f"{about['comparison']['title']} · forget {names} · {len(jobs)} runs from run {jobs[-1].number} on"


def show(name: str) -> None:
    """Look at a comparison when the page is drawn next."""
    st.session_state[WANTED] = name
    st.session_state[ROUND] = st.session_state.get(ROUND, 0) + 1


def shipped_head(comparison: Comparison) -> None:
    """Say what a ready-made comparison asks and was made on, and offer to run it here."""
    known = COMPARISONS.get(preset_of(comparison.name))
    st.markdown(
        f"#### {escape(comparison.title or (known[0] if known else comparison.name))}\n{escape(comparison.question)}"
    )
    names = ", ".join(comparison.class_names[label] for label in comparison.forget)
    seeds = max((len(row.seeds) for row in comparison.rows), default=0)
    subject = subject_of(comparison)
    model = comparison.model if subject is None else subject.network
    st.caption(
        f":green-badge[:material/bolt: ready-made] Forget :orange[{escape(names)}] in {escape(model)} on "
        f"{escape(plain_name(comparison.data))} · {counted(seeds, 'seed')} · computed on {comparison.device}, "
        f"{comparison.date}."
    )
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        _run_live(comparison, subject, seeds)
    with st.expander("How it was made", icon=":material/info:"):
        for note in [*kinds_note(comparison), *comparison.notes]:
            st.caption(escape(note))


def kinds_note(comparison: Comparison) -> list[str]:
    """Say what methods were given and, where rows are tuned or have official settings, what that means."""
    kinds = {row.kind for row in comparison.rows}
    notes = [
        f"Methods were given {comparison.forget_images:,} forget and, where they need them, "
        f"{comparison.retain_images:,} remaining images."
    ]
    if "official" in kinds:
        notes.append("Official: the settings of the method's own program.")
    scale = SCALES.get(comparison.scale)
    if "tuned" in kinds and scale is not None:
        notes.append(
            f"Tuned: the best of {scale.trials} values of the main setting, tried on held-out "
            "training images, never on test images."
        )
        if BLIND in kinds:
            notes.append(
                "Blind: the same trials judged without remaining images, as a zero-shot method would have to choose, "
                "by how sure the model stays of proxies."
            )
        if comparison.row("gkt") and not comparison.row("gkt_tuned"):
            notes.append(
                f"GKT is not tuned and learns from {scale.invented_batches} invented batches where its authors take "
                "4,000: its figures here say little of it."
            )
    return notes


def _run_live(comparison: Comparison, subject: ComparedRun | None, seeds: int) -> None:
    """Draw the button that queues the same runs here, greyed where their model or data is missing."""
    rows = [row for row in comparison.rows if row.method is not None]
    count = number_field("Seeds", 1, 10, max(1, min(seeds, 2)), key=f"live-seeds-{comparison.name}", width=110)
    spent = sum((row.mean_and_deviation("seconds") or (0.0,))[0] + GRADING_SECONDS for row in rows) * count
    pressed = st.button(
        "Run it live",
        key=f"live-{comparison.name}",
        icon=":material/play_arrow:",
        type="primary",
        disabled=subject is None,
    )
    if subject is None:
        st.caption("The model or the data of this comparison is not on this machine.")
        return
    st.caption(f"{len(rows) * count} runs wait in the queue one after the other; roughly {duration(spent)}.")
    if meant(pressed):
        show(order(subject, rows, range(int(count)), comparison))
        st.rerun()


def new_comparison(choice: Choice, about: Job, engine: Mapping[str, Any]) -> None:
    """Draw the form: classes, methods and seeds on one model; press the button if it was pressed."""
    left, right = st.columns([1, 2], gap="large")
    with left, st.container(gap="small"):
        with st.container(horizontal=True, vertical_alignment="center", horizontal_alignment="distribute"):
            st.markdown(f"**{escape(choice.title)}**", width="content")
            st.page_link("pages/1_Model.py", label="Change", icon=":material/swap_horiz:")
        st.caption(choice.summary)
        forget = pick_classes(choice, about)
        seeds = st.multiselect("Seeds", SEEDS, TWO, key="compare-seeds", help=help_for("Seed"))
        st.caption("More seeds: the spread is known better, it takes longer.")
    with right:
        rows = pick_rows(engine)
        unfit = about.answer["fits"] if isinstance(about.answer, dict) else None
        unfit = unfit or next((why for row in rows if (why := _unfit(row, about, forget))), None)
        possible = 0 < len(forget) < len(choice.class_names) and bool(rows) and bool(seeds) and not unfit
        why = unfit or ("" if possible else "Tick classes, methods and seeds; leave at least one class.")
        pressed = st.button(
            "Run them", type="primary", key="compare-go", icon=":material/play_arrow:", disabled=not possible
        )
        size = f"{counted(len(rows), 'method')} × {counted(len(seeds), 'seed')} = {len(rows) * len(seeds)} runs"
        st.caption(why or f"{size}, one after the other.")
    if pressed:
        names = tuple(choice.class_names[label] for label in forget)
        subject = ComparedRun(choice.data, str(choice.checkpoint), tuple(forget), names)
        show(order(subject, rows, sorted(seeds)))
        st.rerun()


def _unfit(row: Row, about: Job, forget: Sequence[int]) -> str:
    """Say why a ticked method cannot do with the data; empty where it can."""
    why = unfit_method({"title": row.label, "needs_retain": row.needs_retain}, about, forget)
    return f"{why} Take its tick away." if why else ""


def pick_rows(engine: Mapping[str, Any]) -> list[Row]:
    """Draw all methods, those that need remaining data apart, and return a row for each that is ticked."""
    methods = {method["name"]: method for method in engine["methods"]}
    zero, needs = st.columns(2, gap="medium")
    with zero:
        st.markdown("**Zero-shot** :green-badge[model and forget samples alone]", help=help_for("Zero-shot"))
        rows = [row for method in methods.values() if not method["needs_retain"] and (row := _tick(method))]
        apart = methods.get("zspag", {}).get("presets", {})
        st.markdown("**ZS-PAG, taken apart**")
        rows += [row for name in TAKEN_APART if name in apart and (row := _tick_preset(name, apart[name]))]
    with needs:
        st.markdown("**Others** :orange-badge[needs remaining data]", help=help_for("Remaining data"))
        st.caption("They see what a zero-shot method must do without: compare with care.")
        rows += [row for method in methods.values() if method["needs_retain"] and (row := _tick(method))]
    return rows


def _tick(method: Mapping[str, Any]) -> Row | None:
    """Draw the box of a method and return its row if it is ticked."""
    name = method["name"]
    if not st.checkbox(
        method["title"],
        name in TICKED,
        key=f"compare-{name}",
        help=method_summary(name) or None,
        persist_state="session",
    ):
        return None
    kind = "reference" if name in {"mask", "retrain"} else "default"
    return Row(key=name, label=method["title"], method=name, needs_retain=method["needs_retain"], kind=kind)


def _tick_preset(name: str, settings: Mapping[str, Any]) -> Row | None:
    """Draw the box of one of ZS-PAG's variants and return its row if it is ticked."""
    title, words = PRESETS[name]
    if not st.checkbox(f"ZS-PAG, {title.lower()}", key=f"compare-zspag-{name}", help=words, persist_state="session"):
        return None
    return Row(
        key=f"zspag {name}",
        label=f"ZS-PAG, {title.lower()}",
        method="zspag",
        needs_retain=False,
        settings=dict(settings),
        kind="ablation",
    )


__all__ = ["NEW", "OWN", "new_comparison", "own_title", "pick_comparison", "pick_rows", "shipped_head", "show"]
