"""Words in the page's address, so that a shared link opens a page as it was."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

if TYPE_CHECKING:
    from collections.abc import Iterable


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
