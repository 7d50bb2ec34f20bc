"""What a run asks of the person: it stands open, for it makes the run's figures doubtful."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from ui.shell.engine_words import said_of
from ui.shell.formatting import as_sentence, escape, glue, questions

if TYPE_CHECKING:
    from collections.abc import Sequence

    from zspag_core.jobs import Event, Job


def show_questions(job: Job, events: Sequence[Event]) -> None:
    """Draw the notes among a run's events that ask something."""
    for question in questions(events):
        st.warning(escape(glue(as_sentence(said_of(job, question)))), icon=":material/help:")
