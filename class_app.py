"""The dashboard for several people: the same pages behind a door. Start it with `zspag app --share`."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import plotly.graph_objects as go
import streamlit as st
from starlette.middleware import Middleware

from ui.door.door import Door
from ui.shell import frame
from ui.shell.refusals import show_refusal
from zspag_core.visitors.classroom import read_classroom

BEFORE_ANYBODY = (pd, go, frame)
"""Imported before anybody comes: of a class that joins at once, one would draw while another still imports pandas."""

app = st.App(
    Path(__file__).resolve().parent / "app.py",
    middleware=[Middleware(Door, classroom=read_classroom())],
    on_script_error=show_refusal,
)
