"""Panels of the Model page: what a model is, whether it fits the data, and how it does."""

from __future__ import annotations

import html
from typing import TYPE_CHECKING, Any

import streamlit as st

from ui.figures import model as figures
from ui.shell.charts import chart
from ui.shell.engine_words import for_page
from ui.shell.follow import follow
from ui.shell.formatting import escape, percent
from ui.shell.headline_cards import Card, draw_cards
from ui.shell.jobs import WAIT_SECONDS, job_store, worker_ready
from ui.shell.ungraded import ESTIMATE
from ui.shell.words import GRADING_NOTE
from zspag_core.diagnosis import MATCHED, only_guesses
from zspag_core.jobs import Lane

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence
    from pathlib import Path

    from zspag_core.jobs import Job

NAMED_CLASSES = 12
OPEN = ": see below whether that is right"
ESTIMATE_HERE = "There are no test images in this data: these may be images that the model was trained on."


def wait(job: Job, what: str) -> None:
    """Say how far a short task is, and draw the page again once it has its answer."""

    def line(now: Job) -> None:
        if not worker_ready(Lane.INTERACTIVE):
            st.caption("The worker is starting: about five seconds.")
            return
        done, total = int(now.progress.get("done", 0)), int(now.progress.get("total", 1))
        ahead = len(job_store().ahead(now))
        behind = f" It waits behind {ahead} other question{'s' if ahead > 1 else ''}." if ahead else ""
        st.progress(min(1.0, done / max(1, total)), text=f"{what}: {done:,} of {total:,}.{behind}")

    follow(job, line, WAIT_SECONDS)


def refusal(job: Job, *paths: str | Path) -> None:
    """Say in one sentence why a file cannot be used; details only for what nobody expected."""
    sentence = for_page(job.error, *paths)
    if sentence.startswith("unexpected:"):
        st.error("This file cannot be read, for a reason that nobody foresaw.", icon=":material/error:")
        with st.expander("Details to copy into a report"):
            st.code(job.details or sentence, language=None)
    else:
        st.error(escape(sentence), icon=":material/error:")


def checks(about: Mapping[str, Any], report: Job | None, data: str, open_about: Collection[str] = ()) -> None:
    """List what was compared between model and data before anything runs.

    Args:
        about: what the worker said of the pair.
        report: the task that grades the model.
        data: name or path of the data.
        open_about: which of "images" and "labels" are not known yet, for a question about them stands below.
    """
    misfit, doubt = (for_page(about[key] or "", data) for key in ("fits", "doubt"))
    colour = "colour" if about["channels"] == 3 else "grey"
    size = f"{about['image_size']} × {about['image_size']}"
    taken = OPEN if "images" in open_about else ", which is what the model takes"
    lines = [("images" not in open_about, f"**Images** are resized to {size}, {colour}{taken}")]
    if about["fits"]:
        lines.append((False, f"**Classes** {escape(misfit)}"))
    else:
        there = sum(1 for one in about["classes"] if one["train"] or one["test"])
        lines.append((True, f"**Classes** {about['model_classes']} in the model, {there} in the data"))
        known, matched = "labels" not in open_about, escape(doubt or _matched(about, there))
        lines.append((known and not doubt, f"**Labels** {matched}{'' if known or doubt else OPEN}"))
        lines += [(known and good, words) for good, words in _accuracy_line(about, report)]
    marks = {True: ":green[:material/check:]", False: ":orange[:material/warning:]"}
    if about["fits"]:
        marks[False] = ":red[:material/close:]"
    st.markdown("  \n".join(f"{marks[good]} {line}" for good, line in lines))


def _matched(about: Mapping[str, Any], there: int) -> str:
    """Say how the classes of the data were matched to a model's that names its own."""
    whole = there == about["model_classes"]
    return "the same names in the same order" if whole else "those of the data are the model's by their names"


def _accuracy_line(about: Mapping[str, Any], report: Job | None) -> list[tuple[bool, str]]:
    """Compare the accuracy on this data with that of blind guessing."""
    if report is None or not isinstance(report.answer, dict):
        return []
    right, chance = float(report.answer["test_accuracy"]), 100 / int(about["num_classes"])
    if not only_guesses(right, int(about["num_classes"])):
        return [(True, f"**{_kind(report.answer)}** {percent(right)} right{_sampled(about, report.answer)}")]
    words = f"**{_kind(report.answer)}** {percent(right)} right, hardly more than guessing ({percent(chance)})"
    return [(False, f"{words}: other data, or too little training?")]


def _sampled(about: Mapping[str, Any], report: Mapping[str, Any]) -> str:
    """Say that a sample was graded, and what the file says of all: the two figures of one model differ a little."""
    there = about["test" if report.get("of", "test") == "test" else "train"]
    if report["graded"] >= there:
        return ""
    said = about["test_accuracy"]
    all_of_them = "" if said is None else f"; of all its file says {percent(said)}"
    return f" in a sample of {report['graded']:,}{all_of_them}"


def headline(about: Mapping[str, Any], report: Mapping[str, Any]) -> None:
    """Draw the model's four numbers."""
    said = about["test_accuracy"]
    tested = report.get("of", "test") == "test"
    note = f"on {report['graded']:,} of {about['test' if tested else 'train']:,} {_kind(report).lower()}"
    note += "" if tested else ": an estimate, the data has no test images"
    note += "" if said is None else f"; its file says {percent(said)}"
    draw_cards(
        [
            Card("Right answers", percent(report["test_accuracy"]), note),
            Card("Classes", str(about["num_classes"]), _names(about["class_names"])),
            Card("Input", f"{about['image_size']} px", _input(about)),
            Card("Weights", short_count(report["parameters"]), about["summary"].partition(",")[0]),
        ],
        4,
        widths=(4, 3, 3, 3),
    )


def _kind(report: Mapping[str, Any]) -> str:
    """Return what the images are called that the model was tried on."""
    return "Test images" if report.get("of", "test") == "test" else "Images of the data"


def _names(names: Sequence[str]) -> str:
    """Return the first class names."""
    more = f" and {len(names) - NAMED_CLASSES} more" if len(names) > NAMED_CLASSES else ""
    return escape(", ".join(names[:NAMED_CLASSES])) + more


def _input(about: Mapping[str, Any]) -> str:
    """Say what an image is to the model."""
    colours = "red, green and blue" if about["channels"] == 3 else "grey"
    return f"{about['image_size']} × {about['image_size']} pixels, {colours}"


def short_count(count: int) -> str:
    """Write a number of weights: 812, 79.2 k, 11.2 M."""
    for limit, unit in ((1e6, "M"), (1e3, "k")):
        if count >= limit:
            return f"{count / limit:.3g} {unit}"
    return str(count)


def accuracy_panel(about: Mapping[str, Any], report: Mapping[str, Any]) -> None:
    """Draw accuracy by class."""
    note = f":small[dotted: all, {percent(report['test_accuracy'])}]"
    tested = report.get("of", "test") == "test"
    badge, words = (":gray-badge[for grading only]", GRADING_NOTE) if tested else (ESTIMATE, ESTIMATE_HERE)
    st.markdown(f"**Right answers by class** {badge} {note}", help=words)
    names, accuracy = about["class_names"], report["acc_per_class"]
    figure = figures.class_accuracy_figure(names, accuracy, report["test_accuracy"])
    chart(figure, key="classes", alt=figures.describe_class_accuracy(names, accuracy))


def samples_panel(about: Mapping[str, Any], report: Mapping[str, Any]) -> None:
    """Draw test images with what the model says."""
    wrong = sum(sample["label"] != sample["predicted"] for sample in report["samples"])
    note = "the surest mistakes first" if wrong else "no mistake among those graded"
    st.markdown(f"**What it says of {_kind(report).lower()}** :small[{note}]")
    st.html(samples_html(report["samples"], about["class_names"]))


def samples_html(samples: Sequence[Mapping[str, Any]], names: Sequence[str]) -> str:
    """Return a grid of images, each with its label and the model's answer, as HTML that fits both themes."""
    return f'<div style="display:flex;flex-wrap:wrap;gap:.6rem">{"".join(_cell(s, names) for s in samples)}</div>'


def _cell(sample: Mapping[str, Any], names: Sequence[str]) -> str:
    """Return one image with its words."""
    label, predicted = (html.escape(names[sample[key]]) for key in ("label", "predicted"))
    wrong = sample["label"] != sample["predicted"]
    answer = f'<b style="color:#D9640F">✗ {predicted}</b>' if wrong else f"✓ {predicted}"
    said = f"An image of {label}; the model says {predicted} with {sample['probability']:.0f} percent"
    return (
        '<figure style="margin:0;width:4.7rem;font-size:.8rem;line-height:1.25;overflow-wrap:anywhere">'
        f'<img src="{html.escape(sample["picture"])}" alt="{said}" '
        'style="width:4.7rem;height:4.7rem;image-rendering:pixelated;border-radius:4px;display:block">'
        f'<figcaption><span style="opacity:.75">is {label}</span><br>{answer} {sample["probability"]:.0f}\u00a0%'
        "</figcaption></figure>"
    )


def layers_panel(report: Mapping[str, Any]) -> None:
    """Draw the table of layers, in the order in which an image passes them."""
    rows = report["layers"]
    st.markdown(f"**Architecture, layer by layer** :small[{len(rows)} layers, in the order of an image's way]")
    st.dataframe(
        {
            "Layer": [row["name"] for row in rows],
            "What it does": [row["kind"] for row in rows],
            "What comes out": [" × ".join(map(str, row["shape"])) for row in rows],
            "Weights": [row["parameters"] for row in rows],
            "Share": [100 * row["parameters"] / max(1, report["parameters"]) for row in rows],
        },
        hide_index=True,
        height=min(420, 38 + 35 * len(rows)),
        key="layers",
        alt="The layers of the model with kind, shape of the output and number of weights",
        column_config={
            "Weights": st.column_config.NumberColumn(format="localized"),
            "Share": st.column_config.ProgressColumn("Share of all weights", format="%.1f %%", max_value=100),
        },
    )


def some_classes_words(about: Mapping[str, Any], absent: Sequence[str]) -> str:
    """Say what data is for that has images of some of the model's classes only."""
    there = [described["name"] for described in about["classes"] if described["name"] not in set(absent)]
    return (
        f"Images of {_names(there)} alone, matched to the model's classes by name: enough to forget these. What needs "
        "images of the others is not graded; that can be added to a finished run."
    )


def classes_panel(about: Mapping[str, Any], order: Mapping[str, Any] | None = None) -> None:
    """Draw the classes of the data with a picture and image counts each, and what a model of others reads in them.

    Args:
        about: what the worker said of the data.
        order: its answer on how the classes are numbered, where that was tried.
    """
    st.markdown(f"**The data** :small[{about['train']:,} training and {about['test']:,} test images]")
    absent = [described["name"] for described in about["classes"] if not described["train"] + described["test"]]
    if absent:
        st.caption(some_classes_words(about, absent))
    shown = [k for k, described in enumerate(about["classes"]) if described["train"] + described["test"]]
    there = [about["classes"][k] for k in shown]
    read = {} if order is None else {"Read as": [_read_as(order["said"][k]) for k in shown]}
    st.dataframe(
        {
            "": [described["picture"] for described in there],
            "Class": [described["name"] for described in there],
            **read,
            "Training": [described["train"] for described in there],
            "Test": [described["test"] for described in there],
        },
        hide_index=True,
        height=min(420, 38 + 35 * len(there)),
        key="data-classes",
        alt="The classes of the data with a picture and the number of images of each",
        column_config={
            "": st.column_config.ImageColumn(width=44),
            "Class": st.column_config.TextColumn(width=90),
            "Read as": st.column_config.TextColumn(width=90),
            "Training": st.column_config.NumberColumn(width=78, format="localized"),
            "Test": st.column_config.NumberColumn(width=50, format="localized"),
        },
    )
    if order is not None:
        st.caption(
            f"Of {order['count']} labelled images {percent(order['taken'])} are read as numbered, "
            f"{percent(order['best'])} {MATCHED}. “Read as” is the most frequent answer of each class."
        )


def _read_as(said: Sequence[Any] | None) -> str:
    """Say what most images of a class are read as."""
    return "" if said is None else f"{said[0]} {said[1]:.0f} %"
