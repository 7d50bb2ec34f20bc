from __future__ import annotations

import pytest

from ui.words import plain


@pytest.mark.parametrize("text", ["a*b_c", "[x](http://x)", "$a$ :red[b]", "<b>", "1. #x ~y~ `z` |", "\\"])
def test_marks_of_markdown_are_shown_as_they_are(text):
    written = plain(text)
    assert written.replace("\\\\", "\0").replace("\\", "").replace("\0", "\\") == text
    assert all(written[place - 1] == "\\" for place, letter in enumerate(written) if letter in "*_[]$`<#")


def test_words_stay_words():
    assert plain("Digits 0 to 9, resized") == "Digits 0 to 9, resized"
