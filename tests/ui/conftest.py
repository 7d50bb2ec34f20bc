"""A home of its own for what the interface keeps, a store without workers, and a job to bend to what a test needs."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import streamlit as st

from ui.jobs import job_store
from zspag_core.jobs import Job, State, Wish


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
        wish=Wish.NONE,
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
