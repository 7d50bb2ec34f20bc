"""What can be taken away from a run; everything is made when it is asked for, not before."""

from __future__ import annotations

import csv
import io
import json
import zipfile
from functools import partial
from typing import TYPE_CHECKING, Any

import streamlit as st

from ui.results.cli_command import repeat_line
from ui.results.figures import tables
from ui.results.report import ReportedRun, html_report
from ui.shell.follow import wait_for
from ui.shell.jobs import ask, engine_question
from ui.shell.returned_model import EPOCH, returned_bytes, returned_model, returned_words
from zspag_core.jobs import State

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from ui.results.reference import Reference
    from ui.results.run_view import View
    from zspag_core.jobs import Job


def downloads_panel(view: View, peers: Sequence[View], references: Mapping[str, Reference]) -> None:
    """Draw what can be taken away, and the command that repeats the run.

    Args:
        view: the run.
        peers: all runs that the page shows; the report is about these.
        references: their Retrain references, by letter.
    """
    engine = ask("engine", engine_question())
    if engine.active:
        wait_for(engine)
    subjects = [ReportedRun(peer, references[peer.letter], _repeat(peer, engine)) for peer in peers]
    repeat = _repeat(view, engine)
    _buttons(view, references[view.letter], subjects)
    st.markdown("**The same run on a command line**")
    if repeat:
        st.code(repeat, language="bash", wrap_lines=True)
        st.caption(
            "Run it in the folder of this program, with its Python. On a CPU it makes the same model, byte for byte, "
            "with the same versions of the libraries; only settings that differ from the defaults are written."
        )
    elif engine.active:
        st.caption("The engine is starting: the command appears here in about five seconds.")
    else:
        st.caption(f"The engine did not say its defaults: {engine.error or 'it was stopped'}.")


def _repeat(view: View, engine: Job) -> str:
    """Return the command line, empty until the engine has said its defaults."""
    if engine.state != State.DONE:
        return ""
    schemas = {method["name"]: method["parameters"] for method in engine.answer["methods"]}
    out = f"repeat-run-{view.job.number}"
    return repeat_line(view.job.config, view.result, schemas.get(view.result["method"], []), out)


def _buttons(view: View, reference: Reference, subjects: Sequence[ReportedRun]) -> None:
    """Draw one button for each thing that can be taken away."""
    stem, folder = f"run-{view.job.number}", view.job.folder
    report, both = partial(report_bytes, subjects), "-and-".join(str(one.view.job.number) for one in subjects)
    offers: list[tuple[str, str, str, Any, str, str]] = [
        ("model", "Unlearned model", f"{stem}-model.safetensors", partial(_read, folder / "model.safetensors"),
         "application/octet-stream", ":material/network_node:"),
        ("report", "Report" if len(subjects) == 1 else "Report of both runs", f"run-{both}-report.html", report,
         "text/html", ":material/article:"),
        ("figures", "Data of all figures", f"{stem}-figures.zip", partial(csv_archive, view, reference),
         "application/zip", ":material/table:"),
        ("result", "result.json", f"{stem}-result.json", partial(result_bytes, view.result),
         "application/json", ":material/data_object:"),
    ]  # fmt: skip
    returned = returned_model(view.job.folder, view.result)
    if returned is not None:
        name = f"{stem}-{returned.name}{'.zip' if returned.is_dir() else ''}"
        offers.insert(
            1,
            ("returned", "Unlearned, as it came", name, partial(returned_bytes, returned), "application/octet-stream",
             ":material/move_down:"),
        )  # fmt: skip
    if (folder / "proxies.safetensors").exists():
        offers.append(
            ("proxies", "Proxies", f"{stem}-proxies.safetensors", partial(_read, folder / "proxies.safetensors"),
             "application/octet-stream", ":material/scatter_plot:")
        )  # fmt: skip
    with st.container(horizontal=True):
        for name, label, file, make, kind, icon in offers:
            st.download_button(
                label,
                make,
                file,
                kind,
                key=f"download-{name}-{view.letter}",
                on_click="ignore",
                icon=icon,
                disabled=name == "model" and not (folder / "model.safetensors").exists(),
            )
    if returned is not None:
        st.caption(returned_words(view.result["model"]))


def report_bytes(subjects: Sequence[ReportedRun]) -> bytes:
    """Return the HTML report."""
    return html_report(subjects).encode()


def result_bytes(result: Mapping[str, Any]) -> bytes:
    """Return the record as result.json holds it."""
    return (json.dumps(result, indent=1) + "\n").encode()


def csv_archive(view: View, reference: Reference) -> bytes:
    """Return a zip with one CSV file per figure."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, rows in tables(view, reference).items():
            info = zipfile.ZipInfo(f"{name}.csv", EPOCH)
            info.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(info, to_csv(rows))
    return buffer.getvalue()


def to_csv(rows: Sequence[Mapping[str, Any]]) -> str:
    """Write records as CSV; an unknown value is an empty cell."""
    buffer = io.StringIO()
    names = list(dict.fromkeys(name for row in rows for name in row))
    writer = csv.DictWriter(buffer, names, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return buffer.getvalue()


def _read(path: Path) -> bytes:
    """Return a file of the run folder."""
    return path.read_bytes()
