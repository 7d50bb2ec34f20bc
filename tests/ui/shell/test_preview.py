from __future__ import annotations

import pytest

from ui.shell.preview import asr_word, preview_html

NAMES = [str(label) for label in range(10)]
EXAMPLE = {
    "original": "data:a",
    "noise": "data:b",
    "proxy": "data:c",
    "from": 3,
    "to": 8,
    "confidence": 0.97,
    "success": True,
}
ANSWER = {
    "asr": 96.875,
    "attempted": 64,
    "linf": 32 / 255,
    "l2": 2.314,
    "mean_confidence": 0.995,
    "per_class": {"8": 31, "5": 20, "9": 11, "0": 0},
    "examples": [EXAMPLE] * 6,
    "seconds": 0.4,
}


def test_gauge_says_share_count_and_what_it_means():
    text = preview_html(ANSWER, NAMES)
    assert 'role="meter"' in text
    assert 'aria-valuenow="97"' in text
    assert "62 of 64 reach another class" in text
    assert "enough proxies for every stage" in text


@pytest.mark.parametrize(("asr", "word"), [(95.0, "enough"), (60.0, "some"), (3.0, "too few")])
def test_words_for_a_success_rate(asr, word):
    assert asr_word(asr).startswith(word)


def test_sizes_have_units_and_classes_are_counted():
    text = preview_html(ANSWER, NAMES)
    assert "L∞ 32.0/255" in text
    assert "L2 2.31" in text
    assert "sure to 99.5 %" in text
    assert "Lands in <b>8</b> × 31, <b>5</b> × 20, <b>9</b> × 11</div>" in text


def test_every_picture_has_words():
    text = preview_html(ANSWER, NAMES)
    assert text.count("<img") == text.count('alt="') == 18
    assert "proxy of an image of 3, then read as 8" in text


def test_no_success_is_said_with_a_remedy():
    failed = EXAMPLE | {"to": 3, "success": False}
    text = preview_html(ANSWER | {"asr": 0.0, "mean_confidence": None, "per_class": {}, "examples": [failed]}, NAMES)
    assert "raise the budget" in text
    assert "still" in text
    assert "→" not in text
    assert "Lands in" not in text


def test_faded_answer_is_about_earlier_settings():
    assert "opacity:.45" in preview_html(ANSWER, NAMES, faded=True)
    assert "opacity:.45" not in preview_html(ANSWER, NAMES)
