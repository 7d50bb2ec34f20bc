"""Words in the page's address, so that a reload or a shared link opens a page as it was."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import streamlit as st

if TYPE_CHECKING:
    from collections.abc import Iterable


@dataclass(frozen=True)
class UrlWord:
    """A word that the address keeps over a reload, and the session over a switch of pages.

    Attributes:
        name: in the address.
        key: in the session.
    """

    name: str
    key: str

    def read(self) -> str | None:
        """Return the word, by the address, else by the session."""
        return st.query_params.get(self.name) or st.session_state.get(self.key)

    def write(self, word: str) -> None:
        """Keep a word in both."""
        st.session_state[self.key] = word
        write_word(self.name, word)

    def clear(self) -> None:
        """Take it out of both."""
        st.session_state.pop(self.key, None)
        st.query_params.pop(self.name, None)


def word_of(name: str, known: Iterable[str], otherwise: str) -> str:
    """Return the word that the address has under a name; another one where it has none, or none that is known."""
    word = st.query_params.get(name)
    return word if word is not None and word in set(known) else otherwise


def write_word(name: str, word: str, usual: str = "") -> None:
    """Write a word into the address under a name; the usual one is left out."""
    if word == usual:
        st.query_params.pop(name, None)
    elif st.query_params.get(name) != word:
        st.query_params[name] = word
