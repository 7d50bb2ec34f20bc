"""A home of its own for what the interface keeps, and a store without workers."""

from __future__ import annotations

import pytest
import streamlit as st

from ui.jobs import job_store


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
