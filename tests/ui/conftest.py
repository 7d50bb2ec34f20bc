"""A home of its own for what the interface keeps, a store without workers, and a job to bend to what a test needs."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import streamlit as st

from ui.results.run_view import view_of
from ui.shell.jobs import job_store
from zspag_core.jobs import Command, Job, State


@pytest.fixture
def home(tmp_path, monkeypatch):
    place = tmp_path / "home"
    monkeypatch.setenv("ZSPAG_HOME", str(place))
    monkeypatch.setenv("ZSPAG_START_WORKER", "0")
    for name in ("ZSPAG_DATABASE_URL", "ZSPAG_DATA", "ZSPAG_ROOTS"):
        monkeypatch.delenv(name, raising=False)
    st.cache_resource.clear()
    st.cache_data.clear()
    yield place
    st.cache_resource.clear()


@pytest.fixture
def store(home):
    opened = job_store()
    yield opened
    opened.close()


@pytest.fixture
def make_job():
    """Return a function that makes a job, with some fields changed."""
    job = Job(
        id="x",
        number=7,
        kind="unlearn",
        lane="runs",
        config={"forget": [3], "class_names": ["3"], "checkpoint": "/a/digits_resnet.safetensors"},
        device="auto",
        state=State.RUNNING,
        command=Command.NONE,
        worker="w",
        created=0.0,
        started=1.0,
        finished=None,
        progress={},
        answer=None,
        error="",
        details="",
        folder=Path("x"),
    )
    return lambda **changes: replace(job, **changes)


@pytest.fixture
def make_view(make_job, make_record, write_arrays, tmp_path):
    """Return a function that makes a view of a finished run with made-up figures and arrays."""

    def make(letter="A", *, influences=False, seed=0, changes=None, **about):
        result = make_record(**about)
        folder = tmp_path / f"run-{letter}"
        write_arrays(folder, result, influences=influences, seed=seed)
        config = {"data": "digits", "checkpoint": "/a/digits_resnet.safetensors", "forget": result["forget"]}
        state = State.DONE if result["after"] else State.CANCELLED
        about_job = {"number": 7 if letter == "A" else 8, "folder": folder, "state": state, "answer": result}
        return view_of(letter, make_job(**about_job | {"config": config} | (changes or {})))

    return make
